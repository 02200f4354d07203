//! The messages of one queue, received until there is no more to do.

use std::convert::Infallible;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_queue::{
    AnyQueue, Queue as _, QueueError, QueueSource, QueueUrl, ReceiveBounds, RetryDelay,
    SourceRules, UnsettledMessages,
};
use brine_records::{
    BLOCK_RECORDS, Framing, MissingRecords, OnBadRecord, OnRepeated, PipelineError, RecordCounts,
    RecordJudge, RecordPipeline, RecordRun, ReplayError, Sink,
};

use super::expect::{self, Judge};
use super::queue_watch::{MessageLog, NumbersPlan, QueueWatch};
use super::verify_records::{self, ToldPatience, signed_by};
use crate::args::judge::JudgeArgs;
use crate::report::console::{note, remark};
use crate::report::{Failure, Outcome, QueueFailure};
use crate::world::end_signals::EndSignals;
use crate::world::progress::Show;
use crate::world::queue::{self, LongWait, Patience};
use crate::world::threads;

/// What is received, and until when.
pub(super) struct Reception<'a> {
    pub(super) url: &'a QueueUrl,
    pub(super) judge: &'a JudgeArgs,
    /// How many messages are to be released, if that is said.
    pub(super) wanted: Option<NonZero<u64>>,
    /// How long another process that has locked the queue is waited for; `None` for ever.
    pub(super) patience: Option<Duration>,
    pub(super) lease: Option<Duration>,
    pub(super) threads: Option<NonZero<usize>>,
    pub(super) show: Show,
    pub(super) log: Option<&'a Path>,
}

impl<'a> Reception<'a> {
    /// Opens the queue, and everything that messages are judged by.
    pub(super) fn begin(self, numbers: NumbersPlan) -> Result<Receiver<'a>, Failure> {
        // What a message is held to: its context is the name of the queue, unless another was typed.
        let context = queue::context(self.judge.context.as_ref(), self.url);
        let asked = JudgeArgs { context: Some(context), ..self.judge.clone() };
        let judge = Judge::resolve(&asked)?;
        expect::refuse_nobody(&judge, &asked)?;
        let until = self.patience.and_then(|wait| Instant::now().checked_add(wait));
        let options = queue::made_to_consume(self.lease, self.judge.max_age);
        let queue = queue::open_within(self.url, options, &Patience { signals: None, until })?;
        let name_of = {
            let (trust, moment, asked) = (judge.trust.clone(), judge.moment, asked.clone());
            move |key| verify_records::name_of(key, &asked, &trust, moment)
        };
        let log = self.log.map(|path| MessageLog::open(path, self.url, name_of));
        let watch = QueueWatch::begin(self.url, &queue, numbers, self.show)?;
        let watch = watch.logging(log.transpose()?);
        let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
        let patience = Patience { signals: Some(signals.clone()), until };
        let counts = RecordCounts::default();
        Ok(Receiver { reception: self, asked, judge, queue, signals, patience, watch, counts })
    }
}

/// Receives messages of one queue.
pub(super) struct Receiver<'a> {
    reception: Reception<'a>,
    asked: JudgeArgs,
    judge: Judge,
    queue: AnyQueue,
    signals: EndSignals,
    patience: Patience,
    watch: QueueWatch,
    counts: RecordCounts,
}

type Ended = Result<(), PipelineError<QueueError, Failure, Infallible>>;

