//! `brine sign`.

use std::fs;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use brine_core::{Content, Envelope, Kind, MAX_MEMORY_BYTES, armor, sign};
use brine_job::Grants;
use brine_records::Framing;

use super::expect::is_standard_input;
use super::reject_file::RejectFile;
use super::sign_beside::{sign_files, without_signatures};
use super::sign_records::sign_records;
use super::sign_stream::{StreamInput, sign_stream};
use super::signers::{Signers, is_several};
use super::stated::{Said, State, Stated};
use crate::args::sign::Sign;
use crate::report::{Failure, Outcome, SignatureFacts, SignedInput};
use crate::world::input::{Arrived, InputFile, MAX_WHOLE_BYTES};
use crate::world::key_place::{KeyPlace, SharedSigner};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::progress::Show;
use crate::world::signature_name::signature_of;
use crate::world::whole_file::Access;
use crate::world::{slow_signatures, threads};

pub(super) fn run(args: &Sign) -> Result<Outcome, Failure> {
    refuse_two_readers(args)?;
    let keys = key_places(args)?;
    let passphrases = Source::find(&args.passphrase);
    let form = Form::resolve(args)?;
    let mut guard = guard(args, &keys, passphrases.file());
    let signer = || signer(args, keys, &passphrases);
    if let Form::Detached = form {
        return sign_files(args, &mut guard, signer);
    }
    let path = match args.inputs.as_slice() {
        [] => Path::new("-"),
        [path] => path,
        [..] => return Err(Failure::usage(SEVERAL)),
    };
    let output = Output::plan("output", args.output.as_deref(), &mut guard)?;
    if !form.is_text(args) {
        output.refuse_terminal("an envelope")?;
    }
    refuse_missing(path)?;
    if let Some(path) = &args.refusals.reject_to {
        Output::plan("kept records", Some(path), &mut guard)?;
    }
    let (keys, stated) = signer()?;
    let signed = signed_input(args, &keys, path);
    let input = InputFile::open(Some(path))?;
    let state = || stated.now();
    let facts = match form {
        Form::Any => sign_any(args, keys.first, stated, input, &output)?,
        Form::Job(grants) => {
            let state = || {
                let said = stated.now()?;
                Ok(Said { statement: grants.statement(said.statement), facts: said.facts })
            };
            let facts = sign_single(args, &keys, &state, input, &output)?;
            SignatureFacts { kind: Kind::Job.name(), ..facts }
        }
        Form::Records(framings) => {
            let rejects = args.refusals.reject_to.as_deref().map(RejectFile::open).transpose()?;
            let outputs = (&output, rejects);
            return sign_records(args, keys.first, stated, framings, input, outputs, signed);
        }
        Form::Detached | Form::Single => sign_single(args, &keys, &state, input, &output)?,
    };
    Ok(Outcome::signed(SignedInput { facts, ..signed }))
}

/// Says what was signed, as far as that is known before it is.
pub(super) fn signed_input(args: &Sign, keys: &Signers, file: &Path) -> SignedInput {
    let beside = args.detached && !is_standard_input(file);
    let elsewhere = || if beside { signature_of(file) } else { PathBuf::from("-") };
    SignedInput {
        file: file.to_owned(),
        output: args.output.clone().unwrap_or_else(elsewhere),
        key: args.keys.first().cloned().unwrap_or_default(),
        key_id: keys.first.verifying_key().id(),
        detached: args.detached,
        facts: SignatureFacts::default(),
        records: None,
    }
}

/// Returns where the keys are.
fn key_places(args: &Sign) -> Result<Vec<KeyPlace>, Failure> {
    let place = |key: &String| match key.as_str() {
        "-" => Ok(KeyPlace::File(PathBuf::from("/dev/stdin"))),
        key => KeyPlace::find(key),
    };
    if args.keys.len() > 1 && args.records.framings().is_some() {
        return Err(Failure::usage("a record is signed with one key".to_owned()));
    }
    args.keys.iter().map(place).collect()
}

/// Opens the keys, and reads what is stated with each signature.
fn signer(
    args: &Sign,
    keys: Vec<KeyPlace>,
    passphrases: &Source,
) -> Result<(Signers, Stated), Failure> {
    let aad = args.aad.as_deref().map(InputFile::open_file).transpose()?;
    let stated = Stated::resolve(args)?;
    let keys = Signers::open(args, keys, passphrases)?;
    let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_WHOLE_BYTES))?;
    Ok((keys, stated.external_aad(aad)))
}

/// Returns how large an input is at most of which all is signed. Of a larger one, digests are.
pub(super) fn most_whole(args: &Sign, limit: Option<usize>, stated: &Stated) -> usize {
    let room = limit.map(|limit| stated.room_for_payload(limit));
    room.map_or(args.segment_size, |room| args.segment_size.min(room))
}

/// What becomes of the input.
enum Form {
    /// A single envelope where it fits a segment, and a stream where it does not.
    Any,
    /// Signatures beside the files that they are for.
    Detached,
    /// One envelope of kind job.
    Job(Box<Grants>),
    /// An envelope for each record.
    Records((Framing, Framing)),
    /// One envelope, whatever the size.
    Single,
}

