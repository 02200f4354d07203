//! What must hold before anything is reserved: there is a ledger, and it knows what time it is.

use std::time::Duration;

use brine_core::Timestamp;

use super::keys::{CLOCK, META};
use super::meta::{LedgerClock, LedgerMeta, STEP};
use super::store::{SharedStore, Stored};
use crate::ledger::{LedgerMoments, ReplayError, Subject};

/// The ledger and its clock, as they were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foundation {
    pub(super) meta: LedgerMeta,
    revision: u64,
    clock: Option<(LedgerClock, u64)>,
}

impl Foundation {
    /// Reads the values of the keys [`META`] and [`CLOCK`], which were read in this order; `None` if there is no ledger.
    pub(super) fn read(
        meta: Option<&Stored>,
        clock: Option<&Stored>,
    ) -> Result<Option<Self>, ReplayError> {
        let Some(Stored { value, revision }) = meta else { return Ok(None) };
        let (meta, revision) = (LedgerMeta::decode(value)?, *revision);
        let clock = match clock {
            Some(Stored { value, revision }) => Some((LedgerClock::decode(value)?, *revision)),
            None => None,
        };
        Ok(Some(Self { meta, revision, clock }))
    }

    /// Makes a ledger where there is none. Returns whether nobody else did, and everything is to be read anew.
    pub(super) fn make(
        store: &mut impl SharedStore,
        meta: &LedgerMeta,
        clock: Option<&Stored>,
    ) -> Result<bool, ReplayError> {
        let first = LedgerClock::new(meta.latest, meta);
        let from = clock.map(|clock| clock.revision);
        // A ledger without a clock would be one that was not used for long.
        Ok(store.swap(CLOCK, from, &first.encode(), first.until)?
            && store.swap(META, None, &meta.encode(), Timestamp::MAX)?)
    }

    /// Returns the latest time that anybody has given, or that has passed without anybody.
    pub(super) fn latest(&self) -> Timestamp {
        match self.clock {
            Some((clock, _)) => self.meta.latest.max(clock.latest),
            None => self.meta.latest.plus(self.meta.idle()),
        }
    }

    /// Returns by which moments a record is judged.
    pub(super) fn moments(&self, subject: &Subject, least_floor: Timestamp) -> LedgerMoments {
        let moments = self.meta.moments(self.latest(), subject.issued_at);
        LedgerMoments { floor: moments.floor.max(least_floor), ..moments }
    }

    /// Brings what the ledger knows of time up to `now`, if it is behind. It **must** be done before anything is
    /// reserved at `now`. Returns whether nobody else changed it meanwhile; otherwise everything is to be read anew.
    pub(super) fn bring_up(
        &mut self,
        store: &mut impl SharedStore,
        now: Timestamp,
        least_floor: Timestamp,
    ) -> Result<bool, ReplayError> {
        let latest = self.latest().max(now);
        if !self.is_behind(latest, least_floor) {
            return Ok(true);
        }
        let clock = LedgerClock::new(latest, &self.meta);
        let from = self.clock.map(|(_, revision)| revision);
        // The clock first: the ledger is then never ahead of it, and the time that its absence stands for has passed.
        if !store.swap(CLOCK, from, &clock.encode(), clock.until)? {
            return Ok(false);
        }
        let floor = self.meta.floor.max(least_floor);
        let meta = LedgerMeta { floor, latest, ..self.meta };
        if !store.swap(META, Some(self.revision), &meta.encode(), Timestamp::MAX)? {
            return Ok(false);
        }
        self.meta = meta;
        Ok(true)
    }

    /// Lets records be this old from now on, if they may not be already. Returns whether nobody else changed the ledger
    /// meanwhile.
    pub(super) fn allow_age(
        &self,
        store: &mut impl SharedStore,
        max_age: Duration,
        now: Timestamp,
    ) -> Result<bool, ReplayError> {
        if self.meta.max_age >= max_age {
            return Ok(true);
        }
        let mut meta = self.meta;
        meta.widen(max_age, now.max(self.latest()));
        store.swap(META, Some(self.revision), &meta.encode(), Timestamp::MAX)
    }

    fn is_behind(&self, latest: Timestamp, least_floor: Timestamp) -> bool {
        let Some((clock, _)) = self.clock else { return true };
        latest > self.meta.latest.plus(STEP)
            || clock.until < self.meta.latest.plus(self.meta.idle())
            || self.meta.floor < least_floor
    }
}
