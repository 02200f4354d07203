//! Certificates from the key of an authority to a verdict, by the programs alone.

use std::process::Output;

use serde_json::Value;

use crate::common::{Person, assert_refused};

pub(super) fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

/// Runs what must succeed, and returns what it prints.
#[track_caller]
pub(super) fn done(person: &Person, line: &str) -> String {
    let output = run(person, &format!("set -eu; {line}"));
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs what must succeed, and returns what it says on standard error.
#[track_caller]
pub(super) fn said(person: &Person, line: &str) -> String {
    done(person, &format!("{{ {line}; }} 2>&1 >/dev/null"))
}

/// The verdict that a command writes for programs.
#[track_caller]
pub(super) fn verdict(person: &Person, line: &str) -> Value {
    let said = said(person, &format!("{line} --json"));
    crate::schema::check_lines(said.as_bytes());
    serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap()
}

/// Somebody who trusts the authority `team` for everybody at example.com, and has the key `alice`, which no trust file
/// names.
pub(super) fn with_authority(limits: &str) -> Person {
    let person = Person::new();
    done(
        &person,
        &format!(
            "brinekey ca team 2>/dev/null; brinekey gen --no-trust alice 2>/dev/null; \
             brinekey trust add team team --authority '*@example.com' {limits} 2>/dev/null; echo hello > payload"
        ),
    );
    person
}

/// The same, where `alice` is certified as alice@example.com.
pub(super) fn with_certificate(limits: &str, options: &str) -> Person {
    let person = with_authority(limits);
    certify(&person, options);
    person
}

pub(super) fn certify(person: &Person, options: &str) {
    let line = "brinekey issue alice --with team --name alice@example.com --for 1h";
    done(person, &format!("{line} {options} 2>/dev/null"));
}

#[test]
fn whoever_an_authority_certifies_is_believed_by_name() {
    let person = with_authority("");
    assert_refused(
        &run(&person, "brine sign -k alice payload | brine verify"),
        5,
        "no trust anchor",
    );
    let told = said(&person, "brinekey issue alice --with team --name alice@example.com --for 1h");
    assert!(told.contains("is certified as alice@example.com until 20"), "{told}");
    assert!(told.contains("alice-cert.pub"), "{told}");
    let signed = "brine sign -k alice payload";
    assert_eq!(done(&person, &format!("{signed} | brine verify")), "hello\n");
    done(&person, &format!("{signed} -o envelope"));
    let told = said(&person, "brine verify -v --check envelope");
    assert!(told.contains("signed by alice@example.com, certified by team ("), "{told}");
    let found = verdict(&person, "brine verify envelope");
    assert_eq!(found["signer"], "alice@example.com", "{found}");
    let authority = &found["authority"];
    assert_eq!(authority["name"], "team");
    assert_eq!(authority["certificate"], "alice@example.com");
    assert_eq!(authority["through"], serde_json::json!([]));
    assert_eq!(authority["contexts"], Value::Null);
    assert!(authority["serial"].as_u64().unwrap() > 0);
    assert!(authority["expires"].as_str().unwrap().starts_with("20"));
    assert_eq!(authority["key_id"], key_id(&person, "team"));
    assert_eq!(found["key_id"], key_id(&person, "alice"));
    // A key that the file names says so, and needs nobody.
    done(&person, "brinekey trust add al alice 2>/dev/null");
    let found = verdict(&person, "brine verify envelope");
    assert_eq!((&found["signer"], found.get("authority")), (&"al".into(), None));
    assert_refused(
        &run(&person, "brine verify --signer bob@example.com envelope"),
        5,
        "signed by al, not by bob@example.com",
    );
    let found = verdict(&person, "brine verify --signer alice@example.com envelope");
    assert_eq!(found["authority"]["name"], "team");
}

fn key_id(person: &Person, name: &str) -> String {
    let shown = done(person, &format!("brinekey show --json {name}"));
    let shown: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    shown["key_id"].as_str().unwrap().to_owned()
}

#[test]
fn certificates_are_found_beside_keys_wherever_they_are() {
    let person = with_certificate("", "");
    done(
        &person,
        "cp $BRINE_HOME/keys/alice.key id; cp $BRINE_HOME/keys/alice-cert.pub id-cert.pub; chmod 600 id",
    );
    for key in ["alice", "./id"] {
        let line = format!("brine sign -k {key} payload | brine verify --signer alice@example.com");
        assert_eq!(done(&person, &line), "hello\n", "{key}");
    }
    // Without it, the signature is a stranger's; what others take for COSE has none.
    done(&person, "brine sign --plain -k ./id payload -o plain");
    assert_refused(&run(&person, "brine verify --untyped plain"), 5, "no trust anchor");
    done(&person, "rm id-cert.pub");
    assert_refused(
        &run(&person, "brine sign -k ./id payload | brine verify"),
        5,
        "no trust anchor",
    );
    // It may be in other places as well: the certificate goes where it is asked to go.
    done(&person, "brinekey pub alice > a.pub; rm $BRINE_HOME/keys/alice-cert.pub");
    let issue = "brinekey issue ./a.pub -k team -n alice@example.com --for 1h";
    said(&person, issue);
    assert!(person.path("a-cert.pub").exists());
    let certificate = done(&person, &format!("{issue} -o - 2>/dev/null"));
    assert!(certificate.starts_with("ssh-ed25519-cert-v01@openssh.com AAAA"), "{certificate}");
    assert!(certificate.ends_with(" alice@example.com\n"), "{certificate}");
    let text = done(&person, "brinekey pub alice");
    let line = format!("brinekey issue '{}' -k team -n a --for 1h 2>/dev/null", text.trim());
    assert!(done(&person, &line).starts_with("ssh-ed25519-cert-v01@openssh.com "));
}

/// Streams, digests, records, batches, messages, jobs and their results bring certificates as envelopes do.
#[test]
fn everything_that_is_signed_brings_the_certificate() {
    let person = with_certificate("", "");
    done(&person, "head -c 3000000 /dev/zero > large; seq 1000 > lines");
    let of_alice = "--signer alice@example.com";
    for line in [
        format!("brine sign -k alice large | brine verify {of_alice} | cmp - large"),
        format!("brine sign -k alice large | brine verify --whole {of_alice} | cmp - large"),
        format!("brine sign -k alice -d large; brine verify {of_alice} -d large"),
        format!(
            "brine sign -k alice -d --hash sha256 large -o s; brine verify {of_alice} --signature s large"
        ),
        format!("brine sign -k alice --single large | brine verify {of_alice} | cmp - large"),
        format!("brine sign -k alice --armor payload | brine verify {of_alice}"),
    ] {
        done(&person, &line);
    }
    for options in ["", "--batch 100"] {
        for replay in ["", "--replay-db db"] {
            done(&person, "rm -rf db; brine replay init --accept-older db");
            let line = format!(
                "brine sign -k alice --lines {options} lines | brine verify --lines {replay} {of_alice} | cmp - lines"
            );
            done(&person, &line);
        }
    }
    let line = format!(
        "brine send -k alice --lines 'sqlite:q?queue=a' < lines; \
         brine recv --lines {of_alice} 'sqlite:q?queue=a' | cmp - lines"
    );
    done(&person, &line);
    // The whole header is in the batch, so that each record weighs what it weighs alone.
    let records =
        done(&person, "brine sign -k alice --lines lines | head -1 | brine inspect --lines --json");
    assert!(records.contains("-70007"), "{records}");
}

#[test]
fn jobs_of_whom_an_authority_certifies_run_and_their_results_are_verified() {
    let person = with_certificate("", "-c 'jobs/nightly'");
    person.write(
        "policy.toml",
        "[[allow]]\nsigners = [\"alice@example.com\"]\ncontexts = [\"jobs/*\"]\ninterpreters.sh = \
         { path = \"/bin/sh\", arguments = [[]] }\n",
    );
    done(
        &person,
        "echo 'echo done' > script; brine sign --job -k alice -c jobs/nightly --grant run=sh script -o job",
    );
    let run_job = "brine run --policy policy.toml -c jobs/nightly";
    let explained = verdict(&person, &format!("{run_job} --explain job"));
    assert_eq!(explained["signer"], "alice@example.com");
    done(
        &person,
        "brinekey gen --no-trust worker 2>/dev/null; \
         brinekey issue worker -k team -n w@example.com --for 1h 2>/dev/null",
    );
    let line = format!(
        "{run_job} --sign-result worker job -o result; brine verify --result-of job result"
    );
    assert_eq!(done(&person, &line), "done\n");
    // Another name and another context are none of this policy's and of this certificate's.
    done(&person, "sed -i s/alice@/bob@/ policy.toml");
    assert_refused(&run(&person, &format!("{run_job} job")), 5, "policy");
    done(&person, "brine sign --job -k alice -c jobs/daily --grant run=sh script -o daily");
    assert_refused(
        &run(&person, "brine run --policy policy.toml -c jobs/daily daily"),
        5,
        "alice@example.com is not trusted for context \"jobs/daily\"",
    );
}

#[test]
fn contexts_are_those_that_the_authority_and_the_certificate_have() {
    let person = with_authority("-c 'jobs/*' -c 'release'");
    let sign = |context: &str| format!("brine sign -k alice {context} payload");
    certify(&person, "");
    let found = verdict(&person, &format!("{} | brine verify -c release", sign("-c release")));
    assert_eq!(found["authority"]["contexts"], Value::Null);
    certify(&person, "-c 'jobs/*' -c 'other' --force");
    let found = verdict(&person, &format!("{} | brine verify -c jobs/1", sign("-c jobs/1")));
    assert_eq!(found["authority"]["contexts"], serde_json::json!(["jobs/*", "other"]));
    for (context, asked, shown) in [
        ("-c release", "-c release", "for context \"release\""),
        ("-c other", "-c other", "for context \"other\""),
        ("-c jobs/1/2", "-c jobs/1/2", "for context \"jobs/1/2\""),
        ("", "", "for signatures without a context"),
    ] {
        let line = format!("{} | brine verify {asked}", sign(context));
        let reason = format!("alice@example.com is not trusted {shown}");
        assert_refused(&run(&person, &line), 5, &reason);
    }
}

#[test]
fn a_key_hands_on_less_than_it_has() {
    let person = with_certificate("", "--delegate -c 'jobs/*'");
    done(&person, "brinekey gen --no-trust ci 2>/dev/null");
    let issue = |options: &str| {
        done(&person, &format!("brinekey issue ci -k alice {options} --force 2>/dev/null"));
    };
    issue("-n alice@example.com/ci --for 30m --serial 9 --id nightly");
    done(&person, "brine sign -k ci -c jobs/a payload -o envelope");
    let told = said(&person, "brine verify -v -c jobs/a --check envelope");
    let expected =
        "signed by alice@example.com/ci, certified by team through alice@example.com (jobs/a, ";
    assert!(told.contains(expected), "{told}");
    let found = verdict(&person, "brine verify -c jobs/a envelope");
    let authority = &found["authority"];
    assert_eq!(authority["through"], serde_json::json!(["alice@example.com"]));
    assert_eq!((&authority["certificate"], &authority["serial"]), (&"nightly".into(), &9.into()));
    // One that ends later than that of its issuer ends with it.
    issue("-n alice@example.com/ci --for 30d");
    let later = "brine sign -k ci -c jobs/a payload | brine verify -c jobs/a --now 2h";
    assert_refused(
        &run(&person, later),
        5,
        "certificate \"alice@example.com\" vouches for nobody: it expired",
    );
    let refused = "brine sign -k ci -c other payload | brine verify -c other";
    assert_refused(&run(&person, refused), 5, "is not trusted for context \"other\"");
    // Nobody hands on another's name, or what was not given for handing on.
    issue("-n alice@example.community --for 30m");
    let line = "brine sign -k ci -c jobs/a payload | brine verify -c jobs/a";
    assert_refused(
        &run(&person, line),
        5,
        "alice@example.com may not vouch for alice@example.community",
    );
    done(&person, "brinekey gen --no-trust deep 2>/dev/null");
    issue("-n alice@example.com/ci --for 30m");
    let told = said(&person, "brinekey issue deep -k ci -n alice@example.com/ci/x --for 9m");
    assert!(
        told.contains("warning: the certificate of the issuer was made without --delegate: "),
        "{told}"
    );
    assert_refused(
        &run(&person, "brine sign -k deep -c jobs/a payload | brine verify -c jobs/a"),
        5,
        "alice@example.com/ci may not issue certificates",
    );
    issue("-n alice@example.com/ci --for 30m --delegate");
    done(
        &person,
        "brinekey issue deep -k ci -n alice@example.com/ci/x --for 9m --force 2>/dev/null",
    );
    let told =
        said(&person, "brine sign -k deep -c jobs/a payload | brine verify -v -c jobs/a --check");
    assert!(told.contains("team through alice@example.com, alice@example.com/ci ("), "{told}");
    let fourth = run(&person, "brinekey issue worker -k deep -n alice@example.com/ci/x/y --for 9m");
    assert_refused(&fourth, 6, "no key named \"worker\"");
    done(&person, "brinekey gen --no-trust worker 2>/dev/null");
    let fourth = run(&person, "brinekey issue worker -k deep -n alice@example.com/ci/x/y --for 9m");
    assert_refused(&fourth, 2, "no more than 3 certificates follow each other");
}

/// `may-issue` in the trust file makes an authority of a signer, for names below its own.
#[test]
fn a_signer_of_the_trust_file_hands_on_if_the_file_lets_it() {
    let person = Person::new();
    done(
        &person,
        "brinekey gen --no-trust alice 2>/dev/null; brinekey gen --no-trust ci 2>/dev/null; echo hello > payload; \
         brinekey issue ci -k alice -n alice/ci --for 1h 2>/dev/null; brine sign -k ci payload -o envelope; \
         brinekey trust add alice alice 2>/dev/null",
    );
    assert_refused(&run(&person, "brine verify envelope"), 5, "no trust anchor");
    done(
        &person,
        "brinekey trust remove alice 2>/dev/null; brinekey trust add alice alice --may-issue 2>/dev/null",
    );
    let found = verdict(&person, "brine verify envelope");
    assert_eq!(
        (&found["signer"], &found["authority"]["name"]),
        (&"alice/ci".into(), &"alice".into())
    );
    let listed = done(&person, "brinekey trust list");
    assert!(listed.contains("may issue certificates"), "{listed}");
    done(&person, "brinekey trust revoke alice 2>/dev/null");
    assert_refused(&run(&person, "brine verify envelope"), 5, "was revoked");
}
