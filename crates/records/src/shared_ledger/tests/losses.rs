//! Stores that lose what they had, and clocks that are behind.

use super::*;
use crate::ledger::tests::{DAY, LedgerSteps as _, named, numbered};
use brine_core::Classified as _;

/// The first call fails, and the second one is answered.
fn ask_twice(ledger: &mut Shared, subject: &Subject, now: u64) -> String {
    assert_eq!(ledger.ask(subject, now), "failed: replay-locked");
    ledger.ask(subject, now)
}

/// The store lost everything: a consumer that was at work makes the ledger anew, and refuses what may have been handled.
#[test]
fn a_ledger_that_is_lost_lets_nothing_in_again() {
    let store = new_store();
    let (mut one, mut other) = (open(&store, BIRTH), open(&store, BIRTH));
    let captured = [
        numbered(1, 0, BIRTH - 100),
        numbered(1, 1, BIRTH + 60),
        named(1, BIRTH + 60, BIRTH + DAY),
    ];
    for subject in &captured {
        one.handle_one(subject, BIRTH);
    }
    let held = one.take_all(&[numbered(1, 2, BIRTH), named(2, BIRTH, BIRTH + DAY)], BIRTH);
    store.lose();
    // Nobody knows whether somebody else reserved them before the loss.
    assert_eq!(one.commit_many(&held, at(BIRTH)).unwrap(), [Settled::Lost; 2]);
    assert_eq!(one.renew_many(&held, at(BIRTH)).unwrap(), [Settled::Lost; 2]);
    // A host whose clock is a leeway behind that of the other one.
    let behind = BIRTH - 60;
    assert_eq!(ask_twice(&mut other, &captured[0], behind), "replay-unknown");
    for now in [BIRTH, BIRTH + 60, BIRTH + 3600] {
        for subject in &captured {
            assert_eq!(one.ask(subject, now), "replay-unknown");
            assert_eq!(other.ask(subject, now), "replay-unknown");
            assert_eq!(open(&store, now).ask(subject, now), "replay-unknown");
        }
    }
    let floor = other.answers_from();
    assert_eq!(floor, at(BIRTH + 121), "by the latest time that it knew");
    let next = numbered(1, 3, floor.unix());
    assert_eq!(one.commit_many(&held, at(BIRTH)).unwrap(), [Settled::Lost; 2]);
    other.handle_one(&next, floor.unix());
    assert_eq!(one.ask(&next, floor.unix()), "replayed");
}

/// Somebody made it anew with a floor that lets old records in. Who was at work raises the floor for all.
#[test]
fn a_ledger_that_another_made_anew_is_held_to_what_was_known() {
    let store = new_store();
    let mut running = open(&store, BIRTH);
    let old = numbered(1, 0, BIRTH + 60);
    running.handle_one(&old, BIRTH);
    store.lose();
    let mut new = open(&store, BIRTH + 5);
    assert_eq!(running.ask(&old, BIRTH + 5), "replay-unknown");
    assert_eq!(running.answers_from(), at(BIRTH + 61));
    running.handle_one(&numbered(1, 1, BIRTH + 61), BIRTH + 61);
    assert_eq!(new.ask(&old, BIRTH + 61), "replay-unknown");
}

/// The ledger knows of what it reserved itself since the latest time was noted.
#[test]
fn a_ledger_that_another_made_anew_is_held_to_what_was_reserved() {
    let store = new_store();
    let mut running = open(&store, BIRTH);
    let old = numbered(1, 0, BIRTH + 260);
    running.handle_one(&old, BIRTH + 200);
    store.lose();
    drop(open(&store, BIRTH + 201));
    assert_eq!(running.ask(&old, BIRTH + 201), "replay-unknown");
    assert_eq!(running.answers_from(), at(BIRTH + 261));
}

/// A store that was restored from a copy has forgotten what came after it.
#[test]
fn a_ledger_that_fell_back_lets_nothing_in_again() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    ledger.handle_one(&numbered(1, 0, BIRTH), BIRTH);
    let restore = store.copy();
    let later = BIRTH + 3600;
    let captured = [numbered(1, 1, later + 60), named(1, later, later + DAY)];
    for subject in &captured {
        ledger.handle_one(subject, later);
    }
    restore(&store);
    assert_eq!(ask_twice(&mut ledger, &captured[0], later), "replay-unknown");
    ledger.handle_one(&numbered(1, 2, later + 61), later + 61);
    for subject in &captured {
        assert_eq!(ledger.ask(subject, later + 61), "replay-unknown");
        assert_eq!(open(&store, later).ask(subject, later + 61), "replay-unknown");
    }
}

