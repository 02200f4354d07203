//! `brine run --input`: a job works on data that nobody signed, and never runs it.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Person, assert_mistyped, assert_refused};

/// Types a line that ends well, and returns its standard output and its verdict.
#[track_caller]
fn ran(person: &Person, line: &str) -> (String, Value) {
    let output = person.shell(line).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {text}");
    let verdict = serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap();
    (String::from_utf8(output.stdout).unwrap(), verdict)
}

#[test]
fn a_script_works_on_an_input_that_nobody_signed() {
    let person = Person::with_job("tr a-z A-Z; echo $0");
    person.write("data", "abc\n");
    for line in [
        "brine run --json job --input data -- sh {}",
        "brine run --json job --input - -- sh {} < data",
        "cat data | brine run --json job --input /dev/stdin -- sh {}",
        "brine run --json --input data -- sh {} < job",
    ] {
        let (output, verdict) = ran(&person, line);
        assert_eq!(output, "ABC\n/job/payload\n", "{line}");
        assert_eq!(verdict["input_bytes"], 4, "{line}");
    }
    let (_, verdict) = ran(&person, "brine run --json job -- sh {}");
    assert_eq!(verdict["input_bytes"], Value::Null);
    // The payload is at its path, whether or not an argument names it.
    let line = "brine run --json job --input data -- sh -c 'cat /job/payload; cat'";
    assert_eq!(ran(&person, line).0, "tr a-z A-Z; echo $0abc\n");
}

/// More than pipes hold.
#[test]
fn a_large_input_flows_through() {
    let person = Person::with_job("sha256sum");
    let line = "head -c 9000000 /dev/zero > data; \
        brine run --json job --input data -- sh {} | cut -c1-64; sha256sum data | cut -c1-64";
    let (output, verdict) = ran(&person, line);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], lines[1]);
    assert_eq!(verdict["input_bytes"], 9_000_000);
}

/// What is left of it is nobody's any more, and its end is not waited for.
#[test]
fn a_job_need_not_read_its_input_or_wait_for_its_end() {
    let person = Person::with_job("head -c 4");
    let (output, _) = ran(&person, "brine run --json job --input /dev/zero -- sh {}");
    assert_eq!(output, "\0\0\0\0");
    // This end of the pipe stays open until the job has ended.
    let mut child = person.start_job(&["job", "--input", "-", "--", "sh", "{}"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"12345").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"1234"[..]));
    drop(input);
    let person = Person::with_job("exec <&-; echo done");
    let (output, verdict) = ran(&person, "brine run --json job --input /dev/zero -- sh {}");
    assert_eq!(output, "done\n");
    assert!(verdict["input_bytes"].is_u64());
}

/// It would be the input that runs, in place of what was signed.
#[test]
fn a_command_that_takes_its_program_from_standard_input_is_refused() {
    let person = Person::with_job("echo signed");
    person.write("data", "echo unsigned\n");
    let said = "the command would take its program from standard input, which --input is";
    for command in ["sh", "sh -e", "sh -", "sh - {}", "/usr/bin/python3 -I", "sh -s"] {
        let line = format!("brine run job --input data -- {command}");
        let output = person.shell(&line).output().unwrap();
        assert_mistyped(&output, said);
        let hint = String::from_utf8_lossy(&output.stderr).into_owned();
        let program = command.split(' ').next().unwrap();
        assert!(hint.contains(&format!("as in \"-- {program} {{}}\"")), "{hint}");
    }
    for command in ["sh {}", "sh {} -"] {
        let line = format!("brine run --json job --input data -- {command}");
        assert_eq!(ran(&person, &line).0, "signed\n");
    }
}

