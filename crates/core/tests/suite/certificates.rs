//! Envelopes that bring certificates: in which forms of them, and what becomes of those that are changed. What a
//! certificate says is not read here: in these tests it is the bytes of a key.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::Arc;

use brine_core::cbor::{Decoder, Encoder};
use brine_core::cose::{Tagging, ToBeSigned};
use brine_core::{
    CertificateFlaw, Certificates, Class, Classified as _, Evidence, Expectations, Input, KeyId,
    Question, Signer, Statement, StreamOptions, StreamWriter, TrustAnchors, Untrusted,
    UnverifiedEnvelope, VerifyingKey, open, sign,
};
use brine_testkit::{Certified, key, mutations, now, statement};

use crate::common::{MemoryStore, Outcome, release};

fn certified(byte: u8, certificates: &[Vec<u8>]) -> Certified {
    Certified::new(key(byte), certificates)
}

fn certificate(byte: u8) -> Vec<u8> {
    key(byte).verifying_key().to_bytes().to_vec()
}

/// Trust that names no key, and believes every certificate.
#[derive(Clone, Copy, Debug)]
struct Credulous;

impl TrustAnchors for Credulous {
    fn key(&self, _: KeyId) -> Option<&VerifyingKey> {
        None
    }

    fn keys(&self, _: usize) -> Vec<&VerifyingKey> {
        Vec::new()
    }

    fn key_count(&self) -> usize {
        0
    }

    fn certified_key(&self, found: &Certificates) -> Result<Option<VerifyingKey>, Untrusted> {
        let first = found.iter().next().unwrap_or_default();
        let key = first.try_into().ok().and_then(|key| VerifyingKey::from_bytes(key).ok());
        let flaw = CertificateFlaw::Malformed { what: "it is no key" };
        key.map(Some).ok_or(Untrusted::Certificate { certificate: None, flaw })
    }

    fn judge_together(&self, _: &[&Signer], _: usize, _: &Question<'_>) -> Result<(), Untrusted> {
        Ok(())
    }

    fn judge(&self, evidence: &Evidence, _: &Question<'_>) -> Result<Cow<'_, Signer>, Untrusted> {
        let unknown = || Untrusted::unknown(evidence.key_id());
        let found = evidence.certificates().ok_or_else(unknown)?;
        let key = self.certified_key(found)?.filter(|key| key.id() == evidence.key_id());
        Ok(Cow::Owned(Signer::new("certified", key.ok_or_else(unknown)?)))
    }
}

fn judge(envelope: &[u8], expectations: &Expectations) -> Outcome {
    let opening = open(Input::new(io::Cursor::new(envelope.to_vec())));
    release(opening, expectations, &Arc::new(Credulous), &now())
}

#[track_caller]
fn reason(envelope: &[u8]) -> &'static str {
    let (released, outcome) = judge(envelope, &Expectations::new());
    assert!(released.is_empty());
    outcome.unwrap_err().reason()
}

#[test]
fn every_mutation_of_an_envelope_with_certificates_is_refused() {
    let chain = [certificate(1), vec![7; 40]];
    let original = sign(&statement(), &certified(1, &chain), b"hello").unwrap().to_bytes();
    let expectations = Expectations::new();
    let (released, outcome) = judge(&original, &expectations);
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(released, b"hello");
    let (mut judged, mut reasons) = (0, BTreeSet::new());
    for (name, altered) in mutations(&original).filter(|(_, altered)| *altered != original) {
        let (released, outcome) = judge(&altered, &expectations);
        let Err(error) = outcome else { panic!("{name} is accepted") };
        assert!(released.is_empty() && error.class() != Class::System, "{name}: {error}");
        reasons.insert(error.reason());
        judged += 1;
    }
    assert!(judged > original.len() * 17, "{judged} mutations of {} bytes", original.len());
    for reason in ["certificate-malformed", "certificate-other-key", "signature-bad"] {
        assert!(reasons.contains(reason), "{reason} is not among {reasons:?}");
    }
}

/// The protected header of an envelope, and its certificates.
fn header(envelope: &[u8]) -> (Vec<u8>, Option<Certificates>) {
    let parsed = UnverifiedEnvelope::parse(envelope, Tagging::Any).unwrap();
    (parsed.sign1().protected_bytes().to_vec(), parsed.certificates())
}

