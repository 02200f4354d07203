use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

#[test]
fn dates_are_numbers_of_seconds_in_four_digit_years() {
    let cases: &[(&[u8], Option<u64>)] = &[
        (b"\xa1\x06\x00", Some(0)),
        (b"\xa1\x06\x1b\x00\x00\x00\x3a\xff\xf4\x41\x7f", Some(253_402_300_799)),
        (b"\xa1\x06\x1b\x00\x00\x00\x3a\xff\xf4\x41\x80", None),
        (b"\xa1\x06\xf9\x3e\x00", Some(1)), // 1.5
        (b"\xa1\x06\xfa\x4f\x00\x00\x00", Some(1 << 31)),
        (b"\xa1\x06\xfb\x42\x4d\x7f\xfa\x20\xbf\xff\xff", Some(253_402_300_799)),
        (b"\xa1\x06\xfb\x42\x4d\x7f\xfa\x20\xc0\x00\x00", None), // 253402300800.0
        (b"\xa1\x06\x20", None),                                 // -1
        (b"\xa1\x06\xf9\xbc\x00", None),                         // -1.0
        (b"\xa1\x06\xf9\x7e\x00", None),                         // NaN
        (b"\xa1\x06\xf9\x7c\x00", None),                         // Infinity
        (b"\xa1\x06\xc1\x00", None),                             // tag 1
        (b"\xa1\x06\xc2\x41\x01", None),                         // a bignum
        (b"\xa1\x06\x6a2026-11-21", None),
        (b"\xa1\x06\xf6", None),
    ];
    for (map, expected) in cases {
        let claims = Claims::decode(map).unwrap();
        assert_eq!(claims.issued_at, expected.map(at), "{map:02x?}");
        // Whatever the moment is, what is no date does not hold.
        for now in [Timestamp::from_unix(0).unwrap(), Timestamp::MAX] {
            let judged = claims.judge_time(now, None);
            let is_date = judged != Err(ClaimsError::Date { claim: "iat" });
            assert_eq!(is_date, expected.is_some(), "{map:02x?}: {judged:?}");
        }
    }
}

/// One that is no date is not made good by others that are.
#[test]
fn every_date_must_be_one() {
    let dates: [(u8, &str, &[u8]); 3] =
        [(4, "exp", b"\x1a\xff\xff\xff\xff"), (5, "nbf", b"\x00"), (6, "iat", b"\x00")];
    for (bad, claim, _) in dates {
        let mut map = vec![0xa3];
        for (key, _, good) in dates {
            map.push(key);
            map.extend(if key == bad { b"\xf9\x7e\x00" } else { good });
        }
        let claims = Claims::decode(&map).unwrap();
        assert_eq!(claims.judge_time(at(1), None), Err(ClaimsError::Date { claim }), "{map:02x?}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let claims = Claims {
        audience: Some(Audience::One("reports/daily")),
        cti: Some(&[7; 16]),
        expires: Some(at(3)),
        issued_at: Some(at(1)),
        not_before: Some(at(2)),
        ..Claims::default()
    };
    let mut encoder = Encoder::new();
    claims.encode(&mut encoder);
    let bytes = encoder.into_bytes();
    assert_eq!(bytes.first(), Some(&0xa5));
    assert_eq!(Claims::decode(&bytes).unwrap(), claims);
}

#[test]
fn an_array_of_audiences_must_contain_the_context() {
    let claims = Claims::decode(b"\xa1\x03\x82\x61a\x61b").unwrap();
    assert_eq!(claims.judge_context(Some("b")).unwrap(), Some("b"));
    assert_eq!(claims.judge_context(Some("c")).unwrap_err().reason(), "context-mismatch");
    assert_eq!(claims.judge_context(Some("a, b")).unwrap_err().reason(), "context-mismatch");
    assert_eq!(claims.judge_context(None).unwrap_err().reason(), "context-unexpected");
    let mixed = Claims::decode(b"\xa1\x03\x82\x61a\x01").unwrap_err();
    assert_eq!(mixed.reason(), "claim-range");
}

#[test]
fn dates_are_judged_with_a_minute_of_leeway_and_a_maximum_age_with_none() {
    let leeway = LEEWAY.as_secs();
    let now = at(10_000);
    let judge = |claims: Claims<'_>, age: Option<u64>| {
        claims.judge_time(now, age.map(Duration::from_secs)).map_err(|e| e.reason())
    };
    let none = Claims::default();
    let expires = |s| Claims { expires: Some(at(s)), ..none };
    let starts = |s| Claims { not_before: Some(at(s)), ..none };
    let issued = |s| Claims { issued_at: Some(at(s)), ..none };
    assert_eq!(judge(expires(10_000 - leeway + 1), None), Ok(()));
    assert_eq!(judge(expires(10_000 - leeway), None), Err("expired"));
    assert_eq!(judge(starts(10_000 + leeway), None), Ok(()));
    assert_eq!(judge(starts(10_000 + leeway + 1), None), Err("not-yet-valid"));
    assert_eq!(judge(issued(10_000 + leeway), None), Ok(()));
    assert_eq!(judge(issued(10_000 + leeway + 1), None), Err("issued-in-future"));
    assert_eq!(judge(issued(9_000), Some(1_000)), Ok(()));
    assert_eq!(judge(issued(8_999), Some(1_000)), Err("too-old"));
    // Of a signer whose clock is ahead, age counts from the moment that it says.
    assert_eq!(judge(issued(10_000 + leeway), Some(0)), Ok(()));
    assert_eq!(judge(none, Some(1_000)), Err("issued-at-missing"));
}
