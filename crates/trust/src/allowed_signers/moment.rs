//! The times of allowed_signers.

use brine_core::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Dst, Offset, TimeZone};

/// Reads `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`. `Z` or `UTC` may follow, in upper or lower case; without
/// it the time is local.
///
/// OpenSSH refuses the first moment of 1970, with which it means that there is no limit.
///
/// As OpenSSH reads it, a local time is in the standard time of its zone, also where the clocks were set forward: it
/// calls mktime with `tm_isdst` 0 (`misc.c`). Where a zone changed its standard time, a local time can be two moments
/// or none. Of the two that it could be, `choose` takes the one that makes the window shorter.
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
    moment(civil(suffix.unwrap_or(text))?, &zone, choose).filter(|moment| moment.unix() > 0)
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
    let since = |offset: Offset| {
        let standard = standard_offset(zone, local - seconds(offset));
        local - standard.map_or(seconds(offset), seconds)
    };
    Timestamp::from_unix(u64::try_from(choose(since(one), since(other))).ok()?)
}

/// Returns the offset of standard time at a moment. Where clocks are set forward, it is that of the nearest moment at
/// which they are not, looked for as mktime of glibc does.
fn standard_offset(zone: &TimeZone, moment: i64) -> Option<Offset> {
    let standard = |at: i64| {
        let info = zone.to_offset_info(jiff::Timestamp::from_second(at).ok()?);
        (info.dst() == Dst::No).then(|| info.offset())
    };
    let mut near = (0..=MAX_STEPS).map(|step| step * STEP_SECONDS);
    near.find_map(|distance| standard(moment - distance).or_else(|| standard(moment + distance)))
}

fn seconds(offset: Offset) -> i64 {
    offset.seconds().into()
}

/// The least time between two changes of clocks that glibc expects, and how far it looks: nine years.
const STEP_SECONDS: i64 = 601_200;
const MAX_STEPS: i64 = 450;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
