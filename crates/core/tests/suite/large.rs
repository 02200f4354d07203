//! Envelopes of which the payload is not in memory are judged as those of which it is.

use std::io::{self, Read, Write};

use brine::cbor::Encoder;
use brine::cli::spool::Spool;
use brine::cose::Front;
use brine::hash::Section;
use brine::{
    Error, LargeEnvelope, PayloadSource, Request, Sign1, Signer, Tagging, Template, Trust, sign,
    sign_detached, sign_large, verify, verify_large, verify_large_detached,
};

use crate::common::{key, now, template};
use crate::vectors::vectors;

/// What was released, or the refusal in full.
type Outcome = Result<Vec<u8>, String>;

fn outcome(result: brine::Result<Vec<u8>>) -> Outcome {
    result.map_err(|error| format!("{}: {error}", error.reason()))
}

/// One question about some bytes, asked in every way there is.
#[derive(Clone, Copy)]
struct Question<'q> {
    envelope: &'q [u8],
    tagging: Tagging,
    request: &'q Request<'q>,
    trust: &'q Trust,
}

impl Question<'_> {
    fn in_memory(&self) -> Outcome {
        let parsed = Sign1::parse(self.envelope, self.tagging);
        let judged = |sign1: Sign1<'_>| {
            verify(&sign1, self.request, self.trust).map(|verified| verified.payload().to_vec())
        };
        outcome(parsed.and_then(judged))
    }

    /// As from a pipe, after `beginning` bytes that were read before.
    fn spooled(&self, beginning: usize, at_once: usize) -> Outcome {
        let (beginning, rest) = self.envelope.split_at(beginning.min(self.envelope.len()));
        let judged = || {
            let mut spool = Spool::new().unwrap();
            let mut input = Slowly { rest, at_once };
            let envelope =
                LargeEnvelope::read(beginning.to_vec(), &mut input, &mut spool, self.tagging)?;
            let sign1 = envelope.sign1()?;
            let mut payload = spool.reader();
            let verified =
                verify_large(&sign1, self.request, self.trust, &mut payload, &mut io::sink())?;
            assert_eq!(verified.payload_bytes(), spool.length());
            let mut released = Vec::new();
            spool.reader().read_to_end(&mut released).unwrap();
            Ok(released)
        };
        outcome(judged())
    }

    /// As from a file in which something else comes first.
    fn in_file(&self) -> Outcome {
        let file = [b"before", self.envelope].concat();
        let length = self.envelope.len().try_into().unwrap();
        let judged = || {
            let envelope = LargeEnvelope::read_around(file.as_slice(), 6, length, self.tagging)?;
            let sign1 = envelope.sign1()?;
            let mut payload =
                Section::new(file.as_slice(), 6 + envelope.payload_offset(), u64::MAX);
            let mut released = Vec::new();
            verify_large(&sign1, self.request, self.trust, &mut payload, &mut released)
                .map(|verified| assert_eq!(verified.payload_bytes(), released_bytes(&released)))?;
            Ok(released)
        };
        outcome(judged())
    }

    #[track_caller]
    fn judge(&self, name: &str) -> Outcome {
        let expected = self.in_memory();
        assert_eq!(self.in_file(), expected, "{name}");
        for (beginning, at_once) in [(0, 1), (1, 7), (usize::MAX, 1)] {
            assert_eq!(self.spooled(beginning, at_once), expected, "{name}, {beginning}");
        }
        expected
    }
}

/// Gives a few bytes at once, and is interrupted between them.
struct Slowly<'b> {
    rest: &'b [u8],
    at_once: usize,
}

impl Read for Slowly<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.rest.take(self.at_once.try_into().unwrap()).read(room).inspect(|&count| {
            self.rest = &self.rest[count..];
        })
    }
}

fn released_bytes(released: &[u8]) -> u64 {
    released.len().try_into().unwrap()
}

fn trust(seeds: &[u8]) -> Trust {
    let signer = |seed: &u8| Signer::new("k", key(*seed).verifying_key().clone());
    Trust::new(seeds.iter().map(signer).collect())
}

