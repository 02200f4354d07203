//! Envelopes whose payload is not in memory are judged as those whose payload is.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use brine_core::cbor::Encoder;
use brine_core::cose::{MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, ToBeSigned};
use brine_core::hash::{HashAlgorithm, ReadAt};
use brine_core::{
    Beside, Classified as _, Content, Error, Expectations, Hashed, Input, Kept, Kind, KnownSigners,
    MAX_MEMORY_BYTES, Opening, Result, Signer, SigningError, Skimmed, Statement, Store,
    StreamOptions, StreamWriter, SystemError, Timestamp, Verified, WholeContent, armor, open, sign,
};
use brine_testkit::{Arrival, Arriving, Vector, hex, key, now, statement, vectors};

use crate::common::{KeptInMemory, MemoryStore, length_of, release};

/// As much of an input as shows everything before its payload, in bytes.
const FRONT_BYTES: usize = 2 * MAX_HEADER_BYTES + 64;

/// As much of what comes after the payload as is kept, in bytes.
const TAIL_BYTES: usize = 8 * 1024;

/// What was released, or the refusal in full.
type Outcome = Result<Vec<u8>, String>;

fn in_full<T>(result: Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{}: {error}", error.reason()))
}

/// An input that seems too large for memory. How long it is said to be is not relied on.
fn too_large(input: Input) -> Input {
    input.expecting(u64::MAX)
}

/// One question about some bytes, asked in every way there is.
#[derive(Clone, Copy)]
struct Asked<'q> {
    envelope: &'q [u8],
    expectations: &'q Expectations,
    trust: &'q KnownSigners,
    now: Timestamp,
}

impl Asked<'_> {
    fn of(self, input: Input, prepare: impl FnOnce(Opening) -> Opening) -> Outcome {
        let opening = open(input).map(prepare);
        let (released, outcome) = release(opening, self.expectations, self.trust, &self.now);
        assert!(outcome.is_ok() || released.is_empty(), "a part is released");
        in_full(outcome.map(|()| released))
    }

    fn in_memory(self) -> Outcome {
        self.of(self.envelope.into(), |opening| opening)
    }

    /// As from a pipe.
    fn in_pipe(self, arrival: Arrival) -> Outcome {
        let input = || too_large(Input::new(Arriving::new(self.envelope, arrival)));
        let found = self.of(input(), |opening| opening.store(MemoryStore));
        let dropped = self.verify(input(), |opening| opening.store(MemoryStore).without_payload());
        assert_eq!(dropped, found.as_deref().map(length_of).map_err(String::clone));
        found
    }

    /// As from a file in which something else comes first.
    fn in_file(self) -> Outcome {
        let input = || {
            let (bytes, length) = ([b"before", self.envelope].concat(), length_of(self.envelope));
            let file = Arc::new(KeptInMemory(bytes));
            let reader = Input::new(Arriving::new(self.envelope, Arrival::Whole));
            too_large(reader.anywhere(file, 6, length))
        };
        let found = self.of(input(), |opening| opening.store(MemoryStore));
        let dropped = self.verify(input(), Opening::without_payload);
        assert_eq!(dropped, found.as_deref().map(length_of).map_err(String::clone));
        found
    }

    /// Verifies it, and returns the length of a payload that is not to be released.
    fn verify(self, input: Input, prepare: impl FnOnce(Opening) -> Opening) -> Result<u64, String> {
        let opening = open(input).map(prepare);
        let verified =
            opening.and_then(|opening| opening.verify(self.expectations, self.trust, &self.now));
        in_full(verified.map(|verified| {
            assert_eq!(verified.in_memory(), None);
            let length = verified.payload_bytes();
            assert_eq!(verified.into_bytes().unwrap(), b"");
            length
        }))
    }

    #[track_caller]
    fn judge(self, name: &str) -> Outcome {
        let expected = self.in_memory();
        assert_eq!(self.in_file(), expected, "{name}");
        let whole = Input::new(Arriving::new(self.envelope, Arrival::Whole));
        assert_eq!(self.of(whole, |opening| opening), expected, "{name}");
        for arrival in [Arrival::AtOnce(1), Arrival::AtOnce(7), Arrival::Reluctant] {
            assert_eq!(self.in_pipe(arrival), expected, "{name}, {arrival:?}");
        }
        expected
    }
}

/// Returns whether an envelope is one of several signers, whose payload is always in memory.
fn is_of_several(vector: &Vector) -> bool {
    brine_core::cose::begins_several(&vector.envelope)
}

