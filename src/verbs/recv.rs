//! `brine recv`.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_core::Expectations;
use brine_queue::{
    AnyQueue, Queue as _, QueueError, QueueSource, ReceiveBounds, RetryDelay, SourceRules,
    UnsettledMessages,
};
use brine_records::{
    BLOCK_RECORDS, Framing, MissingRecords, OnBadRecord, OnRepeated, PipelineError, RecordCounts,
    RecordJudge, RecordPipeline, RecordRun, ReplayError, Sink,
};

use super::command_sink::{CommandSink, PAYLOADS};
use super::expect::{self, Judge};
use super::queue_watch::{MessageLog, NumbersPlan, QueueWatch};
use super::run::find_program;
use super::verify_records::{self, ToldPatience, signed_by};
use crate::args::judge::JudgeArgs;
use crate::args::queue::RecvArgs;
use crate::report::command::CommandMisuse;
use crate::report::console::{note, remark};
use crate::report::{Failure, Outcome, QueueFailure};
use crate::world::end_signals::EndSignals;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::payload_command::PayloadCommand;
use crate::world::progress::Show;
use crate::world::queue::{self, LongWait, Patience};
use crate::world::record_output::{Payloads, RecordOutput};
use crate::world::threads;

/// Where payloads and numbers go.
pub(super) struct RecvOutputs {
    /// `None` if a command takes the payloads.
    payloads: Option<Output>,
    numbers: NumbersPlan,
}

/// Says where the verdict goes, and everything else.
pub(super) fn outputs(args: &RecvArgs) -> Result<(Option<Output>, RecvOutputs), Failure> {
    refuse_misuse(args)?;
    let mut guard = expect::guarded(OverwriteGuard::default(), &args.judge);
    queue::claim(&args.url, &mut guard)?;
    let payloads = match args.command.as_slice() {
        [] => Some(Output::stdout(&mut guard)?),
        [..] => None,
    };
    let numbers = NumbersPlan::of(args.metrics.metrics.as_ref(), &mut guard)?;
    if let Some(path) = &args.log {
        Output::plan("log", Some(path), &mut guard)?;
    }
    Ok((expect::report(&args.verdict, &mut guard)?, RecvOutputs { payloads, numbers }))
}

/// Refuses what does not go together.
fn refuse_misuse(args: &RecvArgs) -> Result<(), Failure> {
    let is_bare = args.command.is_empty() && args.framing.name().is_none();
    let is_one = !args.follow && args.count.is_none_or(|count| count == NonZero::<u64>::MIN);
    if args.lacks_command {
        return Err(Failure::mistyped("no command after \"--\"", "brine recv URL -- CMD"));
    }
    if is_bare && !is_one {
        return Err(Failure::mistyped(
            "payloads one after the other could not be told apart",
            "\"--lines\" writes a line for each, and \"--null\", \"--len32\" and \"--cbor\" do the like; \"-- CMD\" \
             starts a command for each",
        ));
    }
    if args.judge.now.is_some() {
        return Err(Failure::mistyped(
            "--now is for looking, and what is received is judged as of now",
            "leave it out",
        ));
    }
    if !args.command.is_empty() && args.verdict.json && args.verdict.report.is_none() {
        return Err(Failure::mistyped(
            CommandMisuse::Json.to_string(),
            "brine recv --json --report VERDICT URL -- CMD",
        ));
    }
    Ok(())
}

/// Receives messages, and releases those that hold.
pub(super) fn run(args: &RecvArgs, outputs: RecvOutputs) -> Result<Outcome, Failure> {
    let command = command(args)?;
    let asked = asked(args);
    let judge = Judge::resolve(&asked)?;
    expect::refuse_nobody(&judge, &asked)?;
    let until = args.wait.and_then(|wait| Instant::now().checked_add(wait));
    let options = queue::made_to_consume(args.lease, args.judge.max_age);
    let queue = queue::open_within(&args.url, options, &Patience { signals: None, until })?;
    let watch = watch(args, &asked, &judge, &queue, outputs.numbers, outputs.payloads.as_ref())?;
    let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
    let patience = Patience { signals: Some(signals.clone()), until };
    let counts = RecordCounts::default();
    let mut receiver = Receiver { args, judge, queue, signals, patience, watch, counts };
    let end = match (&command, outputs.payloads) {
        (Some(command), _) => receiver.hand_to(command),
        (None, Some(output)) => receiver.write_to(&output),
        (None, None) => Ok(()),
    };
    let Receiver { judge, counts, signals, watch, .. } = receiver;
    let end = end.and_then(|()| watch.log_failure().map_or(Ok(()), Err));
    // What it shows is as of now, however this process ends.
    drop(watch);
    tell_of_dropped(&counts);
    // What was asked for is done, whatever came afterwards.
    let is_done = wanted(args).is_some_and(|most| counts.verified >= most.get());
    let is_asked = match &end {
        Ok(()) => true,
        Err(Failure::Queue(QueueFailure::Queue(error))) => error.may_pass(),
        Err(_) => false,
    };
    if !is_done && is_asked && signals.have_arrived() {
        note(&counts.to_string());
        signals.end_process();
    }
    let signers = signed_by(&asked, &counts, &judge.trust, judge.moment);
    match end.and_then(|()| judged_whole(args, &counts)).err() {
        // There is nothing to count.
        Some(failure) if counts == RecordCounts::default() => Err(failure),
        failure => Ok(Outcome::Records { counts, signers, failure, older: None }),
    }
}

