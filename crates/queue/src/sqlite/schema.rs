//! The tables.

use brine_core::Timestamp;
use brine_records::replay::embedded::LEDGER_TABLES;
use brine_sqlite::FileSchema;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::QueueError;
use crate::url::QueueName;

/// What the file of a queue holds: its own tables, and those of the ledger.
pub(super) const SCHEMA: FileSchema = FileSchema {
    // "brnQ"
    application_id: 0x6272_6e51,
    version: 1,
    parts: &[TABLES, LEDGER_TABLES],
    gives_back_pages: true,
};

/// A message is under a lease or waits from `held_from` until `held_until`, and can be delivered if that is 0. What it
/// holds is in `body`, under the same number, so that a lease does not rewrite it.
const TABLES: &[&str] = &[
    "CREATE TABLE queue (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, made INTEGER NOT NULL, \
     sent INTEGER NOT NULL, acknowledged INTEGER NOT NULL, dead_bytes INTEGER NOT NULL, \
     unverified INTEGER NOT NULL, unverified_kept INTEGER NOT NULL, unverified_bytes INTEGER NOT NULL, \
     until INTEGER) STRICT",
    "CREATE TABLE message (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, bytes INTEGER NOT NULL, \
     sent INTEGER NOT NULL, attempts INTEGER NOT NULL, held_from INTEGER NOT NULL, held_until INTEGER NOT NULL, \
     token BLOB, begun INTEGER, failure TEXT) STRICT",
    "CREATE INDEX message_order ON message (queue, held_until, id)",
    "CREATE TABLE dead (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, bytes INTEGER NOT NULL, \
     sent INTEGER NOT NULL, died INTEGER NOT NULL, attempts INTEGER NOT NULL, begun INTEGER, \
     verified INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL) STRICT",
    "CREATE INDEX dead_order ON dead (queue, verified, id)",
    "CREATE TABLE refused (queue INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, \
     PRIMARY KEY (queue, reason)) STRICT, WITHOUT ROWID",
    "CREATE TABLE body (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT",
];

/// Returns the number of a queue in its file, if the file has it.
pub(super) fn find(
    connection: &Connection,
    name: &QueueName,
) -> Result<Option<i64>, rusqlite::Error> {
    let sql = "SELECT id FROM queue WHERE name = ?1";
    connection.query_row(sql, params![name.as_str()], |row| row.get(0)).optional()
}

/// Adds a queue to its file, unless another process did so. Deletes those that were to be kept until now.
pub(super) fn add(
    connection: &Connection,
    name: &QueueName,
    now: Timestamp,
    until: Option<Timestamp>,
) -> Result<i64, QueueError> {
    let sql = "SELECT id FROM queue WHERE until <= ?1 AND name <> ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let over = statement.query_map(params![now.unix(), name.as_str()], |row| row.get(0))?;
    for queue in over.collect::<Result<Vec<i64>, _>>()? {
        remove(connection, queue)?;
    }
    // Whoever has a deleted queue open **must not** find another one in its place.
    let sql = "INSERT OR IGNORE INTO queue VALUES (random() & 4611686018427387903, ?1, ?2, 0, 0, 0, 0, 0, 0, ?3)";
    let until = until.map(Timestamp::unix);
    connection.execute(sql, params![name.as_str(), now.unix(), until])?;
    find(connection, name)?.ok_or_else(|| QueueError::damaged("a new queue is missing"))
}

/// Has a queue that is kept for a time last until this moment at least. Returns whether it is there.
pub(super) fn keep_until(
    connection: &Connection,
    queue: i64,
    until: Timestamp,
) -> Result<bool, QueueError> {
    // Without a lifetime, it stays without.
    let sql = "UPDATE queue SET until = max(until, ?2) WHERE id = ?1";
    Ok(connection.prepare_cached(sql)?.execute(params![queue, until.unix()])? == 1)
}

/// Deletes a queue, and all that is in it.
pub(super) fn remove(connection: &Connection, queue: i64) -> Result<(), QueueError> {
    for sql in [
        "DELETE FROM body WHERE id IN (SELECT id FROM message WHERE queue = ?1)",
        "DELETE FROM body WHERE id IN (SELECT id FROM dead WHERE queue = ?1)",
        "DELETE FROM message WHERE queue = ?1",
        "DELETE FROM dead WHERE queue = ?1",
        "DELETE FROM refused WHERE queue = ?1",
        "DELETE FROM queue WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute(params![queue])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in the page, but for line breaks.
    #[test]
    fn spec_shows_the_tables() {
        let spec = brine_testkit::project_text("SPEC.md");
        let (_, rest) = spec.split_once("```sql\n").unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: Vec<_> = block.split_terminator(";\n").map(words).collect();
        assert_eq!(shown, TABLES.iter().map(|table| words(table)).collect::<Vec<_>>());
    }
}