fn refused(outcome: Outcome) -> String {
    outcome.unwrap_err().split(':').next().unwrap().to_owned()
}

/// All of them, streams too, which are no single envelopes and refused as such.
#[test]
fn every_vector_is_judged_alike() {
    let vectors = vectors();
    let (mut accepted, mut compared) = (0, 0);
    for vector in &vectors {
        vector.ask(|request, trust| {
            let tagging = vector.tagging();
            let question = Question { envelope: &vector.envelope, tagging, request, trust };
            // It claims 2^63 bytes or so. From a pipe that is answer enough.
            if vector.name == "payload-bomb.vector" {
                assert_eq!(question.in_file(), question.in_memory());
                assert_eq!(refused(question.in_memory()), "cut-short");
                assert_eq!(refused(question.spooled(0, 1)), "too-large");
                return;
            }
            if vector.bytes("detached").is_none() {
                accepted += usize::from(question.judge(&vector.name).is_ok());
                compared += 1;
            }
        });
    }
    assert!(accepted >= 22 && compared >= 202, "{accepted} of {compared}");
}

#[test]
fn every_detached_vector_is_judged_alike() {
    let mut compared = 0;
    for vector in &vectors() {
        let Some(content) = vector.bytes("detached") else { continue };
        let Ok(sign1) = Sign1::parse(&vector.envelope, vector.tagging()) else { continue };
        vector.ask(|request, trust| {
            let expected = verify(&sign1, request, trust).map(|_| Vec::new());
            let mut payload = Slowly { rest: &content, at_once: 3 };
            let length = content.len().try_into().unwrap();
            let found = verify_large_detached(&sign1, request, trust, &mut payload, length);
            let found = found.map(|verified| assert_eq!(verified.payload_bytes(), length));
            assert_eq!(outcome(found.map(|()| Vec::new())), outcome(expected), "{}", vector.name);
        });
        compared += 1;
    }
    assert!(compared >= 12, "{compared}");
}

/// Every bit, every cut, and a byte too many in every place.
#[test]
fn every_mutation_is_judged_alike() {
    let trust = trust(&[1]);
    let request = Request::at(now());
    let envelope = sign(&key(1), b"payload", &template()).to_bytes();
    let ask = |envelope: &[u8]| {
        let tagging = Tagging::Required;
        let question = Question { envelope, tagging, request: &request, trust: &trust };
        let expected = question.in_memory();
        assert_eq!(question.in_file(), expected, "{envelope:02x?}");
        assert_eq!(question.spooled(0, 5), expected, "{envelope:02x?}");
        expected
    };
    assert_eq!(ask(&envelope).as_deref(), Ok(&b"payload"[..]));
    for at in 0..envelope.len() {
        for bit in 0..8 {
            let mut mutated = envelope.clone();
            mutated[at] ^= 1 << bit;
            assert!(ask(&mutated).is_err(), "{at} {bit}");
        }
        assert!(ask(&envelope[..at]).is_err(), "{at}");
        let mut mutated = envelope.clone();
        mutated.insert(at, 0);
        assert!(ask(&mutated).is_err(), "{at}");
    }
    assert_eq!(refused(ask(&[&envelope[..], b"\n"].concat())), "trailing-bytes");
}

/// Signatures and tails of every length around what is kept of them.
#[test]
fn long_ends_are_judged_alike() {
    let trust = trust(&[1]);
    let request = Request::at(now());
    let envelope = sign(&key(1), b"payload", &template()).to_bytes();
    let (front, _) = envelope.split_at(envelope.len() - 66);
    let most = Front::MAX_TAIL_BYTES;
    for length in [0, 63, 65, most - 4, most - 3, most - 2, most, 2 * most] {
        let mut field = Encoder::new();
        field.bytes(&vec![7; length]);
        let whole = [front, &field.into_bytes()].concat();
        for (bytes, reason) in [
            (&whole[..], "signature-length"),
            (&whole[..whole.len() - 1], "cut-short"),
            (&[&whole[..], b"x"].concat(), "trailing-bytes"),
            (&[&whole[..], &vec![0; 3 * most]].concat(), "trailing-bytes"),
        ] {
            let tagging = Tagging::Required;
            let question = Question { envelope: bytes, tagging, request: &request, trust: &trust };
            let reason = if length == 0 && reason == "cut-short" { "cut-short" } else { reason };
            assert_eq!(refused(question.judge(&length.to_string())), reason, "{length}");
        }
    }
}

