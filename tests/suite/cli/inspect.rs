//! `brine inspect`: what it shows of good, foreign and broken envelopes.

use std::sync::Arc;

use brine_core::Unique;
use brine_core::batch::BatchSigner;

use super::certificates::{done, with_certificate};
use crate::common::{Person, hex, key, statement, unhex};

#[test]
fn inspect_begins_by_saying_that_nothing_is_verified() {
    let person = Person::with_key();
    let envelope = person.sign(["--context", "orders"], b"x");
    for arguments in [&["inspect"][..], &["inspect", "--diag"]] {
        let mut command = person.program(env!("CARGO_BIN_EXE_brine"), arguments);
        let output = command.write_stdin(envelope.clone()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().next().unwrap().contains("nothing below has been verified"), "{text}");
        assert!(text.contains("orders"), "{text}");
    }
    let output = person.brine(["inspect", "--json"]).write_stdin(envelope).output().unwrap();
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["verified"], false);
    assert_eq!(facts["context"], serde_json::json!(["orders"]));
}

#[test]
fn foreign_envelopes_are_shown_with_the_reason_why_they_will_be_refused() {
    let person = Person::new();
    // COSE working group, sign1-tests/sign-pass-01, with ES256 in the unprotected header.
    let text =
        crate::common::project_text("fixtures/foreign/cose-wg/sign1-tests/sign-pass-01.json");
    let example: serde_json::Value = serde_json::from_str(&text).unwrap();
    let message = unhex(example["output"]["cbor"].as_str().unwrap());
    let output = person.brine(["inspect"]).write_stdin(message).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{page}");
    assert!(
        page.contains("unprotected header (anyone can have changed it)\n  1 (alg): -7"),
        "{page}"
    );
    assert!(
        page.contains("\"brine verify\" will refuse it: envelope does not say with which algorithm it is signed"),
        "{page}"
    );
}

#[test]
fn broken_envelopes_are_shown_as_far_as_they_go() {
    let person = Person::with_key();
    let envelope = person.sign([], b"payload");
    let output = person.brine(["inspect"]).write_stdin(&envelope[..150]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("18([<<{1: -8, 4: h'") && page.contains("h'7061796c6f6164', "), "{page}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("brine: error: standard input: envelope is malformed: it is cut short"),
        "{stderr}"
    );
}

#[test]
fn envelopes_of_several_signers_are_shown_with_each_signer() {
    let person = Person::new();
    let text = crate::common::project_text("fixtures/foreign/cose-wg/eddsa-examples/eddsa-01.json");
    let example: serde_json::Value = serde_json::from_str(&text).unwrap();
    let message = unhex(example["output"]["cbor"].as_str().unwrap());
    let output = person.brine(["inspect"]).write_stdin(message.clone()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("COSE_Sign, ") && page.contains("3 (content type): 0"), "{page}");
    assert!(page.contains("signer        key id none, -8 (EdDSA)"), "{page}");
    let output = person.brine(["inspect", "--diag"]).write_stdin(message.clone()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("98([<<{3: 0}>>, {}, "));
    let output = person.brine(["inspect", "--json"]).write_stdin(message).output().unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(claims["key_id"], serde_json::Value::Null);
    assert_eq!(claims["signers"][0]["algorithm"], -8);
}

#[test]
fn what_is_no_cbor_is_said_to_be_none() {
    let person = Person::new();
    let output = person.brine(["inspect"]).write_stdin("").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let output = person.brine(["inspect", "--json"]).write_stdin("hello").output().unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&verdict["status"], &verdict["reason"]), (&3.into(), &"not-an-envelope".into()));
}

