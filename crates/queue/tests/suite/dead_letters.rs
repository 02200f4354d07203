//! Dead letters of a queue in a file are bounded.

use std::time::Duration;

use brine_core::Classified as _;
use brine_queue::{
    Buried, DeadLetterBounds, DeadLetters as _, DeadMessage, Queue as _, QueueOptions,
    RefusedMessage, Standing,
};
use brine_records::DeadLetter;
use rusqlite::Connection;

use crate::conformance::{LEASE, QueueSite as _, all, one};
use crate::sqlite_site::SqliteSite;

/// What a dead letter takes beside its bytes.
const ROW: u64 = 256;

const fn why(standing: Standing) -> RefusedMessage<'static> {
    RefusedMessage { reason: "some-reason", detail: "text", standing }
}

fn bounded(unverified: u64, verified: u64) -> QueueOptions {
    let dead_letters = DeadLetterBounds { unverified, verified };
    QueueOptions { dead_letters, ..SqliteSite::options() }
}

fn bodies(site: &SqliteSite) -> u64 {
    let connection = Connection::open(site.path()).unwrap();
    connection.query_row("SELECT count(*) FROM body", [], |row| row.get(0)).unwrap()
}

/// Strangers can send as much as they like: a sample is kept, and all are counted.
#[test]
fn what_never_verified_is_sampled_and_counted() {
    const KEPT: u64 = 8;
    const SENT: u8 = 200;
    let site = SqliteSite::new();
    let mut queue = site.try_open("q", bounded(KEPT * (100 + ROW) + 1, 0)).unwrap();
    let mut kept = 0;
    for number in 0..SENT {
        queue.publish(&[&[number; 100]]).unwrap();
        let lease = one(&mut queue).lease;
        match queue.dead_letter(&lease, &why(Standing::Unverified)).unwrap() {
            Buried::Done(DeadLetter::Kept) => kept += 1,
            Buried::Done(DeadLetter::Dropped) => {}
            Buried::Lost => panic!("{number}"),
        }
    }
    let dead = queue.dead_letters(0, 1000).unwrap();
    assert_eq!(u64::try_from(dead.len()).unwrap(), KEPT);
    assert_eq!(bodies(&site), KEPT);
    // Once there is no room, each costs one: itself, or another.
    assert_eq!(kept, KEPT);
    // The first ones are not kept for ever, and not every later one takes the place of one before it.
    let mut content = |letter: &DeadMessage| queue.dead_content(letter.number).unwrap().unwrap()[0];
    let sample: Vec<u64> = dead.iter().map(|letter| content(letter).into()).collect();
    assert!(sample.iter().any(|number| *number >= KEPT), "{sample:?}");
    assert!(sample.iter().any(|number| *number < u64::from(SENT) - KEPT), "{sample:?}");
    let status = queue.status().unwrap();
    let refused = [("some-reason".to_owned(), u64::from(SENT))];
    assert_eq!((status.dead, status.refused.as_slice()), (KEPT, &refused[..]));
    // One that leaves makes room.
    assert!(queue.discard(dead[0].number).unwrap());
    queue.publish(&[&[0; 100]]).unwrap();
    let lease = one(&mut queue).lease;
    let buried = queue.dead_letter(&lease, &why(Standing::Unverified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Kept));
    assert_eq!(queue.status().unwrap().dead, KEPT);
}

#[test]
fn empty_messages_of_strangers_take_room_as_well() {
    let site = SqliteSite::new();
    let mut queue = site.try_open("q", bounded(2 * ROW, 0)).unwrap();
    queue.publish(&[&b""[..]; 5]).unwrap();
    for found in all(&mut queue) {
        queue.dead_letter(&found.lease, &why(Standing::Unverified)).unwrap();
    }
    assert_eq!(queue.dead_letters(0, 10).unwrap().len(), 2);
}

#[test]
fn what_is_larger_than_all_room_for_strangers_is_dropped_and_counted() {
    let site = SqliteSite::new();
    let mut queue = site.try_open("q", bounded(2 * ROW, 0)).unwrap();
    queue.publish(&[b"", &[1; 300]]).unwrap();
    let found = all(&mut queue);
    let buried: Vec<_> = found
        .into_iter()
        .map(|found| queue.dead_letter(&found.lease, &why(Standing::Unverified)).unwrap())
        .collect();
    assert_eq!(buried, [DeadLetter::Kept, DeadLetter::Dropped].map(Buried::Done));
    assert_eq!(queue.status().unwrap().refused, [("some-reason".to_owned(), 2)]);
    assert_eq!(bodies(&site), 1);
}

#[test]
fn a_full_store_of_verified_dead_letters_stops_the_consumer_and_loses_nothing() {
    let site = SqliteSite::new();
    let mut queue = site.try_open("q", bounded(0, 100 + ROW)).unwrap();
    queue.publish(&[&[1; 100], &[2; 100]]).unwrap();
    let lease = one(&mut queue).lease;
    let buried = queue.dead_letter(&lease, &why(Standing::Verified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Kept));
    let lease = one(&mut queue).lease;
    let error = queue.dead_letter(&lease, &why(Standing::Verified)).unwrap_err();
    assert_eq!(error.reason(), "queue-dead-letters-full");
    let status = queue.status().unwrap();
    assert_eq!((status.held, status.dead), (1, 1));
    assert_eq!(status.refused, [("some-reason".to_owned(), 1)]);
    site.let_pass(LEASE);
    let again = one(&mut queue);
    assert_eq!(again.content, [2; 100]);
    // Room is made by who looks after dead letters.
    let number = queue.dead_letters(0, 1).unwrap()[0].number;
    assert!(queue.discard(number).unwrap());
    let buried = queue.dead_letter(&again.lease, &why(Standing::Verified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Kept));
}

#[test]
fn a_long_reason_is_cut() {
    let site = SqliteSite::new();
    let mut queue = site.open("q");
    queue.publish(&[b"1"]).unwrap();
    let lease = one(&mut queue).lease;
    let detail = "ü".repeat(5000);
    let why = RefusedMessage { detail: &detail, ..why(Standing::Verified) };
    queue.dead_letter(&lease, &why).unwrap();
    assert_eq!(queue.dead_letters(0, 1).unwrap()[0].detail, "ü".repeat(1024));
    assert!(queue.receive(brine_queue::ReceiveBounds::ONE, Duration::ZERO).unwrap().is_empty());
}
