//! What every queue does together with its ledger. These rules are a part of the conformance suite.

use std::time::Duration;

use brine_core::{
    Expectations, Sequence, SigningKey, Statement, Timestamp, Unique, Verified, open, sign,
};
use brine_queue::{Buried, DeadLetters as _, Queue, RefusedMessage, Retry, Standing};
use brine_records::{DeadLetter, Ledger, Reservation, Settled, Subject};
use brine_testkit::{key, signers};

use crate::conformance::{LEASE, QueueSite, all, one, outlast};

/// Signs record number `seq` of a channel.
pub(crate) fn signed(key: &SigningKey, seq: u64, at: Timestamp, payload: &[u8]) -> Vec<u8> {
    let sequence = Some(Sequence { channel: [9; 16], seq });
    let statement = Statement::at(at).unique(Unique { sequence, ..Unique::draw().unwrap() });
    sign(&statement, key, payload).unwrap().to_bytes()
}

pub(crate) fn verified(envelope: Vec<u8>, at: Timestamp) -> Verified {
    open(envelope).unwrap().verify(&Expectations::new(), &signers(&[1]), &at).unwrap()
}

pub(crate) fn subject<S: QueueSite>(site: &S, envelope: Vec<u8>) -> Subject {
    Subject::of(&verified(envelope, site.now())).unwrap()
}

pub(crate) fn record<S: QueueSite>(site: &S, seq: u64) -> Vec<u8> {
    signed(&key(1), seq, site.now(), b"work")
}

fn reserve<S: QueueSite, L: Ledger>(
    site: &S,
    ledger: &mut L,
    envelope: Vec<u8>,
) -> Reservation<L::Lease> {
    let subject = subject(site, envelope);
    ledger.reserve_many(&[subject], site.now()).unwrap().remove(0)
}

pub(crate) fn fresh<S: QueueSite, L: Ledger>(
    site: &S,
    ledger: &mut L,
    envelope: Vec<u8>,
) -> L::Lease {
    reserve(site, ledger, envelope).into_lease().unwrap()
}

/// Why a record is not the caller's.
pub(crate) fn reason<S: QueueSite, L: Ledger>(
    site: &S,
    ledger: &mut L,
    envelope: Vec<u8>,
) -> &'static str {
    match reserve(site, ledger, envelope).into_lease() {
        Ok(lease) => {
            assert_eq!(ledger.give_back_many(&[lease], site.now()).unwrap(), [Settled::Done]);
            "fresh"
        }
        Err(error) => brine_core::Classified::reason(&error),
    }
}

pub(crate) fn a_record_counts_once_however_often_it_is_sent<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    let envelope = record(site, 0);
    queue.publish(&[&envelope, &envelope]).unwrap();
    let mut ledger = queue.ledger().unwrap();
    let found = one(&mut queue);
    let lease = fresh(site, &mut ledger, found.content);
    assert_eq!(queue.commit_and_ack(&[(&found.lease, &lease)]).unwrap(), [Settled::Done]);
    let copy = one(&mut queue);
    assert_eq!(reason(site, &mut ledger, copy.content), "replayed");
    assert_eq!(queue.ack(&[&copy.lease]).unwrap(), [Settled::Done]);
    site.let_pass(LEASE);
    assert!(all(&mut queue).is_empty());
    // A capture that somebody puts back.
    queue.publish(&[&envelope]).unwrap();
    assert_eq!(reason(site, &mut site.open("q").ledger().unwrap(), envelope), "replayed");
}

/// The consumer dies between the commit and the acknowledgement, which not every queue has in one transaction.
pub(crate) fn a_record_that_was_committed_before_a_crash_is_known_afterwards<S: QueueSite>(
    site: &S,
) {
    let mut queue = site.open("q");
    queue.publish(&[&record(site, 0)]).unwrap();
    let found = one(&mut queue);
    let mut ledger = queue.ledger().unwrap();
    let lease = fresh(site, &mut ledger, found.content);
    assert_eq!(ledger.commit_many(&[lease], site.now()).unwrap(), [Settled::Done]);
    drop((queue, ledger));
    site.let_pass(LEASE);
    let mut queue = site.open("q");
    let again = one(&mut queue);
    assert_eq!((again.attempt, again.begun), (2, false));
    assert_eq!(reason(site, &mut queue.ledger().unwrap(), again.content), "replayed");
}

