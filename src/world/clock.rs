//! The one place where the clock is read.

use std::time::SystemTime;

use brine_core::time::ClockBefore1970;
use brine_core::{Clock, Timestamp};

use super::local_time::TimePoint;
use crate::args::when::When;
use crate::report::Failure;

/// The clock that things are judged by: the system's, or a moment that a person gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The moment of `--now`. Verdicts say so.
    Given(Timestamp),
    /// The system clock, read when something is judged.
    System,
}

impl Moment {
    /// Takes the moment a person gave, or the system clock.
    pub(crate) fn resolve(given: Option<&When>) -> Result<Self, Failure> {
        let Some(when) = given else { return Ok(Self::System) };
        Ok(Self::Given(TimePoint::resolve(when)?.from(read()?)))
    }

    /// Returns what verdicts call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Given(_) => "given",
            Self::System => "system",
        }
    }
}

impl Clock for Moment {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        match self {
            Self::Given(moment) => Ok(*moment),
            Self::System => read(),
        }
    }
}

/// Reads the system clock.
#[expect(clippy::disallowed_methods, reason = "this is the one clock read")]
pub(crate) fn read() -> Result<Timestamp, ClockBefore1970> {
    Timestamp::from_system(SystemTime::now())
}
