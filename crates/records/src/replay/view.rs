//! Looking at a database without changing it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, params};

use super::channel::Channel;
use super::file::{self, Opened};
use super::reserve::find_named;
use super::spans::{self, Span};
use super::state::{State, is_live};
use super::subject::Identity;
use super::{BUSY_TIMEOUT, MAX_ENTRIES, ReplayError, Standing, Subject};
use crate::claims::{LEEWAY, Timestamp};
use crate::cose::CHANNEL_BYTES;
use crate::error::Result;
use crate::key::KeyId;

/// A database that is looked at: nothing here changes what it remembers.
///
/// This is what judges records at a moment that somebody typed.
#[derive(Debug)]
pub struct View {
    pub(super) opened: Opened,
}

impl View {
    /// Opens a database that is there.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Missing`], [`ReplayError::NotADatabase`], [`ReplayError::Version`],
    /// [`ReplayError::Damaged`], and [`ReplayError::File`] and [`ReplayError::Database`] from the system.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        let opened = file::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, BUSY_TIMEOUT)?;
        Ok(Self { opened })
    }

    /// Says of each record what a reservation at `now` would, and reserves nothing.
    ///
    /// `now` may be long past. What may have been forgotten since is [`ReplayError::Unknown`] then.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Damaged`], [`ReplayError::Gone`], [`ReplayError::Locked`],
    /// [`ReplayError::Database`].
    pub fn judge(
        &self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Standing>, ReplayError> {
        self.read(|connection, state| {
            subjects.iter().map(|subject| standing(connection, state, subject, now)).collect()
        })
    }

    /// Says how the database stands.
    ///
    /// # Errors
    ///
    /// Those of [`judge`](Self::judge).
    pub fn status(&self, now: Timestamp) -> Result<Status, ReplayError> {
        let file_bytes = self.opened.watch.bytes();
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
            let Totals { channels, missing, seen } = Totals::read(connection)?;
            Ok(Status {
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

    /// Shows each channel to `see`, in the order of keys and channels.
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
                let channel = Channel::read(row)?;
                see(ChannelStatus::of(&channel, live_numbers(connection, channel.id, now)?));
            }
            Ok(())
        })
    }

    /// Returns the numbers of a channel below its highest that were never handled, as far back as the
    /// database remembers. Numbers that somebody works on are among them.
    ///
    /// There are as many spans as the channel has ranges, at most.
    ///
    /// # Errors
    ///
    /// Those of [`judge`](Self::judge).
    pub fn gaps(
        &self,
        key: KeyId,
        channel: &[u8; CHANNEL_BYTES],
    ) -> Result<Vec<Span>, ReplayError> {
        self.read(|connection, _| {
            let Some(channel) = Channel::find(connection, key, channel)? else {
                return Ok(Vec::new());
            };
            let Some(highest) = channel.highest else { return Ok(Vec::new()) };
            let whole = Span { first: channel.known_from, last: highest };
            let mut gaps = Vec::new();
            let mut next = whole.first;
            for (done, _) in spans::done(connection, channel.id, &whole)? {
                if let Some(last) = done.first.checked_sub(1).filter(|last| next <= *last) {
                    gaps.push(Span { first: next, last });
                }
                next = next.max(done.last.saturating_add(1));
            }
            Ok(gaps)
        })
    }

    /// Reads in one transaction: what others write meanwhile is not seen.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection, &State) -> Result<T, ReplayError>,
    ) -> Result<T, ReplayError> {
        let transaction: Transaction<'_> = self.opened.connection.unchecked_transaction()?;
        let state = State::load(&transaction)?;
        let outcome = work(&transaction, &state)?;
        transaction.finish()?;
        self.opened.watch.judge()?;
        Ok(outcome)
    }
}

