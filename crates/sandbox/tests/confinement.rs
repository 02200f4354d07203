//! Jobs in confinement, with no other program than `/bin/sh`. `tests/confined/` tries much more.

use std::collections::BTreeSet;
use std::time::Duration;

use brine::job::format::Format;
use brine::job::plan::{Delivery, Layer};
use brine::sandbox::{End, Verdict, judge};

use crate::jobs::{LAYERS, ran, run, shell};

/// Runs a shell behind every layer that must end with 0, and returns what it wrote.
#[track_caller]
fn wrote(script: &str) -> String {
    let (outcome, output) = ran(&shell(script), b"payload\n");
    assert_eq!(outcome.end, End::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
    assert_eq!(BTreeSet::from_iter(outcome.layers), BTreeSet::from(LAYERS));
    String::from_utf8(output).unwrap()
}

#[test]
fn a_job_is_nobody_in_a_directory_of_its_own() {
    assert_eq!(wrote("id -u; id -g; pwd; echo x > f; cat f"), "65534\n65534\n/job/work\nx\n");
}

#[test]
fn a_job_reads_its_payload_and_not_the_environment_of_brine() {
    assert_eq!(wrote("cat; env | grep -v ^PWD="), "payload\nPATH=/usr/bin:/bin\n");
}

#[test]
fn a_job_sees_the_system_and_nothing_else() {
    let seen = wrote("for f in /*; do echo $f; done; for f in /dev/*; do echo $f; done");
    // It may not list the root, so that the pattern stands for itself.
    assert_eq!(seen, "/*\n/dev/*\n");
    let absent = "/etc/passwd /root /home /proc /sys /tmp /var /run /dev/tty /dev/shm /job/payload";
    wrote(&format!("for f in {absent}; do ! test -e $f || exit 1; done; test -x /bin/sh"));
    wrote("! touch /bin/x && ! touch /x && ! touch /job/x && ! touch /dev/x");
}

#[test]
fn a_payload_may_be_a_file() {
    let mut job = shell("cat \"$0\"; ! read line");
    job.program.arguments.push("{}".into());
    job.delivery = Delivery::File;
    let (outcome, output) = ran(&job, b"payload");
    assert_eq!((outcome.end, &output[..]), (End::Exited(0), &b"payload"[..]));
}

#[test]
fn how_a_job_ended_decides_the_verdict_and_the_status() {
    let judged = |script: &str| {
        let mut job = shell(script);
        job.format = Format::Utf8;
        job.limits.wall = Duration::from_millis(50);
        job.limits.file_size = 1000;
        job.limits.output = 1000;
        let (outcome, output) = ran(&job, b"");
        let verdict = judge(&job, &outcome, &mut &output[..]);
        assert_eq!(verdict.releases_output(), verdict == Verdict::Ok);
        (verdict, verdict.name(), verdict.status(outcome.end))
    };
    assert_eq!(judged("echo x"), (Verdict::Ok, "ok", 0));
    assert_eq!(judged("exit 7"), (Verdict::Failed, "failed", 7));
    assert_eq!(judged("kill -SEGV $$"), (Verdict::Failed, "failed", 139));
    assert_eq!(judged("kill -KILL $$"), (Verdict::Killed, "killed", 137));
    assert_eq!(judged("printf '\\377'"), (Verdict::InvalidOutput, "invalid-output", 123));
    assert_eq!(judged("exec sleep 9"), (Verdict::TimedOut, "timed-out", 124));
    let violated = Verdict::Violated(Layer::Seccomp);
    assert_eq!(judged("kill -SYS $$"), (violated, "violated", 123));
    let flood = "printf %01001d 0";
    assert_eq!(judged(flood), (Verdict::OutputTooLarge, "output-too-large", 123));
    let file = "printf %01001d 0 > f; printf x >> f";
    assert_eq!(judged(file), (Verdict::Killed, "killed", 137));
}

#[test]
fn what_is_waived_is_not_held_and_said_not_to_be() {
    for layer in LAYERS {
        let mut job = shell("true");
        job.waived.insert(layer);
        let (outcome, _) = ran(&job, b"");
        assert_eq!(outcome.end, End::Exited(0), "{}", layer.name());
        assert!(!outcome.layers.contains(&layer), "{}", layer.name());
        assert_eq!(outcome.layers.len(), LAYERS.len() - 1);
    }
}

#[test]
fn what_cannot_be_started_has_a_status_of_its_own() {
    let mut job = shell("true");
    job.program.path = "/bin/no-such-program".into();
    assert_eq!(run(&job, b"").unwrap_err().status(), 127);
    job.program.path = "/usr".into();
    assert_eq!(run(&job, b"").unwrap_err().status(), 126);
    job.program = shell("true").program;
    job.program.sha256 = Some([0; 32]);
    assert_eq!(run(&job, b"").unwrap_err().status(), 5);
    job.program.arguments.push("nul\0nul".into());
    job.program.sha256 = None;
    assert_eq!(run(&job, b"").unwrap_err().status(), 4);
}
