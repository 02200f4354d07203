//! What holds for any input.

use brine::cbor::{Decoder, Encoder, diagnose};
use brine::cose::Tagging;
use brine::{Request, Sign1, Signer, Trust, armor, sign, sign_detached, verify};
use ciborium::value::{Integer, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::{key, now, template};

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
        let _ = Sign1::parse(&bytes, Tagging::Optional);
        let tagged = [&[0xd2, 0x84][..], &bytes].concat();
        let _ = Sign1::parse(&tagged, Tagging::Required);
        let _ = diagnose(&bytes, 16);
        let _ = armor::decode(&bytes);
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
        let mut template = template();
        template.external_aad = &aad;
        let mut envelope = sign(&key(3), &payload, &template).to_bytes();
        if armored {
            envelope = armor::decode(armor::encode(&envelope).unwrap().as_bytes()).unwrap();
        }
        let trust = Trust::new(vec![Signer::new("a", key(3).verifying_key().clone())]);
        let sign1 = Sign1::parse(&envelope, Tagging::Required).unwrap();
        let request = Request { external_aad: &aad, ..Request::at(now()) };
        prop_assert_eq!(verify(&sign1, &request, &trust).unwrap().payload(), &payload[..]);

        let other = [&aad[..], b"x"].concat();
        let request = Request { external_aad: &other, ..Request::at(now()) };
        prop_assert_eq!(verify(&sign1, &request, &trust).unwrap_err().reason(), "signature-bad");
    }

    /// A detached signature is over the same bytes as an embedded one.
    #[test]
    fn embedded_and_detached_signatures_are_equal(payload in vec(any::<u8>(), 0..200)) {
        let embedded = sign(&key(4), &payload, &template()).to_bytes();
        let detached = sign_detached(&key(4), &payload, &template()).to_bytes();
        prop_assert_eq!(&embedded[embedded.len() - 64..], &detached[detached.len() - 64..]);
    }
}
