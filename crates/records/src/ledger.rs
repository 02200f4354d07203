//! What remembers handled records, so that each is released once.

mod error;
mod ledger_moments;
mod number_span;
mod subject;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};

pub use self::error::ReplayError;
pub(crate) use self::ledger_moments::{LedgerMoments, is_live};
pub(crate) use self::number_span::MAX_SEQ;
pub use self::number_span::NumberSpan;
pub(crate) use self::subject::Identity;
pub use self::subject::Subject;

/// A memory of handled records.
///
/// Work is done in two phases. A record is *reserved*, which gives a lease; it is handled; then the lease is
/// *committed*, and every later copy of the record is [`Replayed`](Reservation::Replayed). A process that
/// dies in between leaves a lease that runs out, after which the record is reserved again. A process that is
/// alive *renews* its leases, so that none runs out while it is at work.
pub trait Ledger {
    /// The right to handle one record.
    type Lease;

    /// Returns whether records are remembered at all. If not, the other methods are never called.
    fn is_kept(&self) -> bool {
        true
    }

    /// Returns how long a lease lasts that is neither settled nor renewed.
    fn lease_length(&self) -> Duration;

    /// Reserves what can be reserved, and returns the outcome for each record, in order.
    ///
    /// `now` is the reading of a clock, never a time that somebody typed.
    ///
    /// # Errors
    ///
    /// A failure of the ledger. Then nothing is reserved. [`ReplayError::Locked`] is returned only after some
    /// time of waiting: the caller tries again at once.
    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<Self::Lease>>, ReplayError>;

    /// Renews leases: each that is still held lasts from `now` on as long as a new one.
    ///
    /// # Errors
    ///
    /// A failure of the ledger. Then no lease was renewed.
    fn renew_many(
        &mut self,
        leases: &[Self::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError>;

    /// Notes that records were handled. When it returns, the note is durable.
    ///
    /// # Errors
    ///
    /// A failure of the ledger. After [`ReplayError::Locked`] nothing was changed, and the caller tries
    /// again. After any other error it is not known whether the note is durable: the records **must** be
    /// neither acknowledged nor given back.
    fn commit_many(
        &mut self,
        leases: &[Self::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError>;

    /// Gives back records that were not handled, so that they can be reserved again at once.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    fn give_back_many(
        &mut self,
        leases: &[Self::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError>;

    /// Returns how many records of a channel were never handled, below the highest one that was.
    ///
    /// # Errors
    ///
    /// A failure of the ledger.
    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError>;
}

/// The outcome of reserving one record.
#[derive(Debug)]
#[must_use = "a lease that is not committed blocks the record until it runs out"]
pub enum Reservation<L> {
    /// Another process handles the record. It is to be neither acknowledged nor refused.
    Busy {
        /// When its lease runs out.
        until: Timestamp,
    },
    /// The caller is to handle the record, and to commit the lease.
    Fresh(L),
    /// The record is not accepted. The [class](brine_core::Classified::class) of the error tells whether the
    /// record or the ledger is the reason.
    Refused(ReplayError),
    /// The record was handled before. It is to be acknowledged and dropped.
    Replayed,
    /// The record is a copy of an earlier one of the same call, and shares its outcome.
    Twin {
        /// The index of the earlier one.
        of: usize,
    },
}

impl<L> Reservation<L> {
    /// Changes the lease, if there is one.
    pub fn map<M>(self, change: impl FnOnce(L) -> M) -> Reservation<M> {
        match self {
            Self::Busy { until } => Reservation::Busy { until },
            Self::Fresh(lease) => Reservation::Fresh(change(lease)),
            Self::Refused(error) => Reservation::Refused(error),
            Self::Replayed => Reservation::Replayed,
            Self::Twin { of } => Reservation::Twin { of },
        }
    }

    /// Returns the lease, or the reason why there is none.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Busy`], [`ReplayError::Replayed`] (also for a twin), and the error of
    /// [`Refused`](Self::Refused).
    pub fn into_lease(self) -> Result<L, ReplayError> {
        match self {
            Self::Busy { until } => Err(ReplayError::Busy { until }),
            Self::Fresh(lease) => Ok(lease),
            Self::Refused(error) => Err(error),
            Self::Replayed | Self::Twin { .. } => Err(ReplayError::Replayed),
        }
    }
}

/// The outcome of committing a lease, of giving it back, or of renewing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lease that was lost commits nothing"]
pub enum Settled {
    /// It was done.
    Done,
    /// The lease had run out, and another process has reserved the record since. Its word counts.
    Lost,
}

/// The ledger that remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    type Lease = ();

    fn is_kept(&self) -> bool {
        false
    }

    fn lease_length(&self) -> Duration {
        Duration::MAX
    }

    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        _: Timestamp,
    ) -> Result<Vec<Reservation<()>>, ReplayError> {
        Ok(subjects.iter().map(|_| Reservation::Fresh(())).collect())
    }

    fn renew_many(&mut self, leases: &[()], _: Timestamp) -> Result<Vec<Settled>, ReplayError> {
        Ok(leases.iter().map(|()| Settled::Done).collect())
    }

    fn commit_many(&mut self, leases: &[()], _: Timestamp) -> Result<Vec<Settled>, ReplayError> {
        Ok(leases.iter().map(|()| Settled::Done).collect())
    }

    fn give_back_many(&mut self, leases: &[()], _: Timestamp) -> Result<Vec<Settled>, ReplayError> {
        Ok(leases.iter().map(|()| Settled::Done).collect())
    }

    fn missing_from(&self, _: KeyId, _: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        Ok(0)
    }
}

impl<L: Ledger> Ledger for &mut L {
    type Lease = L::Lease;

    fn is_kept(&self) -> bool {
        (**self).is_kept()
    }

    fn lease_length(&self) -> Duration {
        (**self).lease_length()
    }

    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<L::Lease>>, ReplayError> {
        (**self).reserve_many(subjects, now)
    }

    fn renew_many(
        &mut self,
        leases: &[L::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        (**self).renew_many(leases, now)
    }

    fn commit_many(
        &mut self,
        leases: &[L::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        (**self).commit_many(leases, now)
    }

    fn give_back_many(
        &mut self,
        leases: &[L::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        (**self).give_back_many(leases, now)
    }

    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        (**self).missing_from(key, channel)
    }
}

/// A ledger, or none.
impl<L: Ledger> Ledger for Option<L> {
    type Lease = L::Lease;

    fn is_kept(&self) -> bool {
        self.as_ref().is_some_and(Ledger::is_kept)
    }

    fn lease_length(&self) -> Duration {
        self.as_ref().map_or(Duration::MAX, Ledger::lease_length)
    }

    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<L::Lease>>, ReplayError> {
        self.as_mut().map_or(Ok(Vec::new()), |ledger| ledger.reserve_many(subjects, now))
    }

    fn renew_many(
        &mut self,
        leases: &[L::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.as_mut().map_or(Ok(Vec::new()), |ledger| ledger.renew_many(leases, now))
    }

    fn commit_many(
        &mut self,
        leases: &[L::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.as_mut().map_or(Ok(Vec::new()), |ledger| ledger.commit_many(leases, now))
    }

    fn give_back_many(
        &mut self,
        leases: &[L::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.as_mut().map_or(Ok(Vec::new()), |ledger| ledger.give_back_many(leases, now))
    }

    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        self.as_ref().map_or(Ok(0), |ledger| ledger.missing_from(key, channel))
    }
}
