//! What the database remembers about itself.

use std::time::Duration;

use brine_core::Timestamp;
use rusqlite::{Connection, params};

use crate::ledger::{LedgerMoments, ReplayError};

/// The one row of the table `state`.
///
/// Everything rests on `floor`: every record issued from then on that was ever handled, by this database or
/// by one before it, is known or too old. Only what was issued before it can have been forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bookkeeping {
    pub(super) born: Timestamp,
    /// Records issued before this are refused.
    pub(super) floor: Timestamp,
    /// The latest time that any process has given.
    pub(super) latest: Timestamp,
    /// The value of `latest` when the database was pruned last.
    pub(super) pruned: Timestamp,
    pub(super) max_age: Duration,
    /// The last fencing token.
    pub(super) token: u64,
    /// The number of rows in the other tables.
    pub(super) entries: u64,
}

impl Bookkeeping {
    /// Describes a database that begins at `now` and answers for records issued from `floor` on.
    pub(super) const fn new(now: Timestamp, floor: Timestamp, max_age: Duration) -> Self {
        Self { born: now, floor, latest: now, pruned: now, max_age, token: 0, entries: 0 }
    }

    /// Writes the row for the first time.
    pub(super) fn insert(&self, connection: &Connection) -> Result<(), ReplayError> {
        connection.execute("INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0, 0)", [])?;
        self.save(connection)
    }

    pub(super) fn load(connection: &Connection) -> Result<Self, ReplayError> {
        let sql = "SELECT born, floor, latest, pruned, max_age, token, entries FROM state";
        let mut statement = connection.prepare_cached(sql)?;
        let state = statement.query_row([], |row| {
            Ok((
                [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?],
                Duration::from_secs(row.get(4)?),
                (row.get(5)?, row.get(6)?),
            ))
        });
        let ([born, floor, latest, pruned], max_age, (token, entries)) = state?;
        let [born, floor] = [moment(born)?, moment(floor)?];
        let [latest, pruned] = [moment(latest)?, moment(pruned)?];
        Ok(Self { born, floor, latest, pruned, max_age, token, entries })
    }

    pub(super) fn save(&self, connection: &Connection) -> Result<(), ReplayError> {
        let sql = "UPDATE state SET born = ?1, floor = ?2, latest = ?3, pruned = ?4, max_age = ?5, \
                   token = ?6, entries = ?7";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.execute(params![
            self.born.unix(),
            self.floor.unix(),
            self.latest.unix(),
            self.pruned.unix(),
            self.max_age.as_secs(),
            self.token,
            self.entries,
        ])?;
        if rows == 1 { Ok(()) } else { Err(ReplayError::damaged("its state is missing")) }
    }

    /// Counts rows that were added, or removed if `growth` is negative.
    pub(super) const fn grow(&mut self, growth: i64) {
        self.entries = self.entries.saturating_add_signed(growth);
    }

    /// Notes the time. It never runs backwards here: what was pruned stays too old, whatever the clock is set
    /// to.
    pub(super) fn see(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// Returns the earliest `iat` that is young enough.
    pub(super) const fn cut(&self) -> Timestamp {
        self.latest.minus(self.max_age)
    }

    /// Returns by which moments records are judged.
    pub(super) const fn moments(&self) -> LedgerMoments {
        LedgerMoments { floor: self.floor, latest: self.latest, max_age: self.max_age }
    }
}

/// Returns a time that was read from the database.
pub(super) fn moment(seconds: u64) -> Result<Timestamp, ReplayError> {
    Timestamp::from_unix(seconds).ok_or_else(|| ReplayError::damaged("it has a moment after 9999"))
}
