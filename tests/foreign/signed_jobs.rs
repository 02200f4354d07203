//! A function that travels, as docs/signed-jobs.md shows it, and what may go wrong on the way.

use std::process::Output;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::Person;
use crate::page::Page;

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::read("docs/signed-jobs.md"));

/// A client and a worker who know each other.
struct Work {
    client: Person,
    worker: Person,
}

impl Work {
    fn new() -> Self {
        let work = Self { client: Person::with_key(), worker: Person::new() };
        work.worker.write("client.pub", crate::run(&work.client, "brinekey", "brinekey pub"));
        script(&work.worker, PAGE.snippet("The worker", ""));
        work.client.write("worker.pub", crate::run(&work.worker, "brinekey", "brinekey pub"));
        script(&work.client, PAGE.snippet("The client", ""));
        work
    }

    /// A line of the page, with a queue of this test.
    fn with_queue(&self, line: &str) -> String {
        line.replace("/srv/jobs.db", self.worker.path("jobs.db").to_str().unwrap())
    }

    /// Sends a job with another body for its function, asking for `grants`, in a file.
    fn send(&self, body: &str, grants: &str) {
        let job = "import sys, cloudpickle\n\ndef work():\n".to_owned();
        let rest = "\nsys.stdout.buffer.write(cloudpickle.dumps((work, ())))\n";
        self.client.write("job.py", job + body + rest);
        let line = format!(
            "/usr/bin/python3 job.py > job.pkl && \
             brine sign --job --context jobs/mean --expires 1h {grants} job.pkl -o job"
        );
        crate::run(&self.client, "brine", &line);
        self.worker.write("job", self.client.read("job"));
    }

    /// Runs the job as the page does, and returns how that ended, with its verdict.
    fn run(&self) -> (Output, Value) {
        let section = PAGE.snippet("Without a queue", "The worker runs it");
        let (_, run) = section.split_once("/usr/bin/python3\n").unwrap();
        let output = self.worker.shell(run).output().unwrap();
        let verdict = serde_json::from_slice(&self.worker.read("verdict")).unwrap();
        (output, verdict)
    }
}

#[track_caller]
fn script(person: &Person, lines: &str) -> Vec<u8> {
    crate::run(person, "brine", lines)
}

#[test]
fn a_function_is_sent_over_a_queue_and_its_result_comes_back() {
    let work = Work::new();
    let line = work.with_queue(PAGE.snippet("The worker", "At work"));
    let call = work.with_queue(PAGE.snippet("The client", "Each time"));
    // It ends by itself when the test has ended.
    let line = line.replace("brine work", "brine work --wait 4s");
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| work.worker.shell(&line).output().unwrap());
        let begun = Instant::now();
        while !work.worker.path("jobs.db").exists() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the worker makes no queue");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(script(&work.client, &call), b"{\"result\": 3.0}");
        // The word of another is not taken for that of this worker.
        let other = call.replace("--signer worker", "--signer default");
        let other = other.replace("brine call", "brine call --wait 2s");
        let output = work.client.shell(&other).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(124), 0), "{output:?}");
        let ended = worker.join().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    });
}

#[test]
fn a_function_is_sent_in_a_file_and_its_result_comes_back() {
    let work = Work::new();
    let snippet = PAGE.snippet("The client", "Each time");
    let (make, _) = snippet.split_once("brine call").unwrap();
    script(&work.client, make);
    script(&work.client, PAGE.snippet("Without a queue", "The client signs the job"));
    work.worker.write("job", work.client.read("job"));
    script(&work.worker, PAGE.snippet("Without a queue", "The worker runs it"));
    work.client.write("result", work.worker.read("result"));
    let verify = PAGE.snippet("Without a queue", "The client verifies the result");
    assert_eq!(script(&work.client, verify), b"{\"result\": 3.0}");
    work.send("    return 3.0\n", "--grant format=json");
    let output = work.client.shell(verify).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.is_empty() && said.contains("another job"), "{said}");
}

#[test]
fn each_thing_that_goes_wrong_has_its_own_verdict_and_the_next_job_runs() {
    let work = Work::new();
    work.send("    return 3.0\n", "--grant format=json");
    let genuine = work.worker.read("job");
    let table = crate::common::project_text("docs/signed-jobs.md");
    let check = |row: &str, status: i32, word: &str| {
        let (output, verdict) = work.run();
        assert_eq!(output.status.code(), Some(status), "{row}: {output:?} {verdict}");
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
    work.send("    print('no JSON')\n", "--grant format=json");
    check("one that prints what is no JSON", 123, "invalid-output");
    work.worker.write("job", genuine);
    let (output, verdict) = work.run();
    assert_eq!(output.status.code(), Some(0), "{verdict}");
}
