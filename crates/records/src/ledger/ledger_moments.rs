//! By which moments a ledger judges records.

use std::time::Duration;

use brine_core::time::LEEWAY;
use brine_core::{ClaimsError, Timestamp};

use super::{ReplayError, Subject};

/// What a ledger knows of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LedgerMoments {
    /// Records issued before this are refused.
    pub(crate) floor: Timestamp,
    /// The latest time that any user of the ledger has given.
    pub(crate) latest: Timestamp,
    /// How old a record may be.
    pub(crate) max_age: Duration,
}

impl LedgerMoments {
    /// Judges a record's time at `now`, and at the latest time that the ledger has seen: by then, older
    /// records may have been forgotten. Returns when the record was issued.
    ///
    /// # Errors
    ///
    /// [`ReplayError::ClockBehind`] says nothing about the record. All others refuse it.
    pub(crate) fn judge(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Timestamp, ReplayError> {
        let time = |now| subject.claims().judge_time(now, Some(self.max_age));
        time(now)?;
        let latest = self.latest.max(now);
        match time(latest) {
            Err(_) if latest > now.plus(LEEWAY) => Err(ReplayError::ClockBehind { now, latest }),
            judged => {
                judged?;
                self.judge_birth(subject)
            }
        }
    }

    /// Judges a record's time at `now`, which may be long past.
    #[cfg(feature = "replay")]
    pub(crate) fn judge_at(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Timestamp, ReplayError> {
        subject.claims().judge_time(now, Some(self.max_age))?;
        self.judge_birth(subject)
    }

    fn judge_birth(&self, subject: &Subject) -> Result<Timestamp, ReplayError> {
        let at = subject.issued_at.ok_or(ClaimsError::IssuedAtMissing)?;
        if at < self.floor {
            return Err(ReplayError::Unknown { at, from: self.floor });
        }
        Ok(at)
    }
}

/// Returns whether a lease holds at `now`.
///
/// A lease that begins in the future means that a clock was set back since. If its owner is still at work,
/// the fencing token decides which process commits.
pub(crate) fn is_live(taken: Timestamp, until: Timestamp, now: Timestamp) -> bool {
    now < until && taken <= now.plus(LEEWAY)
}
