//! Ages, clocks that are set back, births, and what is forgotten.

use super::*;

/// The database before this one may have handled, a moment before this one was born, what came from a
/// signer whose clock is a leeway ahead.
#[test]
fn a_new_database_refuses_what_an_older_one_may_have_handled() {
    let place = Place::new();
    let captured =
        [numbered(1, 0, BIRTH - 100), numbered(1, 1, BIRTH + 60), named(1, BIRTH, BIRTH + DAY)];
    let mut first = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for subject in &captured {
        first.handle(subject, BIRTH);
    }
    drop(first);
    fs::remove_file(place.path()).unwrap();

    let mut second = place.open(DatabaseBirth::RefuseOlder, BIRTH);
    for now in [BIRTH, BIRTH + 60, BIRTH + DAY - 101] {
        for subject in &captured {
            assert_eq!(second.answer(subject, now), "replay-unknown", "{subject:?} at {now}");
        }
    }
    assert_eq!(second.answer(&numbered(1, 2, BIRTH + 61), BIRTH + 61), "fresh");
    assert_eq!(second.status().answers_from, at(BIRTH + 61));
    assert_eq!(second.status().born, at(BIRTH));
}

#[test]
fn what_is_pruned_is_refused_for_its_age() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let captured =
        [numbered(1, 0, BIRTH), numbered(1, 2, BIRTH), named(1, BIRTH, BIRTH + 10 * DAY)];
    for subject in &captured {
        database.handle(subject, BIRTH);
    }
    let last = BIRTH + DAY;
    assert_eq!(database.prune(at(last)).unwrap(), PrunedRows::default());
    for subject in &captured {
        assert_eq!(database.answer(subject, last), "replayed");
    }
    let pruned = database.prune(at(last + 1)).unwrap();
    assert_eq!(pruned, PrunedRows { channels: 1, leases: 0, names: 1, ranges: 2 });
    assert_eq!((database.count_rows(), database.status().entries), (0, 0));
    for subject in &captured {
        assert_eq!(database.answer(subject, last + 1), "too-old");
    }
}

#[test]
fn a_clock_that_is_set_back_lets_nothing_in_again() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let captured =
        [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10 * DAY), named(2, BIRTH, BIRTH + 5)];
    for subject in &captured {
        database.handle(subject, BIRTH);
    }
    let later = BIRTH + 2 * DAY;
    database.prune(at(later)).unwrap();
    assert_eq!(database.count_rows(), 0);
    for subject in &captured {
        assert_eq!(database.answer(subject, BIRTH), "failed: replay-clock", "{subject:?}");
    }
    // What is young enough by both clocks is not held up, and what is too old by both is refused.
    assert_eq!(database.answer(&numbered(1, 9, later - DAY), later - DAY), "fresh");
    assert_eq!(database.answer(&numbered(1, 9, BIRTH - DAY - 1), BIRTH), "too-old");
    // Clocks that disagree as much as they may are no reason to stop.
    for issued in [later - 60 - DAY - 1, later - 60 - DAY, later - DAY - 1] {
        assert_eq!(database.answer(&numbered(1, 9, issued), later - 60), "too-old");
    }
    assert_eq!(database.answer(&numbered(1, 9, later - DAY), later - 60), "fresh");
}

/// A failure because of the clock leaves the other records of the call alone.
#[test]
fn a_clock_that_is_set_back_reserves_nothing() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.prune(at(BIRTH + 2 * DAY)).unwrap();
    let subjects = [numbered(1, 0, BIRTH + DAY), numbered(1, 1, BIRTH)];
    let error = database.reserve_many(&subjects, at(BIRTH + DAY)).unwrap_err();
    assert_eq!((error.reason(), error.class()), ("replay-clock", Class::System));
    assert_eq!(database.count_rows(), 0);
}