/// Headers of every length around what is read of an input before it is judged.
#[test]
fn long_headers_are_judged_alike() {
    let trust = trust(&[1]);
    let request = Request::at(now());
    let front = Front::MAX_BYTES;
    for length in [60_000, 65_536, 70_000, front - 20, front - 8, front, front + 1, 2 * front] {
        let mut value = Encoder::new();
        value.map(1).int(99).bytes(&vec![7; length]);
        for header in [value.into_bytes(), vec![0xff; length], vec![0xa0; length]] {
            let mut protected = Encoder::new();
            protected.tag(18).array(4).bytes(&header).map(0).bytes(b"x").bytes(&[7; 64]);
            let mut unprotected = Encoder::new();
            unprotected.tag(18).array(4).bytes(b"").raw(&header).bytes(b"x").bytes(&[7; 64]);
            for envelope in [protected.into_bytes(), unprotected.into_bytes()] {
                let (tagging, request, trust) = (Tagging::Required, &request, &trust);
                let question = Question { envelope: &envelope, tagging, request, trust };
                let reason = refused(question.in_memory());
                assert_eq!(refused(question.in_file()), reason, "{length}");
                assert_eq!(refused(question.spooled(1, 1000)), reason, "{length}");
            }
        }
    }
}

/// Around what is read at once, and with headers that are untagged, plain or full.
#[test]
fn payloads_of_every_length_come_back() {
    let trust = trust(&[1]);
    let request = Request::at(now());
    for length in [0, 1, 23, 24, 255, 256, 262_143, 262_144, 262_145, 600_000] {
        let payload = vec![7; length];
        for template in [template(), Template::default()] {
            let mut spool = Spool::new().unwrap();
            spool.write_all(&payload).unwrap();
            let envelope = sign(&key(1), &payload, &template).to_bytes();
            let signed = sign_large(&key(1), &spool, spool.length(), &template).unwrap();
            assert!([signed.head(), payload.clone(), signed.tail()].concat() == envelope);
            for (bytes, tagging) in
                [(&envelope[..], Tagging::Required), (&envelope[1..], Tagging::Optional)]
            {
                let question =
                    Question { envelope: bytes, tagging, request: &request, trust: &trust };
                assert!(question.in_file().as_ref() == Ok(&payload), "{length}");
                assert!(question.spooled(100, 50_000).as_ref() == Ok(&payload), "{length}");
            }
        }
    }
}

