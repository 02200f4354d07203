//! Messages that are answered, and queues that are deleted.

use std::time::Duration;

use brine_core::Classified as _;
use brine_queue::{
    Answered, DeadLetters as _, Queue as _, QueueBirth, QueueName, ReceiveBounds,
    SqliteQueueOptions,
};

use crate::conformance::QueueSite as _;
use crate::sqlite_site::SqliteSite;

fn name(text: &str) -> QueueName {
    QueueName::new(text).unwrap()
}

/// There is never an answer without its acknowledgement, or the other way round.
#[test]
fn an_answer_is_published_with_the_acknowledgement_or_not_at_all() {
    let site = SqliteSite::new();
    let (mut work, mut answers) = (site.open("work"), site.open("answers"));
    work.publish(&[b"one", b"two"]).unwrap();
    let mut found =
        work.receive(ReceiveBounds { messages: 2, ..ReceiveBounds::ONE }, Duration::ZERO).unwrap();
    let (two, one) = (found.pop().unwrap().lease, found.pop().unwrap().lease);

    assert_eq!(work.answer(&one, &name("none"), b"1").unwrap(), Answered::NoQueue);
    assert_eq!(work.status().unwrap().held, 2);
    assert_eq!(work.answer(&one, &name("answers"), b"1").unwrap(), Answered::Done);
    assert_eq!(work.answer(&one, &name("answers"), b"again").unwrap(), Answered::Lost);
    // The lease of the other runs out, and somebody else has it.
    site.clock.step(3600);
    let again = work.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap().remove(0);
    assert_eq!(work.answer(&two, &name("answers"), b"late").unwrap(), Answered::Lost);
    assert_eq!(work.answer(&again.lease, &name("answers"), b"2").unwrap(), Answered::Done);

    let found = answers
        .receive(ReceiveBounds { messages: 9, ..ReceiveBounds::ONE }, Duration::ZERO)
        .unwrap();
    let found: Vec<_> = found.into_iter().map(|answer| answer.content).collect();
    assert_eq!(found, [b"1", b"2"]);
    let status = work.status().unwrap();
    assert_eq!((status.ready, status.held, status.acknowledged), (0, 0, 2));
    let huge = vec![0; brine_queue::MAX_MESSAGE_BYTES + 1];
    let refused = work.answer(&again.lease, &name("answers"), &huge).unwrap_err();
    assert_eq!(refused.reason(), "too-large");
}

/// Whoever has it open finds no other queue in its place.
#[test]
fn a_deleted_queue_is_gone_for_those_who_have_it_open() {
    let site = SqliteSite::new();
    let mut kept = site.open("kept");
    kept.publish(&[b"kept"]).unwrap();
    let (mut open, queue) = (site.open("q"), site.open("q"));
    open.publish(&[b"one", b"two"]).unwrap();
    queue.remove().unwrap();
    assert_eq!(open.publish(&[b"three"]).unwrap_err().reason(), "queue-missing");
    let existing = SqliteQueueOptions { birth: QueueBirth::Existing, ..SqliteSite::options() };
    assert_eq!(site.try_open("q", existing).unwrap_err().reason(), "queue-missing");
    let mut other = site.open("other");
    assert_eq!(open.publish(&[b"three"]).unwrap_err().reason(), "queue-missing");
    assert!(open.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap().is_empty());
    assert_eq!((other.status().unwrap().ready, kept.status().unwrap().ready), (0, 1));
}
