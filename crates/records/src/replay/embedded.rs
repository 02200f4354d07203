//! A ledger in a file that holds more than it, such as a queue.
//!
//! Several ledgers can share the tables: each has a scope, and knows only of what was handled within that.

use std::borrow::Cow;
use std::time::Duration;

use brine_core::time::LEEWAY;
use brine_core::{CHANNEL_BYTES, Sequence, Timestamp};
use brine_sqlite::SharedFile;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::bookkeeping::Bookkeeping;
use super::lease_end::{LeaseEnd, SettleLeases};
use super::schema::TABLES;
use super::signer_share::SignerShares;
use super::view::ReplayView;
use super::{DatabaseLimits, MAX_ENTRIES, MAX_RANGES, ReplayDatabase, ReplayLease};
use crate::ledger::{Identity, ReplayError, Settled, Subject};

/// The statements that make the tables of a ledger.
pub const LEDGER_TABLES: &[&str] = &TABLES;

/// Fills the tables of a new ledger. Records that were issued before `floor` are refused for ever.
///
/// # Errors
///
/// [`ReplayError::Database`].
pub fn create_ledger(
    connection: &Connection,
    now: Timestamp,
    floor: Timestamp,
    max_age: Duration,
) -> Result<(), ReplayError> {
    Bookkeeping::new(now, floor, max_age).insert(connection)
}

/// Returns from when on a new ledger takes records if there may have been another one before it, which took records
/// that were issued up to a leeway after this one was made.
#[must_use]
pub fn floor_after_another(now: Timestamp) -> Timestamp {
    now.plus(LEEWAY).plus(Duration::from_secs(1))
}

/// Returns how old records may be.
///
/// # Errors
///
/// [`ReplayError::Damaged`], [`ReplayError::Locked`], [`ReplayError::Database`].
pub fn max_age(connection: &Connection) -> Result<Duration, ReplayError> {
    Ok(Bookkeeping::load(connection)?.max_age)
}

/// Lets records be this old from now on, if they may not be as old already. It writes.
///
/// # Errors
///
/// [`ReplayError::Damaged`], [`ReplayError::Locked`], [`ReplayError::Database`].
pub fn allow_age(connection: &Connection, max_age: Duration) -> Result<(), ReplayError> {
    let mut state = Bookkeeping::load(connection)?;
    if state.max_age >= max_age {
        return Ok(());
    }
    state.max_age = max_age;
    state.save(connection)
}

/// Commits leases in a transaction of the caller. They **must** be leases of a ledger in the same file.
///
/// # Errors
///
/// [`ReplayError::Damaged`], [`ReplayError::Locked`], [`ReplayError::Database`]. The caller ends the transaction
/// without committing it.
pub fn commit_within(
    connection: &Connection,
    leases: &[&ReplayLease],
    now: Timestamp,
) -> Result<Vec<Settled>, ReplayError> {
    let mut state = Bookkeeping::load(connection)?;
    state.see(now);
    let (shares, end) = (SignerShares::default(), LeaseEnd::Done);
    let settled = SettleLeases { connection, state: &mut state, shares, now, end }
        .all(leases.iter().copied())?;
    state.save(connection)?;
    Ok(settled)
}

impl ReplayDatabase {
    /// Opens the ledger of this scope in a file that has the tables of a ledger, and which the caller recognised.
    #[must_use]
    pub fn within(opened: SharedFile, scope: LedgerScope, lease: Duration) -> Self {
        let limits = DatabaseLimits { entries: MAX_ENTRIES, ranges: MAX_RANGES };
        Self { view: ReplayView { opened }, lease, limits, scope: Some(scope) }
    }

    /// Returns these subjects as the tables know them.
    pub(super) fn known<'s>(&self, subjects: &'s [Subject]) -> Cow<'s, [Subject]> {
        match &self.scope {
            Some(scope) => scope.all(subjects).collect(),
            None => Cow::Borrowed(subjects),
        }
    }
}

/// What tells the records of one ledger from those of another in the same tables.
#[derive(Clone, Debug)]
pub struct LedgerScope(Vec<u8>);

impl LedgerScope {
    /// Returns the scope of this name.
    pub fn new(name: impl Into<Vec<u8>>) -> Self {
        Self(name.into())
    }

    fn all(&self, subjects: &[Subject]) -> impl Iterator<Item = Subject> {
        // Most records are of the channel of the one before.
        let mut last = None;
        subjects.iter().map(move |subject| {
            let identity = match subject.identity {
                Identity::Named(key, name) => Identity::Named(key, self.hash(&name)),
                Identity::Sequenced(key, sequence) => {
                    let same = last.filter(|(channel, _)| *channel == sequence.channel);
                    let known =
                        same.map_or_else(|| self.channel(&sequence.channel), |(_, known)| known);
                    last = Some((sequence.channel, known));
                    Identity::Sequenced(key, Sequence { channel: known, ..sequence })
                }
            };
            Subject { identity, ..*subject }
        })
    }

    /// Returns the channel by which the tables know this one.
    pub(super) fn channel(&self, channel: &[u8; CHANNEL_BYTES]) -> [u8; CHANNEL_BYTES] {
        let hash = self.hash(channel);
        std::array::from_fn(|index| hash.get(index).copied().unwrap_or_default())
    }

    /// What follows the name has one length, so no two pairs give the same bytes to hash.
    fn hash(&self, last: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(&self.0).chain_update(last).finalize().into()
    }
}
