//! What does not fit is refused, and nothing makes way for it.

use brine_core::{Class, Classified as _};

use super::*;
use crate::ledger::tests::{DAY, LedgerSteps as _, named, numbered};

#[test]
fn a_channel_full_of_gaps_takes_only_what_touches_others() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    ledger.limits.ranges = 3;
    for seq in [0, 10, 20] {
        ledger.handle_one(&numbered(1, seq, BIRTH), BIRTH);
    }
    for seq in [30, 12] {
        let refused = ledger.reserve_one(&numbered(1, seq, BIRTH), BIRTH).into_lease().unwrap_err();
        assert_eq!((refused.reason(), refused.class()), ("replay-channel-full", Class::Untrusted));
    }
    for seq in [0, 10, 20] {
        assert_eq!(ledger.ask(&numbered(1, seq, BIRTH), BIRTH), "replayed");
    }
    // The next number, and one that closes half a gap; another channel is not concerned.
    for subject in [numbered(1, 21, BIRTH), numbered(1, 9, BIRTH), numbered(2, 5, BIRTH)] {
        ledger.handle_one(&subject, BIRTH);
    }
    // A day later what is too old makes room, once the ledger knows how late it is.
    let later = BIRTH + DAY + 61;
    ledger.handle_one(&numbered(1, 22, later), later);
    ledger.handle_one(&numbered(1, 30, later), later);
}

/// Leases that ran out make way. Whoever finds that all hold waits for the first that ends.
#[test]
fn a_channel_has_so_many_leases() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    ledger.limits.held = 2;
    let early = ledger.take(&numbered(1, 0, BIRTH), BIRTH);
    let _second = ledger.take(&numbered(1, 10, BIRTH), BIRTH + 10);
    let third = numbered(1, 20, BIRTH);
    let Reservation::Busy { until } = ledger.reserve_one(&third, BIRTH + 20) else { panic!() };
    assert_eq!(until, at(BIRTH + LEASE_SECONDS));
    let late = BIRTH + LEASE_SECONDS;
    ledger.handle_one(&third, late);
    assert_eq!(ledger.commit_one(&early, late), Settled::Lost, "it made way");
    assert_eq!(ledger.ask(&numbered(1, 0, BIRTH), late), "fresh");
}

/// However the numbers are settled, the value stays within its bound.
#[test]
fn a_channel_has_so_many_numbers_under_leases() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    ledger.limits.numbers = 10;
    let block: Vec<_> = (0..8).map(|seq| numbered(1, seq, BIRTH)).collect();
    let leases = ledger.take_all(&block, BIRTH);
    let more: Vec<_> = (8..11).map(|seq| numbered(1, seq, BIRTH)).collect();
    let found = ledger.reserve_many(&more, at(BIRTH)).unwrap();
    assert!(found.iter().all(|one| matches!(one, Reservation::Busy { .. })), "{found:?}");
    ledger.take_all(&more[..2], BIRTH);
    assert_eq!(ledger.commit_many(&leases, at(BIRTH)).unwrap(), [Settled::Done; 8]);
    assert_eq!(ledger.ask(&more[2], BIRTH), "fresh");
}

/// A lease that is longer than a record is young holds the record.
#[test]
fn a_value_is_kept_as_long_as_it_is_under_a_lease() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    ledger.options.lease = Duration::from_secs(9 * DAY);
    let subjects = [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10)];
    let leases = ledger.take_all(&subjects, BIRTH);
    store.pass(at(BIRTH + 9 * DAY + 299));
    assert_eq!(ledger.commit_many(&leases, at(BIRTH)).unwrap(), [Settled::Done; 2]);
}

/// The youngest record of a channel counts, also while it is being handled.
#[test]
fn a_channel_is_kept_for_its_youngest_record() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    ledger.handle_one(&numbered(1, 0, BIRTH), BIRTH);
    let lease = ledger.take(&numbered(1, 5, BIRTH + 3600), BIRTH + 3600);
    ledger.handle_one(&numbered(1, 9, BIRTH + 10), BIRTH + 3600);
    store.pass(at(BIRTH + 2 * DAY + 900 + 3599));
    assert_eq!(ledger.commit_one(&lease, BIRTH + 3600), Settled::Done);
}

/// What is kept, and for how long.
#[test]
fn values_are_kept_as_long_as_they_are_needed() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    let subjects =
        [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10), named(2, BIRTH, BIRTH + 9 * DAY)];
    for subject in &subjects {
        ledger.handle_one(subject, BIRTH);
    }
    let kept = |now| {
        store.pass(at(now));
        store.keys().len()
    };
    let (idle, step) = (DAY + 600, 300);
    let cases = [
        (BIRTH + idle - 1, 5),
        // The clock, then the name that expires, then what is too old.
        (BIRTH + idle, 4),
        (BIRTH + 70 + idle + step - 1, 4),
        (BIRTH + 70 + idle + step, 3),
        (BIRTH + DAY + idle + step - 1, 3),
        (BIRTH + DAY + idle + step, 1),
        (BIRTH + 1000 * DAY, 1),
    ];
    for (now, expected) in cases {
        assert_eq!(kept(now), expected, "{}", now - BIRTH);
    }
}
