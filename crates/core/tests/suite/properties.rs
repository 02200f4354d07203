//! What holds for any input.

use brine_core::cbor::{Decoder, Encoder, diagnose};
use brine_core::cose::{Outline, Tagging};
use brine_core::{
    Classified as _, Expectations, KnownSigners, UnverifiedEnvelope, armor, open, sign,
};
use brine_testkit::{key, now, signers, statement};
use ciborium::value::{Integer, Value};
use proptest::collection::vec;
use proptest::prelude::*;

/// Any CBOR value without floats, whose shortest form is a matter of width and not of heads.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| Value::Integer(Integer::from(number))),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ".{0,20}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec((any::<i64>(), inner.clone()), 0..6).prop_map(|pairs| {
                let mut pairs = pairs;
                pairs.sort_by_key(|(key, _)| *key);
                pairs.dedup_by_key(|(key, _)| *key);
                let integer = |key| Value::Integer(Integer::from(key));
                Value::Map(pairs.into_iter().map(|(key, value)| (integer(key), value)).collect())
            }),
            (0..1000_u64, inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

proptest! {
    /// What another library writes, the strict reader takes to the last byte.
    #[test]
    fn the_strict_reader_takes_what_ciborium_writes(value in value()) {
        let bytes = encoded(&value);
        let mut decoder = Decoder::new(&bytes);
        prop_assert_eq!(decoder.skip().unwrap(), &bytes[..]);
        prop_assert!(decoder.finish().is_ok());
        let shown = diagnose(&bytes, 64);
        prop_assert_eq!((shown.broken, shown.read), (None, bytes.len()));
    }

    /// What the strict reader takes, another library takes too, and writes back the same.
    #[test]
    fn what_the_strict_reader_takes_has_one_encoding(bytes in vec(any::<u8>(), 0..64)) {
        let mut decoder = Decoder::new(&bytes);
        if let Ok(item) = decoder.skip() {
            // ciborium refuses simple values that have no name, and folds undefined into null.
            if let Ok(value) = ciborium::from_reader::<Value, _>(item) {
                let floats_or_undefined = item.iter().any(|byte| matches!(byte, 0xf7 | 0xf9..=0xfb));
                let bignums = item.iter().any(|byte| matches!(byte, 0xc2 | 0xc3));
                if !floats_or_undefined && !bignums {
                    prop_assert_eq!(encoded(&value), item);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_parsed_shown_and_unarmored_without_a_panic(bytes in vec(any::<u8>(), 0..512)) {
        let _ = UnverifiedEnvelope::parse(&bytes, Tagging::Optional);
        let tagged = [&[0xd2, 0x84][..], &bytes].concat();
        let parsed = UnverifiedEnvelope::parse(&tagged, Tagging::Required);
        // What is an envelope can be shown.
        prop_assert!(parsed.is_err() || Outline::parse(&tagged, Tagging::Required).is_ok());
        let _ = diagnose(&bytes, 16);
        let _ = armor::decode(&bytes);
        for input in [&bytes, &tagged] {
            let opening = open(input.as_slice());
            let verified =
                opening.and_then(|opening| opening.verify(&Expectations::new(), &KnownSigners::default(), &now()));
            prop_assert!(verified.is_err(), "nobody is trusted");
        }
    }

    #[test]
    fn integers_and_strings_come_back(
        number in any::<i64>(), bytes in vec(any::<u8>(), 0..300), text in ".{0,300}",
    ) {
        let mut encoder = Encoder::new();
        encoder.int(number).bytes(&bytes).text(&text);
        let written = encoder.into_bytes();
        let mut decoder = Decoder::new(&written);
        prop_assert_eq!(decoder.int().unwrap(), number);
        prop_assert_eq!(decoder.bytes().unwrap(), &bytes[..]);
        prop_assert_eq!(decoder.text().unwrap(), &text);
        prop_assert!(decoder.finish().is_ok());
    }

    #[test]
    fn any_payload_and_external_data_come_back(
        payload in vec(any::<u8>(), 0..2000), aad in vec(any::<u8>(), 0..300), armored in any::<bool>(),
    ) {
        let statement = statement().external_aad(aad.as_slice());
        let mut envelope = sign(&statement, &key(3), payload.as_slice()).unwrap().to_bytes();
        if armored {
            let text = armor::encode(&envelope).unwrap();
            prop_assert_eq!(&armor::decode(text.as_bytes()).unwrap(), &envelope);
            envelope = text.into_bytes();
        }
        let judge = |aad: &[u8]| {
            let expectations = Expectations::new().external_aad(aad);
            open(envelope.as_slice()).unwrap().verify(&expectations, &signers(&[3]), &now())
        };
        prop_assert_eq!(judge(&aad).unwrap().into_bytes().unwrap(), payload);
        let other = [&aad[..], b"x"].concat();
        prop_assert_eq!(judge(&other).unwrap_err().reason(), "signature-bad");
    }

    /// A detached signature is over the same bytes as an embedded one.
    #[test]
    fn embedded_and_detached_signatures_are_equal(payload in vec(any::<u8>(), 0..200)) {
        let envelope = sign(&statement(), &key(4), payload.as_slice()).unwrap();
        let (embedded, detached) = (envelope.to_bytes(), envelope.detached());
        prop_assert_eq!(&embedded[embedded.len() - 64..], &detached[detached.len() - 64..]);
        let beside = &mut payload.as_slice();
        let opening = open(detached).unwrap();
        let verified = opening.verify_beside(beside, &Expectations::new(), &signers(&[4]), &now());
        prop_assert_eq!(verified.unwrap().payload_bytes(), u64::try_from(payload.len()).unwrap());
    }
}
