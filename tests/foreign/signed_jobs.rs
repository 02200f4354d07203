//! A function that travels, as docs/signed-jobs.md shows it, and what may go wrong on the way.

use std::process::Output;
use std::sync::LazyLock;

use serde_json::Value;

use crate::common::Person;
use crate::page::Page;

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::read("docs/signed-jobs.md"));

/// A client and a worker who know each other, and a job on its way.
struct Work {
    client: Person,
    worker: Person,
}

impl Work {
    fn new() -> Self {
        let work = Self { client: Person::with_key(), worker: Person::new() };
        work.worker.write("client.pub", crate::run(&work.client, "brinekey", "brinekey pub"));
        script(&work.worker, "The worker, once");
        script(&work.client, "The client");
        work.worker.write("job", work.client.read("job"));
        work
    }

    /// Sends a job with another body for its function, asking for `grants`.
    fn send(&self, body: &str, grants: &str) {
        let job = "import sys, cloudpickle\n\ndef work():\n".to_owned();
        let rest = "\nsys.stdout.buffer.write(cloudpickle.dumps((work, ())))\n";
        self.client.write("job.py", job + body + rest);
        let line = format!(
            "/usr/bin/python3 job.py > job.pkl && brine sign --job --context jobs/mean {grants} job.pkl -o job"
        );
        crate::run(&self.client, "brine", &line);
        self.worker.write("job", self.client.read("job"));
    }

    /// Runs the job as the page does, and returns its verdict with what was printed.
    fn run(&self) -> (Output, Value) {
        let section = PAGE.snippet("The worker, for each job", "");
        let (_, run) = section.split_once("brine scan").unwrap();
        let (_, run) = run.split_once('\n').unwrap();
        let run = run.replace("> result.json", "");
        let (run, _) = run.split_once("brine sign").unwrap();
        let output = self.worker.shell(run).output().unwrap();
        let verdict = serde_json::from_slice(&self.worker.read("verdict")).unwrap();
        (output, verdict)
    }
}

#[track_caller]
fn script(person: &Person, section: &str) -> Vec<u8> {
    crate::run(person, "brine", PAGE.snippet(section, ""))
}

#[test]
fn a_function_is_sent_and_its_result_comes_back() {
    let work = Work::new();
    script(&work.worker, "The worker, for each job");
    let imports = String::from_utf8(work.worker.read("imports")).unwrap();
    assert!(imports.contains("cloudpickle"), "{imports}");
    work.client.write("worker.pub", crate::run(&work.worker, "brinekey", "brinekey pub"));
    work.client.write("result", work.worker.read("result"));
    let result = script(&work.client, "The client again");
    assert!(result.ends_with(b"{\"result\": 3.0}"), "{result:?}");
}

#[test]
fn each_thing_that_goes_wrong_has_its_own_verdict_and_the_next_job_runs() {
    let work = Work::new();
    let genuine = work.worker.read("job");
    let table = crate::common::project_text("docs/signed-jobs.md");
    let check = |row: &str, status: i32, word: &str| {
        let (output, verdict) = work.run();
        assert_eq!(output.status.code(), Some(status), "{row}: {output:?} {verdict}");
        assert_eq!(output.stdout, b"", "{row}");
        let told = verdict["outcome"].as_str().or(verdict["reason"].as_str()).unwrap();
        assert_eq!(told, word, "{row}: {verdict}");
        let line = table.lines().find(|line| line.contains(row));
        let line = line.unwrap_or_else(|| panic!("the page has no row for {row}"));
        assert!(line.contains(&format!("| {status} | `{word}`")), "{line}");
        verdict
    };
    let mut altered = genuine.clone();
    *altered.last_mut().unwrap() ^= 1;
    work.worker.write("job", altered);
    check("a job that was altered", 1, "signature-bad");
    let stranger = Person::with_key();
    stranger.write("job.pkl", work.client.read("job.pkl"));
    crate::run(&stranger, "brine", "brine sign --job --context jobs/mean job.pkl -o job");
    work.worker.write("job", stranger.read("job"));
    check("a job of somebody unknown", 5, "unknown-signer");
    work.send("    return 1\n", "--grant tcp=443");
    check("a job that asks for more", 5, "grant-not-allowed");
    crate::run(&work.client, "brine", "brine sign --job --context jobs/other job.pkl -o other");
    work.worker.write("job", work.client.read("other"));
    check("a job for another purpose", 5, "context-mismatch");
    work.send("    import time\n    time.sleep(60)\n", "--grant wall=500ms");
    check("a function that never ends", 124, "timed-out");
    work.send("    while True: pass\n", "--grant cpu=1s");
    check("one that computes for ever", 137, "out-of-processor-time");
    work.send("    return len(bytearray(1 << 40))\n", "");
    let verdict = check("one that takes all memory", 1, "failed");
    assert!(verdict["errors"].as_str().unwrap().contains("MemoryError"), "{verdict}");
    let body = "    import socket\n    socket.create_connection(('127.0.0.1', 80), 1)\n";
    work.send(body, "");
    let verdict = check("one that connects to somewhere", 1, "failed");
    assert!(verdict["errors"].as_str().unwrap().contains("PermissionError"), "{verdict}");
    work.send("    print('no JSON')\n", "");
    check("one that prints what is no JSON", 123, "invalid-output");
    work.worker.write("job", genuine);
    let (output, verdict) = work.run();
    assert_eq!(output.stdout, b"{\"result\": 3.0}", "{verdict}");
}
