//! How brine ends a job: it asks first, and kills a little later; but not whoever does what no job may.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use brine_job::{Layer, Plan, PlanParts};
use brine_sandbox::{JobEnd, JobOutcome, Launch, Violation, launch, launch_showing_errors};

use crate::faults::{eventually, mark, marked, python};
use crate::jobs::{brine, plan, ran, shell};
use crate::world::probe;

fn said(outcome: &JobOutcome) -> String {
    String::from_utf8_lossy(&outcome.errors).into_owned()
}

/// Everything that cleans up says so on standard error, which is still read.
const CLEANS_UP: &str = "trap 'echo cleaned >&2; exit 0' TERM; ";

#[test]
fn a_job_is_asked_to_end_before_it_is_killed() {
    for waived in [&[][..], &[Layer::Namespaces]] {
        let mut job = shell(&format!("{CLEANS_UP} while :; do sleep 0.01; done"));
        job.waived = waived.iter().copied().collect();
        job.limits.wall = Duration::from_millis(300);
        let (outcome, _) = ran(&job, b"");
        assert_eq!(outcome.end, JobEnd::TimedOut);
        assert!(said(&outcome).ends_with("cleaned\n"), "{waived:?}: {}", said(&outcome));
    }
    let mut job = shell(&format!("{CLEANS_UP} yes & wait"));
    job.limits.output = 10_000;
    let (outcome, output) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::OutputTooLarge);
    assert!(said(&outcome).ends_with("cleaned\n"), "{}", said(&outcome));
    assert_eq!(output.len(), 10_000);
    // Its other processes are asked, too, and those that are stopped.
    let all = format!(
        "({CLEANS_UP} while :; do sleep 0.01; done) & (trap 'echo woken >&2' TERM; sh -c 'kill -STOP $PPID'; sleep 0.01) & trap '' TERM; wait; sleep 9"
    );
    let mut job = shell(&all);
    job.limits.wall = Duration::from_millis(300);
    let (outcome, _) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::TimedOut);
    for word in ["cleaned", "woken"] {
        assert!(said(&outcome).contains(word), "{word}: {}", said(&outcome));
    }
}

/// A job cannot stretch its time by what it does with the signal.
#[test]
fn a_job_that_does_not_end_is_killed_when_its_grace_is_over() {
    let mut job = shell("trap 'echo asked >&2' TERM; while :; do sleep 0.01; done");
    job.limits.wall = Duration::from_millis(200);
    let mut walls = Vec::new();
    for grace in [1, 1500] {
        job.limits.grace = Duration::from_millis(grace);
        let before = Instant::now();
        let (outcome, _) = ran(&job, b"");
        assert_eq!(outcome.end, JobEnd::TimedOut, "{}", said(&outcome));
        walls.push(before.elapsed());
    }
    assert!(walls[1] >= Duration::from_millis(1700), "{walls:?}");
    assert!(walls[0] < walls[1], "{walls:?}");
}

/// The time for cleaning up is no time without bounds.
#[test]
fn a_job_that_was_asked_to_end_is_bounded_until_it_does() {
    let mut job = python(
        "import signal, time\n\
         def grow(*_):\n x = bytearray(512 << 20)\n time.sleep(3)\n print('held', file=__import__('sys').stderr, flush=True)\n\
         signal.signal(15, grow)\nwhile True: time.sleep(0.01)",
    );
    job.limits.memory = 64 << 20;
    job.limits.wall = Duration::from_millis(500);
    job.limits.grace = Duration::from_secs(20);
    let (outcome, _) = ran(&job, b"");
    assert!(!said(&outcome).contains("held"), "{outcome:?}");
    assert!(matches!(outcome.end, JobEnd::TimedOut | JobEnd::OutOfMemory), "{outcome:?}");
}

/// What ran out of memory would only hold on to it.
#[test]
fn a_job_that_runs_out_of_memory_is_not_asked() {
    let mut job = python(
        "import signal\nsignal.signal(15, lambda *_: print('asked', flush=True))\nx = []\nwhile True: x.append(bytearray(1 << 20))",
    );
    job.limits.memory = 64 << 20;
    let (outcome, output) = ran(&job, b"");
    assert_eq!((outcome.end, &*output), (JobEnd::OutOfMemory, &b""[..]), "{}", said(&outcome));
}

