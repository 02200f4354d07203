//! What all processes of a job hold and use together, and jobs that try to hold and use more.

use std::fs;
use std::time::Duration;

use brine_job::PlanParts;
use brine_sandbox::{BoundMeans, JobEnd, JobOutcome};

use crate::faults::python;
use crate::jobs::{brine, ran, verdict};
use crate::shared_jobs::{run_by, started};
use crate::world::{World, is_root, open_to_all};

const MEBIBYTE: u64 = 1 << 20;

/// A job that may hold 64 MiB.
fn small(script: &str) -> PlanParts {
    let mut job = python(script);
    job.limits.memory = 64 * MEBIBYTE;
    job.limits.scratch = 512 * MEBIBYTE;
    job.limits.file_size = 512 * MEBIBYTE;
    job.limits.processes = 64;
    job.limits.files = 256;
    job
}

#[track_caller]
fn runs_out_of_memory(script: &str) -> JobOutcome {
    let job = small(script);
    let (outcome, output) = ran(&job, b"");
    let said = String::from_utf8_lossy(&outcome.errors);
    assert_eq!(outcome.end, JobEnd::OutOfMemory, "{outcome:?} {said} {output:?}");
    assert_eq!(verdict(&job, &outcome, b""), "out-of-memory");
    println!(
        "{} MiB of 64, by {}",
        outcome.usage.peak_memory / MEBIBYTE,
        outcome.bounds.memory.name()
    );
    outcome
}

#[track_caller]
fn ends_well(script: &str) -> JobOutcome {
    let (outcome, _) = ran(&small(script), b"");
    let said = String::from_utf8_lossy(&outcome.errors);
    assert_eq!(outcome.end, JobEnd::Exited(0), "{outcome:?} {said}");
    outcome
}

/// Root makes control groups where the system has them, and a user without privileges does without.
#[test]
fn the_means_of_each_bound_are_said() {
    let outcome = ends_well("pass");
    let kernel = [BoundMeans::ControlGroupV1, BoundMeans::ControlGroupV2];
    if !is_root() {
        assert_eq!(outcome.bounds.memory, BoundMeans::Looks);
        assert_eq!(outcome.bounds.processes, BoundMeans::ResourceLimit);
    } else if std::path::Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() {
        assert!(kernel.contains(&outcome.bounds.memory), "{outcome:?}");
        assert!(kernel.contains(&outcome.bounds.processes), "{outcome:?}");
    }
    assert_ne!(outcome.bounds.processor_time, BoundMeans::None);
}

#[test]
fn many_processes_hold_no_more_than_one_may() {
    let outcome = runs_out_of_memory(
        "import os, time\nfor _ in range(20):\n if os.fork() == 0:\n  x = bytearray(10 << 20)\n  time.sleep(10)\ntime.sleep(10)",
    );
    assert!(outcome.wall < Duration::from_secs(9), "{outcome:?}");
}

#[test]
fn one_process_holds_no_more_than_it_may() {
    runs_out_of_memory("x = bytearray(300 << 20)\nimport time\ntime.sleep(10)");
}

/// The memory of a process whose first thread has ended is that of the others.
#[test]
fn memory_of_a_process_without_its_first_thread_is_counted() {
    runs_out_of_memory(
        "import ctypes, threading, time\ndef hold():\n time.sleep(0.3)\n global x\n x = bytearray(300 << 20)\n time.sleep(10)\nthreading.Thread(target=hold).start()\nctypes.CDLL(None).syscall(93 if __import__('platform').machine() == 'aarch64' else 60, 0)",
    );
}

/// For a moment the child of a vfork has the memory of its parent.
#[test]
fn memory_is_not_counted_twice_where_processes_share_all_of_it() {
    ends_well(
        "import subprocess\nx = bytearray(40 << 20)\nfor _ in range(100): subprocess.run(['/bin/true'], close_fds=False)",
    );
}

#[test]
fn what_was_only_reserved_is_not_held() {
    let outcome = ends_well(
        "import mmap\nx = mmap.mmap(-1, 40 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)\nx[0] = 1",
    );
    assert!(outcome.usage.peak_memory < 64 * MEBIBYTE);
}

#[test]
fn what_is_shared_by_a_fork_is_counted_once() {
    ends_well(
        "import os, time\nx = bytearray(30 << 20)\nfor _ in range(8):\n if os.fork() == 0:\n  time.sleep(0.5)\n  os._exit(0)\nwhile True:\n try: os.wait()\n except ChildProcessError: break",
    );
}

/// What one that ends had with others falls to them, also while they are counted.
#[test]
fn what_is_shared_by_processes_that_end_is_counted_once() {
    ends_well(
        "import os, time\nx = bytearray(50 << 20)\nfor _ in range(20):\n for n in range(24):\n  if os.fork() == 0:\n   time.sleep(0.02 + n / 2000)\n   os._exit(0)\n while True:\n  try: os.wait()\n  except ChildProcessError: break",
    );
}

#[test]
fn page_tables_are_held_by_the_job() {
    // Each page of zeros that is read takes a page of tables.
    runs_out_of_memory(
        "import mmap, time\nx = mmap.mmap(-1, 512 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, mmap.PROT_READ)\nfor i in range(0, 512 << 30, 2 << 20): x[i]\ntime.sleep(10)",
    );
}

#[test]
fn files_of_the_scratch_directory_are_held_by_the_job() {
    runs_out_of_memory(
        "import os, time\nf = os.open('x', os.O_RDWR | os.O_CREAT)\nos.unlink('x')\nfor _ in range(300): os.write(f, bytes(1 << 20))\ntime.sleep(10)",
    );
}

