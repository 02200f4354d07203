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
    assert_eq!(database.answer(&numbered(1, 30, BIRTH), BIRTH), "replay-channel-full");
    assert_eq!(database.answer(&numbered(1, 12, BIRTH), BIRTH), "replay-channel-full");
    for seq in [0, 10, 20] {
        assert_eq!(database.answer(&numbered(1, seq, BIRTH), BIRTH), "replayed");
    }
    // The next number, and one that closes half a gap; another channel is not concerned.
    for subject in [numbered(1, 21, BIRTH), numbered(1, 9, BIRTH), numbered(2, 5, BIRTH)] {
        database.handle(&subject, BIRTH);
    }
    let error = database.reserve(&numbered(1, 30, BIRTH), at(BIRTH)).unwrap();
    // It is refused alone: one signer does not stop the work on what others send.
    assert_eq!(error.into_lease().unwrap_err().class(), Class::Untrusted);
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
    let of_others = (0..4).map(|name| by(10 + name, named(name, BIRTH, BIRTH + DAY)));
    let of_others: Vec<_> = of_others.collect();
    for subject in &of_others {
        database.handle(subject, BIRTH);
    }
    assert_eq!(database.count_rows(), 6);
    let refused = [
        numbered(1, 2, BIRTH),
        numbered(2, 0, BIRTH),
        named(9, BIRTH, BIRTH + DAY),
        by(2, named(9, BIRTH, BIRTH + DAY)),
    ];
    for subject in &refused {
        let found = database.reserve(subject, at(BIRTH + 1)).unwrap().into_lease().unwrap_err();
        assert_eq!((found.reason(), found.class()), ("replay-full", Class::System), "{subject:?}");
    }
    for subject in &of_others {
        assert_eq!(database.answer(subject, BIRTH + 1), "replayed");
    }
    assert_eq!(database.answer(&numbered(1, 1, BIRTH), BIRTH + 1), "fresh");
    let later = BIRTH + DAY + 61;
    for subject in [numbered(1, 2, later), numbered(2, 0, later), named(9, later, later + DAY)] {
        assert_eq!(database.answer(&subject, later), "fresh");
    }
}

/// Makes the subject with a number.
type SubjectOf<'a> = &'a dyn Fn(u8) -> Subject;

/// However much one signer sends, it leaves as much as it takes; the next one leaves half of that.
#[test]
fn one_signer_never_fills_the_database_for_all() {
    let of_names = |number: u8| named(number, BIRTH, BIRTH + DAY);
    let of_channels = |number: u8| numbered(number, 0, BIRTH);
    let of_gaps = |number: u8| numbered(1, 2 * u64::from(number), BIRTH);
    let kinds: [(SubjectOf<'_>, [u64; 3]); 3] =
        [(&of_names, [50, 25, 13]), (&of_channels, [50, 24, 12]), (&of_gaps, [50, 25, 13])];
    for (kind, shares) in kinds {
        let place = Place::new();
        let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
        database.limits.entries = 100;
        for (signer, share) in (1..).zip(shares) {
            let before = database.count_rows();
            let refused = (0..).find_map(|number| {
                let subject = by(signer, kind(number));
                match database.reserve(&subject, at(BIRTH)).unwrap().into_lease() {
                    Ok(lease) => {
                        assert_eq!(database.commit(&lease, at(BIRTH)).unwrap(), Settled::Done);
                        None
                    }
                    Err(error) => Some(error),
                }
            });
            let error = refused.unwrap();
            assert_eq!((error.reason(), error.class()), ("replay-key-full", Class::Untrusted));
            assert_eq!(database.count_rows() - before, share, "signer {signer}");
            database.assert_counted();
        }
        // What was handled stays known, and what touches it is as welcome as ever.
        assert_eq!(database.answer(&by(1, kind(0)), BIRTH), "replayed");
        assert_eq!(database.answer(&by(9, kind(200)), BIRTH), "fresh");
        // A day later there is room for everybody.
        let later = BIRTH + DAY + 61;
        assert_eq!(database.answer(&by(1, numbered(77, 0, later)), later), "fresh");
        database.assert_counted();
    }
}