#[test]
fn a_job_is_ended_when_somebody_asks_for_that() {
    let mark = mark();
    // The mark is seen when the shell would clean up: it is not whole among its own arguments.
    let halves = mark.replace('-', "''-");
    let job = shell(&format!("{CLEANS_UP} sh -c 'sleep 60; :' {halves} & wait"));
    let (stop, tell) = rustix::pipe::pipe().unwrap();
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| stopped_by(&job, &stop));
        eventually("the job", || !marked(&mark).is_empty());
        rustix::io::write(&tell, b"x").unwrap();
        running.join().unwrap()
    });
    assert_eq!(outcome.end, JobEnd::Stopped);
    assert!(said(&outcome).ends_with("cleaned\n"), "{}", said(&outcome));
    assert_eq!(marked(&mark), [""; 0]);
}

fn stopped_by(job: &PlanParts, stop: &std::os::fd::OwnedFd) -> JobOutcome {
    let payload = tempfile::tempfile().unwrap();
    let stop = Some(stop.as_fd());
    let plan = &Plan::from(job.clone());
    launch(
        Launch { plan, payload, input: None, powers: Vec::new(), stop, program_init: &brine() },
        &mut Vec::new(),
    )
    .unwrap()
}

#[test]
fn what_a_job_complains_of_is_there_while_it_runs() {
    struct Told(std::sync::mpsc::Sender<Vec<u8>>);
    impl std::io::Write for Told {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // It ends only because somebody heard it.
    let job = shell("echo first >&2; head -c 2000 /dev/zero >&2; while :; do sleep 0.01; done");
    let mut job = job;
    job.limits.errors = 100;
    let (stop, tell) = rustix::pipe::pipe().unwrap();
    let (sender, told) = std::sync::mpsc::channel();
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let payload = tempfile::tempfile().unwrap();
            let plan = &Plan::from(job.clone());
            let launched = Launch {
                plan,
                payload,
                input: None,
                powers: Vec::new(),
                stop: Some(stop.as_fd()),
                program_init: &brine(),
            };
            launch_showing_errors(launched, &mut Vec::new(), &mut Told(sender)).unwrap()
        });
        let mut heard = Vec::new();
        while heard.len() < 100 {
            heard.extend(told.recv().unwrap());
        }
        assert!(heard.starts_with(b"first\n") && heard.len() == 100);
        rustix::io::write(&tell, b"x").unwrap();
        running.join().unwrap()
    });
    assert_eq!((outcome.end, outcome.errors.len()), (JobEnd::Stopped, 100));
    assert_eq!(outcome.errors_dropped, 1906);
}

/// Also if a child of the job makes it, and whatever the job does about it.
#[test]
fn a_hostile_call_ends_the_job_and_has_its_name() {
    let violated = |call| JobEnd::Violated(Violation { layer: Layer::Seccomp, call: Some(call) });
    let makes = |what: &str, call: i64| {
        python(&format!("import ctypes, os, signal, time\nsignal.signal(31, lambda *_: None)\nc = ctypes.CDLL(None)\n{what}").replace("CALL", &call.to_string()))
    };
    for (call, name) in [
        (libc::SYS_ptrace, "ptrace"),
        (libc::SYS_mount, "mount"),
        (libc::SYS_kexec_load, "kexec_load"),
        (libc::SYS_bpf, "bpf"),
    ] {
        for what in [
            "c.syscall(CALL, -1, -1, -1, -1)\nprint('went on')",
            "os.fork() or c.syscall(CALL, -1, -1, -1, -1)\ntime.sleep(9)\nprint('went on')",
            "import threading\nthreading.Thread(target=lambda: c.syscall(CALL, -1, -1, -1, -1)).start()\ntime.sleep(9)\nprint('went on')",
        ] {
            let job = makes(what, call);
            let before = Instant::now();
            let (outcome, output) = ran(&job, b"");
            assert_eq!(
                (outcome.end, &*output),
                (violated(name), &b""[..]),
                "{what} {}",
                said(&outcome)
            );
            assert!(before.elapsed() < Duration::from_secs(8), "{what}");
            let mut weak = job;
            weak.waived = BTreeSet::from([Layer::Namespaces]);
            assert_eq!(ran(&weak, b"").0.end, violated(name), "{what}, without namespaces");
        }
    }
    let (outcome, _) = ran(&plan(probe(), &["probe", "new_mounts"]), b"");
    assert_eq!(outcome.end, violated("unshare"));
    let (outcome, _) = ran(&plan(probe(), &["probe", "terminal_input"]), b"");
    assert_eq!(outcome.end, violated("ioctl"));
    // A call of another architecture has no name here.
    #[cfg(target_arch = "x86_64")]
    {
        let (outcome, _) = ran(&plan(probe(), &["probe", "old_call"]), b"");
        assert_eq!(outcome.end, JobEnd::Violated(Violation { layer: Layer::Seccomp, call: None }));
    }
}
