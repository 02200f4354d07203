//! Runs `fixtures/vectors`: one file a rule, through the library and through the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use brine::batch::Memory;
use brine::job::policy::{Command, Policy, Question};
use brine::job::{JobError, Plan};
use brine::stream::{Start, StreamReader};
use brine::{
    Kind, PayloadSource, Request, Sign1, Signer, Tagging, Timestamp, Trust, VerifyingKey, verify,
    verify_digest, verify_job, verify_with,
};
use sha2::{Digest as _, Sha256};

use crate::common::{Person, hex, project, project_text, unhex};

/// One scenario.
pub(crate) struct Vector {
    pub(crate) name: String,
    expect: String,
    keys: Vec<String>,
    /// What a job asks for, as it is shown.
    grants: Vec<String>,
    options: BTreeMap<String, String>,
    released: String,
    pub(crate) envelope: Vec<u8>,
}

impl Vector {
    fn parse(name: &str, text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no body"));
        let mut vector = Self {
            name: name.to_owned(),
            expect: String::new(),
            keys: Vec::new(),
            grants: Vec::new(),
            options: BTreeMap::new(),
            released: String::new(),
            envelope: unhex(body),
        };
        for line in head.lines() {
            let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{name}: {line}"));
            match key {
                "comment" => {}
                "expect" => value.clone_into(&mut vector.expect),
                "grant" => vector.grants.push(value.to_owned()),
                "key" => vector.keys.push(value.to_owned()),
                "released" => value.clone_into(&mut vector.released),
                "aad" | "command" | "context" | "detached" | "job" | "max-age" | "now"
                | "policy" | "typ" | "untagged" => {
                    vector.options.insert(key.to_owned(), value.to_owned());
                }
                unknown => panic!("{name}: unknown key {unknown}"),
            }
        }
        vector
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.option(name).map(unhex)
    }

    /// What the library releases, and how it ends: `ok` or the reason why not.
    fn through_library(&self, arrival: Arrival, threads: usize) -> (Vec<u8>, String) {
        let detached = self.bytes("detached");
        let mut released = Vec::new();
        let outcome = self.ask(|request, trust| match &detached {
            None if self.is_job() => self.plan(request, trust).map(drop),
            None => self.release(request, trust, arrival, threads, &mut released),
            Some(content) => self.check_detached(request, trust, content),
        });
        (released, outcome.map_or_else(|error| error.reason().to_owned(), |()| "ok".to_owned()))
    }

    /// The verdict of `verify_with`, beside that of `verify`.
    fn with_a_memory(&self, memory: &mut Memory) -> [Result<Vec<u8>, &'static str>; 2] {
        self.ask(|request, trust| {
            let judge = |memory: Option<&mut Memory>| {
                let sign1 = Sign1::parse(&self.envelope, self.tagging())?;
                let verified = match memory {
                    None => verify(&sign1, request, trust)?,
                    Some(memory) => verify_with(&sign1, request, trust, memory)?,
                };
                brine::Result::Ok(verified.payload().to_vec())
            };
            [judge(None), judge(Some(memory))]
                .map(|verdict| verdict.map_err(|error: brine::Error| error.reason()))
        })
    }

