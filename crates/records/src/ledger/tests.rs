//! What holds of every ledger, and what its tests have in common.

mod model;
mod phases;
mod time;

use std::time::Duration;

use brine_core::{Class, Classified as _, KeyId, Sequence, Timestamp};

use super::*;
use crate::shared_ledger::tests::{Fault, MemoryStore};
use crate::shared_ledger::{SharedBirth, SharedLedger, SharedOptions};

pub(crate) const DAY: u64 = 86_400;
pub(crate) const LEASE_SECONDS: u64 = 100;
/// When ledgers of the tests begin.
pub(crate) const BIRTH: u64 = 1_790_000_000;

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

pub(crate) fn key(byte: u8) -> KeyId {
    KeyId::from_bytes([byte; 32])
}

/// Number `seq` of a channel, issued at that moment.
pub(crate) fn numbered(channel: u8, seq: u64, issued: u64) -> Subject {
    let identity = Identity::Sequenced(key(1), Sequence { channel: [channel; 16], seq });
    Subject { identity, expires: None, issued_at: Some(at(issued)) }
}

pub(crate) fn named(name: u8, issued: u64, expires: u64) -> Subject {
    let identity = Identity::Named(key(1), [name; 32]);
    Subject { identity, expires: Some(at(expires)), issued_at: Some(at(issued)) }
}

/// The same record from another signer.
pub(crate) fn by(signer: u8, mut subject: Subject) -> Subject {
    subject.identity = match subject.identity {
        // As with all names, the key is in it.
        Identity::Named(_, [_, name @ ..]) => {
            let mut all = [signer; 32];
            all[1..].copy_from_slice(&name);
            Identity::Named(key(signer), all)
        }
        Identity::Sequenced(_, sequence) => Identity::Sequenced(key(signer), sequence),
    };
    subject
}

/// What the tests do with a ledger.
pub(crate) trait LedgerSteps: Ledger<Lease: std::fmt::Debug> {
    fn reserve_one(&mut self, subject: &Subject, now: u64) -> Reservation<Self::Lease> {
        let found = self.reserve_many(std::slice::from_ref(subject), at(now)).unwrap();
        let [found] = <[_; 1]>::try_from(found).unwrap();
        found
    }

