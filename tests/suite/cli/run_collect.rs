//! `brine run --collect`: files that a job leaves come out as its output does, or not at all.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use serde_json::{Value, json};

use crate::common::{Person, assert_mistyped, assert_refused};

/// Types `brine run --json OPTIONS job -- sh`, and returns its status and verdict.
fn run(person: &Person, options: &str) -> (i32, Value) {
    let output = person.shell(&format!("brine run --json {options} job -- sh")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let verdict = serde_json::from_str(text.lines().last().unwrap_or_default());
    (output.status.code().unwrap(), verdict.unwrap_or_else(|_| panic!("{options}: {output:?}")))
}

/// The files that are there beside the job.
fn files(person: &Person) -> Vec<String> {
    let mut found = person.files();
    found.retain(|name| name != "job" && name != "script");
    found
}

#[test]
fn files_and_directories_come_out_when_the_job_ended_well() {
    let person = Person::with_job(
        "mkdir -p tree/below; echo 1 > tree/one; ln tree/one tree/same; : > tree/below/two; \
         echo out > a.csv; echo hidden > b; chmod 755 a.csv; echo done",
    );
    fs::create_dir(person.path("to")).unwrap();
    let options = "-o out --collect a.csv --collect tree/below --collect tree/one --collect-to to";
    let (status, verdict) = run(&person, options);
    assert_eq!((status, &verdict["outcome"]), (0, &"ok".into()), "{verdict}");
    assert_eq!(person.read("to/a.csv"), b"out\n");
    assert_eq!(person.read("to/one"), b"1\n");
    assert_eq!(person.read("to/below/two"), b"");
    assert_eq!(fs::metadata(person.path("to/a.csv")).unwrap().mode() & 0o111, 0);
    assert_eq!(person.read("out"), b"done\n");
    assert_eq!(fs::read_dir(person.path("to")).unwrap().count(), 3);
    assert_eq!(
        verdict["collected"],
        json!([
            {
                "name": "a.csv",
                "bytes": 4,
                "sha256": "54034ac5c6e9ea95734ec2b729fd6d62abf64af34a9f9ce5d466cb788191a73d"
            },
            {
                "name": "tree/below/two",
                "bytes": 0,
                "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            },
            {
                "name": "tree/one",
                "bytes": 2,
                "sha256": "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"
            },
        ])
    );
    // By default, where brine was started.
    let (_, verdict) = run(&person, "-o out --collect tree");
    assert_eq!(verdict["collected"].as_array().unwrap().len(), 3);
    assert_eq!(files(&person), ["out", "to", "tree"]);
    // A name that a file has beside another stays one.
    let inode = |name: &str| fs::metadata(person.path(name)).unwrap().ino();
    assert_eq!(inode("tree/one"), inode("tree/same"));
    let (_, verdict) = run(&person, "-o out");
    assert_eq!(verdict["collected"], json!([]));
}

#[test]
fn nothing_comes_out_of_a_job_that_did_not_end_well() {
    for (script, options, outcome) in [
        ("echo x > file; exit 3", "", "failed"),
        ("echo x > file; kill -9 $$", "", "killed"),
        ("echo x > file; echo no json", "--format json", "invalid-output"),
        ("echo x > file; echo long", "--limit output=2", "output-too-large"),
        ("echo x > file; sleep 100", "--limit wall=300ms", "timed-out"),
    ] {
        let person = Person::with_job(script);
        let (status, verdict) = run(&person, &format!("{options} --collect file -o out"));
        assert_ne!(status, 0);
        assert_eq!(verdict["outcome"], outcome, "{verdict}");
        assert_eq!(verdict["collected"], json!([]));
        assert!(files(&person).is_empty(), "{outcome}: {:?}", files(&person));
    }
}

/// Not even what is as it should be, and neither the output.
#[test]
fn one_file_that_is_refused_keeps_everything_in() {
    for (script, reason) in [
        ("true", "collected-missing"),
        ("ln -s /etc/passwd bad", "collected-not-plain"),
        ("ln -s good bad", "collected-not-plain"),
        ("mkdir bad; ln -s / bad/link", "collected-not-plain"),
        ("mkdir bad; touch \"bad/$(printf 'a\\nb')\"", "collected-name"),
        ("mkdir bad; touch \"bad/$(printf '\\377')\"", "collected-name"),
        ("truncate -s 60M bad; truncate -s 60M more", "collected-too-large"),
        (
            "mkdir bad; cd bad; for a in 0 1 2 3 4 5 6 7 8 9; do mkdir $a; done; cd 1; \
          seq 10000 | xargs touch",
            "collected-too-many",
        ),
    ] {
        let person = Person::with_job(&format!("echo x > good; touch more; {script}"));
        let (status, verdict) = run(
            &person,
            "--collect good --collect bad --collect more -o out --partial-output part",
        );
        assert_eq!((status, &verdict["outcome"]), (123, &"invalid-files".into()), "{verdict}");
        assert_eq!(verdict["output_error"]["reason"], reason, "{verdict}");
        assert_eq!(verdict["collected"], json!([]));
        assert_eq!(files(&person), ["part"]);
    }
}

#[test]
fn no_file_is_written_over_unless_that_is_asked_for() {
    let person = Person::with_job("echo new > file; echo new > other");
    let run = |options: &str| {
        let line = format!("brine run -q --collect other --collect file {options} job -- sh > out");
        let output = person.shell(&line).output().unwrap();
        fs::remove_file(person.path("out")).unwrap();
        output
    };
    person.write("file", "old");
    assert_refused(&run(""), 4, "\"./file\" exists already");
    assert_eq!((person.read("file"), files(&person)), (b"old".to_vec(), vec!["file".to_owned()]));
    assert!(run("--force").status.success());
    assert_eq!(person.read("file"), b"new\n");
    for path in ["file", "other"] {
        fs::remove_file(person.path(path)).unwrap();
    }
    // A directory and a link are not replaced, whatever was asked for.
    fs::create_dir(person.path("file")).unwrap();
    assert_refused(&run("--force"), 4, "no regular file, and is not replaced");
    fs::remove_dir(person.path("file")).unwrap();
    symlink("elsewhere", person.path("file")).unwrap();
    assert_refused(&run("--force"), 4, "no regular file, and is not replaced");
    assert_eq!(files(&person), ["file"]);
}

/// What takes the name while the job runs, too.
#[test]
fn a_file_that_was_made_meanwhile_stays() {
    let person = Person::with_job("echo new > a; echo new > b; sleep 1; echo out");
    let line = "(sleep 0.3; echo old > b) & brine run --json --collect a --collect b -o out job -- sh; \
         status=$?; wait; exit $status";
    let output = person.shell(line).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("\"reason\":\"exists\""), "{text}");
    assert_eq!((person.read("b"), files(&person)), (b"old\n".to_vec(), vec!["b".to_owned()]));
}

/// What cannot be written where it belongs leaves nothing of the others.
#[test]
fn files_do_not_come_out_if_the_output_does_not() {
    let person = Person::with_job("echo x > file; echo out");
    let (status, verdict) = run(&person, "--collect file > /dev/full");
    assert_eq!((status, &verdict["verdict"]), (4, &"failed".into()), "{verdict}");
    assert!(files(&person).is_empty());
    let (status, _) = run(&person, "--collect file --collect-to none -o out");
    assert_eq!(status, 4);
    assert!(files(&person).is_empty());
}

#[test]
fn places_that_cannot_be_are_usage_errors() {
    let person = Person::with_job("true");
    for (options, said) in [
        ("--collect a/file --collect b/file", "collected file and another collected file"),
        ("--collect a --collect a/b", "--collect a collects a/b, too"),
        ("--collect a --collect a", "--collect a collects a, too"),
        ("--collect job --force", "input and collected file are the same file"),
        ("--collect out -o out", "the same file"),
        ("--collect out --report out", "the same file"),
        ("--collect a --without namespaces", "--collect needs the namespaces"),
        ("--collect ../a", "a path below /job/work"),
        ("--collect /etc/passwd", "a path below /job/work"),
        ("--collect-to there", "--collect"),
        ("--force", "--collect"),
    ] {
        let line = format!("brine run {options} job -- sh");
        assert_mistyped(&person.shell(&line).output().unwrap(), said);
    }
    assert!(files(&person).is_empty());
}

/// Nor where a job may leave a link for the next.
#[test]
fn nothing_is_collected_to_where_jobs_write() {
    let person = Person::with_job("echo x > file");
    let work = person.path("work");
    fs::create_dir(&work).unwrap();
    person.write(
        "policy.toml",
        format!("[[allow]]\nsigners = [\"default\"]\nwrite.work = {work:?}\n"),
    );
    let line = "brine run --policy ./policy.toml --collect file --collect-to work job -- sh";
    assert_mistyped(&person.shell(line).output().unwrap(), "where the policy lets jobs write");
}
