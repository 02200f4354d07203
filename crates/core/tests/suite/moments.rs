//! The moment of judging: after the last byte of what is judged has arrived, and again at each later release.

use std::io::{self, Read, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use brine_core::hash::{HashAlgorithm, ReadAt};
use brine_core::time::LEEWAY;
use brine_core::{
    Beside, Class, Classified as _, Clock as _, Content, Error, Expectations, Hashed, Input,
    Observer, SigningError, Statement, StreamOptions, StreamWriter, SystemError, Timestamp,
    Untrusted, Verified, WholeContent, open, sign,
};
use brine_testkit::{
    Arrival, Arriving, ChangingTrust, JudgedBy, SteppingClock, key, now, signers, statement,
};

use crate::common::{MemoryStore, drain, length_of};

const SEGMENT: usize = 8;

/// Three segments that expire when the leeway has passed.
fn stream() -> Vec<u8> {
    let options = StreamOptions::new().segment_bytes(SEGMENT);
    let (key, statement) = (Arc::new(key(1)), statement().expires(now()));
    let mut writer = StreamWriter::new(Vec::new(), key, statement, options).unwrap();
    writer.write_all(&[7; 3 * SEGMENT]).unwrap();
    writer.finish().unwrap()
}

/// Trusts a signer up to a moment.
fn until(at: Timestamp) -> ChangingTrust {
    ChangingTrust::new(JudgedBy::new(signers(&[1]), move |signer, question| {
        match question.now < at {
            true => Ok(signer.clone()),
            false => Err(Untrusted::TooLate { signer: signer.name().to_owned(), at }),
        }
    }))
}

fn after(seconds: u64) -> Timestamp {
    now().plus(Duration::from_secs(seconds))
}

fn reason(error: &Error) -> (&'static str, Class) {
    (error.reason(), error.class())
}

/// Reads a segment, lets `change` happen, and reads on. Nothing more is released, and the verdict stays.
fn interrupted(
    stream: Vec<u8>,
    threads: usize,
    expectations: &Expectations,
    trust: &ChangingTrust,
    clock: &SteppingClock,
    change: impl FnOnce(),
) -> (&'static str, Class) {
    let opening = open(stream).unwrap().threads(threads);
    let mut verified = opening.verify(expectations, trust, clock).unwrap();
    assert_eq!(verified.next_piece().unwrap(), Some(&[7; SEGMENT][..]));
    change();
    let error = verified.next_piece().unwrap_err();
    assert_eq!(verified.next_piece().unwrap_err().reason(), "stream-refused");
    assert_eq!(verified.payload_bytes(), length_of(&[7; SEGMENT]));
    reason(&error)
}

#[test]
fn each_segment_is_held_to_time_and_trust_when_it_is_released() {
    let trust = || ChangingTrust::new(signers(&[1]));
    let until = |seconds| until(after(seconds));
    let any = Expectations::new();
    let young = Expectations::new().max_age(Duration::from_secs(20));
    let untrusted = |reason| (reason, Class::Untrusted);
    for threads in [1, 2, 4] {
        for (expectations, trust, seconds, expected) in [
            (&any, trust(), LEEWAY.as_secs(), "expired"),
            (&young, trust(), 21, "too-old"),
            (&any, until(10), 10, "signer-too-late"),
        ] {
            let clock = SteppingClock::new(now());
            // One second before, all of it is released.
            clock.step(seconds - 1);
            let opening = open(stream()).unwrap().threads(threads);
            let verified = opening.verify(expectations, &trust, &clock).unwrap();
            assert_eq!(drain(verified).0.len(), 3 * SEGMENT);
            let change = || clock.step(1);
            let found = interrupted(stream(), threads, expectations, &trust, &clock, change);
            assert_eq!(found, untrusted(expected), "{threads}");
        }
    }
}

#[test]
fn trust_that_changes_while_a_stream_flows_holds_for_what_follows() {
    let any = Expectations::new();
    for threads in [1, 2] {
        let (trust, clock) = (ChangingTrust::new(signers(&[1])), SteppingClock::new(now()));
        let forget = || trust.set(signers(&[2]));
        let found = interrupted(stream(), threads, &any, &trust, &clock, forget);
        assert_eq!(found, ("unknown-signer", Class::Untrusted));
        // That it is lost is no verdict on the stream.
        trust.set(signers(&[1]));
        let found = interrupted(stream(), threads, &any, &trust, &clock, || trust.lose());
        assert_eq!(found, ("trust-lost", Class::Key));
    }
}

/// A verdict says when the last segment was judged.
#[test]
fn a_stream_was_judged_when_its_last_segment_was_released() {
    let (trust, clock) = (signers(&[1]), SteppingClock::new(now()));
    let mut verified =
        open(stream()).unwrap().verify(&Expectations::new(), &trust, &clock).unwrap();
    assert_eq!(verified.judged_at(), now());
    while verified.next_piece().unwrap().is_some() {
        clock.step(5);
    }
    assert_eq!(verified.judged_at(), after(10));
}

/// Content that takes its time.
struct Late {
    content: Vec<u8>,
    clock: SteppingClock,
    is_large: bool,
}

impl Late {
    fn arrive(&self) {
        self.clock.step(LEEWAY.as_secs());
    }
}

impl ReadAt for Late {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset == 0 {
            self.arrive();
        }
        self.content.as_slice().read_at(room, offset)
    }
}

