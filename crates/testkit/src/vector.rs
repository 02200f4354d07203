//! The vectors of `fixtures/vectors`: one file a rule. Their README describes the form.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use brine_core::{Expectations, KnownSigners, Signer, Timestamp, VerifyingKey};
use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use crate::{hex, project, project_text, unhex};

/// One scenario.
#[derive(Clone, Debug)]
pub struct Vector {
    /// The name of its file.
    pub name: String,
    /// `ok`, or the reason why it must be refused.
    pub expect: String,
    /// The trusted keys, as OpenSSH writes public keys.
    pub keys: Vec<String>,
    /// What a job requests, as it is shown.
    pub grants: Vec<String>,
    /// What arrives.
    pub envelope: Vec<u8>,
    options: BTreeMap<String, String>,
    released: String,
}

impl Vector {
    fn parse(name: &str, text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no body"));
        let mut vector = Self {
            name: name.to_owned(),
            expect: String::new(),
            keys: Vec::new(),
            grants: Vec::new(),
            envelope: unhex(body),
            options: BTreeMap::new(),
            released: String::new(),
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
                | "outer-tags" | "policy" | "result-of" | "revoked" | "signer" | "statements"
                | "taken" | "trust" | "try-keys" | "typ" | "untagged" | "untyped" => {
                    vector.options.insert(key.to_owned(), value.to_owned());
                }
                unknown => panic!("{name}: unknown key {unknown}"),
            }
        }
        vector
    }

    /// Returns the text of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Returns an option that is in hex: `aad`, `detached`, `policy`, `result-of`, `revoked`, `statements` or
    /// `trust`.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.option(name).map(unhex)
    }

    /// Returns whether a trust file says who is trusted, and not its keys.
    #[must_use]
    pub fn has_trust_file(&self) -> bool {
        self.option("trust").is_some()
    }

    /// Returns whether it is to be judged as `brine run` judges a job.
    #[must_use]
    pub fn is_job(&self) -> bool {
        self.option("job").is_some()
    }

    /// Returns whether it is a statement that is to be taken, as `brinekey trust update` takes it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.option("taken").is_some()
    }

    /// Returns the job that it is to be the result of, if it is judged as `brine verify --result-of` judges.
    #[must_use]
    pub fn result_of(&self) -> Option<Vec<u8>> {
        self.bytes("result-of")
    }

    /// Returns the options that its verifier is given or not: `outer-tags`, `untagged` and `untyped`.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        ["outer-tags", "untagged", "untyped"].into_iter().filter(|name| self.option(name).is_some())
    }

    /// Returns trust in its keys, each by its line.
    #[must_use]
    pub fn trust(&self) -> KnownSigners {
        KnownSigners::new(self.keys.iter().map(|line| Signer::new(line, verifying_key(line))))
    }

    /// Returns what its verifier asks for, but for the kind.
    #[must_use]
    pub fn expectations(&self) -> Expectations {
        let mut expectations =
            Expectations::new().external_aad(self.bytes("aad").unwrap_or_default());
        if let Some(context) = self.option("context") {
            expectations = expectations.context(context);
        }
        if let Some(typ) = self.option("typ") {
            expectations = expectations.typ(typ);
        }
        if let Some(seconds) = self.seconds("max-age") {
            expectations = expectations.max_age(Duration::from_secs(seconds));
        }
        if let Some(most) = self.option("try-keys") {
            expectations = expectations.tried_keys(most.parse().unwrap());
        }
        self.flags().fold(expectations, |expectations, flag| match flag {
            "outer-tags" => expectations.outer_tags(),
            "untagged" => expectations.untagged(),
            _ => expectations.untyped(),
        })
    }

    /// Returns the moment of judging.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.seconds("now").unwrap()).unwrap()
    }

    /// Demands that it was judged as it must be: `ok` or the reason, and the hash of everything that was
    /// released, also where it was refused.
    #[track_caller]
    pub fn judge(&self, released: &[u8], verdict: &str) {
        assert_eq!(verdict, self.expect, "{}", self.name);
        assert_eq!(hex(&Sha256::digest(released)), self.released, "{}", self.name);
    }

    fn seconds(&self, name: &str) -> Option<u64> {
        self.option(name).map(|text| text.parse().unwrap())
    }
}

/// Reads the vectors whose keys are trusted for everything, sorted by name.
#[must_use]
pub fn vectors() -> Vec<Vector> {
    all_vectors().into_iter().filter(|vector| !vector.has_trust_file()).collect()
}

/// Reads all vectors, sorted by name.
#[must_use]
pub fn all_vectors() -> Vec<Vector> {
    let mut names: Vec<_> = fs::read_dir(project("fixtures/vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".vector"))
        .collect();
    names.sort();
    assert!(names.len() >= 990, "{} vectors", names.len());
    let read =
        |name: &String| Vector::parse(name, &project_text(&format!("fixtures/vectors/{name}")));
    names.iter().map(read).collect()
}

/// Reads a line as OpenSSH writes public keys (RFC 8709, Section 4): the last 32 bytes are the point.
#[must_use]
pub fn verifying_key(line: &str) -> VerifyingKey {
    const BEFORE: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("ssh-ed25519"), "{line}");
    let blob = BASE64.decode(words.next().unwrap().as_bytes()).unwrap();
    let point = blob.strip_prefix(BEFORE).and_then(|point| point.try_into().ok());
    VerifyingKey::from_bytes(point.unwrap_or_else(|| panic!("{line}"))).unwrap()
}