/// How a database stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Records issued before this moment are refused: nobody knows whether they were handled.
    pub answers_from: Timestamp,
    /// When the database was made.
    pub born: Timestamp,
    /// How many channels it knows.
    pub channels: u64,
    /// How many rows it has.
    pub entries: u64,
    /// How many it may have.
    pub entries_limit: u64,
    /// How large its files are, with the log, in bytes.
    pub file_bytes: u64,
    /// The latest moment that it has seen.
    pub latest: Timestamp,
    /// How many records somebody works on.
    pub leases: u64,
    /// How old a record may be.
    pub max_age: Duration,
    /// How many numbers below the highest of their channel were never handled.
    pub missing: u64,
    /// How many records it remembers by their `cti`.
    pub names: u64,
    /// When it was pruned last.
    pub pruned: Timestamp,
    /// How many ranges the numbers of all channels take.
    pub ranges: u64,
    /// How many numbered records were handled.
    pub seen: u64,
}

/// How a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStatus {
    /// The channel.
    pub channel: [u8; CHANNEL_BYTES],
    /// When a record of it was handled last.
    pub handled_at: Timestamp,
    /// The highest number that was handled.
    pub highest: Option<u64>,
    /// When the youngest of its records was issued.
    pub issued_at: Timestamp,
    /// Who signs in it.
    pub key: KeyId,
    /// How many records somebody works on.
    pub leases: u64,
    /// How many numbers below the highest were never handled.
    pub missing: u64,
    /// How many ranges its numbers take.
    pub ranges: u64,
    /// How many of its records were handled.
    pub seen: u64,
}

impl ChannelStatus {
    fn of(channel: &Channel, leases: u64) -> Self {
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

/// What the channels add up to.
#[derive(Debug, Default)]
struct Totals {
    channels: u64,
    missing: u64,
    seen: u64,
}

impl Totals {
    fn read(connection: &Connection) -> Result<Self, ReplayError> {
        let mut totals = Self::default();
        let mut statement = connection.prepare_cached("SELECT * FROM channel")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let channel = Channel::read(row)?;
            totals.channels = totals.channels.saturating_add(1);
            totals.missing = totals.missing.saturating_add(channel.missing());
            totals.seen = totals.seen.saturating_add(channel.seen);
        }
        Ok(totals)
    }
}

fn live_numbers(connection: &Connection, channel: i64, now: Timestamp) -> Result<u64, ReplayError> {
    let all = Span { first: 0, last: u64::MAX >> 1 };
    let held = spans::leases(connection, channel, &all)?;
    let live = held.iter().filter(|held| is_live(held.taken, held.until, now));
    Ok(live.map(|held| held.span.count()).fold(0, u64::saturating_add))
}

fn standing(
    connection: &Connection,
    state: &State,
    subject: &Subject,
    now: Timestamp,
) -> Result<Standing, ReplayError> {
    let issued_at = match state.judge_at(subject, now) {
        Ok(issued_at) => issued_at,
        Err(error) => return Ok(Standing::Refused(error)),
    };
    match subject.identity {
        Identity::Named(name) => Ok(match find_named(connection, &name)? {
            Some(None) => Standing::Replayed,
            Some(Some((taken, until))) if is_live(taken, until, now) => Standing::Busy { until },
            // Names are forgotten when they end, which is in the past of the database here.
            None if subject.expires.is_some_and(|at| at.plus(LEEWAY) <= state.pruned) => {
                let from = state.pruned;
                Standing::Refused(ReplayError::Unknown { at: issued_at, from }.into())
            }
            _ => Standing::Fresh,
        }),
        Identity::Sequenced(key, sequence) => {
            let Some(channel) = Channel::find(connection, key, &sequence.channel)? else {
                return Ok(Standing::Fresh);
            };
            let span = Span { first: sequence.seq, last: sequence.seq };
            if !spans::done(connection, channel.id, &span)?.is_empty() {
                return Ok(Standing::Replayed);
            }
            let held = spans::leases(connection, channel.id, &span)?;
            let live = held.iter().find(|held| is_live(held.taken, held.until, now));
            Ok(live.map_or(Standing::Fresh, |held| Standing::Busy { until: held.until }))
        }
    }
}
