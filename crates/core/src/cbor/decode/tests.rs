use super::super::MAX_DEPTH;
use super::*;

fn skip(bytes: &[u8]) -> Result<usize, Malformed> {
    Decoder::new(bytes).skip().map(<[u8]>::len)
}

fn flaw(bytes: &[u8]) -> Flaw {
    skip(bytes).expect_err("must be refused").flaw
}

/// The examples of RFC 8949, Appendix A, that are in the strict form.
#[test]
fn reads_every_type() {
    let cases: &[&[u8]] = &[
        b"\x00",
        b"\x17",
        b"\x18\x18",
        b"\x19\x03\xe8",
        b"\x1a\x00\x0f\x42\x40",
        b"\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00",
        b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x20",
        b"\x38\x63",
        b"\xf9\x00\x00",
        b"\xfa\x47\xc3\x50\x00",
        b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a",
        b"\xf4",
        b"\xf6",
        b"\xf7",
        b"\xf0",
        b"\xf8\xff",
        b"\xc1\x1a\x51\x4b\x67\xb0",
        b"\xd8\x20\x63abc",
        b"\x40",
        b"\x44\x01\x02\x03\x04",
        b"\x62\xc3\xbc",
        b"\x80",
        b"\x83\x01\x82\x02\x03\x82\x04\x05",
        b"\xa0",
        b"\xa2\x01\x02\x03\x04",
        b"\xa2\x03\x04\x01\x02", // out of order, which foreign writers do
        b"\xa1\x61a\xa1\x61b\x61c",
    ];
    for case in cases {
        assert_eq!(skip(case), Ok(case.len()), "{case:02x?}");
    }
}

