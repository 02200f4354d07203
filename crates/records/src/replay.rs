//! Replay: no record is handled twice, and none is lost.
//!
//! A database remembers which records were handled: of numbered ones the numbers as ranges, by key and
//! channel, of others a hash of key and `cti`. Work is done in two phases. A record is *reserved*, which
//! gives a lease; then it is handled; then the lease is *committed*, and from there on every copy is
//! [`Replayed`](Reservation::Replayed). Who dies in between leaves a lease that runs out, and the record
//! is reserved again. Each lease has a fencing token: whoever was too slow, and was replaced, cannot
//! commit any more.
//!
//! What may be forgotten is what is refused anyway: for its age, by the latest moment that the database
//! has seen, or because it was issued before the moment from which the database answers. So neither
//! pruning nor a clock that is set back lets an old record in, and a new database refuses what an older
//! one may have handled. SPEC.md has the rules, and the argument.
//!
//! Several processes can use one file, on one machine: it is an SQLite database with a write-ahead log,
//! which no network file system carries. No other part of a process that has it open may open the file
//! itself: closing it again would take away the locks (POSIX `fcntl`).
//!
//! ```
//! use std::time::Duration;
//!
//! use brine::record::replay::{Birth, Database, Options, Reservation, Settled, Subject};
//! use brine::{Request, Sequence, Sign1, Signer, SigningKey, Statement, Template, Timestamp, Trust};
//! use brine::{sign, verify};
//!
//! let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
//! let statement =
//!     Statement::Full { context: None, cti: [7; 16], expires: None, issued_at: now, not_before: None };
//! let sequence = Some(Sequence { channel: [9; 16], seq: 0 });
//! let key = SigningKey::generate()?;
//! let template = Template { sequence, statement, ..Template::default() };
//! let envelope = sign(&key, b"pay 100", &template).to_bytes();
//!
//! let trust = Trust::new(vec![Signer::new("alice", key.verifying_key().clone())]);
//! let sign1 = Sign1::parse(&envelope, Default::default())?;
//! let verified = verify(&sign1, &Request::at(now), &trust)?;
//!
//! let directory = tempfile::tempdir()?;
//! let options = Options { birth: Birth::AcceptOlder, ..Options::default() };
//! let mut database = Database::open(&directory.path().join("replay"), &options, now)?;
//! let subject = Subject::of(&verified)?;
//! match database.reserve(&subject, now)? {
//!     Reservation::Fresh(lease) => {
//!         // Handle `verified.payload()` here, and then say so.
//!         assert_eq!(database.commit(&lease, now)?, Settled::Done);
//!     }
//!     other => panic!("{other:?}"),
//! }
//! assert!(matches!(database.reserve(&subject, now)?, Reservation::Replayed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod channel;
mod error;
mod file;
mod prune;
mod reserve;
mod schema;
mod settle;
mod spans;
mod state;
mod subject;
#[cfg(test)]
mod tests;
mod view;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use self::reserve::Reserve;
use self::settle::{End, Settle};
use self::state::State;
use crate::claims::{LEEWAY, Timestamp};
use crate::error::{Error, Result};

pub use self::error::ReplayError;
pub use self::prune::Pruned;
pub use self::spans::Span;
pub use self::subject::Subject;
pub use self::view::{ChannelStatus, Status, View};

/// How old a record may be unless somebody says otherwise.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a lease lasts unless somebody says otherwise.
pub const LEASE: Duration = Duration::from_secs(5 * 60);

/// How long one process waits for another unless somebody says otherwise.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The most ranges that the numbers of one channel may take.
pub const MAX_RANGES: u64 = 65_536;

/// The most rows in all: channels, ranges, leases and names.
pub const MAX_ENTRIES: u64 = 1_000_000;

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What to do if there is none.
    pub birth: Birth,
    /// How long to wait for another process.
    pub busy_timeout: Duration,
    /// How long a lease lasts. Handling a record should take far less.
    pub lease: Duration,
    /// How old a record may be. A database keeps the largest that it was ever opened with.
    pub max_age: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let (birth, lease) = (Birth::Existing, LEASE);
        Self { birth, busy_timeout: BUSY_TIMEOUT, lease, max_age: MAX_AGE }
    }
}

/// What to do if there is no database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Birth {
    /// Make one that takes records of any time: whoever asks for this knows that none was handled before.
    ///
    /// It is for the first day, and **must** not stay in a command that runs again: should the database
    /// be lost, everything that it knew would be let in once more.
    AcceptOlder,
    /// Fail.
    #[default]
    Existing,
    /// Make one that takes records issued after now. As a record can be handled before the moment it
    /// says it was issued, by as much as clocks may differ, that is from 61 seconds on.
    RefuseOlder,
}

