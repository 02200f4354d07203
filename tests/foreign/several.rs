//! Envelopes of several signers, with pycose and python-cwt, both ways.

use std::path::PathBuf;
use std::process::Output;

use crate::common::{Person, hex, key, project, public_line};

fn library(person: &Person, arguments: &[&str]) -> Output {
    let python = std::env::var_os("BRINE_FOREIGN_PYTHON")
        .map_or_else(|| project("target/foreign-venv/bin/python"), PathBuf::from);
    assert!(python.exists(), "{} is missing: run ./scripts/test", python.display());
    let script = project("tests/foreign/several.py");
    let all = [&[script.to_str().unwrap()], arguments].concat();
    let output = person.program(python.to_str().unwrap(), &all).output().unwrap();
    assert_ne!(output.status.code(), Some(2), "broken set-up: run ./scripts/test: {output:?}");
    output
}

/// A person with two keys, and these in hex.
fn two_keys() -> (Person, [String; 2]) {
    let person = Person::new();
    let keys = ["one", "two"].map(|name| {
        person.brinekey(["gen", name, "--no-passphrase"]).assert().success();
        let line = person.brinekey(["pub", name]).output().unwrap().stdout;
        hex(&brine_keys::read_openssh_line(line).unwrap().0.to_bytes())
    });
    (person, keys)
}

#[test]
fn both_libraries_verify_each_signature_that_brine_makes() {
    let (person, [one, two]) = two_keys();
    let third = hex(&key(9).verifying_key().to_bytes());
    let mut verified = 0;
    for options in
        ["", "--plain", "--context orders --expires 7d", "--type text/plain", "--needs-all"]
    {
        person
            .shell(&format!("printf payload | brine sign -k one -k two {options} > both"))
            .assert()
            .success();
        person
            .shell(&format!("printf payload | brine sign --cosignable -k one {options} > first"))
            .assert()
            .success();
        let context = if options.contains("orders") { "--context orders" } else { "" };
        let untyped = options.contains("--plain");
        if !untyped && !options.contains("needs") {
            person
                .shell(&format!("brine cosign {context} -k two < first > both2"))
                .assert()
                .success();
        } else {
            person.shell("cp both both2").assert().success();
        }
        for name in ["pycose", "cwt"] {
            for envelope in ["both", "both2"] {
                let output = library(&person, &[name, "verify", &format!("{one},{two}"), envelope]);
                assert!(output.status.success(), "{name} {options}: {output:?}");
                assert_eq!(output.stdout, b"payload", "{name} {options}");
                verified += 2;
            }
            let stranger = library(&person, &[name, "verify", &third, "both"]);
            assert_eq!(stranger.status.code(), Some(1), "{name} {options}: {stranger:?}");
        }
    }
    assert_eq!(verified, 40);
}

#[test]
fn brine_verifies_what_both_libraries_sign() {
    let person = Person::new();
    let lines = [1, 2].map(|seed| public_line(&key(seed)));
    person.write("payload", "payload");
    for name in ["pycose", "cwt"] {
        for seeds in [&[1_u8][..], &[1, 2], &[2, 1, 3]] {
            let keys: Vec<_> = seeds.iter().map(|seed| hex(key(*seed).expose_seed())).collect();
            library(&person, &[name, "sign", &keys.join(","), "payload", "envelope"]);
            for required in 1..=3 {
                let mut command = person.brine(["verify", "--untyped", "envelope"]);
                command.args([
                    "-p",
                    &lines[0],
                    "-p",
                    &lines[1],
                    "--require",
                    &required.to_string(),
                ]);
                let output = command.output().unwrap();
                let enough = required <= seeds.len().min(2);
                assert_eq!(
                    output.status.success(),
                    enough,
                    "{name} {seeds:?} {required}: {output:?}"
                );
                assert_eq!(output.stdout, if enough { &b"payload"[..] } else { b"" });
            }
        }
    }
}
