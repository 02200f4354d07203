//! An open file, for the threads of a process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::file::FileWatch;

/// An open database. Its clones are for other threads, and have the same connection, one at a time.
///
/// With a connection each, threads would wait for one another as processes do, which is to sleep and to try again, and
/// would forget the pages that they have read whenever another one writes.
#[derive(Clone, Debug)]
pub struct SharedFile(Arc<OpenFile>);

#[derive(Debug)]
struct OpenFile {
    /// Held by the one that waits for the connection.
    turn: Mutex<()>,
    connection: Mutex<FileConnection>,
    watch: FileWatch,
}

/// The connection of an open database.
#[derive(Debug)]
pub struct FileConnection {
    /// The connection.
    pub connection: Connection,
    durability: Durability,
}

/// What holds of a transaction when it was committed. Other processes see it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is lost if the machine stops before something is committed that is [on the disk](Self::OnDisk). This process
    /// may end, and loses nothing.
    Later,
    /// It is on the disk, with everything that was committed before.
    OnDisk,
}

impl SharedFile {
    pub(crate) fn new(connection: Connection, watch: FileWatch) -> Self {
        let connection = FileConnection { connection, durability: Durability::OnDisk };
        let (turn, connection) = (Mutex::default(), Mutex::new(connection));
        Self(Arc::new(OpenFile { turn, connection, watch }))
    }

    /// Returns the connection as soon as no other thread has it. A thread that has it already **must not** ask again.
    pub fn lock(&self) -> MutexGuard<'_, FileConnection> {
        // Without turns, a thread that waits for another process again and again would be back before any other woke.
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // A panic elsewhere took its transaction back.
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what notices that the file is not the one of that name any more.
    #[must_use]
    pub fn watch(&self) -> &FileWatch {
        &self.0.watch
    }
}

impl FileConnection {
    /// Says what is to hold of transactions from now on. None **must** be open.
    ///
    /// # Errors
    ///
    /// Failures of SQLite.
    pub fn set_durability(&mut self, durability: Durability) -> Result<(), rusqlite::Error> {
        if self.durability != durability {
            // In a write-ahead log, NORMAL leaves the log to the system until the log is moved into the file.
            let level = match durability {
                Durability::Later => "NORMAL",
                Durability::OnDisk => "FULL",
            };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durability = durability;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::OpenFlags;

    use super::*;
    use crate::error::FileError;
    use crate::file::{create, open};
    use crate::schema::FileSchema;

    /// sqlite.org/pragma.html#pragma_synchronous
    #[test]
    fn what_is_to_be_on_the_disk_is_synchronised() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let schema =
            FileSchema { application_id: 1, version: 1, parts: &[], gives_back_pages: false };
        create(&path, &schema, |_| Ok::<_, FileError>(())).unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let file = open(&path, &schema, flags, Duration::ZERO).unwrap();
        let level = |file: &SharedFile| -> i64 {
            let file = file.lock();
            file.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
        };
        assert_eq!(level(&file), 2);
        for (durability, expected) in [(Durability::Later, 1), (Durability::OnDisk, 2)] {
            file.lock().set_durability(durability).unwrap();
            assert_eq!(level(&file.clone()), expected);
        }
    }
}
