//! Any bytes are read without a panic; the parts of what parses are where SPEC.md says; and nothing
//! verifies unless the same signature verifies over a Sig_structure that is put together here.

#![no_main]

use std::sync::Arc;

use brine_core::batch::{Memory, Signature};
use brine_core::cbor::{Decoder, diagnose};
use brine_core::cose::{Outline, Tagging};
use brine_core::{
    Classified as _, EnvelopeVerifier, Error, Expectations, KnownSigners, SignatureError, Signer,
    Timestamp, Untrusted, UnverifiedEnvelope, VerifyingKey, open,
};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

fuzz_target!(|input: &[u8]| {
    read_cbor(input);
    for tagging in [Tagging::Required, Tagging::Optional, Tagging::Outer, Tagging::Any] {
        let outline = Outline::parse(input, tagging);
        let Ok(envelope) = UnverifiedEnvelope::parse(input, tagging) else { continue };
        let outline = outline.expect("an envelope has an outline");
        assert_eq!(outline.payload, envelope.sign1().unverified_payload());
        let lenient = UnverifiedEnvelope::parse(input, Tagging::Any);
        assert!(lenient.is_ok(), "taken only with its tag required");
        stands_where_it_should(input, &outline);
        judge(input, &envelope, tagging);
    }
});

fn read_cbor(input: &[u8]) {
    let shown = diagnose(input, 64);
    assert!(shown.read <= input.len());
    assert!(!shown.text.contains(char::is_control), "not fit for a terminal: {:?}", shown.text);
    let mut decoder = Decoder::new(input);
    let Ok(item) = decoder.skip() else { return };
    assert_eq!(item, &input[..decoder.position()]);
    // Every string is shown cut to 64 bytes, and the text is far from its limit.
    assert_eq!((shown.broken, shown.read), (None, item.len()), "read strictly, and not shown");
}

/// Envelopes have one encoding but for the unprotected header: all around it is written anew.
fn stands_where_it_should(input: &[u8], outline: &Outline<'_>) {
    let outer = [&b"\xd9\xd9\xf7\xd8\x3d"[..], b"\xd9\xd9\xf7", b"\xd8\x3d"];
    let outer = outer.into_iter().find(|outer| input.starts_with(outer)).unwrap_or_default();
    let tag = if input[outer.len()] == 0xd2 { [0xd2, 0x84].as_slice() } else { &[0x84] };
    let before = [outer, tag, &bytes(outline.protected_bytes)].concat();
    let payload = outline.payload.map_or(vec![0xf6], bytes);
    let after = [payload, bytes(outline.signature)].concat();
    let rest = input.strip_prefix(before.as_slice()).expect("the protected header comes first");
    let map = rest.strip_suffix(after.as_slice()).expect("payload and signature come last");
    let mut decoder = Decoder::new(map);
    assert_eq!(decoder.skip().expect("an unprotected header"), map);
}

/// Asks for whatever the envelope says, so that only the signature, the kind and the time are left.
fn judge(input: &[u8], envelope: &UnverifiedEnvelope<'_>, tagging: Tagging) {
    let sign1 = envelope.sign1();
    let attached = sign1.unverified_payload();
    let payload = attached.unwrap_or(DETACHED);
    let genuine = verifies(sign1.protected_bytes(), payload, envelope.signature());
    let expectations = expectations(envelope, tagging);
    let key = VerifyingKey::from_bytes(&KEY).expect("a key");
    let trust = KnownSigners::new([Signer::new("alice", key)]);
    let opening = open(input).expect("an envelope is opened");
    if attached.is_none() {
        let verdict = opening.verify_beside(&mut { DETACHED }, &expectations, &trust, &now());
        return agrees(&verdict.map(drop), genuine);
    }
    let verdict = remembers(input, &expectations, &trust, payload);
    agrees(&verdict, genuine);
    let is_stream = opening.is_stream();
    let content =
        opening.verify(&expectations, &trust, &now()).and_then(|verified| verified.into_bytes());
    if is_stream {
        // Its first segment is no data envelope, and a stream begins with it.
        assert!(genuine || content.is_err(), "a forgery begins a stream");
    } else {
        assert_eq!(reason(&content), reason(&verdict), "another verdict at the front door");
        assert!(content.is_ok_and(|content| content == payload) || verdict.is_err());
    }
}

fn expectations(envelope: &UnverifiedEnvelope<'_>, tagging: Tagging) -> Expectations {
    let header = envelope.header();
    let mut expectations = Expectations::new().untyped();
    if matches!(tagging, Tagging::Optional | Tagging::Any) {
        expectations = expectations.untagged();
    }
    if matches!(tagging, Tagging::Outer | Tagging::Any) {
        expectations = expectations.outer_tags();
    }
    if let Some(typ) = header.typ {
        expectations = expectations.typ(typ.to_string());
    }
    if let Some(name) = header.claims.audience.and_then(|audience| audience.names().next()) {
        expectations = expectations.context(name);
    }
    expectations
}

