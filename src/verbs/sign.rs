//! `brine sign`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brine_core::{Content, Envelope, MAX_MEMORY_BYTES, SigningKey, armor, sign};
use brine_job::Grants;
use brine_records::Framing;

use super::expect::is_standard_input;
use super::reject_file::RejectFile;
use super::sign_records::sign_records;
use super::sign_stream::{StreamInput, sign_stream};
use super::stated::{State, Stated};
use crate::args::sign::Sign;
use crate::report::{Failure, Outcome, console};
use crate::world::beside::{HashWork, SignedBeside, signature_path};
use crate::world::input::{Arrived, InputFile, MAX_WHOLE_BYTES};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::progress::Show;
use crate::world::whole_file::Access;
use crate::world::{named_key, threads};

pub(super) fn run(args: &Sign) -> Result<Outcome, Failure> {
    refuse_two_readers(args)?;
    let key_file = named_key::private_path(&args.key)?;
    let passphrases = Source::find(&args.passphrase);
    let form = Form::resolve(args)?;
    let mut guard = guard(args, &key_file, &passphrases);
    let jobs = places(args, &form, &mut guard)?;
    if let Some(path) = &args.refusals.reject_to {
        Output::plan("kept records", Some(path), &mut guard)?;
    }
    let aad = args.aad.as_deref().map(InputFile::open_file).transpose()?;
    let stated = Stated::resolve(args)?;
    let key = named_key::signing_key(&key_file, &passphrases)?;
    let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_WHOLE_BYTES))?;
    let stated = stated.external_aad(aad);
    let state = || stated.now();
    if let Form::Detached = form {
        let mut jobs = jobs.into_iter();
        jobs.try_for_each(|job| sign_detached(args, &key, &state, job))?;
        return Ok(Outcome::Silent);
    }
    // Without --detached there is one.
    let Some(Place { input, output }) = jobs.into_iter().next() else {
        return Ok(Outcome::Silent);
    };
    let input = InputFile::open(Some(&input))?;
    if input.is_terminal() {
        console::remark("reading from the terminal; Ctrl-D ends the input");
    }
    let done = match form {
        Form::Any => sign_any(args, key, stated, input, &output),
        Form::Detached => Ok(()),
        Form::Job(grants) => {
            let state = || Ok(grants.statement(stated.now()?));
            sign_single(args, &key, &state, input, &output)
        }
        Form::Records(framings) => {
            let rejects = args.refusals.reject_to.as_deref().map(RejectFile::open).transpose()?;
            let outputs = (&output, rejects);
            return sign_records(args, key, stated, framings, input, outputs);
        }
        Form::Single => sign_single(args, &key, &state, input, &output),
    };
    done.map(|()| Outcome::Silent)
}

/// What becomes of the input.
enum Form {
    /// A single envelope where it fits a segment, and a stream where it does not.
    Any,
    /// Signatures beside the files that they are for.
    Detached,
    /// One envelope of kind job.
    Job(Grants),
    /// An envelope for each record.
    Records((Framing, Framing)),
    /// One envelope, whatever the size.
    Single,
}

impl Form {
    fn resolve(args: &Sign) -> Result<Self, Failure> {
        if args.job.is_job() {
            let grants = Grants::collect(args.job.grants.iter().cloned());
            return grants.map(Self::Job).map_err(|error| Failure::usage(error.to_string()));
        }
        Ok(match args.records.framings() {
            Some(framings) => Self::Records(framings),
            None if args.detached => Self::Detached,
            None if args.single || args.plain || args.armor => Self::Single,
            None => Self::Any,
        })
    }

    /// Returns whether its output is text.
    const fn is_text(&self, args: &Sign) -> bool {
        args.armor || matches!(self, Self::Records((_, Framing::Lines)))
    }
}

/// Everything that is read.
fn guard(args: &Sign, key_file: &Path, passphrases: &Source) -> OverwriteGuard {
    let guard = OverwriteGuard::default().and(args.aad.as_deref());
    let guard = guard.and(Some(key_file)).and(passphrases.file());
    match args.inputs.as_slice() {
        [] => guard.and_input(None),
        inputs => inputs.iter().fold(guard, |guard, input| guard.and_input(Some(input))),
    }
}

/// An input, which is opened when its turn comes, and where its envelope goes.
struct Place {
    input: PathBuf,
    output: Output,
}

