//! Messages that are answered, sent later or taken back, and queues that are deleted. These rules are a part of the
//! conformance suite.

use std::time::Duration;

use brine_core::Classified as _;
use brine_queue::{Answered, DeadLetters as _, Queue, ReceiveBounds, Retry};
use brine_records::Settled;

use crate::conformance::{Ability, LEASE, LONG, QueueSite, ack_all, all, one};
use crate::records::{fresh, reason, record};

/// There is never an acknowledgement without its answer.
pub(crate) fn an_answer_is_published_with_the_acknowledgement_or_not_at_all<S: QueueSite>(
    site: &S,
) {
    let (mut work, mut answers) = (site.open("work"), site.open("answers"));
    work.publish(&[b"one", b"two"]).unwrap();
    let found = all(&mut work);
    let [one, two] = [0, 1].map(|index| &found[index].lease);

    assert_eq!(work.answer(one, &site.queue_name("none"), b"1").unwrap(), Answered::NoQueue);
    assert_eq!(work.status().unwrap().held, 2);
    assert_eq!(work.answer(one, &site.queue_name("answers"), b"1").unwrap(), Answered::Done);
    // The lease of the other runs out, and somebody else has it.
    site.let_pass(LEASE);
    let mut other = site.open("work");
    let again = self::one(&mut other);
    assert_eq!(work.answer(two, &site.queue_name("answers"), b"late").unwrap(), Answered::Lost);
    assert_eq!(
        other.answer(&again.lease, &site.queue_name("answers"), b"2").unwrap(),
        Answered::Done
    );
    let huge = vec![0; work.message_limit() + 1];
    let refused = other.answer(&again.lease, &site.queue_name("answers"), &huge).unwrap_err();
    assert_eq!(refused.reason(), "too-large");

    let found: Vec<_> = all(&mut answers).into_iter().map(|answer| answer.content).collect();
    assert_eq!(found, [b"1", b"2"]);
    let status = work.status().unwrap();
    assert_eq!((status.ready, status.held, status.acknowledged), (0, 0, 2));
}

/// Whoever has it open finds no other queue in its place.
pub(crate) fn a_deleted_queue_is_gone_for_those_who_have_it_open<S: QueueSite>(site: &S) {
    let mut kept = site.open("kept");
    kept.publish(&[b"kept"]).unwrap();
    let (mut open, queue) = (site.open("q"), site.open("q"));
    open.publish(&[b"one", b"two"]).unwrap();
    queue.remove().unwrap();
    assert_eq!(open.publish(&[b"three"]).unwrap_err().reason(), "queue-missing");
    let again = site.open_existing("q").map(|_| ()).unwrap_err();
    assert_eq!(again.reason(), "queue-missing");
    assert!(open.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap().is_empty());
    assert_eq!(kept.status().unwrap().ready, 1);
}

pub(crate) fn a_message_that_is_sent_with_a_delay_waits<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    let _ = queue.send(b"later".to_vec(), LEASE).unwrap();
    let _ = queue.send(b"now".to_vec(), Duration::ZERO).unwrap();
    assert_eq!(one(&mut queue).content, b"now");
    assert!(all(&mut queue).is_empty());
    site.let_pass(LEASE);
    let found = queue.receive(ReceiveBounds { messages: 9, ..ReceiveBounds::ONE }, LONG).unwrap();
    let found = found.iter().find(|found| found.content == b"later").unwrap();
    assert_eq!(found.attempt, 1);
}

pub(crate) fn a_message_is_taken_back_until_it_is_begun<S: QueueSite>(site: &S) {
    let (mut sender, mut worker) = (site.open("q"), site.open("q"));
    let mut ledger = worker.ledger().unwrap();

    let unread = sender.send(record(site, 0), Duration::ZERO).unwrap();
    if !site.can(Ability::TakeBack) {
        assert!(!sender.withdraw(&unread).unwrap());
        assert_eq!(all(&mut worker).len(), 1);
        return;
    }
    assert!(sender.withdraw(&unread).unwrap());
    assert!(!sender.withdraw(&unread).unwrap());
    assert!(all(&mut worker).is_empty());

    // A worker has it, and looks at it. It does not begin.
    let judged = sender.send(record(site, 1), Duration::ZERO).unwrap();
    let found = one(&mut worker);
    let lease = fresh(site, &mut ledger, found.content);
    assert!(sender.withdraw(&judged).unwrap());
    assert_eq!(worker.begin(&found.lease, &lease).unwrap(), Settled::Lost);

    let begun = sender.send(record(site, 2), Duration::ZERO).unwrap();
    let found = one(&mut worker);
    let lease = fresh(site, &mut ledger, found.content);
    assert_eq!(worker.begin(&found.lease, &lease).unwrap(), Settled::Done);
    assert!(!sender.withdraw(&begun).unwrap());
    assert_eq!(worker.ack(&[&found.lease]).unwrap(), [Settled::Done]);
    assert!(!sender.withdraw(&begun).unwrap());

    // Another message can have its number now, and the queue of another name can.
    let later = sender.send(record(site, 3), Duration::ZERO).unwrap();
    assert!(!sender.withdraw(&begun).unwrap());
    assert!(!site.open("other").withdraw(&later).unwrap());
    assert!(sender.withdraw(&later).unwrap());
}

/// A call whose answer was lost is made again, and says that there is no more to do.
pub(crate) fn what_is_settled_is_settled_once<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    let mut ledger = queue.ledger().unwrap();
    let envelope = record(site, 0);
    queue.publish(&[&envelope]).unwrap();
    let found = one(&mut queue);
    let retry = Retry::tried(Duration::ZERO, "busy");
    assert_eq!(queue.retry(&[&found.lease], retry).unwrap(), [Settled::Done]);
    assert_eq!(queue.retry(&[&found.lease], retry).unwrap(), [Settled::Lost]);

    let found = one(&mut queue);
    let record = fresh(site, &mut ledger, found.content);
    assert_eq!(queue.commit_and_ack(&[(&found.lease, &record)]).unwrap(), [Settled::Done]);
    assert_eq!(queue.commit_and_ack(&[(&found.lease, &record)]).unwrap(), [Settled::Lost]);
    assert!(ack_all(&mut queue).is_empty());
    assert_eq!(reason(site, &mut ledger, envelope), "replayed");
}
