//! What tests of queues share: lines that name one, and the queue as whoever can write its file opens it.

use std::process::{Child, Output, Stdio};
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

/// Starts `brine`, which goes on until it is ended. Its standard error is for whoever reads it.
pub(super) fn start(person: &Person, arguments: &[&str], errors: impl Into<Stdio>) -> Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_brine"));
    command.args(arguments).env("BRINE_HOME", person.home_path("")).current_dir(person.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
}

pub(super) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
