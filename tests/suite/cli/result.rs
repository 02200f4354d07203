//! Signed results of jobs: `brine run --sign-result` and `brine verify --result-of`.

use std::process::Output;

use serde_json::Value;

use crate::common::{Person, assert_refused};

fn run(person: &Person, line: &str) -> Output {
    person.shell(line).output().unwrap()
}

/// Signs a script as the job in a file.
fn sign_job(person: &Person, script: &str, job: &str) {
    person.write("script", script);
    let signed = run(person, &format!("brine sign --job script -o {job}"));
    assert!(signed.status.success(), "{signed:?}");
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod of_jobs_that_run {
    use super::*;

    #[test]
    fn a_result_has_the_output_and_ends_as_the_job_did() {
        let person = Person::with_key();
        sign_job(&person, "echo out; echo careful >&2", "good");
        sign_job(&person, "echo out; echo oops >&2; exit 7", "bad");
        let line = "brine run --sign-result default good -- sh > good.result";
        assert_eq!(run(&person, line).status.code(), Some(0));
        let line = "brine run --sign-result default bad -- sh > bad.result";
        assert_eq!(run(&person, line).status.code(), Some(7));

        let output = run(&person, "brine verify --result-of good good.result");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"out\n"[..]));
        assert_eq!(output.stderr, b"brine: job: careful\n");
        let output = run(&person, "brine verify --result-of bad bad.result");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), &b""[..]));
        let said = "brine: job: oops\nbrine: error: the job did not end well: failed: the command ended with 7\n";
        assert_eq!(String::from_utf8(output.stderr).unwrap(), said);

        let output = run(&person, "brine verify --json --result-of bad bad.result");
        let verdict: Value = serde_json::from_slice(&output.stderr).unwrap();
        let result = &verdict["result"];
        assert_eq!((&verdict["verdict"], &verdict["kind"]), (&"verified".into(), &"result".into()));
        assert_eq!((&result["outcome"], &result["status"]), (&"failed".into(), &Value::from(7)));
        assert_eq!((&result["exit_code"], &result["errors"]), (&Value::from(7), &"oops\n".into()));
        assert!(result["wall_ms"].is_u64() && result["plan_digest"].is_string(), "{verdict}");
    }

    #[test]
    fn no_result_passes_for_that_of_another_job_kind_worker_or_purpose() {
        let person = Person::with_key();
        sign_job(&person, "echo out", "job");
        sign_job(&person, "echo out", "same");
        let lines = "brinekey gen worker --no-passphrase; brinekey trust remove worker; \
            brine run --sign-result default --result-context answers job -- sh > result; \
            brine run --sign-result worker job -- sh > stranger; \
            echo out | brine sign > data; head -c -1 result > cut; brinekey pub worker > worker.pub";
        assert!(run(&person, lines).status.success());
        for (line, code, said) in [
            ("-c answers --result-of same result", 5, "it is the result of another job"),
            ("--result-of job result", 5, "signature is for context \"answers\""),
            ("-c other --result-of job result", 5, "signature is for context \"answers\""),
            ("--result-of job stranger", 5, "is not trusted"),
            ("-c answers -p ./worker.pub --result-of job result", 5, "is not trusted"),
            ("-c answers --result-of job cut", 1, "it is cut short"),
            ("--result-of job data", 3, "not the result of a job"),
            ("--result-of job job", 3, "not the result of a job"),
            ("--result-of data result", 3, "not a job"),
            ("-c answers result", 3, "this is the result of a job"),
        ] {
            let output = run(&person, &format!("brine verify {line}"));
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                (output.status.code(), output.stdout.len()),
                (Some(code), 0),
                "{line}: {stderr}"
            );
            assert!(stderr.contains(said), "{line}: {stderr}");
        }
        let good = run(&person, "brine verify -p ./worker.pub --result-of job stranger");
        assert_eq!(good.stdout, b"out\n");
    }

    #[test]
    fn a_job_that_was_killed_has_a_result_without_output() {
        let person = Person::with_key();
        sign_job(&person, "echo out; sleep 60", "job");
        let line = "brine run --limit wall=200ms --sign-result default job -- sh > result";
        assert_eq!(run(&person, line).status.code(), Some(124));
        let output = run(&person, "brine verify --result-of job -o out result");
        assert_eq!(output.status.code(), Some(124), "{output:?}");
        assert!(!person.files().contains(&"out".to_owned()));
    }
}

/// What verified and is refused by the policy has a result; what did not verify has none.
#[test]
fn a_refusal_is_signed_if_the_job_verified() {
    let person = Person::with_key();
    person.write("script", "echo out");
    let lines = "brine sign --grant run=sh script -o job; head -c -1 job > cut";
    assert!(run(&person, lines).status.success());
    let output = run(&person, "brine run --sign-result default job > result");
    assert_refused(&output, 5, "the job asks for \"run=sh\", and there is no policy");
    let output = run(&person, "brine verify --result-of job result");
    assert_refused(&output, 5, "the job did not end well: refused (policy-absent)");
    let output = run(&person, "brine run --sign-result default cut -- sh > nothing");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(person.read("nothing"), b"");
}

#[test]
fn what_does_not_go_together_is_said() {
    let person = Person::with_key();
    sign_job(&person, "echo out", "job");
    for (line, said) in [
        ("brine run --sign-result default --explain job -- sh", "--explain"),
        ("brine run --result-context a job -- sh", "--sign-result"),
        ("brine verify --lines --result-of job job", "--result-of"),
        ("brine verify --result-of - job", "expected a file"),
    ] {
        let output = run(&person, line);
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{line}: {output:?}");
    }
    let output = run(&person, "brine run --sign-result none job -- sh");
    assert_refused(&output, 6, "no key named \"none\"");
}
