//! Certificates that are no use, what `brinekey issue` refuses, and what is taken back.

use serde_json::Value;

use super::certificates::{certify, done, run, said, verdict, with_authority, with_certificate};
use crate::common::{Person, assert_refused};

/// Where a certificate of a key is in the store.
const BESIDE: &str = "$BRINE_HOME/keys/alice-cert.pub";

#[test]
fn a_certificate_that_has_expired_is_left_out_with_a_warning() {
    let person = with_authority("");
    certify(&person, "--id first");
    done(
        &person,
        &format!(
            "brinekey issue alice -k team -n alice@example.com --until $(($(date +%s) + 2)) --force 2>/dev/null; brine sign -k alice payload -o before; sleep 2.1; cat {BESIDE} > /dev/null"
        ),
    );
    let output = run(&person, "brine sign -k alice payload -o after");
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{warning}");
    assert!(
        warning.contains("warning: certificate ")
            && warning.contains("is left out: it expired at 20"),
        "{warning}"
    );
    assert_refused(&run(&person, "brine verify after"), 5, "no trust anchor");
    assert_refused(&run(&person, "brine verify before"), 5, "it expired at 20");
}

#[test]
fn a_file_beside_a_key_that_is_no_certificate_for_it_ends_the_work() {
    let person = with_certificate("", "");
    done(
        &person,
        &format!(
            "brinekey gen --no-trust bob 2>/dev/null; cp {BESIDE} good; cp good $BRINE_HOME/keys/bob-cert.pub"
        ),
    );
    assert_refused(
        &run(&person, "brine sign -k bob payload"),
        6,
        "bob-cert.pub\": certificate cannot be used: it certifies another key",
    );
    for (change, reason) in [
        (": > FILE", "FILE"),
        ("echo nonsense > FILE", "FILE"),
        ("brinekey pub alice > public; cp public FILE", "FILE"),
        ("head -c 200 good > FILE", "FILE"),
        ("for n in 1 2 3 4; do cat good; done > FILE", "more than three"),
        ("head -c 5000000 /dev/zero > FILE", "FILE"),
        ("rm FILE; mkdir FILE", "FILE"),
    ] {
        done(&person, &change.replace("FILE", BESIDE));
        let output = run(&person, "brine sign -k alice payload");
        assert_refused(&output, 6, &reason.replace("FILE", "alice-cert.pub\""));
    }
}

#[test]
fn issue_refuses_what_would_not_be_believed_or_would_be_lost() {
    let person = with_certificate("", "");
    let issue = "brinekey issue alice -k team";
    assert_refused(&run(&person, &format!("{issue} -n a --for 1h")), 4, "exists");
    for (options, reason) in [
        ("-n a --force", "--for"),
        ("--for 1h --force", "--name"),
        ("-n a --for 1h --until 2h --force", "cannot be used with"),
        ("-n a --until 2020-01-01 --force", "which has passed"),
        ("-n a --until '1h ago' --force", "which has passed"),
        ("-n a,b --for 1h --force", "is not one name"),
        ("-n '' --for 1h --force", "is not one name"),
        ("-n 'a*' --for 1h --force", "is not one name"),
        ("-n 'a?' --for 1h --force", "is not one name"),
        ("-n '!a' --for 1h --force", "is not one name"),
        ("-n a/ --for 1h --force", "is not one name"),
        ("-n /a --for 1h --force", "is not one name"),
        ("-n a//b --for 1h --force", "is not one name"),
        ("-n \"$(printf 'a\\033[2J')\" --for 1h --force", "is not one name"),
        ("-n \"$(printf '%09000d' 1)\" --for 1h --force", "over 8192 bytes"),
        ("-n a -c 'x,y' --for 1h --force", "no comma"),
        ("-n a -c 'x**' --for 1h --force", "**"),
    ] {
        let output = run(&person, &format!("{issue} {options}"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{options}: {stderr}"
        );
        assert!(stderr.contains(reason), "{options}: {stderr}");
    }
    // What was there is there still.
    assert_eq!(done(&person, "brine sign -k alice payload | brine verify"), "hello\n");
    let line = format!(
        "{issue} -n a@example.com -n b@example.com -c 'x/*' --serial 7 --for 1h --force --json"
    );
    let told = said(&person, &line);
    crate::schema::check_lines(told.as_bytes());
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["serial"], &told["certificate"]), (&7.into(), &"a@example.com".into()));
    assert_eq!(told["principals"], serde_json::json!(["a@example.com", "b@example.com"]));
    assert_eq!(told["contexts"], serde_json::json!(["x/*"]));
    assert_eq!(told["may_delegate"], false);
    for (asked, name) in [("", "a@example.com"), ("--signer b@example.com", "b@example.com")] {
        let found = verdict(
            &person,
            &format!("brine sign -k alice -c x/1 payload | brine verify -c x/1 {asked}"),
        );
        assert_eq!(found["signer"], name);
    }
}

