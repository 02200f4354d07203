//! `brine verify`.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::detached;
use super::records::verify_records;
use crate::armor;
use crate::cli::args::brine::Verify;
use crate::cli::clock::Moment;
use crate::cli::failure::Failure;
use crate::cli::input::{self, Arrived, Input, MAX_WHOLE_BYTES};
use crate::cli::output::{Output, is_printable};
use crate::cli::reads::Reads;
use crate::cli::report::{Facts, Report};
use crate::cli::resolve;
use crate::cli::spool::MAX_MEMORY_BYTES;
use crate::cli::whole_file::Access;
use crate::cose::{Sign1, Tagging};
use crate::error::Error;
use crate::record::Framing;
use crate::stream::Start;
use crate::trust::Trust;
use crate::verify::{PayloadSource, Request, verify};

pub(super) fn run(args: &Verify) -> Result<Report, Failure> {
    refuse_two_readers(args)?;
    let releases = !args.check && !args.beside && args.detached.is_none();
    let output = Output::plan(args.output.as_deref(), &reads(args))?;
    let output = releases.then_some(output);
    let aad = args.aad.as_deref().map(Input::open_file).transpose()?;
    let trust = resolve::trust(&args.trust)?;
    let moment = Moment::given_or_now(args.now)?;
    let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_WHOLE_BYTES))?;

    let framings = match &args.judge.retry {
        None => args.records.framings(),
        // What was kept tells its records apart in a way of its own.
        Some(_) => args.records.framed().map(|framed| Some((Framing::Len32, framed))),
    };
    if let Some(framings) = framings.map_err(Failure::usage)? {
        if args.beside || args.detached.is_some() || args.whole {
            return Err(Failure::usage(
                "records are verified one by one, without -d, --detached and --whole",
            ));
        }
        let tagging = if args.untagged { Tagging::Optional } else { Tagging::Required };
        return verify_records(args, framings, aad, trust, tagging, output.as_ref());
    }
    if args.judge.replay_db.is_some() {
        return Err(Failure::usage(
            "--replay-db is for records: add --lines, --null, --len32 or --cbor",
        ));
    }
    let request = Request {
        context: args.context.as_deref(),
        external_aad: &aad,
        foreign_typ: args.typ.as_deref(),
        max_age: args.max_age,
        now: moment.now,
        payload: PayloadSource::Embedded,
        signer: args.signer.as_deref(),
    };
    let judge = Judge { args, request, trust, moment };
    if args.beside {
        return judge.beside();
    }
    let input = Input::open(args.inputs.first().map(PathBuf::as_path))?;
    match &args.detached {
        Some(signature) => judge.detached(Input::open(Some(signature))?, input),
        None => judge.embedded(input, output.as_ref()),
    }
}

/// Everything that the command line names to be read.
pub(super) fn reads(args: &Verify) -> Reads {
    let files = [
        &args.detached,
        &args.aad,
        &args.trust.trust,
        &args.trust.revoked,
        &args.judge.retry,
        &args.judge.replay_db,
    ];
    let reads = match args.inputs.as_slice() {
        [] => Reads::default().and_input(None),
        inputs => inputs.iter().fold(Reads::default(), |reads, input| reads.and_input(Some(input))),
    };
    let beside = args.inputs.iter().filter(|_| args.beside).map(|input| detached::beside(input));
    let reads = beside.fold(reads, |reads, signature| reads.and(Some(&signature)));
    let reads = files.iter().fold(reads, |reads, file| reads.and(file.as_deref()));
    args.trust.public_keys.iter().fold(reads, |reads, key| reads.and_key(key))
}

/// What an envelope is held to.
pub(super) struct Judge<'a> {
    pub(super) args: &'a Verify,
    pub(super) request: Request<'a>,
    pub(super) trust: Trust,
    pub(super) moment: Moment,
}

impl Judge<'_> {
    fn embedded(&self, input: Input, output: Option<&Output>) -> Result<Report, Failure> {
        let (mut file, name) = input.into_file();
        let start = Start::read(&mut file).map_err(|error| reading(&name, error))?;
        if start.is_segment() {
            return self.stream(start, file, &name, output);
        }
        let envelope = match input::read_up_to(start.into_bytes(), file, name, MAX_MEMORY_BYTES)? {
            Arrived::All(bytes) => unwrap(bytes)?,
            Arrived::Large(mut large) => {
                if !large.is_armored()? {
                    return self.large(large, output);
                }
                read_rest(large.beginning, large.file, large.name)?
            }
        };
        let sign1 = Sign1::parse(&envelope, self.tagging())?;
        let verified = verify(&sign1, &self.request, &self.trust)?;
        if let Some(output) = output {
            if !is_printable(verified.payload()) {
                output.refuse_terminal("binary data")?;
            }
            output.write(Access::Ordinary, |file| file.write_all(verified.payload()))?;
        }
        Ok(Report::verified(&Facts::of(&verified, false), self.moment))
    }

    pub(super) const fn tagging(&self) -> Tagging {
        if self.args.untagged { Tagging::Optional } else { Tagging::Required }
    }
}

/// Says what could not be read, where reading is what failed.
pub(super) fn reading(name: &str, error: Error) -> Failure {
    match error {
        Error::Input(error) => Failure::io(name, error),
        other => other.into(),
    }
}

/// Reads an envelope, armored or not.
pub(super) fn read_envelope(input: Input) -> Result<Vec<u8>, Failure> {
    let (file, name) = input.into_file();
    read_rest(Vec::new(), file, name)
}

/// Reads the rest of an envelope that begins with `start`, and takes off its armor.
pub(super) fn read_rest(start: Vec<u8>, file: File, name: String) -> Result<Vec<u8>, Failure> {
    let bytes = input::read_rest(start, file, name, MAX_ARMORED_BYTES);
    unwrap(bytes.map_err(|failure| match failure {
        Failure::Brine(Error::TooLarge { .. }) => TOO_LARGE.into(),
        other => other,
    })?)
}

/// Takes off the armor, if there is one.
pub(super) fn unwrap(bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let envelope = if armor::is_armored(&bytes) { armor::decode(&bytes)? } else { bytes };
    let fits = u64::try_from(envelope.len()).is_ok_and(|length| length <= MAX_ENVELOPE_BYTES);
    if fits { Ok(envelope) } else { Err(TOO_LARGE.into()) }
}

const TOO_LARGE: Error = Error::TooLarge { limit: MAX_WHOLE_BYTES };

/// The largest payload that is read into memory, with two full headers.
const MAX_ENVELOPE_BYTES: u64 = MAX_WHOLE_BYTES + 256 * 1024;

/// The same as armored text: 4 characters and a newline's share for every 3 bytes.
const MAX_ARMORED_BYTES: u64 = MAX_ENVELOPE_BYTES / 3 * 4 / 64 * 66 + 4096;

fn refuse_two_readers(args: &Verify) -> Result<(), Failure> {
    let is_stdin = |path: &Path| path == Path::new("-");
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let data = args.inputs.is_empty() || args.inputs.iter().any(|path| is_stdin(path));
    if data && args.detached.as_deref().is_some_and(is_stdin) {
        return usage("standard input cannot be both the envelope and the payload");
    }
    if args.aad.as_deref().is_some_and(is_stdin) {
        return usage("--aad takes a file, not standard input");
    }
    match (args.beside, args.inputs.len()) {
        (true, _) if data => usage("-d takes files, each with its envelope beside it"),
        (false, 2..) => usage("several files are for -d, which verifies each against FILE.brine"),
        _ => Ok(()),
    }
}
