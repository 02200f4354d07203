//! Swaps that fail, that others were faster with, and whose answers are lost.

use super::*;
use crate::ledger::tests::{DAY, LedgerSteps as _, key, named, numbered};
use brine_core::Classified as _;

fn block(count: u64) -> Vec<Subject> {
    (0..count).map(|seq| numbered(1, seq, BIRTH)).collect()
}

#[test]
fn a_block_in_order_takes_four_calls_of_the_store() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    store.calls();
    let leases = ledger.take_all(&block(256), BIRTH);
    assert_eq!(store.calls(), (1, 1), "reserving");
    assert_eq!(ledger.renew_many(&leases, at(BIRTH)).unwrap(), [Settled::Done; 256]);
    assert_eq!(store.calls(), (1, 0), "renewing what is as new");
    assert_eq!(ledger.renew_many(&leases, at(BIRTH + 9)).unwrap(), [Settled::Done; 256]);
    assert_eq!(store.calls(), (1, 1), "renewing");
    assert_eq!(ledger.commit_many(&leases, at(BIRTH)).unwrap(), [Settled::Done; 256]);
    assert_eq!(store.calls(), (1, 1), "committing");
    let found = ledger.reserve_many(&block(256), at(BIRTH)).unwrap();
    assert!(found.iter().all(|one| matches!(one, Reservation::Replayed)));
    assert_eq!(store.calls(), (1, 0), "looking");
    let channel = store.keys().into_iter().find(|key| key.starts_with("c.")).unwrap();
    assert!(store.value(&channel).len() < 64, "{}", store.value(&channel).len());
}

#[test]
fn several_names_are_looked_up_at_once() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    store.calls();
    let names: Vec<_> = (0..9).map(|name| named(name, BIRTH, BIRTH + DAY)).collect();
    let leases = ledger.take_all(&names, BIRTH);
    assert_eq!(store.calls(), (1, 9));
    assert_eq!(ledger.commit_many(&leases, at(BIRTH)).unwrap(), [Settled::Done; 9]);
    assert_eq!(store.calls(), (1, 9));
    // What is given back leaves nothing behind.
    let before = store.keys();
    for subject in [named(100, BIRTH, BIRTH + DAY), numbered(9, 0, BIRTH)] {
        assert_eq!(ledger.ask(&subject, BIRTH), "fresh");
    }
    assert_eq!(store.keys(), before);
}

/// Two consumers read the same value, and one is faster.
#[test]
fn of_two_that_reserve_at_once_one_does() {
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        let store = new_store();
        let (mut slow, mut quick) = (open(&store, BIRTH), open(&store, BIRTH));
        let work = move || quick.handle_one(&subject, BIRTH);
        store.plan([Fault::Meanwhile(Box::new(work))]);
        assert_eq!(slow.ask(&subject, BIRTH), "replayed", "{subject:?}");
    }
}

/// What others do in a channel does not disturb a commit, and what they take over does.
#[test]
fn of_two_that_settle_at_once_each_does_its_own() {
    let store = new_store();
    let (mut one, mut other) = (open(&store, BIRTH), open(&store, BIRTH));
    let subjects = block(4);
    let mine = one.take_all(&subjects[..2], BIRTH);
    let late = BIRTH + LEASE_SECONDS;
    let (taken, next) = (subjects[1], subjects[3]);
    let work = move || {
        other.handle_one(&taken, late);
        other.handle_one(&next, late);
    };
    store.plan([Fault::Meanwhile(Box::new(work))]);
    assert_eq!(one.commit_many(&mine, at(late)).unwrap(), [Settled::Done, Settled::Lost]);
    assert_eq!(one.missing_from(key(1), &[1; 16]).unwrap(), 1);
    assert_eq!(one.ask(&subjects[2], late), "fresh");
}

#[test]
fn whoever_is_never_first_gives_up() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        store.plan([Fault::Conflict]);
        assert_eq!(ledger.ask(&subject, BIRTH), "failed: replay-locked");
        store.plan([]);
        let lease = ledger.take(&subject, BIRTH);
        store.plan([Fault::Conflict]);
        let error = ledger.commit_many(std::slice::from_ref(&lease), at(BIRTH)).unwrap_err();
        assert_eq!(error.reason(), "replay-locked");
        store.plan([]);
        assert_eq!(ledger.commit_one(&lease, BIRTH), Settled::Done);
    }
}