impl Beside for Late {
    fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed> {
        self.arrive();
        self.content.as_slice().digest(hash)
    }

    fn whole(&mut self) -> io::Result<WholeContent<'_>> {
        if self.is_large {
            return Ok(WholeContent::Large(self, length_of(&self.content)));
        }
        self.arrive();
        Ok(WholeContent::Bytes(self.content.clone()))
    }
}

#[test]
fn what_is_beside_its_signature_is_judged_when_all_of_it_has_arrived() {
    let content = b"content".to_vec();
    let expiring = |seconds| statement().expires(after(seconds));
    let plain = |seconds| sign(&expiring(seconds), &key(1), content.as_slice()).unwrap().detached();
    let digest = HashAlgorithm::Blake3.digest(&content);
    let hashed = |seconds| {
        let content = Content::Digest(HashAlgorithm::Blake3, &digest);
        sign(&expiring(seconds), &key(1), content).unwrap().to_bytes()
    };
    for (make, is_large) in
        [(&plain as &dyn Fn(u64) -> Vec<u8>, false), (&plain, true), (&hashed, false)]
    {
        for (seconds, verdict) in [(0, Err("expired")), (1, Ok(after(LEEWAY.as_secs())))] {
            let clock = SteppingClock::new(now());
            let mut late = Late { content: content.clone(), clock: clock.clone(), is_large };
            let opening = open(make(seconds)).unwrap();
            let found =
                opening.verify_beside(&mut late, &Expectations::new(), &signers(&[1]), &clock);
            let found = found.map(|verified| verified.judged_at());
            assert_eq!(found.map_err(|error| error.reason()), verdict);
        }
    }
}

/// A large file is judged when it has been hashed, which takes as long as it takes.
#[test]
fn a_large_envelope_is_judged_when_it_has_been_read() {
    let envelope =
        |seconds| sign(&statement().expires(after(seconds)), &key(1), b"payload").unwrap();
    for (seconds, verdict) in [(0, Err("expired")), (1, Ok(()))] {
        let clock = SteppingClock::new(now());
        let content = envelope(seconds).to_bytes();
        let input = Input::new(Arriving::new(content.clone(), Arrival::Whole));
        let bytes = length_of(&content);
        let file = Late { content, clock: clock.clone(), is_large: true };
        let input = input.anywhere(Arc::new(file), 0, bytes).expecting(u64::MAX);
        let opening = open(input).unwrap().store(MemoryStore);
        let found = opening.verify(&Expectations::new(), &signers(&[1]), &clock);
        assert_eq!(found.map(drop).map_err(|error| error.reason()), verdict);
    }
}