    fn take(&mut self, subject: &Subject, now: u64) -> Self::Lease {
        match self.reserve_one(subject, now) {
            Reservation::Fresh(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    fn take_all(&mut self, subjects: &[Subject], now: u64) -> Vec<Self::Lease> {
        let found = self.reserve_many(subjects, at(now)).unwrap();
        found.into_iter().map(|one| one.into_lease().unwrap()).collect()
    }

    fn commit_one(&mut self, lease: &Self::Lease, now: u64) -> Settled {
        self.commit_many(std::slice::from_ref(lease), at(now)).unwrap()[0]
    }

    fn give_back_one(&mut self, lease: &Self::Lease, now: u64) -> Settled {
        self.give_back_many(std::slice::from_ref(lease), at(now)).unwrap()[0]
    }

    /// Handles a record from beginning to end.
    fn handle_one(&mut self, subject: &Subject, now: u64) {
        let lease = self.take(subject, now);
        assert_eq!(self.commit_one(&lease, now), Settled::Done);
    }

    /// Why a record is not the caller's; `fresh` if it is, which is given back.
    fn ask(&mut self, subject: &Subject, now: u64) -> String {
        match self.reserve_many(std::slice::from_ref(subject), at(now)) {
            Err(error) => format!("failed: {}", error.reason()),
            Ok(mut found) => match found.pop().unwrap() {
                Reservation::Fresh(lease) => {
                    assert_eq!(self.give_back_one(&lease, now), Settled::Done);
                    "fresh".to_owned()
                }
                other => other.into_lease().unwrap_err().reason().to_owned(),
            },
        }
    }
}

impl<L: Ledger<Lease: std::fmt::Debug>> LedgerSteps for L {}

/// A place with a ledger, or room for one.
trait LedgerPlace {
    type Ledger: Ledger<Lease: std::fmt::Debug>;

    /// From when on a new ledger takes records if there may have been another one.
    const FLOOR: u64;

    fn new() -> Self;

    /// Makes a ledger that takes records of any time.
    fn open(&self, now: u64) -> Self::Ledger {
        self.open_with(Birth::AcceptOlder, DAY, now).unwrap()
    }

    /// Opens the ledger that is there.
    fn reopen(&self, now: u64) -> Self::Ledger {
        self.open_with(Birth::Existing, DAY, now).unwrap()
    }

    fn open_with(&self, birth: Birth, max_age: u64, now: u64) -> Result<Self::Ledger, ReplayError>;

    /// Loses the ledger.
    fn lose(&self);

    /// Lets a place that forgets by itself do so.
    fn pass(&self, now: u64);

    /// Has this go wrong, if it can there.
    fn plan(&self, trouble: Option<Trouble>);
}

/// A change that fails, after so many others. Whether it is done is not known to whoever asked for it.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    after: u8,
    is_done: bool,
}

#[derive(Clone, Copy, Debug)]
enum Birth {
    AcceptOlder,
    Existing,
    RefuseOlder,
}

/// A place in memory.
struct SharedPlace(MemoryStore);

impl LedgerPlace for SharedPlace {
    type Ledger = SharedLedger<MemoryStore>;

    const FLOOR: u64 = 121;

    fn new() -> Self {
        Self(MemoryStore::new(at(BIRTH)))
    }

    fn open_with(&self, birth: Birth, max_age: u64, now: u64) -> Result<Self::Ledger, ReplayError> {
        let [lease, max_age] = [LEASE_SECONDS, max_age].map(Duration::from_secs);
        let birth = match birth {
            Birth::AcceptOlder => SharedBirth::AcceptOlder,
            Birth::Existing => SharedBirth::Existing,
            Birth::RefuseOlder => SharedBirth::RefuseOlder,
        };
        let options = SharedOptions { birth, lease, max_age, ..SharedOptions::default() };
        SharedLedger::open(self.0.clone(), &options, at(now))
    }

    fn lose(&self) {
        self.0.lose();
    }

    fn pass(&self, now: u64) {
        self.0.pass(at(now));
    }

    fn plan(&self, trouble: Option<Trouble>) {
        let faults = trouble.into_iter().flat_map(|Trouble { after, is_done }| {
            let last = if is_done { Fault::AnswerLost } else { Fault::Lost };
            (0..after).map(|_| Fault::None).chain([last])
        });
        self.0.plan(faults);
    }
}

/// A place in a directory.
#[cfg(feature = "replay")]
struct SqlitePlace(tempfile::TempDir);

#[cfg(feature = "replay")]
impl LedgerPlace for SqlitePlace {
    type Ledger = crate::replay::ReplayDatabase;

    const FLOOR: u64 = 61;

    fn new() -> Self {
        Self(tempfile::TempDir::new().unwrap())
    }

    fn open_with(&self, birth: Birth, max_age: u64, now: u64) -> Result<Self::Ledger, ReplayError> {
        use crate::replay::{DatabaseBirth, ReplayOptions};

        let [lease, max_age] = [LEASE_SECONDS, max_age].map(Duration::from_secs);
        let birth = match birth {
            Birth::AcceptOlder => DatabaseBirth::AcceptOlder,
            Birth::Existing => DatabaseBirth::Existing,
            Birth::RefuseOlder => DatabaseBirth::RefuseOlder,
        };
        let options = ReplayOptions { birth, lease, max_age, ..ReplayOptions::default() };
        crate::replay::ReplayDatabase::open(&self.0.path().join("replay"), &options, at(now))
    }

    fn lose(&self) {
        for entry in std::fs::read_dir(self.0.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    fn pass(&self, _: u64) {}

    fn plan(&self, _: Option<Trouble>) {}
}

/// Has each of these hold of every ledger.
macro_rules! every_ledger {
    ($($name:ident)*) => {
        #[cfg(feature = "replay")]
        mod sqlite {
            $(#[test] fn $name() { super::$name::<crate::ledger::tests::SqlitePlace>(); })*
        }

        mod shared {
            $(#[test] fn $name() { super::$name::<crate::ledger::tests::SharedPlace>(); })*
        }
    };
}
use every_ledger;
