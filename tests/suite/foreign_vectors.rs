//! Vectors of other projects: `fixtures/foreign`, whose README says where they come from.

use std::collections::BTreeMap;

use brine::cose::{Outline, Tagging, ToBeSigned};
use brine::{PayloadSource, Request, Sign1, Signer, Timestamp, Trust, VerifyingKey, verify};
use serde_json::Value;

use crate::common::{Person, hex, project_text, unhex};

fn json(path: &str) -> Value {
    serde_json::from_str(&project_text(&format!("fixtures/foreign/{path}"))).unwrap()
}

fn lines(path: &str) -> Vec<Value> {
    let text = project_text(&format!("fixtures/foreign/generated/{path}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// One scenario of `generated/*.jsonl`, as a verifier here would be asked.
struct Case {
    id: String,
    envelope: Vec<u8>,
    keys: Vec<[u8; 32]>,
    detached: Option<Vec<u8>>,
    aad: Vec<u8>,
    payload: Vec<u8>,
    accept: bool,
    untagged: bool,
    context: Option<String>,
    now: u64,
}

impl Case {
    fn read(line: &Value) -> Self {
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
            accept: text(line, "expect") == "accept",
            // Not every line that is untagged has the class; the bytes tell.
            untagged: text(line, "envelope").starts_with("84"),
            // The claims of the CWT group name an audience, which a verifier here must name too.
            context: (class == "cwt-basic").then(|| "aud-a".to_owned()),
            now: line["opts"]["now"].as_u64().unwrap_or(1_790_000_000),
        }
    }

    fn through_library(&self) -> Result<Vec<u8>, &'static str> {
        let mut signers = Vec::new();
        for key in &self.keys {
            let key = VerifyingKey::from_bytes(key).map_err(|error| error.reason())?;
            signers.push(Signer::new("k", key));
        }
        let trust = Trust::new(signers);
        let request = Request {
            context: self.context.as_deref(),
            external_aad: &self.aad,
            payload: self
                .detached
                .as_deref()
                .map_or(PayloadSource::Embedded, PayloadSource::Detached),
            ..Request::at(Timestamp::from_unix(self.now).unwrap())
        };
        let tagging = if self.untagged { Tagging::Optional } else { Tagging::Required };
        Sign1::parse(&self.envelope, tagging)
            .and_then(|sign1| {
                verify(&sign1, &request, &trust).map(|verified| verified.payload().to_vec())
            })
            .map_err(|error| error.reason())
    }

    fn through_program(&self, person: &Person) -> Result<Vec<u8>, String> {
        let mut command = person.brine(["verify", "--json"]);
        for (index, key) in self.keys.iter().enumerate() {
            let name = format!("{index}.pem");
            person.write(&name, spki_pem(key));
            command.args(["-p", &format!("./{name}")]);
        }
        let now = self.now.to_string();
        command.args(["--now", &now]);
        if let Some(context) = &self.context {
            command.args(["--context", context]);
        }
        if self.untagged {
            command.arg("--untagged");
        }
        person.write("aad", &self.aad);
        command.args(["--aad", "aad"]);
        match &self.detached {
            Some(payload) => {
                person.write("envelope", &self.envelope);
                command.args(["--detached", "envelope"]).write_stdin(payload.clone());
            }
            None => drop(command.write_stdin(self.envelope.clone())),
        }
        let output = command.output().unwrap();
        let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
        if output.status.success() {
            // A detached payload is verified and not written again.
            return Ok(self.detached.clone().unwrap_or(output.stdout));
        }
        assert!(output.stdout.is_empty(), "{}", self.id);
        Err(text(&verdict, "reason").to_owned())
    }

    /// Judges it both ways and returns what both say.
    fn judge(&self, person: &Person) -> Result<(), String> {
        let library = self.through_library().map_err(str::to_owned);
        assert_eq!(self.through_program(person), library, "{}", self.id);
        library.map(|payload| assert_eq!(hex(&payload), hex(&self.payload), "{}", self.id))
    }
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().unwrap()
}

fn spki_pem(key: &[u8; 32]) -> String {
    let der = [&unhex("302a300506032b6570032100")[..], key].concat();
    pem_rfc7468::encode_string("PUBLIC KEY", pem_rfc7468::LineEnding::LF, &der).unwrap()
}

/// The 41 messages that must be refused, and the reason for each class.
#[test]
fn generated_bad_messages_are_refused_for_their_reason() {
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
        ("p-bad-0083", "not-an-envelope"),
        ("p-bad-0084", "not-an-envelope"),
        ("p-bad-0085", "not-an-envelope"),
    ]);
    let person = Person::new();
    let cases = lines("bad.jsonl");
    assert_eq!(cases.len(), 41);
    for line in cases {
        let case = Case::read(&line);
        let reason = exceptions.get(case.id.as_str()).unwrap_or(&expected[text(&line, "cls")]);
        assert_eq!(case.judge(&person), Err((*reason).to_owned()), "{}", case.id);
    }
}