#[test]
fn a_commit_whose_answer_was_lost_is_done_when_it_is_tried_again() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    let names = [named(1, BIRTH, BIRTH + DAY), named(2, BIRTH, BIRTH + DAY)];
    // Every second number: the leases take ten ranges.
    let gaps: Vec<_> = (0..10).map(|seq| numbered(1, 2 * seq, BIRTH)).collect();
    for subjects in [&block(1)[..], &gaps[1..], &names] {
        let leases = ledger.take_all(subjects, BIRTH);
        store.plan([Fault::AnswerLost]);
        let error = ledger.commit_many(&leases, at(BIRTH)).unwrap_err();
        assert_eq!(error.reason(), "replay-database");
        let settled = ledger.commit_many(&leases, at(BIRTH)).unwrap();
        assert!(settled.iter().all(|one| *one == Settled::Done), "{settled:?}");
        // By another consumer of the same process, too, and not for one lease more.
        let settled = open(&store, BIRTH).commit_many(&leases, at(BIRTH)).unwrap();
        assert!(settled.iter().all(|one| *one == Settled::Done), "{settled:?}");
        for subject in subjects {
            assert_eq!(ledger.ask(subject, BIRTH), "replayed");
        }
    }
}

/// A commit that did not arrive, and whose records others handled since, is lost when it is tried again.
#[test]
fn a_commit_that_was_lost_is_not_taken_for_done() {
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        let store = new_store();
        let (mut slow, mut quick) = (open(&store, BIRTH), open(&store, BIRTH));
        let lease = slow.take(&subject, BIRTH);
        store.plan([Fault::Lost]);
        let error = slow.commit_many(std::slice::from_ref(&lease), at(BIRTH)).unwrap_err();
        assert_eq!(error.reason(), "replay-database");
        quick.handle_one(&subject, BIRTH + LEASE_SECONDS);
        assert_eq!(slow.commit_one(&lease, BIRTH + LEASE_SECONDS), Settled::Lost);
    }
}

/// A commit over two values that fails at the second one is finished when it is tried again.
#[test]
fn a_commit_that_was_half_done_is_finished() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    let subjects = [numbered(1, 0, BIRTH), numbered(2, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)];
    let leases = ledger.take_all(&subjects, BIRTH);
    store.plan([Fault::None, Fault::Lost]);
    let error = ledger.commit_many(&leases, at(BIRTH)).unwrap_err();
    assert_eq!(error.reason(), "replay-database");
    assert_eq!(ledger.commit_many(&leases, at(BIRTH)).unwrap(), [Settled::Done; 3]);
    for subject in &subjects {
        assert_eq!(ledger.ask(subject, BIRTH), "replayed");
    }
}

/// Nobody works under a lease whose giving failed: the same consumer takes it again, and others once it ran out.
#[test]
fn a_lease_whose_answer_was_lost_keeps_only_others_waiting() {
    let store = new_store();
    let (mut ledger, mut other) = (open(&store, BIRTH), open(&store, BIRTH));
    let subjects = [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)];
    for subject in &subjects {
        store.plan([Fault::AnswerLost]);
        assert_eq!(ledger.ask(subject, BIRTH), "failed: replay-database");
        assert_eq!(other.ask(subject, BIRTH), "replay-busy");
        assert_eq!(ledger.ask(subject, BIRTH), "fresh");
    }
    // The first of two was reserved, the second was not.
    store.plan([Fault::None, Fault::Lost]);
    assert_eq!(ledger.reserve_many(&subjects, at(BIRTH)).unwrap_err().reason(), "replay-database");
    assert_eq!(other.ask(&subjects[0], BIRTH), "replay-busy");
    assert_eq!(ledger.take_all(&subjects, BIRTH).len(), 2);
    let late = BIRTH + LEASE_SECONDS;
    for subject in &subjects {
        assert_eq!(other.ask(subject, late), "fresh");
    }
}

/// A consumer that meets others at every second attempt has all it asked for, once.
#[test]
fn an_attempt_that_is_repeated_reserves_once() {
    let store = new_store();
    let (mut ledger, mut other) = (open(&store, BIRTH), open(&store, BIRTH));
    let subjects = [numbered(1, 0, BIRTH), numbered(2, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)];
    let work = move || other.handle_one(&numbered(2, 1, BIRTH), BIRTH);
    store.plan([Fault::None, Fault::Meanwhile(Box::new(work))]);
    store.calls();
    let leases = ledger.take_all(&subjects, BIRTH);
    // The other one asked and swapped twice. What was reserved by the first attempt is not written again.
    assert_eq!(store.calls(), (2 + 2, 4 + 2));
    assert_eq!(ledger.commit_many(&leases, at(BIRTH)).unwrap(), [Settled::Done; 3]);
}