impl Form {
    fn resolve(args: &Sign) -> Result<Self, Failure> {
        if args.job.is_job() {
            let grants = Grants::collect(args.job.grants.iter().cloned());
            return grants
                .map(Box::new)
                .map(Self::Job)
                .map_err(|error| Failure::usage(error.to_string()));
        }
        Ok(match args.records.framings() {
            Some(framings) => Self::Records(framings),
            None if args.detached => Self::Detached,
            None if args.single || args.plain || args.armor || is_several(args) => Self::Single,
            None => Self::Any,
        })
    }

    /// Returns whether its output is text.
    const fn is_text(&self, args: &Sign) -> bool {
        args.armor || matches!(self, Self::Records((_, Framing::Lines)))
    }
}

/// Everything that is read.
fn guard(args: &Sign, keys: &[KeyPlace], passphrase: Option<&Path>) -> OverwriteGuard {
    let guard = OverwriteGuard::default().and(args.aad.as_deref()).and(passphrase);
    let guard = keys.iter().fold(guard, |guard, key| guard.and(key.file()));
    let guard = args.keys.iter().fold(guard, |guard, key| guard.and_key(key));
    // A signature is replaced, and not read, where its file is named, too.
    match without_signatures(&args.inputs).0.as_slice() {
        [] => guard.and_input(None),
        inputs => inputs.iter().fold(guard, |guard, input| guard.and_input(Some(input))),
    }
}

/// Refuses an input that is not there, before anything else is done.
pub(super) fn refuse_missing(path: &Path) -> Result<(), Failure> {
    if is_standard_input(path) {
        return Ok(());
    }
    let found = fs::metadata(path);
    found.map(drop).map_err(|error| Failure::io(quoted(path).to_string(), error))
}

/// Signs all of an input, from memory or from a copy that nobody else can change.
pub(super) fn sign_single(
    args: &Sign,
    keys: &Signers,
    state: State<'_>,
    input: InputFile,
    output: &Output,
) -> Result<SignatureFacts, Failure> {
    let (payload, spool);
    let (content, bytes) = match arrived(args, keys, input)? {
        Arrived::All(bytes) => {
            payload = bytes;
            (Content::Bytes(&payload), length_of(&payload))
        }
        Arrived::Large(large) => {
            spool = large.into_spool()?;
            (Content::Copy(&spool, spool.length()), spool.length())
        }
    };
    let Said { statement, facts } = state()?;
    keys.seal(&statement, content, (args.detached, args.armor), output)?;
    Ok(SignatureFacts { payload_bytes: Some(bytes), ..facts })
}

/// Reads an input. What is armored with its payload, and what several keys sign, is held in memory.
fn arrived(args: &Sign, keys: &Signers, input: InputFile) -> Result<Arrived, Failure> {
    if (args.armor && !args.detached) || keys.is_several() {
        return input.read(MAX_WHOLE_BYTES).map(Arrived::All);
    }
    input.read_up_to(MAX_MEMORY_BYTES)
}

pub(super) fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Signs an input that fits one segment as a single envelope, and a larger one as a stream.
fn sign_any(
    args: &Sign,
    key: SharedSigner,
    stated: Stated,
    input: InputFile,
    output: &Output,
) -> Result<SignatureFacts, Failure> {
    let mut stream = StreamInput::new(input, args.flush_after, Show::unless(is_quiet(args)))?;
    if args.flush_after.is_none()
        && let Some(payload) =
            stream.read_all_within(most_whole(args, key.message_limit(), &stated))?
    {
        let Said { statement, facts } = stated.now()?;
        write(&sign(&statement, key.as_ref(), payload)?, false, output)?;
        return Ok(SignatureFacts { payload_bytes: Some(length_of(payload)), ..facts });
    }
    let options = brine_core::StreamOptions::new()
        .hash(args.hash.into())
        .segment_bytes(args.segment_size)
        .threads(threads(args.threads));
    sign_stream(stream, slow_signatures::told(key), stated, options, output)
}

pub(super) fn write(
    envelope: &Envelope<'_>,
    armored: bool,
    output: &Output,
) -> Result<(), Failure> {
    if armored {
        return write_bytes(&envelope.to_bytes(), armored, output);
    }
    output.write(Access::Ordinary, |mut file| envelope.write_to(&mut file))
}

pub(super) fn write_bytes(envelope: &[u8], armored: bool, output: &Output) -> Result<(), Failure> {
    if armored {
        let text = armor::encode(envelope)?;
        return output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()));
    }
    output.write(Access::Ordinary, |file| file.write_all(envelope))
}

pub(super) const fn is_quiet(args: &Sign) -> bool {
    args.quiet || args.json
}

/// What is wrong with several files that are not signed beside them.
pub(super) const SEVERAL: &str =
    "several files are for -d without -o, which writes FILE.sig for each";

/// Refuses to read two things from standard input: the second would be what is left of the first.
fn refuse_two_readers(args: &Sign) -> Result<(), Failure> {
    let data = args.inputs.is_empty() || args.inputs.iter().any(|path| is_standard_input(path));
    let passphrases = Source::find(&args.passphrase);
    let readers = [
        ("data", data),
        ("private key", args.keys.iter().any(|key| is_standard_input(Path::new(key)))),
        ("passphrase", passphrases.file().is_some_and(is_standard_input)),
        ("external data", args.aad.as_deref().is_some_and(is_standard_input)),
    ];
    let mut readers = readers.into_iter().filter(|(_, reads)| *reads).map(|(what, _)| what);
    match (readers.next(), readers.next()) {
        (Some(one), Some(other)) => {
            Err(Failure::usage(format!("standard input cannot be both the {one} and the {other}")))
        }
        _ => Ok(()),
    }
}