#[test]
fn a_payload_that_is_shorter_than_was_said_is_not_signed() {
    let error = sign_large(&key(1), &b"short"[..], 6, &template()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// Where the key id names nobody, everybody is tried, and the first whose key fits is the signer.
#[test]
fn keys_that_are_not_named_are_tried_alike() {
    let request = Request::at(now());
    let mut envelope = sign(&key(3), b"payload", &Template::default()).to_bytes();
    let named = envelope.clone();
    // Without its kid, and signed again by hand.
    let mut header = Encoder::new();
    header.map(1).int(1).int(-8);
    let header = header.into_bytes();
    let signed = brine::cose::ToBeSigned::new(&header, &[], b"payload");
    let signature = key(3).sign(&signed.parts());
    let mut encoder = Encoder::new();
    encoder.tag(18).array(4).bytes(&header).map(0).bytes(b"payload").bytes(&signature);
    envelope.clone_from(&encoder.into_bytes());
    for (bytes, seeds, expected) in [
        (&envelope, &[1, 2, 3][..], None),
        (&envelope, &[1, 2], Some("signature-bad")),
        (&envelope, &[], Some("no-trust-anchors")),
        (&named, &[1, 2, 3], None),
        (&named, &[1, 2], Some("unknown-signer")),
        (&named, &[], Some("unknown-signer")),
    ] {
        let trust = trust(seeds);
        let question = Question {
            envelope: bytes,
            tagging: Tagging::Required,
            request: &request,
            trust: &trust,
        };
        let found = question.judge("kid").err().map(|message| refused(Err(message)));
        assert_eq!(found.as_deref(), expected, "{seeds:?}");
    }
}

#[test]
fn a_payload_in_the_wrong_place_is_refused() {
    let trust = trust(&[1]);
    let request = Request::at(now());
    let attached = sign(&key(1), b"payload", &template()).to_bytes();
    let detached = sign_detached(&key(1), b"payload", &template()).to_bytes();
    let (tagging, elsewhere) =
        (Tagging::Required, Request { payload: PayloadSource::Detached(b"payload"), ..request });
    for (envelope, request, reason) in
        [(&attached, elsewhere, "payload-attached"), (&detached, request, "payload-detached")]
    {
        let question = Question { envelope, tagging, request: &request, trust: &trust };
        assert_eq!(refused(question.judge(reason)), reason);
    }
    let sign1 = Sign1::parse(&attached, tagging).unwrap();
    let error = verify_large_detached(&sign1, &request, &trust, &mut &b"payload"[..], 7);
    assert!(matches!(error, Err(Error::AttachedPayload)));
    let sign1 = Sign1::parse(&detached, tagging).unwrap();
    let error = verify_large_detached(&sign1, &request, &trust, &mut &b"payloa"[..], 7);
    assert_eq!(error.unwrap_err().reason(), "cut-short");
}

/// What fails says which side it was.
#[test]
fn readers_and_writers_that_fail_are_told_apart() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let trust = trust(&[1]);
    let envelope = sign(&key(1), b"payload", &template()).to_bytes();
    let (beginning, rest) = envelope.split_at(envelope.len() - 70);
    let tagging = Tagging::Required;
    let mut rest = rest;
    let error = LargeEnvelope::read(beginning.to_vec(), &mut rest, &mut Broken, tagging);
    assert!(matches!(error, Err(Error::Output(_))));
    let error = LargeEnvelope::read(beginning.to_vec(), &mut Broken, &mut io::sink(), tagging);
    assert!(matches!(error, Err(Error::Input(_))));
    let length = envelope.len().try_into().unwrap();
    let large = LargeEnvelope::read_around(envelope.as_slice(), 0, length, tagging).unwrap();
    let sign1 = large.sign1().unwrap();
    let request = Request::at(now());
    let error = verify_large(&sign1, &request, &trust, &mut &b"payload"[..], &mut Broken);
    assert!(matches!(error, Err(Error::Output(_))));
    let error = verify_large(&sign1, &request, &trust, &mut Broken, &mut io::sink());
    assert!(matches!(error, Err(Error::Input(_))));
}

/// No byte that a length announces is waited for, or made room for, beyond the limit.
#[test]
fn a_payload_over_the_limit_is_refused_by_its_head() {
    let mut front = sign(&key(1), b"", &template()).to_bytes();
    front.truncate(front.len() - 67);
    for length in [brine::MAX_PAYLOAD_BYTES + 1, 1 << 40, 1 << 63, u64::MAX] {
        let mut head = Encoder::new();
        head.long_bytes_head(length);
        let envelope = [&front[..], &head.into_bytes()].concat();
        let mut endless = envelope.chain(io::repeat(0));
        let outcome =
            LargeEnvelope::read(Vec::new(), &mut endless, &mut io::sink(), Tagging::Required);
        assert_eq!(outcome.unwrap_err().reason(), "too-large", "{length}");
        let outcome = LargeEnvelope::read_around(
            envelope.as_slice(),
            0,
            envelope.len().try_into().unwrap(),
            Tagging::Required,
        );
        assert_eq!(outcome.unwrap_err().reason(), "cut-short", "{length}");
    }
}
