//! Where the ledger of a queue is, if its server has nothing to keep one in.

mod ledger_file;
mod ledger_store;

use std::fmt;
use std::time::Duration;

use brine_core::Timestamp;
use brine_records::{Ledger, NoLedger, Settled};

use crate::error::QueueError;
use crate::url::QueueName;

pub use self::ledger_file::{SqliteLedgerPlace, SqliteNotes};
pub use self::ledger_store::{SharedLedgerPlace, SharedNotes};

/// A place for the ledgers of queues, and for what their consumers note beside them.
pub trait LedgerPlace: fmt::Debug + Send + Sync {
    /// A ledger.
    type Ledger: Ledger;

    /// What is noted beside a ledger.
    type Notes: LedgerNotes<Lease = <Self::Ledger as Ledger>::Lease> + fmt::Debug + Send;

    /// Opens the ledger of a queue. Its leases last for `lease`.
    ///
    /// # Errors
    ///
    /// Failures of the place.
    fn ledger(&self, queue: &QueueName, lease: Duration) -> Result<Self::Ledger, QueueError>;

    /// Opens the notes beside the ledger of a queue.
    ///
    /// # Errors
    ///
    /// Failures of the place.
    fn notes(&self, queue: &QueueName) -> Result<Self::Notes, QueueError>;
}

/// What consumers note beside the ledger of a queue.
///
/// That a message is begun is noted here, and not in the message: anybody who can write to the server could claim it
/// there.
pub trait LedgerNotes {
    /// A lease of the ledger.
    type Lease;

    /// Notes that records were handled.
    ///
    /// # Errors
    ///
    /// Failures of the place. Then it is not known whether they are noted.
    fn commit(
        &mut self,
        records: &[&Self::Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, QueueError>;

    /// Notes that the work on a message begins, and that its record was handled: in one transaction where there is one, and
    /// otherwise in this order, so that no record is known as handled whose message is not known as begun.
    ///
    /// # Errors
    ///
    /// Failures of the place. Then it is not known whether it is noted.
    fn begin(
        &mut self,
        message: &MessageKey,
        record: &Self::Lease,
        now: Timestamp,
    ) -> Result<Settled, QueueError>;

    /// Returns of each message whether it was begun.
    ///
    /// # Errors
    ///
    /// Failures of the place.
    fn begun(&mut self, messages: &[MessageKey]) -> Result<Vec<bool>, QueueError>;

    /// Notes how messages ended, and forgets that these were begun. When it returns, that is durable, and so is all that was noted in the ledger
    /// before.
    ///
    /// # Errors
    ///
    /// Failures of the place. Then the messages **must not** be acknowledged.
    fn end(&mut self, begun: &[MessageKey], ends: Ends<'_>) -> Result<(), QueueError>;

    /// Returns how often messages ended in each way.
    ///
    /// # Errors
    ///
    /// Failures of the place.
    fn figures(&mut self) -> Result<NotedFigures, QueueError>;
}

/// How some messages end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends<'a> {
    /// So many are acknowledged.
    Acknowledged(u64),
    /// They are deleted, and were counted before.
    Discarded,
    /// One is refused for this reason.
    Refused(&'a str),
}

/// How often messages ended in each way, as far as it is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotedFigures {
    /// How many were acknowledged.
    pub acknowledged: u64,
    /// How many were refused, by their reasons.
    pub refused: Vec<(String, u64)>,
}

/// What tells a message from others: a hash of its name and of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub [u8; 32]);

/// No place: for those who publish, and for consumers that take each message as often as it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLedgerPlace;

impl LedgerPlace for NoLedgerPlace {
    type Ledger = NoLedger;
    type Notes = Self;

    fn ledger(&self, _: &QueueName, _: Duration) -> Result<NoLedger, QueueError> {
        Ok(NoLedger)
    }

    fn notes(&self, _: &QueueName) -> Result<Self, QueueError> {
        Ok(Self)
    }
}

impl LedgerNotes for NoLedgerPlace {
    type Lease = ();

    fn commit(&mut self, records: &[&()], _: Timestamp) -> Result<Vec<Settled>, QueueError> {
        Ok(records.iter().map(|()| Settled::Done).collect())
    }

    fn begin(&mut self, _: &MessageKey, (): &(), _: Timestamp) -> Result<Settled, QueueError> {
        Ok(Settled::Done)
    }

    fn begun(&mut self, messages: &[MessageKey]) -> Result<Vec<bool>, QueueError> {
        Ok(messages.iter().map(|_| false).collect())
    }

    fn end(&mut self, _: &[MessageKey], _: Ends<'_>) -> Result<(), QueueError> {
        Ok(())
    }

    fn figures(&mut self) -> Result<NotedFigures, QueueError> {
        Ok(NotedFigures::default())
    }
}
