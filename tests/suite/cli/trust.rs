//! Whom `brine verify` believes, and `brinekey trust`.

use crate::common::{Person, assert_refused};

/// Somebody who signs, and somebody who knows their public key.
fn signer_and_verifier() -> (Person, Person) {
    let (signer, verifier) = (Person::with_key(), Person::with_key());
    let public = signer.brinekey(["pub"]).output().unwrap().stdout;
    verifier.write("alice.pub", public);
    (signer, verifier)
}

fn run(person: &Person, line: &str) -> std::process::Output {
    person.shell(line).output().unwrap()
}

#[test]
fn a_signer_is_believed_after_being_added_and_not_after_being_removed() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    assert_refused(&run(&verifier, "brine verify in"), 5, "no trust anchor");
    assert!(run(&verifier, "brinekey trust add alice ./alice.pub").status.success());
    assert!(run(&verifier, "brine verify --signer alice in").status.success());
    assert_refused(&run(&verifier, "brinekey trust add alice ./alice.pub"), 6, "already");
    assert!(run(&verifier, "brinekey trust remove alice").status.success());
    assert_refused(&run(&verifier, "brine verify in"), 5, "no trust anchor");
    assert_refused(&run(&verifier, "brinekey trust remove alice"), 6, "no signer \"alice\"");
}

#[test]
fn contexts_of_an_entry_limit_what_its_key_may_sign() {
    let (signer, verifier) = signer_and_verifier();
    assert!(
        run(&verifier, "brinekey trust add alice alice.pub --context 'reports/*'").status.success()
    );
    for (context, status) in [("reports/daily", 0), ("reports/a/b", 5), ("jobs", 5)] {
        verifier.write("in", signer.sign(["--context", context], b"x"));
        let output = run(&verifier, &format!("brine verify --context {context} in"));
        assert_eq!(output.status.code(), Some(status), "{context}");
        let check = run(&verifier, &format!("brinekey trust check alice.pub --context {context}"));
        assert_eq!(check.status.code(), Some(status), "{context}");
    }
    verifier.write("in", signer.sign([], b"x"));
    assert_refused(
        &run(&verifier, "brine verify in"),
        5,
        "alice is not trusted for signatures without a context",
    );
}

#[test]
fn windows_and_revocations_of_an_entry_are_judged_now() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    let key = String::from_utf8(verifier.read("alice.pub")).unwrap();
    let entry =
        |more: &str| format!("[[signer]]\nname = \"alice\"\nkey = \"{}\"\n{more}\n", key.trim());
    for (more, reason) in [
        ("not-before = 2999-01-01T00:00:00Z", "alice is not trusted before 2999"),
        ("not-after = 2020-01-01T00:00:00Z", "alice has not been trusted since 2020"),
        (
            "revoked-at = 2020-01-01T00:00:00Z\nrevoked-reason = \"laptop stolen\"",
            "was revoked at 2020-01-01T00:00:00Z: laptop stolen",
        ),
    ] {
        verifier.write("trust.toml", entry(more));
        assert_refused(&run(&verifier, "brine verify --trust trust.toml in"), 5, reason);
        assert_refused(
            &run(&verifier, "brinekey trust check --trust trust.toml alice.pub"),
            5,
            reason,
        );
    }
    // A good entry for the same key does not make up for a revoked one.
    verifier.write("trust.toml", entry("revoked-at = 2020-01-01T00:00:00Z") + &entry(""));
    assert_refused(&run(&verifier, "brine verify --trust trust.toml in"), 5, "was revoked");
}

#[test]
fn naming_a_signer_is_no_way_around_the_trust_file() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    assert!(
        run(&verifier, "brinekey trust add alice alice.pub --context reports").status.success()
    );
    assert_refused(&run(&verifier, "brine verify -p alice in"), 5, "is not trusted for");
    assert!(
        run(&verifier, "brine verify -p alice.pub in").status.success(),
        "a key alone has no limits"
    );
}

#[test]
fn naming_a_signer_does_not_undo_a_revocation_under_another_name() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    let key = String::from_utf8(verifier.read("alice.pub")).unwrap();
    let entry = |name: &str, more: &str| {
        format!("[[signer]]\nname = \"{name}\"\nkey = \"{}\"\n{more}\n", key.trim())
    };
    let text = entry("alice", "") + &entry("alice-laptop", "revoked-at = 2020-01-01T00:00:00Z");
    verifier.write("t.toml", text);
    assert!(run(&verifier, "cp t.toml \"$BRINE_HOME/trust.toml\"").status.success());
    assert_refused(&run(&verifier, "brine verify -p alice in"), 5, "was revoked");
    assert_refused(&run(&verifier, "brine verify --trust t.toml -p alice in"), 5, "was revoked");
}

