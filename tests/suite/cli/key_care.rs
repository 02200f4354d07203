//! `brinekey rename` and `remove`, and keys from standard input.

use std::fs;
use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

/// Returns what was said on standard error.
#[track_caller]
fn done(person: &Person, line: &str) -> String {
    let output = run(person, line);
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn keys(person: &Person) -> Vec<String> {
    let entries = fs::read_dir(person.home_path("keys")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn rename_moves_both_halves_and_says_what_the_trust_file_still_calls_it() {
    let person = Person::with_key();
    let before = fs::read(person.home_path("keys/default.key")).unwrap();
    let said = done(&person, "brinekey rename default alice");
    assert_eq!(keys(&person), ["alice.key", "alice.pub"]);
    assert_eq!(fs::read(person.home_path("keys/alice.key")).unwrap(), before);
    let public = fs::read_to_string(person.home_path("keys/alice.pub")).unwrap();
    assert!(public.ends_with(" alice\n"), "{public}");
    for line in [
        "brinekey: \"default\" is \"alice\" now\n",
        "\"brine sign\" needs \"-k alice\" for it\n",
        "the trust file still calls it \"default\": \"brinekey trust add alice alice\", then \
         \"brinekey trust remove default\"\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let signed = "echo x | brine sign -k alice > env";
    done(&person, &format!("{signed}; brine verify --signer default env"));
    done(&person, "brinekey trust add alice alice; brinekey trust remove default");
    done(&person, "brine verify --signer alice env");
}

/// A comment that somebody wrote is theirs, and limits are not lost by what is to be typed.
#[test]
fn rename_keeps_other_comments_and_the_limits_of_trust() {
    let person = Person::new();
    done(&person, "brinekey gen old --no-trust; brinekey trust add old old --context a");
    let path = person.home_path("keys/old.pub");
    let public = fs::read_to_string(&path).unwrap().replace(" old\n", " my laptop\n");
    fs::write(&path, &public).unwrap();
    let said = done(&person, "brinekey rename old new");
    assert_eq!(fs::read_to_string(person.home_path("keys/new.pub")).unwrap(), public);
    assert!(said.contains("change \"name\" in \"") && said.contains("its limits stay"), "{said}");
}

#[test]
fn rename_overwrites_neither_half_and_finds_similar_names() {
    let person = Person::with_key();
    done(&person, "brinekey gen other --no-trust; rm \"$BRINE_HOME/keys/other.key\"");
    let before = keys(&person);
    let refused = [
        ("brinekey rename default other", 4, "other.pub\" exists already"),
        ("brinekey rename default default", 4, "exists already"),
        ("brinekey rename defualt new", 6, "no key named \"defualt\""),
        ("brinekey rename default ../new", 2, "is not a key name"),
    ];
    for (line, status, reason) in refused {
        assert_refused(&run(&person, line), status, reason);
        assert_eq!(keys(&person), before, "{line}");
    }
    // The public half cannot be made: the private one keeps its name, and only that.
    done(&person, "rm \"$BRINE_HOME/keys/default.pub\"; mkdir \"$BRINE_HOME/keys/default.pub\"");
    let before = keys(&person);
    assert_refused(&run(&person, "brinekey rename default new"), 6, "default.pub\": ");
    assert_eq!(keys(&person), before);
}

#[test]
fn remove_needs_force_without_a_terminal_and_leaves_trust_alone() {
    let person = Person::with_key();
    done(&person, "echo x | brine sign > env");
    let output = run(&person, "brinekey remove default");
    assert_refused(&output, 2, "there is no terminal to ask whether to remove the key \"default\"");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("hint: \"brinekey remove --force default\""), "{said}");
    assert_eq!(keys(&person), ["default.key", "default.pub"]);
    let said = done(&person, "brinekey remove --force default");
    assert!(said.contains("what it has signed is believed as before"), "{said}");
    let (_, hint) = said.split_once("still has it: \"").unwrap();
    assert!(keys(&person).is_empty());
    done(&person, "brine verify env");
    done(&person, hint.split_once('"').unwrap().0);
    assert_refused(&run(&person, "brine verify env"), 5, "was revoked");
    assert_refused(&run(&person, "brinekey remove -f default"), 6, "no key named \"default\"");
    done(&person, "brinekey gen --no-trust");
    let output = run(&person, "brinekey remove -f default --json");
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["name"], &line["private"]), (&"default".into(), &true.into()));
}

/// To revoke the key then would be to revoke the one that is kept. A link and a public half sign nothing alone.
#[test]
fn remove_says_where_the_same_key_still_is_and_has_nobody_revoke_it() {
    let person = Person::with_key();
    let no_keys = Person::new();
    let said = done(&no_keys, "mkdir -p \"$BRINE_HOME/keys\"; brinekey list");
    assert!(said.ends_with("/keys\"; \"brinekey gen\" makes one\n"), "{said}");
    assert_eq!(done(&no_keys, "brinekey list --json"), "");
    let said = done(&person, "brinekey import spare \"$BRINE_HOME/keys/default.key\"");
    assert!(!said.contains("trust file does not have it"), "{said}");
    let said =
        done(&no_keys, &format!("brinekey import a {:?}", person.home_path("keys/default.key")));
    let untrusted = "the trust file does not have it: \"brinekey trust add a a\" trusts it\n";
    assert!(said.ends_with(untrusted), "{said}");
    done(&person, "brinekey import other \"$BRINE_HOME/keys/default.key\"");
    done(
        &person,
        "cd \"$BRINE_HOME/keys\"; ln -s spare.key link.key; cp spare.pub link.pub; cp spare.pub half.pub",
    );
    let said = done(&person, "brinekey remove -f spare");
    let still = "brinekey: the same key is still here as \"default\" and \"other\"\n";
    assert!(said.contains(still) && !said.contains("revoke"), "{said}");
    assert!(done(&person, "brinekey remove -f other").contains("is still here as \"default\"\n"));
    let said = done(&person, "brinekey remove -f default");
    assert!(
        !said.contains("still here") && said.contains("brinekey trust revoke SHA256:"),
        "{said}"
    );
}

/// A directory in the place of the public half cannot be removed like a file.
#[test]
fn remove_takes_both_halves_or_neither() {
    let person = Person::with_key();
    done(&person, "rm \"$BRINE_HOME/keys/default.pub\"; mkdir \"$BRINE_HOME/keys/default.pub\"");
    assert_refused(&run(&person, "brinekey remove -f default"), 4, "default.pub\": ");
    assert_eq!(keys(&person), ["default.key", "default.pub"]);
}

#[test]
fn a_key_from_standard_input_signs_and_only_the_key_comes_from_there() {
    let person = Person::with_key();
    person.write("in", "x");
    person.write("pass", "secret");
    let key = "\"$BRINE_HOME/keys/default.key\"";
    for line in [
        format!("brine sign -k - in -o out < {key}; brine verify out"),
        format!("cat {key} | brine sign -k - in -o out; brine verify out"),
        "brinekey gen locked --passphrase-file pass; brine sign -k - --passphrase-file pass in -o out \
         < \"$BRINE_HOME/keys/locked.key\"; brine verify --signer locked out"
            .to_owned(),
    ] {
        done(&person, &line);
    }
    for (options, one, other) in [
        ("", "data", "private key"),
        ("-", "data", "private key"),
        ("--passphrase-fd 0 in", "private key", "passphrase"),
        ("--passphrase-file /dev/stdin in", "private key", "passphrase"),
        ("--aad /dev/stdin in", "private key", "external data"),
    ] {
        for name in ["-", "/dev/stdin"] {
            let output = run(&person, &format!("brine sign -k {name} {options} < {key}"));
            let reason = format!("standard input cannot be both the {one} and the {other}");
            assert_refused(&output, 2, &reason);
        }
    }
    let output = run(&person, &format!("chmod 644 {key}; brine sign -k - in < {key}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("default.key\" is a private key, and others may read it"), "{said}");
    assert_refused(&run(&person, "brine sign -k - in < in"), 6, "not a key in any known form");
}
