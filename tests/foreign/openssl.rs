//! OpenSSL: signatures over the Sig_structure, and key files, both ways.

use crate::common::{Person, assert_refused, hex};
use crate::cose::client;

/// Runs a line that must succeed.
fn run(person: &Person, line: &str) -> Vec<u8> {
    crate::run(person, "openssl", line)
}

#[test]
fn openssl_verifies_the_signature_of_brine_over_an_independent_sig_structure() {
    let person = Person::with_key();
    person.write("payload", "to be signed");
    person.write("aad", "ticket");
    let aad = hex(b"ticket");
    for (options, parts) in [
        ("", &[][..]),
        ("--plain", &[]),
        ("--alg ed25519", &[]),
        ("--context orders --type text/plain", &[]),
        ("--aad aad", &["--aad", &aad]),
        ("-d", &["--detached", "payload"]),
        ("-d --plain --aad aad", &["--detached", "payload", "--aad", &aad]),
    ] {
        run(&person, &format!("brine sign {options} payload -o envelope"));
        let arguments = [&["ref", "tbs"], parts, &["envelope"]].concat();
        person.write("tbs", client(&person, &arguments).stdout);
        run(&person, "tail -c 64 envelope > signature; brinekey pub --form spki > public.pem");
        let shown: serde_json::Value =
            serde_json::from_slice(&run(&person, "brine inspect --json envelope")).unwrap();
        assert_eq!(shown["signature"].as_str(), Some(&*hex(&person.read("signature"))));
        let verify =
            "openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in tbs -sigfile signature";
        run(&person, verify);
        // So that this can fail.
        run(&person, "printf x >> tbs");
        assert!(!person.shell(verify).output().unwrap().status.success());
    }
}

#[test]
fn brine_verifies_the_signature_of_openssl_and_both_sign_the_same() {
    let person = Person::with_key();
    person.write("payload", "to be signed");
    for options in ["--plain", "--context orders"] {
        run(&person, &format!("brine sign {options} payload -o envelope"));
        person.write("tbs", client(&person, &["ref", "tbs", "envelope"]).stdout);
        run(
            &person,
            "openssl pkeyutl -sign -rawin -inkey \"$BRINE_HOME/keys/default.key\" -in tbs -out signature",
        );
        // Ed25519 is deterministic: two right implementations give the same bytes.
        run(&person, "tail -c 64 envelope | cmp - signature");
        run(&person, "(head -c -64 envelope; cat signature) > theirs");
        let context = if options.contains("context") { "--context orders" } else { "--untyped" };
        // The rest of the envelope is not accepted without it.
        run(&person, "(head -c -64 envelope; head -c 64 /dev/zero) > unsigned");
        let line = format!("brine verify {context} unsigned");
        assert_refused(&person.shell(&line).output().unwrap(), 1, "signature");
        assert_eq!(run(&person, &format!("brine verify {context} theirs")), b"to be signed");
    }
}

#[test]
fn keys_made_by_openssl_sign_as_they_are() {
    let person = Person::new();
    person.write("pass", "correct horse");
    person.write("wrong", "incorrect horse");
    run(&person, "openssl genpkey -algorithm ed25519 -out plain.pem; chmod 600 plain.pem");
    for (file, line) in [
        ("plain.pem", "true"),
        (
            "genpkey.pem",
            "openssl genpkey -algorithm ed25519 -aes256 -pass file:pass -out genpkey.pem",
        ),
        ("aes.pem", "openssl pkey -in plain.pem -aes256 -passout file:pass -out aes.pem"),
        ("topk8.pem", "openssl pkcs8 -topk8 -in plain.pem -passout file:pass -out topk8.pem"),
        (
            "scrypt.pem",
            "openssl pkcs8 -topk8 -scrypt -in plain.pem -passout file:pass -out scrypt.pem",
        ),
    ] {
        run(&person, &format!("{line}; chmod 600 {file}"));
        run(&person, &format!("openssl pkey -in {file} -passin file:pass -pubout -out public.pem"));
        let signed = run(
            &person,
            &format!(
                "echo x | brine sign -k {file} --passphrase-file pass | brine verify -p public.pem"
            ),
        );
        assert_eq!(signed, b"x\n", "{file}");
        if file != "plain.pem" {
            let line = format!("echo x | brine sign -k {file} --passphrase-file wrong");
            let output = person.shell(&line).output().unwrap();
            assert_refused(&output, 6, "passphrase is wrong");
        }
    }
}

#[test]
fn openssl_reads_the_keys_of_brine() {
    let person = Person::with_key();
    person.write("pass", "correct horse");
    run(&person, "brinekey gen secret --passphrase-file pass");
    run(
        &person,
        "openssl pkey -in \"$BRINE_HOME/keys/default.key\" | cmp - \"$BRINE_HOME/keys/default.key\"",
    );
    for (name, pass) in [("default", ""), ("secret", "-passin file:pass")] {
        let theirs = run(
            &person,
            &format!("openssl pkey -in \"$BRINE_HOME/keys/{name}.key\" {pass} -pubout"),
        );
        assert_eq!(theirs, run(&person, &format!("brinekey pub {name} --form spki")), "{name}");
    }
    // The private halves are equal, too.
    let theirs = run(&person, "openssl pkey -in \"$BRINE_HOME/keys/secret.key\" -passin file:pass");
    let ours = "brinekey export secret --passphrase-file pass --no-passphrase";
    assert_eq!(theirs, run(&person, ours));
}

/// Each form that is not read is refused with the one line that converts it.
#[test]
fn the_hints_for_keys_convert_them() {
    let person = Person::new();
    person.write("pass", "correct horse");
    for (name, options) in [
        ("ed25519.sha1.pem", "-passin 'pass:correct horse' -passout 'pass:correct horse'"),
        ("ed25519.des3.pem", "-passin 'pass:correct horse' -passout 'pass:correct horse'"),
        ("ed25519.camellia.pem", "-passin 'pass:correct horse' -passout 'pass:correct horse'"),
        ("ed25519.pbes1.pem", "-passin 'pass:correct horse' -passout 'pass:correct horse'"),
        ("ed25519.der", "-passout 'pass:correct horse'"),
        ("ed25519.p12", "-passin 'pass:correct horse' -passout 'pass:correct horse'"),
    ] {
        let file = crate::common::project(&format!("fixtures/keys/{name}"));
        let line = format!("cp {} FILE; chmod 600 FILE; brine sign -k ./FILE pass", file.display());
        let output = person.shell(&line).output().unwrap();
        assert_refused(&output, 6, "is not a supported form of key");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let (_, hint) = stderr.split_once(": hint: \"").unwrap();
        let (command, _) = hint.split_once('"').unwrap();
        run(&person, &format!("rm -f NEW; {command} {options}"));
        let line = "chmod 600 NEW; brine sign -k ./NEW --passphrase-file pass pass > envelope";
        run(&person, line);
        let public = crate::common::project("fixtures/keys/ed25519.pub.pem");
        run(&person, &format!("brine verify --check -p {} envelope", public.display()));
    }
    let certificate = crate::common::project("fixtures/keys/ed25519.cert.pem");
    let line = format!("cp {} FILE; brinekey show ./FILE", certificate.display());
    let output = person.shell(&line).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let (_, hint) = stderr.split_once(": hint: \"").unwrap();
    let command = hint.split_once('"').unwrap().0;
    run(&person, &format!("{command} > NEW.pem; brinekey show ./NEW.pem"));
}
