//! `brine sign --job` and `--grant`, and what `inspect` shows of them.

use crate::common::{Person, assert_mistyped};

const GRANTS: [&str; 6] = ["run=python3", "arg=-I", "arg=-", "read=data/in", "tcp=443", "wall=5s"];

fn with_grants(person: &Person, grants: &[&str]) -> std::process::Output {
    let mut command = person.brine(["sign"]);
    for grant in grants {
        command.args(["--grant", grant]);
    }
    command.write_stdin("x").output().unwrap()
}

#[test]
fn what_is_asked_for_is_shown() {
    let person = Person::with_key();
    let envelope = with_grants(&person, &GRANTS).stdout;
    let page = person.brine(["inspect"]).write_stdin(envelope.clone()).output().unwrap().stdout;
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("kind          job\n"), "{page}");
    for grant in GRANTS {
        assert!(page.contains(&format!("asks for      {grant}\n")), "{grant}: {page}");
    }
    assert!(page.contains("-70005 (grants): {\"v\": 1, "), "{page}");
    let line = person.brine(["inspect", "--json"]).write_stdin(envelope).output().unwrap().stdout;
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["kind"], "job");
    assert_eq!(line["grants"], serde_json::json!(GRANTS));
}

#[test]
fn a_job_may_ask_for_nothing() {
    let person = Person::with_key();
    let envelope = person.sign(["--job"], b"x");
    let line = person.brine(["inspect", "--json"]).write_stdin(envelope).output().unwrap().stdout;
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((&line["kind"], &line["grants"]), (&"job".into(), &serde_json::json!([])));
}

#[test]
fn grants_that_are_typed_wrongly_are_explained() {
    let person = Person::with_key();
    for (grants, said) in [
        (&["python3"][..], "expected NAME=VALUE, where NAME is run, arg, read"),
        (&["wall=5"], "a length of time like 200ms or 5s, as in wall=1m"),
        (&["read=/etc"], "relative to a root of the policy, as in data/in"),
        (&["format=xml"], "expected bytes, utf8, json, ndjson, cbor, arrow or parquet"),
        (&["run=a", "run=b"], "run=b is there twice"),
        (&["arg=-I"], "there are arguments, but no interpreter"),
        (
            &["read=a", "write=a/b"],
            "path \"a/b\" is malformed: it is, or lies inside, another path",
        ),
    ] {
        let output = with_grants(&person, grants);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
        assert!(stderr.contains(said), "{grants:?}: {stderr}");
    }
}

#[test]
fn jobs_are_single_envelopes() {
    let person = Person::with_key();
    person.write("x", "x");
    for option in ["--detached", "--plain", "--flush-after=1s"] {
        for job in ["--job", "--grant=wall=5s"] {
            let output = person.brine(["sign", job, option, "x"]).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            assert!(stderr.contains("cannot be used with"), "{job} {option}: {stderr}");
        }
    }
    let output = person.brine(["sign", "--job", "--lines", "x"]).output().unwrap();
    assert_mistyped(&output, "--job cannot be used with --lines");
    // What would be a stream of data is one job.
    let large = vec![0; 2 << 20];
    let envelope = person.sign(["--job"], &large);
    assert_eq!(envelope[0], 0xd2);
    assert!(envelope.len() < large.len() + 1024);
    assert_eq!(person.files(), ["x"]);
}