/// Asks as a vector does.
fn ask<T>(vector: &Vector, judge: impl FnOnce(Asked<'_>) -> T) -> T {
    let (expectations, trust) = (vector.expectations(), vector.trust());
    let (envelope, now) = (&vector.envelope, vector.now());
    judge(Asked { envelope, expectations: &expectations, trust: &trust, now })
}

/// Asks for data of these signers.
fn ask_for<T>(envelope: &[u8], seeds: &[u8], judge: impl FnOnce(Asked<'_>) -> T) -> T {
    let signer = |seed: &u8| Signer::new("k", key(*seed).verifying_key().clone());
    let trust = KnownSigners::new(seeds.iter().map(signer));
    judge(Asked { envelope, expectations: &Expectations::new(), trust: &trust, now: now() })
}

fn signed(payload: &[u8]) -> Vec<u8> {
    sign(&statement(), &key(1), payload).unwrap().to_bytes()
}

fn refused(outcome: Outcome) -> String {
    outcome.unwrap_err().split(':').next().unwrap().to_owned()
}

#[test]
fn every_vector_is_judged_alike() {
    let (mut accepted, mut compared) = (0, 0);
    for vector in vectors().iter().filter(|vector| vector.bytes("detached").is_none()) {
        let is_stream = open(vector.envelope.as_slice()).is_ok_and(|opening| opening.is_stream());
        if is_stream || is_of_several(vector) {
            continue;
        }
        ask(vector, |asked| {
            // It claims 2^63 bytes or so. From a pipe that is answer enough.
            if vector.name == "payload-bomb.vector" {
                assert_eq!(asked.in_file(), asked.in_memory());
                assert_eq!(refused(asked.in_memory()), "cut-short");
                assert_eq!(refused(asked.in_pipe(Arrival::AtOnce(1))), "too-large");
                return;
            }
            accepted += usize::from(asked.judge(&vector.name).is_ok());
            compared += 1;
        });
    }
    assert!(accepted >= 45 && compared >= 340, "{accepted} of {compared}");
}

/// A job is judged as data is, by whoever asks for jobs.
#[test]
fn every_job_vector_is_judged_alike() {
    let mut accepted = 0;
    for vector in vectors().iter().filter(|vector| vector.is_job()) {
        let expectations = vector.expectations().kind(Kind::Job);
        ask(vector, |asked| {
            let asked = Asked { expectations: &expectations, ..asked };
            accepted += usize::from(asked.judge(&vector.name).is_ok());
        });
    }
    assert!(accepted >= 60, "{accepted}");
}

/// Content beside its signature that is too large for memory, and is read a few bytes at a time.
struct Elsewhere {
    content: Vec<u8>,
    /// Whether it changed while it was read.
    changed: bool,
}

impl Elsewhere {
    fn new(content: &[u8]) -> Self {
        Self { content: content.to_vec(), changed: false }
    }
}

impl ReadAt for Elsewhere {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let at_once = room.len().min(3);
        self.content.as_slice().read_at(&mut room[..at_once], offset)
    }
}

impl Beside for Elsewhere {
    fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed> {
        self.unchanged()?;
        self.content.as_slice().digest(hash)
    }

    fn whole(&mut self) -> io::Result<WholeContent<'_>> {
        Ok(WholeContent::Large(self, length_of(&self.content)))
    }

    fn unchanged(&mut self) -> io::Result<()> {
        if self.changed { Err(io::Error::other("it changed while it was read")) } else { Ok(()) }
    }
}

impl Asked<'_> {
    fn beside(self, content: &mut dyn Beside) -> Result<Verified> {
        open(self.envelope)?.verify_beside(content, self.expectations, self.trust, &self.now)
    }
}

#[test]
fn every_detached_vector_is_judged_alike() {
    let (mut accepted, mut compared) = (0, 0);
    for vector in &vectors() {
        let Some(content) = vector.bytes("detached") else { continue };
        if is_of_several(vector) {
            continue;
        }
        ask(vector, |asked| {
            let length = |verified: Verified| {
                assert_eq!(verified.in_memory(), None);
                (verified.payload_bytes(), verified.kind(), verified.signer().clone())
            };
            let expected = in_full(asked.beside(&mut content.as_slice()).map(length));
            let found = in_full(asked.beside(&mut Elsewhere::new(&content)).map(length));
            assert_eq!(found, expected, "{}", vector.name);
            if let Ok((bytes, ..)) = found {
                assert_eq!(bytes, length_of(&content));
                accepted += 1;
            }
        });
        compared += 1;
    }
    assert!(accepted >= 5 && compared >= 16, "{accepted} of {compared}");
}

/// Every bit, every cut, and a byte too many in every place.
#[test]
fn every_mutation_is_judged_alike() {
    let envelope = signed(b"payload");
    let ask = |envelope: &[u8]| {
        ask_for(envelope, &[1], |asked| {
            let expected = asked.in_memory();
            assert_eq!(asked.in_file(), expected, "{envelope:02x?}");
            assert_eq!(asked.in_pipe(Arrival::AtOnce(5)), expected, "{envelope:02x?}");
            expected
        })
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
    let envelope = signed(b"payload");
    let (front, _) = envelope.split_at(envelope.len() - 66);
    let most = TAIL_BYTES;
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
            let found = ask_for(bytes, &[1], |asked| asked.judge(&length.to_string()));
            assert_eq!(refused(found), reason, "{length}");
        }
    }
}