#[test]
fn the_largest_age_is_kept() {
    let place = Place::new();
    drop(place.open(DatabaseBirth::AcceptOlder, BIRTH));
    drop(place.try_open(DatabaseBirth::Existing, 3 * DAY, BIRTH).unwrap());
    let mut database = place.try_open(DatabaseBirth::Existing, 10, BIRTH).unwrap();
    assert_eq!(database.status().max_age, Duration::from_secs(3 * DAY));
    assert_eq!(database.answer(&numbered(1, 0, BIRTH - 2 * DAY), BIRTH), "fresh");
}

#[test]
fn a_larger_age_does_not_bring_back_what_was_forgotten() {
    let place = Place::new();
    let captured = [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 10 * DAY)];
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for subject in &captured {
        database.handle(subject, BIRTH);
    }
    let later = BIRTH + DAY + 1;
    database.prune(at(later)).unwrap();
    assert_eq!(database.count_rows(), 0);
    drop(database);
    let mut database = place.try_open(DatabaseBirth::Existing, 30 * DAY, later).unwrap();
    for subject in &captured {
        assert_eq!(database.answer(subject, later), "replay-unknown");
    }
    // What was handled under the smaller age is remembered for the larger one.
    let kept = [numbered(2, 0, later), named(2, later, later + 90 * DAY)];
    for subject in &kept {
        database.handle(subject, later);
    }
    let last = later + 30 * DAY;
    database.prune(at(last)).unwrap();
    for subject in &kept {
        assert_eq!(database.answer(subject, last), "replayed");
    }
}

#[test]
fn a_name_is_forgotten_when_it_ends() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let subject = named(1, BIRTH, BIRTH + 10);
    database.handle(&subject, BIRTH);
    database.prune(at(BIRTH + 69)).unwrap();
    assert_eq!(database.answer(&subject, BIRTH + 69), "replayed");
    database.prune(at(BIRTH + 70)).unwrap();
    assert_eq!(database.count_rows(), 0);
    assert_eq!(database.answer(&subject, BIRTH + 70), "expired");
}

/// Old ranges go one by one; what is counted stays right, and what is forgotten is no gap.
#[test]
fn a_channel_forgets_its_old_ranges_alone() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    for seq in [0, 2, 4] {
        database.handle(&numbered(1, seq, BIRTH), BIRTH);
    }
    let later = BIRTH + DAY;
    for seq in [6, 8, 3] {
        database.handle(&numbered(1, seq, later), later);
    }
    // 2 to 4 have become one range with a young record, and are kept for its sake.
    database.prune(at(later + 1)).unwrap();
    let gaps = database.view().gaps(key(1), &[1; 16]).unwrap();
    let one = |seq| NumberSpan { first: seq, last: seq };
    assert_eq!(gaps, [one(1), one(5), one(7)]);
    let status = database.status();
    assert_eq!((status.ranges, status.seen, status.missing), (3, 6, 3));
    assert_eq!(status.entries, database.count_rows());
    assert_eq!(database.answer(&numbered(1, 0, BIRTH), later + 61), "too-old");
    assert_eq!(database.answer(&numbered(1, 2, BIRTH), later + 60), "too-old");
}

#[test]
fn a_lease_is_pruned_only_when_it_ran_out() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.lease = Duration::from_secs(2 * DAY);
    let numbered = database.fresh(&numbered(1, 0, BIRTH), BIRTH);
    let named = database.fresh(&named(1, BIRTH, BIRTH + 10), BIRTH);
    assert_eq!(database.prune(at(BIRTH + 2 * DAY - 1)).unwrap(), PrunedRows::default());
    assert_eq!(database.count_rows(), 3);
    for lease in [&numbered, &named] {
        assert_eq!(database.commit(lease, at(BIRTH + 2 * DAY)).unwrap(), Settled::Done);
    }
    let _held = database.fresh(&super::numbered(1, 1, BIRTH + 2 * DAY), BIRTH + 2 * DAY);
    let pruned = database.prune(at(BIRTH + 4 * DAY)).unwrap();
    assert_eq!(pruned, PrunedRows { channels: 1, leases: 1, names: 1, ranges: 1 });
}

