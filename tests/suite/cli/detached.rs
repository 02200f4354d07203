//! Signatures beside files, small and large, one and many.

use std::process::Output;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

/// Somebody with a small file, a large one and a larger one, each with its signature.
fn with_signatures(options: &str) -> Person {
    let person = Person::with_key();
    let line = format!(
        "echo small > a; head -c 3000000 /dev/urandom > b; head -c 9000001 /dev/zero > c; \
         brine sign -d {options} a b c"
    );
    assert!(run(&person, &line).status.success(), "{options}");
    assert_eq!(person.files(), ["a", "a.sig", "b", "b.sig", "c", "c.sig"]);
    person
}

#[test]
fn small_files_are_signed_whole_and_large_ones_by_their_digest() {
    for options in ["", "--hash sha256", "--threads 1", "--context c --expires 1h", "-a"] {
        let person = with_signatures(options);
        assert!(person.read("c.sig").len() < 600);
        let context = if options.contains("context") { "--context c" } else { "" };
        for (line, said) in [
            ("brine verify --signature a.sig a", "a: OK\n"),
            ("brine verify --signature b.sig b", "b: OK\n"),
            ("brine verify --threads 1 --signature c.sig c", "c: OK\n"),
            ("brine verify c.sig", "c: OK\n"),
            ("brine verify -d c", "c: OK\n"),
            ("brine verify --check c.sig", ""),
            ("brine verify --signature c.sig < c", "standard input: OK\n"),
            ("cat c | brine verify --signature c.sig", "standard input: OK\n"),
            ("cat c | brine verify --signature c.sig -", "standard input: OK\n"),
            ("cat c.sig | brine verify --signature - c", "c: OK\n"),
        ] {
            let output = run(&person, &format!("{line} {context}"));
            assert!(output.status.success(), "{line}: {output:?}");
            assert_eq!(String::from_utf8(output.stdout).unwrap(), said, "{line}");
        }
        for name in ["a", "b", "c"] {
            let output = run(
                &person,
                &format!("(cat {name}; echo) | brine verify {context} --signature {name}.sig"),
            );
            let reason = if name == "a" {
                "signature does not verify"
            } else {
                "content is not what was signed"
            };
            assert_refused(&output, 1, reason);
        }
    }
}

#[test]
fn a_digest_is_no_content_and_a_segment_no_digest() {
    let person = with_signatures("");
    assert!(run(&person, "brine sign --segment-size 1MiB b > stream").status.success());
    assert_refused(
        &run(&person, "head -c 300 stream > s; brine verify --signature s b"),
        3,
        "an envelope with a payload of its own, and no signature of \"b\"",
    );
}

#[test]
fn a_line_and_a_status_for_each_of_many_files() {
    let person = with_signatures("");
    let output = run(&person, "brine verify -d a b c");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "a: OK\nb: OK\nc: OK\n");
    assert!(run(&person, "echo >> b; rm c.sig").status.success());
    let output = run(&person, "brine verify -d a b c");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"a: OK\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        "brine: error: \"b\": content is not what was signed: it was altered, or belongs to another signature\n\
         brine: error: \"c\" has no signature \"c.sig\" beside it\n\
         brine: hint: if it is elsewhere: brine verify --signature SIG c\n\
         brine: error: 2 of 3 files did not verify\n"
    );
}

#[test]
fn a_verdict_for_each_of_many_files() {
    let person = Person::with_key();
    let line = "for f in a b c; do echo $f > $f; done; brine sign -d a b c; echo x > b; rm c.sig; \
        brine verify -d --report verdicts --json a b c; echo $? > status";
    let output = run(&person, line);
    let lines = String::from_utf8(output.stderr).unwrap();
    assert_eq!(lines.into_bytes(), person.read("verdicts"));
    let verdicts = person.read("verdicts");
    let verdicts: Vec<serde_json::Value> = verdicts
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let told =
        |member: &str| verdicts.iter().map(|verdict| verdict[member].clone()).collect::<Vec<_>>();
    assert_eq!(told("file"), ["a", "b", "c"]);
    assert_eq!(told("verdict"), ["verified", "refused", "failed"]);
    assert_eq!(told("status"), [0, 1, 4]);
    assert_eq!(told("detached")[0], true);
    assert_eq!(person.read("status"), b"1\n");
}

