//! Envelopes of several signers, and rules that need them.

use serde_json::Value;

use crate::common::Person;

/// A person with three keys, who trusts them, and needs two of them for releases.
fn with_rule() -> Person {
    let person = Person::new();
    for name in ["alice", "bob", "carol"] {
        person.brinekey(["gen", name, "--no-passphrase"]).assert().success();
    }
    let rule = "\n[groups]\nrelease = [\"alice\", \"bob\", \"carol\"]\n\n[[rule]]\ncontexts = [\"release/*\"]\n\
                require = 2\nof = [\"@release\"]\n";
    let file = person.home_path("trust.toml");
    let text = std::fs::read_to_string(&file).unwrap() + rule;
    std::fs::write(file, text).unwrap();
    person.write("f", "payload");
    person
}

fn run(person: &Person, line: &str) {
    person.shell(line).assert().success();
}

fn refused(person: &Person, line: &str, status: i32, reason: &str) {
    let output = person.shell(line).output().unwrap();
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    let found = (output.status.code(), verdict["reason"].as_str(), output.stdout.len());
    assert_eq!(found, (Some(status), Some(reason), 0), "{line}: {verdict}");
}

#[test]
fn two_of_three_release() {
    let person = with_rule();
    run(
        &person,
        "brine sign -k alice -k bob -c release/1 f > two && brine verify -c release/1 two | cmp - f",
    );
    run(
        &person,
        "brine sign -k alice -c release/1 f > one && brine sign -k alice -c other f > other",
    );
    refused(&person, "brine verify --json -c release/1 one", 5, "too-few-signers");
    // Other contexts need one.
    run(&person, "brine verify -c other other | cmp - f");
    refused(&person, "brine verify --json -c other --require 2 other", 5, "too-few-signers");
    refused(&person, "brine verify --json -c release/1 --require 3 two", 5, "too-few-signers");
    refused(&person, "brine verify --json -c release/1 --signer carol two", 5, "wrong-signer");
    run(&person, "brine verify -c release/1 --signer bob --signer alice two | cmp - f");
    // A key that is named is no way around a rule.
    refused(&person, "brine verify --json -c release/1 -p alice one", 5, "too-few-signers");
    let verdict =
        person.shell("brine verify --json -c release/1 two > /dev/null").output().unwrap().stderr;
    let verdict: Value = serde_json::from_slice(&verdict).unwrap();
    let names: Vec<_> =
        verdict["signers"].as_array().unwrap().iter().map(|signer| &signer["name"]).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!((&verdict["signer"], &verdict["verdict"]), (&"alice".into(), &"verified".into()));
}

#[test]
fn a_cosigner_verifies_first_and_adds_one() {
    let person = with_rule();
    run(&person, "brine sign --cosignable -k alice -c release/1 f > one");
    refused(&person, "brine verify --json -c release/1 one", 5, "too-few-signers");
    run(
        &person,
        "brine cosign -k bob -c release/1 --signer alice < one > two && brine verify -c release/1 two | cmp - f",
    );
    let twice = person.shell("brine cosign -k bob -c release/1 two").output().unwrap();
    assert_eq!((twice.status.code(), twice.stdout.len()), (Some(6), 0), "{twice:?}");
    let text = String::from_utf8(twice.stderr).unwrap();
    assert!(text.contains("this key signed it already"), "{text}");
    for (line, status, what) in [
        ("brine cosign -k bob one", 5, "context"),
        ("brine cosign -k bob -c release/1 --signer carol one", 5, "carol"),
        ("brine cosign -k bob -c release/1 --job one", 3, "job"),
        (
            "brine sign -k alice -c release/1 f | brine cosign -k bob -c release/1",
            6,
            "one signer alone",
        ),
        ("head -c 100 one | brine cosign -k bob -c release/1", 1, "cut short"),
        ("brine cosign -k nobody -c release/1 one", 6, "no key named"),
        ("brine cosign -k bob -c release/1 one -o one", 2, "same file"),
    ] {
        let output = person.shell(line).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{line}: {text}");
        assert!(text.contains(what) && output.stdout.is_empty(), "{line}: {text}");
    }
    let said = person.shell("brine cosign --json -k bob -c release/1 one -o two").output().unwrap();
    crate::schema::check_lines(&said.stderr);
    let said: Value = serde_json::from_slice(&said.stderr).unwrap();
    let found = ["schema", "file", "output", "key", "kind"].map(|member| said[member].as_str());
    assert_eq!(found, ["brine.signed/1", "one", "two", "bob", "data"].map(Some));
    assert_eq!((&said["context"][0], &said["payload_bytes"]), (&"release/1".into(), &7.into()));
    // What is text stays text.
    run(&person, "brine sign --armor --cosignable -k alice -c release/1 f > text");
    run(
        &person,
        "brine cosign -k carol -c release/1 text -o both && head -n 1 both | grep -q BEGIN",
    );
    run(&person, "brine verify -c release/1 both | cmp - f");
}