/// A database of the records that were handled.
#[derive(Debug)]
pub struct Database {
    view: View,
    lease: Duration,
    limits: Limits,
}

/// Bounds, which the tests make smaller.
#[derive(Clone, Copy, Debug)]
struct Limits {
    entries: u64,
    ranges: u64,
}

impl Database {
    /// Opens a database, or makes one as `options` say.
    ///
    /// It can be used at once by many processes, and by many threads with one `Database` each.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Missing`] with [`Birth::Existing`]; [`ReplayError::NotADatabase`] for a file that is
    /// something else, and is left alone; [`ReplayError::Version`], [`ReplayError::Damaged`],
    /// [`ReplayError::Gone`], [`ReplayError::Locked`]; [`ReplayError::File`] and
    /// [`ReplayError::Database`] from the system.
    pub fn open(path: &Path, options: &Options, now: Timestamp) -> Result<Self, ReplayError> {
        let most = Duration::from_secs(Timestamp::MAX.unix());
        let max_age = options.max_age.min(most);
        let floor = match options.birth {
            Birth::AcceptOlder => Timestamp::from_unix(0),
            Birth::Existing => None,
            // The database before this one took what was issued up to a leeway later than it was born.
            Birth::RefuseOlder => Some(now.plus(LEEWAY).plus(Duration::from_secs(1))),
        };
        if let Some(floor) = floor {
            file::create(path, &State::new(now, floor, max_age))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let opened = file::open(path, flags, options.busy_timeout)?;
        schema::wal(&opened.connection)?;
        let limits = Limits { entries: MAX_ENTRIES, ranges: MAX_RANGES };
        let mut database = Self { view: View { opened }, lease: options.lease, limits };
        let state = State::load(&database.view.opened.connection)?;
        if state.max_age < max_age {
            database.write(|_, state| -> Result<(), ReplayError> {
                state.max_age = state.max_age.max(max_age);
                Ok(())
            })?;
        }
        Ok(database)
    }

    /// Reserves a record: see [`reserve_many`](Self::reserve_many).
    ///
    /// # Errors
    ///
    /// Those of [`reserve_many`](Self::reserve_many).
    pub fn reserve(&mut self, subject: &Subject, now: Timestamp) -> Result<Reservation> {
        let found = self.reserve_many(std::slice::from_ref(subject), now)?;
        found.into_iter().next().ok_or_else(|| ReplayError::damaged("it gave no answer").into())
    }

    /// Reserves what can be in one transaction, and says of each record, in their order, what became of
    /// it. `now` is the reading of a clock, never a moment that somebody typed.
    ///
    /// # Errors
    ///
    /// All of them are about the database, and then nothing is reserved: [`ReplayError::ClockBehind`] if
    /// a record can only be judged by a clock that is right, [`ReplayError::Gone`],
    /// [`ReplayError::Locked`], [`ReplayError::Damaged`], [`ReplayError::Database`].
    pub fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation>> {
        let (until, limits) = (now.plus(self.lease), self.limits);
        let work = |connection: &Connection, state: &mut State| {
            state.see(now);
            if prune::is_due(state) {
                prune::prune(connection, state, now)?;
            }
            Reserve { connection, state, limits, now, until }.all(subjects)
        };
        // A clock that is far off refuses all records, and is then not believed for ever after.
        self.write_if(work, |found| found.iter().any(|one| matches!(one, Reservation::Fresh(_))))
    }

    /// Says that a record was handled: see [`commit_many`](Self::commit_many).
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn commit(&mut self, lease: &Lease, now: Timestamp) -> Result<Settled, ReplayError> {
        self.settle_one(lease, now, End::Done)
    }

    /// Says that records were handled, in one transaction. When this returns it is on the disk.
    ///
    /// A lease that ran out is as good as any, as long as nobody has taken its record over.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Gone`], [`ReplayError::Locked`], [`ReplayError::Damaged`],
    /// [`ReplayError::Database`]: nobody knows then whether it is on the disk, and the records are to be
    /// neither acknowledged nor given up.
    pub fn commit_many(
        &mut self,
        leases: &[Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.settle(leases, now, End::Done)
    }

    /// Gives a record back that was not handled, so that it can be reserved again at once.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn release(&mut self, lease: &Lease, now: Timestamp) -> Result<Settled, ReplayError> {
        self.settle_one(lease, now, End::GivenBack)
    }

    /// Gives records back, in one transaction.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn release_many(
        &mut self,
        leases: &[Lease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.settle(leases, now, End::GivenBack)
    }

    /// Throws away what is refused for its time whatever happens. It happens now and then by itself.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn prune(&mut self, now: Timestamp) -> Result<Pruned, ReplayError> {
        self.write(|connection, state| {
            state.see(now);
            prune::prune(connection, state, now)
        })
    }

