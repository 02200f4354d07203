//! Processes that the tests start, and kill. They are this test program, with one test of its own.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use brine_core::time::ClockBefore1970;
use brine_core::{Clock, Expectations, Timestamp, open};
use brine_queue::{
    AnyLedger, AnyQueue, Queue as _, QueueBirth, QueueError, QueueOptions, ReceiveBounds,
    RefusedMessage, Retry, ServerSecrets, Standing,
};
use brine_records::{Ledger as _, Reservation, Settled, Subject};
use brine_testkit::signers;

use crate::conformance::{LONG, one};
use crate::records::verified;

/// The clock of the system, which processes share.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        Timestamp::from_system(SystemTime::now())
    }
}

pub(crate) fn system_now() -> Timestamp {
    SystemClock.now().unwrap()
}

/// Returns the URL of the queue of the tests with processes that is in this file.
pub(crate) fn in_file(path: &Path) -> String {
    format!("sqlite:{}?queue=q", path.to_str().unwrap())
}

/// Opens the queue of the tests with processes, as soon as its server is there.
pub(crate) fn open_queue(url: &str, lease: Duration) -> AnyQueue {
    let birth = QueueBirth::AcceptOlder;
    let busy_timeout = Duration::from_secs(60);
    let options = QueueOptions { birth, lease, busy_timeout, ..QueueOptions::default() };
    let (url, clock) = (url.parse().unwrap(), Arc::new(SystemClock));
    insist(|| AnyQueue::open(&url, &ServerSecrets::default(), options, clock.clone()))
}

/// Does something until the server answers.
pub(crate) fn insist<T>(mut work: impl FnMut() -> Result<T, QueueError>) -> T {
    let begun = Instant::now();
    loop {
        match work() {
            Err(error) if error.may_pass() && begun.elapsed() < LONG * 2 => {}
            done => return done.unwrap(),
        }
    }
}

/// Returns nothing if the server did not answer.
fn unless_away<T>(done: Result<T, QueueError>) -> Option<T> {
    match done {
        Err(error) if error.may_pass() => None,
        done => Some(done.unwrap()),
    }
}

/// A process that can be killed. It is killed at the latest when this is dropped.
pub(crate) struct Worker(Child);

