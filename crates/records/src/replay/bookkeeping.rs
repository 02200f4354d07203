//! What the database as a whole remembers.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::{ReplayError, Subject};
use crate::claims::{LEEWAY, Timestamp};
use crate::error::{Error, Result};

/// The one row of the table `state`.
///
/// Everything rests on `floor`: of records issued from there on, every one that was ever handled, by
/// this database or by one that was here before, is known or is refused for its age. Nothing that could
/// be forgotten lies above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) born: Timestamp,
    /// Records issued before this are refused.
    pub(super) floor: Timestamp,
    /// The latest moment that any process has come with.
    pub(super) latest: Timestamp,
    /// What `latest` was when it was pruned last.
    pub(super) pruned: Timestamp,
    pub(super) max_age: Duration,
    /// The last fencing token that was given out.
    pub(super) token: u64,
    /// How many rows the other tables have.
    pub(super) entries: u64,
}

impl State {
    /// A database that begins at `now`, and answers for records issued from `floor` on.
    pub(super) const fn new(now: Timestamp, floor: Timestamp, max_age: Duration) -> Self {
        Self { born: now, floor, latest: now, pruned: now, max_age, token: 0, entries: 0 }
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

    /// Counts rows that were added, or taken away if `growth` is negative.
    pub(super) const fn grow(&mut self, growth: i64) {
        self.entries = self.entries.saturating_add_signed(growth);
    }

    /// Takes note of a moment. Time never runs backwards here: what is pruned stays too old, whatever
    /// the clock is set to.
    pub(super) fn see(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// Returns the earliest `iat` that is young enough.
    pub(super) const fn cut(&self) -> Timestamp {
        self.latest.minus(LEEWAY).minus(self.max_age)
    }

    /// Judges a record's time: at `now`, and at the latest moment that the database has seen, when
    /// records that were young enough by then may have been forgotten. Returns when it was issued.
    ///
    /// # Errors
    ///
    /// [`ReplayError::ClockBehind`] says nothing about the record. All others refuse it.
    pub(super) fn judge(&self, subject: &Subject, now: Timestamp) -> Result<Timestamp> {
        let time = |now| subject.claims().judge_time(now, Some(self.max_age));
        time(now)?;
        let latest = self.latest.max(now);
        match time(latest) {
            Err(_) if latest > now.plus(LEEWAY) => {
                Err(ReplayError::ClockBehind { now, latest }.into())
            }
            judged => judged.and_then(|()| self.judge_birth(subject)),
        }
    }

    /// Judges a record's time at a moment that may be long past.
    pub(super) fn judge_at(&self, subject: &Subject, now: Timestamp) -> Result<Timestamp> {
        subject.claims().judge_time(now, Some(self.max_age))?;
        self.judge_birth(subject)
    }

    fn judge_birth(&self, subject: &Subject) -> Result<Timestamp> {
        let at = subject.issued_at.ok_or(Error::IssuedAtMissing)?;
        if at < self.floor {
            return Err(ReplayError::Unknown { at, from: self.floor }.into());
        }
        Ok(at)
    }
}

/// Returns a moment that stands in the database.
pub(super) fn moment(seconds: u64) -> Result<Timestamp, ReplayError> {
    Timestamp::from_unix(seconds).ok_or_else(|| ReplayError::damaged("it has a moment after 9999"))
}

/// Returns whether a lease holds at `now`.
///
/// One that begins in the future is a clock's that was set back since; should its owner be at work
/// still, the fencing token decides who commits.
pub(super) fn is_live(taken: Timestamp, until: Timestamp, now: Timestamp) -> bool {
    now < until && taken <= now.plus(LEEWAY)
}