#[test]
fn a_set_goes_on_past_a_file_that_cannot_be_signed() {
    let person = with_signatures("");
    let before = person.read("b.sig");
    assert!(run(&person, "rm a.sig c.sig").status.success());
    let output = run(&person, "brine sign -d a b missing c");
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with(
            "brine: error: \"b.sig\" exists already\n\
             brine: hint: to replace it, give -f: brine sign -d -f b\n\
             brine: error: cannot read \"missing\": No such file"
        ) && stderr.ends_with("\nbrine: error: 2 of 4 files were not signed\n"),
        "{stderr}"
    );
    assert!(person.read("b.sig") == before && !person.path("missing.sig").exists());
    assert_eq!(run(&person, "brine verify -d a b c").stdout, b"a: OK\nb: OK\nc: OK\n");
    assert!(run(&person, "brine sign -d -f a b c").status.success());
    assert!(person.read("b.sig") != before);
}

/// Whatever is wrong with one of them, and in whatever order: the first of them decides about the status.
#[test]
fn a_set_goes_on_past_a_file_that_cannot_be_verified() {
    let person = with_signatures("");
    let line = "mkdir d; cp a.sig d.sig; echo x > e; brine sign e -o e.sig; echo f > f; cp b.sig f.sig; \
        cp a.sig g.sig; echo x > h; brine sign --context c -d h; echo text > i; echo text > i.sig";
    assert!(run(&person, line).status.success());
    for (files, status) in [
        ("d e f g h i none", 4),
        ("e f g h i none d", 3),
        ("f g h i none d e", 1),
        ("g h i none d e f", 2),
        ("h i none d e f g", 5),
        ("i none d e f g h", 3),
        ("none d e f g h i", 4),
    ] {
        let output = run(&person, &format!("brine verify -d a {files} b"));
        assert_eq!(output.status.code(), Some(status), "{files}: {output:?}");
        assert_eq!(output.stdout, b"a: OK\nb: OK\n", "{files}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.ends_with("brine: error: 7 of 9 files did not verify\n"), "{stderr}");
        assert_eq!(stderr.matches(": error: ").count(), 8, "{stderr}");
        for file in files.split(' ') {
            let named = |line: &str| {
                line.contains(&format!("\"{file}")) || line.contains(&format!("{file}\""))
            };
            assert!(stderr.lines().any(named), "{file}: {stderr}");
        }
    }
    // Of a directory, too, nothing is left where its signature would be.
    let output = run(&person, "rm d.sig; brine sign -d -f a d b");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(!person.path("d.sig").exists());
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_signed() {
    let person = with_signatures("");
    let before = person.files();
    for line in [
        "brine sign a b",
        "brine sign -d a b -o out",
        "brine sign -d -f a ./a",
        "brine sign -d -f b a ./a.sig",
        "brine sign -f a",
        "brine verify a.sig b",
        "brine verify a b",
        "brine verify -d",
        "brine verify -d -",
        "brine verify -d a -o out",
    ] {
        let output = run(&person, line);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]), "{line}");
        assert_eq!(person.files(), before, "{line}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_hashed_is_an_error() {
    let person = Person::with_key();
    let line = "truncate -s 3G big; (while [ ! -e done ]; do echo x >> big; sleep 0.05; done) & \
                brine sign -d --hash sha256 big; status=$?; touch done; wait; exit $status";
    let output = run(&person, line);
    assert_refused(&output, 4, "it changed while it was read");
    assert!(!person.path("big.sig").exists());
}

/// A file of procfs says that it is empty.
#[test]
fn what_a_file_says_of_its_length_is_not_believed() {
    let person = Person::with_key();
    let line = "brine sign -d --segment-size 16 -o sig /proc/version && cat /proc/version > copy";
    assert!(run(&person, line).status.success());
    for same in ["/proc/version", "copy"] {
        let line = format!("brine verify --signature sig {same}");
        assert!(run(&person, &line).status.success(), "{same}");
    }
    for other in ["/dev/null", "/proc/cpuinfo", "sig"] {
        let output = run(&person, &format!("brine verify --signature sig {other}"));
        assert_refused(&output, 1, "content is not what was signed");
    }
    // The same of a payload that is signed whole.
    let line = "brine sign -d -o sig /proc/version && brine verify --signature sig copy";
    assert!(run(&person, line).status.success());
    let output = run(&person, "brine verify --signature sig /dev/null");
    assert_refused(&output, 1, "signature");
}

#[test]
fn a_report_goes_over_none_of_the_files_it_is_about() {
    let person = with_signatures("");
    for file in ["b", "b.sig", "c"] {
        let before = person.read(file);
        let output = run(&person, &format!("brine verify -d a b c --report {file}"));
        assert_refused(&output, 2, "input and report are the same file");
        assert_eq!(person.read(file), before, "{file}");
        let output = run(&person, &format!("brine verify -d a b c >> {file}"));
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert_eq!(person.read(file), before, "{file}");
    }
}

/// JSON is text, and names are bytes.
#[test]
fn names_that_are_not_utf8_keep_their_bytes() {
    let person = Person::with_key();
    let line = r#"a=$(printf 'x\377'); b=$(printf 'x\376'); echo 1 > "$a"; echo 2 > "$b"; echo 3 > 'x\xff';
        brine sign -d "$a" "$b" 'x\xff'; brine verify -d --json "$a" "$b" 'x\xff' "#;
    let output = run(&person, line);
    let lines = String::from_utf8(output.stderr).unwrap();
    let verdicts: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |name: &str| verdicts.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("file"), [r"x\xff", r"x\xfe", r"x\xff"]);
    assert_eq!(told("file_hex"), ["78ff".into(), "78fe".into(), serde_json::Value::Null]);
    assert_eq!(output.stdout, b"x\\xff: OK\nx\\xfe: OK\nx\\xff: OK\n");
}

