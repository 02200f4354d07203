//! What works.

use crate::common::{Person, hex};

#[test]
fn the_smallest_session_works_to_the_letter() {
    let person = Person::new();
    person.write("in", "hello\n");
    for line in ["brinekey gen", "brine sign < in > out", "brine verify < out > back"] {
        person.shell(line).assert().success();
    }
    assert_eq!(person.read("back"), b"hello\n");
}

#[test]
fn success_is_silent_on_stderr_unless_asked() {
    let person = Person::with_key();
    let envelope = person.sign(["--context", "orders"], b"x");
    let quiet = person
        .brine(["verify", "--context", "orders"])
        .write_stdin(envelope.clone())
        .output()
        .unwrap();
    assert_eq!((quiet.stdout.as_slice(), quiet.stderr.as_slice()), (&b"x"[..], &b""[..]));
    let verbose = person
        .brine(["verify", "-v", "--context", "orders"])
        .write_stdin(envelope)
        .output()
        .unwrap();
    let line = String::from_utf8(verbose.stderr).unwrap();
    assert!(line.starts_with("brine: signed by default (orders, 20"), "{line}");
}

#[test]
fn payloads_of_every_kind_come_back() {
    let person = Person::with_key();
    for payload in [&b""[..], b"\0", b"\xff\xfe", &[0x55; 70_000]] {
        let envelope = person.sign([], payload);
        let output = person.brine(["verify"]).write_stdin(envelope).output().unwrap();
        assert!(output.status.success() && output.stdout == payload, "{}", payload.len());
    }
}

#[test]
fn fixture_payloads_come_back_with_their_content_type() {
    let person = Person::with_key();
    for (file, content_type) in [
        ("function.pkl", "application/octet-stream"),
        ("table.arrow", "application/vnd.apache.arrow.stream"),
        ("table.parquet", "application/vnd.apache.parquet"),
        ("message.json", "50"),
        ("job.sh", "text/x-shellscript"),
    ] {
        let path = crate::common::project(&format!("fixtures/payloads/{file}"));
        let path = path.to_str().unwrap();
        person.brine(["sign", "--type", content_type, path, "-o", "envelope"]).assert().success();
        person
            .brine(["verify", "envelope", "-o", "payload", "--report", "verdict"])
            .assert()
            .success();
        person.shell(&format!("cmp payload {path}")).assert().success();
        let verdict: serde_json::Value = serde_json::from_slice(&person.read("verdict")).unwrap();
        assert_eq!(verdict["content_type"], content_type);
    }
}

#[test]
fn armor_is_recognised_by_itself() {
    let person = Person::with_key();
    let text = person.sign(["-a"], b"hello");
    assert!(text.starts_with(b"-----BEGIN BRINE ENVELOPE-----\n"));
    let output = person.brine(["verify"]).write_stdin(text).output().unwrap();
    assert_eq!(output.stdout, b"hello");
}

#[test]
fn a_detached_signature_goes_beside_its_file_and_never_over_another() {
    let person = Person::with_key();
    person.write("file", "content");
    person.brine(["sign", "-d", "file"]).assert().success();
    let output = person.brine(["verify", "--signature", "file.sig", "file"]).output().unwrap();
    assert!(output.status.success() && output.stdout == b"file: OK\n", "{output:?}");
    let again = person.brine(["sign", "-d", "file"]).output().unwrap();
    crate::common::assert_refused(&again, 4, "\"file.sig\" exists already");
    let piped = person
        .brine(["verify", "--signature", "file.sig"])
        .write_stdin("content")
        .output()
        .unwrap();
    assert!(piped.status.success() && piped.stdout == b"standard input: OK\n", "{piped:?}");
    let altered = person
        .brine(["verify", "--signature", "file.sig"])
        .write_stdin("c0ntent")
        .output()
        .unwrap();
    crate::common::assert_refused(&altered, 1, "signature does not verify");
}

#[test]
fn plain_envelopes_are_the_same_every_time() {
    let person = Person::with_key();
    let first = person.sign(["--plain"], b"x");
    assert_eq!(first, person.sign(["--plain"], b"x"));
    assert_ne!(person.sign([], b"x"), person.sign([], b"x"));
    person.brine(["verify", "--untyped"]).write_stdin(first).assert().success();
}

#[test]
fn the_verdict_is_one_line_of_json_and_nothing_else() {
    let person = Person::with_key();
    let envelope =
        person.sign(["--context", "orders", "--expires", "1h", "--type", "text/plain"], b"x");
    let arguments = ["verify", "--json", "--context", "orders", "--check", "--report", "report"];
    let output = person.brine(arguments).write_stdin(envelope).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(output.stderr, person.read("report"));
    assert_eq!(output.stderr.iter().filter(|byte| **byte == b'\n').count(), 1);
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(verdict["schema"], "brine.verdict/1");
    assert_eq!(verdict["signer"], "default");
    assert_eq!(verdict["context"], serde_json::json!(["orders"]));
    assert_eq!(verdict["clock"], "system");
    assert_eq!(verdict["payload_bytes"], 1);
    assert!(verdict["expires"].is_string() && verdict["not_before"].is_null());
}

#[test]
fn every_member_of_the_verdict_is_documented() {
    let person = Person::with_key();
    let good =
        person.brine(["verify", "--json"]).write_stdin(person.sign([], b"x")).output().unwrap();
    let bad = person.brine(["verify", "--json"]).write_stdin("x").output().unwrap();
    let page = crate::common::project_text("docs/verdict.md");
    for line in [good.stderr, bad.stderr] {
        let verdict: serde_json::Value = serde_json::from_slice(&line).unwrap();
        for member in verdict.as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{member}`")), "{member}");
        }
    }
}

#[test]
fn external_data_and_windows_hold_both_ways() {
    let person = Person::with_key();
    person.write("aad", "ticket 7");
    let arguments = [
        "--aad",
        "aad",
        "--not-before",
        "2026-01-01T00:00:00Z",
        "--expires",
        "2100-01-01T00:00:00Z",
    ];
    let envelope = person.sign(arguments, b"x");
    person.brine(["verify", "--aad", "aad"]).write_stdin(envelope.clone()).assert().success();
    let late = ["verify", "--aad", "aad", "--now", "2100-01-02T00:00:00Z"];
    let output = person.brine(late).write_stdin(envelope).output().unwrap();
    crate::common::assert_refused(&output, 5, "expired at 2100-01-01T00:00:00Z");
}

#[test]
fn the_algorithm_number_is_a_choice() {
    let person = Person::with_key();
    for (alg, number) in [("eddsa", "a40127"), ("ed25519", "a40132")] {
        let envelope = person.sign(["--alg", alg], b"x");
        assert!(hex(&envelope).contains(number), "{alg}");
        person.brine(["verify"]).write_stdin(envelope).assert().success();
    }
}
