//! `brine verify FILE -- CMD`: all of a payload is verified, and then a command reads it.

use std::path::PathBuf;

use brine_core::Verified;

use super::expect::Judge;
use super::run::find_program;
use super::say_who;
use super::verify::{Opened, is_quiet, open_input};
use crate::args::verify::Verify;
use crate::report::command::{CommandEnd, CommandMisuse};
use crate::report::console::note;
use crate::report::{Failure, Outcome, Signed};
use crate::world::input::InputFile;
use crate::world::payload_command::PayloadCommand;
use crate::world::progress::{Progress, Show};
use crate::world::release::{spooled, stored};
use crate::world::signature_name::is_of_signature;
use crate::world::spool::{Spool, temporary};
use crate::world::store::PayloadStore;

/// Refuses what does not go together with a command.
pub(super) fn refuse_misuse(args: &Verify) -> Result<(), CommandMisuse> {
    if args.lacks_command {
        return Err(CommandMisuse::NoCommand);
    }
    if args.command.is_empty() {
        return Ok(());
    }
    let misuses = [
        (args.rejects.retry.is_some(), CommandMisuse::Retry),
        (args.inputs.is_empty(), CommandMisuse::NoInput),
        (args.check, CommandMisuse::Check),
        (is_beside(args), CommandMisuse::Detached),
        (args.output.is_some(), CommandMisuse::Output),
        (args.records.is_any(), CommandMisuse::Records),
        (args.inputs.len() > 1, CommandMisuse::SeveralInputs),
        (args.verdict.json && args.verdict.report.is_none(), CommandMisuse::Json),
    ];
    misuses.into_iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, misuse)| Err(misuse))
}

/// Returns whether a signature beside a file is meant.
fn is_beside(args: &Verify) -> bool {
    args.detached
        || args.signature.is_some()
        || args.inputs.iter().any(|path| is_of_signature(path))
}

/// Verifies a payload to its end, and runs the command with it.
///
/// Without `--report` nothing is left to do then, and the command takes the place of this process.
pub(super) fn verify_command(args: &Verify, judge: &Judge) -> Result<Outcome, Failure> {
    // What cannot be found is said before an input is read that may not come again.
    let command = command(args)?;
    let path = args.inputs.first().map(PathBuf::as_path);
    let input = InputFile::open(path)?;
    let name = input.name().to_owned();
    let (mut verified, payload) =
        read(args, judge, input).map_err(|failure| failure.in_file(&name))?;
    let payload = payload.into_read_only().map_err(temporary)?;
    let again = |verified: &mut Verified| judge.again(verified, &name);
    again(&mut verified)?;
    if say_who(&args.verdict).now() && !args.verdict.json {
        note(&Signed::attached(&verified, judge.moment.name()).line());
        // A terminal can be stopped.
        again(&mut verified)?;
    }
    if args.verdict.report.is_none() {
        return Err(command.replace_process(payload));
    }
    let signed = Box::new(Signed::attached(&verified, judge.moment.name()));
    drop(verified);
    let end = CommandEnd::of(command.run(payload)?);
    Ok(Outcome::Commanded { signed, end })
}

fn command(args: &Verify) -> Result<PayloadCommand, Failure> {
    let found = find_program(&args.command)?.ok_or(CommandMisuse::NoCommand)?;
    let name = args.command.first().cloned().unwrap_or_default();
    Ok(PayloadCommand { name, program: found.path, arguments: found.arguments })
}

/// Reads and verifies all of the payload. It is a copy then, which nobody else can change.
fn read(args: &Verify, judge: &Judge, input: InputFile) -> Result<(Verified, Spool), Failure> {
    let store = PayloadStore::default();
    let Opened { name, length, opening } = open_input(args, judge, input, &store)?;
    let is_stream = opening.is_stream();
    let verified = opening.verify(&judge.expectations, &judge.trust, &judge.moment);
    let mut verified = verified.map_err(|error| stored(error, &name))?;
    let quiet = !is_stream || is_quiet(args);
    let progress = Progress::start(length, Show::unless(quiet));
    let payload = spooled(&mut verified, &store, &name, &progress)?;
    Ok((verified, payload))
}