    /// Asks as the vector says.
    pub(crate) fn ask<T>(&self, judge: impl FnOnce(&Request<'_>, &Trust) -> T) -> T {
        let key = |line: &String| VerifyingKey::from_openssh(line).unwrap().0;
        let trust = Trust::new(self.keys.iter().map(|line| Signer::new(line, key(line))).collect());
        let detached = self.bytes("detached");
        let aad = self.bytes("aad").unwrap_or_default();
        let seconds = |name| self.option(name).map(|text| text.parse().unwrap());
        let request = Request {
            context: self.option("context"),
            external_aad: &aad,
            foreign_typ: self.option("typ"),
            max_age: seconds("max-age").map(Duration::from_secs),
            now: Timestamp::from_unix(seconds("now").unwrap()).unwrap(),
            payload: detached.as_deref().map_or(PayloadSource::Embedded, PayloadSource::Detached),
            signer: None,
        };
        judge(&request, &trust)
    }

    /// Releases a stream or a single envelope as `brine verify` does.
    fn release(
        &self,
        request: &Request<'_>,
        trust: &Trust,
        arrival: Arrival,
        threads: usize,
        released: &mut Vec<u8>,
    ) -> brine::Result<()> {
        let mut input = Arriving { bytes: self.envelope.clone(), position: 0, arrival };
        let start = Start::read(&mut input)?;
        if !start.is_segment() {
            let sign1 = Sign1::parse(&self.envelope, self.tagging())?;
            released.extend(verify(&sign1, request, trust)?.payload());
            return Ok(());
        }
        let mut reader = StreamReader::open(start, input, request, trust, threads)?;
        while let Some(content) = reader.next_segment()? {
            released.extend(content);
        }
        assert!(reader.next_segment()?.is_none(), "{} goes on after its end", self.name);
        Ok(())
    }

    fn is_job(&self) -> bool {
        self.option("job").is_some()
    }

    /// Verifies a job and plans it, as `brine run` does.
    fn plan(&self, request: &Request<'_>, trust: &Trust) -> brine::Result<Plan> {
        let sign1 = Sign1::parse(&self.envelope, self.tagging())?;
        let (verified, grants) = verify_job(&sign1, request, trust)?;
        let shown: Vec<_> = grants.iter().map(|grant| grant.to_string()).collect();
        if self.expect == "ok" {
            assert_eq!(shown, self.grants, "{}", self.name);
        }
        let policy = self.bytes("policy");
        let policy = policy.map(|policy| Policy::parse(&policy)).transpose();
        let policy = policy.map_err(JobError::from)?.unwrap_or(Policy::none());
        let content_type = verified.header().content_type.map(|found| found.to_string());
        let question = Question {
            signer: &verified.signer().name,
            context: request.context,
            content_type: content_type.as_deref(),
            system: &BTreeSet::new(),
        };
        let command = self
            .option("command")
            .map(|name| Command { path: Path::new("/bin").join(name), arguments: Vec::new() });
        let plan = policy.plan(&question, &grants, command.as_ref());
        Ok(plan.map_err(JobError::from)?)
    }

    /// Judges a detached signature, over all of the content or over its digest.
    fn check_detached(
        &self,
        request: &Request<'_>,
        trust: &Trust,
        content: &[u8],
    ) -> brine::Result<()> {
        let sign1 = Sign1::parse(&self.envelope, self.tagging())?;
        let kind = sign1.kind(request.foreign_typ);
        if sign1.unverified_payload().is_some() && matches!(kind, Ok(Kind::Digest)) {
            let (verified, hash) = verify_digest(&sign1, request, trust)?;
            let same = hash.digest(content).as_ref() == verified.payload();
            return if same { Ok(()) } else { Err(brine::Error::DigestMismatch) };
        }
        verify(&sign1, request, trust).map(drop)
    }

    pub(crate) fn tagging(&self) -> Tagging {
        if self.option("untagged").is_some() { Tagging::Optional } else { Tagging::Required }
    }

    /// The same through `brine verify`, and of a job through `brine run`, which shows what would hold.
    fn through_program(&self, person: &Person) -> (Vec<u8>, String) {
        let mut command = if self.is_job() {
            person.brine(["run", "--json", "--explain"])
        } else {
            person.brine(["verify", "--json"])
        };
        for key in &self.keys {
            command.args(["-p", key]);
        }
        if self.keys.is_empty() {
            person.write("nobody", "");
            command.args(["--trust", "nobody"]);
        }
        for name in ["context", "typ", "now"] {
            if let Some(value) = self.option(name) {
                command.args([&format!("--{name}"), value]);
            }
        }
        if let Some(seconds) = self.option("max-age") {
            command.args(["--max-age", &format!("{seconds}s")]);
        }
        if self.option("untagged").is_some() {
            command.arg("--untagged");
        }
        if let Some(aad) = self.bytes("aad") {
            person.write("aad", aad);
            command.args(["--aad", "aad"]);
        }
        if let Some(policy) = self.bytes("policy") {
            person.write("policy", policy);
            command.args(["--policy", "policy"]);
        }
        if let Some(name) = self.option("command") {
            command.args(["--", name]);
        }
        match self.bytes("detached") {
            Some(payload) => {
                person.write("envelope", &self.envelope);
                command.args(["--detached", "envelope"]).write_stdin(payload);
            }
            None => drop(command.write_stdin(self.envelope.clone())),
        }
        let output = command.output().unwrap();
        let verdict: serde_json::Value =
            serde_json::from_slice(&output.stderr).unwrap_or_else(|_| {
                panic!("{}: {:?}", self.name, String::from_utf8_lossy(&output.stderr))
            });
        let status = verdict["status"].as_i64().unwrap();
        assert_eq!(output.status.code().map(i64::from), Some(status), "{}", self.name);
        let expected = if status == 0 { "verified" } else { "refused" };
        assert_eq!(verdict["verdict"], expected, "{}: {verdict}", self.name);
        let mut released = output.stdout;
        if self.is_job() && status == 0 {
            let plan: serde_json::Value = serde_json::from_slice(&released).unwrap();
            assert_eq!(plan["plan_digest"], verdict["plan_digest"], "{}", self.name);
            released.clear();
        }
        (released, verdict["reason"].as_str().unwrap_or("ok").to_owned())
    }

    fn judge(&self, (released, reason): &(Vec<u8>, String)) {
        assert_eq!(*reason, self.expect, "{}", self.name);
        assert_eq!(hex(&Sha256::digest(released)), self.released, "{}", self.name);
    }
}

/// How much comes at once.
#[derive(Clone, Copy)]
enum Arrival {
    ByteByByte,
    Whole,
}

/// An input that can be interrupted, as any read can be.
struct Arriving {
    bytes: Vec<u8>,
    position: usize,
    arrival: Arrival,
}

impl io::Read for Arriving {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.position..];
        let count = match self.arrival {
            Arrival::ByteByByte => rest.len().min(room.len()).min(1),
            Arrival::Whole => rest.len().min(room.len()),
        };
        room[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}

pub(crate) fn vectors() -> Vec<Vector> {
    let mut names: Vec<_> = fs::read_dir(project("fixtures/vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".vector"))
        .collect();
    names.sort();
    let read =
        |name: &String| Vector::parse(name, &project_text(&format!("fixtures/vectors/{name}")));
    names.iter().map(read).collect()
}

#[test]
fn the_library_judges_every_vector() {
    let vectors = vectors();
    assert!(vectors.len() >= 452, "{} vectors", vectors.len());
    for vector in vectors {
        for (arrival, threads) in [
            (Arrival::Whole, 1),
            (Arrival::Whole, 3),
            (Arrival::ByteByByte, 1),
            (Arrival::ByteByByte, 2),
        ] {
            vector.judge(&vector.through_library(arrival, threads));
        }
    }
}

/// One memory for all of them, that has seen each before.
#[test]
fn a_memory_changes_no_verdict() {
    let vectors = vectors();
    let mut memory = Memory::default();
    let mut verified = 0;
    for vector in vectors.iter().chain(&vectors) {
        let [without, with] = vector.with_a_memory(&mut memory);
        assert_eq!(without, with, "{}", vector.name);
        verified += usize::from(with.is_ok());
    }
    assert!(verified >= 2 * 45, "{verified} verified");
}

#[test]
fn the_program_judges_every_vector() {
    let person = Person::new();
    for vector in vectors() {
        vector.judge(&vector.through_program(&person));
    }
}

/// Each rule of SPEC.md has a vector, and each vector's reason is a rule of SPEC.md.
#[test]
fn spec_and_vectors_name_the_same_reasons() {
    let spec = project_text("SPEC.md");
    for vector in vectors() {
        let named = spec.contains(&format!("`{}`", vector.expect)) || vector.expect == "ok";
        assert!(named, "SPEC.md does not name {}", vector.expect);
    }
}

/// What is released must not depend on how much arrives at once.
#[test]
fn a_vector_that_arrives_byte_by_byte_is_judged_the_same() {
    let person = Person::new();
    for vector in vectors().iter().filter(|vector| {
        ["ok-embedded", "cut-short"].iter().any(|name| vector.name.starts_with(name))
    }) {
        person.write("envelope", &vector.envelope);
        person.write("key.pub", &vector.keys[0]);
        let now = vector.option("now").unwrap();
        let line = format!(
            "perl -e '$|=1; print while read STDIN, $_, 1' < envelope | brine verify -p ./key.pub --now {now}"
        );
        let output = person.shell(&line).output().unwrap();
        assert_eq!(output.status.success(), vector.expect == "ok", "{output:?}");
        assert_eq!(hex(&Sha256::digest(&output.stdout)), vector.released);
    }
}