/// Begins to show what is done. A line at a terminal is not drawn where somebody else writes there.
fn watch(
    args: &RecvArgs,
    asked: &JudgeArgs,
    judge: &Judge,
    queue: &AnyQueue,
    numbers: NumbersPlan,
    payloads: Option<&Output>,
) -> Result<QueueWatch, Failure> {
    let is_in_the_way = payloads.is_none_or(Output::is_seen);
    let show = Show::unless(args.verdict.quiet || args.verdict.json || is_in_the_way);
    let (trust, moment, asked) = (judge.trust.clone(), judge.moment, asked.clone());
    let name_of = move |key| verify_records::name_of(key, &asked, &trust, moment);
    let log = args.log.as_deref().map(|path| MessageLog::open(path, &args.url, name_of));
    Ok(QueueWatch::begin(&args.url, queue, numbers, show)?.logging(log.transpose()?))
}

fn command(args: &RecvArgs) -> Result<Option<PayloadCommand>, Failure> {
    let Some(name) = args.command.first() else { return Ok(None) };
    let found = find_program(&args.command)?.ok_or(CommandMisuse::NoCommand)?;
    let (program, arguments) = (found.path, found.arguments);
    Ok(Some(PayloadCommand { name: name.clone(), program, arguments }))
}

/// What a message is held to: its context is the name of the queue, unless another was typed.
fn asked(args: &RecvArgs) -> JudgeArgs {
    let context = queue::context(args.judge.context.as_ref(), &args.url);
    JudgeArgs { context: Some(context), ..args.judge.clone() }
}

/// Says that refused messages are lost, which nobody else does.
fn tell_of_dropped(counts: &RecordCounts) {
    match counts.refused.saturating_sub(counts.kept) {
        0 => {}
        dropped => remark(&format!(
            "{dropped} refused messages were dropped: of what does not verify, a sample of 16 MiB is kept"
        )),
    }
}

/// Says what is still missing at the end, if something is.
fn judged_whole(args: &RecvArgs, counts: &RecordCounts) -> Result<(), Failure> {
    if let Some(wanted) = wanted(args)
        && counts.verified < wanted.get()
    {
        let (name, found) = (queue::name(&args.url).to_owned(), counts.verified);
        return Err(QueueFailure::Empty { name, found, wanted: wanted.get() }.into());
    }
    match counts.retried {
        0 => Ok(()),
        failed => Err(QueueFailure::CommandFailed { failed }.into()),
    }
}

/// Returns how many messages are to be released, if that is said.
fn wanted(args: &RecvArgs) -> Option<NonZero<u64>> {
    let is_one = args.command.is_empty() && args.framing.name().is_none() && !args.follow;
    args.count.or(is_one.then_some(NonZero::<u64>::MIN))
}

/// Receives messages of one queue.
struct Receiver<'a> {
    args: &'a RecvArgs,
    judge: Judge,
    queue: AnyQueue,
    signals: EndSignals,
    patience: Patience,
    watch: QueueWatch,
    counts: RecordCounts,
}

type Ended = Result<(), PipelineError<QueueError, Failure, Infallible>>;

