//! How a shared ledger is opened, and what bounds it.

use std::time::Duration;

use brine_core::Timestamp;
use brine_core::time::LEEWAY;

/// The most bytes of a value in the store: those that a NATS server carries in one message, also as base64.
pub const MAX_VALUE_BYTES: usize = 512 * 1024;

/// The most ranges that the numbers of one channel may take. As with the replay database, numbers that were under a
/// lease are noted beyond it.
pub const MAX_CHANNEL_RANGES: usize = 8192;

/// How a shared ledger is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedOptions {
    /// What to do if the store has no ledger.
    pub birth: SharedBirth,
    /// How long to wait for other consumers.
    pub busy_timeout: Duration,
    /// How long a lease lasts if it is not renewed, in whole seconds.
    pub lease: Duration,
    /// How old a record may be. A ledger keeps the largest value that it was ever opened with; a larger one is for
    /// records that are issued from 121 seconds after it was set on.
    pub max_age: Duration,
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self {
            birth: SharedBirth::Existing,
            busy_timeout: Duration::from_secs(10),
            lease: Duration::from_secs(60),
            max_age: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// What to do if the store has no ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedBirth {
    /// Make one that takes records of any time. The caller knows that none was handled before.
    ///
    /// It is for the first day, and **must not** stay in a command that runs again: if the store lost its values,
    /// everything they knew would be let in once more.
    AcceptOlder,
    /// Fail.
    #[default]
    Existing,
    /// Make one that takes records issued from now on. If the store lost another one within the last two minutes, a
    /// record that it handled can be handled again, if it was signed by a clock that is ahead.
    FromNow,
    /// Make one that takes records issued from 121 seconds after now on. As clocks may differ by 60 seconds, a record
    /// can have been handled that long before the moment at which it was issued, by a host whose clock is that far
    /// ahead of this one.
    RefuseOlder,
}

impl SharedBirth {
    /// Returns from when on a ledger takes records that is born at `now`; `None` if none may be made.
    pub(super) fn floor(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::AcceptOlder => Timestamp::from_unix(0),
            Self::Existing => None,
            Self::FromNow => Some(now),
            Self::RefuseOlder => Some(floor_after_another(now)),
        }
    }
}

/// Returns a moment by which nothing was issued that anybody has handled until `now`. A signer's clock may be a leeway
/// ahead of that of a consumer, which may be a leeway ahead of the one that reads `now`.
pub(super) fn floor_after_another(now: Timestamp) -> Timestamp {
    now.plus(LEEWAY).plus(LEEWAY).plus(Duration::from_secs(1))
}
