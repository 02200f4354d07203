//! `brine inspect`.

mod claimed;
mod page;

use brine_core::cbor::{Malformed, diagnose};
use brine_core::cose::{FormError, Outline, Tagging};
use brine_core::open;

use self::claimed::Claimed;
use super::inspect_records::inspect_records;
use crate::args::inspect::Inspect;
use crate::report::Failure;
use crate::world::input::InputFile;
use crate::world::output::Output;

pub(super) use self::claimed::INSPECT_SCHEMA;

pub(super) fn run(args: &Inspect) -> Result<(), Failure> {
    if let Some(framing) = args.framing.name() {
        return inspect_records(args, framing.into());
    }
    let input = InputFile::open(args.input.as_deref())?;
    let name = input.name().to_owned();
    // The header of segment 0 speaks for a stream, however long that is.
    let envelope =
        open(input.into_envelope_input()?).and_then(brine_core::Opening::into_unverified_bytes);
    let envelope = envelope.map_err(|error| Failure::reading(&name, error))?;
    let shown = show(args, &envelope, None)?;
    Output::stdout().print(&shown.text)?;
    shown.unreadable.map_or(Ok(()), |error| Err(error.into()))
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
    match Outline::parse(envelope, Tagging::Optional) {
        Ok(outline) if args.json => {
            Ok(whole(Claimed::of(envelope, &outline).to_json(envelope, &outline, number)))
        }
        Ok(outline) => Ok(whole(page::describe(envelope, &outline))),
        Err(error) if args.json => Err(error),
        Err(error) => Ok(Shown { unreadable: Some(error), ..diagnostic(envelope) }),
    }
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
    Shown { text, unreadable: unreadable.map(FormError::from) }
}

const WARNING: &str = "nothing below has been verified: anyone can have written it";

/// Longer strings are cut, in bytes.
const LONGEST_SHOWN: usize = 1024;

const MAX_DIAGNOSTIC_BYTES: usize = 16 * 1024 * 1024;
