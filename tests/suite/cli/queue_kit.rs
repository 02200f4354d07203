//! What tests of queues share: lines that name one, and the queue as whoever can write its file opens it.

use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_queue::{QueueError, QueueName, QueueOptions, SqliteQueue};

use crate::common::{Person, SystemClock};

/// The queue that `URL` stands for in a line.
pub(super) const URL: &str = "sqlite:q?queue=work";

pub(super) fn run(person: &Person, line: &str) -> Output {
    person.shell(&line.replace("URL", &format!("'{URL}'"))).output().unwrap()
}

/// Runs a line that does its work, and returns what it writes.
#[track_caller]
pub(super) fn done(person: &Person, line: &str) -> String {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Opens a queue as somebody does who can write the file and has no key.
pub(super) fn open_queue(person: &Person, name: &str) -> Result<SqliteQueue, QueueError> {
    let name = QueueName::new(name).unwrap();
    let options = QueueOptions::default();
    SqliteQueue::open(&person.path("q"), &name, options, Arc::new(SystemClock))
}

pub(super) fn opened(person: &Person, name: &str) -> SqliteQueue {
    open_queue(person, name).unwrap()
}

pub(super) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
