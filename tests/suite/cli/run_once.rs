//! `brine run --replay-db`: a job that was sent twice runs once.

use serde_json::Value;

use crate::common::{Person, assert_mistyped, assert_refused};

/// Somebody with a new database, and a job that prints a line.
fn with_job() -> Person {
    let person = Person::with_key();
    let line = "brine replay init --accept-older db; \
        echo 'echo hello' | brine sign --job --expires 1h -o job";
    assert!(person.shell(line).output().unwrap().status.success());
    person
}

/// Types a line, and returns its standard output, its status, and the reason in its verdict.
fn typed(person: &Person, line: &str) -> (String, i32, String) {
    let output = person.shell(line).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let verdict: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{line}: {output:?}"));
    let reason = verdict["reason"].as_str().unwrap_or_default().to_owned();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap(), reason)
}

const RUN: &str = "brine run --json --replay-db db job -- sh";

fn ran() -> (String, i32, String) {
    ("hello\n".to_owned(), 0, String::new())
}

fn refused(status: i32, reason: &str) -> (String, i32, String) {
    (String::new(), status, reason.to_owned())
}

#[test]
fn a_job_that_was_sent_twice_runs_once() {
    let person = with_job();
    assert_eq!(typed(&person, RUN), ran());
    assert_eq!(typed(&person, RUN), refused(5, "replayed"));
    // The same job in other bytes.
    let line = "echo 'echo hello' | brine sign -a --job --expires 1h -o armored; \
        grep -v -e ---- armored | base64 -d > plain; \
        brine run -q --replay-db db armored -- sh; brine run --json --replay-db db plain -- sh";
    assert_eq!(typed(&person, line), ("hello\n".to_owned(), 5, "replayed".to_owned()));
    // Another job that does the same.
    let line = "echo 'echo hello' | brine sign --job --expires 1h -o other; \
        brine run --json --replay-db db other -- sh";
    assert_eq!(typed(&person, line), ran());
}

#[test]
fn a_job_that_is_sent_to_many_at_once_runs_once() {
    let person = with_job();
    let line = "for n in 1 2 3 4 5 6 7 8; do brine run -q --replay-db db job -- sh > out$n & done; wait; \
        cat out*";
    let output = person.shell(line).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n", "{output:?}");
}

/// A job counts as run from the moment before it starts, and not before.
#[test]
fn only_a_job_that_starts_counts_as_run() {
    let person = with_job();
    let refused_before = [
        (
            "brine run --json --replay-db db --context other job -- sh",
            refused(5, "context-missing"),
        ),
        (
            "brine run --json --replay-db db job -- no-such-program",
            refused(127, "program-not-found"),
        ),
        (
            "brinekey gen stranger >pub; brine run --json --replay-db db -p stranger job -- sh",
            refused(5, "unknown-signer"),
        ),
    ];
    for (line, expected) in refused_before {
        assert_eq!(typed(&person, line), expected, "{line}");
    }
    let failing = "brine run --json --replay-db db job -- sh -c 'exit 3'";
    assert_eq!(typed(&person, failing), refused(3, ""));
    assert_eq!(typed(&person, RUN), refused(5, "replayed"));
}

#[test]
fn a_job_that_a_database_cannot_tell_apart_is_not_run() {
    let person = with_job();
    let without_expiry = "echo 'echo hello' | brine sign --job -o lasting; \
        brine run --json --replay-db db lasting -- sh";
    assert_eq!(typed(&person, without_expiry), refused(5, "replay-expiry-missing"));
    let new_database =
        "sleep 1.1; brine replay init new; brine run --json --replay-db new job -- sh";
    assert_eq!(typed(&person, new_database), refused(5, "replay-unknown"));
    let no_database = "brine run --json --replay-db none job -- sh";
    assert_eq!(typed(&person, no_database), refused(4, "replay-missing"));
}

#[test]
fn what_is_wrong_is_said_of_the_job() {
    let person = with_job();
    assert_eq!(typed(&person, RUN), ran());
    let output = person.brine(["run", "--replay-db", "db", "job", "--", "sh"]).output().unwrap();
    assert_refused(&output, 5, "\"job\": the job was run before");
    assert!(String::from_utf8_lossy(&output.stderr).contains("sign it again"), "{output:?}");
}

#[test]
fn a_plan_that_is_shown_runs_nothing_and_is_not_noted() {
    let person = with_job();
    let explain = person.brine(["run", "--explain", "--replay-db", "db", "job"]).output().unwrap();
    assert_mistyped(&explain, "--explain cannot be used with --replay-db");
}
