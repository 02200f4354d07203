//! Moments and lengths of time, as people type them: one meaning in every option.

use std::time::Duration;

use brine_core::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, Span, SpanRelativeTo};

/// A moment, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    typed: String,
    meaning: Meaning,
}

/// What a moment that was typed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// So long after now.
    After(Duration),
    /// A moment that is the same everywhere.
    At(Timestamp),
    /// So long before now.
    Before(Duration),
    /// A date and time in the time zone of this machine.
    Local(DateTime),
}

impl When {
    /// Reads a moment.
    ///
    /// # Errors
    ///
    /// What is taken, as text for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let meaning = Meaning::parse(text)?;
        Ok(Self { typed: text.to_owned(), meaning })
    }

    /// Returns what it means.
    #[must_use]
    pub const fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// Returns what was typed.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }
}

impl Meaning {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::After(Duration::ZERO));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return seconds(text).map(Self::At);
        }
        if let Some(at) = Timestamp::parse_rfc3339(text) {
            return Ok(Self::At(at));
        }
        if let Some(local) = local_time(text) {
            return Ok(Self::Local(local));
        }
        let length = signed_length(text)
            .ok_or_else(|| no_such_day(text).unwrap_or_else(|| format!("expected {MOMENT}")))??;
        let distance = length.unsigned_abs();
        Ok(if length.is_negative() { Self::Before(distance) } else { Self::After(distance) })
    }
}

/// Reads seconds since 1970. What may as well be a date without hyphens, or a length of time without its unit, is
/// refused: it would be a moment long past.
fn seconds(digits: &str) -> Result<Timestamp, String> {
    if let Some(date) = date_without_hyphens(digits) {
        return Err(format!("expected {MOMENT}; if it is a date, write {date}"));
    }
    match digits.parse() {
        Ok(number) if number < EARLIEST_SECONDS => Err(too_early(digits, number)),
        parsed => parsed
            .ok()
            .and_then(Timestamp::from_unix)
            .ok_or_else(|| format!("expected {MOMENT}; seconds since 1970 have at most 12 digits")),
    }
}

/// Says of a number that is too small for seconds since 1970 what it is likely to be.
fn too_early(digits: &str, number: u64) -> String {
    match number {
        1970..=2199 => format!("expected {MOMENT}; if it is a year, write {number}-01-01"),
        0..10_000 => format!("{number} what? for days, write {number}d; for hours, {number}h"),
        _ => format!(
            "expected {MOMENT}; {digits} seconds since 1970 are before the year 2000: write the date"
        ),
    }
}

fn date_without_hyphens(digits: &str) -> Option<String> {
    if ![8, 12, 14].contains(&digits.len()) {
        return None;
    }
    let (year, month, day) = (digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?);
    let is_date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    is_date.is_ok().then(|| format!("{year}-{month}-{day}"))
}

/// Says of a date whose month has no such day how many it has.
fn no_such_day(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked("2026-02-30".len())?;
    let mut parts = date.split('-');
    let mut number = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then_some(part)
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
    let days = first.days_in_month();
    let is_date = rest.is_empty() || rest.starts_with(['T', 't', ' ']);
    let has_day = (1..=days).contains(&day.parse().ok()?);
    (is_date && !has_day)
        .then(|| format!("there is no {date}: month {month} of {year} has {days} days"))
}

/// Reads a date, or a date and time, without an offset.
fn local_time(text: &str) -> Option<DateTime> {
    let pieces = Pieces::parse(text).ok()?;
    let is_local = pieces.offset().is_none() && pieces.time_zone_annotation().is_none();
    is_local.then(|| pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight())))
}

/// Reads a length of time of at least a second, in whole seconds; a day has 24 hours.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_pause(text)?;
    if duration.subsec_nanos() > 0 {
        return Err("expected a length of time in whole seconds, like 5s, 30m or 7d".to_owned());
    }
    Ok(duration)
}

/// Reads a length of time that may be less than a second.
pub(super) fn parse_pause(text: &str) -> Result<Duration, String> {
    let length = signed_length(text).ok_or_else(|| format!("expected {LENGTH}"))??;
    if length.is_zero() || length.is_negative() {
        return Err(format!("expected {LENGTH}, longer than nothing"));
    }
    Ok(length.unsigned_abs())
}

/// Reads a length of time, and returns `None` if it is none.
fn signed_length(text: &str) -> Option<Result<SignedDuration, String>> {
    let span: Span = text.parse().ok()?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Some(Err(
            "months and years differ in length; give days, like 30d or 365d".to_owned()
        ));
    }
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok().map(Ok)
}

const MOMENT: &str = "a time like 2026-12-31, 2026-12-31T12:00Z, 30d, 12h or now";