#[test]
fn a_key_given_whole_owes_nothing_to_the_default_trust_file() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    assert!(run(&verifier, "echo broken > \"$BRINE_HOME/trust.toml\"").status.success());
    assert!(run(&verifier, "brine verify -p ./alice.pub in").status.success());
    assert_refused(&run(&verifier, "brine verify -p default in"), 6, "trust.toml");
    assert_refused(&run(&verifier, "brine verify in"), 6, "trust.toml");
}

#[test]
fn keys_and_files_that_are_named_replace_the_default_trust_file() {
    let (signer, verifier) = signer_and_verifier();
    verifier.shell("echo mine | brine sign > mine").assert().success();
    assert!(run(&verifier, "brine verify mine").status.success());
    assert_refused(&run(&verifier, "brine verify -p ./alice.pub mine"), 5, "no trust anchor");
    verifier.write("none.toml", "");
    assert_refused(&run(&verifier, "brine verify --trust none.toml mine"), 5, "no trust anchor");
    verifier.write("hers", signer.sign([], b"x"));
    for envelope in ["hers", "mine"] {
        let line = format!("brine verify -p ./alice.pub -p default {envelope}");
        assert!(run(&verifier, &line).status.success(), "{envelope}");
    }
}

#[test]
fn allowed_signers_files_are_read_as_openssh_reads_them() {
    let (signer, verifier) = signer_and_verifier();
    let key = String::from_utf8(verifier.read("alice.pub")).unwrap();
    verifier.write("in", signer.sign(["--context", "git"], b"x"));
    for (options, status, reason) in [
        ("", 0, ""),
        ("namespaces=\"file,git\" ", 0, ""),
        ("namespaces=\"file\" ", 5, "is not trusted for context \"git\""),
        ("valid-after=\"29990101Z\" ", 5, "is not trusted before 2999"),
        ("valid-before=\"20200101Z\" ", 5, "has not been trusted since 2020"),
    ] {
        verifier.write("allowed", format!("# people\n*@example.org {options}{key}"));
        let output =
            run(&verifier, "brine verify --trust allowed --context git --signer a@example.org in");
        if status == 0 {
            assert!(output.status.success(), "{options}: {output:?}");
        } else {
            assert_refused(&output, status, reason);
        }
    }
    let output =
        run(&verifier, "brine verify --trust allowed --context git --signer a@example.com in");
    assert_refused(&output, 5, "not by a@example.com");
    verifier.write("allowed", format!("*@example.org {key}"));
    verifier.write("revoked", key);
    let output = run(&verifier, "brine verify --trust allowed --revoked revoked --context git in");
    assert_refused(&output, 5, "was revoked");
}

#[test]
fn a_trust_file_that_cannot_be_read_is_status_6_and_never_empty() {
    let person = Person::with_key();
    person.write("in", person.sign([], b"x"));
    for (text, reason) in [
        ("[[signer]]\nname = \"a\"\n", "key is missing"),
        ("[[signer]\n", "line 1"),
        ("[[signer]]\nname = \"a\"\nkey = \"ssh-ed25519 AAAA\"\n", "line 3"),
        ("[[signer]]\nnmae = \"a\"\n", "nmae"),
    ] {
        person.write("bad.toml", text);
        assert_refused(&run(&person, "brine verify --trust bad.toml in"), 6, reason);
        let before = person.read("bad.toml");
        assert_refused(&run(&person, "brinekey trust add x default --trust bad.toml"), 6, reason);
        assert_eq!(person.read("bad.toml"), before);
    }
    assert_refused(&run(&person, "brine verify --trust missing.toml in"), 6, "No such file");
    assert_refused(&run(&person, "brine verify --revoked missing in"), 6, "No such file");
}

#[test]
fn comments_in_the_trust_file_survive() {
    let person = Person::with_key();
    let comment = "# who may sign what\n\n";
    person.write("t.toml", comment);
    assert!(run(&person, "brinekey trust add a default --trust t.toml").status.success());
    assert!(String::from_utf8(person.read("t.toml")).unwrap().starts_with(comment));
    assert!(run(&person, "brinekey trust remove a --trust t.toml").status.success());
    assert_eq!(person.read("t.toml"), comment.as_bytes());
}

#[test]
fn many_writers_at_once_lose_nobody() {
    let person = Person::with_key();
    let line = "for i in 1 2 3 4 5 6 7 8 9 10; do brinekey trust add signer$i default 2>/dev/null & done; wait; \
                brinekey trust list | wc -l";
    let output = run(&person, line);
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "11");
}

