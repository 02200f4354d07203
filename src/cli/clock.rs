//! The one place where the clock is read.

use std::time::SystemTime;

use crate::claims::Timestamp;
use crate::error::Result;

/// When something is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    /// Whether a person gave it with `--now`; verdicts say so.
    pub(super) given: bool,
}

impl Moment {
    /// Takes the moment a person gave, or reads the clock.
    pub(super) fn given_or_now(given: Option<Timestamp>) -> Result<Self> {
        Ok(match given {
            Some(now) => Self { now, given: true },
            None => Self { now: read()?, given: false },
        })
    }
}

/// Reads the system clock.
#[expect(clippy::disallowed_methods, reason = "this is the one clock read")]
pub(super) fn read() -> Result<Timestamp> {
    Timestamp::from_system(SystemTime::now())
}