/// Valid messages, those that pycose made, and those with claims.
#[test]
fn generated_good_messages_verify() {
    let person = Person::new();
    let (mut accepted, mut several_signers) = (0, 0);
    for line in ["valid.jsonl", "lib.jsonl", "cwt.jsonl"].into_iter().flat_map(lines) {
        let case = Case::read(&line);
        match text(&line, "cls") {
            // COSE_Sign, with several signers, is another message type, which brine names and does
            // not take: `brine verify` is for COSE_Sign1 (SPEC.md, Envelope).
            "lib-pycose-sign" => {
                assert_eq!(case.judge(&person), Err("other-cose".to_owned()), "{}", case.id);
                several_signers += 1;
            }
            // Expired by a second, with a leeway of none. The leeway here is 60 seconds, so it is
            // judged a minute later.
            "cwt-expired" => {
                let later = Case { now: case.now + 60, ..case };
                assert_eq!(later.judge(&person), Err("expired".to_owned()));
            }
            _ => {
                assert!(case.accept, "{}", case.id);
                assert_eq!(case.judge(&person), Ok(()), "{}", case.id);
                accepted += 1;
            }
        }
    }
    assert_eq!((accepted, several_signers), (47 + 12 + 1, 4));
}

/// Hash envelopes (RFC 9995) with SHA-256, SHA-384 and SHA-512, against what they are the digest of.
#[test]
fn generated_hash_envelopes_verify_beside_their_content() {
    let person = Person::new();
    let lines = lines("hashenv.jsonl");
    assert_eq!(lines.len(), 3);
    for line in lines {
        let case = Case::read(&line);
        person.write("envelope", &case.envelope);
        person.write("key.pem", spki_pem(&case.keys[0]));
        let arguments = ["verify", "-p", "./key.pem", "--detached", "envelope"];
        let content = unhex(text(&line["opts"], "preimage"));
        let output = person.brine(arguments).write_stdin(content.clone()).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{}: {output:?}", case.id);
        let other = [&content[..], b"x"].concat();
        let output = person.brine(arguments).write_stdin(other).output().unwrap();
        crate::common::assert_refused(&output, 1, "does not have the digest");
        // The digest never comes out as content.
        let output = person.brine(["verify", "-p", "./key.pem", "envelope"]).output().unwrap();
        crate::common::assert_refused(&output, 3, "the detached digest of a file");
    }
}

/// Public keys of small order make signatures that are bound to no secret.
#[test]
fn generated_edge_keys_are_refused_when_they_are_loaded() {
    let person = Person::new();
    let cases = lines("edge.jsonl");
    assert_eq!(cases.len(), 8);
    for line in cases {
        let case = Case::read(&line);
        let reason = case.through_library().unwrap_err();
        assert!(["key-weak", "key-non-canonical"].contains(&reason), "{}: {reason}", case.id);
        person.write("weak.pem", spki_pem(&case.keys[0]));
        let output = person
            .brine(["verify", "--json", "-p", "./weak.pem"])
            .write_stdin(case.envelope)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(6));
        assert!(output.stdout.is_empty());
        let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(verdict["reason"], reason);
    }
}

