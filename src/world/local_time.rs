//! From a moment as it was typed to the moment that it is, by the clock and the time zone of this machine.

use std::path::Path;
use std::time::Duration;

use brine_core::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::home::time_zone_variable;
use crate::args::when::{Meaning, When};
use crate::report::Failure;
use crate::report::console::remark;

/// A moment that is known, or is counted from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimePoint {
    After(Duration),
    At(Timestamp),
    Before(Duration),
}

impl TimePoint {
    /// Finds out which moment was meant. Of a local time, it tells a person which moment that is, and by which zone.
    pub(crate) fn resolve(when: &When) -> Result<Self, Failure> {
        Ok(match when.meaning() {
            Meaning::After(length) => Self::After(length),
            Meaning::At(moment) => Self::At(moment),
            Meaning::Before(length) => Self::Before(length),
            Meaning::Local(local) => Self::At(here(local, when.typed())?),
        })
    }

    /// Returns the moment.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::After(length) => now.plus(length),
            Self::At(moment) => moment,
            Self::Before(length) => now.minus(length),
        }
    }
}

/// Returns the moment that a local time is on this machine, and says so.
fn here(local: DateTime, typed: &str) -> Result<Timestamp, Failure> {
    let zone = system_zone(typed)?;
    let name = zone_name(&zone);
    let Some(Taken { moment, shown, by }) = Taken::of(local, &zone) else {
        return Err(Failure::usage(format!("{typed:?} is not between the years 1970 and 9999")));
    };
    remark(&match by {
        By::Itself => format!("{typed} is {shown} ({name})"),
        By::FirstOfTwo => {
            format!("{typed} comes twice ({name}), and is taken as the first: {shown}")
        }
        By::ClockChange => format!("{typed} is skipped ({name}), and is taken as {shown}"),
    });
    Ok(moment)
}

/// How a local time was taken.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    moment: Timestamp,
    /// The moment with the offset that holds then.
    shown: String,
    by: By,
}

/// Why a local time was taken so.
#[derive(Debug, PartialEq, Eq)]
enum By {
    /// Clocks are set forward over it: so much later, as a clock shows that was not set.
    ClockChange,
    /// Clocks are set back, and show it twice.
    FirstOfTwo,
    Itself,
}

impl Taken {
    fn of(local: DateTime, zone: &TimeZone) -> Option<Self> {
        let (offset, by) = match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset, By::Itself),
            AmbiguousOffset::Fold { before, .. } => (before, By::FirstOfTwo),
            AmbiguousOffset::Gap { before, .. } => (before, By::ClockChange),
        };
        let moment = offset.to_timestamp(local).ok()?;
        let shown = moment.display_with_offset(zone.to_offset(moment)).to_string();
        let seconds = u64::try_from(moment.as_second()).ok()?;
        Some(Self { moment: Timestamp::from_unix(seconds)?, shown, by })
    }
}

/// Returns the time zone of this machine. Where nothing says it, that is UTC, as in most containers.
fn system_zone(typed: &str) -> Result<TimeZone, Failure> {
    TimeZone::try_system().or_else(|_| match time_zone_variable() {
        None if !Path::new(LOCAL_TIME_FILE).exists() => Ok(TimeZone::UTC),
        variable => {
            let source_name =
                variable.map_or_else(|| LOCAL_TIME_FILE.to_owned(), |zone| format!("TZ={zone:?}"));
            Err(Failure::NoTimeZone { typed: typed.to_owned(), source_name })
        }
    })
}

fn zone_name(zone: &TimeZone) -> String {
    let named = zone.iana_name().map(str::to_owned);
    let by_rule = || time_zone_variable().map(|rule| format!("TZ={}", rule.to_string_lossy()));
    named.or_else(by_rule).unwrap_or_else(|| LOCAL_TIME_FILE.to_owned())
}

/// Says the time zone where `TZ` does not.
const LOCAL_TIME_FILE: &str = "/etc/localtime";

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(local: &str) -> Taken {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        Taken::of(local.parse().unwrap(), &zone).unwrap()
    }

    #[test]
    fn local_times_are_taken_as_a_clock_shows_them() {
        for (local, shown, seconds, by) in [
            ("2026-12-31T00:00:00", "2026-12-31T00:00:00+01:00", 1_798_671_600, By::Itself),
            ("2026-07-01T12:00:00", "2026-07-01T12:00:00+02:00", 1_782_900_000, By::Itself),
            // Clocks go from 02:00 to 03:00.
            ("2026-03-29T02:30:00", "2026-03-29T03:30:00+02:00", 1_774_747_800, By::ClockChange),
            // Clocks go from 03:00 to 02:00.
            ("2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00", 1_792_888_200, By::FirstOfTwo),
        ] {
            let moment = Timestamp::from_unix(seconds).unwrap();
            assert_eq!(taken(local), Taken { moment, shown: shown.to_owned(), by }, "{local}");
        }
    }

    #[test]
    fn local_times_before_1970_are_none() {
        assert_eq!(
            Taken::of("1970-01-01T00:30:00".parse().unwrap(), &TimeZone::posix("CET-1").unwrap()),
            None
        );
        let utc = Taken::of("1970-01-01T00:00:00".parse().unwrap(), &TimeZone::UTC).unwrap();
        assert_eq!(utc.moment.unix(), 0);
    }

    #[test]
    fn lengths_count_from_now() {
        let (now, hour) = (Timestamp::from_unix(7200).unwrap(), Duration::from_secs(3600));
        assert_eq!(TimePoint::After(hour).from(now).unix(), 10_800);
        assert_eq!(TimePoint::Before(hour).from(now).unix(), 3600);
        assert_eq!(TimePoint::Before(3 * hour).from(now).unix(), 0);
    }
}
