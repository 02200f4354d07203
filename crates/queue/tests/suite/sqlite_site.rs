//! A directory for queues in files, with a clock that the test turns.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use brine_core::Timestamp;
use brine_queue::{QueueBirth, QueueError, QueueName, QueueOptions, SqliteQueue};
use brine_testkit::{SteppingClock, now};
use tempfile::TempDir;

use crate::conformance::{LEASE, QueueSite};

pub(crate) struct SqliteSite {
    pub(crate) directory: TempDir,
    pub(crate) clock: SteppingClock,
}

impl SqliteSite {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), clock: SteppingClock::new(now()) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("queue")
    }

    pub(crate) fn options() -> QueueOptions {
        let (birth, lease) = (QueueBirth::AcceptOlder, LEASE);
        QueueOptions { birth, lease, ..QueueOptions::default() }
    }

    pub(crate) fn try_open(
        &self,
        name: &str,
        options: QueueOptions,
    ) -> Result<SqliteQueue, QueueError> {
        let name = QueueName::new(name).unwrap();
        SqliteQueue::open(&self.path(), &name, options, Arc::new(self.clock.clone()))
    }
}

impl QueueSite for SqliteSite {
    type Queue = SqliteQueue;

    fn open(&self, name: &str) -> SqliteQueue {
        self.try_open(name, Self::options()).unwrap()
    }

    fn open_existing(&self, name: &str) -> Result<SqliteQueue, QueueError> {
        self.try_open(name, QueueOptions { birth: QueueBirth::Existing, ..Self::options() })
    }

    fn now(&self) -> Timestamp {
        brine_core::Clock::now(&self.clock).unwrap()
    }

    fn let_pass(&self, length: Duration) {
        // A lease can last a second longer than it must.
        self.clock.step(length.as_secs() + 1);
    }
}

crate::conforms!(SqliteSite::new());
