//! A view of a database, which changes nothing.

use std::path::Path;
use std::time::Duration;

use brine_core::time::LEEWAY;
use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};
use brine_sqlite::SharedFile;
use rusqlite::{Connection, OpenFlags, Transaction, params};

use super::bookkeeping::Bookkeeping;
use super::channel::ChannelRow;
use super::number_rows;
use super::reserve::find_named;
use super::schema::SCHEMA;
use super::{BUSY_TIMEOUT, MAX_ENTRIES};
use crate::ledger::{Identity, NumberSpan, ReplayError, Subject, is_live};

/// A view of a database. It changes nothing, so it can judge records at a time that somebody typed.
#[derive(Debug)]
pub struct ReplayView {
    pub(super) opened: SharedFile,
}

/// The outcome that reserving a record would have.
#[derive(Debug)]
pub enum ReplayStanding {
    /// Another process handles it.
    Busy {
        /// When its lease runs out.
        until: Timestamp,
    },
    /// It would be reserved.
    Fresh,
    /// It would be refused.
    Refused(ReplayError),
    /// It was handled before.
    Replayed,
}

impl ReplayView {
    /// Opens a view of an existing database.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Missing`], [`ReplayError::NotADatabase`], [`ReplayError::Version`],
    /// [`ReplayError::Damaged`], and [`ReplayError::File`] and [`ReplayError::Database`] from the system.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        let opened =
            brine_sqlite::open(path, &SCHEMA, OpenFlags::SQLITE_OPEN_READ_ONLY, BUSY_TIMEOUT)?;
        Ok(Self { opened })
    }

    /// Returns the outcome that reserving each record at `now` would have, and reserves nothing.
    ///
    /// `now` may be long past. A record that may have been forgotten since is [`ReplayError::Unknown`] then.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Damaged`], [`ReplayError::Gone`], [`ReplayError::Locked`],
    /// [`ReplayError::Database`].
    pub fn judge(
        &self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<ReplayStanding>, ReplayError> {
        self.read(|connection, state| {
            subjects.iter().map(|subject| standing(connection, state, subject, now)).collect()
        })
    }

    /// Returns the status of the database.
    ///
    /// # Errors
    ///
    /// Those of [`judge`](Self::judge).
    pub fn status(&self, now: Timestamp) -> Result<ReplayStatus, ReplayError> {
        let file_bytes = self.opened.watch().bytes();
        self.read(|connection, state| {
            let count = |sql: &str| -> Result<u64, ReplayError> {
                Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
            };
            let live = "WHERE until > ?1 AND taken <= ?2";
            let leased = |what: &str| -> Result<u64, ReplayError> {
                let sql = format!("SELECT {what} {live}");
                let values = params![now.unix(), now.plus(LEEWAY).unix()];
                Ok(connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
            };
            let numbers = leased("ifnull(sum(last - first + 1), 0) FROM lease")?;
            let names = leased("count(*) FROM named")?;
            let ChannelTotals { channels, missing, seen } = ChannelTotals::read(connection)?;
            Ok(ReplayStatus {
                answers_from: state.floor,
                born: state.born,
                channels,
                entries: state.entries,
                entries_limit: MAX_ENTRIES,
                file_bytes,
                latest: state.latest,
                leases: numbers.saturating_add(names),
                max_age: state.max_age,
                missing,
                names: count("SELECT count(*) FROM named WHERE token IS NULL")?,
                pruned: state.pruned,
                ranges: count("SELECT count(*) FROM done")?,
                seen,
            })
        })
    }

    /// Passes the status of each channel to `see`, in the order of keys and channels.
    ///
    /// # Errors
    ///
    /// Those of [`judge`](Self::judge).
    pub fn channels(
        &self,
        now: Timestamp,
        mut see: impl FnMut(ChannelStatus),
    ) -> Result<(), ReplayError> {
        self.read(|connection, _| {
            let sql = "SELECT * FROM channel ORDER BY key, name";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let channel = ChannelRow::read(row)?;
                see(ChannelStatus::of(&channel, live_numbers(connection, channel.id, now)?));
            }
            Ok(())
        })
    }

    /// Returns the numbers of a channel that were never handled, below the highest one that was and as far
    /// back as the database remembers. Numbers that are being handled are among them.
    ///
    /// There are at most as many spans as the channel has ranges.
    ///
    /// # Errors
    ///
    /// Those of [`judge`](Self::judge).
    pub fn gaps(
        &self,
        key: KeyId,
        channel: &[u8; CHANNEL_BYTES],
    ) -> Result<Vec<NumberSpan>, ReplayError> {
        self.read(|connection, _| {
            let Some(channel) = ChannelRow::find(connection, key, channel)? else {
                return Ok(Vec::new());
            };
            let Some(highest) = channel.highest else { return Ok(Vec::new()) };
            let whole = NumberSpan { first: channel.known_from, last: highest };
            let mut gaps = Vec::new();
            let mut next = whole.first;
            for (done, _) in number_rows::done(connection, channel.id, &whole)? {
                if let Some(last) = done.first.checked_sub(1).filter(|last| next <= *last) {
                    gaps.push(NumberSpan { first: next, last });
                }
                next = next.max(done.last.saturating_add(1));
            }
            Ok(gaps)
        })
    }

    /// Reads in one transaction, so that concurrent writes are not seen.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection, &Bookkeeping) -> Result<T, ReplayError>,
    ) -> Result<T, ReplayError> {
        let opened = self.opened.lock();
        let transaction: Transaction<'_> = opened.connection.unchecked_transaction()?;
        let state = Bookkeeping::load(&transaction)?;
        let outcome = work(&transaction, &state)?;
        transaction.finish()?;
        drop(opened);
        self.opened.watch().judge()?;
        Ok(outcome)
    }
}

