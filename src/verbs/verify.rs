//! `brine verify`.

use std::path::{Path, PathBuf};

use brine_core::{FormError, Opening, Verified, open};
use brine_records::Framing;

use super::expect::{self, Judge, is_standard_input};
use super::verify_beside::{not_given, signed_files, two_files, verify_beside};
use super::verify_command::{refuse_misuse, verify_command};
use super::verify_records::verify_records;
use super::verify_result::verify_result;
use crate::args::verify::Verify;
use crate::report::{BesideFailure, Failure, Outcome, Signed};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::progress::{Progress, Show};
use crate::world::release::{Hold, discard, release, stored};
use crate::world::signature_name::{SignedFile, signature_of};
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
        Task::Command => verify_command(args, &judge),
        Task::Beside { files, lines } => Ok(verify_beside(args, &judge, &files, lines.as_ref())),
        Task::Result { job, input, output } => {
            verify_result(args, judge, job, input, output.as_ref())
        }
        Task::Embedded { input, output } => embedded(args, &judge, input, output.as_ref()),
        Task::Records { framings, output } => {
            verify_records(args, judge, framings, output.as_ref())
        }
    }
}

/// What is to be verified.
enum Task<'a> {
    /// One envelope or stream, for a command.
    Command,
    /// Files, each with its signature, and where the lines about them go.
    Beside { files: Vec<SignedFile>, lines: Option<Output> },
    /// The result of a job, and the file with the job.
    Result { job: &'a Path, input: Option<&'a Path>, output: Option<Output> },
    /// One envelope or stream.
    Embedded { input: Option<&'a Path>, output: Option<Output> },
    /// Records of one framing, whose payloads are written in another.
    Records { framings: (Framing, Framing), output: Option<Output> },
}

impl<'a> Task<'a> {
    fn resolve(args: &'a Verify, output: Option<Output>) -> Result<Self, Failure> {
        if !args.command.is_empty() {
            return Ok(Self::Command);
        }
        if args.detached && args.inputs.iter().any(|path| is_standard_input(path)) {
            let usage = "-d takes files, each with its signature beside it; \"--signature SIG -\" takes \
                         standard input";
            return Err(Failure::usage(usage));
        }
        let framings = framings(args);
        if let Some(files) = signed_files(args)? {
            if framings.is_some() {
                let usage = "a file whose name ends in .sig is a signature, and holds no records";
                return Err(Failure::usage(usage));
            }
            return Ok(Self::Beside { files, lines: output.filter(|_| !args.verdict.quiet) });
        }
        if let [first, second, ..] = args.inputs.as_slice() {
            return Err(two_files(first, second).into());
        }
        let input = args.inputs.first().map(PathBuf::as_path);
        if let Some(job) = args.result_of.as_deref() {
            return Ok(Self::Result { job, input, output });
        }
        Ok(match framings {
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
    refuse_misuse(args)?;
    let mut guard = inputs(args);
    if let Some(database) = &args.rejects.replay_db {
        guard.claim_database(database)?;
    }
    let output = if args.check || !args.command.is_empty() {
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
    let guard = args.inputs.iter().fold(guard, |guard, input| {
        let signed = SignedFile::of_signature(input).map(|found| found.file);
        let signature = Some(signature_of(input)).filter(|_| args.detached);
        guard.and(signed.as_deref()).and(signature.as_deref())
    });
    let guard = match &args.signature {
        Some(signature) => guard.and_input(Some(signature)),
        None => guard,
    };
    let guard = guard.and(args.rejects.retry.as_deref()).and(args.result_of.as_deref());
    expect::guarded(guard, &args.judge)
}

fn embedded(
    args: &Verify,
    judge: &Judge,
    input: Option<&Path>,
    output: Option<&Output>,
) -> Result<Outcome, Failure> {
    let path = input;
    let store = PayloadStore::new(output);
    let Opened { name, length, opening } = open_input(args, judge, InputFile::open(path)?, &store)?;
    let is_stream = opening.is_stream();
    let quiet = !is_stream || is_quiet(args) || output.is_some_and(Output::is_seen);
    let opening = if output.is_none() { opening.without_payload() } else { opening };
    let verified = opening.verify(&judge.expectations, &judge.trust, &judge.moment);
    let mut verified = verified.map_err(|error| match path {
        Some(path) if is_no_envelope(&error) && signature_of(path).is_file() => {
            has_signature(path, error)
        }
        _ => not_kept(error, &name, &store, output),
    })?;
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
            let again = |verified: &mut Verified| judge.again(verified, &name);
            release(&mut verified, output, hold, again, &name, &progress)?;
        }
    }
    drop(progress);
    Ok(Outcome::verified(Signed::attached(&verified, judge.moment.name())))
}

/// An envelope or a stream that is about to be verified.
pub(super) struct Opened {
    /// What the input is called.
    pub(super) name: String,
    pub(super) length: Option<u64>,
    pub(super) opening: Opening,
}

/// Opens an input that holds its payload, which may be kept in `store`.
pub(super) fn open_input(
    args: &Verify,
    judge: &Judge,
    input: InputFile,
    store: &PayloadStore,
) -> Result<Opened, Failure> {
    let (name, length) = (input.name().to_owned(), input.length());
    let opening =
        open(input.into_envelope_input()?).map_err(|error| Failure::reading(&name, error))?;
    if opening.lies_beside(&judge.expectations) {
        let path = args.inputs.first().map(PathBuf::as_path);
        return Err(without_file(name, path).into());
    }
    let opening = opening.store(store.clone());
    // Counting processors reads the control group's files: a tenth of the time that a small message takes.
    let opening =
        if opening.is_stream() { opening.threads(threads(args.threads)) } else { opening };
    Ok(Opened { name, length, opening })
}

/// Says that a file is missing, which is likely to be the one that the signature is named after.
fn without_file(name: String, path: Option<&Path>) -> BesideFailure {
    let signature = path.unwrap_or(Path::new("-"));
    let file = signature.with_extension("");
    let is_likely = file != signature && file.is_file();
    not_given(name, signature, Some(file).filter(|_| is_likely))
}

const fn is_no_envelope(error: &brine_core::Error) -> bool {
    matches!(error, brine_core::Error::Form(FormError::NotAnEnvelope { .. }))
}

/// Says that a file is no envelope, and where its signature is.
fn has_signature(file: &Path, error: brine_core::Error) -> Failure {
    let (file, signature) = (file.to_owned(), signature_of(file));
    BesideFailure::NotAnEnvelope { file, signature, source: Box::new(error) }.into()
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

pub(super) const fn is_quiet(args: &Verify) -> bool {
    args.verdict.quiet || args.verdict.json
}