/// Whoever waits between the verdict and the release asks again.
#[test]
fn what_has_verified_is_judged_again_before_a_late_release() {
    let (trust, clock) = (ChangingTrust::new(signers(&[1])), SteppingClock::new(now()));
    let envelope = sign(&statement().expires(now()), &key(1), b"payload").unwrap().to_bytes();
    let expectations = Expectations::new();
    let mut verified = open(envelope).unwrap().verify(&expectations, &trust, &clock).unwrap();
    let again = |verified: &mut Verified| {
        let judged = verified.judge_again(&expectations, &trust, &clock);
        judged.map_err(|error| reason(&error))
    };
    clock.step(LEEWAY.as_secs() - 1);
    assert_eq!(again(&mut verified), Ok(()));
    assert_eq!(verified.judged_at(), after(LEEWAY.as_secs() - 1));
    trust.set(signers(&[2]));
    assert_eq!(again(&mut verified), Err(("unknown-signer", Class::Untrusted)));
    trust.lose();
    assert_eq!(again(&mut verified), Err(("trust-lost", Class::Key)));
    trust.set(signers(&[1]));
    clock.step(1);
    assert_eq!(again(&mut verified), Err(("expired", Class::Untrusted)));
    // A refusal leaves the moment of the last verdict.
    assert_eq!(verified.judged_at(), after(LEEWAY.as_secs() - 1));
}

/// What was judged in circumstances that are still the same need not be judged again.
#[test]
fn circumstances_are_the_same_until_time_or_trust_changes() {
    let (trust, clock) = (ChangingTrust::new(signers(&[1])), SteppingClock::new(now()));
    let observer = Observer::new(trust.clone(), clock.clone());
    let first = observer.observe().unwrap();
    assert!(first.are_those_of(&observer.observe().unwrap()));
    clock.step(1);
    let second = observer.observe().unwrap();
    assert!(!first.are_those_of(&second));
    // The same people, in another file.
    trust.set(signers(&[1]));
    assert!(!second.are_those_of(&observer.observe().unwrap()));
    // Those that never change need no new value.
    let fixed = Observer::new(signers(&[1]), now());
    assert!(fixed.observe().unwrap().are_those_of(&fixed.observe().unwrap()));
}

/// An input that steps a clock with each byte.
struct Ticking<'c>(Arriving, &'c SteppingClock);

impl Read for Ticking<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.1.step(1);
        self.0.read(room)
    }
}

#[test]
fn a_stream_is_stated_when_the_content_of_its_first_segment_has_arrived() {
    for (length, flush, threads) in [(3 * SEGMENT, false, 1), (3, false, 2), (3, true, 1)] {
        let clock = SteppingClock::new(now());
        let calls = Arc::new(AtomicUsize::new(0));
        let (of_statement, counted) = (clock.clone(), Arc::clone(&calls));
        let state = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(Statement::at(of_statement.now().unwrap()))
        };
        let options = StreamOptions::new().segment_bytes(SEGMENT).threads(threads);
        let mut writer =
            StreamWriter::stating(Vec::new(), Arc::new(key(1)), state, options).unwrap();
        let mut input = Ticking(Arriving::new(vec![7; length], Arrival::AtOnce(1)), &clock);
        while writer.read_from(&mut input).unwrap() > 0 {}
        if flush {
            writer.flush_segment().unwrap();
        }
        clock.step(1000);
        let stream = writer.finish().unwrap();
        let verified = open(stream).unwrap();
        let verified = verified.verify(&Expectations::new(), &signers(&[1]), &after(5000)).unwrap();
        let issued = verified.claims().issued_at.unwrap();
        // A byte more shows that the segment is not the last one. Without it, the end does.
        let expected = match (length > SEGMENT, flush) {
            (true, _) => after(length_of(&[0; SEGMENT]) + 1),
            (false, true) => after(4),
            (false, false) => after(1004),
        };
        assert_eq!((issued, calls.load(Ordering::SeqCst)), (expected, 1));
        assert_eq!(drain(verified).0, vec![7; length]);
    }
}

#[test]
fn a_stream_that_cannot_be_stated_is_not_begun() {
    for threads in [1, 2] {
        let state = || Err(SigningError::TooLarge.into());
        let options = StreamOptions::new().segment_bytes(SEGMENT).threads(threads);
        let mut writer =
            StreamWriter::stating(Vec::new(), Arc::new(key(1)), state, options).unwrap();
        writer.write_all(&[7; SEGMENT]).unwrap();
        let error = writer.read_from(&mut &[7][..]).unwrap_err();
        assert!(matches!(error, Error::Signing(_)), "{error}");
        let end = writer.finish().unwrap_err();
        assert!(matches!(end, Error::System(SystemError::WorkerLost)), "{end}");
    }
}
