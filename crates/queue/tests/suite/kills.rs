//! A consumer is killed at each step, and the next one finds what it must.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use brine_core::Classified as _;
use brine_queue::{AnyQueue, DeadLetters as _, Queue as _, ReceiveBounds};
use brine_records::{Ledger as _, ReplayError, Subject};
use brine_testkit::key;

use crate::conformance::{LONG, all, one};
use crate::records::{signed, verified};
use crate::worker::{BATCH, Worker, in_file, open_queue, system_now};

const LEASE: Duration = Duration::from_secs(1);

/// What the next consumer finds: how often the message was delivered, whether it was begun, and what the ledger says.
type Found = (u64, bool, &'static str);

#[test]
fn a_consumer_that_is_killed_loses_nothing_and_nothing_is_handled_after_its_commit() {
    let cases: [(&str, Option<Found>); 7] = [
        ("published", Some((1, false, "fresh"))),
        ("received", Some((2, false, "fresh"))),
        ("reserved", Some((2, false, "fresh"))),
        ("committed", Some((2, false, "replayed"))),
        ("acknowledged", None),
        ("begun", Some((2, true, "replayed"))),
        ("done", None),
    ];
    thread::scope(|scope| {
        for (step, expected) in cases {
            scope.spawn(move || assert_eq!(found_after(step), expected, "{step}"));
        }
    });
}

#[test]
fn a_publisher_that_is_killed_has_published_all_or_none_of_a_batch_and_what_was_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let [path, log] = ["queue", "log"].map(|name| directory.path().join(name));
    let url = in_file(&path);
    let mut queue = open_queue(&url, LONG);
    for pause in [0, 1, 10, 100] {
        fs::write(&log, "").unwrap();
        let mut publisher = Worker::start("publish", &url, LONG, &log);
        publisher.wait_until_there();
        thread::sleep(Duration::from_millis(pause));
        publisher.kill();
        let confirmed = fs::read_to_string(&log).unwrap().lines().count();
        let mut batches: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        loop {
            let found = all(&mut queue);
            if found.is_empty() {
                break;
            }
            for delivery in found {
                *batches.entry(delivery.content).or_default() += 1;
            }
        }
        // The last one may have been published and not confirmed.
        assert!([confirmed, confirmed + 1].contains(&batches.len()), "{confirmed} {batches:?}");
        assert!(batches.values().all(|messages| *messages == BATCH), "{batches:?}");
    }
}

/// Kills a consumer at a step, and returns what the next one finds.
fn found_after(step: &str) -> Option<Found> {
    let directory = tempfile::tempdir().unwrap();
    let url = in_file(&directory.path().join("queue"));
    let mut queue = open_queue(&url, LEASE);
    queue.publish(&[&signed(&key(1), 0, system_now(), b"work")]).unwrap();
    let log = directory.path().join("log");
    fs::write(&log, "").unwrap();
    let mut worker = Worker::start(step, &url, LEASE, &log);
    worker.wait_until_there();
    worker.kill();
    // What the worker has published is there, whatever became of it.
    assert_eq!(queue.status().unwrap().sent, 2);
    if matches!(step, "acknowledged" | "done") {
        assert_eq!(queue.status().unwrap().acknowledged, 1);
        assert_eq!(one(&mut queue).content, b"another");
        // Until that comes again, everything comes that the worker had.
        assert_eq!(one(&mut queue).content, b"another");
        return None;
    }
    Some(next(&mut queue))
}

/// Waits for the record, and returns what is known of it.
fn next(queue: &mut AnyQueue) -> Found {
    loop {
        let found = queue.receive(ReceiveBounds::ONE, LONG).unwrap().remove(0);
        if found.content == b"another" {
            continue;
        }
        let subject = Subject::of(&verified(found.content, system_now())).unwrap();
        let mut ledger = queue.ledger().unwrap();
        loop {
            let reserved = ledger.reserve_many(&[subject], system_now()).unwrap().remove(0);
            let reason = match reserved.into_lease() {
                Ok(_) => "fresh",
                // The record was reserved later than the message was received.
                Err(ReplayError::Busy { .. }) => {
                    thread::sleep(Duration::from_millis(100));
                    continue;
                }
                Err(error) => error.reason(),
            };
            return (found.attempt, found.begun, reason);
        }
    }
}
