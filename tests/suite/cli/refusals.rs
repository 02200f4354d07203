//! What is refused: one line with the reason, the status of the table, and an empty stdout.

use crate::common::{Person, assert_refused};

/// Runs `brine verify` with a line of arguments on bytes.
#[track_caller]
fn refuse(person: &Person, arguments: &str, input: &[u8], status: i32, reason: &str) {
    let mut command = person.brine(["verify"]);
    let output = command.args(arguments.split_whitespace()).write_stdin(input).output().unwrap();
    assert_refused(&output, status, reason);
}

#[test]
fn unsigned_data_is_never_passed_on() {
    let person = Person::with_key();
    for input in [&b""[..], b"#!/bin/sh\n", b"{}", b"\x80\x04K\x01.", b"\x1f\x8b\x08"] {
        refuse(&person, "", input, 3, "not an envelope");
    }
}

#[test]
fn contexts_must_be_named_by_both_or_neither() {
    let person = Person::with_key();
    let with = person.sign(["--context", "orders"], b"x");
    let without = person.sign([], b"x");
    refuse(&person, "", &with, 5, "is for context \"orders\", which was not asked for");
    refuse(&person, "--context orders", &without, 5, "has no context");
    refuse(&person, "--context other", &with, 5, "is for context \"orders\", not \"other\"");
}

#[test]
fn ages_and_signers_are_enforced() {
    let person = Person::with_key();
    let envelope = person.sign([], b"x");
    refuse(&person, "--now 2199-01-01T00:00:00Z --max-age 1d", &envelope, 5, "more than 1 day ago");
    refuse(&person, "--now 1970-01-02T00:00:00Z", &envelope, 5, "in the future");
    refuse(&person, "--signer alice", &envelope, 5, "signed by default, not by alice");
    let plain = person.sign(["--plain"], b"x");
    refuse(&person, "--untyped --max-age 1d", &plain, 5, "no issue time");
    refuse(&person, "", &plain, 3, "envelope has no type");
}

#[test]
fn strangers_are_named_by_their_key_id() {
    let (alice, bob) = (Person::with_key(), Person::with_key());
    let envelope = alice.sign([], b"x");
    refuse(&bob, "", &envelope, 5, "no trust anchor for key id ");
    refuse(&Person::new(), "", &envelope, 5, "no trust anchor for key id ");
}

#[test]
fn nonsense_on_the_command_line_is_status_2() {
    let person = Person::with_key();
    for line in [
        "brine",
        "brine frobnicate",
        "brine verify --max-age soon",
        "brine verify --now yesterday",
        "brine verify --check -o out",
        "brine verify --signature - -",
        "brine sign --plain --context x",
        "brine sign --expires 2020-01-01T00:00:00Z",
        "brine sign --not-before 2h --expires 1h",
        "brine sign --context ''",
        "brine sign --type nonsense",
        "brine sign --aad -",
        "brine sign --passphrase-fd 0",
        "brine sign -k 'no/../such name'$(printf '\\n')",
        "brine sign -k -x",
        "brinekey gen ../evil",
        "brinekey gen .hidden",
        "brinekey gen 'a b'",
        "brinekey gen name.key",
        "brinekey gen ''",
    ] {
        let output = person.shell(&format!("{line} < /dev/null")).output().unwrap();
        let status = output.status.code();
        // A path is no mistake of usage, only a key that is not there.
        let expected = if line.contains("no/..") { Some(6) } else { Some(2) };
        assert_eq!(status, expected, "{line}: {output:?}");
        assert!(output.stdout.is_empty(), "{line}");
    }
    assert!(person.files().is_empty());
}

#[test]
fn keys_that_cannot_be_used_are_status_6() {
    let person = Person::with_key();
    person.write("text.key", "not a key");
    person.write("empty.key", "");
    for (key, reason) in [
        ("./missing.key", "No such file"),
        ("./text.key", "text.key"),
        ("./empty.key", "empty.key"),
        (".", "No such file"),
        ("missing", "no key named \"missing\""),
        ("ssh-ed25519 AAAA", "public"),
    ] {
        let mut command = person.brine(["sign", "-k", key]);
        let output = command.write_stdin("x").output().unwrap();
        if key == "." {
            assert_refused(&output, 2, "is not a key name");
        } else {
            assert_refused(&output, 6, reason);
        }
    }
    let output =
        person.brine(["verify", "-p", "ssh-ed25519 AAAA"]).write_stdin("x").output().unwrap();
    assert_eq!(output.status.code(), Some(6));
}

#[test]
fn private_keys_of_other_kinds_are_refused_by_name() {
    let person = Person::new();
    for (file, name) in [
        ("rsa.pem", "RSA"),
        ("rsa.traditional.pem", "RSA"),
        ("ec.pem", "EC"),
        ("ec.traditional.pem", "EC"),
        ("x25519.pem", "X25519"),
        ("ed448.pem", "Ed448"),
        ("ssh.rsa", "rsa"),
        ("ssh.ecdsa", "ecdsa"),
    ] {
        let path = crate::common::project(&format!("fixtures/keys/{file}"));
        let output =
            person.brine(["sign", "-k", path.to_str().unwrap()]).write_stdin("x").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{file}: {stderr}");
        assert!(stderr.to_lowercase().contains(&name.to_lowercase()), "{file}: {stderr}");
        assert!(stderr.contains("hint: brine takes Ed25519 keys"), "{file}: {stderr}");
    }
}

