//! Reserve, handle, commit; who was replaced; what numbers are known.

use super::*;

#[test]
fn a_record_is_handled_once() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10)] {
        let lease = database.fresh(&subject, BIRTH);
        assert_eq!(database.answer(&subject, BIRTH), "replay-busy");
        assert_eq!(database.commit(&lease, at(BIRTH)).unwrap(), Settled::Done);
        assert_eq!(database.answer(&subject, BIRTH), "replayed");
        // Nor by a process that comes later.
        assert_eq!(place.open(DatabaseBirth::Existing, BIRTH).answer(&subject, BIRTH), "replayed");
        // A lease is good for one commit.
        assert_eq!(database.commit(&lease, at(BIRTH)).unwrap(), Settled::Lost);
    }
}

#[test]
fn what_is_given_out_at_once_is_noted_at_once() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let old = BIRTH - DAY - 61;
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10)] {
        let mut give_out = |subject: &Subject| {
            let found = database.reserve_and_commit(subject, at(BIRTH));
            found.map_or_else(|error| error.reason().to_owned(), |()| "fresh".to_owned())
        };
        assert_eq!([give_out(&subject), give_out(&subject)], ["fresh", "replayed"]);
        assert_eq!(give_out(&numbered(9, 0, old)), "too-old");
    }
    let lease = database.fresh(&numbered(2, 0, BIRTH), BIRTH);
    let busy = database.reserve_and_commit(&numbered(2, 0, BIRTH), at(BIRTH)).unwrap_err();
    assert_eq!(busy.reason(), "replay-busy");
    assert_eq!(database.give_back(&lease, at(BIRTH)).unwrap(), Settled::Done);
    database.reserve_and_commit(&numbered(2, 0, BIRTH), at(BIRTH)).unwrap();
    database.assert_counted();
}

#[test]
fn a_record_that_is_given_back_is_fresh_at_once() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10)] {
        let lease = database.fresh(&subject, BIRTH);
        assert_eq!(database.give_back(&lease, at(BIRTH)).unwrap(), Settled::Done);
        let second = database.fresh(&subject, BIRTH);
        assert_eq!(database.commit(&lease, at(BIRTH)).unwrap(), Settled::Lost);
        assert_eq!(database.commit(&second, at(BIRTH)).unwrap(), Settled::Done);
    }
}

#[test]
fn who_was_replaced_cannot_commit() {
    let place = Place::new();
    let mut slow = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let mut quick = place.open(DatabaseBirth::Existing, BIRTH);
    let until = BIRTH + LEASE_SECONDS;
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        let first = slow.fresh(&subject, BIRTH);
        assert_eq!(quick.answer(&subject, until - 1), "replay-busy");
        let second = quick.fresh(&subject, until);
        // Before the new owner has committed, and after.
        assert_eq!(slow.commit(&first, at(until)).unwrap(), Settled::Lost);
        assert_eq!(slow.give_back(&first, at(until)).unwrap(), Settled::Lost);
        assert_eq!(quick.answer(&subject, until), "replay-busy");
        assert_eq!(quick.commit(&second, at(until)).unwrap(), Settled::Done);
        assert_eq!(slow.commit(&first, at(until)).unwrap(), Settled::Lost);
        assert_eq!(slow.answer(&subject, until), "replayed");
    }
    assert_eq!(quick.status().seen, 1);
}

#[test]
fn a_lease_that_ran_out_commits_if_nobody_was_there() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + DAY)] {
        let lease = database.fresh(&subject, BIRTH);
        let late = at(BIRTH + 10 * LEASE_SECONDS);
        assert_eq!(database.commit(&lease, late).unwrap(), Settled::Done);
    }
}

/// A batch is one row of leases; some of it is lost, some given back, some committed.
#[test]
fn each_record_of_a_batch_has_an_end_of_its_own() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let subjects: Vec<_> = (0..10).map(|seq| numbered(1, seq, BIRTH)).collect();
    let leases = database.reserve_many(&subjects, at(BIRTH)).unwrap();
    let leases: Vec<_> = leases.into_iter().map(|found| found.into_lease().unwrap()).collect();
    assert_eq!(database.status().leases, 10);
    assert_eq!(database.count_rows(), 2, "a channel and one lease");

    let late = BIRTH + LEASE_SECONDS;
    database.handle(&subjects[4], late);
    assert_eq!(database.give_back(&leases[7], at(late)).unwrap(), Settled::Done);
    let settled = database.commit_many(&leases, at(late)).unwrap();
    for (seq, settled) in settled.iter().enumerate() {
        let expected = if [4, 7].contains(&seq) { Settled::Lost } else { Settled::Done };
        assert_eq!(*settled, expected, "{seq}");
    }
    assert_eq!(database.answer(&subjects[7], late), "fresh");
    assert_eq!(database.view().gaps(key(1), &[1; 16]).unwrap(), [NumberSpan { first: 7, last: 7 }]);
    assert_eq!(database.status().entries, database.count_rows());
}

#[test]
fn copies_in_one_call_are_one_record() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let subjects = [
        numbered(1, 5, BIRTH),
        named(5, BIRTH, BIRTH + 1),
        numbered(1, 5, BIRTH),
        numbered(2, 5, BIRTH),
        named(5, BIRTH, BIRTH + 1),
        numbered(1, 5, BIRTH),
    ];
    let found = database.reserve_many(&subjects, at(BIRTH)).unwrap();
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

