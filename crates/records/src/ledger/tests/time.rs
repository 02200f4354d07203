//! Ages, clocks that are set back, births, and what is forgotten.

use super::*;

every_ledger! {
    a_clock_that_is_far_ahead_leaves_nothing_behind_if_it_lets_nothing_in
    a_clock_that_is_set_back_lets_nothing_in_again
    a_clock_that_is_set_back_reserves_nothing
    a_larger_age_does_not_bring_back_what_was_forgotten
    a_name_is_forgotten_when_it_ends
    a_new_ledger_refuses_what_an_older_one_may_have_handled
    how_a_ledger_is_born_is_decided_once
    old_numbers_are_no_gaps
    time_is_judged_here_too
    what_is_forgotten_is_refused_for_its_age
}

fn time_is_judged_here_too<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let oldest = BIRTH - DAY;
    let without = Subject { issued_at: None, ..numbered(1, 0, 0) };
    let endless = Subject { expires: None, ..named(1, BIRTH, 0) };
    let cases = [
        (numbered(1, 0, oldest), "fresh"),
        (numbered(1, 0, oldest - 1), "too-old"),
        (numbered(1, 0, BIRTH + 60), "fresh"),
        (numbered(1, 0, BIRTH + 61), "issued-in-future"),
        (without, "issued-at-missing"),
        (named(1, BIRTH, BIRTH - 59), "fresh"),
        (named(1, BIRTH, BIRTH - 60), "expired"),
        (named(1, oldest - 1, BIRTH), "too-old"),
        (endless, "replay-expiry-missing"),
    ];
    for (subject, expected) in cases {
        assert_eq!(ledger.ask(&subject, BIRTH), expected, "{subject:?}");
    }
}

/// The ledger before this one may have handled, a moment before this one was born, what came from a
/// signer whose clock is a leeway ahead.
fn a_new_ledger_refuses_what_an_older_one_may_have_handled<P: LedgerPlace>() {
    let place = P::new();
    let captured =
        [numbered(1, 0, BIRTH - 100), numbered(1, 1, BIRTH + 60), named(1, BIRTH, BIRTH + DAY)];
    let mut first = place.open(BIRTH);
    for subject in &captured {
        first.handle_one(subject, BIRTH);
    }
    drop(first);
    place.lose();

    let mut second = place.open_with(Birth::RefuseOlder, DAY, BIRTH).unwrap();
    for now in [BIRTH, BIRTH + 60, BIRTH + DAY - 101] {
        for subject in &captured {
            assert_eq!(second.ask(subject, now), "replay-unknown", "{subject:?} at {now}");
        }
    }
    let floor = BIRTH + P::FLOOR;
    assert_eq!(second.ask(&numbered(1, 2, floor - 1), floor), "replay-unknown");
    assert_eq!(second.ask(&numbered(1, 2, floor), floor), "fresh");
}

/// An option that was left in a command changes nothing as long as there is a ledger.
fn how_a_ledger_is_born_is_decided_once<P: LedgerPlace>() {
    let place = P::new();
    drop(place.open_with(Birth::RefuseOlder, DAY, BIRTH).unwrap());
    let mut ledger = place.open(BIRTH + 5);
    assert_eq!(ledger.ask(&numbered(1, 0, BIRTH), BIRTH + 5), "replay-unknown");
    let missing = P::new().open_with(Birth::Existing, DAY, BIRTH).map(|_| ());
    assert_eq!(missing.unwrap_err().reason(), "replay-missing");
}

fn what_is_forgotten_is_refused_for_its_age<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let captured =
        [numbered(1, 0, BIRTH), numbered(1, 2, BIRTH), named(1, BIRTH, BIRTH + 30 * DAY)];
    for subject in &captured {
        ledger.handle_one(subject, BIRTH);
    }
    let last = BIRTH + DAY;
    for now in [last - 3600, last] {
        ledger.handle_one(&numbered(7, now, now), now);
        place.pass(now);
        for subject in &captured {
            assert_eq!(ledger.ask(subject, now), "replayed");
        }
    }
    for now in [last + 1, last + DAY, last + 2 * DAY, last + 10 * DAY] {
        place.pass(now);
        for subject in &captured {
            assert_eq!(ledger.ask(subject, now), "too-old");
        }
    }
}

