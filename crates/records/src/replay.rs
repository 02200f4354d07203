//! The replay database: a [`Ledger`](crate::Ledger) in an SQLite file.
//!
//! It remembers which records were handled: numbered records by key and channel, as ranges of numbers; other
//! records by a hash of key and `cti`. A record is *reserved*, which gives a lease; it is handled; then the
//! lease is *committed*. If a process dies in between, its lease runs out and the record is reserved again.
//! Each lease has a fencing token, so a process that was too slow and was replaced cannot commit any more.
//!
//! It forgets only what is refused anyway: by age, at the latest moment that the database has seen, or
//! because a record was issued before the moment from which the database answers. So neither pruning nor a
//! clock that is set back lets an old record in, and a new database refuses what an older one may have
//! handled. SPEC.md has the rules and the argument.
//!
//! Several processes can use one file on one machine. It has a write-ahead log, which no network file system
//! carries. No other part of a process that has it open may open the file itself: closing it again would take
//! away the locks (POSIX `fcntl`).
//!
//! ```
//! use brine_core::{KnownSigners, Sequence, Signer, SigningKey, Statement, Timestamp, Unique, open, sign};
//! use brine_records::replay::{DatabaseBirth, ReplayDatabase, ReplayOptions};
//! use brine_records::{Reservation, Settled, Subject};
//!
//! let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
//! let key = SigningKey::generate()?;
//! let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
//! let unique = Unique { sequence: Some(Sequence { channel: [9; 16], seq: 0 }), ..Unique::draw()? };
//! let envelope = sign(&Statement::at(now).unique(unique), &key, b"pay 100")?.to_bytes();
//! let verified = open(envelope)?.verify(&Default::default(), &trust, &now)?;
//!
//! let directory = tempfile::tempdir()?;
//! let options = ReplayOptions { birth: DatabaseBirth::AcceptOlder, ..ReplayOptions::default() };
//! let mut database = ReplayDatabase::open(&directory.path().join("replay"), &options, now)?;
//! let subject = Subject::of(&verified)?;
//! match database.reserve(&subject, now)? {
//!     Reservation::Fresh(lease) => {
//!         // Handle the payload here, then commit.
//!         assert_eq!(database.commit(&lease, now)?, Settled::Done);
//!     }
//!     other => panic!("{other:?}"),
//! }
//! assert!(matches!(database.reserve(&subject, now)?, Reservation::Replayed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod as_ledger;
mod bookkeeping;
mod channel;
pub mod embedded;
mod lease_end;
mod number_rows;
mod options;
mod prune;
mod renew;
mod reserve;
mod schema;
mod signer_share;
#[cfg(test)]
mod tests;
mod view;

use std::path::Path;
use std::time::Duration;

use brine_core::Timestamp;
use brine_sqlite::Durability;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use self::bookkeeping::Bookkeeping;
use self::embedded::LedgerScope;
use self::lease_end::{LeaseEnd, SettleLeases};
use self::renew::RenewLeases;
use self::reserve::LeaseTerm;
use self::schema::SCHEMA;
use self::signer_share::SignerShares;
use crate::ledger::{ReplayError, Reservation, Settled, Subject};

pub use self::options::{
    BUSY_TIMEOUT, DatabaseBirth, LEASE, MAX_AGE, MAX_ENTRIES, MAX_RANGES, ReplayOptions,
};
pub use self::prune::PrunedRows;
pub use self::view::{ChannelStatus, ReplayStanding, ReplayStatus, ReplayView};
pub use crate::ledger::NumberSpan;

/// A database of handled records.
#[derive(Debug)]
pub struct ReplayDatabase {
    view: ReplayView,
    lease: Duration,
    limits: DatabaseLimits,
    scope: Option<LedgerScope>,
}

/// The bounds of a database. Tests make them smaller.
#[derive(Clone, Copy, Debug)]
struct DatabaseLimits {
    entries: u64,
    ranges: u64,
}