#[test]
fn the_newest_first_takes_one_range() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for seq in (0..200).rev() {
        database.handle(&numbered(1, seq, BIRTH), BIRTH);
    }
    let status = database.status();
    assert_eq!((status.ranges, status.seen, status.missing), (1, 200, 0));
    for seq in 0..200 {
        assert_eq!(database.answer(&numbered(1, seq, BIRTH), BIRTH), "replayed");
    }
}

/// A process that forks draws a new channel; one that forgets to loses records, and repeats none.
#[test]
fn channels_and_keys_are_apart() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for seq in 0..3 {
        database.handle(&numbered(1, seq, BIRTH), BIRTH);
        database.handle(&numbered(2, seq, BIRTH), BIRTH);
    }
    let other = Identity::Sequenced(key(2), Sequence { channel: [1; 16], seq: 0 });
    database.handle(&Subject { identity: other, ..numbered(1, 0, BIRTH) }, BIRTH);
    assert_eq!(database.answer(&numbered(1, 1, BIRTH), BIRTH), "replayed");
    assert_eq!(database.status().channels, 3);
}

#[test]
fn gaps_are_what_was_never_handled() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for seq in [3, 4, 9] {
        database.handle(&numbered(1, seq, BIRTH), BIRTH);
    }
    let _held = database.fresh(&numbered(1, 6, BIRTH), BIRTH);
    let gaps = database.view().gaps(key(1), &[1; 16]).unwrap();
    assert_eq!(gaps, [NumberSpan { first: 0, last: 2 }, NumberSpan { first: 5, last: 8 }]);
    let mut seen = Vec::new();
    database.view().channels(at(BIRTH), |channel| seen.push(channel)).unwrap();
    let [channel] = seen[..] else { panic!("{seen:?}") };
    assert_eq!((channel.highest, channel.missing, channel.leases), (Some(9), 7, 1));
    assert_eq!((channel.seen, channel.ranges, channel.key), (3, 2, key(1)));
    assert_eq!(database.view().gaps(key(2), &[1; 16]).unwrap(), []);
}

#[test]
fn the_largest_number_is_as_good_as_any() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let last = u64::MAX >> 1;
    for seq in [last, last - 2, last - 1] {
        database.handle(&numbered(1, seq, BIRTH), BIRTH);
        assert_eq!(database.answer(&numbered(1, seq, BIRTH), BIRTH), "replayed");
    }
    assert_eq!(
        database.view().gaps(key(1), &[1; 16]).unwrap(),
        [NumberSpan { first: 0, last: last - 3 }]
    );
    assert_eq!(database.status().missing, last - 2);
}

/// A lease that is renewed lasts from then on as long as a new one, for others too.
#[test]
fn a_lease_that_is_renewed_does_not_run_out() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let mut other = place.open(DatabaseBirth::Existing, BIRTH);
    let subjects = [
        numbered(1, 0, BIRTH),
        numbered(1, 1, BIRTH),
        numbered(1, 5, BIRTH),
        numbered(2, 7, BIRTH),
        named(1, BIRTH, BIRTH + DAY),
    ];
    let found = database.reserve_many(&subjects, at(BIRTH)).unwrap();
    let leases: Vec<_> = found.into_iter().map(|one| one.into_lease().unwrap()).collect();
    let mut now = BIRTH;
    for _ in 0..5 {
        now += LEASE_SECONDS - 1;
        assert_eq!(database.renew_many(&leases, at(now)).unwrap(), [Settled::Done; 5]);
        for subject in &subjects {
            assert_eq!(other.answer(subject, now + LEASE_SECONDS - 1), "replay-busy");
        }
    }
    assert_eq!(database.commit_many(&leases, at(now)).unwrap(), [Settled::Done; 5]);
    assert_eq!(database.renew_many(&leases, at(now)).unwrap(), [Settled::Lost; 5]);
}

/// Renewing tells which leases others have taken over, and takes none back.
#[test]
fn a_lease_that_was_taken_over_is_not_renewed() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let mut other = place.open(DatabaseBirth::Existing, BIRTH);
    let subjects: Vec<_> = (0..5)
        .map(|seq| numbered(1, seq, BIRTH))
        .chain([named(1, BIRTH, BIRTH + DAY), named(2, BIRTH, BIRTH + DAY)])
        .collect();
    let found = database.reserve_many(&subjects, at(BIRTH)).unwrap();
    let leases: Vec<_> = found.into_iter().map(|one| one.into_lease().unwrap()).collect();
    let late = BIRTH + LEASE_SECONDS;
    let taken = [2, 6].map(|index| other.fresh(&subjects[index], late));
    let renewed = database.renew_many(&leases, at(late + 1)).unwrap();
    for (index, settled) in renewed.into_iter().enumerate() {
        let expected = if [2, 6].contains(&index) { Settled::Lost } else { Settled::Done };
        assert_eq!(settled, expected, "{index}");
    }
    assert_eq!(other.commit_many(&taken, at(late + 2)).unwrap(), [Settled::Done; 2]);
    // One that ran out and that nobody has taken is as good as new.
    assert_eq!(other.answer(&subjects[0], late + LEASE_SECONDS), "replay-busy");
}
