//! Why the replay database refused a record, or does not work.

use std::io;
use std::path::PathBuf;

use crate::claims::Timestamp;
use crate::error::Class;

/// What is wrong with a record, or with the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Somebody else is working on the record.
    #[error("record is being worked on until {until}")]
    Busy {
        /// When the lease ends.
        until: Timestamp,
    },

    /// A record that holds now did not hold at a later moment that the database has seen already.
    #[error("clock says {now}, but the replay database has seen {latest}")]
    ClockBehind {
        /// What the clock says.
        now: Timestamp,
        /// The latest moment that the database has seen.
        latest: Timestamp,
    },

    /// The contents of the database contradict themselves.
    #[error("replay database is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },

    /// SQLite failed.
    #[error("replay database: {0}")]
    Database(#[source] rusqlite::Error),

    /// A record without a sequence says for how long it is valid, or cannot be held.
    #[error("record has neither a sequence nor an expiry")]
    ExpiryMissing,

    /// A file could not be made, found or looked at.
    #[error("{path:?}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The database holds as much as it may, and all of it is still needed.
    #[error("replay database is full: {limit} {what}")]
    Full {
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
    },

    /// The file was deleted, moved or replaced while it was open.
    #[error("{path:?} was deleted or replaced while it was in use")]
    Gone {
        /// Which one.
        path: PathBuf,
    },

    /// The record has neither a sequence nor a `cti`.
    #[error("record has no identity: neither a sequence nor a claim identifier")]
    IdentityMissing,

    /// The lease ran out, and somebody else took the record over or gave it up.
    #[error("lease was lost: somebody else took the record over")]
    LeaseLost,

    /// Another process holds the database for longer than anyone should.
    #[error("replay database is locked by another process")]
    Locked,

    /// There is no such database, and nobody asked for a new one.
    #[error("{path:?} does not exist")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },

    /// The file is something else.
    #[error("{path:?} is not a replay database")]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },

    /// The record was handled before.
    #[error("record was handled before")]
    Replayed,

    /// The record may have been handled before this database knew of it.
    #[error(
        "record was issued at {at}, and this database knows only of what was issued from {from} on"
    )]
    Unknown {
        /// The `iat` claim.
        at: Timestamp,
        /// The first moment that the database answers for.
        from: Timestamp,
    },

    /// A database of a version that is not known.
    #[error("replay database has format {found}, which is not supported")]
    Version {
        /// The version.
        found: i64,
    },
}

impl ReplayError {
    /// Returns whose fault it is. [`Class::System`] says nothing about the record: it can be tried again.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::ExpiryMissing | Self::IdentityMissing | Self::Replayed | Self::Unknown { .. } => {
                Class::Untrusted
            }
            Self::Busy { .. }
            | Self::ClockBehind { .. }
            | Self::Damaged { .. }
            | Self::Database(_)
            | Self::File { .. }
            | Self::Full { .. }
            | Self::Gone { .. }
            | Self::LeaseLost
            | Self::Locked
            | Self::Missing { .. }
            | Self::NotADatabase { .. } => Class::System,
            Self::Version { .. } => Class::Unsupported,
        }
    }

    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "replay-busy",
            Self::ClockBehind { .. } => "replay-clock",
            Self::Damaged { .. } => "replay-damaged",
            Self::Database(_) => "replay-database",
            Self::ExpiryMissing => "replay-expiry-missing",
            Self::File { .. } => "replay-file",
            Self::Full { .. } => "replay-full",
            Self::Gone { .. } => "replay-gone",
            Self::IdentityMissing => "replay-identity-missing",
            Self::LeaseLost => "replay-lease-lost",
            Self::Locked => "replay-locked",
            Self::Missing { .. } => "replay-missing",
            Self::NotADatabase { .. } => "replay-not-a-database",
            Self::Replayed => "replayed",
            Self::Unknown { .. } => "replay-unknown",
            Self::Version { .. } => "replay-version",
        }
    }

    /// Says what contradicts itself.
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

impl From<rusqlite::Error> for ReplayError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Locked
            }
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::damaged(error.to_string())
            }
            // A value of another type or range than the schema allows, or a row that must be there.
            None => Self::damaged(error.to_string()),
            Some(_) => Self::Database(error),
        }
    }
}