#[test]
fn the_length_of_a_payload_is_what_was_read() {
    let person = with_signatures("");
    let line =
        "brine sign -d --segment-size 16 -o sig a; cat a | brine verify --signature sig --json";
    let verdict: serde_json::Value = serde_json::from_slice(&run(&person, line).stderr).unwrap();
    assert_eq!(verdict["payload_bytes"], person.read("a").len());
}

#[test]
fn more_files_than_can_be_open_are_signed_each_under_a_name_of_its_own() {
    let person = Person::with_key();
    let line = "ulimit -n 32; for n in $(seq 60); do echo $n > f$n; done; \
        brine sign -d f* && brine verify -d -q f? f??; \
        for n in $(seq 60); do brine inspect f$n.sig | grep 'claim id'; done | sort -u | wc -l";
    let output = run(&person, line);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "60", "{output:?}");
}

#[test]
fn with_plain_or_single_a_large_payload_is_signed_whole() {
    let person = Person::with_key();
    assert!(run(&person, "head -c 5000000 /dev/urandom > large").status.success());
    for option in ["--plain", "--single", "--single --armor"] {
        let line = format!(
            "brine sign -d {option} -o sig large && brine verify --untyped --signature sig large && \
             brine inspect sig | grep -q 'payload       detached'"
        );
        assert!(run(&person, &line).status.success(), "{option}");
        let output =
            run(&person, "printf x >> large; brine verify --untyped --signature sig large");
        assert_refused(&output, 1, "signature");
    }
}

/// `grep OK` must not be fooled by what somebody wrote into an envelope.
#[test]
fn a_line_that_ends_in_ok_is_one_that_verified() {
    let person = Person::with_key();
    // {1: -8, 4: h'01', 16: "a/b: OK"}, {}, nil
    let mut envelope = crate::common::unhex("d2844fa301270441011067612f623a204f4ba0f6");
    envelope.extend([0x58, 0x40]);
    envelope.extend([7; 64]);
    person.write("a", "x");
    person.write("a.sig", envelope);
    let output = run(&person, "brine verify -d a");
    assert_refused(&output, 3, "unknown envelope type \"a/b: OK\"");
}
