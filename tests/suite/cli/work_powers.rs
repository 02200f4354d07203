//! `brine work` and powers: those of programs that listen, and `--powers`, which starts one. python/tests has Python itself.
#![cfg(all(feature = "sandbox", target_os = "linux"))]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use brine_queue::DeadLetters as _;

use super::queue_kit::opened;
use crate::common::{Person, assert_mistyped, assert_refused};

/// Says what a Python says that serves powers, and ends with its standard input.
const PYTHON: &str = r#"#!/bin/sh
# -P -c CODE OBJECT DIRECTORY
case $4 in
good:*) echo '{"powers": ["orders"]}' && exec cat ;;
bad:*) echo '{"error": "ModuleNotFoundError: no module bad"}' && exit 1 ;;
silent:*) exit 0 ;;
dying:*) echo '{"powers": []}' ;;
named:*) echo '{"powers": ["Not/A/Name"]}' && exec cat ;;
esac
"#;

const SEND: &str = "brine send --job --expires 1h --grant power=orders 'sqlite:q?queue=work'";
const WORK: &str = "brine work 'sqlite:q?queue=work' --policy policy --wait 1s";

/// Somebody whose job asks for a power.
fn person() -> Person {
    let person = Person::with_key();
    person.write("policy", "[[allow]]\nsigners = [\"default\"]\npowers = [\"orders\"]\n");
    person.write("python3", PYTHON);
    fs::set_permissions(person.path("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    person.write("script", "true");
    person
}

fn send(person: &Person) {
    let output = person.shell(&format!("{SEND} script")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_job_whose_power_nobody_gives_stays_queued() {
    let person = person();
    send(&person);
    drop(UnixListener::bind(person.path("orders.sock")).unwrap());
    let output =
        person.shell(&format!("{WORK} --power orders=orders.sock -- sh")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let expected = "a job cannot be run here: nobody gives the power orders: \"orders.sock\": Connection refused";
    assert!(said.contains(expected), "{said}");
    let status = opened(&person, "work").status().unwrap();
    assert_eq!(
        (status.acknowledged, status.dead, status.ready + status.held),
        (0, 0, 1),
        "{status:?}"
    );
}

#[test]
fn a_python_that_serves_nothing_stops_the_worker() {
    let person = person();
    let work = |object: &str, more: &str| {
        let line = format!("PATH=$PWD:$PATH; {WORK} --powers {object} {more} -- sh");
        person.shell(&line).output().unwrap()
    };
    for (object, why) in [
        (
            "bad:powers",
            "the powers of \"bad:powers\" cannot be served: ModuleNotFoundError: no module bad",
        ),
        ("silent:powers", "ended before it listened"),
        ("named:powers", "\"Not/A/Name\""),
    ] {
        assert_refused(&work(object, ""), 2, why);
    }
    send(&person);
    assert_refused(&work("dying:powers", ""), 4, "--powers dying:powers: its Python has ended");
    let status = opened(&person, "work").status().unwrap();
    assert_eq!(
        (status.acknowledged, status.dead, status.ready + status.held),
        (0, 0, 1),
        "{status:?}"
    );
    let output = work("good:powers", "--power orders=other.sock");
    assert_mistyped(&output, "the power orders is given twice");
}
