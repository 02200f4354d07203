//! Why a ledger refused a record, or does not work.

use std::io;
use std::path::PathBuf;

use brine_core::text::{in_words, quoted};
use brine_core::{ClaimsError, Class, Classified, Timestamp};

/// Why a ledger refused a record, or does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Another process handles the record.
    #[error("record is being worked on until {until}")]
    Busy {
        /// When the lease ends.
        until: Timestamp,
    },

    /// The channel of the record has as many gaps as it may, and the record would make another.
    #[error("channel is full: {limit} ranges of numbers, and this one touches none")]
    ChannelFull {
        /// The limit.
        limit: u64,
    },

    /// The time of the record does not hold.
    #[error(transparent)]
    Claims(#[from] ClaimsError),

    /// The record holds now, but not at a later moment that the database has already seen.
    #[error("clock says {now}, but the replay database has seen {latest}")]
    ClockBehind {
        /// What the clock says.
        now: Timestamp,
        /// The latest moment that the database has seen.
        latest: Timestamp,
    },

    /// The server of the ledger cannot be reached, or does not answer. What was asked of it may have been done.
    #[error("no connection to ledger server {server}: {source}")]
    Connection {
        /// Where the server is, without what a user logs in with.
        server: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The contents of the database contradict themselves.
    #[error("replay database is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },

    /// The database below the ledger failed.
    #[error("replay database: {0}")]
    Database(Box<dyn std::error::Error + Send + Sync>),

    /// The record has no sequence, and does not say how long it is valid.
    #[error("record has neither a sequence nor an expiry")]
    ExpiryMissing,

    /// A file could not be made, found or examined.
    #[error("{}: {}", quoted(.path), in_words(.source))]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },

    /// The database is full, and everything in it is still needed.
    #[error("replay database is full: {limit} entries")]
    Full {
        /// The limit.
        limit: u64,
    },

    /// The file was deleted, moved or replaced while it was open.
    #[error("{} was deleted or replaced while it was in use", quoted(.path))]
    Gone {
        /// The file.
        path: PathBuf,
    },

    /// The record has neither a sequence nor a `cti`.
    #[error("record has no identity: neither a sequence nor a claim identifier")]
    IdentityMissing,

    /// The key of the record takes as many entries of the database as are left for all others.
    #[error("key has {entries} entries in the replay database, which has no more left for others")]
    KeyFull {
        /// How many entries it has.
        entries: u64,
    },

    /// The lease ran out, and another process reserved the record since.
    #[error("lease was lost: somebody else took the record over")]
    LeaseLost,

    /// A file of a deleted database lies where one of the new database would. SQLite would take the pages in it for
    /// those of the new one.
    #[error("{} belongs to another replay database, which had this name", quoted(.path))]
    Leftover {
        /// The file.
        path: PathBuf,
    },

    /// The file has several names (hard links). SQLite keeps a log beside each name, and what one log says is
    /// not in the other.
    #[error("{} has {links} names, and a replay database must have one", quoted(.path))]
    Linked {
        /// One of the names.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },

    /// Another process kept the database locked for longer than the busy timeout.
    #[error("replay database is locked by another process")]
    Locked,

    /// There is no such database, and a new one was not asked for.
    #[error("{} does not exist", quoted(.path))]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },

    /// The file is mounted by itself, as containers do. Its log lies beside the mount point, where no process
    /// outside sees it.
    #[error("{} is mounted without its directory", quoted(.path))]
    Mounted {
        /// The mount point.
        path: PathBuf,
    },

    /// The file is on a network file system. Its log works within one machine.
    #[error("{} is on a network file system ({system})", quoted(.path))]
    Network {
        /// The file, or the directory in which it was to be made.
        path: PathBuf,
        /// The file system.
        system: &'static str,
    },

    /// The file is no replay database.
    #[error("{} is not a replay database", quoted(.path))]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },

    /// The record was handled before.
    #[error("record was handled before")]
    Replayed,

    /// The record is older than the database, and may have been handled before.
    #[error(
        "record was issued at {at}, and this database knows only of what was issued from {from} on"
    )]
    Unknown {
        /// The `iat` claim.
        at: Timestamp,
        /// The first moment that the database answers for.
        from: Timestamp,
    },

    /// The version of the database is not known.
    #[error("replay database has format {found}, which is not supported")]
    Version {
        /// The version.
        found: i64,
    },
}

