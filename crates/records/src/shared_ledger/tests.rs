//! What the tests of the shared ledger have in common.

mod bounds;
mod crowd;
mod encodings;
mod faults;
mod hostile;
mod losses;
mod memory_store;

use std::time::Duration;

use super::*;
use crate::ledger::tests::{BIRTH, LEASE_SECONDS, at};

pub(crate) use self::memory_store::{Fault, MemoryStore};

type Shared = SharedLedger<MemoryStore>;

/// Opens the ledger of a store, or makes one that takes records of any time. It gives up soon.
fn open(store: &MemoryStore, now: u64) -> Shared {
    try_open(store, SharedBirth::AcceptOlder, now).unwrap()
}

fn try_open(store: &MemoryStore, birth: SharedBirth, now: u64) -> Result<Shared, ReplayError> {
    let (lease, busy_timeout) = (Duration::from_secs(LEASE_SECONDS), Duration::from_millis(50));
    let options = SharedOptions { birth, busy_timeout, lease, ..SharedOptions::default() };
    SharedLedger::open(store.clone(), &options, at(now))
}

fn new_store() -> MemoryStore {
    MemoryStore::new(at(BIRTH))
}
