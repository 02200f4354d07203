//! The ledger of a queue of any kind.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};
use brine_records::{Ledger, ReplayError, Reservation, Settled, Subject};

/// The ledger of a queue of any kind.
pub struct AnyLedger(Box<dyn ErasedLedger>);

/// The right to handle a record by such a ledger.
#[must_use = "a lease that is not committed blocks the record until it runs out"]
pub struct AnyRecord(Box<dyn Any + Send>);

impl AnyLedger {
    pub(super) fn of<L>(ledger: L) -> Self
    where
        L: Ledger + fmt::Debug + Send + 'static,
        L::Lease: Clone + Send + 'static,
    {
        Self(Box::new(ledger))
    }

    /// Reserves one record.
    ///
    /// # Errors
    ///
    /// Those of [`reserve_many`](Ledger::reserve_many).
    pub fn reserve(
        &mut self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Reservation<AnyRecord>, ReplayError> {
        let found = self.reserve_many(std::slice::from_ref(subject), now)?;
        found.into_iter().next().ok_or(ReplayError::LeaseLost)
    }

    /// Gives back one record.
    ///
    /// # Errors
    ///
    /// Those of [`give_back_many`](Ledger::give_back_many).
    pub fn give_back(&mut self, lease: &AnyRecord, now: Timestamp) -> Result<Settled, ReplayError> {
        let settled = self.0.settle(LedgerCall::GiveBack, std::slice::from_ref(lease), now)?;
        Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
    }

    /// Renews the lease of one record.
    ///
    /// # Errors
    ///
    /// Those of [`renew_many`](Ledger::renew_many).
    pub fn renew(&mut self, lease: &AnyRecord, now: Timestamp) -> Result<Settled, ReplayError> {
        let settled = self.0.settle(LedgerCall::Renew, std::slice::from_ref(lease), now)?;
        Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
    }
}

impl AnyRecord {
    pub(super) fn lease(&self) -> &dyn Any {
        &*self.0
    }
}

impl Ledger for AnyLedger {
    type Lease = AnyRecord;

    fn lease_length(&self) -> Duration {
        self.0.lease_length()
    }

    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<AnyRecord>>, ReplayError> {
        self.0.reserve(subjects, now)
    }

    fn renew_many(
        &mut self,
        leases: &[AnyRecord],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.0.settle(LedgerCall::Renew, leases, now)
    }

    fn commit_many(
        &mut self,
        leases: &[AnyRecord],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.0.settle(LedgerCall::Commit, leases, now)
    }

    fn give_back_many(
        &mut self,
        leases: &[AnyRecord],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.0.settle(LedgerCall::GiveBack, leases, now)
    }

    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        self.0.missing_from(key, channel)
    }
}

/// What is done with leases.
#[derive(Clone, Copy, Debug)]
enum LedgerCall {
    Commit,
    GiveBack,
    Renew,
}

/// [`Ledger`], for a `dyn`.
trait ErasedLedger: fmt::Debug + Send {
    fn lease_length(&self) -> Duration;
    fn reserve(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<AnyRecord>>, ReplayError>;
    fn settle(
        &mut self,
        call: LedgerCall,
        leases: &[AnyRecord],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError>;
    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError>;
}

impl<L> ErasedLedger for L
where
    L: Ledger + fmt::Debug + Send,
    L::Lease: Clone + Send + 'static,
{
    fn lease_length(&self) -> Duration {
        Ledger::lease_length(self)
    }

    fn reserve(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<AnyRecord>>, ReplayError> {
        let found = self.reserve_many(subjects, now)?.into_iter();
        Ok(found.map(|one| one.map(|lease| AnyRecord(Box::new(lease)))).collect())
    }

    fn settle(
        &mut self,
        call: LedgerCall,
        leases: &[AnyRecord],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        // A lease of another ledger was lost long ago.
        let own = |lease: &AnyRecord| lease.0.downcast_ref::<L::Lease>().cloned();
        let own: Option<Vec<_>> = leases.iter().map(own).collect();
        let own = own.ok_or(ReplayError::LeaseLost)?;
        match call {
            LedgerCall::Commit => self.commit_many(&own, now),
            LedgerCall::GiveBack => self.give_back_many(&own, now),
            LedgerCall::Renew => self.renew_many(&own, now),
        }
    }

    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        Ledger::missing_from(self, key, channel)
    }
}

impl fmt::Debug for AnyLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AnyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyRecord").finish_non_exhaustive()
    }
}
