//! `brinekey trust revoke` and `brinekey trust remove`: what becomes of a key.

use std::process::Output;

use crate::common::{Person, assert_mistyped, assert_refused};

/// Somebody who trusts alice, who has signed `in`.
fn person_who_trusts_alice() -> Person {
    let person = Person::new();
    person.brinekey(["gen", "--no-trust", "signing"]).assert().success();
    let public = person.brinekey(["pub", "signing"]).output().unwrap().stdout;
    person.write("alice.pub", public);
    run_well(&person, "echo hello | brine sign -k signing -o in");
    run_well(&person, "brinekey trust add alice ./alice.pub");
    person
}

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

/// Runs what must succeed, and returns what it says to people.
#[track_caller]
fn run_well(person: &Person, line: &str) -> String {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn trust_file(person: &Person) -> String {
    std::fs::read_to_string(person.home_path("trust.toml")).unwrap()
}

fn fingerprint(person: &Person, key: &str) -> String {
    let output = run(person, &format!("brinekey show --json {key}"));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().next().unwrap_or_default();
    let shown: serde_json::Value = serde_json::from_str(line).unwrap();
    shown["ssh_fingerprint"].as_str().unwrap().to_owned()
}

/// What the hint of a refusal says to type: everything between quotes.
fn hinted(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let hint = stderr.lines().find(|line| line.contains(": hint: ")).unwrap_or_default();
    hint.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn a_revoked_key_is_refused_under_every_name() {
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey trust add laptop ./alice.pub");
    let before = format!("# who may sign what\n\n{}# the end\n", trust_file(&person));
    std::fs::write(person.home_path("trust.toml"), before).unwrap();
    run_well(&person, "brine verify in");
    let said = run_well(&person, "brinekey trust revoke alice --reason 'laptop stolen'");
    assert!(said.contains("\"alice\" and \"laptop\" is refused, as of 20"), "{said}");
    assert!(said.contains(": laptop stolen\n"), "{said}");
    assert!(said.contains("others revoke it with: brinekey trust revoke \"ssh-ed25519 "), "{said}");
    assert!(said.contains("\"signing\" in your key store is this key"), "{said}");
    for line in ["brine verify in", "brine verify -p alice in", "brine verify --signer laptop in"] {
        assert_refused(&run(&person, line), 5, "was revoked at 20");
    }
    let text = trust_file(&person);
    assert!(text.starts_with("# who may sign what\n\n[[signer]]\n"), "{text}");
    assert!(text.ends_with("# the end\n"), "{text}");
    assert_eq!(text.matches("revoked-reason = \"laptop stolen\"\n").count(), 2);
    // Nobody trusts it by mistake again, whatever the name.
    for name in ["alice", "new-laptop"] {
        let line = format!("brinekey trust add {name} ./alice.pub");
        assert_refused(&run(&person, &line), 6, "this key is revoked from 20");
    }
    assert_eq!(trust_file(&person), text);
}

#[test]
fn signers_are_revoked_by_whatever_names_them() {
    let key = |person: &Person| String::from_utf8(person.read("alice.pub")).unwrap();
    let id = |person: &Person| {
        let output = run(person, "brinekey trust list --json");
        let entry: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        entry["key_id"].as_str().unwrap().to_owned()
    };
    for by in ["name", "text", "file", "fingerprint", "bare", "id", "store"] {
        let person = person_who_trusts_alice();
        let named = match by {
            "name" => "alice".to_owned(),
            "text" => key(&person).trim().to_owned(),
            "file" => "./alice.pub".to_owned(),
            "fingerprint" => fingerprint(&person, "alice"),
            "bare" => fingerprint(&person, "alice").replace("SHA256:", ""),
            "id" => id(&person),
            _ => "signing".to_owned(),
        };
        run_well(&person, &format!("brinekey trust revoke '{named}'"));
        assert_refused(&run(&person, "brine verify in"), 5, "alice was revoked");
        assert_eq!(trust_file(&person).matches("[[signer]]").count(), 1, "{by}");
    }
    let person = person_who_trusts_alice();
    let before = trust_file(&person);
    for (named, reason) in [
        ("alicia", "no signer \"alicia\""),
        ("'Alice Smith'", "no signer \"Alice Smith\""),
        ("SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8", "no signer \"SHA256:"),
        ("./missing.pub", "missing.pub"),
        ("alice --key SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8", "with the key SHA256:"),
    ] {
        assert_refused(&run(&person, &format!("brinekey trust revoke {named}")), 6, reason);
        assert_refused(&run(&person, &format!("brinekey trust remove {named}")), 6, reason);
    }
    assert_eq!(hinted(&run(&person, "brinekey trust revoke alise")), ["alice"]);
    assert_eq!(trust_file(&person), before);
}

#[test]
fn a_key_that_nobody_has_trusted_can_be_revoked() {
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey trust remove alice");
    let said = run_well(&person, "brinekey trust revoke ./alice.pub --reason leaked");
    assert!(
        said.contains("no signer had this key; \"alice\" was added to them, to refuse it"),
        "{said}"
    );
    assert_refused(&run(&person, "brine verify in"), 5, "was revoked");
    assert_refused(&run(&person, "brinekey trust add al ./alice.pub"), 6, "this key is revoked");
    // One that is revoked only from next year on is trusted for nothing until then.
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey trust remove alice");
    run_well(&person, "brinekey trust revoke ./alice.pub --at 2999-01-01T00:00:00Z");
    assert_refused(&run(&person, "brine verify in"), 5, "is not trusted for");
    assert_refused(&run(&person, "brinekey trust add al ./alice.pub"), 6, "this key is revoked");
    // It makes the trust file, too.
    let person = Person::new();
    person.brinekey(["gen", "--no-trust"]).assert().success();
    run_well(&person, "brinekey trust revoke default");
    assert_refused(
        &run(&person, "echo x | brine sign | brine verify -p default"),
        5,
        "was revoked",
    );
}

#[test]
fn a_revocation_has_a_time_and_is_never_postponed() {
    let person = person_who_trusts_alice();
    let said = run_well(&person, "brinekey trust revoke alice --at 30d --reason 'leaves us'");
    assert!(said.contains("and believed until then: leaves us"), "{said}");
    run_well(&person, "brine verify in");
    let text = trust_file(&person);
    // What was asked for is not what the file would say.
    let later = run(&person, "brinekey trust revoke alice --at 2999-01-01T00:00:00Z");
    assert_refused(&later, 6, "\"alice\" has been revoked from 20");
    let later = "brinekey trust revoke alice --at 2999-01-01T00:00:00Z --reason x";
    assert_refused(&run(&person, later), 6, "\"alice\" has been revoked from 20");
    assert_eq!(trust_file(&person), text);
    let said = run_well(&person, "brinekey trust revoke alice");
    assert!(said.contains("is refused, as of 20") && said.contains(": leaves us"), "{said}");
    assert_refused(&run(&person, "brine verify in"), 5, "was revoked");
    let text = trust_file(&person);
    let said = run_well(&person, "brinekey trust revoke alice");
    assert!(said.contains("nothing was changed: \"alice\" was revoked before"), "{said}");
    assert_eq!(trust_file(&person), text);
    run_well(&person, "brinekey trust revoke alice --at 2020-01-01T00:00:00Z");
    assert_refused(&run(&person, "brine verify in"), 5, "was revoked at 2020-01-01T00:00:00Z");
    for (option, reason) in [("--at yesterday", "--at"), ("--reason 'a\u{202e}b'", "--reason")] {
        assert_mistyped(&run(&person, &format!("brinekey trust revoke alice {option}")), reason);
    }
}

#[test]
fn a_name_with_two_keys_asks_which() {
    for verb in ["remove", "revoke"] {
        let person = person_who_trusts_alice();
        run_well(&person, "brinekey gen --no-trust second && brinekey trust add alice second");
        let (first, second) = (fingerprint(&person, "./alice.pub"), fingerprint(&person, "second"));
        let before = trust_file(&person);
        let output = run(&person, &format!("brinekey trust {verb} alice"));
        let both = format!("\"alice\" has 2 keys: {first} (trusted), {second} (trusted)");
        assert_refused(&output, 2, &both);
        assert_eq!(trust_file(&person), before);
        let commands = hinted(&output);
        assert_eq!(
            commands,
            [
                format!("brinekey trust {verb} alice --key {first}"),
                format!("brinekey trust {verb} alice --key {second}"),
                format!("brinekey trust {verb} alice --all"),
            ]
        );
        // What the hint says is what works, and on that key alone.
        let said = run_well(&person, &commands[1]);
        let other = format!("another key, {first}, is still trusted as \"alice\"\n");
        assert!(said.contains(&other), "{said}");
        run_well(&person, "brine verify in");
        run_well(&person, "echo x | brine sign -k second -o other");
        let reason = if verb == "remove" { "no trust anchor" } else { "was revoked" };
        assert_refused(&run(&person, "brine verify other"), 5, reason);
        std::fs::write(person.home_path("trust.toml"), before).unwrap();
        run_well(&person, &commands[2]);
        for file in ["in", "other"] {
            assert_refused(&run(&person, &format!("brine verify {file}")), 5, reason);
        }
    }
}

#[test]
fn what_is_hinted_names_the_same_trust_file_again() {
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey gen --no-trust second && mkdir 'my files'");
    for key in ["./alice.pub", "second"] {
        run_well(
            &person,
            &format!("brinekey trust add 'Alice $HOME' {key} --trust 'my files/t.toml'"),
        );
    }
    for verb in ["revoke", "remove", "check"] {
        let line = format!("brinekey trust {verb} 'Alice $HOME' --trust 'my files/t.toml'");
        let output = run(&person, &line);
        assert_refused(&output, 2, "\"Alice $HOME\" has 2 keys");
        let status = if verb == "check" { 5 } else { 0 };
        let typed = run(&person, &hinted(&output)[0]);
        assert_eq!(
            typed.status.code(),
            Some(if verb == "remove" { 6 } else { status }),
            "{typed:?}"
        );
    }
    let text = String::from_utf8(person.read("my files/t.toml")).unwrap();
    assert_eq!((text.matches("[[signer]]").count(), text.matches("revoked-at").count()), (2, 1));
    assert!(!trust_file(&person).contains("revoked-at"), "the default file was not meant");
}

#[test]
fn remove_drops_no_revocation_unless_it_is_forced_to() {
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey trust revoke alice");
    let before = trust_file(&person);
    for named in ["alice", "./alice.pub", "alice --all"] {
        let output = run(&person, &format!("brinekey trust remove {named}"));
        assert_refused(&output, 6, "\"alice\" is revoked from 20");
        assert_eq!(hinted(&output), ["--force"]);
    }
    assert_eq!(trust_file(&person), before);
    run_well(&person, "brinekey trust remove alice --force");
    assert_eq!(trust_file(&person), "");
    run_well(&person, "brinekey trust add alice ./alice.pub");
    run_well(&person, "brine verify in");
    // Another entry that revokes the key as early keeps it revoked.
    run_well(&person, "brinekey trust add laptop ./alice.pub && brinekey trust revoke alice");
    let said = run_well(&person, "brinekey trust remove alice");
    assert!(said.contains("the same key is still revoked as \"laptop\""), "{said}");
    assert!(!said.contains("refuses it"), "{said}");
    assert_refused(&run(&person, "brine verify in"), 5, "was revoked");
}

#[test]
fn remove_says_where_the_key_is_still_trusted() {
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey trust add laptop ./alice.pub --context 'reports/*'");
    run_well(&person, "brinekey gen --no-trust second && brinekey trust add alice second");
    let (first, second) = (fingerprint(&person, "./alice.pub"), fingerprint(&person, "second"));
    let said = run_well(&person, &format!("brinekey trust remove alice --key {first}"));
    for line in [
        format!("brinekey: removed \"alice\" with the key {first}\n"),
        "brinekey: the same key is still trusted as \"laptop\" (only reports/*)\n".to_owned(),
        format!("brinekey: \"brinekey trust revoke {first}\" refuses it under every name\n"),
        format!("brinekey: another key, {second}, is still trusted as \"alice\"\n"),
    ] {
        assert!(said.contains(&line), "{said}: {line}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
    // By its key, it goes from everywhere.
    let said = run_well(&person, "brinekey trust remove ./alice.pub");
    assert_eq!(said, format!("brinekey: removed \"laptop\" with the key {first}\n"));
}

#[test]
fn an_allowed_signers_file_is_not_changed() {
    let person = person_who_trusts_alice();
    let text = format!("alice {}", String::from_utf8(person.read("alice.pub")).unwrap());
    person.write("allowed", &text);
    for line in ["revoke alice", "remove alice", "add bob signing"] {
        let output = run(&person, &format!("brinekey trust {line} --trust allowed"));
        assert_refused(&output, 6, "this is an OpenSSH allowed_signers file");
        assert_eq!(hinted(&output), ["brine verify --revoked FILE"]);
    }
    assert_eq!(person.read("allowed"), text.into_bytes());
}

#[test]
fn changes_are_told_to_programs_in_one_line() {
    let person = person_who_trusts_alice();
    let told = |line: &str| -> serde_json::Value {
        let output = run(&person, line);
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{line}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let names = |value: &serde_json::Value| -> Vec<String> {
        let signers = value.as_array().unwrap().iter();
        signers.map(|signer| format!("{} {}", signer["name"], signer["state"])).collect()
    };
    let added = told("brinekey trust add laptop ./alice.pub --json");
    assert_eq!(
        (&added["schema"], &added["change"]),
        (&"brine.trust-change/1".into(), &"added".into())
    );
    assert_eq!(names(&added["signers"]), ["\"laptop\" \"trusted\""]);
    assert_eq!(names(&added["others"]), ["\"alice\" \"trusted\""]);
    let revoked = told("brinekey trust revoke laptop --json --reason lost");
    assert_eq!(revoked["change"], "revoked");
    assert_eq!(names(&revoked["signers"]), ["\"alice\" \"revoked\"", "\"laptop\" \"revoked\""]);
    assert_eq!(revoked["signers"][0]["revoked_reason"], "lost");
    assert_eq!(told("brinekey trust revoke laptop --json")["change"], "nothing");
    let removed = told("brinekey trust remove laptop --json");
    assert_eq!(removed["change"], "removed");
    assert_eq!(names(&removed["signers"]), ["\"laptop\" \"revoked\""]);
    assert_eq!(names(&removed["others"]), ["\"alice\" \"revoked\""]);
    assert!(removed["file"].as_str().unwrap().ends_with("trust.toml"));
}

#[test]
fn refusals_are_told_to_programs_with_their_reasons() {
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey gen --no-trust second && brinekey trust add alice second");
    run_well(&person, "brinekey trust add laptop ./alice.pub && brinekey trust revoke laptop");
    let before = trust_file(&person);
    let wrong = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8";
    for (line, status, reason) in [
        ("trust remove alice".to_owned(), 2, "several-keys"),
        ("trust revoke alice".to_owned(), 2, "several-keys"),
        ("trust check alice".to_owned(), 2, "several-keys"),
        ("trust check laptop".to_owned(), 5, "signer-revoked"),
        ("trust remove nobody".to_owned(), 6, "trust-no-such-signer"),
        ("trust remove laptop --key nonsense".to_owned(), 2, "usage"),
        ("trust remove ./alice.pub".to_owned(), 6, "trust-revocation-lost"),
        ("trust revoke laptop --at 2999-01-01T00:00Z".to_owned(), 6, "trust-already-revoked"),
        ("trust add desktop ./alice.pub".to_owned(), 6, "trust-key-revoked"),
        ("trust add second second --expect ".to_owned() + wrong, 5, "fingerprint-differs"),
        ("trust list --trust missing.toml".to_owned(), 6, "unreadable"),
        ("show nobody".to_owned(), 6, "no-such-key"),
    ] {
        let output = run(&person, &format!("brinekey {line} --json"));
        assert_eq!(output.status.code(), Some(status), "{line}");
        let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(verdict["schema"], "brine.verdict/1", "{line}");
        assert_eq!((&verdict["reason"], &verdict["status"]), (&reason.into(), &status.into()));
    }
    assert_eq!(trust_file(&person), before);
}

/// What others are to type says the same: from when on the key is refused, and why. It is said once of all copies.
#[test]
fn others_are_told_the_reason_and_the_time() {
    let person = person_who_trusts_alice();
    run_well(&person, "cp \"$BRINE_HOME/keys/signing.pub\" \"$BRINE_HOME/keys/copy.pub\"");
    let at = "--at 2020-01-01T00:00:00Z";
    let said =
        run_well(&person, &format!("brinekey trust revoke alice --reason \"Bob's loss\" {at}"));
    let line = said.lines().find_map(|line| line.split_once("others revoke it with: "));
    let (_, line) = line.unwrap();
    assert!(line.ends_with(&format!("\" --reason 'Bob'\\''s loss' {at}")), "{line}");
    assert_eq!(said.matches("in your key store").count(), 1, "{said}");
    assert!(said.contains("\"copy\" and \"signing\" in your key store are this key"), "{said}");
    // Somebody else types it.
    let other = Person::with_key();
    let theirs = run_well(&other, line);
    assert!(theirs.contains("is refused, as of 2020-01-01T00:00:00Z: Bob's loss\n"), "{theirs}");
}

/// A name can be chosen by somebody who wants another key to be hit.
#[test]
fn a_fingerprint_means_its_key_whatever_others_are_called() {
    let person = person_who_trusts_alice();
    run_well(&person, "brinekey gen other --no-passphrase");
    let show = "$(brinekey show ./alice.pub --json | sed 's/.*\"ssh_fingerprint\":\"\\([^\"]*\\)\".*/\\1/')";
    let output = run(&person, &format!("brinekey trust add \"{show}\" other"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a fingerprint is no name"), "{said}");
    // Somebody wrote it into the file.
    let line = format!(
        "sed -i \"s|^name = \\\"other\\\"|name = \\\"{show}\\\"|\" \"$BRINE_HOME/trust.toml\""
    );
    run_well(&person, &line);
    run_well(&person, &format!("brinekey trust revoke \"{show}\""));
    let output = run(&person, "brinekey trust check ./alice.pub");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    run_well(&person, "brinekey trust check \"$BRINE_HOME/keys/other.pub\"");
}
