//! Why a queue does not do what it was asked to.

use brine_core::text::quoted;
use brine_core::time::ClockBefore1970;
use brine_core::{Class, Classified};
use brine_records::ReplayError;
use brine_sqlite::{FileError, SqliteFault};

use crate::url::QueueName;

/// Why a queue does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The server does not let this user do this.
    #[error("queue server {server} refuses access: {what}")]
    Access {
        /// Where the server is, without what a user logs in with.
        server: String,
        /// What the server says.
        what: String,
    },

    /// The system clock is set before 1970.
    #[error(transparent)]
    Clock(#[from] ClockBefore1970),

    /// The server cannot be reached, or the connection to it ended. It is not known whether it did what it was asked to
    /// last.
    #[error("no connection to queue server {server}: {source}")]
    Connection {
        /// Where the server is, without what a user logs in with.
        server: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The contents of the queue contradict themselves.
    #[error("queue is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },

    /// What keeps the queue failed.
    #[error("queue: {0}")]
    Database(Box<dyn std::error::Error + Send + Sync>),

    /// There is no room for a dead letter that a trusted signer signed.
    #[error("queue has {limit} bytes of dead letters, which is the limit")]
    DeadLettersFull {
        /// The limit.
        limit: u64,
    },

    /// The file cannot be used.
    #[error("{}", in_file(.0))]
    File(FileError),

    /// The disk is full.
    #[error("queue: disk is full")]
    Full,

    /// A lease ran out, and the message was delivered again.
    #[error("lease was lost: the message was delivered to another consumer")]
    LeaseLost,

    /// The ledger failed.
    #[error(transparent)]
    Ledger(ReplayError),

    /// Another process kept the queue locked for too long.
    #[error("queue is locked by another process")]
    Locked,

    /// There is no such queue in the file, and a new one was not asked for.
    #[error("there is no queue {:?}", .name.as_str())]
    Missing {
        /// Its name.
        name: QueueName,
    },

    /// The system gives no random bytes.
    #[error(transparent)]
    Random(#[from] brine_core::KeyError),

    /// A message is larger than a queue takes.
    #[error("message is {bytes} bytes, limit is {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },

    /// The server is no place for a queue.
    #[error("queue: {what}")]
    Unsuitable {
        /// Why.
        what: String,
    },

    /// This program was built without queues of this kind.
    #[error("queues of kind {kind:?} are not supported by this build")]
    Unsupported {
        /// The kind.
        kind: &'static str,
    },
}

impl QueueError {
    /// Returns whether the same can be tried at once: another process has the queue, or its server is away.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Connection { .. } | Self::Locked)
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

impl Classified for QueueError {
    /// Returns whose fault it is. No failure of a queue says anything about a message, but that it is too large.
    fn class(&self) -> Class {
        match self {
            Self::File(FileError::Version { .. })
            | Self::TooLarge { .. }
            | Self::Unsuitable { .. }
            | Self::Unsupported { .. } => Class::Unsupported,
            Self::Ledger(error) => error.class(),
            Self::Access { .. }
            | Self::Clock(_)
            | Self::Connection { .. }
            | Self::Damaged { .. }
            | Self::Database(_)
            | Self::DeadLettersFull { .. }
            | Self::File(_)
            | Self::Full
            | Self::LeaseLost
            | Self::Locked
            | Self::Missing { .. }
            | Self::Random(_) => Class::System,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Access { .. } => "queue-access",
            Self::Clock(_) => "clock-before-1970",
            Self::Connection { .. } => "queue-connection",
            Self::Damaged { .. } => "queue-damaged",
            Self::Database(_) => "queue-database",
            Self::DeadLettersFull { .. } => "queue-dead-letters-full",
            Self::File(error) => file_reason(error),
            Self::Full => "queue-disk-full",
            Self::LeaseLost => "queue-lease-lost",
            Self::Ledger(error) => error.reason(),
            Self::Locked => "queue-locked",
            Self::Missing { .. } => "queue-missing",
            Self::Random(error) => error.reason(),
            Self::TooLarge { .. } => "too-large",
            Self::Unsuitable { .. } => "queue-unsuitable",
            Self::Unsupported { .. } => "queue-unsupported",
        }
    }
}

/// Says why a file cannot be used.
fn in_file(error: &FileError) -> String {
    match error {
        FileError::NotOurs { path } => format!("{} is no queue", quoted(path)),
        error => format!("queue: {error}"),
    }
}

const fn file_reason(error: &FileError) -> &'static str {
    match error {
        FileError::File { .. } => "queue-file",
        FileError::Gone { .. } => "queue-gone",
        FileError::JournalMode { .. } | FileError::OtherTables => "queue-damaged",
        FileError::Leftover { .. } => "queue-leftover",
        FileError::Linked { .. } => "queue-linked",
        FileError::Missing { .. } => "queue-missing",
        FileError::Mounted { .. } => "queue-mounted",
        FileError::Network { .. } => "queue-network",
        FileError::NotOurs { .. } => "queue-not-a-queue",
        FileError::Sqlite(_) => "queue-database",
        FileError::Version { .. } => "queue-version",
    }
}

impl From<FileError> for QueueError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Sqlite(error) => error.into(),
            other => Self::File(other),
        }
    }
}

impl From<ReplayError> for QueueError {
    fn from(error: ReplayError) -> Self {
        match error {
            // The ledger is in the file of the queue.
            ReplayError::Locked => Self::Locked,
            // And on its server.
            ReplayError::Connection { server, source } => Self::Connection { server, source },
            other => Self::Ledger(other),
        }
    }
}

impl From<rusqlite::Error> for QueueError {
    fn from(error: rusqlite::Error) -> Self {
        match SqliteFault::of(&error) {
            SqliteFault::Damaged => Self::damaged(error.to_string()),
            SqliteFault::Full => Self::Full,
            SqliteFault::Locked => Self::Locked,
            SqliteFault::Other => Self::Database(error.into()),
        }
    }
}
