//! Reserve, handle, commit; who was replaced; what numbers are known.

use super::*;

every_ledger! {
    a_lease_from_the_future_is_a_clock_that_was_set_back
    a_lease_that_is_renewed_does_not_run_out
    a_lease_that_ran_out_commits_if_nobody_was_there
    a_lease_that_was_taken_over_is_not_renewed
    a_record_is_handled_once
    a_record_that_is_given_back_is_fresh_at_once
    channels_and_keys_are_apart
    copies_in_one_call_are_one_record
    each_record_of_a_batch_has_an_end_of_its_own
    gaps_are_what_was_never_handled
    nothing_is_done_with_nothing
    the_largest_number_is_as_good_as_any
    the_newest_first_leaves_no_gap
    who_was_replaced_cannot_commit
}

fn a_record_is_handled_once<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10)] {
        let lease = ledger.take(&subject, BIRTH);
        assert_eq!(ledger.ask(&subject, BIRTH), "replay-busy");
        assert_eq!(ledger.commit_one(&lease, BIRTH), Settled::Done);
        assert_eq!(ledger.ask(&subject, BIRTH), "replayed");
        // Nor by a process that comes later.
        assert_eq!(place.reopen(BIRTH).ask(&subject, BIRTH), "replayed");
        // What is done cannot be given back or renewed.
        assert_eq!(ledger.give_back_one(&lease, BIRTH), Settled::Lost);
        assert_eq!(ledger.renew_many(&[lease], at(BIRTH)).unwrap(), [Settled::Lost]);
        assert_eq!(ledger.ask(&subject, BIRTH), "replayed");
    }
}

fn a_record_that_is_given_back_is_fresh_at_once<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10)] {
        let lease = ledger.take(&subject, BIRTH);
        assert_eq!(ledger.give_back_one(&lease, BIRTH), Settled::Done);
        let second = ledger.take(&subject, BIRTH);
        assert_eq!(ledger.commit_one(&lease, BIRTH), Settled::Lost);
        assert_eq!(ledger.commit_one(&second, BIRTH), Settled::Done);
    }
}

fn who_was_replaced_cannot_commit<P: LedgerPlace>() {
    let place = P::new();
    let mut slow = place.open(BIRTH);
    let mut quick = place.reopen(BIRTH);
    let until = BIRTH + LEASE_SECONDS;
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        let first = slow.take(&subject, BIRTH);
        assert_eq!(quick.ask(&subject, until - 1), "replay-busy");
        let second = quick.take(&subject, until);
        // Before the new owner has committed, and after.
        assert_eq!(slow.commit_one(&first, until), Settled::Lost);
        assert_eq!(slow.give_back_one(&first, until), Settled::Lost);
        assert_eq!(quick.ask(&subject, until), "replay-busy");
        assert_eq!(quick.commit_one(&second, until), Settled::Done);
        assert_eq!(slow.commit_one(&first, until), Settled::Lost);
        assert_eq!(slow.ask(&subject, until), "replayed");
    }
    assert_eq!(quick.missing_from(key(1), &[1; 16]).unwrap(), 0);
}

fn a_lease_that_ran_out_commits_if_nobody_was_there<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        let lease = ledger.take(&subject, BIRTH);
        assert_eq!(ledger.commit_one(&lease, BIRTH + 10 * LEASE_SECONDS), Settled::Done);
    }
}

/// A batch is one range under a lease; some of it is lost, some given back, some committed.
fn each_record_of_a_batch_has_an_end_of_its_own<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let subjects: Vec<_> = (0..10).map(|seq| numbered(1, seq, BIRTH)).collect();
    let leases = ledger.take_all(&subjects, BIRTH);

    let late = BIRTH + LEASE_SECONDS;
    ledger.handle_one(&subjects[4], late);
    assert_eq!(ledger.give_back_one(&leases[7], late), Settled::Done);
    let settled = ledger.commit_many(&leases, at(late)).unwrap();
    for (seq, settled) in settled.iter().enumerate() {
        let expected = if [4, 7].contains(&seq) { Settled::Lost } else { Settled::Done };
        assert_eq!(*settled, expected, "{seq}");
    }
    assert_eq!(ledger.ask(&subjects[7], late), "fresh");
    assert_eq!(ledger.missing_from(key(1), &[1; 16]).unwrap(), 1);
}

fn copies_in_one_call_are_one_record<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let subjects = [
        numbered(1, 5, BIRTH),
        named(5, BIRTH, BIRTH + 1),
        numbered(1, 5, BIRTH),
        numbered(2, 5, BIRTH),
        named(5, BIRTH, BIRTH + 1),
        numbered(1, 5, BIRTH),
    ];
    let found = ledger.reserve_many(&subjects, at(BIRTH)).unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|found| match found {
            Reservation::Fresh(_) => "fresh",
            Reservation::Twin { of: 0 } => "twin of 0",
            Reservation::Twin { of: 1 } => "twin of 1",
            _ => "other",
        })
        .collect();
    assert_eq!(shown, ["fresh", "fresh", "twin of 0", "fresh", "twin of 1", "twin of 0"]);
}

