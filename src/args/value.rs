//! Values as people type them.

use std::path::PathBuf;
use std::time::Duration;

use brine_core::stream::MAX_SEGMENT_BYTES;
use brine_core::text::all_harmless;
use brine_core::{ContentType, Kind, Timestamp};
use brine_keys::Fingerprint;
use clap::builder::{PathBufValueParser, TypedValueParser};
use jiff::SpanRelativeTo;

/// Reads a date and time of RFC 3339, or seconds since 1970.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let unix = text.parse().ok().and_then(Timestamp::from_unix);
    unix.or_else(|| Timestamp::parse_rfc3339(text))
        .ok_or_else(|| "expected a time like 2026-11-21T08:30:00Z, from 1970 on".to_owned())
}

/// Reads a length of time in whole seconds; a day has 24 hours.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::Span>().ok();
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let seconds = duration.and_then(|duration| u64::try_from(duration.as_secs()).ok());
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a length of time like 90s, 12h, 7d or 2w".to_owned())
}

/// Reads a length of time of a second at least.
pub(super) fn parse_lease(text: &str) -> Result<Duration, String> {
    let lease = parse_duration(text).ok().filter(|lease| !lease.is_zero());
    lease.ok_or_else(|| "expected a length of time like 10s or 5m".to_owned())
}

/// Reads a length of time that may be less than a second.
pub(super) fn parse_pause(text: &str) -> Result<Duration, String> {
    let pause = text.parse::<jiff::SignedDuration>().ok();
    pause
        .and_then(|pause| Duration::try_from(pause).ok())
        .filter(|pause| !pause.is_zero())
        .ok_or_else(|| "expected a length of time like 200ms or 1s".to_owned())
}

/// A moment that is given as such, or as a length of time from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At that moment.
    At(Timestamp),
    /// So long after the command runs.
    In(Duration),
}

impl When {
    /// Returns the moment.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(duration) => now.plus(duration),
        }
    }
}

pub(super) fn parse_when(text: &str) -> Result<When, String> {
    if let Ok(at) = parse_time(text) {
        return Ok(When::At(at));
    }
    parse_duration(text)
        .map(When::In)
        .map_err(|expected| format!("{expected}, or a time like 2026-11-21T08:30:00Z"))
}

pub(super) fn parse_content_type(text: &str) -> Result<String, String> {
    ContentType::parse(text)
        .filter(|_| text.len() <= MAX_TEXT_BYTES)
        .map(|_| text.to_owned())
        .ok_or_else(|| "expected a media type like application/json, or a CoAP format".to_owned())
}

/// Reads a type (RFC 9596) that is somebody else's.
pub(super) fn parse_typ(text: &str) -> Result<String, String> {
    if Kind::is_reserved_typ(text) {
        return Err("that is a type of brine's own, which each command takes by itself".to_owned());
    }
    if text.trim().is_empty() {
        return Err("expected a media type; --untyped takes what has none".to_owned());
    }
    Ok(text.to_owned())
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
pub(super) fn parse_context(text: &str) -> Result<String, String> {
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