fn agrees(verdict: &Result<(), Error>, genuine: bool) {
    match verdict {
        Ok(()) => assert!(genuine, "a forgery is accepted"),
        Err(
            Error::Signature(SignatureError::Bad | SignatureError::NoKeyVerifies { .. })
            | Error::Trust(Untrusted::Unknown { .. }),
        ) => assert!(!genuine, "a signature that holds is refused"),
        Err(_) => {}
    }
}

/// A memory that has seen the envelope, and one that has not, come to the same verdict.
fn remembers(
    input: &[u8],
    expectations: &Expectations,
    trust: &KnownSigners,
    payload: &[u8],
) -> Result<(), Error> {
    let (expectations, trust) = (Arc::new(expectations.clone()), Arc::new(trust.clone()));
    let mut verifier = EnvelopeVerifier::new(expectations, trust).memory(Memory::new(2, 2));
    let mut judge = || {
        let verified = verifier.verify(input, now())?;
        assert_eq!(verified.in_memory(), Some(payload));
        Ok(())
    };
    let verdict = judge();
    assert_eq!(reason(&judge()), reason(&verdict));
    verdict
}

fn reason<T>(verdict: &Result<T, Error>) -> Result<(), &'static str> {
    verdict.as_ref().map(drop).map_err(|error| error.reason())
}

/// RFC 9052, Section 4.4, and RFC 9162, Section 2.1.3.2, without brine.
fn verifies(protected: &[u8], payload: &[u8], signature: Signature<'_>) -> bool {
    let entry = sig_structure(protected, payload);
    let (signed, signature) = match signature {
        Signature::Plain(signature) => (entry, signature),
        Signature::Batch(proof) => {
            let Some(root) = root(&entry, proof.tree_size(), proof.leaf_index(), proof.nodes())
            else {
                return false;
            };
            (sig_structure(ROOT_HEADER, &root), proof.signature())
        }
    };
    let key = ed25519_dalek::VerifyingKey::from_bytes(&KEY).expect("a key");
    let signature = ed25519_dalek::Signature::from_slice(signature).expect("its length was judged");
    key.verify_strict(&signed, &signature).is_ok()
}

fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let protected = if protected == [0xa0] { &[] } else { protected };
    [b"\x84\x6aSignature1", &*bytes(protected), b"\x40", &bytes(payload)].concat()
}

/// The names are those of the standard.
fn root<'a>(
    entry: &[u8],
    tree_size: u64,
    leaf_index: u64,
    path: impl Iterator<Item = &'a [u8; 32]>,
) -> Option<[u8; 32]> {
    if leaf_index >= tree_size {
        return None;
    }
    let (mut f, mut s) = (leaf_index, tree_size - 1);
    let mut r: [u8; 32] = Sha256::digest([&[0], entry].concat()).into();
    for p in path {
        if s == 0 {
            return None;
        }
        if f & 1 == 1 || f == s {
            r = Sha256::digest([&[1], p.as_slice(), &r].concat()).into();
            while f & 1 == 0 && f != 0 {
                (f, s) = (f >> 1, s >> 1);
            }
        } else {
            r = Sha256::digest([&[1], r.as_slice(), p].concat()).into();
        }
        (f, s) = (f >> 1, s >> 1);
    }
    (s == 0).then_some(r)
}

/// A byte string with the shortest head (RFC 8949, Section 3).
fn bytes(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a short input");
    let mut item = match length {
        0..24 => vec![0x40 | length as u8],
        24..0x100 => vec![0x58, length as u8],
        0x100..0x1_0000 => vec![0x59, (length >> 8) as u8, length as u8],
        _ => [&[0x5a], length.to_be_bytes().as_slice()].concat(),
    };
    item.extend(content);
    item
}

/// The public key of RFC 8032, Section 7.1, TEST 1, which the vectors are signed with.
const KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

/// What a root of that key is signed under: alg, crit, the key's id and typ.
const ROOT_HEADER: &[u8] = b"\xa4\x01\x27\x02\x81\x10\x04\x58\x20\
    \x86\x6e\xef\xbd\x67\x18\xc8\x84\x6c\xd7\xdd\xfe\x43\xfc\x74\xab\
    \x1d\xaa\xc4\x53\x8f\xf8\x51\x4e\xa2\xec\x2d\x41\x0a\x41\x57\x43\
    \x10\x78\x25application/vnd.brine.batch-root+cose";

/// The time that most vectors are judged at.
fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).expect("a time in range")
}

/// The payload of the detached vectors.
const DETACHED: &[u8] = b"payload";
