//! Vectors of other projects: `fixtures/foreign`, whose README names their origin.

use brine_core::cose::{Outline, Tagging, ToBeSigned};
use brine_core::{Classified as _, UnverifiedEnvelope, open};
use brine_testkit::{
    ForeignCase, foreign_cases, foreign_edge_cases, foreign_hash_envelopes, foreign_json, hex,
    unhex,
};
use serde_json::Value;

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// What the library releases, or its reason for refusing. A detached payload is verified and not released again.
fn judge(case: &ForeignCase) -> Result<Vec<u8>, &'static str> {
    let trust = case.trust().map_err(|error| error.reason())?;
    let (expectations, now) = (case.expectations(), case.now());
    let opening = open(case.envelope.as_slice()).map_err(|error| error.reason())?;
    let verified = match &case.detached {
        None => opening.verify(&expectations, &trust, &now),
        Some(content) => {
            opening.verify_beside(&mut content.as_slice(), &expectations, &trust, &now)
        }
    };
    let released = verified.and_then(|verified| {
        let length = verified.payload_bytes();
        assert_eq!(
            length,
            crate::common::length_of(case.detached.as_ref().unwrap_or(&case.payload))
        );
        verified.into_bytes()
    });
    released.map_err(|error| error.reason())
}

#[test]
fn the_library_judges_every_foreign_message() {
    let cases = foreign_cases();
    assert_eq!(cases.len(), 41 + 47 + 12 + 1 + 4 + 1 + 16);
    for case in cases {
        let verdict = judge(&case);
        if let Ok(released) = &verdict {
            let expected = if case.detached.is_some() { &[][..] } else { &case.payload };
            assert_eq!(hex(released), hex(expected), "{}", case.id);
        }
        assert_eq!(verdict.map(drop), case.expect, "{}", case.id);
    }
}

/// Hash envelopes (RFC 9995) with SHA-256, SHA-384 and SHA-512, against what they are the digest of.
#[test]
fn generated_hash_envelopes_verify_beside_their_content() {
    for case in foreign_hash_envelopes() {
        assert_eq!(judge(&case), Ok(Vec::new()), "{}", case.id);
        let other = [case.detached.as_deref().unwrap(), b"x"].concat();
        let changed = ForeignCase { detached: Some(other), ..case.clone() };
        assert_eq!(judge(&changed), Err("digest-mismatch"), "{}", case.id);
        // The digest never comes out as content.
        let embedded = ForeignCase { detached: None, ..case };
        assert_eq!(judge(&embedded), Err("wrong-kind"), "{}", embedded.id);
    }
}

/// Public keys of small order make signatures that are bound to no secret.
#[test]
fn generated_edge_keys_are_refused_when_they_are_loaded() {
    for case in foreign_edge_cases() {
        let reason = judge(&case).unwrap_err();
        assert!(["key-weak", "key-non-canonical"].contains(&reason), "{}: {reason}", case.id);
    }
}

/// For the COSE working group's COSE_Sign1 examples of every algorithm, the bytes to be signed are right.
#[test]
fn cose_wg_bytes_to_be_signed() {
    let mut compared = 0;
    for case in foreign_cases().iter().filter(|case| case.id.contains('/')) {
        let example = foreign_json(&format!("cose-wg/{}.json", case.id));
        let Ok(outline) = Outline::parse(&case.envelope, Tagging::Optional) else { continue };
        let payload = outline.payload.unwrap();
        let signed = ToBeSigned::new(outline.protected_bytes, &case.aad, payload);
        let expected = text(&example["intermediates"], "ToBeSign_hex").to_lowercase();
        // In these two the damage was done to the message after it was signed.
        let damaged = ["sign1-tests/sign-fail-03", "sign1-tests/sign-fail-06"];
        let same = hex(&signed.to_bytes()) == expected;
        assert_eq!(same, !damaged.contains(&case.id.as_str()), "{}", case.id);
        compared += 1;
    }
    assert_eq!(compared, 9);
}

/// The working group's COSE_Sign examples are another message type, and named as such.
#[test]
fn cose_wg_sign_examples_are_refused_by_name() {
    for path in [
        "RFC8152/Appendix_C_1_4",
        "countersign/signed-03",
        "eddsa-examples/eddsa-01",
        "sign-tests/sign-fail-02",
        "sign-tests/sign-fail-04",
        "sign-tests/sign-fail-07",
        "sign-tests/sign-pass-02",
        "x509-examples/signed-03",
    ] {
        let message = unhex(text(&foreign_json(&format!("cose-wg/{path}.json"))["output"], "cbor"));
        let error = UnverifiedEnvelope::parse(&message, Tagging::Required).unwrap_err();
        let several = "not an envelope: a COSE message for several signers";
        assert_eq!(error.to_string(), several, "{path}");
    }
}

#[test]
fn go_cose_negatives_are_refused_for_their_reason() {
    for (path, reason) in [("0000", "unexpected-type"), ("0002", "duplicate-label")] {
        let example = foreign_json(&format!("go-cose/sign1-verify-negative-{path}.json"));
        let message = unhex(text(&example["sign1::verify"]["taggedCOSESign1"], "cborHex"));
        assert_eq!(
            UnverifiedEnvelope::parse(&message, Tagging::Required).unwrap_err().reason(),
            reason
        );
    }
}

/// ES256 again: the bytes to be signed, with external data and detached.
#[test]
fn gluecose_bytes_to_be_signed() {
    for name in ["sign1-sign-0000", "sign1-sign-0001"] {
        let example = &foreign_json(&format!("gluecose/{name}.json"))["sign1::sign"];
        let protected = unhex(text(&example["protectedHeaders"], "cborHex"));
        let payload = unhex(text(example, "payload"));
        let aad = unhex(text(example, "external"));
        let signed = ToBeSigned::new(&protected, &aad, &payload).to_bytes();
        assert_eq!(hex(&signed), text(&example["tbsHex"], "cborHex").to_lowercase(), "{name}");
    }
    for name in ["sign1-verify-0000", "sign1-verify-0001"] {
        let example = &foreign_json(&format!("gluecose/{name}.json"))["sign1::verify"];
        let message = unhex(text(&example["taggedCOSESign1"], "cborHex"));
        assert!(Outline::parse(&message, Tagging::Required).is_ok(), "{name}");
        let error = UnverifiedEnvelope::parse(&message, Tagging::Required).unwrap_err();
        assert_eq!(error.reason(), "algorithm-unsupported", "{name}");
    }
}
