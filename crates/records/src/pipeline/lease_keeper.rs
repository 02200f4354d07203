//! The leases that a process holds in a ledger, kept from running out while it lives.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use brine_core::{CHANNEL_BYTES, Clock, KeyId, Timestamp};

use super::error::StepError;
use super::patience::{LongWait, Patience};
use crate::ledger::{Ledger, ReplayError, Reservation, Settled, Subject};

/// A ledger, and the leases that are held in it.
///
/// A second thread [renews](Self::renew_until) them, so that none runs out while this process waits for an
/// output, a disk or a lock, however long that takes. The thread that releases records
/// [looks](Self::are_held) at its leases before it does: if the whole process stood still, they may have run
/// out, and may be somebody else's by now.
pub(super) struct LeaseKeeper<L: Ledger> {
    clock: Arc<dyn Clock>,
    is_kept: bool,
    length: Duration,
    state: Mutex<HeldLeases<L>>,
}

struct HeldLeases<L: Ledger> {
    ledger: L,
    /// In the order of their records.
    leases: Vec<L::Lease>,
    /// When the leases were taken or renewed last.
    renewed: Timestamp,
    /// Whether another process has reserved one of the records since.
    is_lost: bool,
}

impl<L: Ledger> LeaseKeeper<L> {
    pub(super) fn new(ledger: L, clock: Arc<dyn Clock>) -> Self {
        let (is_kept, length) = (ledger.is_kept(), ledger.lease_length());
        let (leases, renewed) = (Vec::new(), Timestamp::MAX);
        let state = Mutex::new(HeldLeases { ledger, leases, renewed, is_lost: false });
        Self { clock, is_kept, length, state }
    }

    /// Returns whether there is a ledger.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Reserves records. Whichever leases are [held](Self::hold) is then to be said at once.
    pub(super) fn reserve(
        &self,
        subjects: &[Subject],
        patience: &mut impl Patience,
    ) -> Result<Reserved<L::Lease>, StepError> {
        let reserve = |now| self.lock().ledger.reserve_many(subjects, now);
        let (at, found) = self.patiently(patience, reserve)?;
        Ok(Reserved { at, found })
    }

    /// Holds these leases from now on. No others are held.
    pub(super) fn hold(&self, leases: Vec<L::Lease>, at: Timestamp) {
        let mut state = self.lock();
        (state.leases, state.renewed, state.is_lost) = (leases, at, false);
    }

    /// Returns whether all leases are still held, and renews them if a good part of their time has passed.
    ///
    /// If not, none of the records may be released: some may be with another process.
    pub(super) fn are_held(&self, patience: &mut impl Patience) -> Result<bool, StepError> {
        if !self.is_kept {
            return Ok(true);
        }
        self.patiently(patience, |now| self.lock().renew_if_due(now, self.length))?;
        Ok(!self.lock().is_lost)
    }

    /// Notes that the first so many of the records were released. From then on every copy is refused.
    pub(super) fn commit(
        &self,
        records: usize,
        patience: &mut impl Patience,
    ) -> Result<(), StepError> {
        if records == 0 || !self.is_kept {
            return Ok(());
        }
        let (_, settled) = self.patiently(patience, |now| self.lock().commit(records, now))?;
        match settled.contains(&Settled::Lost) {
            true => Err(ReplayError::LeaseLost.into()),
            false => Ok(()),
        }
    }

    /// Gives back what is still held, so that another process can have it at once.
    pub(super) fn give_back(&self) -> Result<(), StepError> {
        self.give_back_after(0)
    }

    /// Gives back what is held behind the first so many leases.
    pub(super) fn give_back_after(&self, leases: usize) -> Result<(), StepError> {
        let mut state = self.lock();
        let held = state.leases.len();
        let rest = state.leases.split_off(leases.min(held));
        drop(state);
        self.give_back_these(&rest)
    }