#[test]
fn certificates_follow_their_keys_in_the_store() {
    let person = with_certificate("", "");
    let names = |person: &Person| {
        let lines = done(person, "brinekey list --json");
        let name = |line: &str| serde_json::from_str::<Value>(line).unwrap()["name"].clone();
        lines.lines().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&person), ["alice", "team"]);
    done(&person, "brinekey rename alice bob 2>/dev/null");
    assert_eq!(done(&person, "brine sign -k bob payload | brine verify"), "hello\n");
    assert_eq!(names(&person), ["bob", "team"]);
    // What belongs to a key that is gone does not stand in the way of another of the same name.
    done(
        &person,
        "brinekey remove bob --force 2>/dev/null; brinekey gen --no-trust bob 2>/dev/null",
    );
    assert_refused(&run(&person, "brine sign -k bob payload | brine verify"), 5, "no trust anchor");
    let left = done(&person, "ls $BRINE_HOME/keys");
    assert_eq!(left, "bob.key\nbob.pub\nteam.key\nteam.pub\n");
}

/// A key may be called as the certificate of another would be.
#[test]
fn a_key_that_is_called_like_a_certificate_is_none() {
    let person = with_authority("");
    done(
        &person,
        "brinekey gen --no-trust alice-cert 2>/dev/null; brine sign -k alice payload > /dev/null; \
         brinekey rename alice bob 2>/dev/null; brine sign -k alice-cert payload > /dev/null; \
         brinekey gen --no-trust alice 2>/dev/null; brinekey remove alice --force 2>/dev/null; \
         brine sign -k alice-cert payload > /dev/null",
    );
}

#[test]
fn authorities_are_listed_and_counted() {
    let person = with_authority("-c 'jobs/*' --not-after 2100-01-01T00:00Z");
    let listed = done(&person, "brinekey trust list");
    let line = listed.lines().find(|line| line.starts_with("team ")).unwrap_or_default();
    assert!(line.contains("certifies *@example.com  only jobs/*  until 2100"), "{listed}");
    let lines = done(&person, "brinekey trust list --json");
    crate::schema::check_lines(lines.as_bytes());
    let authority: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(authority["schema"], "brine.authority/1");
    assert_eq!(authority["principals"], serde_json::json!(["*@example.com"]));
    assert_eq!((&authority["name"], &authority["state"]), (&"team".into(), &"trusted".into()));
    let doctor = run(&person, "brine doctor");
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("0 signers, 1 authority"), "{doctor}");
    // It signs nothing itself.
    let line = "brine sign -k team -c jobs/a payload | brine verify -c jobs/a";
    assert_refused(&run(&person, line), 5, "no trust anchor");
    let output = run(&person, "brinekey trust add x alice --authority ''");
    assert_refused(&output, 2, "is not one pattern");
}

/// `-p` with the name of an authority believes that authority alone, and forgets nothing that the file revokes.
#[test]
fn an_authority_can_be_named_alone() {
    let person = with_certificate("", "");
    done(
        &person,
        "brinekey ca other 2>/dev/null; brinekey trust add other other --authority '*' 2>/dev/null; \
         brine sign -k alice payload -o envelope",
    );
    assert_eq!(done(&person, "brine verify -p team envelope"), "hello\n");
    assert_refused(
        &run(&person, "brine verify -p other envelope"),
        5,
        "no trusted authority issued it",
    );
    let trust = person.home_path("trust.toml");
    let before = std::fs::read_to_string(&trust).unwrap();
    let entry = |table: &str, key: &str, more: &str| {
        let key = done(&person, &format!("brinekey pub {key}"));
        format!(
            "{before}\n[[{table}]]\nname = \"old\"\nkey = \"{}\"\n{more}revoked-at = 2026-01-01T00:00:00Z\n",
            key.trim()
        )
    };
    for text in [
        entry("signer", "alice", ""),
        entry("signer", "team", ""),
        entry("authority", "team", "principals = [\"x\"]\n"),
    ] {
        std::fs::write(&trust, &text).unwrap();
        for named in ["", "-p team", "-p team -p other"] {
            let output = run(&person, &format!("brine verify {named} envelope"));
            assert_refused(&output, 5, "was revoked");
        }
    }
}

