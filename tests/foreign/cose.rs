//! pycose and python-cwt, both ways.

use std::path::PathBuf;
use std::process::Output;

use crate::common::{Person, assert_refused, hex, key, project, public_line};

/// Runs `client.py` in a person's directory.
pub(crate) fn client(person: &Person, arguments: &[&str]) -> Output {
    let python = std::env::var_os("BRINE_FOREIGN_PYTHON")
        .map_or_else(|| project("target/foreign-venv/bin/python"), PathBuf::from);
    assert!(python.exists(), "{} is missing: run ./scripts/test", python.display());
    let script = project("tests/foreign/client.py");
    let all = [&[script.to_str().unwrap()], arguments].concat();
    let output = person.program(python.to_str().unwrap(), &all).output().unwrap();
    // Status 2 is for a broken set-up, which must not pass for a refusal.
    assert_ne!(output.status.code(), Some(2), "broken set-up: run ./scripts/test: {output:?}");
    output
}

/// The default key of a person, as other libraries take it.
pub(crate) fn public_hex(person: &Person) -> String {
    let line = person.brinekey(["pub"]).output().unwrap().stdout;
    let (public, _) = brine_keys::read_openssh_line(line).unwrap();
    hex(&public.to_bytes())
}

fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    hex(&Sha256::digest(bytes))
}

const PAYLOADS: [&[u8]; 3] = [b"", b"\x00\xff binary", &[0x61; 100_000]];

/// Options of `brine sign`, and which libraries verify the outcome.
const STYLES: [(&[&str], &[&str]); 6] = [
    (&[], &["pycose", "cwt"]),
    (&["--plain"], &["pycose", "cwt"]),
    (&["--context", "orders", "--expires", "7d", "--not-before", "1s"], &["pycose", "cwt"]),
    (&["--type", "application/json"], &["pycose", "cwt"]),
    (&["--type", "50"], &["pycose", "cwt"]),
    (&["--alg", "ed25519", "--type", "60"], &["cwt"]),
];

#[test]
fn both_libraries_verify_what_brine_signs() {
    let person = Person::with_key();
    let public = public_hex(&person);
    person.write("aad", "ticket");
    let aad = hex(b"ticket");
    for payload in PAYLOADS {
        person.write("payload", payload);
        for (options, libraries) in STYLES {
            for (detached, with_aad) in [(false, false), (true, false), (false, true), (true, true)]
            {
                let mut command = person.brine(["sign", "payload", "-o", "envelope"]);
                command.args(options);
                command.args(detached.then_some("-d")).args(with_aad.then_some("--aad=aad"));
                command.assert().success();
                for library in libraries {
                    let mut arguments = vec![*library, "verify", "--key", &public];
                    if with_aad {
                        arguments.extend(["--aad", &aad]);
                    }
                    if detached {
                        arguments.extend(["--detached", "payload"]);
                    }
                    arguments.push("envelope");
                    let output = client(&person, &arguments);
                    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                    assert_eq!(found, sha256_hex(payload), "{options:?} {arguments:?} {output:?}");
                }
            }
        }
    }
}

/// So that the test above can fail.
#[test]
fn both_libraries_refuse_another_key_and_other_external_data() {
    let person = Person::with_key();
    let public = public_hex(&person);
    let other = hex(&key(8).verifying_key().to_bytes());
    person.write("payload", "x");
    person.write("aad", b"\x01");
    for (library, alg, reason) in [
        ("pycose", "eddsa", "InvalidSignature"),
        ("cwt", "eddsa", "VerifyError"),
        ("cwt", "ed25519", "VerifyError"),
    ] {
        for (options, detached) in [(&[][..], &[][..]), (&["-d"], &["--detached", "payload"])] {
            let mut sign = person.brine(["sign", "--alg", alg, "--aad=aad", "-o", "envelope"]);
            sign.args(options).arg("payload").assert().success();
            for (key, aad, accepted) in
                [(&public, "01", true), (&other, "01", false), (&public, "00", false)]
            {
                let fixed = [library, "verify", "--key", key, "--aad", aad, "envelope"];
                let output = client(&person, &[&fixed[..], detached].concat());
                assert_eq!(output.status.success(), accepted, "{fixed:?} {output:?}");
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(accepted || stderr.starts_with(reason), "{fixed:?} {stderr}");
            }
        }
    }
}