    /// Gives back leases that were never held.
    pub(super) fn give_back_these(&self, leases: &[L::Lease]) -> Result<(), StepError> {
        if leases.is_empty() {
            return Ok(());
        }
        let now = self.clock.now()?;
        // A lease that was lost is with another process, which is no loss.
        self.lock().ledger.give_back_many(leases, now)?;
        Ok(())
    }

    /// Counts the records that are missing from a channel.
    pub(super) fn missing_from(
        &self,
        key: KeyId,
        channel: &[u8; CHANNEL_BYTES],
    ) -> Result<u64, ReplayError> {
        self.lock().ledger.missing_from(key, channel)
    }

    /// Does the work, and renews leases meanwhile. Where the system grants no thread for that, they are renewed
    /// where they are [looked at](Self::are_held).
    pub(super) fn while_renewing<T>(&self, work: impl FnOnce() -> T) -> T
    where
        L: Send,
        L::Lease: Send,
    {
        if !self.is_kept {
            return work();
        }
        thread::scope(|scope| {
            let (working, ended) = channel();
            let renew = move || self.renew_until(&ended);
            let _ = thread::Builder::new().spawn_scoped(scope, renew);
            let outcome = work();
            drop(working);
            outcome
        })
    }

    /// Renews leases now and then, until the work has ended.
    fn renew_until(&self, ended: &Receiver<()>) {
        let pause = (self.length / SHARE).max(SHORTEST_PAUSE);
        while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            // What fails here fails again, and is told of, where records are released or committed.
            let _ = self.renew();
        }
    }

    /// Renews leases if a good part of their time has passed.
    fn renew(&self) -> Result<(), StepError> {
        let now = self.clock.now()?;
        Ok(self.lock().renew_if_due(now, self.length)?)
    }

    /// Tries again while another process has locked the ledger, and says so once. The clock is read for each attempt:
    /// what was waited for may have taken longer than a lease. Returns when it was done, and its result.
    fn patiently<T>(
        &self,
        patience: &mut impl Patience,
        mut work: impl FnMut(Timestamp) -> Result<T, ReplayError>,
    ) -> Result<(Timestamp, T), StepError> {
        let mut is_noted = false;
        loop {
            let now = self.clock.now()?;
            match work(now) {
                Err(ReplayError::Locked) => {
                    if !is_noted {
                        patience.note(LongWait::Ledger);
                    }
                    is_noted = true;
                }
                done => return Ok((now, done?)),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HeldLeases<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Ledger> HeldLeases<L> {
    fn renew_if_due(&mut self, now: Timestamp, length: Duration) -> Result<(), ReplayError> {
        if self.leases.is_empty() || !self.is_due(now, length) {
            return Ok(());
        }
        let found = self.ledger.renew_many(&self.leases, now)?;
        self.is_lost |= found.contains(&Settled::Lost);
        self.renewed = now;
        Ok(())
    }

    /// Moments are whole seconds. A clock that was set back makes a lease one of the future, which others take
    /// for a leftover.
    fn is_due(&self, now: Timestamp, length: Duration) -> bool {
        let passed = now.unix().checked_sub(self.renewed.unix());
        passed.is_none_or(|passed| passed >= (length.as_secs() / u64::from(SHARE)).max(1))
    }

    /// If it fails, the leases stay, and it can be tried again.
    fn commit(&mut self, records: usize, now: Timestamp) -> Result<Vec<Settled>, ReplayError> {
        let records = records.min(self.leases.len());
        let first = self.leases.get(..records).unwrap_or_default();
        let settled = self.ledger.commit_many(first, now)?;
        self.leases.drain(..records);
        Ok(settled)
    }
}

/// The outcome of reserving records.
#[derive(Debug)]
pub(super) struct Reserved<T> {
    /// When.
    pub(super) at: Timestamp,
    /// The outcome for each record, in order.
    pub(super) found: Vec<Reservation<T>>,
}

/// After which part of its time a lease is renewed.
const SHARE: u32 = 4;

/// How often leases are looked at, at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