impl Receiver<'_> {
    pub(super) const fn signals(&self) -> &EndSignals {
        &self.signals
    }

    /// Receives until there is no more to do. What was delivered to somebody else meanwhile does not end the work, and
    /// neither does another process that locks the queue for long, or a server that is away.
    pub(super) fn receive<K: Sink<Error = Failure>>(
        &mut self,
        rules: SourceRules,
        framing: Framing,
        sink: &mut K,
        begin: impl Fn(&mut K, UnsettledMessages<AnyQueue>),
    ) -> Result<(), Failure> {
        let mut long_wait = LongWait::default();
        let mut moved_at = Instant::now();
        loop {
            let wanted = self.reception.wanted.map(NonZero::get);
            let before = moved(&self.counts);
            let messages = wanted.map(|most| most.saturating_sub(self.counts.verified));
            let wait = rules.wait.map(|wait| wait.saturating_sub(moved_at.elapsed()));
            let rules = SourceRules { messages, wait, ..rules };
            let (end, has_waited) = self.receive_once(rules, framing, sink, &begin)?;
            let has_moved = moved(&self.counts) > before;
            if has_moved {
                moved_at = Instant::now();
            }
            let is_full = wanted.is_some_and(|most| self.counts.verified >= most);
            // Without a time to wait, what another process has handed back meanwhile is looked for once more.
            let is_over = match wait {
                Some(Duration::ZERO) => !has_moved,
                Some(_) => has_waited,
                None => false,
            };
            match end {
                _ if self.signals.have_arrived() || self.watch.has_failed() => return Ok(()),
                Ok(()) if is_full || is_over => return Ok(()),
                Ok(()) => {}
                Err(PipelineError::Source(error)) if error.may_pass() => {
                    self.wait_on(error, &mut long_wait)?;
                    continue;
                }
                Err(PipelineError::Ledger(error)) if error.is_of_connection() => {
                    self.wait_on(error.into(), &mut long_wait)?;
                    continue;
                }
                Err(error) if is_of_lost_lease(&error) => remark(STOOD_STILL),
                Err(error) => {
                    return Err(Failure::of_queue(error, queue::name(self.reception.url)));
                }
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

    /// Receives until a source ends. Returns whether that is because nothing came for as long as it was to wait.
    fn receive_once<K: Sink<Error = Failure>>(
        &mut self,
        rules: SourceRules,
        framing: Framing,
        sink: &mut K,
        begin: impl Fn(&mut K, UnsettledMessages<AnyQueue>),
    ) -> Result<(Ended, bool), Failure> {
        let Judge { expectations, trust, moment } = &self.judge;
        let judge = RecordJudge::new(expectations.clone(), trust.clone(), *moment, framing);
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
            .threads(threads(self.reception.threads))
            .ledger(ledger)
            .patience(ToldPatience)
            .listener(self.watch.clone())
            .run(source);
        // What is missing is still queued, or with another consumer.
        counts.missing = MissingRecords::default();
        self.counts.add(counts);
        // If that fails, others get them when the leases run out.
        let _ = unsettled.hand_back("the consumer ended");
        Ok((end, unsettled.has_waited()))
    }

    /// Says what became of the messages. If a signal asked to end before, it ends this process.
    pub(super) fn finish(self, end: Result<(), Failure>) -> Result<Outcome, Failure> {
        let Self { reception, asked, judge, counts, signals, watch, .. } = self;
        let end = end.and_then(|()| watch.log_failure().map_or(Ok(()), Err));
        // What it shows is as of now, however this process ends.
        drop(watch);
        tell_of_dropped(&counts);
        // What was asked for is done, whatever came afterwards.
        let is_done = reception.wanted.is_some_and(|most| counts.verified >= most.get());
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
        match end.and_then(|()| judged_whole(&reception, &counts)).err() {
            // There is nothing to count.
            Some(failure) if counts == RecordCounts::default() => Err(failure),
            failure => Ok(Outcome::Records { counts, signers, failure, older: None }),
        }
    }
}

/// Receives as many messages at once as there are, which are delivered again until they are settled. Ends if there was
/// none for so long.
pub(super) fn blocks(wait: Option<Duration>) -> SourceRules {
    SourceRules {
        attempts: u64::MAX,
        bounds: ReceiveBounds { bytes: BLOCK_BYTES, messages: BLOCK_RECORDS },
        delay: RetryDelay::default(),
        held: HELD,
        messages: None,
        wait,
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
fn judged_whole(reception: &Reception<'_>, counts: &RecordCounts) -> Result<(), Failure> {
    if let Some(wanted) = reception.wanted
        && counts.verified < wanted.get()
    {
        let (name, found) = (queue::name(reception.url).to_owned(), counts.verified);
        return Err(QueueFailure::Empty { name, found, wanted: wanted.get() }.into());
    }
    match counts.retried {
        0 => Ok(()),
        failed => Err(QueueFailure::CommandFailed { failed }.into()),
    }
}

/// The most bytes of messages that are received at once. A larger one is received alone.
const BLOCK_BYTES: usize = 1024 * 1024;

/// The most messages that are held while payloads are written: a few blocks.
const HELD: usize = 4096;
