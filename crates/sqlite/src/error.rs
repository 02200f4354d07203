//! Why a file cannot be used.

use std::io;
use std::path::PathBuf;

use brine_core::text::{in_words, quoted};

/// What a failure of SQLite means to whoever shares a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqliteFault {
    /// The file contradicts itself: a value is of another type or range than the tables allow, or a row is not there
    /// that must be.
    Damaged,
    /// The disk is full.
    Full,
    /// Another process has it locked.
    Locked,
    /// Anything else.
    Other,
}

impl SqliteFault {
    /// Tells what a failure means.
    #[must_use]
    pub fn of(error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;

        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(_) => Self::Other,
        }
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file could not be made, found or examined.
    #[error("{}: {}", quoted(.path), in_words(.source))]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },

    /// The file was deleted, moved or replaced while it was open.
    #[error("{} was deleted or replaced while it was in use", quoted(.path))]
    Gone {
        /// The file.
        path: PathBuf,
    },

    /// The file has no write-ahead log.
    #[error("its journal mode is {mode}, not wal")]
    JournalMode {
        /// What it has instead.
        mode: String,
    },

    /// A file of a deleted database lies where one of the new database would. SQLite would take the pages in it for
    /// those of the new one.
    #[error("{} belongs to another database, which had this name", quoted(.path))]
    Leftover {
        /// The file.
        path: PathBuf,
    },

    /// The file has several names (hard links). SQLite keeps a log beside each name, and what one log says is
    /// not in the other.
    #[error("{} has {links} names, and must have one", quoted(.path))]
    Linked {
        /// One of the names.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },

    /// There is no such file.
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

    /// The file is on a network file system. The log of SQLite works within one machine.
    #[error("{} is on a network file system ({system})", quoted(.path))]
    Network {
        /// The file, or the directory in which it was to be made.
        path: PathBuf,
        /// The file system.
        system: &'static str,
    },

    /// The file is no database, or one for something else.
    #[error("{} is something else", quoted(.path))]
    NotOurs {
        /// The file.
        path: PathBuf,
    },

    /// The tables are not those that were made.
    #[error("its tables are not those that were made")]
    OtherTables,

    /// SQLite failed.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),

    /// The version of the file is not known.
    #[error("it has format {found}, which is not supported")]
    Version {
        /// The version.
        found: i64,
    },
}