#[test]
fn trust_list_says_what_each_entry_allows() {
    let person = Person::with_key();
    let add = "brinekey trust add bob default --context 'a/*' --not-after 2030-01-01T00:00:00Z";
    assert!(run(&person, add).status.success());
    let text = String::from_utf8(run(&person, "brinekey trust list").stdout).unwrap();
    assert!(text.contains("only a/*  until 2030-01-01T00:00:00Z"), "{text}");
    let json = String::from_utf8(run(&person, "brinekey trust list --json").stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(last["contexts"], serde_json::json!(["a/*"]));
}

#[test]
fn trust_list_is_aligned_and_says_how_each_entry_stands() {
    let person = Person::with_key();
    let key = |name: &str| {
        assert!(run(&person, &format!("brinekey gen --no-trust {name}")).status.success());
        String::from_utf8(run(&person, &format!("brinekey pub {name}")).stdout).unwrap()
    };
    let entry = |name: &str, key: &str, more: &str| {
        format!("[[signer]]\nname = \"{name}\"\nkey = \"{}\"\n{more}\n", key.trim())
    };
    let (one, two, three, four) = (key("one"), key("two"), key("three"), key("four"));
    let revoked = "revoked-at = 2020-01-01T00:00:00Z\nrevoked-reason = \"stolen\"";
    let text = [
        entry("al", &one, ""),
        entry("a longer name", &two, "not-after = 2020-01-01T00:00:00Z"),
        entry("b", &three, "not-before = 2999-01-01T00:00:00Z"),
        entry("c", &four, revoked),
        entry("also c", &four, "contexts = []"),
        entry("\u{e9}", &one, "revoked-at = 2999-01-01T00:00:00Z"),
    ];
    person.write("t.toml", text.concat());
    let listed =
        String::from_utf8(run(&person, "brinekey trust list --trust t.toml").stdout).unwrap();

    let last: Vec<_> = listed
        .lines()
        .map(|line| line.split_once("SHA256:").unwrap().1.get(43..).unwrap())
        .collect();
    assert_eq!(
        last,
        [
            "  trusted",
            "  expired  until 2020-01-01T00:00:00Z",
            "  not yet  from 2999-01-01T00:00:00Z",
            "  revoked  since 2020-01-01T00:00:00Z: stolen",
            "  revoked  as c  for nothing",
            "  trusted  to be revoked at 2999-01-01T00:00:00Z",
        ]
    );
    let starts = listed.lines().map(|line| line.split_once("SHA256:").unwrap().0.chars().count());
    assert_eq!(starts.collect::<Vec<_>>(), [15; 6], "{listed}");

    let json = String::from_utf8(run(&person, "brinekey trust list --json --trust t.toml").stdout)
        .unwrap();
    let states = json.lines().map(|line| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry["state"].as_str().unwrap().to_owned()
    });
    let expected = ["trusted", "expired", "not-yet", "revoked", "revoked", "trusted"];
    assert_eq!(states.collect::<Vec<_>>(), expected);
}

#[test]
fn trust_list_says_when_nobody_is_trusted() {
    let person = Person::new();
    let told = |line: &str| {
        let output = run(&person, line);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]), "{line}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = told("brinekey trust list");
    assert!(said.starts_with("brinekey: nobody is trusted: there is no trust file \""), "{said}");
    assert!(said.ends_with("hint: \"brinekey trust add NAME KEY\" trusts somebody\n"), "{said}");
    assert_eq!(told("brinekey trust list --json"), "");
    person.write("none.toml", "# nobody yet\n");
    let said = told("brinekey trust list --trust none.toml");
    assert!(
        said.starts_with("brinekey: nobody is trusted: \"none.toml\" names no signer\n"),
        "{said}"
    );
    assert!(said.contains("\"brinekey trust add NAME KEY --trust none.toml\""), "{said}");
    person.write("rsa", "alice ssh-rsa AAAAB3NzaC1yc2E=\n");
    assert!(told("brinekey trust list --trust rsa").contains("no Ed25519 key: lines left out: 1"));
    // A file that was named is not there by mistake.
    let output = run(&person, "brinekey trust list --trust missing.toml");
    assert_refused(&output, 6, "missing.toml");
}

#[test]
fn trust_check_takes_what_names_a_signer_and_tells_programs() {
    let (_signer, verifier) = signer_and_verifier();
    assert!(run(&verifier, "brinekey trust add carol alice.pub --context 'a/*'").status.success());
    let output = run(&verifier, "brinekey trust check carol --context a/b --json");
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&line["schema"], &line["verdict"]),
        (&"brine.trust-check/1".into(), &"believed".into())
    );
    assert_eq!((&line["signer"], &line["context"]), (&"carol".into(), &serde_json::json!(["a/b"])));
    let id = line["key_id"].as_str().unwrap();
    assert!(run(&verifier, &format!("brinekey trust check {id} --context a/b")).status.success());
    assert_refused(
        &run(&verifier, &format!("brinekey trust check {id} --context b")),
        5,
        "is not trusted for",
    );
    assert!(run(&verifier, "brinekey trust add carol default").status.success());
    assert_refused(&run(&verifier, "brinekey trust check carol"), 2, "\"carol\" has 2 keys");
}

