//! Fingerprints: the same, and whole, wherever a key is shown.

use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

#[track_caller]
fn run_well(person: &Person, line: &str) -> String {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn key_line(person: &Person, name: &str) -> serde_json::Value {
    let output = run(person, &format!("brinekey show {name} --json"));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// In groups of four, with a blank between.
fn grouped(text: &str) -> String {
    let groups: Vec<_> =
        text.as_bytes().chunks(4).map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(" ")
}

#[test]
fn both_ends_see_the_same_fingerprint_whole_and_in_groups() {
    let (signer, verifier) = (Person::new(), Person::new());
    let made = run_well(&signer, "brinekey gen alice");
    let public = signer.brinekey(["pub", "alice"]).output().unwrap().stdout;
    verifier.write("alice.pub", &public);
    let added = run_well(&verifier, "brinekey trust add alice ./alice.pub");
    let own = run_well(&signer, "brinekey show alice");
    let theirs = run_well(&verifier, "brinekey show alice");
    let file = run_well(&verifier, "brinekey show ./alice.pub");
    let listed = run_well(&verifier, "brinekey trust list");
    let imported = run_well(&signer, "brinekey import copy \"$BRINE_HOME/keys/alice.key\"");
    let key = key_line(&signer, "alice");
    let whole = key["ssh_fingerprint"].as_str().unwrap();
    let in_groups = grouped(whole.trim_start_matches("SHA256:"));
    for page in [&made, &added, &own, &theirs, &file, &imported] {
        assert!(page.contains(whole) && page.contains(&in_groups), "{page}: {whole}");
    }
    assert!(listed.contains(whole), "{listed}");
    let id = key["key_id"].as_str().unwrap();
    for page in [&own, &theirs, &file] {
        assert!(page.contains(id) && page.contains(&grouped(id)), "{page}");
    }
}

#[test]
fn add_takes_the_key_that_was_expected_however_it_was_retyped() {
    let person = Person::with_key();
    let key = key_line(&person, "default");
    let (ssh, id) = (key["ssh_fingerprint"].as_str().unwrap(), key["key_id"].as_str().unwrap());
    let bare = ssh.trim_start_matches("SHA256:");
    for (number, told) in [
        ssh.to_owned(),
        bare.to_owned(),
        grouped(bare),
        grouped(bare).replace(' ', "-"),
        format!(" SHA256: {}", grouped(bare).replace(' ', "  ")),
        id.to_owned(),
        id.to_uppercase(),
        grouped(id),
        grouped(id).replace(' ', "-"),
    ]
    .into_iter()
    .enumerate()
    {
        let said =
            run_well(&person, &format!("brinekey trust add n{number} default --expect '{told}'"));
        assert!(!said.contains("compare it"), "{said}");
    }
    assert!(run_well(&person, "brinekey trust add x default").contains("compare it, all of it"));
}

#[test]
fn add_refuses_another_key_than_the_one_that_was_expected() {
    let person = Person::with_key();
    run_well(&person, "brinekey gen --no-trust other");
    let (mine, other) = (key_line(&person, "default"), key_line(&person, "other"));
    let before = std::fs::read(person.home_path("trust.toml")).unwrap();
    for form in ["ssh_fingerprint", "key_id"] {
        let (found, expected) = (mine[form].as_str().unwrap(), other[form].as_str().unwrap());
        let output = run(&person, &format!("brinekey trust add x default --expect {expected}"));
        assert_refused(&output, 5, &format!("its fingerprint is {found}, not {expected}"));
        let hint = String::from_utf8(output.stderr).unwrap();
        assert!(hint.contains("hint: do not use it: ask its owner for the key again"), "{hint}");
    }
    // The right one with a character wrong.
    let right = mine["key_id"].as_str().unwrap();
    let (first, rest) = right.split_at(1);
    let wrong = if first == "0" { format!("1{rest}") } else { format!("0{rest}") };
    let output = run(&person, &format!("brinekey trust add x default --expect {wrong}"));
    assert_refused(&output, 5, "another key than expected");
    assert_eq!(std::fs::read(person.home_path("trust.toml")).unwrap(), before);
}

#[test]
fn a_part_of_a_fingerprint_is_not_compared() {
    let person = Person::with_key();
    let key = key_line(&person, "default");
    let (ssh, id) = (key["ssh_fingerprint"].as_str().unwrap(), key["key_id"].as_str().unwrap());
    let before = std::fs::read(person.home_path("trust.toml")).unwrap();
    for part in [&ssh[..20], &ssh[..ssh.len() - 1], &id[..63], &id[..8], "", "SHA256:", "MD5:00:11"]
    {
        let output = run(&person, &format!("brinekey trust add x default --expect '{part}'"));
        assert_eq!(output.status.code(), Some(2), "{part}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let expected =
            if part.starts_with("MD5") { "can be imitated" } else { "a whole fingerprint" };
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(std::fs::read(person.home_path("trust.toml")).unwrap(), before);
}

#[test]
fn show_finds_a_trusted_signer_and_says_whose_key_it_is() {
    let (signer, verifier) = (Person::with_key(), Person::with_key());
    let public = signer.brinekey(["pub"]).output().unwrap().stdout;
    verifier.write("alice.pub", &public);
    run_well(&verifier, "brinekey trust add alice ./alice.pub --context 'reports/*'");
    let page = run_well(&verifier, "brinekey show alice");
    assert!(
        page.starts_with("signer      alice (a trusted signer, and no key of yours)\n"),
        "{page}"
    );
    assert!(page.ends_with("trust       trusted  only reports/*\n"), "{page}");
    assert_eq!(key_line(&verifier, "alice")["schema"], "brine.signer/1");
    assert_eq!(key_line(&verifier, "default")["schema"], "brine.key/1");
    let page = run_well(&verifier, "brinekey show default");
    assert!(page.starts_with("key         default\n"), "{page}");
    assert!(page.ends_with("trust       as default: trusted\n"), "{page}");
    // Both have the name: both are shown, one's own key first.
    run_well(&verifier, "brinekey gen --no-trust alice");
    let page = run_well(&verifier, "brinekey show alice");
    let (own, theirs) = page.split_once("\n\n").unwrap();
    assert!(own.starts_with("key         alice\n"), "{page}");
    assert!(own.ends_with("trust       not in the trust file"), "{page}");
    assert!(
        theirs.starts_with("signer      alice (a trusted signer with another key)\n"),
        "{page}"
    );
    let whole = key_line(&signer, "default");
    assert!(theirs.contains(whole["ssh_fingerprint"].as_str().unwrap()), "{page}");
    let output = run(&verifier, "brinekey show alice --json");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}

#[test]
fn show_says_how_a_signer_stands_and_whom_else_might_be_meant() {
    let (signer, verifier) = (Person::with_key(), Person::new());
    let public = signer.brinekey(["pub"]).output().unwrap().stdout;
    verifier.write("alice.pub", &public);
    assert_refused(&run(&verifier, "brinekey show alice"), 6, "no key named \"alice\"");
    run_well(&verifier, "brinekey trust add alice ./alice.pub");
    run_well(&verifier, "brinekey trust revoke alice --reason lost");
    let page = run_well(&verifier, "brinekey show alice");
    assert!(page.contains("trust       revoked  since 20") && page.contains(": lost\n"), "{page}");
    let fingerprint = key_line(&signer, "default")["ssh_fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(run_well(&verifier, &format!("brinekey show {fingerprint}")), page);
    let output = run(&verifier, "brinekey show alise");
    assert_refused(&output, 6, "nobody called \"alise\" is trusted");
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean \"alice\"?"));
    // One's own key can be seen while the trust file is broken; a signer cannot.
    run_well(&verifier, "brinekey gen --no-trust mine && echo broken > \"$BRINE_HOME/trust.toml\"");
    let page = run_well(&verifier, "brinekey show mine");
    assert!(page.contains("warning: ") && page.contains("trust.toml"), "{page}");
    assert_refused(&run(&verifier, "brinekey show alice"), 6, "trust.toml");
}

/// What is listed here and there can be compared.
#[test]
fn both_lists_show_the_same_fingerprint_whole() {
    let person = Person::with_key();
    let listed = |line: &str| {
        let output = run(&person, line);
        String::from_utf8(output.stdout).unwrap()
    };
    let (keys, signers) = (listed("brinekey list"), listed("brinekey trust list"));
    let fingerprint = keys.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap();
    assert_eq!(fingerprint.len(), "SHA256:".len() + 43, "{keys}");
    assert!(signers.contains(fingerprint), "{keys}{signers}");
}
