//! What the tests of the replay database have in common. What holds of every ledger is in [`crate::ledger::tests`].
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

use brine_core::{Class, Classified as _};
use tempfile::TempDir;

use super::*;
use crate::ledger::tests::{BIRTH, DAY, LEASE_SECONDS, at, by, key, named, numbered};

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
        let opened = self.view.opened.lock();
        tables
            .map(|table| {
                opened.connection.query_row(&count(table), [], |row| row.get::<_, u64>(0)).unwrap()
            })
            .iter()
            .sum()
    }

    /// Holds what is counted of each signer to its rows.
    fn assert_counted(&self) {
        let sql = "SELECT entries, (SELECT count(*) FROM named WHERE named.signer = signer.id) \
            + (SELECT count(*) FROM channel WHERE channel.key = signer.key) \
            + (SELECT count(*) FROM done JOIN channel ON id = channel WHERE channel.key = signer.key) \
            + (SELECT count(*) FROM lease JOIN channel ON id = channel WHERE channel.key = signer.key) \
            FROM signer";
        let found: Vec<(u64, u64)> = {
            let opened = self.view.opened.lock();
            let mut statement = opened.connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert!(found.iter().all(|(counted, rows)| counted == rows), "{found:?}");
        let all: u64 = found.iter().map(|(counted, _)| counted).sum();
        assert_eq!((all, self.status().entries), (self.count_rows(), self.count_rows()));
    }

    fn status(&self) -> ReplayStatus {
        self.view().status(at(BIRTH)).unwrap()
    }
}
