//! Vectors of other projects through the programs: `fixtures/foreign`, whose README names their origin. The crate
//! brine-core runs them through the library.

use brine_core::{Classified as _, VerifyingKey};
use brine_testkit::{
    ForeignCase, foreign_cases, foreign_edge_cases, foreign_hash_envelopes, hex, unhex,
};
use serde_json::Value;

use crate::common::{Person, assert_refused};

/// What `brine verify` releases, or its reason for refusing.
fn through_program(case: &ForeignCase, person: &Person) -> Result<Vec<u8>, String> {
    let mut command = person.brine(["verify", "--json", "--untyped"]);
    for (index, key) in case.keys.iter().enumerate() {
        let name = format!("{index}.pem");
        person.write(&name, spki_pem(key));
        command.args(["-p", &format!("./{name}")]);
    }
    let now = case.now.to_string();
    command.args(["--now", &now]);
    if let Some(context) = case.context {
        command.args(["--context", context]);
    }
    if case.is_untagged {
        command.arg("--untagged");
    }
    person.write("aad", &case.aad);
    command.args(["--aad", "aad"]);
    match &case.detached {
        Some(payload) => {
            person.write("envelope", &case.envelope);
            command.args(["--signature", "envelope"]).write_stdin(payload.clone());
        }
        None => drop(command.write_stdin(case.envelope.clone())),
    }
    let output = command.output().unwrap();
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    if output.status.success() {
        // A detached payload is verified and not written again.
        return Ok(case.detached.clone().unwrap_or(output.stdout));
    }
    assert!(output.stdout.is_empty(), "{}", case.id);
    Err(verdict["reason"].as_str().unwrap().to_owned())
}

fn spki_pem(key: &[u8; 32]) -> String {
    let der = [&unhex("302a300506032b6570032100")[..], key].concat();
    pem_rfc7468::encode_string("PUBLIC KEY", pem_rfc7468::LineEnding::LF, &der).unwrap()
}

#[test]
fn the_program_judges_every_foreign_message() {
    let person = Person::new();
    for case in foreign_cases() {
        match through_program(&case, &person) {
            Ok(payload) => {
                assert_eq!(case.expect, Ok(()), "{}", case.id);
                assert_eq!(hex(&payload), hex(&case.payload), "{}", case.id);
            }
            Err(reason) => assert_eq!(case.expect, Err(reason.as_str()), "{}", case.id),
        }
    }
}

/// Hash envelopes (RFC 9995) with SHA-256, SHA-384 and SHA-512, against what they are the digest of.
#[test]
fn generated_hash_envelopes_verify_beside_their_content() {
    let person = Person::new();
    for case in foreign_hash_envelopes() {
        person.write("envelope", &case.envelope);
        person.write("key.pem", spki_pem(&case.keys[0]));
        let arguments = ["verify", "--untyped", "-p", "./key.pem", "--signature", "envelope"];
        let content = case.detached.unwrap();
        let output = person.brine(arguments).write_stdin(content.clone()).output().unwrap();
        assert!(
            output.status.success() && output.stdout == b"standard input: OK\n",
            "{}: {output:?}",
            case.id
        );
        let other = [&content[..], b"x"].concat();
        let output = person.brine(arguments).write_stdin(other).output().unwrap();
        assert_refused(&output, 1, "content is not what was signed");
        // The digest never comes out as content.
        let output = person.brine(["verify", "-p", "./key.pem", "envelope"]).output().unwrap();
        assert_refused(&output, 2, "the file that it signs was not given");
    }
}

/// Public keys of small order make signatures that are bound to no secret.
#[test]
fn generated_edge_keys_are_refused_when_they_are_loaded() {
    let person = Person::new();
    for case in foreign_edge_cases() {
        let reason = VerifyingKey::from_bytes(&case.keys[0]).unwrap_err().reason();
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
