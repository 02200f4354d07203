//! `brine work --python`, and programs that are outside of the system directories. python/tests has Python itself.
#![cfg(all(feature = "sandbox", target_os = "linux"))]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Output, Stdio};

use crate::common::{Person, assert_mistyped, assert_refused};

const URL: &str = "sqlite:q?queue=work";

/// Answers as a Python does that is asked for its libraries, and then as the loader does.
const PYTHON: &str = r#"#!/bin/sh
case $3 in
*cloudpickle*) printf '%s\0%s\0' OWN/bin/python OWN/lib ;;
*main*) cat > /dev/null; cat OWN/lib/answer ;;
esac
"#;

/// Somebody with a Python of their own, whose answer is a file of its library.
fn operator(answer: &[u8]) -> Person {
    let person = Person::with_key();
    person.write("policy.toml", "[[allow]]\nsigners = [\"default\"]\nreplies = [\"reply/*\"]\n");
    for directory in ["own", "own/bin", "own/lib"] {
        fs::create_dir(person.path(directory)).unwrap();
        fs::set_permissions(person.path(directory), fs::Permissions::from_mode(0o755)).unwrap();
    }
    person.write("own/lib/answer", answer);
    let own = person.path("own").canonicalize().unwrap();
    program(&person, "own/bin/python", &PYTHON.replace("OWN", own.to_str().unwrap()));
    person
}

fn program(person: &Person, name: &str, script: &str) {
    person.write(name, script);
    fs::set_permissions(person.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn shell(person: &Person, line: &str) -> Output {
    person.shell(&line.replace("URL", &format!("'{URL}'"))).output().unwrap()
}

/// A worker, which is ended with the test.
struct Worker(Child);

impl Worker {
    fn start(person: &Person) -> Self {
        let worker = std::process::Command::new(env!("CARGO_BIN_EXE_brine"))
            .args(["work", URL, "--policy", "policy.toml", "--python=own/bin/python"])
            .env("BRINE_HOME", person.home_path(""))
            .current_dir(person.path(""))
            .stdin(Stdio::null())
            .stderr(fs::File::create(person.path("errors")).unwrap())
            .spawn();
        Self(worker.unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_python_sees_its_libraries_and_answers_in_cbor() {
    for (answer, status) in [(&b"\xa1\x61v\x01"[..], 0), (b"hello\n", 123)] {
        let person = operator(answer);
        let _worker = Worker::start(&person);
        let output = shell(&person, "echo call | brine call --wait 30s URL");
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        match status {
            0 => assert_eq!(output.stdout, answer),
            _ => assert!(stderr.contains("invalid-output"), "{stderr}"),
        }
    }
}

#[test]
fn a_python_that_cannot_run_functions_stops_the_worker() {
    let person = operator(b"");
    program(&person, "own/bin/python", "#!/bin/sh\necho 'No module named brine' >&2; exit 1\n");
    let output = shell(&person, "brine work --python=own/bin/python URL");
    assert_refused(&output, 2, "cannot run functions: No module named brine");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pip install"), "{output:?}");
    program(&person, "own/bin/python", "#!/bin/sh\n");
    let output = shell(&person, "brine work --python=own/bin/python URL");
    assert_refused(&output, 2, "it does not say where its libraries are");
    let output = shell(&person, "brine work --python=own/bin/none URL");
    assert_refused(&output, 127, "no program \"own/bin/none\"");
    let output = shell(&person, "brine work --python URL -- sh");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_job_is_shown_the_directories_that_the_operator_names() {
    let person = operator(b"precious\n");
    let lib = person.path("own/lib").canonicalize().unwrap();
    let lib = lib.to_str().unwrap();
    shell(&person, &format!("echo 'cat {lib}/answer' | brine sign --job -o job"));
    let output = shell(&person, "brine run job -- sh");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    let output = shell(&person, &format!("brine run --system {lib} job -- sh"));
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"precious\n"[..]));
    // It may be read and not written.
    shell(&person, &format!("echo 'echo x > {lib}/answer' | brine sign --job -o writes"));
    let output = shell(&person, &format!("brine run --system {lib} writes -- sh"));
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(person.read("own/lib/answer"), b"precious\n");
    // The plan says so.
    let output = shell(&person, &format!("brine run --explain --system {lib} job -- sh"));
    assert!(String::from_utf8_lossy(&output.stdout).contains(lib), "{output:?}");
    for wrong in ["own/lib", "/own/../lib", "/"] {
        let output = shell(&person, &format!("brine run --system {wrong} job -- sh"));
        assert_mistyped(&output, "expected a path that begins with");
    }
}

/// What a job may write, no job executes.
#[test]
fn no_directory_is_shown_that_jobs_may_write() {
    let person = operator(b"");
    let own = person.path("own").canonicalize().unwrap();
    let own = own.to_str().unwrap();
    person.write(
        "policy.toml",
        format!("[[allow]]\nsigners = [\"default\"]\nwrite = {{ own = \"{own}\" }}\n"),
    );
    shell(&person, "echo 'echo x' | brine sign --job -o job");
    let line = format!("brine run --policy policy.toml --system {own}/lib job -- sh");
    assert_refused(&shell(&person, &line), 6, "where the policy lets jobs write");
}