#[test]
fn files_of_any_size_are_signed_beside_them() {
    let person = with_rule();
    run(&person, "yes | head -c 6000000 > big");
    for file in ["f", "big"] {
        run(&person, &format!("brine sign -d --cosignable -k alice -c release/1 {file}"));
        let few = format!("brine verify --json -d -c release/1 {file}");
        refused(&person, &few, 5, "too-few-signers");
        run(&person, &format!("brine cosign -d -k carol -c release/1 {file}"));
        run(&person, &format!("brine verify -d -c release/1 {file}"));
        run(
            &person,
            &format!(
                "brine sign -d -f -k bob -k carol -c release/1 {file} && brine verify -d -c release/1 {file}"
            ),
        );
        run(&person, &format!("printf x >> {file}"));
        let other = person.shell(&format!("brine verify -d -c release/1 {file}")).output().unwrap();
        assert_eq!(other.status.code(), Some(1), "{other:?}");
    }
}

/// What is cosigned is what was verified: content is read once, also where it can be read again.
#[test]
fn content_is_read_once_where_it_is_cosigned() {
    let person = with_rule();
    run(
        &person,
        "brine sign -d --cosignable -k alice -c other f && cp f.sig pipe.sig && mkfifo pipe",
    );
    run(&person, "(cat f > pipe) & brine cosign -d -k bob -c other pipe && wait");
    run(&person, "cp pipe.sig f.sig && brine verify -d -c other --require 2 f");
}

/// The rule of a context is for whatever is signed for it.
#[test]
fn a_rule_holds_for_streams_records_and_jobs() {
    let person = with_rule();
    run(&person, "yes | head -c 3000000 | brine sign -k alice -c release/1 > stream");
    refused(&person, "brine verify --json -c release/1 stream", 5, "too-few-signers");
    let records = person.shell("printf 'a\\nb\\n' | brine sign --lines -k alice -c release/1 | brine verify --lines -c release/1 --json");
    let mut records = records;
    let output = records.output().unwrap();
    let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((verdict["reasons"]["too-few-signers"].as_u64(), output.stdout.len()), (Some(1), 0));
    run(
        &person,
        "echo 'echo ran' | brine sign --job -k alice -c release/1 > one; echo 'echo ran' | brine sign --job -k alice -k bob -c release/1 > two",
    );
    refused(&person, "brine run --json -c release/1 one -- sh", 5, "too-few-signers");
    let run_two = person.shell("brine run -c release/1 two -- sh").output().unwrap();
    assert_eq!(run_two.stdout, b"ran\n", "{run_two:?}");
}

#[test]
fn signatures_that_are_needed_cannot_be_left_out() {
    let person = with_rule();
    run(
        &person,
        "brine sign --needs-all -k alice -k bob -c release/1 f > both && brine verify -c release/1 both | cmp - f",
    );
    refused(
        &person,
        "brine verify --json -c release/1 -p alice -p carol both",
        5,
        "too-few-signers",
    );
    run(&person, "brine sign --needs-all -k alice -k bob f > both");
    refused(&person, "brine verify --json -p alice both", 5, "signer-missing");
}

#[test]
fn what_cannot_be_meant_is_said() {
    let person = with_rule();
    for (line, what) in [
        ("printf 'a\\n' | brine sign --lines -k alice -k bob", "one key"),
        ("printf 'a\\n' | brine sign --lines --cosignable", "--cosignable"),
        ("brine sign --needs-all --plain f", "--plain"),
        ("brine verify --require 0 f", "--require"),
    ] {
        let output = person.shell(line).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{line}: {text}");
        assert!(text.contains(what), "{line}: {text}");
    }
    for (rule, line) in
        [("[[rule]]\nrequire = 17\n", "require"), ("[[rule]]\nrequire = 1\nof = ['@x']\n", "group")]
    {
        person.write("trust.toml", rule);
        let output = person
            .shell("brine sign -k alice f | brine verify --trust ./trust.toml")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{text}");
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn all_of_it_is_shown() {
    let person = with_rule();
    run(&person, "brine sign -k alice -k bob -c release/1 f > both");
    let output = person.shell("brine inspect both").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.starts_with("nothing below has been verified"),
        "{text}"
    );
    assert!(text.contains("COSE_Sign, ") && text.contains("release/1"), "{text}");
    assert_eq!(text.matches("signer        key id ").count(), 2, "{text}");
}