impl ReplayDatabase {
    /// Opens a database, or makes one as `options` say.
    ///
    /// Many processes can use it at once, and many threads with one `ReplayDatabase` each.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Missing`] with [`DatabaseBirth::Existing`]; [`ReplayError::NotADatabase`] for another
    /// file, which is not changed; [`ReplayError::Leftover`] if a new one is asked for beside files of a deleted one;
    /// [`ReplayError::Linked`] and [`ReplayError::Mounted`] for one with another
    /// name; [`ReplayError::Version`], [`ReplayError::Damaged`], [`ReplayError::Gone`], [`ReplayError::Locked`]; [`ReplayError::File`] and [`ReplayError::Database`] from the system.
    pub fn open(path: &Path, options: &ReplayOptions, now: Timestamp) -> Result<Self, ReplayError> {
        let most = Duration::from_secs(Timestamp::MAX.unix());
        let max_age = options.max_age.min(most);
        let floor = match options.birth {
            DatabaseBirth::AcceptOlder => Timestamp::from_unix(0),
            DatabaseBirth::Existing => None,
            DatabaseBirth::RefuseOlder => Some(embedded::floor_after_another(now)),
        };
        if let Some(floor) = floor {
            let state = Bookkeeping::new(now, floor, max_age);
            brine_sqlite::create(path, &SCHEMA, |connection| state.insert(connection))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let opened = brine_sqlite::open(path, &SCHEMA, flags, options.busy_timeout)?;
        let limits = DatabaseLimits { entries: MAX_ENTRIES, ranges: MAX_RANGES };
        let mut database =
            Self { view: ReplayView { opened }, lease: options.lease, limits, scope: None };
        let state = Bookkeeping::load(&database.view.opened.lock().connection)?;
        if state.max_age < max_age {
            database.write(Durability::OnDisk, |_, state| -> Result<(), ReplayError> {
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
    pub fn reserve(
        &mut self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Reservation<ReplayLease>, ReplayError> {
        let found = self.reserve_many(std::slice::from_ref(subject), now)?;
        found.into_iter().next().ok_or_else(|| ReplayError::damaged("it gave no answer"))
    }

    /// Reserves what can be reserved in one transaction, and returns the outcome for each record, in order.
    /// `now` is the reading of a clock, never a time that somebody typed.
    ///
    /// # Errors
    ///
    /// All of them are failures of the database, and then nothing is reserved: [`ReplayError::ClockBehind`]
    /// if a record can only be judged by a clock that is right, [`ReplayError::Gone`],
    /// [`ReplayError::Locked`], [`ReplayError::Damaged`], [`ReplayError::Database`].
    pub fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<ReplayLease>>, ReplayError> {
        let term = LeaseTerm { limits: self.limits, now, until: now.plus(self.lease) };
        let known = self.known(subjects);
        // A clock that is far off refuses all records. Its time is then not kept.
        self.write_if(
            Durability::Later,
            |connection, state| term.reserve(connection, state, &known),
            |found| found.iter().any(|one| matches!(one, Reservation::Fresh(_))),
        )
    }

    /// Reserves a record and commits it, in one transaction. It is for a record that is handled by giving it out: nobody
    /// sees it busy, and if the process dies before it is given out, it is lost.
    ///
    /// # Errors
    ///
    /// Those of [`reserve_many`](Self::reserve_many) and of [`Reservation::into_lease`]. Nothing is noted then.
    pub fn reserve_and_commit(
        &mut self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<(), ReplayError> {
        let term = LeaseTerm { limits: self.limits, now, until: now.plus(self.lease) };
        let known = self.known(std::slice::from_ref(subject));
        let work = |connection: &Connection, state: &mut Bookkeeping| {
            let found = term.reserve(connection, state, &known)?;
            let found = found.into_iter().next().map(Reservation::into_lease);
            let lease = match found.ok_or_else(|| ReplayError::damaged("it gave no answer"))? {
                Ok(lease) => lease,
                Err(refused) => return Ok(Err(refused)),
            };
            let (shares, end) = (SignerShares::default(), LeaseEnd::Done);
            SettleLeases { connection, state, shares, now, end }.all([&lease].into_iter())?;
            Ok(Ok(()))
        };
        self.write_if(Durability::OnDisk, work, Result::is_ok)?
    }

    /// Renews leases in one transaction: each that is still held lasts from `now` on as long as a new one. One
    /// that ran out is still held, unless another process has reserved its record since.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many). Then no lease was renewed.
    pub fn renew_many(
        &mut self,
        leases: &[ReplayLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        let until = now.plus(self.lease);
        self.write(Durability::Later, |connection, state| {
            state.see(now);
            RenewLeases { connection, now, until }.all(leases)
        })
    }

    /// Notes that a record was handled: see [`commit_many`](Self::commit_many).
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn commit(&mut self, lease: &ReplayLease, now: Timestamp) -> Result<Settled, ReplayError> {
        self.settle_one(lease, now, LeaseEnd::Done)
    }

    /// Notes that records were handled, in one transaction. When this returns, the note is on the disk; that of a ledger
    /// [within](Self::within) another file is when the owner of that file has written to it next.
    ///
    /// A lease that ran out is still good, unless another process has reserved its record since.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Gone`], [`ReplayError::Locked`], [`ReplayError::Damaged`], [`ReplayError::Database`].
    /// Then it is not known whether the note is on the disk, and the records **must** be neither acknowledged
    /// nor given back.
    pub fn commit_many(
        &mut self,
        leases: &[ReplayLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.settle(leases, now, LeaseEnd::Done)
    }

    /// Gives back a record that was not handled, so that it can be reserved again at once.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn give_back(
        &mut self,
        lease: &ReplayLease,
        now: Timestamp,
    ) -> Result<Settled, ReplayError> {
        self.settle_one(lease, now, LeaseEnd::GivenBack)
    }

    /// Gives back records that were not handled, in one transaction.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn give_back_many(
        &mut self,
        leases: &[ReplayLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.settle(leases, now, LeaseEnd::GivenBack)
    }

    /// Deletes what is refused by its time in any case. Reserving does so now and then.
    ///
    /// # Errors
    ///
    /// Those of [`commit_many`](Self::commit_many).
    pub fn prune(&mut self, now: Timestamp) -> Result<PrunedRows, ReplayError> {
        self.write(Durability::Later, |connection, state| {
            state.see(now);
            prune::prune(connection, state, now)
        })
    }

    /// Returns a view of the database, which changes nothing.
    #[must_use]
    pub const fn view(&self) -> &ReplayView {
        &self.view
    }

    fn settle_one(
        &mut self,
        lease: &ReplayLease,
        now: Timestamp,
        end: LeaseEnd,
    ) -> Result<Settled, ReplayError> {
        let found = self.settle(std::slice::from_ref(lease), now, end)?;
        found.into_iter().next().ok_or_else(|| ReplayError::damaged("it gave no answer"))
    }

    fn settle(
        &mut self,
        leases: &[ReplayLease],
        now: Timestamp,
        end: LeaseEnd,
    ) -> Result<Vec<Settled>, ReplayError> {
        let durability = match end {
            LeaseEnd::Done if self.scope.is_none() => Durability::OnDisk,
            // Who acknowledges in the same file puts it on the disk.
            LeaseEnd::Done | LeaseEnd::GivenBack => Durability::Later,
        };
        self.write(durability, |connection, state| {
            state.see(now);
            let shares = SignerShares::default();
            SettleLeases { connection, state, shares, now, end }.all(leases.iter())
        })
    }

    /// Changes the database in one transaction, or not at all.
    fn write<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Connection, &mut Bookkeeping) -> Result<T, ReplayError>,
    ) -> Result<T, ReplayError> {
        self.write_if(durability, work, |_| true)
    }

    /// Changes the database in one transaction, unless the outcome is not to be kept.
    fn write_if<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Connection, &mut Bookkeeping) -> Result<T, ReplayError>,
        is_kept: impl FnOnce(&T) -> bool,
    ) -> Result<T, ReplayError> {
        let mut opened = self.view.opened.lock();
        opened.set_durability(durability)?;
        // A writer from the beginning: a reader that becomes a writer can find that another was faster.
        let immediate = TransactionBehavior::Immediate;
        let transaction = opened.connection.transaction_with_behavior(immediate)?;
        let mut state = Bookkeeping::load(&transaction)?;
        let outcome = work(&transaction, &mut state)?;
        if is_kept(&outcome) {
            state.save(&transaction)?;
            transaction.commit()?;
        } else {
            transaction.rollback()?;
        }
        // Afterwards, and not before: a file that is still there now was there when it was written.
        drop(opened);
        self.view.opened.watch().judge()?;
        Ok(outcome)
    }
}

/// The right to handle a record, until it runs out and another process reserves the record.
///
/// It is settled once: all that is done by a copy afterwards is [`Lost`](Settled::Lost).
#[derive(Clone, Debug)]
#[must_use = "a lease that is not committed blocks the record until it runs out"]
pub struct ReplayLease {
    place: RecordPlace,
    issued: Timestamp,
    token: u64,
}

/// Where the database keeps a record.
#[derive(Clone, Copy, Debug)]
enum RecordPlace {
    Named([u8; 32]),
    Numbered { channel: i64, seq: u64 },
}
