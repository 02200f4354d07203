//! `brine verify`.

use std::path::{Path, PathBuf};

use brine_core::{Verified, open};
use brine_records::Framing;

use super::expect::{self, Judge, is_standard_input};
use super::verify_records::verify_records;
use crate::args::verify::Verify;
use crate::report::byte_name::shown;
use crate::report::console::printable;
use crate::report::{Failure, FileOutcome, Outcome, Signed};
use crate::world::beside::{ContentFile, HashWork, signature_path};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::progress::{Progress, Show};
use crate::world::release::{Hold, discard, release, stored};
use crate::world::store::PayloadStore;
use crate::world::threads;

pub(super) fn run(args: &Verify, output: Option<Output>) -> Result<Outcome, Failure> {
    let task = Task::resolve(args, output)?;
    let mut judge = Judge::resolve(&args.judge)?;
    if let Some(typ) = &args.typ {
        judge.expectations = judge.expectations.typ(typ);
    }
    if args.untyped {
        judge.expectations = judge.expectations.untyped();
    }
    match task {
        Task::Beside { files, output } => beside(args, &judge, files, &output),
        Task::Detached { signature, content } => {
            detached(args, &judge, InputFile::open(Some(signature))?, InputFile::open(content)?)
        }
        Task::Embedded { input, output } => embedded(args, &judge, input, output.as_ref()),
        Task::Records { framings, output } => {
            verify_records(args, judge, framings, output.as_ref())
        }
    }
}

