//! `brine cosign`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brine_core::{Kind, Signatures, Verified, armor, cosign, open};
use brine_trust::Trust;

use super::expect::{self, Judge};
use crate::args::cosign::Cosign;
use crate::report::console::note;
use crate::report::{Failure, Outcome, SignatureFacts, Signed, SignedInput};
use crate::world::beside::{ContentFile, HashWork};
use crate::world::input::{InputFile, MAX_WHOLE_BYTES};
use crate::world::key_place::KeyPlace;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::progress::Show;
use crate::world::signature_name::signature_of;
use crate::world::whole_file::{Access, Existing, write_whole};

pub(super) fn run(args: &Cosign) -> Result<Outcome, Failure> {
    let key = KeyPlace::find(&args.key)?;
    let signature = args.input.as_deref().filter(|_| args.detached).map(signature_of);
    let envelope = signature.as_deref().or(args.input.as_deref());
    let guard = OverwriteGuard::default().and(key.file()).and_input(envelope);
    let mut guard = expect::guarded(guard, &args.judge);
    let output = match args.detached {
        true => None,
        false => Some(Output::plan("output", args.output.as_deref(), &mut guard)?),
    };

    let mut judge = Judge::resolve(&args.judge)?;
    if args.job {
        judge.expectations = judge.expectations.kind(Kind::Job);
    }
    let input = InputFile::open(envelope)?;
    let name = input.name().to_owned();
    let text = input.read(MAX_WHOLE_BYTES)?;
    let reading = |error| Failure::reading(&name, error);
    let is_text = armor::is_armored(&text);
    let bytes = match is_text {
        true => armor::decode(&text).map_err(|error| reading(error.into()))?,
        false => text,
    };
    let content = args.input.as_deref().filter(|_| args.detached);
    // Read once, so that what is cosigned is what was verified.
    let whole = match content.filter(|_| is_without_payload(&bytes)) {
        Some(content) => Some(InputFile::open(Some(content))?.read(MAX_WHOLE_BYTES)?),
        None => None,
    };
    let content = match (&whole, content) {
        (Some(whole), _) => Content::Whole(whole),
        (None, Some(path)) => Content::Beside(path),
        (None, None) => Content::Inside,
    };
    let verified = verify(&judge, &bytes, content).map_err(reading)?;
    let key = key.open(&Source::find(&args.passphrase), args.judge.trust.permissions)?;
    let aad = judge.expectations.aad();
    let cosigned = cosign(&bytes, key.as_ref(), aad, whole.as_deref()).map_err(reading)?;
    let cosigned = match is_text {
        true => armor::encode(&cosigned).map_err(|error| reading(error.into()))?.into_bytes(),
        false => cosigned,
    };
    match (&output, &signature) {
        (Some(output), _) => output.write(Access::Ordinary, |file| file.write_all(&cosigned))?,
        (None, Some(path)) => {
            write_whole(path, Access::Ordinary, Existing::Replace, |file| {
                file.write_all(&cosigned)
            })?;
        }
        (None, None) => {}
    }
    if !args.quiet {
        let signed = Signed::attached(&verified, judge.moment.name());
        note(&format!("cosigned what was {}", signed.line()));
    }
    let standard = || PathBuf::from("-");
    Ok(Outcome::signed(SignedInput {
        file: args.input.clone().unwrap_or_else(standard),
        output: signature.or_else(|| args.output.clone()).unwrap_or_else(standard),
        key: args.key.clone(),
        key_id: key.verifying_key().id(),
        detached: args.detached,
        facts: SignatureFacts::cosigned(&verified),
        records: None,
    }))
}

/// Where the content of a signature is.
#[derive(Clone, Copy)]
enum Content<'a> {
    Inside,
    /// It was read, and is itself what is signed.
    Whole(&'a [u8]),
    /// Its digest is signed, so that it need not fit in memory.
    Beside(&'a Path),
}

/// Verifies what is cosigned. Rules that need more signatures are for those who accept it.
fn verify(judge: &Judge, bytes: &[u8], content: Content<'_>) -> brine_core::Result<Verified> {
    let trust = judge.trust.read().map_err(unreadable)?;
    let trust: Arc<Trust> = Arc::new(Trust::clone(&trust).with_rules(Vec::new()));
    let opening = open(bytes)?;
    match content {
        Content::Inside => opening.verify(&judge.expectations, &trust, &judge.moment),
        Content::Whole(mut whole) => {
            opening.verify_beside(&mut whole, &judge.expectations, &trust, &judge.moment)
        }
        Content::Beside(path) => {
            let input = InputFile::open(Some(path)).map_err(unreadable)?;
            let work = HashWork { threads: None, show: Show::Never };
            let mut content = ContentFile::new(input, work);
            opening.verify_beside(&mut content, &judge.expectations, &trust, &judge.moment)
        }
    }
}

/// `Failure::reading` finds it again.
fn unreadable(failure: Failure) -> brine_core::Error {
    brine_core::SystemError::Input(std::io::Error::other(failure)).into()
}

fn is_without_payload(envelope: &[u8]) -> bool {
    let parsed = Signatures::parse(envelope, brine_core::cose::Tagging::Required);
    parsed.is_ok_and(|signatures| signatures.first().sign1().unverified_payload().is_none())
}