fn the_newest_first_leaves_no_gap<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for seq in (0..200).rev() {
        ledger.handle_one(&numbered(1, seq, BIRTH), BIRTH);
    }
    assert_eq!(ledger.missing_from(key(1), &[1; 16]).unwrap(), 0);
    for seq in 0..200 {
        assert_eq!(ledger.ask(&numbered(1, seq, BIRTH), BIRTH), "replayed");
    }
}

/// A process that forks draws a new channel; one that forgets to loses records, and repeats none.
fn channels_and_keys_are_apart<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for seq in 0..3 {
        ledger.handle_one(&numbered(1, seq, BIRTH), BIRTH);
        ledger.handle_one(&numbered(2, seq, BIRTH), BIRTH);
    }
    ledger.handle_one(&by(2, numbered(1, 0, BIRTH)), BIRTH);
    ledger.handle_one(&named(7, BIRTH, BIRTH + DAY), BIRTH);
    ledger.handle_one(&by(2, named(7, BIRTH, BIRTH + DAY)), BIRTH);
    assert_eq!(ledger.ask(&numbered(1, 1, BIRTH), BIRTH), "replayed");
    assert_eq!(ledger.ask(&by(2, numbered(1, 1, BIRTH)), BIRTH), "fresh");
}

fn gaps_are_what_was_never_handled<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for seq in [3, 4, 9] {
        ledger.handle_one(&numbered(1, seq, BIRTH), BIRTH);
    }
    let _held = ledger.take(&numbered(1, 6, BIRTH), BIRTH);
    assert_eq!(ledger.missing_from(key(1), &[1; 16]).unwrap(), 7);
    assert_eq!(ledger.missing_from(key(2), &[1; 16]).unwrap(), 0);
}

fn the_largest_number_is_as_good_as_any<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let last = u64::MAX >> 1;
    for seq in [last, last - 2, last - 1] {
        ledger.handle_one(&numbered(1, seq, BIRTH), BIRTH);
        assert_eq!(ledger.ask(&numbered(1, seq, BIRTH), BIRTH), "replayed");
    }
    assert_eq!(ledger.missing_from(key(1), &[1; 16]).unwrap(), last - 2);
}

/// A lease that is renewed lasts from then on as long as a new one, for others too.
fn a_lease_that_is_renewed_does_not_run_out<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let mut other = place.reopen(BIRTH);
    let subjects = [
        numbered(1, 0, BIRTH),
        numbered(1, 1, BIRTH),
        numbered(1, 5, BIRTH),
        numbered(2, 7, BIRTH),
        named(1, BIRTH, BIRTH + DAY),
    ];
    let leases = ledger.take_all(&subjects, BIRTH);
    let mut now = BIRTH;
    for _ in 0..5 {
        now += LEASE_SECONDS - 1;
        assert_eq!(ledger.renew_many(&leases, at(now)).unwrap(), [Settled::Done; 5]);
        for subject in &subjects {
            assert_eq!(other.ask(subject, now + LEASE_SECONDS - 1), "replay-busy");
        }
    }
    assert_eq!(ledger.commit_many(&leases, at(now)).unwrap(), [Settled::Done; 5]);
    assert_eq!(ledger.renew_many(&leases, at(now)).unwrap(), [Settled::Lost; 5]);
}

/// Renewing tells which leases others have taken over, and takes none back.
fn a_lease_that_was_taken_over_is_not_renewed<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    let mut other = place.reopen(BIRTH);
    let subjects: Vec<_> = (0..5)
        .map(|seq| numbered(1, seq, BIRTH))
        .chain([named(1, BIRTH, BIRTH + DAY), named(2, BIRTH, BIRTH + DAY)])
        .collect();
    let leases = ledger.take_all(&subjects, BIRTH);
    let late = BIRTH + LEASE_SECONDS;
    let taken = [2, 6].map(|index| other.take(&subjects[index], late));
    let renewed = ledger.renew_many(&leases, at(late + 1)).unwrap();
    for (index, settled) in renewed.into_iter().enumerate() {
        let expected = if [2, 6].contains(&index) { Settled::Lost } else { Settled::Done };
        assert_eq!(settled, expected, "{index}");
    }
    assert_eq!(other.commit_many(&taken, at(late + 2)).unwrap(), [Settled::Done; 2]);
    // One that ran out and that nobody has taken is as good as new.
    assert_eq!(other.ask(&subjects[0], late + LEASE_SECONDS), "replay-busy");
}

fn a_lease_from_the_future_is_a_clock_that_was_set_back<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        let first = ledger.take(&subject, BIRTH + 500);
        assert_eq!(ledger.ask(&subject, BIRTH + 500 - 60), "replay-busy");
        let second = ledger.take(&subject, BIRTH + 500 - 61);
        assert_eq!(ledger.commit_one(&first, BIRTH), Settled::Lost);
        assert_eq!(ledger.commit_one(&second, BIRTH), Settled::Done);
    }
}

fn nothing_is_done_with_nothing<P: LedgerPlace>() {
    let place = P::new();
    let mut ledger = place.open(BIRTH);
    assert_eq!(ledger.reserve_many(&[], at(BIRTH)).unwrap().len(), 0);
    assert_eq!(ledger.commit_many(&[], at(BIRTH)).unwrap(), []);
    assert_eq!(ledger.give_back_many(&[], at(BIRTH)).unwrap(), []);
    assert_eq!(ledger.renew_many(&[], at(BIRTH)).unwrap(), []);
}