/// The status of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayStatus {
    /// Records issued before this moment are refused: they may have been handled.
    pub answers_from: Timestamp,
    /// When the database was made.
    pub born: Timestamp,
    /// How many channels it knows.
    pub channels: u64,
    /// How many rows it has.
    pub entries: u64,
    /// How many rows it may have.
    pub entries_limit: u64,
    /// The size of its files in bytes, including the log.
    pub file_bytes: u64,
    /// The latest time that it has seen.
    pub latest: Timestamp,
    /// How many records are being handled.
    pub leases: u64,
    /// How old a record may be.
    pub max_age: Duration,
    /// How many numbers were never handled, below the highest of their channel.
    pub missing: u64,
    /// How many records it knows by their `cti`.
    pub names: u64,
    /// When it was pruned last.
    pub pruned: Timestamp,
    /// How many ranges the numbers of all channels take.
    pub ranges: u64,
    /// How many numbered records were handled.
    pub seen: u64,
}

/// The status of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStatus {
    /// The channel.
    pub channel: [u8; CHANNEL_BYTES],
    /// When a record of it was handled last.
    pub handled_at: Timestamp,
    /// The highest number that was handled.
    pub highest: Option<u64>,
    /// When its youngest record was issued.
    pub issued_at: Timestamp,
    /// The key that signs in it.
    pub key: KeyId,
    /// How many records are being handled.
    pub leases: u64,
    /// How many numbers were never handled, below the highest.
    pub missing: u64,
    /// How many ranges its numbers take.
    pub ranges: u64,
    /// How many of its records were handled.
    pub seen: u64,
}

impl ChannelStatus {
    fn of(channel: &ChannelRow, leases: u64) -> Self {
        Self {
            channel: channel.name,
            handled_at: channel.used,
            highest: channel.highest,
            issued_at: channel.issued,
            key: channel.key,
            leases,
            missing: channel.missing(),
            ranges: channel.ranges,
            seen: channel.seen,
        }
    }
}

/// Sums over all channels.
#[derive(Debug, Default)]
struct ChannelTotals {
    channels: u64,
    missing: u64,
    seen: u64,
}

impl ChannelTotals {
    fn read(connection: &Connection) -> Result<Self, ReplayError> {
        let mut totals = Self::default();
        let mut statement = connection.prepare_cached("SELECT * FROM channel")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let channel = ChannelRow::read(row)?;
            totals.channels = totals.channels.saturating_add(1);
            totals.missing = totals.missing.saturating_add(channel.missing());
            totals.seen = totals.seen.saturating_add(channel.seen);
        }
        Ok(totals)
    }
}

fn live_numbers(connection: &Connection, channel: i64, now: Timestamp) -> Result<u64, ReplayError> {
    let all = NumberSpan { first: 0, last: u64::MAX >> 1 };
    let held = number_rows::leases(connection, channel, &all)?;
    let live = held.iter().filter(|held| is_live(held.taken, held.until, now));
    Ok(live.map(|held| held.span.count()).fold(0, u64::saturating_add))
}

fn standing(
    connection: &Connection,
    state: &Bookkeeping,
    subject: &Subject,
    now: Timestamp,
) -> Result<ReplayStanding, ReplayError> {
    let issued_at = match state.moments().judge_at(subject, now) {
        Ok(issued_at) => issued_at,
        Err(error) => return Ok(ReplayStanding::Refused(error)),
    };
    match subject.identity {
        Identity::Named(_, name) => Ok(match find_named(connection, &name)? {
            Some(None) => ReplayStanding::Replayed,
            Some(Some((taken, until))) if is_live(taken, until, now) => {
                ReplayStanding::Busy { until }
            }
            // The database has seen a time after the end of the name, and may have forgotten it.
            None if subject.expires.is_some_and(|at| at.plus(LEEWAY) <= state.pruned) => {
                let from = state.pruned;
                ReplayStanding::Refused(ReplayError::Unknown { at: issued_at, from })
            }
            _ => ReplayStanding::Fresh,
        }),
        Identity::Sequenced(key, sequence) => {
            let Some(channel) = ChannelRow::find(connection, key, &sequence.channel)? else {
                return Ok(ReplayStanding::Fresh);
            };
            let span = NumberSpan { first: sequence.seq, last: sequence.seq };
            if !number_rows::done(connection, channel.id, &span)?.is_empty() {
                return Ok(ReplayStanding::Replayed);
            }
            let held = number_rows::leases(connection, channel.id, &span)?;
            let live = held.iter().find(|held| is_live(held.taken, held.until, now));
            Ok(live
                .map_or(ReplayStanding::Fresh, |held| ReplayStanding::Busy { until: held.until }))
        }
    }
}
