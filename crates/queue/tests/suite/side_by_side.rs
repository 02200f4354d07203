//! Messages that lie side by side in the file are leased and acknowledged together, and no others with them.

use std::time::Duration;

use brine_queue::{DeadLetters as _, Queue as _, Retry};
use brine_records::Settled;

use crate::conformance::{QueueSite as _, ack_all, all};
use crate::sqlite_site::SqliteSite;

#[test]
fn what_was_lost_among_others_is_not_acknowledged_with_them() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    queue.publish(&[b"one", b"two", b"three"]).unwrap();
    let found = all(&mut queue);
    let leases: Vec<_> = found.iter().map(|found| &found.lease).collect();
    let back = Retry::untried(Duration::ZERO, "again");
    assert_eq!(queue.retry(&leases[1..2], back).unwrap(), [Settled::Done]);
    assert_eq!(queue.ack(&leases).unwrap(), [Settled::Done, Settled::Lost, Settled::Done]);
    let left = all(&mut queue);
    assert_eq!(left.iter().map(|left| left.content.as_slice()).collect::<Vec<_>>(), [b"two"]);
    assert_eq!(queue.status().unwrap().acknowledged, 2);
}

#[test]
fn a_lease_that_is_given_twice_acknowledges_once() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    queue.publish(&[b"one", b"two"]).unwrap();
    let found = all(&mut queue);
    let [one, two] = [0, 1].map(|index| &found[index].lease);
    let settled = queue.ack(&[one, two, one, two]).unwrap();
    assert_eq!(settled, [Settled::Done, Settled::Done, Settled::Lost, Settled::Lost]);
    assert_eq!(queue.status().unwrap().acknowledged, 2);
}

#[test]
fn messages_of_another_queue_that_lie_between_stay_there() {
    let site = SqliteSite::new();
    let (mut one, mut other) = (site.open("one"), site.open("other"));
    for _ in 0..3 {
        one.publish(&[b"x", b"y"]).unwrap();
        other.publish(&[b"x", b"y"]).unwrap();
    }
    assert_eq!(ack_all(&mut one), [Settled::Done; 6]);
    assert_eq!(other.status().unwrap().ready, 6);
    assert_eq!(ack_all(&mut other), [Settled::Done; 6]);
    assert_eq!(one.status().unwrap().ready + other.status().unwrap().ready, 0);
}