/// Where several rules are broken, the same one is named wherever the payload is.
#[test]
fn a_long_signature_under_a_bad_header_is_judged_alike() {
    for (label, reason) in [
        (-70_001, "segment-form"), // position
        (-70_004, "sequence-version"),
        (-70_005, "grants-form"),
    ] {
        let mut header = Encoder::new();
        header.map(4).int(1).int(-8).int(2).array(1).int(label);
        header.int(16).text("application/vnd.brine.data+cose");
        header.int(label).array(3).int(2).bytes(&[7; 16]).int(0);
        for length in [63, TAIL_BYTES, 2 * TAIL_BYTES] {
            let mut envelope = Encoder::new();
            envelope.tag(18).array(4).bytes(header.as_bytes()).map(0).bytes(b"payload");
            envelope.bytes(&vec![7; length]);
            let envelope = envelope.into_bytes();
            let found = ask_for(&envelope, &[1], |asked| asked.judge(reason));
            assert_eq!(refused(found), reason, "{length}");
        }
    }
}

/// Headers of every length around what is read of an input before it is judged.
#[test]
fn long_headers_are_judged_alike() {
    let front = FRONT_BYTES;
    for length in [60_000, 65_536, 70_000, front - 20, front - 8, front, front + 1, 2 * front] {
        let mut value = Encoder::new();
        value.map(1).int(99).bytes(&vec![7; length]);
        for header in [value.into_bytes(), vec![0xff; length], vec![0xa0; length]] {
            let mut protected = Encoder::new();
            protected.tag(18).array(4).bytes(&header).map(0).bytes(b"x").bytes(&[7; 64]);
            let mut unprotected = Encoder::new();
            unprotected.tag(18).array(4).bytes(b"").raw(&header).bytes(b"x").bytes(&[7; 64]);
            for envelope in [protected.into_bytes(), unprotected.into_bytes()] {
                ask_for(&envelope, &[1], |asked| {
                    let reason = refused(asked.in_memory());
                    assert_eq!(refused(asked.in_file()), reason, "{length}");
                    assert_eq!(refused(asked.in_pipe(Arrival::AtOnce(1000))), reason, "{length}");
                });
            }
        }
    }
}

/// Around what is read at once, and with headers that are untagged, plain or full.
#[test]
fn payloads_of_every_length_come_back() {
    for length in [0, 1, 23, 24, 255, 256, 262_143, 262_144, 262_145, 600_000] {
        let payload = vec![7; length];
        for statement in [statement(), Statement::plain()] {
            let envelope = sign(&statement, &key(1), payload.as_slice()).unwrap().to_bytes();
            let copy = KeptInMemory(payload.clone());
            let copy = Content::Copy(&copy, length_of(&payload));
            let large = sign(&statement, &key(1), copy).unwrap();
            assert!([large.head(), payload.clone(), large.tail()].concat() == envelope);
            let mut written = Vec::new();
            large.write_to(&mut written).unwrap();
            assert!(written == envelope, "{length}");
            let detached = sign(&statement, &key(1), payload.as_slice()).unwrap().detached();
            assert!(large.detached() == detached && large.to_bytes() == detached, "{length}");
            let (tagged, untagged) =
                (Expectations::new().untyped(), Expectations::new().untyped().untagged());
            for (bytes, expectations) in [(&envelope[..], &tagged), (&envelope[1..], &untagged)] {
                ask_for(bytes, &[1], |asked| {
                    let asked = Asked { expectations, ..asked };
                    assert!(asked.in_memory().as_ref() == Ok(&payload), "{length}");
                    assert!(asked.in_file().as_ref() == Ok(&payload), "{length}");
                    let in_pipe = asked.in_pipe(Arrival::AtOnce(50_000));
                    assert!(in_pipe.as_ref() == Ok(&payload), "{length}");
                });
            }
        }
    }
}

