//! Messages that their sender takes back, and settling that can be tried again.

use std::time::Duration;

use brine_queue::{Queue as _, ReceiveBounds, Retry};
use brine_records::{Settled, Subject};
use brine_testkit::key;

use crate::conformance::{QueueSite as _, one};
use crate::records::{signed, verified};
use crate::sqlite_site::SqliteSite;

#[test]
fn a_message_is_taken_back_until_it_is_begun() {
    let site = SqliteSite::new();
    let (mut sender, mut worker) = (site.open("q"), site.open("q"));
    let mut ledger = worker.ledger().unwrap();
    let record = |seq| signed(&key(1), seq, site.now(), b"work");
    let mut fresh = |envelope: Vec<u8>| {
        let subject = Subject::of(&verified(envelope, site.now())).unwrap();
        ledger.reserve_many(&[subject], site.now()).unwrap().remove(0).into_lease().unwrap()
    };

    let unread = sender.send(record(0), Duration::ZERO).unwrap();
    assert!(sender.withdraw(&unread).unwrap());
    assert!(!sender.withdraw(&unread).unwrap());
    assert!(worker.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap().is_empty());

    // A worker has it, and looks at it. It does not begin.
    let judged = sender.send(record(1), Duration::ZERO).unwrap();
    let found = one(&mut worker);
    let lease = fresh(found.content);
    assert!(sender.withdraw(&judged).unwrap());
    assert_eq!(worker.begin(&found.lease, lease).unwrap(), Settled::Lost);

    let begun = sender.send(record(2), Duration::ZERO).unwrap();
    let found = one(&mut worker);
    let lease = fresh(found.content);
    assert_eq!(worker.begin(&found.lease, lease).unwrap(), Settled::Done);
    assert!(!sender.withdraw(&begun).unwrap());
    assert_eq!(worker.acknowledge(&found.lease).unwrap(), Settled::Done);
    assert!(!sender.withdraw(&begun).unwrap());

    // Another message has its number now, or the queue of another name has.
    let later = sender.send(record(3), Duration::ZERO).unwrap();
    assert!(!sender.withdraw(&begun).unwrap());
    assert!(!site.open("other").withdraw(&later).unwrap());
    assert!(sender.withdraw(&later).unwrap());
}

#[test]
fn what_is_settled_by_a_lease_that_stays_is_settled_once() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    let mut ledger = queue.ledger().unwrap();
    let envelope = signed(&key(1), 0, site.now(), b"work");
    queue.publish(&[&envelope]).unwrap();
    let found = one(&mut queue);
    let retry = Retry { delay: Duration::ZERO, why: "busy", was_tried: true };
    assert_eq!(queue.try_later(&found.lease, retry).unwrap(), Settled::Done);
    assert_eq!(queue.try_later(&found.lease, retry).unwrap(), Settled::Lost);

    let found = one(&mut queue);
    let subject = Subject::of(&verified(envelope, site.now())).unwrap();
    let record = ledger.reserve(&subject, site.now()).unwrap().into_lease().unwrap();
    assert_eq!(queue.commit_and_acknowledge(&found.lease, &record).unwrap(), Settled::Done);
    assert_eq!(queue.commit_and_acknowledge(&found.lease, &record).unwrap(), Settled::Lost);
    assert!(queue.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap().is_empty());
    let again = ledger.reserve(&subject, site.now()).unwrap().into_lease().unwrap_err();
    assert_eq!(brine_core::Classified::reason(&again), "replayed");
}

#[test]
fn a_message_that_is_sent_with_a_delay_waits() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    let delay = Duration::from_secs(30);
    let _ = queue.send(b"later".to_vec(), delay).unwrap();
    let _ = queue.send(b"now".to_vec(), Duration::ZERO).unwrap();
    assert_eq!(one(&mut queue).content, b"now");
    assert!(queue.receive(ReceiveBounds::ONE, Duration::ZERO).unwrap().is_empty());
    site.let_pass(delay);
    let found = one(&mut queue);
    assert_eq!((found.content.as_slice(), found.attempt), (&b"later"[..], 1));
}