#[test]
fn passphrases_come_from_the_configured_source_or_not_at_all() {
    let person = Person::new();
    person.write("right", "correct horse\n");
    person.write("wrong", "battery staple");
    person.write("empty", "\n");
    person.brinekey(["gen", "--passphrase-file", "right"]).assert().success();
    let sign = |arguments: &str| {
        person.shell(&format!("echo x | brine sign {arguments} > out")).output().unwrap()
    };
    assert!(sign("--passphrase-file right").status.success());
    assert!(sign("--passphrase-fd 7 7< right").status.success());
    assert_refused(&sign("--passphrase-file wrong"), 6, "passphrase");
    assert_refused(&sign("--passphrase-file empty"), 6, "is empty");
    assert_refused(&sign("--passphrase-file missing"), 6, "No such file");
    assert_refused(&sign("--passphrase-fd 9"), 6, "Bad file descriptor");
    assert_refused(&sign(""), 6, "no terminal to ask");
    let mut command = person.shell("echo x | brine sign > out");
    assert!(command.env("BRINE_PASSPHRASE_FILE", "right").output().unwrap().status.success());
    let mut command = person.brinekey(["gen", "other"]);
    let output = command.env("BRINE_PASSPHRASE_FILE", "missing").output().unwrap();
    assert_refused(&output, 6, "No such file");
    assert!(!person.home_path("keys/other.key").exists());
}

#[test]
fn control_characters_from_an_envelope_never_reach_the_terminal() {
    let person = Person::with_key();
    let key = crate::common::key(9);
    person.brinekey(["trust", "add", "k", &crate::common::public_line(&key)]).assert().success();
    let statement = crate::common::statement().context("\x1b[2Jcleared\u{202e}\r\n");
    let envelope = brine_core::sign(&statement, &key, b"x").unwrap().to_bytes();
    let verify = person.brine(["verify"]).write_stdin(envelope.clone()).output().unwrap();
    assert_refused(&verify, 5, "is for context");
    let inspect = person.brine(["inspect"]).write_stdin(envelope.clone()).output().unwrap();
    let diag = person.brine(["inspect", "--diag"]).write_stdin(envelope).output().unwrap();
    assert!(inspect.status.success() && diag.status.success());
    for bytes in [verify.stderr, inspect.stdout, diag.stdout] {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(['\x1b', '\r', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn what_is_too_long_for_a_header_is_not_signed() {
    let person = Person::with_key();
    let long = "x".repeat(1025);
    for option in ["--context", "--type"] {
        let output =
            person.brine(["sign", option, &format!("a/{long}")]).write_stdin("x").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{option}");
    }
}

#[test]
fn json_holds_nothing_that_a_terminal_acts_on() {
    let person = Person::with_key();
    let statement = crate::common::statement().content_type("a/\u{9b}2J\u{202e}\u{61c}");
    let key = crate::common::key(9);
    let envelope = brine_core::sign(&statement, &key, b"x").unwrap().to_bytes();
    let public = crate::common::public_line(&key);
    let verify = ["verify", "--json", "-p", &public, "--now", "1790000000"];
    let output = person.brine(verify).write_stdin(envelope.clone()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let inspect = person.brine(["inspect", "--json"]).write_stdin(envelope).output().unwrap();
    for line in [output.stderr, inspect.stdout] {
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(
            text.trim_end().chars().all(|c| !c.is_control() && !"\u{202e}\u{61c}".contains(c)),
            "{text:?}"
        );
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["content_type"], "a/\u{9b}2J\u{202e}\u{61c}");
    }
}

/// Memory is bounded however long the input claims to be.
#[test]
fn length_bombs_cost_nothing() {
    let person = Person::with_key();
    for bomb in [
        &b"\xd2\x84\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\xd2\x84\x43\xa1\x01\x27\xa0\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xd2\x84\x43\xa1\x01\x27\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xd2\x84\x49\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        // Twenty million pairs, all there.
        &[&b"\xd2\x84\x43\xa1\x01\x27\xba\x01\x31\x2d\x00"[..], &vec![0; 40_000_000]].concat(),
    ] {
        person.write("bomb", bomb);
        let mut command = person.shell("ulimit -v 200000; brine verify < bomb");
        assert_eq!(command.output().unwrap().status.code(), Some(1), "{bomb:02x?}");
    }
}

#[test]
fn an_endless_input_is_refused_at_the_limit() {
    let person = Person::with_key();
    let output = person.shell("yes | brine sign --armor > out").output().unwrap();
    assert_refused(&output, 3, "over 256 MiB");
    let output = person
        .shell("(printf -- '-----BEGIN BRINE ENVELOPE-----\\n'; yes) | brine verify")
        .output()
        .unwrap();
    assert_refused(&output, 3, "over 256 MiB");
    person.shell("truncate -s 300G huge").assert().success();
    let output = person.brine(["sign", "--single", "huge"]).output().unwrap();
    assert_refused(&output, 3, "over 64 GiB");
    // That it is no envelope can be told by its first byte.
    let output = person.shell("cat huge | brine verify").output().unwrap();
    assert_refused(&output, 3, "not an envelope");
}
