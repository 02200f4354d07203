//! What the tests of the replay database have in common.
#![allow(
    clippy::disallowed_methods,
    reason = "the files of the tests are small, and made to be broken"
)]

mod bounds;
mod files;
mod model;
mod phases;
mod time;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use brine_core::{Class, Classified as _, KeyId, Sequence};
use tempfile::TempDir;

use super::*;
use crate::ledger::Identity;

const DAY: u64 = 86_400;
const LEASE_SECONDS: u64 = 100;
/// When databases of the tests begin.
const BIRTH: u64 = 1_790_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn key(byte: u8) -> KeyId {
    KeyId::from_bytes([byte; 32])
}

/// Number `seq` of a channel, issued at that moment.
fn numbered(channel: u8, seq: u64, issued: u64) -> Subject {
    let identity = Identity::Sequenced(key(1), Sequence { channel: [channel; 16], seq });
    Subject { identity, expires: None, issued_at: Some(at(issued)) }
}

fn named(name: u8, issued: u64, expires: u64) -> Subject {
    let identity = Identity::Named([name; 32]);
    Subject { identity, expires: Some(at(expires)), issued_at: Some(at(issued)) }
}

/// A directory with a database, or room for one.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("replay")
    }

    fn open(&self, birth: DatabaseBirth, now: u64) -> ReplayDatabase {
        self.try_open(birth, DAY, now).unwrap()
    }

    fn try_open(
        &self,
        birth: DatabaseBirth,
        max_age: u64,
        now: u64,
    ) -> Result<ReplayDatabase, ReplayError> {
        let [lease, max_age] = [LEASE_SECONDS, max_age].map(Duration::from_secs);
        let options = ReplayOptions { birth, lease, max_age, ..ReplayOptions::default() };
        ReplayDatabase::open(&self.path(), &options, at(now))
    }

    /// What lies in the directory.
    fn files(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl ReplayDatabase {
    fn fresh(&mut self, subject: &Subject, now: u64) -> ReplayLease {
        match self.reserve(subject, at(now)).unwrap() {
            Reservation::Fresh(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    /// Handles a record from beginning to end.
    fn handle(&mut self, subject: &Subject, now: u64) {
        let lease = self.fresh(subject, now);
        assert_eq!(self.commit(&lease, at(now)).unwrap(), Settled::Done);
    }

    /// Why a record is not the caller's; `fresh` if it is, which is given back.
    fn answer(&mut self, subject: &Subject, now: u64) -> String {
        match self.reserve(subject, at(now)) {
            Err(error) => format!("failed: {}", error.reason()),
            Ok(Reservation::Fresh(lease)) => {
                assert_eq!(self.give_back(&lease, at(now)).unwrap(), Settled::Done);
                "fresh".to_owned()
            }
            Ok(other) => other.into_lease().unwrap_err().reason().to_owned(),
        }
    }

    /// The rows that there are, counted.
    fn count_rows(&self) -> u64 {
        let tables = ["channel", "done", "lease", "named"];
        let count = |table| format!("SELECT count(*) FROM {table}");
        let connection = &self.view.opened.connection;
        tables
            .map(|table| {
                connection.query_row(&count(table), [], |row| row.get::<_, u64>(0)).unwrap()
            })
            .iter()
            .sum()
    }

    fn status(&self) -> ReplayStatus {
        self.view().status(at(BIRTH)).unwrap()
    }
}