/// 2000-01-01T00:00:00Z. An earlier moment is hardly ever meant, and is written as a date.
const EARLIEST_SECONDS: u64 = 946_684_800;

const LENGTH: &str = "a length of time like 200ms, 90s, 12h or 7d";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Meaning {
        Meaning::At(Timestamp::from_unix(seconds).unwrap())
    }

    fn local(text: &str) -> Meaning {
        Meaning::Local(text.parse().unwrap())
    }

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn moments_are_read_in_every_form() {
        for (text, expected) in [
            ("now", Meaning::After(Duration::ZERO)),
            ("946684800", at(946_684_800)),
            ("1970-01-01T00:00:07Z", at(7)),
            ("1790000000", at(1_790_000_000)),
            ("2026-09-21T14:13:20Z", at(1_790_000_000)),
            ("2026-09-21T16:13:20+02:00", at(1_790_000_000)),
            ("2026-09-21 16:13:20+02:00", at(1_790_000_000)),
            ("2026-09-21T14:13Z", at(1_789_999_980)),
            ("9999-12-31T23:59:59Z", at(253_402_300_799)),
            ("2026-12-31", local("2026-12-31T00:00:00")),
            ("2026-12-31T12:00", local("2026-12-31T12:00:00")),
            ("2026-12-31 12:00", local("2026-12-31T12:00:00")),
            ("2026-12-31T12:00:30", local("2026-12-31T12:00:30")),
            ("30d", Meaning::After(30 * DAY)),
            ("2w", Meaning::After(14 * DAY)),
            ("1h30m", Meaning::After(Duration::from_secs(5400))),
            ("7d ago", Meaning::Before(7 * DAY)),
            ("-7d", Meaning::Before(7 * DAY)),
        ] {
            let when = When::parse(text).unwrap();
            assert_eq!((when.meaning(), when.typed()), (expected, text));
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let expected = format!("expected {MOMENT}");
        for text in [
            "",
            " ",
            "yesterday",
            "tomorrow",
            "12:00",
            "2026-13-01",
            "31.12.2026",
            "12/31/2026",
            "2026-12",
            "2026-12-31Z",
            "2026-12-31T12:00[Europe/Berlin]",
            "1969-12-31T23:59:59Z",
            "1.5",
            "-30",
            "30x",
            "now ",
            "Now",
            "30d 2026-12-31",
        ] {
            assert_eq!(When::parse(text), Err(expected.clone()), "{text}");
        }
        for (text, said) in [
            ("20261231", "if it is a date, write 2026-12-31"),
            ("202612311200", "if it is a date, write 2026-12-31"),
            ("0", "0 what? for days, write 0d; for hours, 0h"),
            ("7", "7 what? for days, write 7d; for hours, 7h"),
            ("030", "30 what? for days, write 30d; for hours, 30h"),
            ("2026", "if it is a year, write 2026-01-01"),
            ("20260230", "20260230 seconds since 1970 are before the year 2000: write the date"),
            ("946684799", "946684799 seconds since 1970 are before the year 2000: write the date"),
            ("2026-02-30", "there is no 2026-02-30: month 02 of 2026 has 28 days"),
            ("2024-02-30T12:00Z", "there is no 2024-02-30: month 02 of 2024 has 29 days"),
            ("2026-04-31 12:00", "there is no 2026-04-31: month 04 of 2026 has 30 days"),
            ("2026-04-00", "there is no 2026-04-00: month 04 of 2026 has 30 days"),
            ("1790000000000", "seconds since 1970 have at most 12 digits"),
            ("1mo", "months and years differ in length; give days, like 30d or 365d"),
            ("1y", "months and years differ in length; give days, like 30d or 365d"),
        ] {
            let refused = When::parse(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn lengths_of_time_are_longer_than_nothing() {
        for (text, expected) in
            [("90s", 90), ("1m", 60), ("12h", 43_200), ("7d", 604_800), ("1.5h", 5400)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(expected)), "{text}");
        }
        assert_eq!(parse_pause("200ms"), Ok(Duration::from_millis(200)));
        for text in ["", "soon", "90", "2026-12-31", "now", "7 parsecs"] {
            assert_eq!(parse_duration(text), Err(format!("expected {LENGTH}")), "{text}");
            assert_eq!(parse_pause(text), Err(format!("expected {LENGTH}")), "{text}");
        }
        for text in ["0s", "-7d", "7d ago"] {
            assert_eq!(
                parse_duration(text),
                Err(format!("expected {LENGTH}, longer than nothing")),
                "{text}"
            );
        }
        let whole = "expected a length of time in whole seconds, like 5s, 30m or 7d";
        assert_eq!(parse_duration("200ms"), Err(whole.to_owned()));
        assert!(parse_duration("1mo").unwrap_err().starts_with("months and years"));
    }
}