pub(crate) fn a_job_that_was_begun_is_delivered_as_begun_and_never_fresh<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[&record(site, 0)]).unwrap();
    let found = one(&mut queue);
    let lease = fresh(site, &mut queue.ledger().unwrap(), found.content);
    assert_eq!(queue.begin(&found.lease, &lease).unwrap(), Settled::Done);
    drop(queue);
    site.let_pass(LEASE);
    let mut queue = site.open("q");
    let again = one(&mut queue);
    assert_eq!((again.attempt, again.begun), (2, true));
    assert_eq!(reason(site, &mut queue.ledger().unwrap(), again.content), "replayed");
    // Handing it back does not undo it.
    assert_eq!(
        queue.retry(&[&again.lease], Retry::tried(Duration::ZERO, "")).unwrap(),
        [Settled::Done]
    );
    let lease = one(&mut queue).lease;
    // Nor does a dead letter forget it.
    let why = RefusedMessage { reason: "interrupted", detail: "", standing: Standing::Verified };
    assert_eq!(queue.dead_letter(&lease, &why).unwrap(), Buried::Done(DeadLetter::Kept));
    let dead = queue.dead_letters(0, 1).unwrap().remove(0);
    assert!(dead.begun);
    assert!(queue.revive(dead.number).unwrap());
    assert!(one(&mut queue).begun);
}

pub(crate) fn a_job_that_was_not_begun_is_fresh_again<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[&record(site, 0)]).unwrap();
    let found = one(&mut queue);
    let _dropped = fresh(site, &mut queue.ledger().unwrap(), found.content);
    drop(queue);
    site.let_pass(LEASE);
    let mut queue = site.open("q");
    let again = one(&mut queue);
    assert!(!again.begun);
    let lease = fresh(site, &mut queue.ledger().unwrap(), again.content);
    assert_eq!(queue.begin(&again.lease, &lease).unwrap(), Settled::Done);
    assert_eq!(queue.ack(&[&again.lease]).unwrap(), [Settled::Done]);
}

/// The lease of the ledger holds, but another consumer was given the message.
pub(crate) fn a_lost_message_commits_no_record<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[&record(site, 0), &record(site, 1)]).unwrap();
    let [first, second] = [one(&mut queue), one(&mut queue)];
    site.let_pass(LEASE);
    let mut other = site.open("q");
    let taken = all(&mut other);
    let mut ledger = queue.ledger().unwrap();
    let lease = fresh(site, &mut ledger, first.content);
    assert_eq!(queue.begin(&first.lease, &lease).unwrap(), Settled::Lost);
    let lease = fresh(site, &mut ledger, second.content);
    assert_eq!(queue.commit_and_ack(&[(&second.lease, &lease)]).unwrap(), [Settled::Lost]);
    site.let_pass(LEASE);
    for found in all(&mut other) {
        assert!(!found.begun);
        assert_eq!(reason(site, &mut ledger, found.content), "fresh");
    }
    drop(taken);
}

/// The message is held, but another consumer has reserved the record, from a copy of the message. What is not lost
/// goes on.
pub(crate) fn a_lost_record_acknowledges_no_message<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    let messages: Vec<_> = (0..3).map(|seq| record(site, seq)).collect();
    queue.publish(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    let found = all(&mut queue);
    let mut ledger = queue.ledger().unwrap();
    let mut leases: Vec<_> =
        messages.iter().map(|envelope| fresh(site, &mut ledger, envelope.clone())).collect();
    outlast(site, &mut queue, &found.iter().map(|found| &found.lease).collect::<Vec<_>>());
    let mut other = queue.ledger().unwrap();
    let _taken = [0, 1].map(|index| fresh(site, &mut other, messages[index].clone()));
    let begun = queue.begin(&found[0].lease, &leases.remove(0)).unwrap();
    assert_eq!(begun, Settled::Lost);
    let handled: Vec<_> = found[1..].iter().map(|found| &found.lease).zip(&leases).collect();
    assert_eq!(queue.commit_and_ack(&handled).unwrap(), [Settled::Lost, Settled::Done]);
    site.let_pass(LEASE);
    let again = all(&mut queue);
    let contents: Vec<_> = again.iter().map(|found| found.content.clone()).collect();
    assert_eq!(contents, messages[..2]);
    assert!(again.iter().all(|found| !found.begun));
}

pub(crate) fn ledgers_of_two_queues_know_nothing_of_each_other<S: QueueSite>(site: &S) {
    let envelope = record(site, 3);
    for name in ["one", "other"] {
        let mut queue = site.open(name);
        queue.publish(&[&envelope]).unwrap();
        let found = one(&mut queue);
        let mut ledger = queue.ledger().unwrap();
        let lease = fresh(site, &mut ledger, found.content);
        assert_eq!(queue.commit_and_ack(&[(&found.lease, &lease)]).unwrap(), [Settled::Done]);
        let missing = ledger.missing_from(key(1).verifying_key().id(), &[9; 16]).unwrap();
        assert_eq!(missing, 3);
    }
}
