//! Vectors of other projects: `fixtures/foreign`, whose README names their origin.

use std::collections::BTreeMap;

use brine_core::{Expectations, KnownSigners, Signer, Timestamp, VerifyingKey};
use serde_json::Value;

use crate::{project_text, unhex};

/// A message of another project, and the verdict that it must get here.
#[derive(Clone, Debug)]
pub struct ForeignCase {
    /// Its name there.
    pub id: String,
    /// The message.
    pub envelope: Vec<u8>,
    /// The points of the keys that are trusted. Some are no keys that anybody should trust.
    pub keys: Vec<[u8; 32]>,
    /// The payload, where it is not in the message.
    pub detached: Option<Vec<u8>>,
    /// External data.
    pub aad: Vec<u8>,
    /// The payload that a good message has.
    pub payload: Vec<u8>,
    /// Whether it has no tag.
    pub is_untagged: bool,
    /// The context that is asked for.
    pub context: Option<&'static str>,
    /// The moment of judging, in seconds since 1970.
    pub now: u64,
    /// Nothing if it must verify, or the reason for refusing it.
    pub expect: Result<(), &'static str>,
}

impl ForeignCase {
    fn read(line: &Value, expect: Result<(), &'static str>) -> Self {
        let class = text(line, "cls");
        Self {
            id: text(line, "id").to_owned(),
            envelope: unhex(text(line, "envelope")),
            keys: line["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| array(key.as_str().unwrap()))
                .collect(),
            detached: line["detached"].as_str().map(unhex),
            aad: unhex(text(line, "external_aad")),
            payload: unhex(text(line, "payload")),
            // Not every line that is untagged has the class; the bytes tell.
            is_untagged: text(line, "envelope").starts_with("84"),
            // The claims of the CWT group name an audience, which a verifier here must name too.
            context: (class == "cwt-basic").then_some("aud-a"),
            now: line["opts"]["now"].as_u64().unwrap_or(1_790_000_000),
            expect,
        }
    }

    /// Returns what its verifier asks for.
    #[must_use]
    pub fn expectations(&self) -> Expectations {
        let expectations = Expectations::new().external_aad(self.aad.as_slice());
        let expectations = match self.context {
            None => expectations,
            Some(context) => expectations.context(context),
        };
        // None of them says what it is for.
        let expectations = expectations.untyped();
        if self.is_untagged { expectations.untagged() } else { expectations }
    }

    /// Returns trust in its keys, or the error of the first that is none.
    ///
    /// # Errors
    ///
    /// Those of [`VerifyingKey::from_bytes`].
    pub fn trust(&self) -> Result<KnownSigners, brine_core::KeyError> {
        let keys: Result<Vec<_>, _> = self.keys.iter().map(VerifyingKey::from_bytes).collect();
        Ok(KnownSigners::new(keys?.into_iter().map(|key| Signer::new("k", key))))
    }

    /// Returns the moment of judging.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.now).unwrap()
    }
}

/// Returns a JSON file of `fixtures/foreign`.
#[must_use]
pub fn foreign_json(path: &str) -> Value {
    serde_json::from_str(&project_text(&format!("fixtures/foreign/{path}"))).unwrap()
}

/// Returns every message of other projects that has a verdict here, but for those of
/// [`foreign_edge_cases`] and [`foreign_hash_envelopes`].
#[must_use]
pub fn foreign_cases() -> Vec<ForeignCase> {
    [bad_cases(), good_cases(), cose_wg_cases()].concat()
}

/// The 41 messages that must be refused, with the reason for each class.
fn bad_cases() -> Vec<ForeignCase> {
    let expected = BTreeMap::from([
        ("bad-aad", "signature-bad"),
        ("bad-alg-missing", "algorithm-missing"),
        ("bad-arity", "array-length"),
        ("bad-crit-unknown-int", "crit-unknown"),
        ("bad-dup-protected", "duplicate-label"),
        ("bad-key", "signature-bad"),
        ("bad-malleable", "signature-bad"),
        ("bad-payloadbit", "signature-bad"),
        ("bad-sigbit", "signature-bad"),
        ("bad-siglen", "signature-length"),
        ("bad-tag", "other-cose"),
        ("bad-trailing", "trailing-bytes"),
    ]);
    // Within a class, where the first rule broken is another.
    let exceptions = BTreeMap::from([
        ("p-bad-0068", "non-minimal"),
        ("p-bad-0082", "signers-form"),
        ("p-bad-0083", "not-an-envelope"),
        ("p-bad-0084", "not-an-envelope"),
        ("p-bad-0085", "not-an-envelope"),
    ]);
    let lines = lines("bad.jsonl");
    assert_eq!(lines.len(), 41);
    let reason =
        |line: &Value| *exceptions.get(text(line, "id")).unwrap_or(&expected[text(line, "cls")]);
    lines.iter().map(|line| ForeignCase::read(line, Err(reason(line)))).collect()
}