#[test]
fn pruning_happens_by_itself() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.handle(&numbered(1, 0, BIRTH), BIRTH);
    let later = BIRTH + 2 * DAY;
    database.handle(&numbered(2, 0, later), later);
    assert_eq!(database.count_rows(), 2, "the young channel and its range");
    assert_eq!(database.status().pruned, at(later));
}

#[test]
fn looking_changes_nothing() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    let done = [numbered(1, 0, BIRTH), named(1, BIRTH, BIRTH + 5)];
    for subject in &done {
        database.handle(subject, BIRTH);
    }
    let held = [numbered(1, 5, BIRTH), named(2, BIRTH, BIRTH + DAY)];
    let _leases = held.map(|subject| database.fresh(&subject, BIRTH));
    let before = database.status();

    let view = ReplayView::open(&place.path()).unwrap();
    let judge = |subject: &Subject, now| match view
        .judge(std::slice::from_ref(subject), at(now))
        .unwrap()
        .pop()
        .unwrap()
    {
        ReplayStanding::Busy { until } => format!("busy until {}", until.unix() - BIRTH),
        ReplayStanding::Fresh => "fresh".to_owned(),
        ReplayStanding::Refused(error) => error.reason().to_owned(),
        ReplayStanding::Replayed => "replayed".to_owned(),
    };
    for subject in &done {
        assert_eq!(judge(subject, BIRTH), "replayed");
    }
    for subject in &held {
        assert_eq!(judge(subject, BIRTH), "busy until 100");
        assert_eq!(judge(subject, BIRTH + 100), "fresh");
    }
    for subject in [numbered(1, 1, BIRTH), numbered(2, 0, BIRTH), named(3, BIRTH, BIRTH + 1)] {
        assert_eq!(judge(&subject, BIRTH), "fresh");
    }
    assert_eq!(judge(&numbered(1, 1, BIRTH), BIRTH + 9 * DAY), "too-old");
    assert_eq!(
        view.status(at(BIRTH)).unwrap(),
        ReplayStatus { file_bytes: before.file_bytes, ..before }
    );
    assert_eq!(database.status(), before);

    // A moment long past: what may have been forgotten since is not called fresh.
    database.prune(at(BIRTH + 2 * DAY)).unwrap();
    for subject in &done {
        assert_eq!(judge(subject, BIRTH), "replay-unknown");
    }
    // By its end alone, while the floor is far below.
    let young = named(7, BIRTH + 2 * DAY, BIRTH + 2 * DAY + 5);
    database.handle(&young, BIRTH + 2 * DAY);
    database.prune(at(BIRTH + 2 * DAY + 65)).unwrap();
    assert_eq!(judge(&young, BIRTH + 2 * DAY), "replay-unknown");
}

#[test]
fn the_largest_number_is_forgotten_like_any_other() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.handle(&numbered(1, u64::MAX >> 1, BIRTH), BIRTH);
    let later = BIRTH + DAY + 3600;
    assert_eq!(database.prune(at(later)).unwrap().ranges, 1);
    // The channel went with it, and may begin anew.
    database.handle(&numbered(1, 3, later), later);
    assert_eq!(database.answer(&numbered(1, 3, later), later), "replayed");
    assert_eq!(database.status().missing, 3);
}

#[test]
fn a_clock_that_is_far_ahead_leaves_nothing_behind_if_it_lets_nothing_in() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.handle(&numbered(1, 0, BIRTH), BIRTH);
    let before = database.status();
    let year = BIRTH + 365 * DAY;
    assert_eq!(database.answer(&numbered(1, 1, BIRTH), year), "too-old");
    assert_eq!(database.status(), before);
    assert_eq!(database.answer(&numbered(1, 1, BIRTH), BIRTH), "fresh");
}
