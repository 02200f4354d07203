//! How a replay database is opened, and what bounds it.

use std::time::Duration;

/// How old a record may be, by default.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a lease lasts, by default, if it is not renewed.
pub const LEASE: Duration = Duration::from_secs(60);

/// How long one process waits for another, by default.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The most ranges that the numbers of one channel may take.
pub const MAX_RANGES: u64 = 65_536;

/// The most rows of all tables: channels, ranges, leases and names. One key takes no more of them than it
/// leaves for others.
pub const MAX_ENTRIES: u64 = 1_000_000;

/// How a replay database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayOptions {
    /// What to do if there is no database.
    pub birth: DatabaseBirth,
    /// How long to wait for another process.
    pub busy_timeout: Duration,
    /// How long a lease lasts if it is not renewed, in whole seconds.
    pub lease: Duration,
    /// How old a record may be. A database keeps the largest value that it was ever opened with.
    pub max_age: Duration,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        let (birth, lease) = (DatabaseBirth::Existing, LEASE);
        Self { birth, busy_timeout: BUSY_TIMEOUT, lease, max_age: MAX_AGE }
    }
}

/// What to do if there is no database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatabaseBirth {
    /// Make one that takes records of any time. The caller knows that none was handled before.
    ///
    /// It is for the first day, and **must not** stay in a command that runs again: if the database were
    /// lost, everything it knew would be let in once more.
    AcceptOlder,
    /// Fail.
    #[default]
    Existing,
    /// Make one that takes records issued from 61 seconds after now on. As clocks may differ by 60 seconds, a
    /// record can have been handled that long before the moment at which it was issued.
    RefuseOlder,
}