/// Only the value that says what the ledger is was lost.
#[test]
fn what_is_known_counts_in_a_ledger_that_was_made_anew() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    let lease = ledger.take(&numbered(1, 0, BIRTH), BIRTH);
    ledger.handle_one(&numbered(1, 1, BIRTH), BIRTH);
    store.lose_one("meta");
    let found = try_open(&store, SharedBirth::Existing, BIRTH).map(|_| ());
    assert_eq!(found.unwrap_err().reason(), "replay-missing");
    assert_eq!(ask_twice(&mut ledger, &numbered(1, 1, BIRTH), BIRTH), "replay-unknown");
    // A lease of the ledger that was lost.
    assert_eq!(ledger.commit_one(&lease, BIRTH), Settled::Lost);
}

#[test]
fn two_consumers_make_one_ledger() {
    let store = new_store();
    let (mut one, mut other) = (open(&store, BIRTH), open(&store, BIRTH));
    store.lose();
    let subject = numbered(1, 0, BIRTH + 200);
    for ledger in [&mut one, &mut other] {
        assert_eq!(ledger.ask(&subject, BIRTH + 200), "failed: replay-locked");
    }
    let work = move || drop(other.ask(&subject, BIRTH + 200));
    store.plan([Fault::Meanwhile(Box::new(work))]);
    assert_eq!(one.ask(&subject, BIRTH + 200), "replay-unknown");
    assert_eq!(store.keys(), ["clock", "meta"]);
    assert_eq!(one.ask(&numbered(1, 0, BIRTH + 321), BIRTH + 321), "fresh");
}

#[test]
fn births_have_their_floors() {
    let cases = [
        (SharedBirth::AcceptOlder, 0),
        (SharedBirth::FromNow, BIRTH),
        (SharedBirth::RefuseOlder, BIRTH + 121),
    ];
    for (birth, floor) in cases {
        let ledger = try_open(&new_store(), birth, BIRTH).unwrap();
        assert_eq!(ledger.answers_from(), at(floor), "{birth:?}");
    }
}

/// The latest time is written now and then, and before anything is reserved.
#[test]
fn the_latest_time_is_noted_in_steps() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    store.calls();
    ledger.handle_one(&numbered(1, 0, BIRTH), BIRTH + 300);
    assert_eq!(store.calls(), (2, 2));
    ledger.handle_one(&numbered(1, 1, BIRTH), BIRTH + 301);
    assert_eq!(store.calls(), (2, 4), "the clock and the meta value, too");
    // A host that is behind by more than a step.
    let before = BIRTH + 301 - DAY - 1;
    let error = ledger.reserve_many(&[numbered(1, 2, before)], at(BIRTH)).unwrap_err();
    assert_eq!(error.reason(), "replay-clock");
}

/// Nobody used the ledger, so nobody raised the latest time, and the store forgot all records. Its clock went with them,
/// or before them: a host whose clock stood still is noticed by that.
#[test]
fn a_clock_that_stood_still_as_long_as_nobody_was_there_lets_nothing_in_again() {
    let captured = [
        numbered(1, 0, BIRTH + 60),
        named(1, BIRTH, BIRTH + 10),
        named(2, BIRTH + 60, BIRTH + 10 * DAY),
    ];
    for hours in 0..100 {
        let store = new_store();
        let mut ledger = open(&store, BIRTH);
        for subject in &captured {
            ledger.handle_one(subject, BIRTH);
        }
        store.pass(at(BIRTH + hours * 3600));
        for subject in &captured {
            let found = ledger.ask(subject, BIRTH);
            let known = ["replayed", "failed: replay-clock"];
            assert!(known.contains(&&*found), "{subject:?} after {hours} hours: {found}");
        }
        if hours > 25 {
            assert_eq!(ledger.ask(&captured[0], BIRTH), "failed: replay-clock");
        }
    }
    // Whoever comes after that with a clock that is right is not held up.
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    let later = BIRTH + 9 * DAY;
    store.pass(at(later));
    assert_eq!(ledger.ask(&numbered(1, 1, later - DAY), later), "fresh");
    assert_eq!(ledger.ask(&numbered(1, 1, BIRTH), BIRTH), "failed: replay-clock");
}

/// The clock of the ledger is written before the value beside it. In between, the next one to come finishes it.
#[test]
fn a_time_that_was_half_noted_is_noted() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    let later = BIRTH + 20 * 3600;
    store.plan([Fault::None, Fault::Lost]);
    let subject = numbered(1, 0, later);
    assert_eq!(ledger.ask(&subject, later), "failed: replay-database");
    store.calls();
    ledger.handle_one(&subject, later);
    assert_eq!(store.calls(), (2, 4), "the clock and the meta value, too");
    // Nobody finished it, and the clock went: no more time has passed than it stood for.
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    store.plan([Fault::None, Fault::Lost]);
    assert_eq!(ledger.ask(&subject, later), "failed: replay-database");
    let last = later + DAY + 600;
    store.pass(at(last));
    assert!(!store.keys().contains(&"clock".to_owned()));
    assert_eq!(ledger.ask(&numbered(1, 0, later + 600), last), "fresh");
}
