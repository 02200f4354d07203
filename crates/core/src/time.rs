//! Time: moments, clocks, and how far two clocks may disagree.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::{Pieces, PiecesOffset};

/// Where the current time comes from. It is read at each moment of judging.
///
/// A [`Timestamp`] is a clock that stands still, for tests and for judging as of another moment.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    ///
    /// # Errors
    ///
    /// [`ClockBefore1970`].
    fn now(&self) -> Result<Timestamp, ClockBefore1970>;
}

/// The system clock is set before 1970, so no time can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system clock is set before 1970")]
pub struct ClockBefore1970;

/// How far two clocks may disagree when `exp`, `nbf` and `iat` are judged. A maximum age has no leeway.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// A moment in whole seconds since 1970-01-01T00:00:00Z, up to [`MAX`](Self::MAX) (NumericDate, RFC
/// 8392, Section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 9999-12-31T23:59:59Z.
    pub const MAX: Self = Self(253_402_300_799);

    /// Returns the moment `seconds` after 1970, or `None` beyond [`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Option<Self> {
        if seconds <= Self::MAX.0 { Some(Self(seconds)) } else { None }
    }

    /// Returns the reading of a clock, rounded down to the second.
    ///
    /// # Errors
    ///
    /// [`ClockBefore1970`].
    pub fn from_system(clock: SystemTime) -> Result<Self, ClockBefore1970> {
        let since = clock.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.map_err(|_| ClockBefore1970)?.as_secs();
        Ok(Self(seconds.min(Self::MAX.0)))
    }

    /// Reads an RFC 3339 date and time, as in `2026-11-21T08:30:00Z`.
    ///
    /// Counted by hand, because [`jiff::Timestamp`] ends a day before the year 9999 does.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let pieces =
            Pieces::parse(text).ok().filter(|pieces| pieces.time_zone_annotation().is_none());
        let pieces = pieces?;
        let offset = match pieces.offset()? {
            PiecesOffset::Numeric(numeric) => i64::from(numeric.offset().seconds()),
            PiecesOffset::Zulu => 0,
            _ => return None,
        };
        let local = pieces.date().to_datetime(pieces.time()?).duration_since(EPOCH);
        Self::from_unix(u64::try_from(local.as_secs().checked_sub(offset)?).ok()?)
    }

    /// Returns the seconds since 1970.
    #[must_use]
    pub const fn unix(self) -> u64 {
        self.0
    }

    /// Returns the moment `duration` later, at most [`MAX`](Self::MAX).
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()).min(Self::MAX.0))
    }

    /// Returns the moment `duration` earlier, at least 1970.
    #[must_use]
    pub const fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }
}

impl Clock for Timestamp {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        Ok(*self)
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        (**self).now()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = SignedDuration::from_secs(i64::try_from(self.0).unwrap_or(i64::MAX));
        match EPOCH.checked_add(since) {
            Ok(moment) => write!(f, "{moment}Z"),
            Err(_) => write!(f, "{} s", self.0),
        }
    }
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn a_clock_before_1970_is_an_error() {
        let clock = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from_system(clock), Err(ClockBefore1970));
    }

    #[test]
    fn timestamps_print_and_read_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_790_000_000, "2026-09-21T14:13:20Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(at(seconds).to_string(), text);
            assert_eq!(Timestamp::parse_rfc3339(text), Some(at(seconds)));
        }
        let offset = Timestamp::parse_rfc3339("2026-09-21T16:13:20.9+02:00");
        assert_eq!(offset, Some(at(1_790_000_000)));
        for text in ["1969-12-31T23:59:59Z", "2026-11-21", "2026-11-21T00:00:00", "now", ""] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }
}