    /// Looks at it.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    fn settle_one(
        &mut self,
        lease: &Lease,
        now: Timestamp,
        end: End,
    ) -> Result<Settled, ReplayError> {
        let found = self.settle(std::slice::from_ref(lease), now, end)?;
        found.into_iter().next().ok_or_else(|| ReplayError::damaged("it gave no answer"))
    }

    fn settle(
        &mut self,
        leases: &[Lease],
        now: Timestamp,
        end: End,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.write(|connection, state| {
            state.see(now);
            Settle { connection, state, now, end }.all(leases)
        })
    }

    /// Changes the database in one transaction, or not at all.
    fn write<T, E: From<ReplayError>>(
        &mut self,
        work: impl FnOnce(&Connection, &mut State) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_if(work, |_| true)
    }

    /// Changes the database in one transaction, if what comes of it is worth keeping.
    fn write_if<T, E: From<ReplayError>>(
        &mut self,
        work: impl FnOnce(&Connection, &mut State) -> Result<T, E>,
        is_kept: impl FnOnce(&T) -> bool,
    ) -> Result<T, E> {
        let connection = &mut self.view.opened.connection;
        // At once a writer: a reader that became one could be told that somebody was faster.
        let immediate = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(immediate);
        let transaction = transaction.map_err(ReplayError::from)?;
        let mut state = State::load(&transaction)?;
        let outcome = work(&transaction, &mut state)?;
        if is_kept(&outcome) {
            state.save(&transaction)?;
            transaction.commit().map_err(ReplayError::from)?;
        } else {
            transaction.rollback().map_err(ReplayError::from)?;
        }
        // After, and not before: what is still there now was there when it was written.
        self.view.opened.watch.judge()?;
        Ok(outcome)
    }
}

/// What became of a record that was to be reserved.
#[derive(Debug)]
#[must_use = "a lease that nobody commits holds the record up until it runs out"]
pub enum Reservation {
    /// Somebody else works on it: it is to be neither acknowledged nor given up.
    Busy {
        /// When the lease runs out.
        until: Timestamp,
    },
    /// It is the caller's to handle, and to commit.
    Fresh(Lease),
    /// It is not let in: [`Error::class`] says whether for what it is, or for want of room.
    Refused(Error),
    /// It was handled before: it is to be acknowledged and dropped.
    Replayed,
    /// It is the same as an earlier one of this call, and what becomes of that becomes of this.
    Twin {
        /// Which one, from 0.
        of: usize,
    },
}

impl Reservation {
    /// Returns the lease, or why there is none.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Busy`], [`ReplayError::Replayed`], which a twin is too, and whatever it was
    /// refused for.
    pub fn into_lease(self) -> Result<Lease> {
        match self {
            Self::Busy { until } => Err(ReplayError::Busy { until }.into()),
            Self::Fresh(lease) => Ok(lease),
            Self::Refused(error) => Err(error),
            Self::Replayed | Self::Twin { .. } => Err(ReplayError::Replayed.into()),
        }
    }
}

/// The right to handle a record, until it runs out and somebody else is given it.
///
/// It cannot be copied: who has it commits it, once.
#[derive(Debug)]
#[must_use = "a lease that nobody commits holds the record up until it runs out"]
pub struct Lease {
    place: Place,
    issued: Timestamp,
    token: u64,
}

/// Where the database keeps a record.
#[derive(Clone, Copy, Debug)]
enum Place {
    Named([u8; 32]),
    Numbered { channel: i64, seq: u64 },
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lease that was lost commits nothing"]
pub enum Settled {
    /// What was asked for was done.
    Done,
    /// It ran out, and somebody else has taken the record over, or did so and has finished: theirs is
    /// the word on it.
    Lost,
}

/// What a database would say of a record.
#[derive(Debug)]
pub enum Standing {
    /// Somebody works on it.
    Busy {
        /// When the lease runs out.
        until: Timestamp,
    },
    /// It was not handled yet.
    Fresh,
    /// It would not be let in.
    Refused(Error),
    /// It was handled.
    Replayed,
}