#[test]
fn refuses_what_is_not_well_formed_or_not_strict() {
    let cases: &[(&[u8], Flaw)] = &[
        (b"", Flaw::UnexpectedEnd),
        (b"\x18", Flaw::UnexpectedEnd),
        (b"\x42\x00", Flaw::UnexpectedEnd),
        (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", Flaw::UnexpectedEnd),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", Flaw::UnexpectedEnd),
        (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", Flaw::UnexpectedEnd),
        (b"\x82\x00", Flaw::UnexpectedEnd),
        (b"\xa1\x00", Flaw::UnexpectedEnd),
        (b"\xc1", Flaw::UnexpectedEnd),
        (b"\x1c", Flaw::ReservedHead),
        (b"\xfd", Flaw::ReservedHead),
        (b"\x5f\x41\x00\xff", Flaw::IndefiniteLength),
        (b"\x9f\xff", Flaw::IndefiniteLength),
        (b"\xbf\xff", Flaw::IndefiniteLength),
        (b"\xff", Flaw::IndefiniteLength),
        (b"\x18\x17", Flaw::NonMinimal),
        (b"\x19\x00\xff", Flaw::NonMinimal),
        (b"\x1a\x00\x00\xff\xff", Flaw::NonMinimal),
        (b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", Flaw::NonMinimal),
        (b"\x58\x01\x00", Flaw::NonMinimal),
        (b"\xd8\x12\x00", Flaw::NonMinimal),
        (b"\xf8\x14", Flaw::NonMinimal),
        (b"\xf8\x1f", Flaw::NonMinimal),
        (b"\x62\xc3\x28", Flaw::Utf8),
        (b"\xa2\x01\x00\x01\x00", Flaw::DuplicateKey),
        (b"\xa3\x02\x00\x01\x00\x02\x00", Flaw::DuplicateKey),
        (b"\x81\xa1\x01\xa2\x03\x00\x03\x00", Flaw::DuplicateKey),
        (b"\xa2\x61a\x00\x61a\x00", Flaw::DuplicateKey),
    ];
    for (case, expected) in cases {
        assert_eq!(flaw(case), *expected, "{case:02x?}");
    }
}

#[test]
fn names_the_place_of_a_flaw() {
    assert_eq!(
        skip(b"\x82\x01\xa2\x02\x00\x02\x00").expect_err("duplicate"),
        Malformed::new(5, Flaw::DuplicateKey)
    );
}

#[test]
fn nests_to_the_limit_and_not_beyond() {
    let nested = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
    assert_eq!(skip(&nested(MAX_DEPTH)), Ok(MAX_DEPTH + 1));
    assert_eq!(flaw(&nested(MAX_DEPTH + 1)), Flaw::TooDeep);
    assert_eq!(flaw(&nested(1_000_000)), Flaw::TooDeep);
}

#[test]
fn many_keys_in_falling_order_are_compared_without_delay() {
    let mut bytes = vec![0xb9, 0x4e, 0x20]; // map of 20,000
    for key in (0..20_000u16).rev() {
        let mut encoder = super::super::Encoder::new();
        encoder.int(i64::from(key)).int(0);
        bytes.extend(encoder.into_bytes());
    }
    assert_eq!(skip(&bytes), Ok(bytes.len()));
}

/// Each level is out of order, which must not make each level read the next one twice.
#[test]
fn nested_maps_in_falling_order_are_read_in_linear_time() {
    let mut bytes = vec![0x00; 40_000];
    bytes.splice(0..0, [0x99, 0x9c, 0x40]); // array of 40,000
    for _ in 1..MAX_DEPTH {
        bytes.splice(0..0, [0xa2, 0x02]);
        bytes.extend([0x01, 0x00]);
    }
    assert_eq!(skip(&bytes), Ok(bytes.len()));
}

#[test]
fn integers_keep_their_sign_and_their_range() {
    let int = |bytes: &[u8]| Decoder::new(bytes).int().map_err(|malformed| malformed.flaw);
    assert_eq!(int(b"\x27"), Ok(-8));
    assert_eq!(int(b"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff"), Ok(i64::MAX));
    assert_eq!(int(b"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"), Ok(i64::MIN));
    assert_eq!(int(b"\x1b\x80\x00\x00\x00\x00\x00\x00\x00"), Err(Flaw::IntegerRange));
    assert_eq!(int(b"\x3b\x80\x00\x00\x00\x00\x00\x00\x00"), Err(Flaw::IntegerRange));
    let bignum = Flaw::UnexpectedType { expected: "an integer", found: ItemType::Tag(2) };
    assert_eq!(int(b"\xc2\x41\x08"), Err(bignum));
}

#[test]
fn numbers_lose_their_fraction_and_nothing_else() {
    let cases: &[(&[u8], Option<u64>)] = &[
        (b"\x00", Some(0)),
        (b"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", Some(u64::MAX >> 1)),
        (b"\x1b\x80\x00\x00\x00\x00\x00\x00\x00", None),
        (b"\x20", None),
        // Half precision: 0, -0, the least, 1.5, 65504, -1, infinity, NaN.
        (b"\xf9\x00\x00", Some(0)),
        (b"\xf9\x80\x00", Some(0)),
        (b"\xf9\x00\x01", Some(0)),
        (b"\xf9\x3e\x00", Some(1)),
        (b"\xf9\x7b\xff", Some(65_504)),
        (b"\xf9\xbc\x00", None),
        (b"\xf9\x7c\x00", None),
        (b"\xf9\x7e\x00", None),
        // The least below 0 has no whole part that is 0 or more.
        (b"\xf9\x80\x01", None),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Decoder::new(bytes).whole_number(), Ok(*expected), "{bytes:02x?}");
    }
    for bytes in [b"\x41\x00".as_slice(), b"\x61\x31", b"\xc1\x00", b"\xf6", b"\xf5"] {
        let flaw = Decoder::new(bytes).whole_number().unwrap_err().flaw;
        assert!(matches!(flaw, Flaw::UnexpectedType { .. }), "{bytes:02x?}: {flaw}");
    }
}

/// The whole part of every float is that of the standard library.
#[test]
#[expect(clippy::as_conversions, reason = "what they truncate to is what is compared")]
fn floats_lose_their_fraction_as_the_standard_library_truncates() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200_000_u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round | 1);
        // Every other one near the dates that there are.
        let double = if round & 1 == 0 {
            f64::from_bits(state)
        } else {
            f64::from_bits(state >> 12 | 0x41d0 << 48)
        };
        let single = f32::from_bits(u32::try_from(state >> 32).unwrap());
        let whole = |value: f64| {
            let fits = value >= 0.0 && value < 2f64.powi(63);
            fits.then_some(value as u64)
        };
        let bytes = [&[0xfb][..], &double.to_bits().to_be_bytes()].concat();
        assert_eq!(Decoder::new(&bytes).whole_number(), Ok(whole(double)), "{double:e}");
        let bytes = [&[0xfa][..], &single.to_bits().to_be_bytes()].concat();
        assert_eq!(Decoder::new(&bytes).whole_number(), Ok(whole(single.into())), "{single:e}");
    }
}

#[test]
fn nil_is_not_undefined_and_not_empty() {
    let payload = |bytes: &'static [u8]| {
        Decoder::new(bytes).bytes_or_nil().map_err(|malformed| malformed.flaw)
    };
    assert_eq!(payload(b"\xf6"), Ok(None));
    assert_eq!(payload(b"\x40"), Ok(Some(&[][..])));
    let undefined =
        Flaw::UnexpectedType { expected: "a byte string or nil", found: ItemType::Undefined };
    assert_eq!(payload(b"\xf7"), Err(undefined));
}