/// When this fails, pycose has learnt RFC 9864, and −19 could become the default one day.
#[test]
fn pycose_does_not_know_algorithm_19_yet() {
    let person = Person::with_key();
    person.write("payload", "x");
    person.brine(["sign", "--alg", "ed25519", "payload", "-o", "envelope"]).assert().success();
    let output = client(&person, &["pycose", "verify", "--key", &public_hex(&person), "envelope"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("Unknown COSE attribute"), "{stderr}");
}

#[test]
fn brine_verifies_what_both_libraries_sign_and_nothing_altered() {
    let person = Person::new();
    let seed = hex(&[5; 32]);
    let signer = key(5);
    person.write("key.pub", public_line(&signer));
    person.write("aad", "ticket");
    let (aad, kid) = (hex(b"ticket"), hex(signer.verifying_key().id().as_bytes()));
    for payload in PAYLOADS {
        person.write("payload", payload);
        for (library, alg) in [("pycose", "-8"), ("cwt", "-8"), ("cwt", "-19")] {
            for (detached, with_aad, with_kid) in [
                (false, false, false),
                (false, false, true),
                (true, false, false),
                (false, true, false),
                (true, true, true),
            ] {
                let alg = format!("--alg={alg}");
                let mut arguments = vec![library, "sign", "--key", &seed, &alg];
                if with_aad {
                    arguments.extend(["--aad", &aad]);
                }
                arguments.extend(detached.then_some("--detached"));
                if with_kid {
                    arguments.extend(["--protected-kid", &kid]);
                }
                arguments.extend(["payload", "envelope"]);
                let signed = client(&person, &arguments);
                assert!(signed.status.success(), "{arguments:?} {signed:?}");

                let verify = || {
                    let mut command = person.brine(["verify", "--untyped", "-p", "./key.pub"]);
                    command.args(with_aad.then_some("--aad=aad"));
                    if detached {
                        command.args(["--signature", "envelope", "payload"]);
                    } else {
                        command.arg("envelope");
                    }
                    command.output().unwrap()
                };
                let output = verify();
                assert!(output.status.success(), "{arguments:?} {output:?}");
                assert_eq!(
                    output.stdout,
                    if detached { b"payload: OK\n" } else { payload },
                    "{arguments:?}"
                );

                let mut altered = person.read("envelope");
                let last = altered.len() - 1;
                altered[last] ^= 1;
                person.write("envelope", altered);
                let output = verify();
                assert_eq!(output.status.code(), Some(1), "{arguments:?} {output:?}");
                assert!(output.stdout.is_empty());
            }
        }
    }
}

/// One byte of the payload and either half of the signature, each in an envelope of its own.
#[test]
fn brine_refuses_a_flipped_byte_in_what_both_libraries_sign() {
    let person = Person::new();
    let seed = hex(&[5; 32]);
    person.write("key.pub", public_line(&key(5)));
    person.write("payload", "payload");
    for (library, alg) in [("pycose", "--alg=-8"), ("cwt", "--alg=-8"), ("cwt", "--alg=-19")] {
        client(&person, &[library, "sign", "--key", &seed, alg, "payload", "envelope"]);
        let envelope = person.read("envelope");
        let embedded = envelope.windows(7).position(|bytes| bytes == b"payload").unwrap();
        for position in [embedded, envelope.len() - 64, envelope.len() - 32, envelope.len() - 1] {
            let mut altered = envelope.clone();
            altered[position] ^= 1;
            person.write("altered", altered);
            let line = ["verify", "--untyped", "-p", "./key.pub", "altered"];
            assert_refused(&person.brine(line).output().unwrap(), 1, "signature");
        }
        let detached = [library, "sign", "--key", &seed, alg, "--detached", "payload", "envelope"];
        client(&person, &detached);
        person.write("altered", "pbyload");
        for (file, accepted) in [("payload", true), ("altered", false)] {
            let arguments =
                ["verify", "--untyped", "-p", "./key.pub", "--signature", "envelope", file];
            let output = person.brine(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(i32::from(!accepted)), "{file} {output:?}");
        }
    }
}
