//! Values as people type them.

use std::num::NonZero;
use std::path::PathBuf;

use brine_core::stream::MAX_SEGMENT_BYTES;
use brine_core::text::all_harmless;
use brine_core::{ContentType, Kind};
use brine_keys::Fingerprint;
use brine_trust::MAX_LOSS_REASON_BYTES;
use clap::builder::{PathBufValueParser, TypedValueParser};

pub(crate) fn parse_content_type(text: &str) -> Result<String, String> {
    ContentType::parse(text)
        .filter(|_| text.len() <= MAX_TEXT_BYTES)
        .map(|_| text.to_owned())
        .ok_or_else(|| "expected a media type like application/json, or a CoAP format".to_owned())
}

/// Reads a type (RFC 9596) that is somebody else's.
pub(crate) fn parse_typ(text: &str) -> Result<String, String> {
    if Kind::is_reserved_typ(text) {
        return Err("that is a type of brine's own, which each command takes by itself".to_owned());
    }
    if text.trim().is_empty() {
        return Err("expected a media type; --untyped takes what has none".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads how many records a batch has at most.
pub(super) fn parse_batch(text: &str) -> Result<u16, String> {
    let records = text.parse().ok().filter(|records| (2..=4096).contains(records));
    records.ok_or_else(|| "expected a number from 2 to 4096".to_owned())
}

pub(super) fn parse_count(text: &str) -> Result<NonZero<usize>, String> {
    text.parse().map_err(|_| "expected a number, 1 or more".to_owned())
}

pub(super) fn parse_descriptor(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected the number of an open descriptor, like 3".to_owned())
}

/// The longest context or content type that is signed, in bytes: far from the limit of a header.
const MAX_TEXT_BYTES: usize = 1024;

pub(super) fn parse_segment_size(text: &str) -> Result<usize, String> {
    parse_bytes(text)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| (1..=MAX_SEGMENT_BYTES).contains(bytes))
        .ok_or_else(|| "expected a size like 65536, 64KiB or 1MiB, from 1 byte to 4MiB".to_owned())
}

pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "expected a size like 65536, 64KiB, 1MiB or 2GiB".to_owned())
}

/// Reads a number of bytes, with KiB, MiB or GiB after it if need be.
fn parse_bytes(text: &str) -> Option<u64> {
    let (digits, unit) = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))
        .unwrap_or((text, 1));
    digits.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(unit))
}

/// Contexts are compared to the byte, so what cannot be seen has no place in them.
pub(crate) fn parse_context(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES || !all_harmless(text) {
        return Err(
            "expected text of up to 1024 bytes, without control characters and characters that \
                    cannot be seen"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// Reads why something is done, as it is kept and shown.
pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    let reason = parse_context(text);
    reason.map_err(|_| "expected a reason of up to 1024 bytes, in visible characters".to_owned())
}

/// Reads why a key is revoked, for a signed list.
pub(super) fn parse_loss_reason(text: &str) -> Result<String, String> {
    let reason = parse_context(text).ok().filter(|text| text.len() <= MAX_LOSS_REASON_BYTES);
    let most = MAX_LOSS_REASON_BYTES;
    reason.ok_or_else(|| format!("expected a reason of up to {most} bytes, in visible characters"))
}

/// Reads a whole fingerprint as people retype it.
pub(super) fn parse_fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::parse(text).map_err(|error| error.to_string())
}

/// Takes the path of a file. Standard input, which `-` stands for elsewhere, is not accepted.
pub(super) fn parse_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.to_str() {
        Some("-") => Err("expected a file, not standard input or output"),
        _ => Ok(path),
    })
}
