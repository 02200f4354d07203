//! Jobs from the signature to the plan: every change to one is refused, and large ones are judged as small
//! ones are.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod spec;
mod vectors;

use std::io::{self, Cursor, Write};

use brine_core::hash::ReadAt;
use brine_core::{
    Classified, Content, Expectations, Input, Kept, Kind, KnownSigners, Signer, Statement, Store,
    Timestamp, Verified, open, sign,
};
use brine_job::{Grants, OperatorCommand, Policy, PolicyQuestion};
use brine_testkit::{key, mutations, now, vectors};

fn trust() -> KnownSigners {
    KnownSigners::new([Signer::new("alice", key(1).verifying_key().clone())])
}

fn grants() -> Grants {
    let texts = ["run=python3", "arg=-I", "read=data/in", "env=LANG", "tcp=443", "wall=5s"];
    Grants::collect(texts.map(|text| text.parse().unwrap())).unwrap()
}

/// A statement that gives the same bytes each time.
fn statement() -> Statement {
    brine_testkit::statement().content_type("text/x-python")
}

fn job() -> Vec<u8> {
    sign(&grants().statement(statement()), &key(1), b"print(1)").unwrap().to_bytes()
}

type Outcome = Result<(Vec<u8>, Grants), &'static str>;

fn read(verified: brine_core::Result<Verified>) -> Outcome {
    let verified = verified.map_err(|error| error.reason())?;
    let grants = Grants::of(&verified).map_err(|error| error.reason())?;
    Ok((verified.into_bytes().unwrap(), grants))
}

fn in_memory(envelope: &[u8], expectations: &Expectations, trust: &KnownSigners) -> Outcome {
    in_memory_at(envelope, expectations, trust, now())
}

fn in_memory_at(
    envelope: &[u8],
    expectations: &Expectations,
    trust: &KnownSigners,
    now: Timestamp,
) -> Outcome {
    read(open(envelope).and_then(|opening| opening.verify(expectations, trust, &now)))
}

/// Judges an envelope as if it did not fit memory.
fn in_store_at(
    envelope: &[u8],
    expectations: &Expectations,
    trust: &KnownSigners,
    now: Timestamp,
) -> Outcome {
    let input = Input::new(Cursor::new(envelope.to_vec())).expecting(u64::MAX);
    let verified =
        open(input).and_then(|opening| opening.store(InMemory).verify(expectations, trust, &now));
    if let Ok(verified) = &verified {
        assert_eq!(verified.in_memory(), None);
    }
    read(verified)
}

/// A store for payloads that are only said not to fit memory.
struct InMemory;

impl Store for InMemory {
    fn keep(&mut self) -> io::Result<Box<dyn Kept>> {
        Ok(Box::new(KeptBytes(Vec::new())))
    }
}

struct KeptBytes(Vec<u8>);

impl Write for KeptBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for KeptBytes {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.as_slice().read_at(room, offset)
    }
}

fn expecting_a_job() -> Expectations {
    Expectations::new().kind(Kind::Job)
}

#[test]
fn every_mutation_of_a_job_is_refused() {
    let original = job();
    let (expectations, trust) = (expecting_a_job(), trust());
    let expected = Ok((b"print(1)".to_vec(), grants()));
    assert_eq!(in_memory(&original, &expectations, &trust), expected);
    assert_eq!(in_store_at(&original, &expectations, &trust, now()), expected);
    let mut judged = 0;
    for (name, altered) in mutations(&original).filter(|(_, altered)| *altered != original) {
        let found = in_memory(&altered, &expectations, &trust);
        assert!(found.is_err(), "{name} is accepted");
        assert_eq!(in_store_at(&altered, &expectations, &trust, now()), found, "{name}");
        judged += 1;
    }
    assert!(judged > original.len() * 17, "{judged} mutations of {} bytes", original.len());
}

#[test]
fn every_vector_is_judged_alike_in_memory_and_in_a_store() {
    let mut accepted = 0;
    for vector in &vectors() {
        // It claims 2^63 bytes. That is too large unless it is known to end before.
        let is_bomb = vector.name == "payload-bomb.vector";
        // The payload of several signers is always in memory.
        if is_bomb || brine_core::cose::begins_several(&vector.envelope) {
            continue;
        }
        let (expectations, trust) = (vector.expectations().kind(Kind::Job), vector.trust());
        let found = in_memory_at(&vector.envelope, &expectations, &trust, vector.now());
        let large = in_store_at(&vector.envelope, &expectations, &trust, vector.now());
        assert_eq!(large, found, "{}", vector.name);
        accepted += usize::from(found.is_ok());
    }
    assert!(accepted >= 30, "{accepted}");
}

#[test]
fn large_jobs_are_signed_to_the_same_bytes() {
    let payload = vec![b'#'; 300_000];
    let statement = grants().statement(statement());
    let whole = sign(&statement, &key(1), payload.as_slice()).unwrap().to_bytes();
    let copy = KeptBytes(payload.clone());
    let length = payload.len().try_into().unwrap();
    let large = sign(&statement, &key(1), Content::Copy(&copy, length)).unwrap();
    assert_eq!([large.head(), payload, large.tail()].concat(), whole);
}

/// A job is taken only where a job is expected, and nothing else is taken there.
#[test]
fn jobs_and_data_are_kept_apart() {
    let trust = trust();
    let data = sign(&statement(), &key(1), b"x").unwrap().to_bytes();
    let expected = Err("wrong-kind");
    assert_eq!(in_memory(&job(), &Expectations::new(), &trust), expected);
    assert_eq!(in_store_at(&job(), &Expectations::new(), &trust, now()), expected);
    assert_eq!(in_memory(&data, &expecting_a_job(), &trust), expected);
    assert_eq!(in_store_at(&data, &expecting_a_job(), &trust, now()), expected);
    // Whoever verifies data and then takes it for a job is refused, too.
    assert_eq!(in_memory(&data, &Expectations::new(), &trust), Err("job-form"));
}

/// From a signature to a plan, through the library alone.
#[test]
fn a_job_becomes_a_plan() {
    let envelope = sign(&Grants::default().statement(statement()), &key(1), b"x").unwrap();
    let opening = open(envelope.to_bytes()).unwrap();
    let verified = opening.verify(&expecting_a_job(), &trust(), &now()).unwrap();
    let content_type = verified.header().content_type().unwrap().to_string();
    let question = PolicyQuestion {
        signer: verified.signer().name(),
        context: None,
        content_type: Some(&content_type),
        system: &Default::default(),
    };
    let grants = Grants::of(&verified).unwrap();
    let command = OperatorCommand { path: "/bin/cat".into(), arguments: Vec::new() };
    let permit = Policy::none().plan(&question, &grants, Some(&command)).unwrap();
    let parts = permit.plan.parts();
    assert_eq!((parts.program.path.to_str(), parts.granted_paths.len()), (Some("/bin/cat"), 0));
    let policy = b"[[allow]]\nsigners = ['alice']\ncontent-types = ['text/x-python']";
    let policy = Policy::parse(policy).unwrap();
    assert!(policy.plan(&question, &grants, Some(&command)).is_ok());
}
