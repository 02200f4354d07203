//! Values that a stranger wrote, or that were damaged.

use brine_core::Classified as _;
use brine_core::cbor::Encoder;
use proptest::prelude::*;

use super::*;
use crate::ledger::tests::{DAY, LedgerSteps as _, named, numbered};
use crate::shared_ledger::channel_numbers::ChannelNumbers;
use crate::shared_ledger::meta::LedgerClock;
use crate::shared_ledger::name_record::NameRecord;

/// A store with a value of each kind, and their keys.
fn filled() -> (MemoryStore, Vec<String>) {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    for seq in [0, 1, 5, 300, 70_000] {
        ledger.handle_one(&numbered(1, seq, BIRTH - seq % 7), BIRTH);
    }
    let held = [numbered(1, 3, BIRTH), numbered(1, 9, BIRTH), named(2, BIRTH, BIRTH + DAY)];
    let _held = ledger.take_all(&held, BIRTH);
    let _more = ledger.take_all(&[numbered(1, 10, BIRTH - 9), numbered(1, 12, BIRTH)], BIRTH + 5);
    ledger.handle_one(&named(1, BIRTH, BIRTH + DAY), BIRTH);
    let keys = store.keys();
    (store, keys)
}

/// Why each reader refuses a value; nothing if one takes it, which it then writes as it was.
fn refusals(value: &[u8]) -> Option<[&'static str; 4]> {
    let read = [
        ChannelNumbers::decode(value).map(|channel| channel.encode().unwrap()),
        LedgerMeta::decode(value).map(|meta| meta.encode()),
        LedgerClock::decode(value).map(|clock| clock.encode()),
        NameRecord::decode(value).map(|record| record.encode()),
    ];
    let mut reasons = [""; 4];
    for (reason, read) in reasons.iter_mut().zip(read) {
        match read {
            Ok(written) => {
                assert_eq!(written, value);
                return None;
            }
            Err(error) => *reason = error.reason(),
        }
    }
    Some(reasons)
}

#[test]
fn every_flipped_bit_is_refused_or_is_another_value() {
    let (store, keys) = filled();
    let mut refused = 0;
    for key in keys {
        let value = store.value(&key);
        assert_eq!(refusals(&value), None, "{key}");
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            refused += u32::from(refusals(&flipped).is_some());
        }
        for end in 0..value.len() {
            assert!(refusals(&value[..end]).is_some(), "{key} cut at {end}");
        }
        let longer = [&value[..], &[0]].concat();
        assert!(refusals(&longer).is_some(), "{key} with a byte more");
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_damaged_value_stops_the_ledger_and_is_left_alone() {
    let subjects = [numbered(1, 7, BIRTH), named(3, BIRTH, BIRTH + DAY)];
    let (store, _) = filled();
    let mut ledger = open(&store, BIRTH);
    let leases = ledger.take_all(&subjects, BIRTH);
    let mut versions = Encoder::new();
    versions.array(9).int(2);
    let cases = [(&[0xff][..], "replay-damaged"), (versions.as_bytes(), "replay-version")];
    for (value, reason) in cases {
        for key in store.keys() {
            let before = store.value(&key);
            store.put(&key, value);
            let found = ledger.reserve_many(&subjects, at(BIRTH)).map(|_| ());
            let settled = ledger.commit_many(&leases, at(BIRTH));
            if key == "clock" || key == "meta" {
                assert_eq!(found.unwrap_err().reason(), reason, "{key}");
                assert_eq!(
                    try_open(&store, SharedBirth::AcceptOlder, BIRTH).unwrap_err().reason(),
                    reason
                );
            }
            if key.starts_with("c.") {
                let missing = ledger.missing_from(crate::ledger::tests::key(1), &[1; 16]);
                assert_eq!(missing.unwrap_err().reason(), reason, "{key}");
                assert_eq!(settled.unwrap_err().reason(), reason, "{key}");
            }
            assert_eq!(store.value(&key), value, "{key}");
            store.put(&key, &before);
        }
    }
}

/// A list that says that it is long is not believed before its items are there.
#[test]
fn contradictions_are_named() {
    type Write = fn(&mut Encoder) -> &mut Encoder;
    let cases: [(Write, &str); 9] = [
        (|e| e.array(u64::MAX >> 1), "a list has a length that it cannot have"),
        (|e| e.array(4), "a list has a length that it cannot have"),
        (|e| e.array(3).uint(0).uint(0).uint(BIRTH + 1), "it has a moment after 9999"),
        (
            |e| e.array(6).uint(0).uint(1).uint(0).uint(0).uint(1).uint(0),
            "a range of numbers is not where it can be",
        ),
        (
            |e| e.array(3).uint(1).uint(u64::MAX >> 1).uint(0),
            "a range of numbers is not where it can be",
        ),
        (
            |e| e.array(3).uint(0).uint(9).uint(0).array(0).array(0).array(0),
            "a number is higher than the highest",
        ),
        (|e| e.array(0).array(0).array(4).uint(0).uint(0).uint(0).uint(0), "a lease has no holder"),
        (
            |e| e.array(0).array(3).bytes(&[1; 16]).uint(1).uint(2).array(0).array(0),
            "the holders are in another order",
        ),
        (
            |e| {
                e.array(3).uint(0).uint(3).uint(0).array(3).bytes(&[1; 16]).uint(1).uint(2);
                e.array(4).uint(3).uint(0).uint(0).uint(0).array(0)
            },
            "a number was handled and is being handled",
        ),
    ];
    for (write, expected) in cases {
        let mut encoder = Encoder::new();
        encoder.array(9).uint(1).uint(BIRTH).uint(5).uint(4).uint(0);
        write(&mut encoder);
        let error = ChannelNumbers::decode(encoder.as_bytes()).unwrap_err();
        let ReplayError::Damaged { what } = error else { panic!("{error:?}") };
        assert_eq!(what, format!("a channel: {expected}"));
    }
    let long = vec![0; MAX_VALUE_BYTES + 1];
    let ReplayError::Damaged { what } = LedgerMeta::decode(&long).unwrap_err() else { panic!() };
    assert_eq!(what, "meta: it is too long");
}

proptest! {
    /// Whatever arrives is refused, or is what would have been written.
    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        refusals(&bytes);
    }

    /// Bytes that begin as a channel does, and go on with small integers, as most of a value is.
    #[test]
    fn any_numbers_are_refused_or_canonical(
        numbers in prop::collection::vec(prop_oneof![0_u64..4, any::<u64>().prop_map(|n| n >> 1)], 4..60),
        lengths in prop::array::uniform4(0_u64..12),
    ) {
        let mut encoder = Encoder::new();
        let mut numbers = numbers.into_iter().cycle();
        let mut next = || numbers.next().unwrap_or_default();
        encoder.array(9).uint(1).uint(BIRTH).uint(next()).uint(next()).uint(next());
        for (part, length) in lengths.into_iter().enumerate() {
            encoder.array(length);
            for item in 0..length {
                match (part, item % 3) {
                    (1, 0) | (3, _) => encoder.bytes(&[7; 16]),
                    _ => encoder.uint(next()),
                };
            }
        }
        refusals(encoder.as_bytes());
    }
}