/// What is to be verified.
enum Task<'a> {
    /// Files, each with its signature beside it, and where the lines about them go.
    Beside { files: &'a [PathBuf], output: Output },
    /// One content, or standard input, with its signature elsewhere.
    Detached { signature: &'a Path, content: Option<&'a Path> },
    /// One envelope or stream.
    Embedded { input: Option<&'a Path>, output: Option<Output> },
    /// Records of one framing, whose payloads are written in another.
    Records { framings: (Framing, Framing), output: Option<Output> },
}

impl<'a> Task<'a> {
    fn resolve(args: &'a Verify, output: Option<Output>) -> Result<Self, Failure> {
        let reads_stdin =
            args.inputs.is_empty() || args.inputs.iter().any(|path| is_standard_input(path));
        if args.beside && reads_stdin {
            return Err(Failure::usage("-d takes files, each with its envelope beside it"));
        }
        if let (true, Some(output)) = (args.beside, &output) {
            return Ok(Self::Beside { files: &args.inputs, output: output.clone() });
        }
        if args.inputs.len() > 1 {
            let usage = "several files are for -d, which verifies each against FILE.brine";
            return Err(Failure::usage(usage));
        }
        let input = args.inputs.first().map(PathBuf::as_path);
        if let Some(signature) = &args.detached {
            if reads_stdin && is_standard_input(signature) {
                let usage = "standard input cannot be both the envelope and the payload";
                return Err(Failure::usage(usage));
            }
            return Ok(Self::Detached { signature, content: input });
        }
        Ok(match framings(args) {
            Some(framings) => Self::Records { framings, output },
            None => Self::Embedded { input, output },
        })
    }
}

/// How records are told apart, if there are any.
fn framings(args: &Verify) -> Option<(Framing, Framing)> {
    match &args.rejects.retry {
        None => args.records.framings(),
        // Kept records are told apart in a way of their own.
        Some(_) => args.records.framed().map(|framed| (Framing::Len32, framed)),
    }
}

/// Says where everything goes: the verdict, and what is verified.
pub(super) fn outputs(args: &Verify) -> Result<(Option<Output>, Option<Output>), Failure> {
    let mut guard = inputs(args);
    if let Some(database) = &args.rejects.replay_db {
        guard.claim_database(database)?;
    }
    let output = if args.check || args.detached.is_some() {
        None
    } else {
        Some(Output::plan("output", args.output.as_deref(), &mut guard)?)
    };
    if let Some(path) = &args.rejects.refusals.reject_to {
        Output::plan("kept records", Some(path), &mut guard)?;
    }
    Ok((expect::report(&args.verdict, &mut guard)?, output))
}

/// Everything that the command line names to be read.
fn inputs(args: &Verify) -> OverwriteGuard {
    let guard = OverwriteGuard::default();
    let guard = match args.inputs.as_slice() {
        [] if args.rejects.retry.is_some() => guard,
        [] => guard.and_input(None),
        inputs => inputs.iter().fold(guard, |guard, input| guard.and_input(Some(input))),
    };
    let signatures = args.inputs.iter().filter(|_| args.beside).map(|input| signature_path(input));
    let guard = signatures.fold(guard, |guard, signature| guard.and(Some(&signature)));
    let files = [&args.detached, &args.rejects.retry];
    let guard = files.iter().fold(guard, |guard, file| guard.and(file.as_deref()));
    expect::guarded(guard, &args.judge)
}

fn embedded(
    args: &Verify,
    judge: &Judge,
    input: Option<&Path>,
    output: Option<&Output>,
) -> Result<Outcome, Failure> {
    let input = InputFile::open(input)?;
    let (name, length) = (input.name().to_owned(), input.length());
    let store = PayloadStore::new(output);
    let opening =
        open(input.into_envelope_input()?).map_err(|error| Failure::reading(&name, error))?;
    let is_stream = opening.is_stream();
    let quiet = !is_stream || is_quiet(args) || output.is_some_and(Output::is_seen);
    let opening = opening.store(store.clone());
    // Counting processors reads the control group's files: a tenth of the time that a small message takes.
    let opening = if is_stream { opening.threads(threads(args.threads)) } else { opening };
    let opening = if output.is_none() { opening.without_payload() } else { opening };
    let verified = opening.verify(&judge.expectations, &judge.trust, &judge.moment);
    let mut verified = verified.map_err(|error| not_kept(error, &name, &store, output))?;
    let progress = Progress::start(length, Show::unless(quiet));
    match (output, store.take_output()) {
        (None, _) => discard(&mut verified, &name, &progress)?,
        (Some(output), Some(opened)) => output.finish(opened)?,
        (Some(output), None) => {
            // A terminal sees all of a payload, or nothing.
            let is_whole = args.whole || (output.is_terminal() && !is_stream);
            let hold = match (is_whole, is_stream) {
                (true, _) => Hold::Whole,
                (false, true) => Hold::Segments,
                (false, false) => Hold::Nothing,
            };
            let again = |verified: &mut Verified| judge.again(verified);
            release(&mut verified, output, hold, again, &name, &progress)?;
        }
    }
    drop(progress);
    Ok(Outcome::verified(Signed::attached(&verified, judge.moment.name())))
}

/// Says what failed where an input was read and its payload kept.
fn not_kept(
    error: brine_core::Error,
    input: &str,
    store: &PayloadStore,
    output: Option<&Output>,
) -> Failure {
    match (error, output.filter(|_| store.is_output())) {
        (brine_core::Error::System(brine_core::SystemError::Store(error)), Some(output)) => {
            output.failed(error)
        }
        (error, _) => stored(error, input),
    }
}

/// Verifies every file against the envelope beside it, and says how each did.
fn beside(
    args: &Verify,
    judge: &Judge,
    files: &[PathBuf],
    output: &Output,
) -> Result<Outcome, Failure> {
    let mut outcomes = Vec::new();
    for path in files {
        let outcome = InputFile::open_file(&signature_path(path))
            .and_then(|signature| detached(args, judge, signature, InputFile::open_file(path)?));
        let name = shown(path);
        let line = match &outcome {
            Ok(_) if args.verdict.quiet => String::new(),
            Ok(_) => format!("{}: OK\n", printable(&name)),
            Err(failure) => format!("{}\n", printable(&format!("{name}: {failure}"))),
        };
        let said = output.print(&line);
        // A verdict that nobody hears is not given.
        let unheard = said.is_err();
        outcomes.push(FileOutcome { name: path.clone(), outcome: said.and(outcome) });
        if unheard {
            break;
        }
    }
    Ok(Outcome::Files(outcomes))
}

fn detached(
    args: &Verify,
    judge: &Judge,
    signature: InputFile,
    content: InputFile,
) -> Result<Outcome, Failure> {
    let name = signature.name().to_owned();
    let opening =
        open(signature.into_envelope_input()?).map_err(|error| Failure::reading(&name, error))?;
    let work = HashWork { threads: args.threads, show: Show::unless(is_quiet(args)) };
    let mut content = ContentFile::new(content, work);
    let verified =
        opening.verify_beside(&mut content, &judge.expectations, &judge.trust, &judge.moment);
    let verified = verified.map_err(|error| stored(error, content.name()))?;
    Ok(Outcome::verified(Signed::beside(&verified, judge.moment.name())))
}

const fn is_quiet(args: &Verify) -> bool {
    args.verdict.quiet || args.verdict.json
}