#[test]
fn a_payload_that_is_shorter_than_was_said_is_not_signed() {
    let copy = KeptInMemory(b"short".to_vec());
    let error = sign(&statement(), &key(1), Content::Copy(&copy, 6)).unwrap_err();
    let Error::Signing(SigningError::Message(error)) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// Where the key id names nobody, everybody is tried, and the first whose key fits is the signer.
#[test]
fn keys_that_are_not_named_are_tried_alike() {
    let named = sign(&Statement::plain(), &key(3), b"payload").unwrap().to_bytes();
    // Without its kid, and signed again by hand.
    let mut header = Encoder::new();
    header.map(1).int(1).int(-8);
    let header = header.into_bytes();
    let signature = key(3).sign(&ToBeSigned::new(&header, &[], b"payload").parts());
    let mut envelope = Encoder::new();
    envelope.tag(18).array(4).bytes(&header).map(0).bytes(b"payload").bytes(&signature);
    let envelope = envelope.into_bytes();
    for (bytes, seeds, expected) in [
        (&envelope, &[1, 2, 3][..], None),
        (&envelope, &[1, 2], Some("signature-bad")),
        (&envelope, &[], Some("no-trust-anchors")),
        (&named, &[1, 2, 3], None),
        (&named, &[1, 2], Some("unknown-signer")),
        (&named, &[], Some("unknown-signer")),
    ] {
        let expectations = &Expectations::new().untyped();
        let found = ask_for(bytes, seeds, |asked| Asked { expectations, ..asked }.judge("kid"));
        assert_eq!(
            found.err().map(|message| refused(Err(message))).as_deref(),
            expected,
            "{seeds:?}"
        );
    }
}

#[test]
fn a_payload_in_the_wrong_place_is_refused() {
    let attached = signed(b"payload");
    let detached = sign(&statement(), &key(1), b"payload").unwrap().detached();
    let found = ask_for(&detached, &[1], |asked| asked.judge("detached"));
    assert_eq!(refused(found), "payload-detached");
    ask_for(&attached, &[1], |asked| {
        let error = asked.beside(&mut Elsewhere::new(b"payload")).unwrap_err();
        assert_eq!(error.reason(), "payload-attached");
    });
    ask_for(&detached, &[1], |asked| {
        assert_eq!(asked.beside(&mut Elsewhere::new(b"payload")).unwrap().payload_bytes(), 7);
        let error = asked.beside(&mut Elsewhere::new(b"payloa")).unwrap_err();
        assert_eq!(error.reason(), "signature-bad");
        // What says that it is longer than it is.
        struct Cut(Elsewhere);
        impl Beside for Cut {
            fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed> {
                self.0.digest(hash)
            }
            fn whole(&mut self) -> io::Result<WholeContent<'_>> {
                Ok(WholeContent::Large(&self.0, length_of(&self.0.content) + 1))
            }
        }
        let error = asked.beside(&mut Cut(Elsewhere::new(b"payloa"))).unwrap_err();
        assert_eq!(error.reason(), "cut-short");
    });
}

/// A change is what went wrong, and not the signature that it breaks.
#[test]
fn content_that_changes_while_it_is_read_is_no_verdict() {
    let detached = sign(&statement(), &key(1), b"payload").unwrap().detached();
    let digest = HashAlgorithm::Sha256.digest(b"payload");
    let hashed = Content::Digest(HashAlgorithm::Sha256, &digest);
    let hashed = sign(&statement(), &key(1), hashed).unwrap().to_bytes();
    for envelope in [detached, hashed] {
        for content in [&b"payload"[..], b"another"] {
            let mut content = Elsewhere { changed: true, ..Elsewhere::new(content) };
            let error = ask_for(&envelope, &[1], |asked| asked.beside(&mut content)).unwrap_err();
            assert!(matches!(error, Error::System(SystemError::Input(_))), "{error:?}");
        }
    }
}

/// A hash envelope beside its content is data, or the digest that was asked for, and nothing else.
#[test]
fn a_digest_is_not_taken_for_what_was_asked_for() {
    let digest = HashAlgorithm::Blake3.digest(b"payload");
    let digest = Content::Digest(HashAlgorithm::Blake3, &digest);
    let hashed = sign(&statement(), &key(1), digest).unwrap().to_bytes();
    let detached = sign(&statement(), &key(1), b"payload").unwrap().detached();
    for kind in Kind::all() {
        let expectations = Expectations::new().kind(kind);
        let verdict = |envelope: &[u8]| {
            ask_for(envelope, &[1], |asked| {
                let asked = Asked { expectations: &expectations, ..asked };
                let verified = asked.beside(&mut &b"payload"[..]);
                verified.map(|verified| verified.kind()).map_err(|error| error.reason())
            })
        };
        let is_either = matches!(kind, Kind::Data | Kind::Digest);
        let expected = if is_either { Ok(Kind::Digest) } else { Err("wrong-kind") };
        assert_eq!(verdict(&hashed), expected, "{kind}");
        let expected = if kind == Kind::Data { Ok(kind) } else { Err("wrong-kind") };
        assert_eq!(verdict(&detached), expected, "{kind}");
    }
}