#[test]
fn what_waits_in_sockets_is_held_by_the_job() {
    runs_out_of_memory(
        "import socket, time\nkept = []\nfor _ in range(100):\n for one in socket.socketpair():\n  one.setblocking(False)\n  one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)\n  kept.append(one)\n  try:\n   while True: one.send(bytes(1 << 16))\n  except BlockingIOError: pass\ntime.sleep(10)",
    );
}

#[test]
fn a_job_with_more_locks_than_any_program_needs_is_ended() {
    let job = small(
        "import fcntl, os, struct, time\nfor n in range(200):\n f = os.open(f'l{n}', os.O_RDWR | os.O_CREAT)\n for k in range(500, 0, -1):\n  fcntl.fcntl(f, fcntl.F_SETLK, struct.pack('hhqqi', fcntl.F_WRLCK, 0, k * 2, 1, 0))\ntime.sleep(10)",
    );
    let (outcome, _) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::OutOfMemory, "{outcome:?}");
}

/// Memory that is in no process stays in no place that is not looked at.
#[test]
fn memory_that_is_shared_is_not_hidden() {
    for (what, hidden) in [
        ("a mapping", "m = mmap.mmap(-1, 16 << 20)"),
        (
            "a memory file",
            "f = os.memfd_create('x', 0x8)\nos.ftruncate(f, 16 << 20)\nm = mmap.mmap(f, 16 << 20)",
        ),
        ("/dev/zero", "f = os.open('/dev/zero', os.O_RDWR)\nm = mmap.mmap(f, 16 << 20)"),
    ] {
        // A child fills it and ends, so that no process has touched what is left.
        let script = format!(
            "import mmap, os, time\nkept = []\nfor _ in range(20):\n {}\n kept.append(m)\n if os.fork() == 0:\n  for i in range(0, 16 << 20, 4096): m[i] = 1\n  os._exit(0)\n os.wait()\nprint('held')\ntime.sleep(10)",
            hidden.replace('\n', "\n ")
        );
        let (outcome, output) = ran(&small(&script), b"");
        let refused = outcome.end == JobEnd::Exited(1) && output.is_empty();
        assert!(refused || outcome.end == JobEnd::OutOfMemory, "{what}: {outcome:?} {output:?}");
    }
}

#[test]
fn processor_time_is_that_of_all_processes() {
    let mut job =
        small("import os\nfor _ in range(7):\n if os.fork() == 0: break\nwhile True: pass");
    job.limits.cpu = Duration::from_secs(1);
    let (outcome, _) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::OutOfProcessorTime, "{outcome:?}");
    let used = outcome.usage.user + outcome.usage.system;
    assert!((1000..3000).contains(&used.as_millis()), "{used:?}");
}

/// Processes that nobody waits for, each of which lives for a moment.
#[test]
fn processor_time_of_processes_that_nobody_waits_for_is_counted() {
    let mut job = small(
        "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True:\n if os.fork() == 0:\n  end = time.perf_counter() + 0.02\n  while time.perf_counter() < end: pass\n  os._exit(0)\n time.sleep(0.02)",
    );
    job.limits.cpu = Duration::from_secs(1);
    let (outcome, _) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::OutOfProcessorTime, "{outcome:?}");
}

#[test]
fn a_job_that_was_killed_has_used_what_it_used() {
    let mut job = small("x = bytearray(20 << 20)\nwhile True: pass");
    job.limits.wall = Duration::from_secs(1);
    let (outcome, _) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::TimedOut);
    assert!(outcome.usage.peak_memory > 20 * MEBIBYTE, "{outcome:?}");
    assert!(outcome.usage.user > Duration::from_millis(100), "{outcome:?}");
}

/// As where `perf_event_open` is refused, by a container or by the system.
#[test]
fn processor_time_is_seen_where_the_kernel_does_not_count_it() {
    if is_root() {
        // A control group counts for root. As nobody, this test runs once more.
        return;
    }
    let world = World::new();
    let init = world.at("init");
    let text = REFUSES_COUNTERS.replace("BRINE", brine().to_str().unwrap());
    fs::write(&init, text).unwrap();
    open_to_all(&init);
    for script in [
        "import os\nfor _ in range(7):\n if os.fork() == 0: break\nwhile True: pass",
        "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True:\n if os.fork() == 0:\n  end = time.perf_counter() + 0.005\n  while time.perf_counter() < end: pass\n  os._exit(0)\n time.sleep(0.005)",
    ] {
        let mut job = small(script);
        job.limits.cpu = Duration::from_secs(1);
        let (outcome, _) = started(run_by(&init, &job, b""));
        assert_eq!(outcome.bounds.processor_time, BoundMeans::Looks);
        assert_eq!(outcome.end, JobEnd::OutOfProcessorTime, "{script}: {outcome:?}");
    }
}

/// Becomes brine behind a filter that answers `perf_event_open` with `EPERM`.
const REFUSES_COUNTERS: &str = r#"#!/usr/bin/python3
import ctypes, os, platform, struct, sys

LOAD, JUMP_IF_EQUAL, RETURN, REFUSE, ALLOW = 0x20, 0x15, 0x06, 0x00050001, 0x7FFF0000
call = {"x86_64": 298, "aarch64": 241}[platform.machine()]
code = b"".join(struct.pack("=HBBI", *one) for one in
                [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, call), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)])
memory = ctypes.create_string_buffer(code)
program = struct.pack("@HP", len(code) // 8, ctypes.addressof(memory))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0
os.execv("BRINE", ["brine-init", *sys.argv[1:]])
"#;

#[test]
fn a_job_that_signals_itself_has_not_used_its_time_up() {
    let (outcome, _) = ran(&small("import os, signal\nos.kill(os.getpid(), signal.SIGXCPU)"), b"");
    assert_eq!(outcome.end, JobEnd::Signalled(24), "{outcome:?}");
}
