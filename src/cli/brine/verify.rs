//! `brine verify`.

use std::path::Path;

use crate::armor;
use crate::cli::args::brine::Verify;
use crate::cli::clock::Moment;
use crate::cli::failure::Failure;
use crate::cli::input::{Identity, Input};
use crate::cli::output::{Output, is_printable};
use crate::cli::report::Report;
use crate::cli::resolve;
use crate::cli::whole_file::Access;
use crate::cose::{Sign1, Tagging};
use crate::error::Error;
use crate::sign::MAX_PAYLOAD_BYTES;
use crate::verify::{PayloadSource, Request, verify};

pub(super) fn run(args: &Verify) -> Result<Report, Failure> {
    refuse_two_readers(args)?;
    let input = Input::open(args.input.as_deref())?;
    let detached = args.detached.as_deref().map(|path| Input::open(Some(path))).transpose()?;
    let aad = args.aad.as_deref().map(Input::open_file).transpose()?;
    let sidecars = [detached.as_ref(), aad.as_ref()].map(|file| file.and_then(Input::identity));
    let named = [&args.trust.trust, &args.trust.revoked]
        .map(|path| path.as_deref().and_then(Identity::of_path));
    let reads = [&[input.identity()][..], &sidecars, &named].concat();
    let releases = !args.check && detached.is_none();
    let output = if releases { Some(Output::plan(args.output.as_deref(), &reads)?) } else { None };
    if args
        .report
        .as_deref()
        .and_then(Identity::of_path)
        .is_some_and(|report| reads.contains(&Some(report)) || args.report == args.output)
    {
        return Err(Failure::SameFile);
    }
    let trust = resolve::trust(&args.trust)?;
    let moment = Moment::given_or_now(args.now)?;
    let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_PAYLOAD_BYTES))?;

    let (envelope, payload) = match detached {
        Some(signature) => (read_envelope(signature)?, Some(input.read(MAX_PAYLOAD_BYTES)?)),
        None => (read_envelope(input)?, None),
    };
    let tagging = if args.untagged { Tagging::Optional } else { Tagging::Required };
    let sign1 = Sign1::parse(&envelope, tagging)?;
    let request = Request {
        context: args.context.as_deref(),
        external_aad: &aad,
        foreign_typ: args.typ.as_deref(),
        max_age: args.max_age,
        now: moment.now,
        payload: payload.as_deref().map_or(PayloadSource::Embedded, PayloadSource::Detached),
        signer: args.signer.as_deref(),
    };
    let verified = verify(&sign1, &request, &trust)?;
    if let Some(output) = output {
        if !is_printable(verified.payload()) {
            output.refuse_terminal("binary data")?;
        }
        output.write(Access::Ordinary, |file| file.write_all(verified.payload()))?;
    }
    Ok(Report::verified(&verified, moment, payload.is_some()))
}

/// Reads an envelope, armored or not.
pub(super) fn read_envelope(input: Input) -> Result<Vec<u8>, Failure> {
    const TOO_LARGE: Error = Error::TooLarge { limit: MAX_PAYLOAD_BYTES };
    let bytes = input.read(MAX_ARMORED_BYTES).map_err(|failure| match failure {
        Failure::Brine(Error::TooLarge { .. }) => TOO_LARGE.into(),
        other => other,
    })?;
    let envelope = if armor::is_armored(&bytes) { armor::decode(&bytes)? } else { bytes };
    let fits = u64::try_from(envelope.len()).is_ok_and(|length| length <= MAX_ENVELOPE_BYTES);
    if fits { Ok(envelope) } else { Err(TOO_LARGE.into()) }
}

/// The largest payload with two full headers.
const MAX_ENVELOPE_BYTES: u64 = MAX_PAYLOAD_BYTES + 256 * 1024;

/// The same as armored text: 4 characters and a newline's share for every 3 bytes.
const MAX_ARMORED_BYTES: u64 = MAX_ENVELOPE_BYTES / 3 * 4 / 64 * 66 + 4096;

fn refuse_two_readers(args: &Verify) -> Result<(), Failure> {
    let is_stdin = |path: &Path| path == Path::new("-");
    let data = args.input.as_deref().is_none_or(is_stdin);
    let detached = args.detached.as_deref().is_some_and(is_stdin);
    if data && detached {
        return Err(Failure::Usage(
            "standard input cannot be both the envelope and the payload".to_owned(),
        ));
    }
    if args.aad.as_deref().is_some_and(is_stdin) {
        return Err(Failure::Usage("--aad takes a file, not standard input".to_owned()));
    }
    Ok(())
}