/// What holds its payload speaks for nothing else, and what does not needs it from elsewhere.
#[test]
fn a_signature_beside_its_content_is_known_before_it_is_judged() {
    let digest = HashAlgorithm::Blake3.digest(b"payload");
    let digest = Content::Digest(HashAlgorithm::Blake3, &digest);
    let job = statement().kind(Kind::Job);
    let lies_beside = |envelope: &[u8]| {
        brine_core::open(envelope.to_vec()).unwrap().lies_beside(&Expectations::new())
    };
    let made = |statement: &Statement| sign(statement, &key(1), b"payload").unwrap();
    for (envelope, expected) in [
        (made(&statement()).detached(), true),
        (made(&statement()).to_bytes(), false),
        (sign(&statement(), &key(1), digest).unwrap().to_bytes(), true),
        (made(&job).detached(), false),
        (made(&job).to_bytes(), false),
        (b"payload".to_vec(), false),
        (Vec::new(), false),
    ] {
        assert_eq!(lies_beside(&envelope), expected, "{}", hex(&envelope));
        // As long as the form holds, it does not matter whether the rest does.
        let mut altered = envelope;
        if let Some(last) = altered.last_mut() {
            *last ^= 1;
        }
        assert_eq!(lies_beside(&altered), expected, "{}", hex(&altered));
    }
}

/// A place that fails to do one thing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failing {
    Keep,
    Write,
    /// From this reading on, counted from 0, once or for ever.
    Read {
        from: u64,
        times: u64,
    },
    /// It is as long as this and says nothing.
    End(usize),
}

impl Store for Failing {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        match self {
            Self::Keep => Err(io::ErrorKind::PermissionDenied.into()),
            _ => Ok(Box::new(FailingKept {
                failing: *self,
                reads: AtomicU64::new(0),
                bytes: Vec::new(),
            })),
        }
    }
}

struct FailingKept {
    failing: Failing,
    reads: AtomicU64,
    bytes: Vec<u8>,
}

impl Write for FailingKept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failing == Failing::Write {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for FailingKept {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.reads.fetch_add(1, Ordering::SeqCst);
        match self.failing {
            Failing::Read { from, times } if (from..from.saturating_add(times)).contains(&read) => {
                room.fill(0xaa);
                Err(io::ErrorKind::NotConnected.into())
            }
            Failing::End(length) if read >= 3 => self.bytes[..length].read_at(room, offset),
            _ => self.bytes.as_slice().read_at(room, offset),
        }
    }
}

fn pipe(envelope: &[u8]) -> Opening {
    open(too_large(Input::new(Arriving::new(envelope, Arrival::Whole)))).unwrap()
}

/// What fails says which side it was.
#[test]
fn readers_and_stores_that_fail_are_told_apart() {
    let envelope = signed(b"payload");
    ask_for(&envelope, &[1], |asked| {
        let verify = |opening: Opening| opening.verify(asked.expectations, asked.trust, &asked.now);
        for failing in [Failing::Keep, Failing::Write, Failing::Read { from: 0, times: 1 }] {
            let error = verify(pipe(&envelope).store(failing)).unwrap_err();
            assert!(
                matches!(error, Error::System(SystemError::Store(_))),
                "{failing:?}: {error:?}"
            );
        }
        let error = verify(pipe(&envelope)).unwrap_err();
        assert_eq!(in_full::<()>(Err(error)), Err(NO_STORE.to_owned()));
        // Before the signature is all there, or in the payload.
        for length in [3, envelope.len() - 70, envelope.len() - 1] {
            let broken = envelope[..length].to_vec().chain_broken();
            let error = match open(too_large(Input::new(broken))) {
                Ok(opening) => verify(opening.store(MemoryStore)).unwrap_err(),
                Err(error) => error,
            };
            assert!(matches!(error, Error::System(SystemError::Input(_))), "{length}: {error:?}");
        }
        let reader = Arriving::new(envelope.as_slice(), Arrival::Whole);
        let broken = FailingKept {
            failing: Failing::Read { from: 2, times: u64::MAX },
            reads: AtomicU64::new(0),
            bytes: envelope.clone(),
        };
        let input = Input::new(reader).anywhere(Arc::new(broken), 0, length_of(&envelope));
        let error = verify(open(too_large(input)).unwrap().store(MemoryStore)).unwrap_err();
        assert!(matches!(error, Error::System(SystemError::Input(_))), "{error:?}");
    });
}

const NO_STORE: &str = "io: cannot keep the payload: no store for what does not fit memory";

trait ChainBroken {
    fn chain_broken(self) -> Box<dyn Read + Send>;
}

impl ChainBroken for Vec<u8> {
    /// The connection breaks after these bytes.
    fn chain_broken(self) -> Box<dyn Read + Send> {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        Box::new(io::Cursor::new(self).chain(Broken))
    }
}