#[test]
fn a_trust_file_names_lists_of_what_is_revoked() {
    let person = with_certificate("", "");
    done(
        &person,
        "brine sign -k alice payload -o envelope; brinekey pub alice > revoked; : > none",
    );
    let trust = person.home_path("trust.toml");
    let before = std::fs::read_to_string(&trust).unwrap();
    let named =
        |lists: &str| std::fs::write(&trust, format!("revoked = {lists}\n{before}")).unwrap();
    named("[\"lists/team\"]");
    for line in
        ["brine verify envelope", "brine verify -p team envelope", "brinekey trust check alice"]
    {
        assert_refused(&run(&person, line), 6, "lists/team\"");
    }
    done(&person, "mkdir $BRINE_HOME/lists; cp none $BRINE_HOME/lists/team");
    assert_eq!(done(&person, "brine verify envelope"), "hello\n");
    done(&person, "cp revoked $BRINE_HOME/lists/team");
    for line in ["brine verify envelope", "brine verify -p team envelope"] {
        assert_refused(&run(&person, line), 5, "was revoked");
    }
    done(&person, "echo nonsense > $BRINE_HOME/lists/team");
    assert_refused(&run(&person, "brine verify envelope"), 6, "lists/team\"");
    // From the directory of the trust file, wherever that is; and by the whole path.
    done(
        &person,
        "mkdir here; cp $BRINE_HOME/trust.toml here/trust.toml; mkdir here/lists; cp revoked here/lists/team",
    );
    assert_refused(
        &run(&person, "brine verify --trust here/trust.toml envelope"),
        5,
        "was revoked",
    );
    named(&format!("[{:?}, {:?}]", person.path("none"), person.path("revoked")));
    assert_refused(&run(&person, "brine verify envelope"), 5, "was revoked");
}

/// Whoever is revoked while records or a stream come is refused from then on.
#[test]
fn a_list_that_changes_takes_effect_while_work_goes_on() {
    for (sign, verify, first, reason) in [
        (
            "seq 2 | brine sign -k alice --lines > in",
            "brine verify --lines",
            "head -1 in",
            "signer-revoked",
        ),
        (
            "head -c 40 /dev/zero | brine sign -k alice --segment-size 4 > in",
            "brine verify",
            "head -c 1600 in",
            "was revoked",
        ),
    ] {
        let person = with_certificate("", "");
        let trust = person.home_path("trust.toml");
        let before = std::fs::read_to_string(&trust).unwrap();
        std::fs::write(&trust, format!("revoked = [\"list\"]\n{before}")).unwrap();
        let line = format!(
            ": > $BRINE_HOME/list; {sign}; mkfifo pipe; {verify} < pipe > out 2> err & pid=$!; exec 3> pipe; \
             {first} > first; cat first >&3; until [ -s out ]; do sleep 0.01; done; cp out before; \
             brinekey pub alice > $BRINE_HOME/new; mv $BRINE_HOME/new $BRINE_HOME/list; \
             tail -c +$(($(wc -c < first) + 1)) in >&3; exec 3>&-; wait $pid; echo $?"
        );
        let output = run(&person, &line);
        let text = String::from_utf8(person.read("err")).unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "5\n", "{text}");
        assert!(text.contains(reason), "{text}");
        let released = person.read("out").len();
        assert!(released > 0 && released < 40, "{released}");
    }
}

/// At night, with its key stolen, an authority is revoked by its name, as a signer is.
#[test]
fn an_authority_is_revoked_by_its_name() {
    let person = with_certificate("", "");
    assert_eq!(done(&person, "brine sign -k alice payload | brine verify"), "hello\n");
    done(&person, "brinekey trust revoke team --reason stolen");
    let refused = run(&person, "brine sign -k alice payload | brine verify --json");
    assert_eq!(refused.status.code(), Some(5));
    let verdict: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(verdict["reason"], "signer-revoked");
}

/// Nobody named what lies beside a key, so a signature does not wait for it.
#[test]
fn a_pipe_beside_a_key_is_no_certificate() {
    let person = with_certificate("", "");
    let pipe = person.home_path("keys/alice-cert.pub");
    std::fs::remove_file(&pipe).unwrap();
    done(&person, &format!("mkfifo {}", pipe.display()));
    let output = run(&person, "brine sign -k alice payload");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(6), 0), "{stderr}");
    assert!(stderr.contains("alice-cert.pub\": it is not a regular file"), "{stderr}");
}
