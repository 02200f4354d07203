//! How a queue is opened, and what bounds it.

use std::time::Duration;

use brine_core::Timestamp;
use brine_records::MAX_RECORD_BYTES;
use brine_records::replay::{BUSY_TIMEOUT, LEASE, MAX_AGE, embedded};
#[cfg(any(feature = "nats", feature = "redis"))]
use brine_records::{SharedBirth, SharedOptions};

/// The most bytes of a message, which is a record: 16 MiB.
pub const MAX_MESSAGE_BYTES: usize = MAX_RECORD_BYTES;

/// How a queue is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// What to do if it is not there.
    pub birth: QueueBirth,
    /// How long to wait for another process that writes, or for the server.
    pub busy_timeout: Duration,
    /// What dead letters may take.
    pub dead_letters: DeadLetterBounds,
    /// How long a lease lasts if it is not extended, in whole seconds.
    pub lease: Duration,
    /// How long a queue is kept that is made. Afterwards it is deleted with all that is in it: by the server, or in a
    /// file by whoever adds another queue. `None` keeps it.
    pub lifetime: Option<Duration>,
    /// How old a record may be. The ledger keeps the largest value that it was ever opened with.
    pub max_age: Duration,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            birth: QueueBirth::Existing,
            busy_timeout: BUSY_TIMEOUT,
            dead_letters: DeadLetterBounds::default(),
            lease: LEASE,
            lifetime: None,
            max_age: MAX_AGE,
        }
    }
}

#[cfg(any(feature = "nats", feature = "redis"))]
impl QueueOptions {
    /// Returns how a ledger beside the queue is opened.
    pub(crate) const fn of_ledger(&self) -> SharedOptions {
        let Self { busy_timeout, lease, max_age, .. } = *self;
        let birth = match self.birth {
            QueueBirth::AcceptOlder => SharedBirth::AcceptOlder,
            QueueBirth::Existing => SharedBirth::Existing,
            QueueBirth::FromNow => SharedBirth::FromNow,
            QueueBirth::RefuseOlder => SharedBirth::RefuseOlder,
        };
        SharedOptions { birth, busy_timeout, lease, max_age }
    }
}

/// What to do if a queue is not there. A new one has a ledger that knows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueBirth {
    /// Make one whose ledger takes records of any time. The caller knows that none was handled before.
    AcceptOlder,
    /// Fail.
    #[default]
    Existing,
    /// Make one whose ledger takes records issued from now on. If a queue of this name was deleted within the last
    /// minute, a record that it handled can be handled again, if it was signed by a clock that is ahead.
    FromNow,
    /// Make one whose ledger takes records issued from 61 seconds after now on. As clocks may differ by 60 seconds, a
    /// record can have been handled that long before the moment at which it was issued.
    RefuseOlder,
}

impl QueueBirth {
    /// Returns from when on the ledger of a new queue takes records, if one may be made.
    pub(crate) fn floor(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::AcceptOlder => Timestamp::from_unix(0),
            Self::Existing => None,
            Self::FromNow => Some(now),
            Self::RefuseOlder => Some(embedded::floor_after_another(now)),
        }
    }
}

/// What dead letters may take, in bytes. Each takes 256 more than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterBounds {
    /// Those of anybody. Beyond it, a sample is kept.
    pub unverified: u64,
    /// Those of trusted signers. Beyond it, consumers stop.
    pub verified: u64,
}

impl Default for DeadLetterBounds {
    /// 16 MiB for those of anybody, and 1 GiB for those of trusted signers.
    fn default() -> Self {
        Self { unverified: 0x0100_0000, verified: 0x4000_0000 }
    }
}
