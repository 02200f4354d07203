//! Dead letters of queues on NATS are bounded.

use brine_core::Classified as _;
use brine_queue::{
    Buried, DeadLetterBounds, DeadLetters as _, DeadMessage, NatsQueue, Queue as _, QueueOptions,
    RefusedMessage, Standing,
};
use brine_records::{DeadLetter, Settled};

use crate::conformance::{LEASE, QueueSite as _, all, one};
use crate::nats_site::NatsSite;

/// What a dead letter takes beside its bytes.
const ROW: u64 = 256;

const fn why(standing: Standing) -> RefusedMessage<'static> {
    RefusedMessage { reason: "some-reason", detail: "text", standing }
}

fn bounded(site: &NatsSite, unverified: u64, verified: u64) -> NatsQueue {
    let dead_letters = DeadLetterBounds { unverified, verified };
    site.try_open("q", QueueOptions { dead_letters, ..NatsSite::options() }).unwrap()
}

/// Strangers can send as much as they like: a sample is kept, and all are counted.
#[test]
fn what_never_verified_is_sampled_and_counted() {
    const KEPT: u64 = 8;
    const SENT: u8 = 120;
    let Some(site) = NatsSite::new() else { return };
    let mut queue = bounded(&site, KEPT * (100 + ROW) + 1, 0);
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
    assert_eq!((status.ready, status.held, status.acknowledged), (0, 0, 0));
    // One that leaves makes room.
    assert!(queue.discard(dead[0].number).unwrap());
    queue.publish(&[&[0; 100]]).unwrap();
    let lease = one(&mut queue).lease;
    let buried = queue.dead_letter(&lease, &why(Standing::Unverified)).unwrap();
    assert_eq!(buried, Buried::Done(DeadLetter::Kept));
    assert_eq!(queue.status().unwrap().dead, KEPT);
}

#[test]
fn what_is_larger_than_all_room_for_strangers_is_dropped_and_counted() {
    let Some(site) = NatsSite::new() else { return };
    let mut queue = bounded(&site, 2 * ROW, 0);
    queue.publish(&[b"", &[1; 300], b"", b""]).unwrap();
    let found = all(&mut queue);
    let buried: Vec<_> = found
        .into_iter()
        .map(|found| queue.dead_letter(&found.lease, &why(Standing::Unverified)).unwrap())
        .collect();
    let (kept, dropped) = (DeadLetter::Kept, DeadLetter::Dropped);
    assert_eq!(buried, [kept, dropped, kept, dropped].map(Buried::Done));
    let status = queue.status().unwrap();
    assert_eq!((status.dead, status.refused), (2, vec![("some-reason".to_owned(), 4)]));
    site.let_pass(LEASE);
    assert!(all(&mut queue).is_empty());
}

#[test]
fn a_full_store_of_verified_dead_letters_stops_the_consumer_and_loses_nothing() {
    let Some(site) = NatsSite::new() else { return };
    let mut queue = bounded(&site, 0, 100 + ROW);
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

/// A dead letter that is queued again is the same message, and can die again.
#[test]
fn a_dead_letter_that_is_revived_gives_back_its_room() {
    let Some(site) = NatsSite::new() else { return };
    let mut queue = bounded(&site, 0, 100 + ROW);
    queue.publish(&[&[1; 100]]).unwrap();
    for _ in 0..3 {
        let lease = one(&mut queue).lease;
        let buried = queue.dead_letter(&lease, &why(Standing::Verified)).unwrap();
        assert_eq!(buried, Buried::Done(DeadLetter::Kept));
        let number = queue.dead_letters(0, 1).unwrap()[0].number;
        assert!(queue.revive(number).unwrap());
    }
    let found = one(&mut queue);
    assert_eq!((found.content, found.attempt), (vec![1; 100], 1));
    assert_eq!(queue.ack(&[&found.lease]).unwrap(), [Settled::Done]);
    let status = queue.status().unwrap();
    assert_eq!((status.sent, status.acknowledged, status.dead), (1, 1, 0));
}