fn a_clock_that_is_set_back_lets_nothing_in_again<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let captured =
        [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10 * DAY), named(2, BIRTH, BIRTH + 5)];
    for subject in &captured {
        ledger.handle_one(subject, BIRTH);
    }
    let later = BIRTH + 3 * DAY;
    place.pass(later);
    ledger.handle_one(&numbered(7, 0, later), later);
    for subject in &captured {
        assert_eq!(ledger.ask(subject, BIRTH), "failed: replay-clock", "{subject:?}");
    }
    // What is young enough by both clocks is not held up, and what is too old by both is refused.
    assert_eq!(ledger.ask(&numbered(1, 9, later - DAY), later - DAY), "fresh");
    assert_eq!(ledger.ask(&numbered(1, 9, BIRTH - DAY - 1), BIRTH), "too-old");
    // Clocks that disagree as much as they may are no reason to stop.
    for issued in [later - 60 - DAY - 1, later - 60 - DAY, later - DAY - 1] {
        assert_eq!(ledger.ask(&numbered(1, 9, issued), later - 60), "too-old");
    }
    assert_eq!(ledger.ask(&numbered(1, 9, later - DAY), later - 60), "fresh");
}

/// A failure because of the clock leaves the other records of the call alone.
fn a_clock_that_is_set_back_reserves_nothing<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    ledger.handle_one(&numbered(7, 0, BIRTH + 2 * DAY), BIRTH + 2 * DAY);
    let subjects = [numbered(1, 0, BIRTH + DAY), numbered(1, 1, BIRTH)];
    let error = ledger.reserve_many(&subjects, at(BIRTH + DAY)).unwrap_err();
    assert_eq!((error.reason(), error.class()), ("replay-clock", Class::System));
    assert_eq!(ledger.ask(&subjects[0], BIRTH + 2 * DAY), "fresh");
}

fn a_larger_age_does_not_bring_back_what_was_forgotten<P: LedgerPlace>() {
    let place = P::new();
    let captured = [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10 * DAY)];
    let mut ledger = place.open(BIRTH);
    for subject in &captured {
        ledger.handle_one(subject, BIRTH);
    }
    let later = BIRTH + 3 * DAY;
    place.pass(later);
    ledger.handle_one(&numbered(7, 0, later), later);
    drop(ledger);
    let mut ledger = place.open_with(Birth::Existing, 30 * DAY, later).unwrap();
    for subject in &captured {
        let found = ledger.ask(subject, later);
        assert!(["replay-unknown", "too-old"].contains(&&*found), "{found}");
    }
    // What is handled under the larger age is remembered for it, and a smaller one changes nothing.
    drop(ledger);
    let later = later + 200;
    let mut ledger = place.open_with(Birth::Existing, 10, later).unwrap();
    let kept = [numbered(2, 0, later), named(2, later, later + 90 * DAY)];
    for subject in &kept {
        ledger.handle_one(subject, later);
    }
    let last = later + 30 * DAY;
    place.pass(last);
    ledger.handle_one(&numbered(7, 1, last), last);
    for subject in &kept {
        assert_eq!(ledger.ask(subject, last), "replayed");
    }
}

fn a_name_is_forgotten_when_it_ends<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let subject = named(1, BIRTH, BIRTH + 10);
    ledger.handle_one(&subject, BIRTH);
    place.pass(BIRTH + 69);
    assert_eq!(ledger.ask(&subject, BIRTH + 69), "replayed");
    for now in [BIRTH + 70, BIRTH + 3 * DAY] {
        place.pass(now);
        ledger.handle_one(&numbered(7, now, now), now);
        assert_eq!(ledger.ask(&subject, now), "expired");
    }
}

/// Old ranges go one by one; what is counted stays right, and what is forgotten is no gap.
fn old_numbers_are_no_gaps<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for seq in [0, 2, 4] {
        ledger.handle_one(&numbered(1, seq, BIRTH), BIRTH);
    }
    let later = BIRTH + DAY;
    for seq in [6, 8, 3] {
        ledger.handle_one(&numbered(1, seq, later), later);
    }
    assert_eq!(ledger.missing_from(key(1), &[1; 16]).unwrap(), 3);
    // 2 to 4 have become one range with a young record, and are kept for its sake.
    for seq in 9..12 {
        ledger.handle_one(&numbered(1, seq, later + 4000), later + 4000);
    }
    assert_eq!(ledger.missing_from(key(1), &[1; 16]).unwrap(), 3);
    assert_eq!(ledger.ask(&numbered(1, 0, BIRTH), later + 4000), "too-old");
    // Then all but the last range goes, from 8 on, and the gap before it stays.
    let last = later + DAY + 3600;
    for seq in 12..15 {
        ledger.handle_one(&numbered(1, seq, last), last);
    }
    assert_eq!(ledger.missing_from(key(1), &[1; 16]).unwrap(), 1);
}

fn a_clock_that_is_far_ahead_leaves_nothing_behind_if_it_lets_nothing_in<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    ledger.handle_one(&numbered(1, 0, BIRTH), BIRTH);
    let year = BIRTH + 365 * DAY;
    assert_eq!(ledger.ask(&numbered(1, 1, BIRTH), year), "too-old");
    assert_eq!(ledger.ask(&numbered(1, 1, BIRTH), BIRTH), "fresh");
}
