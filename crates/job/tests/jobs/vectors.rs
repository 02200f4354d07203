//! `fixtures/vectors`: one file a rule. Those of jobs are verified and planned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use brine_core::hash::HashAlgorithm;
use brine_core::text::hex;
use brine_core::{
    Classified, Expectations, Kind, KnownSigners, Signer, Timestamp, VerifyingKey, open,
};
use brine_job::{Grants, JobError, OperatorCommand, Plan, Policy, PolicyQuestion};

/// One scenario.
pub(crate) struct Vector {
    pub(crate) name: String,
    expect: String,
    keys: Vec<String>,
    /// What the job requests, as it is shown.
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

    fn seconds(&self, name: &str) -> Option<u64> {
        self.option(name).map(|text| text.parse().unwrap())
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.seconds("now").unwrap()).unwrap()
    }

    pub(crate) fn trust(&self) -> KnownSigners {
        KnownSigners::new(self.keys.iter().map(|line| Signer::new(line, key(line))))
    }

    /// What the vector asks of an envelope of kind data.
    pub(crate) fn expectations(&self) -> Expectations {
        let mut asked = Expectations::new();
        if let Some(context) = self.option("context") {
            asked = asked.context(context);
        }
        if let Some(aad) = self.option("aad") {
            asked = asked.external_aad(unhex(aad));
        }
        if let Some(seconds) = self.seconds("max-age") {
            asked = asked.max_age(Duration::from_secs(seconds));
        }
        if let Some(typ) = self.option("typ") {
            asked = asked.typ(typ);
        }
        if self.option("untagged").is_some() { asked.untagged() } else { asked }
    }

    /// Verifies a job and plans it, as `brine run` does.
    fn plan(&self) -> Result<Plan, Box<dyn Classified>> {
        let expectations = self.expectations().kind(Kind::Job);
        let verified = open(self.envelope.as_slice())
            .and_then(|opening| opening.verify(&expectations, &self.trust(), &self.now()));
        let verified = verified.map_err(boxed)?;
        let grants = Grants::of(&verified).map_err(boxed)?;
        if self.expect == "ok" {
            let shown: Vec<_> = grants.iter().map(|grant| grant.to_string()).collect();
            assert_eq!(shown, self.grants, "{}", self.name);
        }
        let policy = self.option("policy").map(|policy| Policy::parse(&unhex(policy)));
        let policy = policy.transpose().map_err(|error| boxed(JobError::from(error)))?;
        let content_type = verified.header().content_type().map(|found| found.to_string());
        let question = PolicyQuestion {
            signer: verified.signer().name(),
            context: self.option("context"),
            content_type: content_type.as_deref(),
            system: &BTreeSet::new(),
        };
        let command = self.option("command").map(|name| OperatorCommand {
            path: Path::new("/bin").join(name),
            arguments: Vec::new(),
        });
        let policy = policy.unwrap_or(Policy::none());
        let permit = policy.plan(&question, &grants, command.as_ref());
        Ok(permit.map_err(|error| boxed(JobError::from(error)))?.plan)
    }
}

pub(crate) fn vectors() -> Vec<Vector> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == "vector")).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        Vector::parse(name, &fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

/// Reads an OpenSSH public line, whose key is the end of its base64.
fn key(line: &str) -> VerifyingKey {
    let blob = Base64::decode_vec(line.split(' ').nth(1).unwrap()).unwrap();
    VerifyingKey::from_bytes(blob.last_chunk().unwrap()).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_ascii_whitespace().collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn boxed(error: impl Classified + 'static) -> Box<dyn Classified> {
    Box::new(error)
}

#[test]
fn every_vector_of_a_job_is_planned_or_refused_for_its_reason() {
    let nothing = hex(HashAlgorithm::Sha256.digest(b"").as_ref());
    let mut judged = 0;
    for vector in vectors().iter().filter(|vector| vector.option("job").is_some()) {
        let found = vector.plan().map_or_else(|error| error.reason(), |_| "ok");
        assert_eq!(found, vector.expect, "{}", vector.name);
        assert_eq!(vector.released, nothing, "{}", vector.name);
        judged += 1;
    }
    assert!(judged >= 118, "{judged}");
}
