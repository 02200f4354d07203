//! The tables of a file, made and checked.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::FileError;

/// What a file holds.
#[derive(Clone, Copy, Debug)]
pub struct FileSchema {
    /// The application id in the header of the file.
    pub application_id: i64,
    /// The version of the tables, in the header too.
    pub version: i64,
    /// The statements that make the tables, in parts.
    pub parts: &'static [&'static [&'static str]],
    /// Whether pages that are free go back to the file system when that is asked for.
    pub gives_back_pages: bool,
}

impl FileSchema {
    /// Makes the tables in an empty database, and fills them.
    pub(crate) fn create<E: From<FileError> + From<rusqlite::Error>>(
        &self,
        connection: &mut Connection,
        fill: impl FnOnce(&Connection) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.gives_back_pages {
            // It takes effect before the first table only.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        wal(connection)?;
        let transaction = connection.transaction()?;
        transaction.pragma_update(None, "application_id", self.application_id)?;
        transaction.pragma_update(None, "user_version", self.version)?;
        for statement in self.statements() {
            transaction.execute(statement, [])?;
        }
        fill(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Returns whether a database is one of these.
    pub(crate) fn is_of(&self, connection: &Connection) -> Result<bool, rusqlite::Error> {
        let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok(id == self.application_id)
    }

    /// Compares the tables with those that this version makes. A table that lost a rule, or gained a trigger,
    /// would give wrong answers.
    pub(crate) fn judge(&self, connection: &Connection) -> Result<(), FileError> {
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found != self.version {
            return Err(FileError::Version { found });
        }
        let sql = "SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL";
        let count: usize = connection.query_row(sql, [], |row| row.get(0))?;
        if count != self.statements().count() {
            return Err(FileError::OtherTables);
        }
        for statement in self.statements() {
            let sql = "SELECT 1 FROM sqlite_schema WHERE sql = ?1";
            let there = connection.query_row(sql, params![statement], |_| Ok(())).optional()?;
            there.ok_or(FileError::OtherTables)?;
        }
        Ok(())
    }

    fn statements(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().copied().flatten().copied()
    }
}

/// Turns on the write-ahead log, which lets readers and a writer work side by side.
pub(crate) fn wal(connection: &Connection) -> Result<(), FileError> {
    let sql = "PRAGMA journal_mode = WAL";
    let mode: String = connection.query_row(sql, [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(FileError::JournalMode { mode }) }
}