/// The COSE working group's COSE_Sign1 examples: what is Ed25519 verifies, and for the others the
/// bytes to be signed are right.
#[test]
fn cose_wg_sign1_examples() {
    let examples = [
        // path, what brine says of the message
        ("RFC8152/Appendix_C_2_1", Err("algorithm-unsupported")), // ES256
        ("countersign/signed1-01", Ok(())),
        ("countersign1/signed1-01", Ok(())),
        ("eddsa-examples/eddsa-sig-01", Ok(())),
        ("eddsa-examples/eddsa-sig-02", Err("signature-length")), // Ed448
        ("sign1-tests/sign-fail-01", Err("not-an-envelope")),     // tag 998
        ("sign1-tests/sign-fail-03", Err("algorithm-unsupported")), // algorithm -999
        ("sign1-tests/sign-fail-06", Err("algorithm-unsupported")), // ES256, header altered
        ("sign1-tests/sign-pass-01", Err("algorithm-missing")),   // alg unprotected
        ("sign1-tests/sign-pass-03", Err("untagged")),            // no tag
    ];
    for (path, expected) in examples {
        let example = json(&format!("cose-wg/{path}.json"));
        let message = unhex(text(&example["output"], "cbor"));
        let signer = &example["input"]["sign0"];
        let aad = unhex(text(signer, "external"));
        if let Ok(outline) = Outline::parse(&message, Tagging::Optional) {
            let signed = ToBeSigned::new(outline.protected_bytes, &aad, outline.payload.unwrap());
            let expected = text(&example["intermediates"], "ToBeSign_hex").to_lowercase();
            // In these two the damage was done to the message after it was signed.
            let damaged = ["sign1-tests/sign-fail-03", "sign1-tests/sign-fail-06"].contains(&path);
            assert_eq!(hex(&signed.to_bytes()) == expected, !damaged, "{path}");
        }
        let key = text(&signer["key"], "x_hex");
        let key = if key.len() == 64 { array(key) } else { [0x58; 32] };
        let case = Case {
            id: path.to_owned(),
            payload: text(&example["input"], "plaintext").as_bytes().to_vec(),
            envelope: message,
            keys: vec![if expected.is_ok() { key } else { *ANY_KEY }],
            detached: None,
            aad,
            accept: expected.is_ok(),
            untagged: false,
            context: None,
            now: 1_790_000_000,
        };
        assert_eq!(case.judge(&Person::new()), expected.map_err(str::to_owned), "{path}");
    }
}

/// The working group's COSE_Sign examples are another message type, and named as such.
#[test]
fn cose_wg_sign_examples_are_refused_by_name() {
    for path in [
        "RFC8152/Appendix_C_1_4",
        "countersign/signed-03",
        "eddsa-examples/eddsa-01",
        "sign-tests/sign-fail-02",
        "sign-tests/sign-fail-04",
        "sign-tests/sign-fail-07",
        "sign-tests/sign-pass-02",
        "x509-examples/signed-03",
    ] {
        let message = unhex(text(&json(&format!("cose-wg/{path}.json"))["output"], "cbor"));
        let error = Sign1::parse(&message, Tagging::Required).unwrap_err();
        assert_eq!(error.to_string(), "this is a COSE_Sign (tag 98), not a COSE_Sign1", "{path}");
    }
}

#[test]
fn go_cose_negatives_are_refused_for_their_reason() {
    for (path, reason) in [("0000", "unexpected-type"), ("0002", "duplicate-label")] {
        let example = json(&format!("go-cose/sign1-verify-negative-{path}.json"));
        let message = unhex(text(&example["sign1::verify"]["taggedCOSESign1"], "cborHex"));
        assert_eq!(Sign1::parse(&message, Tagging::Required).unwrap_err().reason(), reason);
    }
}

/// ES256 again: the bytes to be signed, with external data and detached.
#[test]
fn gluecose_bytes_to_be_signed() {
    for name in ["sign1-sign-0000", "sign1-sign-0001"] {
        let example = &json(&format!("gluecose/{name}.json"))["sign1::sign"];
        let protected = unhex(text(&example["protectedHeaders"], "cborHex"));
        let payload = unhex(text(example, "payload"));
        let aad = unhex(text(example, "external"));
        let signed = ToBeSigned::new(&protected, &aad, &payload).to_bytes();
        assert_eq!(hex(&signed), text(&example["tbsHex"], "cborHex").to_lowercase(), "{name}");
    }
    for name in ["sign1-verify-0000", "sign1-verify-0001"] {
        let example = &json(&format!("gluecose/{name}.json"))["sign1::verify"];
        let message = unhex(text(&example["taggedCOSESign1"], "cborHex"));
        assert!(Outline::parse(&message, Tagging::Required).is_ok(), "{name}");
        let error = Sign1::parse(&message, Tagging::Required).unwrap_err();
        assert_eq!(error.reason(), "algorithm-unsupported", "{name}");
    }
}

/// A public key that is in order, for messages whose own key is of another algorithm.
const ANY_KEY: &[u8; 32] = &[
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];
