//! The times of allowed_signers.

use brine_core::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// Reads `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`. `Z` or `UTC` may follow, in upper or lower case; without
/// it the time is local.
///
/// When clocks are changed, a local time is two moments or none. Of the two that it could be, `choose` takes the
/// one that makes the window shorter.
pub(super) fn read_time(
    text: &str,
    zone: &dyn Fn() -> TimeZone,
    choose: fn(i64, i64) -> i64,
) -> Option<Timestamp> {
    let suffix = ["Z", "UTC"].into_iter().find_map(|suffix| {
        let (digits, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
        end.eq_ignore_ascii_case(suffix).then_some(digits)
    });
    let zone = if suffix.is_some() { TimeZone::UTC } else { zone() };
    moment(civil(suffix.unwrap_or(text))?, &zone, choose)
}

fn civil(digits: &str) -> Option<DateTime> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || ![8, 12, 14].contains(&digits.len()) {
        return None;
    }
    let pair = |at: usize| digits.get(at..at + 2).map_or(Ok(0), str::parse::<i8>).ok();
    let year = digits.get(..4)?.parse().ok()?;
    DateTime::new(year, pair(4)?, pair(6)?, pair(8)?, pair(10)?, pair(12)?, 0).ok()
}

/// Returns the moment of a local time.
///
/// It is counted by hand: people write "99991231" for ever, and [`jiff::Timestamp`] ends before that.
fn moment(time: DateTime, zone: &TimeZone, choose: fn(i64, i64) -> i64) -> Option<Timestamp> {
    let (one, other) = match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => (offset, offset),
        AmbiguousOffset::Fold { before, after } | AmbiguousOffset::Gap { before, after } => {
            (before, after)
        }
    };
    let local = time.duration_since(EPOCH).as_secs();
    let since = |offset: Offset| local - i64::from(offset.seconds());
    Timestamp::from_unix(u64::try_from(choose(since(one), since(other))).ok()?)
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