#[test]
fn the_place_of_a_record_in_its_batch_is_shown() {
    let person = Person::new();
    let mut signer = BatchSigner::new(Arc::new(key(1)));
    for payload in [b"one", b"two", b"six"] {
        let unique = Unique { cti: [7; 16], sequence: None };
        signer.add(payload, &statement(), unique).unwrap();
    }
    let record = signer.finish_batch().unwrap().iter().nth(1).unwrap().to_vec();
    let root_signature = hex(&record[record.len() - 64..]);
    let output = person.brine(["inspect"]).write_stdin(record.clone()).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    for line in [
        "algorithm     -70003 (Ed25519 over a batch)",
        "batch         leaf 1 of 3, path of 2",
        &format!("signature     {root_signature}"),
    ] {
        assert!(page.lines().any(|found| found == line), "no {line:?} in {page}");
    }
    let output = person.brine(["inspect", "--json"]).write_stdin(record).output().unwrap();
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let batch = serde_json::json!({
        "leaf_index": 1, "path_nodes": 2, "root_signature": root_signature, "tree_size": 3,
    });
    assert_eq!(facts["batch"], batch);
    assert_eq!(facts["kind"], "data");
}

#[test]
fn a_record_with_a_broken_proof_is_shown_too() {
    let person = Person::new();
    let text = crate::common::project_text("fixtures/vectors/batch-proof-trailing.vector");
    let envelope = unhex(text.split_once("\n\n").unwrap().1);
    let output = person.brine(["inspect"]).write_stdin(envelope).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("\"brine verify\" will refuse it: batch proof is malformed"), "{page}");
    assert!(page.contains("\nsignature     8405"), "{page}");
}

#[test]
fn records_are_shown_one_by_one_with_those_that_are_none() {
    let person = Person::with_key();
    let line = "(seq 2 | brine sign --lines; echo none.; echo 3 | brine sign --lines --plain) > records; \
        brine inspect --lines records";
    let output = person.shell(line).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<_> = page
        .lines()
        .filter(|line| {
            ["record", "sequence", "verif"].iter().any(|start| line.starts_with(start))
                || line.starts_with("payload")
        })
        .map(|line| line.split(" of channel").next().unwrap())
        .collect();
    let expected = [
        "record 1",
        "sequence      0",
        "payload       1 bytes",
        "record 2",
        "sequence      1",
        "payload       1 bytes",
        "record 3",
        "record is not base64url text",
        "record 4",
        "payload       1 bytes",
    ];
    assert_eq!(shown, expected, "{page}");
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("brine: error: \"records\": record 3: record is not base64url text\n"),
        "{said}"
    );
    let output = person.shell("brine inspect --lines --json < records").output().unwrap();
    let facts: Vec<serde_json::Value> = output
        .stdout
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert!(facts.iter().zip(1..).all(|(facts, number)| facts["number"] == number));
    assert_eq!(facts[2]["refusal"]["reason"], "framing-base64");
    assert_eq!(facts[3]["sequence"], serde_json::Value::Null);
    // One process has one channel, and its numbers have no gaps.
    assert_eq!(facts[0]["sequence"]["channel"], facts[1]["sequence"]["channel"]);
    assert_eq!(
        (&facts[0]["sequence"]["seq"], &facts[1]["sequence"]["seq"]),
        (&0.into(), &1.into())
    );
}

#[test]
fn each_process_that_signs_has_a_channel_of_its_own_and_numbers_without_gaps() {
    let person = Person::with_key();
    let line = "for n in 1 2; do seq 2500 | brine sign --len32 --in lines --batch 100 | \
        brine inspect --len32 --json; done";
    let output = person.shell(line).output().unwrap();
    let sequences: Vec<serde_json::Value> = output
        .stdout
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap()["sequence"].clone())
        .collect();
    let (one, other) = sequences.split_at(2500);
    for records in [one, other] {
        for (record, seq) in records.iter().zip(0..2500) {
            assert_eq!((&record["seq"], &record["channel"]), (&seq.into(), &records[0]["channel"]));
        }
    }
    assert_ne!(one[0]["channel"], other[0]["channel"]);
}

#[test]
fn a_job_that_nobody_will_run_is_announced() {
    let person = Person::new();
    let mut seen = 0;
    for vector in brine_testkit::vectors() {
        if !vector.is_job() || !["grants-path", "grants-name"].contains(&vector.expect.as_str()) {
            continue;
        }
        let output = person.brine(["inspect", "--json"]).write_stdin(vector.envelope).output();
        let facts: serde_json::Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        assert_eq!(facts["refusal"]["reason"], vector.expect, "{}", vector.name);
        seen += 1;
    }
    assert!(seen > 10, "only {seen} vectors");
}