impl Receiver<'_> {
    /// Writes payloads to an output.
    fn write_to(&mut self, output: &Output) -> Result<(), Failure> {
        let payloads = match self.args.framing.name() {
            Some(framing) => Payloads::Framed(framing.into()),
            None => Payloads::Bare(PAYLOADS),
        };
        let mut sink = RecordOutput::open(output, payloads, true)?;
        let bounds = ReceiveBounds { bytes: BLOCK_BYTES, messages: BLOCK_RECORDS };
        let attempts = u64::MAX;
        let rules = SourceRules { attempts, bounds, ..self.rules() };
        self.receive(rules, payloads.framing(), &mut sink, |_, _| {})?;
        sink.finish()
    }

    /// Starts a command for each message. No other is held meanwhile.
    fn hand_to(&mut self, command: &PayloadCommand) -> Result<(), Failure> {
        let mut sink = CommandSink {
            command,
            attempts: self.rules().attempts,
            unsettled: None,
            signals: self.signals.clone(),
        };
        self.receive(self.rules(), PAYLOADS, &mut sink, |sink, unsettled| {
            sink.unsettled = Some(unsettled);
        })
    }

    fn rules(&self) -> SourceRules {
        SourceRules {
            attempts: u64::try_from(self.args.attempts.get()).unwrap_or(u64::MAX),
            bounds: ReceiveBounds::ONE,
            delay: RetryDelay::default(),
            held: if self.args.command.is_empty() { HELD } else { 1 },
            messages: None,
            wait: match (self.args.follow, self.args.wait) {
                (true, _) => None,
                (false, wait) => Some(wait.unwrap_or(Duration::ZERO)),
            },
        }
    }

    /// Receives until there is no more to do. What was delivered to somebody else meanwhile does not end the work, and
    /// neither does another process that locks the queue for long.
    fn receive<K: Sink<Error = Failure>>(
        &mut self,
        rules: SourceRules,
        framing: Framing,
        sink: &mut K,
        begin: impl Fn(&mut K, UnsettledMessages<AnyQueue>),
    ) -> Result<(), Failure> {
        let mut long_wait = LongWait::default();
        loop {
            let left =
                wanted(self.args).map(|most| most.get().saturating_sub(self.counts.verified));
            let before = moved(&self.counts);
            let rules = SourceRules { messages: left, ..rules };
            let end = self.receive_once(rules, framing, sink, &begin)?;
            // A source that ends without a message has waited in vain.
            let has_moved = moved(&self.counts) > before || self.args.follow;
            let is_full = wanted(self.args).is_some_and(|most| self.counts.verified >= most.get());
            match end {
                _ if self.signals.have_arrived() || self.watch.has_failed() => return Ok(()),
                Ok(()) if is_full || !has_moved => return Ok(()),
                Ok(()) => {}
                // Who waits for a message for so long waits no longer for another process.
                Err(PipelineError::Source(error)) if error.may_pass() => {
                    self.wait_on(error, &mut long_wait)?;
                    continue;
                }
                Err(PipelineError::Ledger(error)) if error.is_of_connection() => {
                    self.wait_on(error.into(), &mut long_wait)?;
                    continue;
                }
                Err(error) if is_of_lost_lease(&error) => remark(STOOD_STILL),
                Err(error) => return Err(Failure::of_queue(error, queue::name(&self.args.url))),
            }
            long_wait = LongWait::default();
        }
    }

    /// Says that another process or a server is waited for, unless that has lasted too long.
    fn wait_on(&self, error: QueueError, long_wait: &mut LongWait) -> Result<(), Failure> {
        if self.patience.is_over() {
            return Err(QueueFailure::Queue(error).into());
        }
        long_wait.tell(&error);
        Ok(())
    }

    fn receive_once<K: Sink<Error = Failure>>(
        &mut self,
        rules: SourceRules,
        framing: Framing,
        sink: &mut K,
        begin: impl Fn(&mut K, UnsettledMessages<AnyQueue>),
    ) -> Result<Ended, Failure> {
        let Judge { expectations, trust, moment } = &self.judge;
        let expectations: Expectations = expectations.clone();
        let judge = RecordJudge::new(expectations, trust.clone(), *moment, framing);
        let ledger = self.patience.wait(|| self.queue.ledger())?;
        let (signals, watch) = (self.signals.clone(), self.watch.clone());
        let source = QueueSource::new(self.patience.wait(|| self.queue.another())?, rules)?;
        let source = source.counting(Arc::clone(self.watch.figures()));
        let source = source.while_wanted(move || !signals.have_arrived() && !watch.has_failed());
        let unsettled = source.unsettled();
        begin(sink, source.unsettled());
        let RecordRun { mut counts, end } = RecordPipeline::new(judge, sink)
            .on_bad(OnBadRecord::Skip)
            .on_repeated(OnRepeated::Drop)
            .threads(threads(self.args.threads))
            .ledger(ledger)
            .patience(ToldPatience)
            .listener(self.watch.clone())
            .run(source);
        // What is missing is still queued, or with another consumer.
        counts.missing = MissingRecords::default();
        self.counts.add(counts);
        // If that fails, others get them when the leases run out.
        let _ = unsettled.hand_back("the consumer ended");
        Ok(end)
    }
}

/// Returns how many messages were dealt with, in whatever way.
fn moved(counts: &RecordCounts) -> u64 {
    [counts.verified, counts.refused, counts.repeated, counts.retried].iter().sum()
}

/// Returns whether a lease ran out, which is no reason to end.
const fn is_of_lost_lease(error: &PipelineError<QueueError, Failure, Infallible>) -> bool {
    matches!(
        error,
        PipelineError::Ledger(ReplayError::LeaseLost)
            | PipelineError::Source(QueueError::LeaseLost)
    )
}

/// What is said of it.
const STOOD_STILL: &str = "messages were delivered to another consumer, because this one stood still for longer than --lease";

/// The most bytes of messages that are received at once. A larger one is received alone.
const BLOCK_BYTES: usize = 1024 * 1024;

/// The most messages that are held while payloads are written: a few blocks.
const HELD: usize = 4096;
