//! The row of a channel.

use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::bookkeeping::moment;
use crate::ledger::ReplayError;

/// What is known about a channel besides its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChannelRow {
    pub(super) id: i64,
    pub(super) key: KeyId,
    pub(super) name: [u8; CHANNEL_BYTES],
    /// When its youngest record was issued.
    pub(super) issued: Timestamp,
    /// When a record was handled last.
    pub(super) used: Timestamp,
    /// The highest number that was handled.
    pub(super) highest: Option<u64>,
    /// How many records were handled.
    pub(super) seen: u64,
    /// How many rows of `done` it has.
    pub(super) ranges: u64,
    /// The first number that is still remembered.
    pub(super) known_from: u64,
}

impl ChannelRow {
    pub(super) fn find(
        connection: &Connection,
        key: KeyId,
        name: &[u8; CHANNEL_BYTES],
    ) -> Result<Option<Self>, ReplayError> {
        let sql = "SELECT * FROM channel WHERE key = ?1 AND name = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let values = params![key.as_bytes(), name];
        statement.query_row(values, |row| Ok(Self::read(row))).optional()?.transpose()
    }

    pub(super) fn by_id(connection: &Connection, id: i64) -> Result<Option<Self>, ReplayError> {
        let mut statement = connection.prepare_cached("SELECT * FROM channel WHERE id = ?1")?;
        statement.query_row([id], |row| Ok(Self::read(row))).optional()?.transpose()
    }

    /// Makes the row of a channel that is new, or was forgotten with all its records.
    pub(super) fn insert(
        connection: &Connection,
        key: KeyId,
        name: [u8; CHANNEL_BYTES],
        issued: Timestamp,
    ) -> Result<Self, ReplayError> {
        let sql = "INSERT INTO channel VALUES (NULL, ?1, ?2, ?3, ?3, NULL, 0, 0, 0)";
        let values = params![key.as_bytes(), name, issued.unix()];
        connection.prepare_cached(sql)?.execute(values)?;
        let id = connection.last_insert_rowid();
        let (used, highest, seen, ranges, known_from) = (issued, None, 0, 0, 0);
        Ok(Self { id, key, name, issued, used, highest, seen, ranges, known_from })
    }

    pub(super) fn save(&self, connection: &Connection) -> Result<(), ReplayError> {
        let sql = "UPDATE channel SET issued = ?2, used = ?3, highest = ?4, seen = ?5, ranges = ?6, \
                   known_from = ?7 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![
            self.id,
            self.issued.unix(),
            self.used.unix(),
            self.highest,
            self.seen,
            self.ranges,
            self.known_from,
        ])?;
        Ok(())
    }

    /// Returns how many numbers up to the highest were never handled.
    pub(super) fn missing(&self) -> u64 {
        let up_to = self.highest.map_or(0, |highest| highest.saturating_add(1));
        up_to.saturating_sub(self.seen)
    }

    /// Reads a whole row, whose columns are in the order of the schema.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, ReplayError> {
        Ok(Self {
            id: row.get(0)?,
            key: KeyId::from_bytes(row.get(1)?),
            name: row.get(2)?,
            issued: moment(row.get(3)?)?,
            used: moment(row.get(4)?)?,
            highest: row.get(5)?,
            seen: row.get(6)?,
            ranges: row.get(7)?,
            known_from: row.get(8)?,
        })
    }
}