/// The signer chose the interpreter, and did not name the payload.
#[test]
fn an_interpreter_must_be_given_the_payload_by_its_path() {
    let person = Person::with_key();
    person.write("data", "echo unsigned\n");
    person.write(
        "policy.toml",
        "[[allow]]\nsigners = [\"default\"]\n\
         interpreters.sh = { path = \"/bin/sh\", arguments = [[], [\"-e\", \"{}\"], [\"-o\", \"errexit\"]] }\n",
    );
    for (grants, is_run) in [
        ("", false),
        ("--grant arg=-o --grant arg=errexit", false),
        ("--grant arg=-e --grant arg={}", true),
    ] {
        let line = format!(
            "echo 'echo signed' | brine sign --grant run=sh {grants} > job; \
             brine run -q --policy ./policy.toml job --input data"
        );
        let output = person.shell(&line).output().unwrap();
        if is_run {
            assert_eq!(String::from_utf8_lossy(&output.stdout), "signed\n", "{output:?}");
        } else {
            assert_mistyped(&output, "the command would take its program from standard input");
            assert!(String::from_utf8_lossy(&output.stderr).contains("--grant arg={}"));
        }
    }
}

#[test]
fn what_cannot_be_the_input_is_refused_before_anything_runs() {
    let person = Person::with_job("touch ran");
    for line in [
        "brine run --input - -- sh {} < job",
        "brine run - --input /dev/stdin -- sh {} < job",
        "brine run /dev/stdin --input - -- sh {} < job",
    ] {
        let said = "standard input cannot be both the job and its input";
        assert_mistyped(&person.shell(line).output().unwrap(), said);
    }
    person.write("data", "");
    let line = "brine run job --input data -o data -- sh {}";
    let output = person.shell(line).output().unwrap();
    assert_mistyped(&output, "input and output are the same file");
    for (input, said) in [("none", "\"none\""), (".", "directory")] {
        let line = format!("brine run job --input {input} -- sh {{}}");
        assert_refused(&person.shell(&line).output().unwrap(), 4, said);
    }
    assert_eq!(person.files(), ["data", "job", "script"]);
}

/// One job could leave a link there to what another is not to see.
#[test]
fn an_input_that_a_job_may_exchange_is_refused() {
    let person = Person::with_job("cat");
    let work = person.path("work");
    std::fs::create_dir(&work).unwrap();
    person.write("work/data", "");
    let policy = format!("[[allow]]\nsigners = [\"default\"]\nwrite.work = {work:?}\n");
    person.write("policy.toml", policy);
    let line = "brine run --policy ./policy.toml job --input work/data -- sh {}";
    assert_refused(&person.shell(line).output().unwrap(), 6, "where the policy lets jobs write");
}

#[test]
fn the_plan_says_that_there_is_an_input() {
    let person = Person::with_job("cat");
    person.write("data", "");
    let plan = |options: &str| -> Value {
        let line = format!("brine run job --explain --json {options} -- sh {{}} 2> /dev/null");
        serde_json::from_slice(&person.shell(&line).output().unwrap().stdout).unwrap()
    };
    let (with, without) = (plan("--input data"), plan(""));
    assert_eq!(
        (&with["delivery"], &without["delivery"]),
        (&"file-and-input".into(), &"file".into())
    );
    assert_ne!(with["plan_digest"], without["plan_digest"]);
}

/// While the job waits for an input that does not come.
#[test]
fn an_interrupt_ends_brine_and_the_job() {
    let person = Person::with_job("cat > /job/files/work/copy");
    let work = person.path("work");
    std::fs::create_dir(&work).unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&work, everybody).unwrap();
    let policy = format!(
        "[[allow]]\nsigners = [\"default\"]\nwrite.work = {work:?}\n\
         interpreters.sh = {{ path = \"/bin/sh\", arguments = [[\"{{}}\"]] }}\n"
    );
    person.write("policy.toml", policy);
    let line = "brine sign --grant run=sh --grant arg={} --grant write=work script -o granted";
    assert!(person.shell(line).output().unwrap().status.success());
    let arguments = ["--policy", "./policy.toml", "granted", "--input", "-", "-o", "out"];
    let mut child = person.start_job(&arguments);
    child.stdin.as_mut().unwrap().write_all(b"some").unwrap();
    while std::fs::metadata(work.join("copy")).map_or(0, |found| found.len()) < 4 {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2));
    assert!(!person.files().iter().any(|file| file == "out"));
}