impl Worker {
    pub(crate) fn start(task: &str, url: &str, lease: Duration, log: &Path) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "worker::works", "--ignored", "--nocapture"])
            .env(TASK, task)
            .env(QUEUE, url)
            .env(LEASE_SECONDS, lease.as_secs().to_string())
            .env(LOG, log)
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// Waits until the process is where it is to be killed.
    pub(crate) fn wait_until_there(&mut self) {
        let output = BufReader::new(self.0.stdout.as_mut().unwrap());
        assert!(output.lines().any(|line| line.unwrap().ends_with(THERE)));
    }

    /// Kills the process with SIGKILL. It must still be at work.
    pub(crate) fn kill(&mut self) {
        let ended = self.0.try_wait().unwrap();
        assert!(ended.is_none(), "it ended by itself: {ended:?}");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What every message of a soak holds.
pub(crate) const PAYLOAD: &[u8] = b"work";

/// How many messages a publisher publishes together. They hold the same.
pub(crate) const BATCH: usize = 20;

const TASK: &str = "BRINE_TEST_WORKER_TASK";
const QUEUE: &str = "BRINE_TEST_WORKER_QUEUE";
const LEASE_SECONDS: &str = "BRINE_TEST_WORKER_LEASE_SECONDS";
const LOG: &str = "BRINE_TEST_WORKER_LOG";
const THERE: &str = "the worker is there";

#[test]
#[ignore = "a process that other tests start"]
fn works() {
    let Ok(task) = env::var(TASK) else { return };
    let lease = Duration::from_secs(env::var(LEASE_SECONDS).unwrap().parse().unwrap());
    let queue = open_queue(&env::var(QUEUE).unwrap(), lease);
    match task.as_str() {
        "publish" => publish(queue, env::var_os(LOG).unwrap().as_ref()),
        "consume" => consume(queue, env::var_os(LOG).unwrap().as_ref()),
        step => go_to(step, queue),
    }
}

/// Handles a message up to a step, and stays there.
fn go_to(step: &str, mut queue: AnyQueue) {
    let stay = |at: &str| {
        if at == step {
            println!("{THERE}");
            std::thread::sleep(LONG * 10);
        }
    };
    queue.publish(&[b"another"]).unwrap();
    stay("published");
    let found = one(&mut queue);
    stay("received");
    let mut ledger = queue.ledger().unwrap();
    let subject = Subject::of(&verified(found.content, system_now())).unwrap();
    let reserve = ledger.reserve_many(&[subject], system_now()).unwrap().remove(0);
    let lease = reserve.into_lease().unwrap();
    stay("reserved");
    match step {
        "committed" => {
            assert_eq!(ledger.commit_many(&[lease], system_now()).unwrap(), [Settled::Done]);
            stay("committed");
        }
        "acknowledged" => {
            assert_eq!(queue.commit_and_ack(&[(&found.lease, &lease)]).unwrap(), [Settled::Done]);
            stay("acknowledged");
        }
        _ => {
            assert_eq!(queue.begin(&found.lease, &lease).unwrap(), Settled::Done);
            stay("begun");
            assert_eq!(queue.ack(&[&found.lease]).unwrap(), [Settled::Done]);
            stay("done");
        }
    }
    panic!("there is no step {step}");
}

/// Publishes batches until the process is killed, and notes each that was confirmed.
fn publish(mut queue: AnyQueue, log: &Path) {
    let mut log = OpenOptions::new().append(true).open(log).unwrap();
    println!("{THERE}");
    for number in 0.. {
        let message = number.to_string();
        queue.publish(&[message.as_bytes(); BATCH]).unwrap();
        note(&mut log, "confirmed", number);
    }
}

/// Handles messages until the process is killed: a message is handled by a line in the log.
fn consume(mut queue: AnyQueue, log: &Path) {
    let mut log = OpenOptions::new().append(true).open(log).unwrap();
    let mut ledger = insist(|| queue.ledger());
    loop {
        // What was not settled because the server was away comes again.
        let _ = consume_some(&mut queue, &mut ledger, &mut log);
    }
}

/// Handles what is there; `None` if the server went away meanwhile.
fn consume_some(queue: &mut AnyQueue, ledger: &mut AnyLedger, log: &mut File) -> Option<()> {
    let (expectations, trust) = (Expectations::new(), signers(&[1]));
    let most = ReceiveBounds { bytes: usize::MAX, messages: 16 };
    let (mut subjects, mut messages) = (Vec::new(), Vec::new());
    for found in unless_away(queue.receive(most, LONG))? {
        let verdict = open(found.content);
        match verdict.and_then(|opening| opening.verify(&expectations, &trust, &system_now())) {
            Ok(verified) => {
                subjects.push(Subject::of(&verified).unwrap());
                let seq = verified.header().sequence().unwrap().seq;
                messages.push((found.lease, seq, verified.in_memory() == Some(PAYLOAD)));
            }
            Err(error) => {
                let reason = brine_core::Classified::reason(&error);
                let (detail, standing) = (&error.to_string(), Standing::Unverified);
                let why = RefusedMessage { reason, detail, standing };
                unless_away(queue.dead_letter(&found.lease, &why))?;
            }
        }
    }
    let begun = Instant::now();
    let found = match ledger.reserve_many(&subjects, system_now()) {
        Err(error) if error.is_of_connection() => return None,
        found => found.unwrap(),
    };
    let (mut handled, mut numbers, mut known, mut busy) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (reserved, (lease, number, is_whole)) in found.into_iter().zip(messages) {
        match reserved {
            // A consumer that stood still may have lost its leases, and handles nothing.
            Reservation::Fresh(_) if begun.elapsed() > queue.lease_length() / 2 => {
                busy.push(lease);
            }
            Reservation::Fresh(record) => {
                note(log, if is_whole { "handled" } else { "altered" }, number);
                numbers.push(number);
                handled.push((lease, record));
            }
            Reservation::Replayed => known.push(lease),
            Reservation::Busy { .. } | Reservation::Twin { .. } => busy.push(lease),
            Reservation::Refused(error) => panic!("{error}"),
        }
    }
    let handled: Vec<_> = handled.iter().map(|(lease, record)| (lease, record)).collect();
    let settled = unless_away(queue.commit_and_ack(&handled))?;
    for (number, _) in numbers.iter().zip(settled).filter(|(_, end)| *end == Settled::Done) {
        note(log, "committed", *number);
    }
    unless_away(queue.ack(&known.iter().collect::<Vec<_>>()))?;
    let back = Retry::tried(Duration::from_millis(100), "another consumer has it");
    unless_away(queue.retry(&busy.iter().collect::<Vec<_>>(), back))?;
    Some(())
}

/// Adds a line in one call: such lines do not mix, and none is cut when the process is killed.
fn note(log: &mut File, what: &str, number: u64) {
    log.write_all(format!("{what} {number}\n").as_bytes()).unwrap();
}
