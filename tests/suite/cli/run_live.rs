//! `brine run -v` shows what a job complains of while it runs, and a signal to brine lets the job clean up.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::Person;

/// Starts a job whose script is this, with `brine run` and these options.
fn started(person: &Person, script: &str, options: &[&str]) -> (Child, BufReader<ChildStderr>) {
    person.sign_job(script);
    let mut brine = person.start_job(&[options, &["job", "--", "sh", "{}"]].concat());
    let errors = BufReader::new(brine.stderr.take().unwrap());
    (brine, errors)
}

/// Reads to the line that says what the job said.
#[track_caller]
fn hear(errors: &mut BufReader<ChildStderr>, said: &str) {
    let line = format!("brine: job: {said}");
    let mut heard = errors.by_ref().lines().map(Result::unwrap);
    assert!(heard.any(|one| one == line), "{line:?} was not shown");
}

/// The job ends when it gets what is given only to somebody who has heard it.
#[test]
fn what_a_job_complains_of_is_shown_while_it_runs() {
    let person = Person::with_key();
    let script = "printf 'first\\n\\033[2J\\nno end' >&2; read answer; test \"$answer\" = heard";
    let options = ["-v", "--input", "-", "--limit", "wall=20s"];
    let (mut brine, mut errors) = started(&person, script, &options);
    hear(&mut errors, "first");
    hear(&mut errors, "\\u{1b}[2J");
    brine.stdin.take().unwrap().write_all(b"heard\n").unwrap();
    hear(&mut errors, "no end");
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert!(brine.wait().unwrap().success(), "{rest}");
    // It is shown once.
    assert!(!rest.contains("job:"), "{rest}");
}

#[test]
fn a_signal_to_brine_lets_the_job_clean_up() {
    let person = Person::with_key();
    let script = "trap 'echo cleaned >&2; exit 0' TERM; echo up >&2; while :; do sleep 0.01; done";
    for signal in [Signal::TERM, Signal::INT] {
        let (mut brine, mut errors) = started(&person, script, &["-v"]);
        hear(&mut errors, "up");
        kill_process(Pid::from_child(&brine), signal).unwrap();
        hear(&mut errors, "cleaned");
        let status = brine.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
    }
}