#[test]
fn a_name_given_with_a_trust_file_restricts_to_that_name() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    assert!(run(&verifier, "brinekey trust add alice alice.pub --trust t.toml").status.success());
    assert!(run(&verifier, "brinekey trust add bob default --trust t.toml").status.success());
    assert!(run(&verifier, "brine verify --trust t.toml -p alice in").status.success());
    assert_refused(&run(&verifier, "brine verify --trust t.toml -p bob in"), 5, "no trust anchor");
}

#[test]
fn the_name_of_a_stored_key_is_no_way_around_its_entry() {
    let person = Person::new();
    person.brinekey(["gen", "--no-trust"]).assert().success();
    person.write("in", person.sign([], b"x"));
    assert!(run(&person, "brine verify -p default in").status.success());
    assert!(run(&person, "brinekey trust add me default --context reports").status.success());
    assert_refused(&run(&person, "brine verify -p default in"), 5, "is not trusted for");
}

#[test]
fn a_revoked_key_under_another_word_is_not_passed_over() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    let key = String::from_utf8(verifier.read("alice.pub")).unwrap();
    for word in ["ssh-ed25519@", "ssh-rsa", "ssh-ed25519-cert-v01@openssh.com"] {
        verifier.write("revoked", key.replace("ssh-ed25519 ", &format!("{word} ")));
        let output = run(&verifier, "brine verify -p alice.pub --revoked revoked in");
        assert_refused(&output, 6, "unknown key type");
    }
}

#[test]
fn a_trust_file_is_a_regular_file() {
    let person = Person::with_key();
    assert_refused(
        &run(&person, "mkfifo pipe; brinekey trust add x default --trust pipe"),
        4,
        "not a regular file",
    );
}

#[test]
fn trust_check_knows_the_names_in_the_file() {
    let (_signer, verifier) = signer_and_verifier();
    assert!(run(&verifier, "brinekey trust add carol alice.pub").status.success());
    assert!(run(&verifier, "brinekey trust check carol").status.success());
}

#[test]
fn gen_makes_no_key_that_it_cannot_trust() {
    let person = Person::new();
    assert!(
        run(&person, "mkdir -p \"$BRINE_HOME\"; echo broken > \"$BRINE_HOME/trust.toml\"")
            .status
            .success()
    );
    assert_refused(&run(&person, "brinekey gen"), 6, "trust.toml");
    assert!(!person.home_path("keys/default.key").exists());
}

/// A key that is there, and not trusted as was asked for, would be found out about later.
#[test]
fn a_key_that_cannot_be_trusted_is_not_kept_either() {
    let person = Person::with_key();
    assert!(
        run(&person, "brinekey export -o spare.key && brinekey trust revoke default")
            .status
            .success()
    );
    let import = "brinekey import spare ./spare.key --trust";
    assert_refused(&run(&person, import), 6, "this key is revoked from 20");
    assert!(!person.home_path("keys/spare.key").exists());
    assert!(run(&person, "brinekey import spare ./spare.key").status.success());
    let lines = "echo \"default $(brinekey pub)\" > \"$BRINE_HOME/trust.toml\"";
    assert!(run(&person, lines).status.success());
    assert_refused(&run(&person, "brinekey gen new"), 6, "an OpenSSH allowed_signers file");
    assert!(!person.home_path("keys/new.key").exists());
    assert!(run(&person, "brinekey gen --no-trust new").status.success());
}

/// An entry that will be revoked one day is no more than another signer, who was not named.
#[test]
fn a_revocation_to_come_makes_nobody_believed_who_was_not_named() {
    let (signer, verifier) = signer_and_verifier();
    verifier.write("in", signer.sign([], b"x"));
    let key = String::from_utf8(verifier.read("alice.pub")).unwrap();
    let more = "revoked-at = 2999-01-01T00:00:00Z";
    let entry = format!("[[signer]]\nname = \"alice\"\nkey = \"{}\"\n{more}\n", key.trim());
    verifier.write("t.toml", entry);
    assert!(run(&verifier, "brine verify --trust t.toml in").status.success());
    assert_refused(
        &run(&verifier, "brine verify --trust t.toml -p default in"),
        5,
        "no trust anchor",
    );
}
