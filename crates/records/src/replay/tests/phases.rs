//! What the tables hold while records are reserved and settled.

use super::*;

#[test]
fn a_lease_is_good_for_one_commit() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for subject in [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10)] {
        let lease = database.fresh(&subject, BIRTH);
        assert_eq!(database.commit(&lease, at(BIRTH)).unwrap(), Settled::Done);
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
