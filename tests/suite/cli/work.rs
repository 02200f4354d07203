//! Jobs over a queue: `brine work` and `brine call`.
#![cfg(all(feature = "sandbox", target_os = "linux"))]

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use brine_core::cose::{Tagging, label};
use brine_core::{Classified as _, Clock as _, SigningKey, Statement, UnverifiedEnvelope, sign};
use brine_job::{Grants, JobId, JobResult};
use brine_queue::{DeadLetters as _, Queue as _, ReceiveBounds};

use super::queue_kit::{URL, done, open_queue, opened, run, start, wait_for};
use crate::common::{
    Person, SystemClock, assert_mistyped, assert_refused, key, project_text, public_line,
};
use crate::page::Page;

const POLICY: &str = r#"
[[allow]]
signers = ["default"]
replies = ["reply/*"]
write = { work = "DIRECTORY/work" }
interpreters.sh = { path = "/bin/sh", arguments = [["-"]] }
"#;

/// Somebody with a policy, who can write below `work`.
fn operator() -> Person {
    let person = Person::with_key();
    std::fs::create_dir(person.path("work")).unwrap();
    std::fs::set_permissions(
        person.path("work"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    person.write(
        "policy.toml",
        POLICY.replace("DIRECTORY", person.path("").to_str().unwrap().trim_end_matches('/')),
    );
    person
}

/// A worker, which is ended with the test.
struct RunningWorker(Child);

impl RunningWorker {
    fn start(person: &Person, options: &[&str]) -> Self {
        let errors = std::fs::File::create(person.path("errors")).unwrap();
        let words = [&["work", URL, "--policy", "policy.toml"], options].concat();
        Self(start(person, &words, errors))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_call_ends_as_its_job_did() {
    let person = operator();
    let _worker = RunningWorker::start(&person, &["--jobs", "2"]);
    let call = "brine call --grant run=sh --grant arg=- --wait 30s";
    let output =
        run(&person, &format!("echo 'cat /etc/hostname; echo out; echo err >&2' | {call} URL"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.ends_with(b"out\n"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("job: err"), "{output:?}");
    for (script, more, code, said) in [
        ("exit 7", "", 7, "failed: the command ended with 7"),
        ("sleep 60", "--grant wall=300ms", 124, "timed-out"),
        ("echo x", "--grant tcp=80", 5, "refused (grant-not-allowed)"),
        ("echo x", "--grant arg=-x", 5, "refused (grant-arguments)"),
        ("head -c 20000000 /dev/zero", "--grant output=30MiB", 123, "output-too-large"),
        ("kill -9 $$", "", 137, "killed: by signal 9"),
    ] {
        let output =
            run(&person, &format!("echo '{}' | {call} {more} URL", script.replace('\'', "'\\''")));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(code), 0),
            "{script}: {stderr}"
        );
        assert!(stderr.contains(said), "{script}: {stderr}");
    }
    assert_eq!(opened(&person, "work").status().unwrap().dead, 0);
    // The worker says of each job which it is, and how it ended.
    let told = String::from_utf8(person.read("errors")).unwrap();
    for said in [
        ": err\n",
        " of default ended well after ",
        " of default failed: the command ended with 7\n",
    ] {
        let line =
            |line: &str| line.starts_with("brine: job ") && format!("{line}\n").contains(said);
        assert!(told.lines().any(line), "{told} does not say {said}");
    }
}

#[test]
fn nobody_at_work_is_a_time_limit() {
    let person = operator();
    let output = run(&person, "echo true | brine call --wait 1s URL");
    assert_refused(&output, 124, "queue \"work\" gave no result within 1s");
}

/// A worker that made the queue after the job was signed would leave the job there: its ledger knows of nothing before.
#[test]
fn a_call_signs_when_the_queue_is_there() {
    let person = operator();
    let input = "{ for _ in $(seq 600); do test -e q && break; sleep 0.05; done; test -e q && touch before; echo true; }";
    let output = run(&person, &format!("{input} | brine call --wait 1s URL"));
    assert_refused(&output, 124, "queue \"work\" gave no result within 1s");
    assert!(person.path("before").exists(), "the queue is made after the job is signed");
}

/// Whatever is on the queue, the worker goes on.
#[test]
fn what_is_no_job_of_a_trusted_signer_is_a_dead_letter() {
    let person = operator();
    done(
        &person,
        "echo x | brine send 'sqlite:q?queue=orders'; echo x | brine send 'sqlite:q?queue=work'; brine recv URL",
    );
    let lines = "brinekey gen stranger --no-passphrase; brinekey trust remove stranger; \
        sign='brine sign --job --grant run=sh --grant arg=-'; echo 'echo x' > s; \
        $sign -k stranger -c work --expires 1h s > stranger; $sign -c work s > timeless; \
        $sign -c other --expires 1h s > elsewhere; brine sign -c work --expires 1h s > data; \
        $sign --grant reply=orders -c work --expires 1h s > robber; \
        $sign -c work --expires 1h s > good; head -c -1 good > altered; printf x >> altered";
    assert!(run(&person, lines).status.success());
    let names = ["stranger", "timeless", "elsewhere", "data", "robber", "altered", "good", "good"];
    let messages = names.map(|name| person.read(name));
    opened(&person, "work").publish(&messages.each_ref().map(Vec::as_slice)).unwrap();
    let mut worker = RunningWorker::start(&person, &["--wait", "1s"]);
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    let mut queue = opened(&person, "work");
    let dead = queue.dead_letters(0, 99).unwrap();
    let reasons: Vec<_> = dead.iter().map(|letter| letter.reason.as_str()).collect();
    let expected = [
        "unknown-signer",
        "replay-expiry-missing",
        "context-mismatch",
        "wrong-kind",
        "grant-not-allowed",
        "signature-bad",
    ];
    assert_eq!(reasons, expected);
    let status = queue.status().unwrap();
    // The good one, its copy, and the message that was taken before.
    assert_eq!((status.ready, status.held, status.acknowledged), (0, 0, 3));
    // Nothing was put where the policy does not let replies go.
    assert_eq!(opened(&person, "orders").status().unwrap().sent, 1);
}

#[test]
fn a_job_that_is_not_valid_yet_stays_queued() {
    let person = operator();
    done(&person, "echo true | brine send --job --not-before 1h --expires 2h URL");
    let line = "brine work --policy policy.toml --wait 1s URL -- sh";
    assert_eq!(run(&person, line).status.code(), Some(0));
    let status = opened(&person, "work").status().unwrap();
    assert_eq!((status.held, status.dead, status.acknowledged), (1, 0, 0));
}

/// Nobody would look at what it does.
#[test]
fn a_job_that_nobody_waits_for_any_more_is_taken_back() {
    let person = operator();
    let call = "echo true | brine call --grant run=sh --wait 1s URL";
    let output = run(&person, call);
    assert_eq!(output.status.code(), Some(124), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("it was taken back"), "{output:?}");
    let status = opened(&person, "work").status().unwrap();
    assert_eq!((status.sent, status.ready + status.held, status.dead), (1, 0, 0));
    let output = run(&person, "echo true | brine call --signer worker URL");
    assert_refused(&output, 6, "nobody called \"worker\" is trusted");
    assert_eq!(opened(&person, "work").status().unwrap().sent, 1);
}

/// Whoever sends a job need not wait for it. Its result lies in the queue that it asked for.
#[test]
fn a_job_is_sent_without_waiting_for_its_result() {
    let person = operator();
    let made = run(&person, "brine recv 'sqlite:q?queue=reply/mine'");
    assert_refused(&made, 4, "had no message");
    let send = "brine send --grant run=sh --grant arg=- --expires 1h";
    let grants = "--grant reply=reply/mine";
    let said = run(&person, &format!("echo echo done | {send} {grants} --json URL"));
    let said: serde_json::Value = serde_json::from_slice(&said.stderr).unwrap();
    assert_eq!((&said["kind"], &said["payload_bytes"]), (&"job".into(), &10.into()));
    done(&person, &format!("echo exit 7 | {send} URL"));
    let line = "brine work --policy policy.toml --wait 1s --metrics numbers URL";
    assert_eq!(run(&person, line).status.code(), Some(0));
    let result = opened(&person, "reply/mine").receive(ReceiveBounds::ONE, Duration::ZERO);
    person.write("result", &result.unwrap()[0].content);
    let claimed: serde_json::Value =
        serde_json::from_str(&done(&person, "brine inspect --json result")).unwrap();
    assert_eq!((&claimed["kind"], &claimed["payload_bytes"]), (&"result".into(), &5.into()));
    let numbers = String::from_utf8(person.read("numbers")).unwrap();
    for sample in [
        "brine_verified_total{queue=\"work\"} 2",
        "brine_jobs_total{queue=\"work\",outcome=\"ok\"} 1",
        "brine_jobs_total{queue=\"work\",outcome=\"failed\"} 1",
        "brine_in_flight{queue=\"work\"} 0",
    ] {
        assert!(numbers.lines().any(|line| line == sample), "{sample}: {numbers}");
    }
    for options in ["--job", "--grant reply=a"] {
        assert_mistyped(&run(&person, &format!("echo x | brine send {options} URL")), "--expires");
        for records in ["--lines", "--batch 2"] {
            let line = format!("echo x | brine send {options} --expires 1h {records} URL");
            assert_mistyped(&run(&person, &line), "cannot be used with");
        }
    }
}

fn send_that_writes(person: &Person, script: &str) -> Vec<u8> {
    person.write("s", script);
    let line = "brine sign --grant run=sh --grant arg=- --grant write=work -c work --expires 1h s";
    // A job that was signed before the queue was made stays queued.
    done(person, "echo x | brine send URL; brine recv URL");
    let job = run(person, line).stdout;
    opened(person, "work").publish(&[&job]).unwrap();
    job
}

#[test]
fn a_job_is_run_once_whoever_sends_it_again() {
    let person = operator();
    let job = send_that_writes(&person, "echo ran >> /job/files/work/ran");
    opened(&person, "work").publish(&[&job, &job]).unwrap();
    for _ in 0..2 {
        let mut worker = RunningWorker::start(&person, &["--wait", "1s", "--jobs", "3"]);
        assert_eq!(worker.0.wait().unwrap().code(), Some(0));
        opened(&person, "work").publish(&[&job]).unwrap();
    }
    assert_eq!(person.read("work/ran"), b"ran\n");
}

/// What a dead worker had begun may have done its work.
#[test]
fn a_job_whose_worker_dies_is_not_run_again() {
    let person = operator();
    send_that_writes(
        &person,
        "echo ran >> /job/files/work/ran; sleep 3; echo end >> /job/files/work/ran",
    );
    let mut worker = RunningWorker::start(&person, &["--lease", "1s"]);
    wait_for("the job does not begin", || person.path("work/ran").exists());
    worker.signal(rustix::process::Signal::KILL);
    worker.0.wait().unwrap();
    let mut worker = RunningWorker::start(&person, &["--wait", "4s"]);
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    // It ended with its worker.
    assert_eq!(person.read("work/ran"), b"ran\n");
    let dead = opened(&person, "work").dead_letters(0, 9).unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_str(), dead[0].begun), (1, "interrupted", true));
}

#[test]
fn a_signal_lets_jobs_end_and_takes_no_others() {
    let person = operator();
    send_that_writes(
        &person,
        "echo ran >> /job/files/work/ran; sleep 1; echo end >> /job/files/work/ran",
    );
    let mut worker = RunningWorker::start(&person, &[]);
    wait_for("the job does not begin", || person.path("work/ran").exists());
    done(&person, "echo true | brine sign --job -c work --expires 1h > next");
    opened(&person, "work").publish(&[&person.read("next")]).unwrap();
    worker.signal(rustix::process::Signal::TERM);
    assert_eq!(worker.0.wait().unwrap().signal(), Some(15));
    assert_eq!(person.read("work/ran"), b"ran\nend\n");
    let status = opened(&person, "work").status().unwrap();
    assert_eq!((status.ready, status.held, status.acknowledged), (1, 0, 2));
}

#[test]
fn a_policy_that_does_not_parse_stops_the_worker() {
    let person = operator();
    send_that_writes(&person, "echo ran >> /job/files/work/ran");
    person.write("policy.toml", "not = [toml");
    let mut worker = RunningWorker::start(&person, &[]);
    assert_eq!(worker.0.wait().unwrap().code(), Some(6));
    let status = opened(&person, "work").status().unwrap();
    assert_eq!((status.ready, status.dead), (1, 0));
    assert!(!person.path("work/ran").exists());
}

/// Returns what a job asks for, as whoever can read the queue sees it.
fn asked(job: &[u8]) -> Grants {
    let parsed = UnverifiedEnvelope::parse(job, Tagging::default()).unwrap();
    Grants::decode(parsed.private(label::GRANTS).unwrap()).unwrap()
}

fn answer(key: &SigningKey, job: JobId, context: &str, output: &[u8]) -> Vec<u8> {
    let result = JobResult {
        job,
        cti: None,
        plan: None,
        outcome: "ok".to_owned(),
        status: 0,
        reason: None,
        exit: Some(0),
        signal: None,
        usage: None,
        errors: Vec::new(),
    };
    let statement = Statement::at(SystemClock.now().unwrap()).context(context);
    sign(&result.statement(statement), key, output).unwrap().to_bytes()
}

/// Whoever can write to the queue answers first, with everything but the result.
#[test]
fn a_caller_believes_no_other_answer() {
    let person = operator();
    for (name, seed) in [("worker", 1), ("other", 2)] {
        person.write(&format!("{name}.pub"), public_line(&key(seed)));
        done(&person, &format!("brinekey trust add {name} ./{name}.pub"));
    }
    done(&person, "echo x | brine send URL; brine recv URL");
    let line = format!("echo 'echo x' | brine call --signer worker --wait 30s '{URL}'");
    let mut command = person.shell(&line);
    let called = std::thread::scope(|scope| {
        let called = scope.spawn(move || command.output().unwrap());
        let mut queue = opened(&person, "work");
        let job = queue.receive(ReceiveBounds::ONE, Duration::from_secs(30)).unwrap().remove(0);
        let reply = asked(&job.content).reply().unwrap().to_string();
        let id = JobId::of_envelope(&job.content, &[]).unwrap();
        let mut altered = answer(&key(1), id, &reply, b"altered");
        *altered.last_mut().unwrap() ^= 1;
        let answers = [
            b"noise".to_vec(),
            altered,
            job.content.clone(),
            answer(&key(1), JobId([7; 32]), &reply, b"another job"),
            answer(&key(1), id, "reply/other", b"another purpose"),
            answer(&key(2), id, &reply, b"another worker"),
            answer(&key(9), id, &reply, b"a stranger"),
            answer(&key(1), id, &reply, b"the result\n"),
            answer(&key(1), id, &reply, b"too late"),
        ];
        opened(&person, &reply).publish(&answers.each_ref().map(Vec::as_slice)).unwrap();
        called.join().unwrap()
    });
    assert_eq!(called.stdout, b"the result\n", "{called:?}");
    let said = String::from_utf8(called.stderr).unwrap();
    let reasons = [
        "not an envelope",
        "signature does not verify",
        "this is a job, not the result of a job",
        "it is the result of another job",
        "signature is for context \"reply/other\"",
        "signed by other, not by worker",
        "is not trusted",
    ];
    let passed: Vec<_> = said.lines().filter(|line| line.contains("passed over")).collect();
    assert_eq!(passed.len(), reasons.len(), "{said}");
    for (line, reason) in passed.iter().zip(reasons) {
        assert!(line.contains(reason), "{line} does not say {reason}");
    }
}

/// The commands of README.md and of docs/queues.md, as they stand there.
#[test]
fn the_pages_say_what_to_type() {
    let readme = project_text("README.md");
    let (_, rest) = readme.split_once("**A queue and a worker**").unwrap();
    let (example, _) = rest.split_once("**The same between machines**").unwrap();
    let example: String = example
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    let page = Page::read("docs/queues.md");
    for (lines, person) in
        [(example, Person::new()), (page.snippet("A file", "Jobs").to_owned(), Person::with_key())]
    {
        let output = run(&person, &format!("{lines} 2>&1; status=$?; kill $!; exit $status"));
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(shown.ends_with("1\n2\n3\n"), "{shown}");
    }
}

#[test]
fn a_caller_that_is_interrupted_leaves_no_queue_behind() {
    let person = operator();
    done(&person, "echo x | brine send URL; brine recv URL");
    person.write("job", "true");
    let mut caller = start(&person, &["call", "--wait", "60s", URL, "job"], Stdio::inherit());
    let mut queue = opened(&person, "work");
    let job = queue.receive(ReceiveBounds::ONE, Duration::from_secs(30)).unwrap().remove(0);
    let reply = asked(&job.content).reply().unwrap().to_string();
    let pid = rustix::process::Pid::from_child(&caller);
    assert!(open_queue(&person, &reply).is_ok());
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(caller.wait().unwrap().signal(), Some(2));
    assert_eq!(open_queue(&person, &reply).unwrap_err().reason(), "queue-missing");
}

/// Everything about a job is judged before it is begun: an operator's mistake burns none.
#[test]
fn a_worker_that_is_set_up_wrongly_begins_no_job() {
    let person = operator();
    send_that_writes(&person, "echo ran >> /job/files/work/ran");
    let line = "brine work --policy policy.toml --wait 1s URL -- nonesuch";
    assert_refused(&run(&person, line), 127, "no program \"nonesuch\"");
    for (line, said) in [
        ("brine work --now 1d URL", "--now is for looking"),
        ("brine work --aad policy.toml URL", "--aad does not go with jobs"),
        ("brine work URL --", "no command after"),
    ] {
        assert_refused(&run(&person, line), 2, said);
    }
    assert_refused(&run(&person, "brine work -k none URL"), 6, "no key named \"none\"");
    // Without the policy, the job is refused. It was not begun, and runs when that is mended.
    assert!(run(&person, "brine work --wait 1s URL").status.success());
    let dead = opened(&person, "work").dead_letters(0, 9).unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_str(), dead[0].begun), (1, "policy-absent", false));
    done(&person, "brine dead retry --all URL");
    let mut worker = RunningWorker::start(&person, &["--wait", "1s"]);
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    assert_eq!(person.read("work/ran"), b"ran\n");
    // An interpreter that is not there may be there later.
    std::fs::remove_file(person.path("work/ran")).unwrap();
    let policy = String::from_utf8(person.read("policy.toml")).unwrap();
    person.write("policy.toml", policy.replace("/bin/sh", "/bin/nonesuch"));
    send_that_writes(&person, "echo ran >> /job/files/work/ran");
    let mut worker = RunningWorker::start(&person, &["--wait", "1s"]);
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    let status = opened(&person, "work").status().unwrap();
    assert_eq!((status.ready, status.held, status.dead), (0, 1, 0));
}

#[test]
fn an_output_that_fails_is_a_failure_though_the_job_ended_well() {
    let person = operator();
    let _worker = RunningWorker::start(&person, &[]);
    let line =
        "echo 'echo precious' | brine call --grant run=sh --grant arg=- --wait 30s URL > /dev/full";
    assert_refused(&run(&person, line), 4, "cannot write standard output");
}
