//! What SPEC.md says of envelopes is true. The crate brine-job holds it to what it says of jobs.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use brine_core::batch::BatchSigner;
use brine_core::{
    Expectations, Kind, KnownSigners, Signer, Statement, StreamOptions, StreamWriter, Timestamp,
    Verified, armor, open, sign,
};
use brine_testkit::{
    annotated, assert_spec_examples, known_key, project_text, spec_example, unique,
};

fn greeting() -> Statement {
    let issued_at = Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap();
    Statement::at(issued_at).context("greetings").unique(unique(7))
}

fn full() -> Vec<u8> {
    sign(&greeting(), &known_key(), b"hello").unwrap().to_bytes()
}

/// `hello` in segments of three bytes.
fn stream() -> Vec<u8> {
    let options = StreamOptions::new().segment_bytes(3).stream_id([8; 16]);
    let key = Arc::new(known_key());
    let mut writer = StreamWriter::new(Vec::new(), key, greeting(), options).unwrap();
    writer.write_all(b"hello").unwrap();
    writer.finish().unwrap()
}

/// The first of two records.
fn of_batch() -> Vec<u8> {
    let mut signer = BatchSigner::new(Arc::new(known_key()));
    for (cti, payload) in [(7, b"hello"), (8, b"world")] {
        signer.add(payload, &greeting(), unique(cti)).unwrap();
    }
    signer.finish_batch().unwrap().iter().next().unwrap().to_vec()
}

fn plain() -> Vec<u8> {
    sign(&Statement::plain(), &known_key(), b"hello").unwrap().to_bytes()
}

fn examples() -> [(&'static str, String); 5] {
    let full_fields = [
        (1, "tag 18: COSE_Sign1"),
        (1, "array of 4"),
        (2, "protected header: byte string of 110"),
        (1, "map of 4"),
        (2, "1 (alg): -8 (EdDSA)"),
        (35, "4 (kid): key id"),
        (2, "15 (CWT Claims): map of 3"),
        (11, "3 (aud): \"greetings\""),
        (6, "6 (iat): 2026-11-21T00:00:00Z"),
        (18, "7 (cti)"),
        (34, "16 (typ): \"application/vnd.brine.data+cose\""),
        (1, "unprotected header: empty map"),
        (6, "payload: \"hello\""),
        (66, "signature: 64 bytes"),
    ];
    let plain_fields = [
        (2, "tag 18, array of 4"),
        (2, "protected header: byte string of 38"),
        (1, "map of 2"),
        (2, "1 (alg): -8 (EdDSA)"),
        (35, "4 (kid): key id"),
        (1, "unprotected header: empty map"),
        (6, "payload: \"hello\""),
        (66, "signature: 64 bytes"),
    ];
    let stream_fields = [
        (4, "segment 0: tag 18, array of 4, protected header: byte string of 157"),
        (1, "map of 7"),
        (2, "1 (alg): -8 (EdDSA)"),
        (11, "2 (crit): [16, 258, -70001]"),
        (35, "4 (kid): key id"),
        (37, "15 (CWT Claims): aud, iat and cti as above"),
        (37, "16 (typ): \"application/vnd.brine.segment+cose\""),
        (8, "258 (payload-hash-alg): -70002 (BLAKE3)"),
        (7, "-70001 (stream position): array of 4, version 1"),
        (17, "stream-id"),
        (2, "index 0, not the last"),
        (1, "unprotected header: empty map"),
        (34, "payload: the digest of \"hel\""),
        (66, "signature: 64 bytes"),
        (4, "content: \"hel\""),
        (4, "segment 1: tag 18, array of 4, protected header: byte string of 154"),
        (1, "map of 6"),
        (2, "1 (alg)"),
        (11, "2 (crit)"),
        (35, "4 (kid)"),
        (37, "16 (typ)"),
        (8, "258 (payload-hash-alg)"),
        (7, "-70001 (stream position): array of 5, version 1"),
        (17, "stream-id"),
        (2, "index 1, the last"),
        (34, "first: the SHA-256 of segment 0's protected header"),
        (1, "unprotected header: empty map"),
        (34, "payload: the digest of \"lo\""),
        (66, "signature: 64 bytes"),
        (3, "content: \"lo\""),
    ];
    let batch_fields = [
        (2, "tag 18, array of 4"),
        (2, "protected header: byte string of 113"),
        (1, "map of 4"),
        (6, "1 (alg): -70003"),
        (35, "4 (kid): key id"),
        (2, "15 (CWT Claims): map of 3"),
        (11, "3 (aud): \"greetings\""),
        (6, "6 (iat): 2026-11-21T00:00:00Z"),
        (18, "7 (cti)"),
        (34, "16 (typ): \"application/vnd.brine.data+cose\""),
        (1, "unprotected header: empty map"),
        (6, "payload: \"hello\""),
        (2, "proof: byte string of 104"),
        (1, "array of 4"),
        (1, "tree-size: 2"),
        (1, "leaf-index: 0"),
        (1, "path: array of 1"),
        (34, "the leaf beside it"),
        (66, "signature of the root: 64 bytes"),
    ];
    [
        ("batch", annotated(&of_batch(), &batch_fields)),
        ("stream", annotated(&stream(), &stream_fields)),
        ("full", annotated(&full(), &full_fields)),
        ("plain", annotated(&plain(), &plain_fields)),
        ("armor", armor::encode(&plain()).unwrap()),
    ]
}

#[test]
fn the_example_bytes_of_the_spec_are_what_brine_writes() {
    assert_spec_examples(&examples());
}

/// Judges an example of SPEC.md 100 days after it was signed.
fn verify(name: &str, context: Option<&str>) -> Verified {
    let trust = KnownSigners::new([Signer::new("k", known_key().verifying_key().clone())]);
    let signed = Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap();
    let later = signed.plus(Duration::from_secs(100 * 86_400));
    let expectations = match context {
        None => Expectations::new().untyped(),
        Some(context) => Expectations::new().context(context),
    };
    open(spec_example(name)).unwrap().verify(&expectations, &trust, &later).unwrap()
}

#[test]
fn the_example_bytes_of_the_spec_verify() {
    for (name, context) in
        [("batch", Some("greetings")), ("full", Some("greetings")), ("plain", None)]
    {
        assert_eq!(verify(name, context).into_bytes().unwrap(), b"hello", "{name}");
    }
}

#[test]
fn the_example_stream_of_the_spec_verifies() {
    let mut verified = verify("stream", Some("greetings"));
    assert_eq!(verified.next_piece().unwrap(), Some(&b"hel"[..]));
    assert_eq!(verified.next_piece().unwrap(), Some(&b"lo"[..]));
    assert_eq!(verified.next_piece().unwrap(), None);
}

/// Every kind that the code knows is in the table of SPEC.md, with its type.
#[test]
fn the_table_of_kinds_is_complete() {
    let spec = project_text("SPEC.md");
    let mut typed = 0;
    for kind in Kind::all() {
        let Some(typ) = kind.typ() else { continue };
        let row = format!("| {} | `{typ}`", kind.name());
        assert!(spec.contains(&row), "{row}");
        typed += 1;
    }
    // All but what others define, and what has no type: foreign types, receipts, and the untyped.
    assert_eq!(typed, Kind::all().count() - 3);
}
