//! The tables, made and checked.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::bookkeeping::Bookkeeping;
use crate::ledger::ReplayError;

/// The application id in the header of the SQLite file: "brnR".
const APPLICATION_ID: i64 = 0x6272_6e52;

/// The version of the tables below.
const VERSION: i64 = 2;

/// `done` holds the numbers that were handled, `lease` those that are being handled. The spans of a channel
/// never overlap, within a table or between the two. A `named` record is under a lease while it has a token.
/// `signer` counts the rows of each key.
const TABLES: [&str; 6] = [
    "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), born INTEGER NOT NULL, \
     floor INTEGER NOT NULL, latest INTEGER NOT NULL, pruned INTEGER NOT NULL, \
     max_age INTEGER NOT NULL, token INTEGER NOT NULL, entries INTEGER NOT NULL) STRICT",
    "CREATE TABLE channel (id INTEGER PRIMARY KEY, key BLOB NOT NULL CHECK (length(key) = 32), \
     name BLOB NOT NULL CHECK (length(name) = 16), issued INTEGER NOT NULL, used INTEGER NOT NULL, \
     highest INTEGER, seen INTEGER NOT NULL, ranges INTEGER NOT NULL, known_from INTEGER NOT NULL, \
     UNIQUE (key, name)) STRICT",
    "CREATE TABLE done (channel INTEGER NOT NULL, first INTEGER NOT NULL CHECK (first >= 0), \
     last INTEGER NOT NULL CHECK (last >= first), issued INTEGER NOT NULL, \
     PRIMARY KEY (channel, first)) STRICT, WITHOUT ROWID",
    "CREATE TABLE lease (channel INTEGER NOT NULL, first INTEGER NOT NULL CHECK (first >= 0), \
     last INTEGER NOT NULL CHECK (last >= first), issued INTEGER NOT NULL, taken INTEGER NOT NULL, \
     until INTEGER NOT NULL, token INTEGER NOT NULL, PRIMARY KEY (channel, first)) STRICT, WITHOUT ROWID",
    "CREATE TABLE signer (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE CHECK (length(key) = 32), \
     entries INTEGER NOT NULL CHECK (entries >= 0)) STRICT",
    "CREATE TABLE named (name BLOB PRIMARY KEY CHECK (length(name) = 32), signer INTEGER NOT NULL, \
     issued INTEGER NOT NULL, expires INTEGER NOT NULL, taken INTEGER, until INTEGER, token INTEGER) STRICT, WITHOUT ROWID",
];

/// Fills an empty database.
pub(super) fn create(connection: &mut Connection, state: &Bookkeeping) -> Result<(), ReplayError> {
    wal(connection)?;
    let transaction = connection.transaction()?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    for table in TABLES {
        transaction.execute(table, [])?;
    }
    transaction.execute("INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0, 0)", [])?;
    state.save(&transaction)?;
    Ok(transaction.commit()?)
}

/// Returns whether this is a replay database.
pub(super) fn is_ours(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(id == APPLICATION_ID)
}

/// Compares the tables with those that this version makes. A table that lost a rule, or gained a trigger,
/// would give wrong answers.
pub(super) fn judge(connection: &Connection) -> Result<(), ReplayError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != VERSION {
        return Err(ReplayError::Version { found });
    }
    let sql = "SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL";
    let count: usize = connection.query_row(sql, [], |row| row.get(0))?;
    for table in TABLES {
        let sql = "SELECT 1 FROM sqlite_schema WHERE sql = ?1";
        let there = connection.query_row(sql, params![table], |_| Ok(())).optional()?;
        if there.is_none() || count != TABLES.len() {
            return Err(ReplayError::damaged("its tables are not those that were made"));
        }
    }
    Ok(())
}

/// Turns on the write-ahead log, which lets readers and a writer work side by side.
pub(super) fn wal(connection: &Connection) -> Result<(), ReplayError> {
    let sql = "PRAGMA journal_mode = WAL";
    let mode: String = connection.query_row(sql, [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(ReplayError::damaged(format!("its journal mode is {mode}, not wal")));
    }
    Ok(())
}