impl ReplayError {
    /// Returns whether the same record can be taken later: older ones will be forgotten, or somebody may yet say that it
    /// was not handled before.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::ChannelFull { .. } | Self::KeyFull { .. } | Self::Unknown { .. })
    }

    /// Returns whether it is the server that is away, and the same can be tried when it is back.
    #[must_use]
    pub const fn is_of_connection(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }

    /// Says what contradicts itself.
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

impl Classified for ReplayError {
    /// Returns whose fault it is. [`Class::System`] says nothing about the record, which can be tried again.
    fn class(&self) -> Class {
        match self {
            Self::Claims(error) => error.class(),
            // Others are not to suffer from a signer that takes too much.
            Self::ChannelFull { .. }
            | Self::ExpiryMissing
            | Self::IdentityMissing
            | Self::KeyFull { .. }
            | Self::Replayed
            | Self::Unknown { .. } => Class::Untrusted,
            Self::Busy { .. }
            | Self::ClockBehind { .. }
            | Self::Connection { .. }
            | Self::Damaged { .. }
            | Self::Database(_)
            | Self::File { .. }
            | Self::Full { .. }
            | Self::Gone { .. }
            | Self::LeaseLost
            | Self::Leftover { .. }
            | Self::Linked { .. }
            | Self::Locked
            | Self::Missing { .. }
            | Self::Mounted { .. }
            | Self::Network { .. }
            | Self::NotADatabase { .. } => Class::System,
            Self::Version { .. } => Class::Unsupported,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "replay-busy",
            Self::ChannelFull { .. } => "replay-channel-full",
            Self::Claims(error) => error.reason(),
            Self::ClockBehind { .. } => "replay-clock",
            Self::Connection { .. } => "replay-connection",
            Self::Damaged { .. } => "replay-damaged",
            Self::Database(_) => "replay-database",
            Self::ExpiryMissing => "replay-expiry-missing",
            Self::File { .. } => "replay-file",
            Self::Full { .. } => "replay-full",
            Self::Gone { .. } => "replay-gone",
            Self::IdentityMissing => "replay-identity-missing",
            Self::KeyFull { .. } => "replay-key-full",
            Self::LeaseLost => "replay-lease-lost",
            Self::Leftover { .. } => "replay-leftover",
            Self::Linked { .. } => "replay-linked",
            Self::Locked => "replay-locked",
            Self::Missing { .. } => "replay-missing",
            Self::Mounted { .. } => "replay-mounted",
            Self::Network { .. } => "replay-network",
            Self::NotADatabase { .. } => "replay-not-a-database",
            Self::Replayed => "replayed",
            Self::Unknown { .. } => "replay-unknown",
            Self::Version { .. } => "replay-version",
        }
    }
}

#[cfg(feature = "replay")]
impl From<brine_sqlite::FileError> for ReplayError {
    fn from(error: brine_sqlite::FileError) -> Self {
        use brine_sqlite::FileError;

        match error {
            FileError::File { path, source } => Self::File { path, source },
            FileError::Gone { path } => Self::Gone { path },
            FileError::JournalMode { .. } | FileError::OtherTables => {
                Self::damaged(error.to_string())
            }
            FileError::Leftover { path } => Self::Leftover { path },
            FileError::Linked { path, links } => Self::Linked { path, links },
            FileError::Missing { path } => Self::Missing { path },
            FileError::Mounted { path } => Self::Mounted { path },
            FileError::Network { path, system } => Self::Network { path, system },
            FileError::NotOurs { path } => Self::NotADatabase { path },
            FileError::Sqlite(error) => error.into(),
            FileError::Version { found } => Self::Version { found },
        }
    }
}

#[cfg(feature = "replay")]
impl From<rusqlite::Error> for ReplayError {
    fn from(error: rusqlite::Error) -> Self {
        use brine_sqlite::SqliteFault;

        match SqliteFault::of(&error) {
            SqliteFault::Damaged => Self::damaged(error.to_string()),
            SqliteFault::Locked => Self::Locked,
            SqliteFault::Full | SqliteFault::Other => Self::Database(error.into()),
        }
    }
}
