//! `brine inspect`.

mod claimed;
mod page;
mod shown_certificate;
mod shown_signer;

use brine_core::cbor::{Encoder, Malformed, diagnose};
use brine_core::cose::{FormError, Outline, Tagging};
use brine_core::{LargeEnvelope, Signatures, Skimmed, UnverifiedEnvelope, open};

use self::claimed::{Claimed, Lengths};
use super::inspect_records::inspect_records;
use crate::args::inspect::Inspect;
use crate::report::{Failure, Outcome};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

pub(super) use self::claimed::INSPECT_SCHEMA;

pub(super) fn run(args: &Inspect) -> Result<Outcome, Failure> {
    let mut guard = OverwriteGuard::default().and_input(args.input.as_deref());
    let output = Output::stdout(&mut guard)?;
    if let Some(framing) = args.framing.name() {
        return inspect_records(args, framing.into(), &output);
    }
    let input = InputFile::open(args.input.as_deref())?;
    let name = input.name().to_owned();
    let input = input.into_envelope_input()?.armored_up_to(MAX_ARMORED_BYTES);
    // The header of segment 0 speaks for a stream, however long that is, and no payload is shown.
    let skimmed = open(input).and_then(brine_core::Opening::skim);
    let failed = |error: FormError| Failure::reading(&name, error.into());
    let shown = match skimmed.map_err(|error| Failure::reading(&name, error))? {
        Skimmed::Whole(envelope) => show(args, &envelope, None).map_err(failed)?,
        Skimmed::Large(envelope) => show_large(args, &envelope).map_err(failed)?,
        Skimmed::Broken { beginning, why } => {
            if !args.json {
                let shown = diagnostic(&beginning).text;
                output.print(&format!("{shown}/ more follows, and is not shown /\n"))?;
            }
            return Err(Failure::reading(&name, why));
        }
    };
    output.print(&shown.text)?;
    shown.unreadable.map_or(Ok(Outcome::Silent), |error| Err(failed(error)))
}

/// An envelope as it was asked to be shown.
pub(super) struct Shown {
    pub(super) text: String,
    /// Why it could not be shown to its end.
    pub(super) unreadable: Option<FormError>,
}

/// Shows an envelope: that of a file, or record `number`.
pub(super) fn show(
    args: &Inspect,
    envelope: &[u8],
    number: Option<u64>,
) -> Result<Shown, FormError> {
    if args.diag {
        return Ok(diagnostic(envelope));
    }
    let whole = |text| Shown { text, unreadable: None };
    let several = Signatures::parse(envelope, Tagging::Any).ok();
    let several = several.as_ref().filter(|found| found.is_of_several()).map(Signatures::first);
    let (parsed, outline) = match several {
        // What all of them sign stands in the header of the body.
        Some(first) => (Ok(*first), Ok(body(first))),
        None => (
            UnverifiedEnvelope::parse(envelope, Tagging::Any),
            Outline::parse(envelope, Tagging::Any),
        ),
    };
    let lengths = |outline: &Outline<'_>| Lengths::of(envelope, outline);
    match outline {
        Ok(outline) => {
            let claimed = Claimed::of_whole(envelope, parsed, &outline);
            Ok(whole(match args.json {
                true => claimed.to_json(lengths(&outline), &outline, number),
                false => page::describe(claimed, lengths(&outline), &outline),
            }))
        }
        // Bytes of another format are none of the notation's either.
        Err(error) if args.json || matches!(error, FormError::NotAnEnvelope { .. }) => Err(error),
        Err(error) => Ok(Shown { unreadable: Some(error), ..diagnostic(envelope) }),
    }
}

/// Returns the parts of an envelope of several signers that they have in common.
fn body<'a>(first: &UnverifiedEnvelope<'a>) -> Outline<'a> {
    let sign1 = first.sign1();
    Outline {
        protected: first.header().map(),
        protected_bytes: sign1.protected_bytes(),
        unprotected: *sign1.unprotected(),
        payload: sign1.unverified_payload(),
        payload_at: 0,
        signature: b"",
    }
}

/// Shows an envelope whose payload was passed over.
fn show_large(args: &Inspect, envelope: &LargeEnvelope) -> Result<Shown, FormError> {
    let outline = envelope.outline()?;
    let lengths = Lengths {
        envelope: envelope.envelope_bytes(),
        payload: envelope.payload_bytes(),
        signature: u64::try_from(envelope.signature_bytes()).unwrap_or(u64::MAX),
    };
    let text = if args.diag {
        large_diagnostic(&outline, &lengths)
    } else if args.json {
        Claimed::of(envelope.parse(), &outline).to_json(lengths, &outline, None)
    } else {
        page::describe(Claimed::of(envelope.parse(), &outline), lengths, &outline)
    };
    Ok(Shown { text, unreadable: None })
}

/// Shows an envelope in diagnostic notation, and says how long the payload is that was passed over.
fn large_diagnostic(outline: &Outline<'_>, lengths: &Lengths) -> String {
    let bytes = |content: &[u8]| {
        let mut item = Encoder::new();
        item.bytes(content);
        diagnose(item.as_bytes(), LONGEST_SHOWN).text
    };
    let payload = lengths.payload.map_or_else(
        || "null".to_owned(),
        |length| format!("h'' / {length} bytes, which are not shown /"),
    );
    let (protected, signature) = (bytes(outline.protected_bytes), bytes(outline.signature));
    let unprotected = diagnose(outline.unprotected.as_bytes(), LONGEST_SHOWN).text;
    format!("/ {WARNING} /\n18([{protected}, {unprotected}, {payload}, {signature}])\n")
}

/// Shows everything in diagnostic notation, item by item, as far as it goes.
fn diagnostic(envelope: &[u8]) -> Shown {
    let mut text = format!("/ {WARNING} /\n");
    let mut rest = envelope;
    let mut unreadable: Option<Malformed> = None;
    while !rest.is_empty() && unreadable.is_none() {
        let shown = diagnose(rest, LONGEST_SHOWN);
        text.push_str(&shown.text);
        text.push('\n');
        unreadable = shown.broken.map(|broken| broken.within(envelope.len() - rest.len()));
        rest = rest.get(shown.read..).unwrap_or_default();
        if text.len() > MAX_DIAGNOSTIC_BYTES && !rest.is_empty() {
            text.push_str(&format!("/ {} more bytes /\n", rest.len()));
            break;
        }
    }
    if let Some(Malformed { offset, flaw }) = unreadable {
        text.push_str(&format!("/ byte {offset}: {flaw} /\n"));
    }
    Shown { text, unreadable: unreadable.map(FormError::from) }
}

const WARNING: &str = "nothing below has been verified: anyone can have written it";

/// Longer strings are cut, in bytes.
const LONGEST_SHOWN: usize = 1024;

/// The largest payload of an armored envelope that is shown, in bytes: armor is held in memory.
const MAX_ARMORED_BYTES: u64 = 16 * 1024 * 1024;

const MAX_DIAGNOSTIC_BYTES: usize = 16 * 1024 * 1024;