/// Valid messages, those that pycose made, and those with claims.
fn good_cases() -> Vec<ForeignCase> {
    let mut accepted = 0;
    let mut cases = Vec::new();
    for line in ["valid.jsonl", "lib.jsonl", "cwt.jsonl"].into_iter().flat_map(lines) {
        let case = ForeignCase::read(&line, Ok(()));
        cases.push(match text(&line, "cls") {
            // Expired by a second, with a leeway of none. The leeway here is 60 seconds, so it is
            // judged a minute later.
            "cwt-expired" => ForeignCase { now: case.now + 60, expect: Err("expired"), ..case },
            _ => {
                assert_eq!(text(&line, "expect"), "accept", "{}", case.id);
                accepted += 1;
                case
            }
        });
    }
    // Four of them have several signers.
    assert_eq!(accepted, 47 + 12 + 1 + 4);
    cases
}

/// The COSE working group's examples with signatures: those that are Ed25519 verify.
fn cose_wg_cases() -> Vec<ForeignCase> {
    let examples = [
        ("RFC8152/Appendix_C_2_1", Err("algorithm-unsupported")), // ES256
        ("countersign/signed1-01", Ok(())),
        ("countersign1/signed1-01", Ok(())),
        ("countersign/signed-03", Ok(())),
        ("eddsa-examples/eddsa-01", Ok(())),
        ("eddsa-examples/eddsa-sig-01", Ok(())),
        ("eddsa-examples/eddsa-sig-02", Err("signature-length")), // Ed448
        ("sign-tests/sign-fail-02", Err("algorithm-unsupported")), // ES256, signature altered
        ("sign-tests/sign-fail-04", Err("algorithm-unsupported")), // algorithm unknown
        ("sign-tests/sign-fail-07", Err("algorithm-unsupported")), // ES256, header altered
        ("sign-tests/sign-pass-02", Err("algorithm-unsupported")), // ES256
        ("sign1-tests/sign-fail-01", Err("not-an-envelope")),     // tag 998
        ("sign1-tests/sign-fail-03", Err("algorithm-unsupported")), // algorithm -999
        ("sign1-tests/sign-fail-06", Err("algorithm-unsupported")), // ES256, header altered
        ("sign1-tests/sign-pass-01", Err("algorithm-missing")),   // alg unprotected
        ("sign1-tests/sign-pass-03", Err("untagged")),            // no tag
    ];
    let read = |(path, expect): (&str, Result<(), &'static str>)| {
        let example = foreign_json(&format!("cose-wg/{path}.json"));
        let input = &example["input"];
        let alone = &input["sign0"];
        let signer = if alone.is_null() { &input["sign"]["signers"][0] } else { alone };
        let key = text(&signer["key"], "x_hex");
        ForeignCase {
            id: path.to_owned(),
            envelope: unhex(text(&example["output"], "cbor")),
            keys: vec![if expect.is_ok() { array(key) } else { ANY_KEY }],
            detached: None,
            aad: unhex(text(signer, "external")),
            payload: text(&example["input"], "plaintext").as_bytes().to_vec(),
            is_untagged: false,
            context: None,
            now: 1_790_000_000,
            expect,
        }
    };
    examples.map(read).into()
}

/// Returns messages whose public keys are of small order: they make signatures that are bound to no secret.
#[must_use]
pub fn foreign_edge_cases() -> Vec<ForeignCase> {
    let lines = lines("edge.jsonl");
    assert_eq!(lines.len(), 8);
    lines.iter().map(|line| ForeignCase::read(line, Ok(()))).collect()
}

/// Returns hash envelopes (RFC 9995) with SHA-256, SHA-384 and SHA-512, with the content that they are for.
#[must_use]
pub fn foreign_hash_envelopes() -> Vec<ForeignCase> {
    let lines = lines("hashenv.jsonl");
    assert_eq!(lines.len(), 3);
    let read = |line: &Value| {
        let content = unhex(text(&line["opts"], "preimage"));
        ForeignCase { detached: Some(content), ..ForeignCase::read(line, Ok(())) }
    };
    lines.iter().map(read).collect()
}

fn lines(path: &str) -> Vec<Value> {
    let text = project_text(&format!("fixtures/foreign/generated/{path}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().unwrap()
}

/// A public key that is in order, for messages whose own key is of another algorithm.
const ANY_KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];