/// Says where each envelope goes, before anything is signed.
fn places(args: &Sign, form: &Form, guard: &mut OverwriteGuard) -> Result<Vec<Place>, Failure> {
    let standard_input = [PathBuf::from("-")];
    let inputs = if args.inputs.is_empty() { &standard_input[..] } else { &args.inputs };
    if inputs.len() > 1 && (!args.detached || args.output.is_some()) {
        let usage =
            "several files are for --detached without --output, which writes FILE.brine for each";
        return Err(Failure::usage(usage));
    }
    inputs.iter().map(|path| place(args, form, guard, path)).collect()
}

fn place(
    args: &Sign,
    form: &Form,
    guard: &mut OverwriteGuard,
    path: &Path,
) -> Result<Place, Failure> {
    let beside = args.detached && args.output.is_none() && !is_standard_input(path);
    let output = if beside {
        Output::new_file(signature_path(path), guard)?
    } else {
        Output::plan("output", args.output.as_deref(), guard)?
    };
    if !form.is_text(args) {
        output.refuse_terminal("an envelope")?;
    }
    if !is_standard_input(path) {
        fs::metadata(path).map_err(|error| Failure::io(format!("{path:?}"), error))?;
    }
    Ok(Place { input: path.to_owned(), output })
}

/// Signs a file, beside it: all of a small one, the digest of a large one.
fn sign_detached(
    args: &Sign,
    key: &SigningKey,
    state: State<'_>,
    place: Place,
) -> Result<(), Failure> {
    let input = InputFile::open(Some(&place.input))?;
    if args.plain || args.single {
        return sign_single(args, key, state, input, &place.output);
    }
    let hash = args.hash.into();
    let work = HashWork { threads: args.threads, show: Show::unless(args.quiet) };
    match SignedBeside::read(input, args.segment_size, hash, work)? {
        SignedBeside::Bytes(payload) => {
            let envelope = sign(&state()?, key, payload.as_slice())?;
            write_bytes(&envelope.detached(), args.armor, &place.output)
        }
        SignedBeside::Digest(hashed) => {
            let envelope = sign(&state()?, key, Content::Digest(hash, &hashed.digest))?;
            write(&envelope, args.armor, &place.output)
        }
    }
}

/// Signs all of an input, from memory or from a copy that nobody else can change.
fn sign_single(
    args: &Sign,
    key: &SigningKey,
    state: State<'_>,
    input: InputFile,
    output: &Output,
) -> Result<(), Failure> {
    if args.armor && !args.detached {
        let payload = input.read(MAX_WHOLE_BYTES)?;
        return write(&sign(&state()?, key, payload.as_slice())?, true, output);
    }
    let (payload, spool);
    let content = match input.read_up_to(MAX_MEMORY_BYTES)? {
        Arrived::All(bytes) => {
            payload = bytes;
            Content::Bytes(&payload)
        }
        Arrived::Large(large) => {
            spool = large.into_spool()?;
            Content::Copy(&spool, spool.length())
        }
    };
    let envelope = sign(&state()?, key, content)?;
    if args.detached {
        return write_bytes(&envelope.detached(), args.armor, output);
    }
    write(&envelope, false, output)
}

/// Signs an input that fits one segment as a single envelope, and a larger one as a stream.
fn sign_any(
    args: &Sign,
    key: SigningKey,
    stated: Stated,
    input: InputFile,
    output: &Output,
) -> Result<(), Failure> {
    let mut stream = StreamInput::new(input, args.flush_after, Show::unless(args.quiet))?;
    if args.flush_after.is_none()
        && let Some(payload) = stream.read_all_within(args.segment_size)?
    {
        return write(&sign(&stated.now()?, &key, payload)?, false, output);
    }
    let options = brine_core::StreamOptions::new()
        .hash(args.hash.into())
        .segment_bytes(args.segment_size)
        .threads(threads(args.threads));
    sign_stream(stream, Arc::new(key), stated, options, output)
}

fn write(envelope: &Envelope<'_>, armored: bool, output: &Output) -> Result<(), Failure> {
    if armored {
        return write_bytes(&envelope.to_bytes(), armored, output);
    }
    output.write(Access::Ordinary, |mut file| envelope.write_to(&mut file))
}

fn write_bytes(envelope: &[u8], armored: bool, output: &Output) -> Result<(), Failure> {
    if armored {
        let text = armor::encode(envelope)?;
        return output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()));
    }
    output.write(Access::Ordinary, |file| file.write_all(envelope))
}

fn refuse_two_readers(args: &Sign) -> Result<(), Failure> {
    let reads_stdin =
        args.inputs.is_empty() || args.inputs.iter().any(|path| is_standard_input(path));
    if reads_stdin && args.passphrase.passphrase_fd == Some(0) {
        return Err(Failure::usage("standard input cannot be both the data and the passphrase"));
    }
    Ok(())
}