/// Nothing comes out of a store but what it gives: not what stood in memory when a reading failed, and no end before
/// the end.
#[test]
fn a_store_that_fails_after_the_verdict_releases_nothing_else() {
    let payload: Vec<u8> = (0..600_000_u32).map(|number| number as u8).collect();
    let envelope = signed(&payload);
    ask_for(&envelope, &[1], |asked| {
        let begin = |failing: Failing| {
            let opening = pipe(&envelope).store(failing);
            opening.verify(asked.expectations, asked.trust, &asked.now).unwrap()
        };
        // It is read three times while the signature is verified.
        for from in 3..6 {
            let mut verified = begin(Failing::Read { from, times: 2 });
            let mut released = Vec::new();
            let mut failures = 0;
            loop {
                match verified.next_piece() {
                    Ok(Some(piece)) => released.extend(piece),
                    Ok(None) => break,
                    Err(error) => {
                        assert!(matches!(error, Error::System(SystemError::Store(_))), "{error:?}");
                        assert!(payload.starts_with(&released), "released what was not given");
                        failures += 1;
                    }
                }
            }
            assert!(released == payload && failures == 2, "{from}");
        }
        for length in [0, 1, 262_144, 599_999] {
            let verified = begin(Failing::End(length));
            let (released, outcome) = crate::common::drain(verified);
            let Err(Error::System(SystemError::Store(error))) = outcome else {
                panic!("{length}: {outcome:?}")
            };
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert!(released == payload[..length], "{length}");
        }
    });
}

/// No byte that a length announces is waited for, or made room for, beyond the limit.
#[test]
fn a_payload_over_the_limit_is_refused_by_its_head() {
    let mut front = signed(b"");
    front.truncate(front.len() - 67);
    for length in [MAX_PAYLOAD_BYTES + 1, 1 << 40, 1 << 63, u64::MAX] {
        let mut head = Encoder::new();
        head.long_bytes_head(length);
        let envelope = [&front[..], &head.into_bytes()].concat();
        let endless = io::Cursor::new(envelope.clone()).chain(io::repeat(0));
        ask_for(&envelope, &[1], |asked| {
            let opening = open(too_large(Input::new(endless))).unwrap().store(MemoryStore);
            let outcome = opening.verify(asked.expectations, asked.trust, &asked.now);
            assert_eq!(outcome.unwrap_err().reason(), "too-large", "{length}");
            assert_eq!(refused(asked.in_file()), "cut-short", "{length}");
            assert_eq!(refused(asked.in_memory()), "cut-short", "{length}");
        });
    }
}

/// What is no envelope is named as such, and nothing of it is kept.
#[test]
fn what_is_no_envelope_needs_no_store() {
    for beginning in [&b""[..], b"GIF89a", b"-", b"-----BEGIN", b"\xd2\x84\xff", b"\xd8\x62\x84"] {
        let endless = io::Cursor::new(beginning.to_vec()).chain(io::repeat(b'x'));
        ask_for(beginning, &[1], |asked| {
            let opening = open(Input::new(endless)).unwrap();
            let error = opening.verify(asked.expectations, asked.trust, &asked.now).unwrap_err();
            let reason = match beginning {
                b"\xd2\x84\xff" => "indefinite-length",
                b"\xd8\x62\x84" => "unexpected-type",
                _ => "not-an-envelope",
            };
            assert_eq!(error.reason(), reason, "{beginning:?}");
        });
    }
}

/// Around the border of what is held in memory. Bytes that are in memory already need no store.
#[test]
fn an_envelope_needs_a_store_if_it_does_not_fit_memory() {
    let most = usize::try_from(MAX_MEMORY_BYTES).unwrap();
    let around = signed(&[0; 1 << 20]).len() - (1 << 20);
    for (length, needs_store) in [(most, false), (most + 1, true)] {
        let payload = vec![0x5a; length - around];
        let envelope = signed(&payload);
        assert_eq!(envelope.len(), length);
        ask_for(&envelope, &[1], |asked| {
            let reader = || Input::new(Arriving::new(asked.envelope, Arrival::Whole));
            for input in [reader(), reader().expecting(length_of(&envelope))] {
                let found = asked.of(input, |opening| opening);
                let expected =
                    if needs_store { Err(NO_STORE.to_owned()) } else { Ok(payload.clone()) };
                assert!(found == expected, "{length}");
            }
            assert!(
                asked.of(reader(), |opening| opening.store(MemoryStore)).as_ref() == Ok(&payload)
            );
            assert!(asked.in_memory().as_ref() == Ok(&payload), "{length}");
        });
    }
}

/// Text that is longer than what is held in memory, whether or not anybody knows how long it is.
#[test]
fn long_armor_is_recognised_however_it_arrives() {
    let payload = vec![0x5a; 4 << 20];
    let text = armor::encode(&signed(&payload)).unwrap().into_bytes();
    assert!(length_of(&text) > MAX_MEMORY_BYTES);
    ask_for(&text, &[1], |asked| {
        let reader = |arrival| Input::new(Arriving::new(asked.envelope, arrival));
        let source = Arc::new(KeptInMemory(text.clone()));
        for input in [
            reader(Arrival::Whole),
            reader(Arrival::AtOnce(1000)),
            reader(Arrival::Whole).expecting(length_of(&text)),
            reader(Arrival::AtOnce(1000)).expecting(length_of(&text)),
            reader(Arrival::Whole).anywhere(source, 0, length_of(&text)),
            asked.envelope.into(),
        ] {
            assert!(asked.of(input, |opening| opening).as_ref() == Ok(&payload));
        }
    });
    // It is shorter than somebody said.
    let short = armor::encode(&signed(b"payload")).unwrap();
    ask_for(short.as_bytes(), &[1], |asked| {
        let input = Input::new(Arriving::new(asked.envelope, Arrival::AtOnce(1)));
        let input = input.expecting(MAX_MEMORY_BYTES + 1);
        assert_eq!(asked.of(input, |opening| opening).as_deref(), Ok(&b"payload"[..]));
    });
}

