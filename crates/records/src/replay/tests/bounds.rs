//! What does not fit is refused, and nothing makes way for it.

use super::*;

#[test]
fn a_channel_full_of_gaps_takes_only_what_touches_others() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.limits.ranges = 3;
    for seq in [0, 10, 20] {
        database.handle(&numbered(1, seq, BIRTH), BIRTH);
    }
    assert_eq!(database.answer(&numbered(1, 30, BIRTH), BIRTH), "replay-full");
    assert_eq!(database.answer(&numbered(1, 12, BIRTH), BIRTH), "replay-full");
    for seq in [0, 10, 20] {
        assert_eq!(database.answer(&numbered(1, seq, BIRTH), BIRTH), "replayed");
    }
    // The next number, and one that closes half a gap; another channel is not concerned.
    for subject in [numbered(1, 21, BIRTH), numbered(1, 9, BIRTH), numbered(2, 5, BIRTH)] {
        database.handle(&subject, BIRTH);
    }
    let error = database.reserve(&numbered(1, 30, BIRTH), at(BIRTH)).unwrap();
    assert_eq!(error.into_lease().unwrap_err().class(), Class::System);
    // A day later what is too old makes room.
    let later = BIRTH + DAY + 61;
    database.handle(&numbered(1, 30, later), later);
}

#[test]
fn a_full_database_forgets_nothing() {
    let place = Place::new();
    let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
    database.limits.entries = 6;
    database.handle(&numbered(1, 0, BIRTH), BIRTH);
    for name in 0..4 {
        database.handle(&named(name, BIRTH, BIRTH + DAY), BIRTH);
    }
    assert_eq!(database.count_rows(), 6);
    let refused = [numbered(1, 2, BIRTH), numbered(2, 0, BIRTH), named(9, BIRTH, BIRTH + DAY)];
    for subject in &refused {
        assert_eq!(database.answer(subject, BIRTH + 1), "replay-full", "{subject:?}");
    }
    for name in 0..4 {
        assert_eq!(database.answer(&named(name, BIRTH, BIRTH + DAY), BIRTH + 1), "replayed");
    }
    assert_eq!(database.answer(&numbered(1, 1, BIRTH), BIRTH + 1), "fresh");
    let later = BIRTH + DAY + 61;
    for subject in [numbered(1, 2, later), numbered(2, 0, later), named(9, later, later + DAY)] {
        assert_eq!(database.answer(&subject, later), "fresh");
    }
}