/// Whoever passes an envelope on adds, drops and replaces nothing: the signature is over the certificates.
#[test]
fn certificates_cannot_be_added_dropped_or_replaced() {
    let with = |chain: &[Vec<u8>]| sign(&statement(), &certified(1, chain), b"hello").unwrap();
    let one = with(&[certificate(1)]).to_bytes();
    let (protected, certificates) = header(&one);
    assert_eq!(certificates.unwrap().iter().collect::<Vec<_>>(), [certificate(1)]);
    let plain = sign(&statement(), &key(1), b"hello").unwrap().to_bytes();
    let two = with(&[certificate(1), vec![9; 8]]).to_bytes();
    let other = with(&[certificate(2)]).to_bytes();
    let with_header_of = |other: &[u8]| {
        let (other, _) = header(other);
        let (mut from, mut to) = (Encoder::new(), Encoder::new());
        from.bytes(&protected);
        to.bytes(&other);
        let (from, to) = (from.into_bytes(), to.into_bytes());
        let at = one.windows(from.len()).position(|part| part == from).unwrap();
        [&one[..at], &to, &one[at + from.len()..]].concat()
    };
    assert_eq!(reason(&with_header_of(&two)), "signature-bad");
    assert_eq!(reason(&with_header_of(&plain)), "unknown-signer");
    // One that is for another key finds that key, which has not signed.
    assert_eq!(reason(&with_header_of(&other)), "certificate-other-key");
    assert_eq!(reason(&other), "certificate-other-key");
}

/// What other COSE software is to read has nothing of brine's, whatever the key brings.
#[test]
fn plain_envelopes_bring_none() {
    let certified = certified(1, &[certificate(1)]);
    let envelope = sign(&Statement::plain(), &certified, b"hello").unwrap().to_bytes();
    assert_eq!(envelope, sign(&Statement::plain(), &key(1), b"hello").unwrap().to_bytes());
    assert_eq!(header(&envelope).1, None);
    // Under a type of somebody else's, the number is somebody else's too.
    let (released, outcome) = judge(&envelope, &Expectations::new().untyped());
    assert_eq!((released.len(), outcome.unwrap_err().reason()), (0, "unknown-signer"));
}

const SEGMENT: usize = 8;

fn stream(content: &[u8], threads: usize) -> Vec<u8> {
    let options = StreamOptions::new().segment_bytes(SEGMENT).stream_id([9; 16]).threads(threads);
    let key = Arc::new(certified(1, &[certificate(1)]));
    let mut writer = StreamWriter::new(Vec::new(), key, statement(), options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_stream_has_certificates_in_its_first_segment_alone() {
    for length in [0, 1, SEGMENT, SEGMENT + 1, 5 * SEGMENT + 3] {
        let content = vec![5; length];
        for threads in [1, 3] {
            let stream = stream(&content, threads);
            let found = stream.windows(32).filter(|part| *part == certificate(1)).count();
            assert_eq!(found, 1, "{length}");
            let opening = || open(Input::new(io::Cursor::new(stream.clone())));
            for opening in [opening(), opening().map(|opening| opening.store(MemoryStore))] {
                let opening = opening.map(|opening| opening.threads(threads));
                let trust = Arc::new(Credulous);
                let (released, outcome) = release(opening, &Expectations::new(), &trust, &now());
                assert!(outcome.is_ok() && released == content, "{length}: {outcome:?}");
            }
        }
    }
}

/// The same stream, whose segment `index` has this parameter as well, signed by the same key.
fn with_parameter(stream: &[u8], index: usize, label: i64, value: &[u8]) -> Vec<u8> {
    let starts = stream.windows(2).enumerate().filter(|(_, pair)| *pair == [0xd2, 0x84]);
    let starts: Vec<_> = starts.map(|(at, _)| at).chain([stream.len()]).collect();
    let segment = &stream[starts[index]..starts[index + 1]];
    let mut reader = Decoder::new(segment);
    reader.tag().unwrap();
    reader.array_of(4).unwrap();
    let protected = reader.bytes().unwrap();
    assert_eq!(reader.map().unwrap(), 0);
    let digest = reader.bytes().unwrap();
    reader.bytes().unwrap();
    // The map has less than 23 pairs, and the label goes behind all others.
    let mut added = Encoder::new();
    added.raw(&[protected[0] + 1]).raw(&protected[1..]).int(label).raw(value);
    let signature = key(1).sign(&ToBeSigned::new(added.as_bytes(), &[], digest).parts());
    let mut other = Encoder::new();
    other.tag(18).array(4).bytes(added.as_bytes()).map(0).bytes(digest).bytes(&signature);
    let content = reader.bytes().unwrap();
    other.bytes(content);
    [&stream[..starts[index]], other.as_bytes(), &stream[starts[index + 1]..]].concat()
}

#[test]
fn certificates_in_a_later_segment_are_refused() {
    let stream = stream(&[5; 3 * SEGMENT], 1);
    let certificates = Certificates::new(&[certificate(1)]).unwrap();
    for index in [1, 2] {
        let altered = with_parameter(&stream, index, -70_007, certificates.as_bytes());
        let (released, outcome) = judge(&altered, &Expectations::new());
        assert_eq!(outcome.unwrap_err().reason(), "segment-form");
        assert_eq!(released, vec![5; index * SEGMENT]);
        // In their form or not.
        let altered = with_parameter(&stream, index, -70_007, b"\x80");
        let (_, outcome) = judge(&altered, &Expectations::new());
        assert_eq!(outcome.unwrap_err().reason(), "certificates-form");
    }
}
