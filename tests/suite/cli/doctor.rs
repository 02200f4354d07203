//! `brine doctor`, on machines that lack something.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::common::{Person, assert_refused};

/// What `brine doctor --json` found, run by this line of a shell in which `doctor` stands for it.
#[track_caller]
fn found(person: &Person, line: &str) -> (i32, Value) {
    let line = line.replace("doctor", "brine doctor --json");
    let output = person.shell(&line).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{line}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(found["schema"], "brine.doctor/1");
    assert_eq!(found["status"], output.status.code().unwrap());
    (output.status.code().unwrap(), found)
}

/// The state, the message and the hint of a check.
#[track_caller]
fn check<'a>(found: &'a Value, name: &str) -> [&'a str; 3] {
    let mut checks = found["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["name"] == name).unwrap();
    ["state", "message", "hint"].map(|member| check[member].as_str().unwrap_or_default())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What brine promises must hold where its tests run.
#[test]
fn a_machine_that_runs_jobs_has_every_layer() {
    let person = Person::with_key();
    let (status, all) = found(&person, "doctor");
    assert_eq!(status, 0, "{all}");
    for layer in ["namespaces", "network", "limits", "privileges", "seccomp"] {
        assert_eq!(check(&all, layer)[0], "ok", "{all}");
    }
    let [state, message, _] = check(&all, "confinement");
    assert_eq!((state, message), ("ok", "a job was run behind every layer"));
    assert!(all["landlock_version"].as_i64().unwrap() >= 2, "{all}");
    assert!(check(&all, "home")[1].ends_with("has 1 key"), "{all}");
    assert!(check(&all, "trust")[1].ends_with("has 1 signer"), "{all}");
    assert!(check(&all, "policy")[1].starts_with("there is no "), "{all}");
    assert_eq!(check(&all, "proc")[0], "ok");
    // Tests have no terminal.
    let [state, _, hint] = check(&all, "terminal");
    assert_eq!(state, "limited");
    assert!(hint.contains("--passphrase-file"), "{hint}");
}

#[test]
fn the_page_says_the_same_as_the_line() {
    let person = Person::new();
    let (_, all) = found(&person, "doctor");
    let output = person.brine(["doctor"]).output().unwrap();
    let page = text(&output);
    assert!(output.stderr.is_empty() && output.status.success(), "{output:?}");
    for check in all["checks"].as_array().unwrap() {
        let [state, name] = ["state", "name"].map(|member| check[member].as_str().unwrap());
        let line = page.lines().find(|line| line.split_whitespace().nth(1) == Some(name));
        assert!(line.is_some_and(|line| line.starts_with(state)), "{name}: {page}");
    }
    let of_home = page.lines().skip_while(|line| !line.contains("has no keys")).nth(1).unwrap();
    assert_eq!(of_home.trim_start(), "hint: \"brinekey gen\" makes a key");
}

/// Root of a namespace that has no other user cannot become one.
#[test]
fn a_namespace_with_one_user_has_no_user_for_a_job() {
    let person = Person::with_key();
    let (status, all) = found(&person, "unshare --user --map-root-user doctor");
    assert_eq!(status, 125, "{all}");
    let [state, message, hint] = check(&all, "confinement");
    assert_eq!(state, "missing");
    assert!(message.starts_with("no job can be started: "), "{message}");
    assert!(hint.starts_with("this user namespace has only one user or group"), "{hint}");
    // The same is said by the command that needs it.
    person.write("job", person.sign(["--job"], b"true"));
    let output = person.shell("unshare --user --map-root-user brine run job -- sh").output();
    assert_refused(&output.unwrap(), 125, "confinement could not be set up: ");
}

/// Without user namespaces there are none of the others for who is not root.
#[test]
fn a_user_who_may_have_no_namespaces_is_told_which_setting_denies_them() {
    let person = Person::with_key();
    let none = "unshare --user --map-user=1000 --map-group=1000 --keep-caps sh -c \
                \"echo 0 > /proc/sys/user/max_user_namespaces && exec doctor\"";
    let (status, all) = found(&person, none);
    assert_eq!(status, 125, "{all}");
    for layer in ["namespaces", "network"] {
        let [state, message, hint] = check(&all, layer);
        assert_eq!(state, "missing", "{all}");
        assert!(message.starts_with("confinement could not be set up: "), "{message}");
        assert_eq!(hint, "sudo sysctl user.max_user_namespaces=15000");
    }
    // What does not need them holds.
    for layer in ["limits", "privileges", "seccomp"] {
        assert_eq!(check(&all, layer)[0], "ok", "{all}");
    }
    let [_, message, hint] = check(&all, "confinement");
    assert_eq!(message, "\"brine run\" refuses every job, for want of namespaces, network");
    assert!(hint.contains("brine run --without namespaces --without network"), "{hint}");
}

#[test]
fn a_system_without_proc_runs_no_job() {
    let person = Person::with_key();
    let hidden = "unshare --user --map-current-user --keep-caps --mount sh -c \
                  \"mount -t tmpfs none /proc && exec doctor\"";
    let (status, all) = found(&person, hidden);
    assert!([4, 125].contains(&status), "{all}");
    let [state, message, hint] = check(&all, "proc");
    assert_eq!(state, "missing");
    assert!(message.contains("no job can be run"), "{message}");
    assert!(hint.contains("mount -t proc"), "{hint}");
    assert_eq!(check(&all, "confinement")[0], "missing");
}

#[test]
fn a_directory_for_temporary_files_is_tried_and_measured() {
    let person = Person::with_key();
    let (status, all) = found(&person, "TMPDIR=/no/such doctor");
    assert_eq!(status, 4, "{all}");
    let [state, message, hint] = check(&all, "temporary");
    assert_eq!(state, "missing");
    assert!(message.contains("in \"/no/such\"") && hint.starts_with("set TMPDIR"), "{message}");
    let small = "unshare --user --map-current-user --keep-caps --mount sh -c \
                 \"mkdir t; mount -t tmpfs -o size=1m none t && TMPDIR=t doctor\"";
    let (_, all) = found(&person, small);
    let [state, message, _] = check(&all, "temporary");
    assert_eq!(state, "limited");
    assert!(message.contains("MiB left, which larger payloads do not fit"), "{message}");
}

/// What `verify` would refuse to read is missing, with the status of `verify`.
#[test]
fn trust_and_policy_that_cannot_be_read_are_missing() {
    for (name, check_name) in [("trust.toml", "trust"), ("policy.toml", "policy")] {
        let person = Person::with_key();
        fs::write(person.home_path(name), "nonsense").unwrap();
        let (status, all) = found(&person, "doctor");
        assert_eq!(status, 6, "{all}");
        let [state, message, _] = check(&all, check_name);
        assert_eq!(state, "missing");
        assert!(message.contains(name), "{message}");
    }
    let person = Person::with_key();
    let (status, all) = found(&person, "unset BRINE_HOME HOME; doctor");
    assert_eq!(status, 4, "{all}");
    assert!(check(&all, "home")[1].starts_with("no home directory"), "{all}");
}

/// What others may write decides nothing, here as for "verify".
#[test]
fn trust_that_others_may_write_is_missing() {
    let person = Person::with_key();
    let (status, all) = found(&person, "chmod go+w $BRINE_HOME/trust.toml; doctor");
    assert_eq!(status, 6, "{all}");
    let [state, message, hint] = check(&all, "trust");
    assert_eq!(state, "missing");
    assert!(message.contains("others may write it"), "{message}");
    assert!(hint.starts_with("chmod go-w "), "{hint}");
}

#[test]
fn trust_from_the_future_casts_doubt_on_the_clock() {
    let person = Person::with_key();
    let line = "touch -d 2090-01-01T00:00:00Z $BRINE_HOME/trust.toml; doctor";
    let (status, all) = found(&person, line);
    assert_eq!(status, 0, "{all}");
    let [state, message, hint] = check(&all, "clock");
    assert_eq!(state, "limited");
    assert!(message.ends_with("trust was last changed at 2090-01-01T00:00:00Z"), "{message}");
    assert_eq!(hint, "sudo timedatectl set-ntp true");
}

/// The program is the first that is found in PATH, and nothing is run that is not.
#[test]
fn without_a_program_to_run_nothing_is_known() {
    let person = Person::with_key();
    let brine = env!("CARGO_BIN_EXE_brine");
    let output = person.brine(["doctor", "--json"]).env("PATH", "/no/such").output();
    // setsid is found before.
    let output = output.unwrap_or_else(|_| {
        person.shell(&format!("PATH=/no/such {brine} doctor --json")).output().unwrap()
    });
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [state, message, hint] = check(&all, "confinement");
    assert_eq!((state, output.status.code()), ("missing", Some(127)));
    assert_eq!(message, "no program \"true\"");
    assert!(hint.starts_with("set PATH"), "{hint}");
}

#[test]
fn a_passphrase_that_cannot_be_read_is_missing() {
    let person = Person::with_key();
    person.write("passphrase", "secret\n");
    let (_, all) = found(&person, "BRINE_PASSPHRASE_FILE=passphrase doctor");
    assert_eq!(check(&all, "terminal")[..2], ["ok", "passphrases are read from \"passphrase\""]);
    assert!(!all.to_string().contains("secret"), "{all}");
    let (status, all) = found(&person, "BRINE_PASSPHRASE_FILE=none doctor");
    assert_eq!((status, check(&all, "terminal")[0]), (6, "missing"), "{all}");
}
