//! `brine recv`.

use std::num::NonZero;
use std::time::Duration;

use brine_queue::{ReceiveBounds, SourceRules};

use super::command_sink::{CommandSink, PAYLOADS};
use super::expect;
use super::queue_watch::NumbersPlan;
use super::receiver::{Receiver, Reception, blocks};
use super::run::find_program;
use crate::args::queue::RecvArgs;
use crate::report::command::CommandMisuse;
use crate::report::{Failure, Outcome};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::payload_command::PayloadCommand;
use crate::world::progress::Show;
use crate::world::queue;
use crate::world::record_output::{Payloads, RecordOutput};

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
    let is_in_the_way = outputs.payloads.as_ref().is_none_or(Output::is_seen);
    let reception = Reception {
        url: &args.url,
        judge: &args.judge,
        wanted: wanted(args),
        // Who waits for a message for so long waits no longer for another process.
        patience: args.wait,
        lease: args.lease,
        threads: args.threads,
        show: Show::unless(args.verdict.quiet || args.verdict.json || is_in_the_way),
        log: args.log.as_deref(),
    };
    let mut receiver = reception.begin(outputs.numbers)?;
    let end = match (&command, outputs.payloads) {
        (Some(command), _) => hand_to(&mut receiver, args, command),
        (None, Some(output)) => write_to(&mut receiver, args, &output),
        (None, None) => Ok(()),
    };
    receiver.finish(end)
}

/// Writes payloads to an output.
fn write_to(receiver: &mut Receiver<'_>, args: &RecvArgs, output: &Output) -> Result<(), Failure> {
    let payloads = match args.framing.name() {
        Some(framing) => Payloads::Framed(framing.into()),
        None => Payloads::Bare(PAYLOADS),
    };
    let mut sink = RecordOutput::open(output, payloads, true)?;
    receiver.receive(blocks(wait(args)), payloads.framing(), &mut sink, |_, _| {})?;
    sink.finish()
}

/// Starts a command for each message. No other is held meanwhile.
fn hand_to(
    receiver: &mut Receiver<'_>,
    args: &RecvArgs,
    command: &PayloadCommand,
) -> Result<(), Failure> {
    let attempts = u64::try_from(args.attempts.get()).unwrap_or(u64::MAX);
    let signals = receiver.signals().clone();
    let mut sink = CommandSink { command, attempts, unsettled: None, signals };
    let rules = SourceRules { attempts, bounds: ReceiveBounds::ONE, held: 1, ..blocks(wait(args)) };
    receiver.receive(rules, PAYLOADS, &mut sink, |sink, unsettled| {
        sink.unsettled = Some(unsettled);
    })
}

fn command(args: &RecvArgs) -> Result<Option<PayloadCommand>, Failure> {
    let Some(name) = args.command.first() else { return Ok(None) };
    let found = find_program(&args.command)?.ok_or(CommandMisuse::NoCommand)?;
    let (program, arguments) = (found.path, found.arguments);
    Ok(Some(PayloadCommand { name: name.clone(), program, arguments }))
}

/// Returns how long a message is waited for, if not for ever.
fn wait(args: &RecvArgs) -> Option<Duration> {
    (!args.follow).then(|| args.wait.unwrap_or(Duration::ZERO))
}

/// Returns how many messages are to be released, if that is said.
fn wanted(args: &RecvArgs) -> Option<NonZero<u64>> {
    let is_one = args.command.is_empty() && args.framing.name().is_none() && !args.follow;
    args.count.or(is_one.then_some(NonZero::<u64>::MIN))
}