/// What a certificate says is shown as it is claimed, and like everything that strangers write.
#[test]
fn certificates_are_shown_and_not_verified() {
    let person = with_certificate("", "-c 'jobs/*' --delegate --serial 7 --id 'the laptop'");
    done(
        &person,
        "brinekey gen --no-trust ci 2>/dev/null; \
         brinekey issue ci -k alice -n alice@example.com/ci --for 1h 2>/dev/null; \
         brine sign -k ci payload -o envelope; brine sign -k ci --lines payload -o record; \
         head -c 3000000 /dev/zero | brine sign -k ci -o stream",
    );
    let page = done(&person, "brine inspect envelope");
    let lines: Vec<_> = page.lines().filter(|line| line.starts_with("certificate ")).collect();
    let [first, second] = lines.as_slice() else { panic!("{page}") };
    assert!(first.contains("\"alice@example.com/ci\", serial "), "{page}");
    for part in [
        "\"the laptop\", serial 7; says that SHA256:",
        " is \"alice@example.com\"; issued by SHA256:",
        "; from 20",
        "; until 20",
        "; only \"jobs/*\"",
        "; may issue certificates",
    ] {
        assert!(second.contains(part), "{part}: {second}");
    }
    for line in ["envelope", "--lines record", "stream"] {
        let facts = done(&person, &format!("brine inspect --json {line}"));
        crate::schema::check_lines(facts.as_bytes());
        let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        let [first, second] = facts["certificates"].as_array().unwrap().as_slice() else {
            panic!("{facts}");
        };
        assert_eq!(first["issuer"], second["ssh_fingerprint"]);
        assert_eq!(first["principals"], serde_json::json!(["alice@example.com/ci"]));
        assert_eq!(second["contexts"], serde_json::json!(["jobs/*"]));
        assert_eq!(
            (&first["may_delegate"], &second["may_delegate"]),
            (&false.into(), &true.into())
        );
        assert_eq!((&second["serial"], &second["host"]), (&7.into(), &false.into()));
        assert_eq!(second["critical_options"], serde_json::json!([]));
        assert_eq!(second["refusal"], serde_json::Value::Null);
    }
    let own = key(1);
    let draft = brine_keys::CertificateDraft {
        key: own.verifying_key(),
        nonce: [0; 32],
        serial: 0,
        key_id: "a\x1b[2J\u{202e}",
        principals: &[],
        valid_after: 0,
        valid_before: u64::MAX,
        contexts: Some(&[]),
        may_delegate: false,
    };
    let hostile =
        [draft.issue(&key(2)).unwrap(), b"\0\0\0\x04a\x1b[2".to_vec(), b"nonsense".to_vec()];
    let signer = brine_testkit::Certified::new(key(1), &hostile);
    let envelope = brine_core::sign(&statement(), &signer, b"x").unwrap().to_bytes();
    person.write("hostile", &envelope);
    let page = done(&person, "brine inspect hostile");
    assert!(!page.contains('\x1b') && !page.contains('\u{202e}'), "{page}");
    assert!(
        page.contains("is nobody; issued by SHA256:") && page.contains("; for no context\n"),
        "{page}"
    );
    assert!(page.contains("cannot be read: certificate vouches for nobody: "), "{page}");
    let facts = done(&person, "brine inspect --json hostile");
    crate::schema::check_lines(facts.as_bytes());
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let reason = |place: usize| facts["certificates"][place]["refusal"]["reason"].clone();
    let expected = ["certificate-key-unsupported", "certificate-malformed"];
    assert_eq!([reason(1), reason(2)], expected.map(serde_json::Value::from));
    assert_eq!(facts["certificates"][0]["expires"], serde_json::Value::Null);
    // An envelope without them has an empty list.
    let plain = brine_core::sign(&statement(), &key(1), b"x").unwrap().to_bytes();
    person.write("plain", &plain);
    assert!(done(&person, "brine inspect --json plain").contains("\"certificates\":[]"));
}