/// An input that is a stream, where a signature beside content is looked for, is refused by its beginning.
#[test]
fn a_stream_is_no_signature_beside_content() {
    let (signer, options) = (Arc::new(key(1)), StreamOptions::new());
    let stream = StreamWriter::new(Vec::new(), signer, statement(), options).unwrap();
    let stream = stream.finish().unwrap();
    let verify = |input: Input| {
        ask_for(b"", &[1], |asked| {
            let beside = &mut &b"content"[..];
            open(input)
                .unwrap()
                .verify_beside(beside, asked.expectations, asked.trust, &asked.now)
                .unwrap_err()
                .reason()
        })
    };
    assert_eq!(verify(stream.as_slice().into()), "wrong-kind");
    // Its envelope alone is a segment, which is no signature of content.
    assert_eq!(verify(stream[..stream.len() - 1].into()), "wrong-kind");
    let read = Arc::new(AtomicU64::new(0));
    let endless = Watched { reader: io::repeat(0), read: Arc::clone(&read) };
    let endless = io::Cursor::new(stream).chain(endless);
    assert_eq!(verify(Input::new(endless)), "wrong-kind");
    assert_eq!(read.load(Ordering::SeqCst), 0);
}

/// A reader whose bytes are counted.
struct Watched<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(room)?;
        self.read.fetch_add(count.try_into().unwrap(), Ordering::SeqCst);
        Ok(count)
    }
}

/// Bytes of which the middle must not be read.
struct Guarded {
    bytes: Vec<u8>,
    seen: Arc<AtomicBool>,
}

impl ReadAt for Guarded {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let is_middle = (200_000..500_000).contains(&offset);
        self.seen.fetch_or(is_middle, Ordering::SeqCst);
        self.bytes.as_slice().read_at(room, offset)
    }
}

/// A signature that no payload can have is found out before the payload is read.
#[test]
fn a_lost_case_reads_no_payload() {
    let envelope = signed(&vec![7; 600_000]);
    // R is of small order, which can be told from the signature alone.
    let mut hopeless = envelope.clone();
    let at = hopeless.len() - 64;
    hopeless[at..at + 32].copy_from_slice(&[0; 32]);
    for (bytes, seeds, reason) in [
        (&hopeless, &[1][..], Some("signature-bad")),
        (&envelope, &[], Some("unknown-signer")),
        (&envelope, &[1], None),
    ] {
        let seen = Arc::new(AtomicBool::new(false));
        let source = Arc::new(Guarded { bytes: bytes.clone(), seen: Arc::clone(&seen) });
        let reader = Arriving::new(bytes.as_slice(), Arrival::Whole);
        let input = too_large(Input::new(reader).anywhere(source, 0, length_of(bytes)));
        let found = ask_for(bytes, seeds, |asked| asked.verify(input, Opening::without_payload));
        let found = found.err().map(|error| refused(Err(error)));
        assert_eq!(found.as_deref(), reason);
        assert_eq!(seen.load(Ordering::SeqCst), reason.is_none());
    }
}

/// Whatever was read, and wherever the payload is, the rest of it comes back and nothing around it.
#[test]
fn what_was_not_read_comes_back() {
    let payload: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
    let envelope = signed(&payload);
    ask_for(&envelope, &[1], |asked| {
        let verify = |opening: Opening| {
            let opening = opening.store(MemoryStore);
            opening.verify(asked.expectations, asked.trust, &asked.now).unwrap()
        };
        for read in [0, 1, 1000, 262_144, 262_145, 299_999, 300_000] {
            for opening in [open(envelope.as_slice()).unwrap(), pipe(&envelope)] {
                let mut verified = verify(opening);
                let mut beginning = vec![0; read];
                verified.read_exact(&mut beginning).unwrap();
                assert!(beginning == payload[..read], "{read}");
                assert!(verified.in_memory().is_none_or(|whole| whole == payload));
                assert!(verified.into_bytes().unwrap() == payload[read..], "{read}");
            }
        }
    });
}

/// What is shown of an input is what arrived, without its armor; of a stream, the envelope that speaks for it, and
/// no more of it is read.
#[test]
fn what_is_shown_unverified_is_what_arrived() {
    let show = |input: Input| -> Result<Vec<u8>> {
        match open(input)?.skim()? {
            Skimmed::Whole(bytes) => Ok(bytes),
            other => panic!("{other:?}"),
        }
    };
    let envelope = signed(b"payload");
    let text = armor::encode(&envelope).unwrap().into_bytes();
    for input in [
        envelope.as_slice().into(),
        Input::new(Arriving::new(envelope.as_slice(), Arrival::AtOnce(1))),
        text.as_slice().into(),
        Input::new(Arriving::new(text.as_slice(), Arrival::AtOnce(1))),
    ] {
        assert_eq!(show(input).unwrap(), envelope);
    }
    // What is no envelope is shown as it is, for others to say so.
    assert_eq!(show(b"GIF89a".as_slice().into()).unwrap(), b"GIF89a");
    let (signer, options) = (Arc::new(key(1)), StreamOptions::new().segment_bytes(4));
    let mut stream = StreamWriter::new(Vec::new(), signer, statement(), options).unwrap();
    stream.write_all(b"content").unwrap();
    let stream = stream.finish().unwrap();
    let content = stream.windows(5).position(|window| window == b"\x44cont").unwrap();
    let shown = show(Input::new(io::Cursor::new(stream[..content].to_vec()).chain(Unreadable)));
    assert_eq!(shown.unwrap(), stream[..content]);
    assert_eq!(show(stream.as_slice().into()).unwrap(), stream[..content]);
    let error = show(stream[..content - 1].into()).unwrap_err();
    assert_eq!(error.reason(), "stream-cut");
}

/// Of what does not fit memory, all but the payload is shown, and as much is held, from a pipe or a file.
#[test]
fn what_does_not_fit_memory_is_shown_without_its_payload() {
    let length = usize::try_from(MAX_MEMORY_BYTES).unwrap() + 1;
    let envelope = signed(&vec![7; length]);
    let file = Input::new(io::empty()).anywhere(
        Arc::new(KeptInMemory(envelope.clone())),
        0,
        length_of(&envelope),
    );
    for input in [file, Input::new(Arriving::new(envelope.as_slice(), Arrival::AtOnce(50_000)))] {
        let Skimmed::Large(large) = open(input).unwrap().skim().unwrap() else { panic!() };
        let (outline, parsed) = (large.outline().unwrap(), large.parse().unwrap());
        assert_eq!(outline.protected_bytes, parsed.sign1().protected_bytes());
        assert_eq!(outline.signature, &envelope[envelope.len() - 64..]);
        assert_eq!(
            (outline.payload, large.payload_bytes()),
            (None, Some(length_of(&envelope[..length])))
        );
        assert_eq!((large.envelope_bytes(), large.signature_bytes()), (length_of(&envelope), 64));
    }
    // What is no envelope is shown as far as an envelope would show what it is.
    let junk = vec![0x80; length];
    let file =
        Input::new(io::empty()).anywhere(Arc::new(KeptInMemory(junk.clone())), 0, length_of(&junk));
    for input in [file, Input::new(Arriving::new(junk.as_slice(), Arrival::Whole))] {
        let Skimmed::Broken { beginning, why } = open(input).unwrap().skim().unwrap() else {
            panic!()
        };
        assert_eq!(why.reason(), "not-an-envelope");
        assert!(
            junk.starts_with(&beginning) && beginning.len() <= FRONT_BYTES,
            "{}",
            beginning.len()
        );
    }
    // For the same reason, a signature that is said to lie beside its content is not read with a payload.
    for (kind, reason) in [(Kind::Data, "payload-attached"), (Kind::Job, "wrong-kind")] {
        let payload = vec![7; length];
        let envelope = sign(&statement().kind(kind), &key(1), payload.as_slice()).unwrap();
        let envelope = envelope.to_bytes();
        let input = Input::new(Arriving::new(envelope.as_slice(), Arrival::AtOnce(50_000)));
        let trust = KnownSigners::new([Signer::new("k", key(1).verifying_key().clone())]);
        let opening = open(input).unwrap();
        let verdict =
            opening.verify_beside(&mut &b"content"[..], &Expectations::new(), &trust, &now());
        assert_eq!(verdict.unwrap_err().reason(), reason);
    }
    // Armor is held in memory, up to what is asked for.
    let text = armor::encode(&signed(&vec![7; 5_000_000])).unwrap().into_bytes();
    for (most, fits) in [(5_000_000, true), (3_000_000, false)] {
        let input = Input::new(Arriving::new(text.as_slice(), Arrival::Whole));
        let opened = open(input.armored_up_to(most)).map_err(|error| error.reason());
        assert_eq!(opened.map(drop), if fits { Ok(()) } else { Err("too-large") }, "{most}");
    }
}

/// Nobody reads from it.
struct Unreadable;

impl Read for Unreadable {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("too much is read")
    }
}
