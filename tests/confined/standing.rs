//! What a job is to the kernel: a user, a personality, what it used, and whom to kill first.

use std::fs;
use std::process::Command;
use std::time::Duration;

use brine_job::GrantedPath;
use brine_sandbox::{JobEnd, TreeKill};

use crate::faults::{MARK, eventually, itself, mark, marked, python};
use crate::jobs::{BRINE, brine, ran, shell};
use crate::world::is_root;

/// Processor time is counted when a process is waited for, and those that are killed are waited for, too.
#[test]
fn what_was_killed_has_used_what_it_used() {
    let busy = "import os, time\nr, w = os.pipe()\nfor _ in range(2):\n if os.fork() == 0:\n  while time.process_time() < 0.2: pass\n  \
                os.write(w, b'x'); time.sleep(1000)\nfor _ in range(2): os.read(r, 1)\n";
    for (then, end) in [
        ("os._exit(0)", JobEnd::Exited(0)),
        ("while True: os.write(1, b'x' * 4096)", JobEnd::OutputTooLarge),
        ("os.kill(os.getpid(), 11)", JobEnd::Signalled(11)),
    ] {
        let (outcome, _) = ran(&python(&format!("{busy}{then}")), b"");
        assert_eq!((outcome.end, outcome.tree), (end, TreeKill::Certain), "{then}");
        let used = outcome.usage.user + outcome.usage.system;
        assert!(used >= Duration::from_millis(400), "{then}: {used:?}");
    }
}

/// Otherwise many small processes make the kernel kill the largest process of the system.
#[test]
fn a_job_is_the_first_that_is_killed_when_memory_is_short() {
    let mark = mark();
    let mut job = shell(&format!(": {mark}; sleep 1000"));
    job.limits.wall = Duration::from_secs(2);
    let score =
        |process: &str| fs::read_to_string(format!("/proc/{process}/oom_score_adj")).unwrap();
    let ours = score("self");
    assert_ne!(ours, "1000\n");
    std::thread::scope(|scope| {
        let job = scope.spawn(|| ran(&job, b"").0);
        eventually("the job", || !marked(&mark).is_empty());
        assert_eq!(score(&marked(&mark)[0]), "1000\n");
        assert_eq!(score("self"), ours);
        assert_eq!(job.join().unwrap().end, JobEnd::TimedOut);
    });
}

/// What the kernel counts by user is then not shared by the jobs of root.
#[test]
fn jobs_of_root_are_users_of_their_own() {
    let ids = fs::read_to_string("/proc/self/uid_map").unwrap();
    if !is_root() || ids.split_whitespace().nth(2) != Some("4294967295") {
        // Others have no other users to give.
        return;
    }
    let marks = [mark(), mark()];
    let users = marks.clone().map(|mark| {
        std::thread::spawn(move || {
            let mut job =
                shell(&format!(": {mark}; id -u; id -g; touch f; stat -c %u.%g f . /; sleep 1000"));
            job.limits.wall = Duration::from_secs(3);
            ran(&job, b"")
        })
    });
    let outside = marks.each_ref().map(|mark| {
        eventually("the job", || !marked(mark).is_empty());
        let status = fs::read_to_string(format!("/proc/{}/status", marked(mark)[0])).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>()
        };
        let (user, group) = (of("Uid:"), of("Gid:"));
        assert!(user == group && user.iter().all(|id| *id == user[0]), "{user:?} {group:?}");
        assert!(of("Groups:").is_empty());
        user[0]
    });
    assert!(
        outside[0] != outside[1] && outside.iter().all(|user| *user >= 0x7000_0000),
        "{outside:?}"
    );
    for job in users {
        let (outcome, output) = job.join().unwrap();
        let nobody = "65534\n65534\n65534.65534\n65534.65534\n65534.65534\n";
        assert_eq!((outcome.end, &*String::from_utf8_lossy(&output)), (JobEnd::TimedOut, nobody));
    }
}

/// Not every file system can show its files as those of others. Then all jobs that are granted them are one user.
#[test]
fn a_job_is_nobody_where_files_cannot_be_shown_as_those_of_others() {
    if !is_root() {
        return;
    }
    let mark = mark();
    let mut job = shell(&format!(": {mark}; cat /data/ostype; sleep 1000"));
    job.limits.wall = Duration::from_secs(2);
    let (source, target) = ("/proc/sys/kernel".into(), "/data".into());
    job.granted_paths.insert(GrantedPath { source, target, writable: false });
    std::thread::scope(|scope| {
        let job = scope.spawn(|| ran(&job, b""));
        eventually("the job", || !marked(&mark).is_empty());
        let status = fs::read_to_string(format!("/proc/{}/status", marked(&mark)[0])).unwrap();
        assert!(status.contains("\nUid:\t65534\t65534\t65534\t65534\n"), "{status}");
        let (outcome, output) = job.join().unwrap();
        assert_eq!((outcome.end, &output[..]), (JobEnd::TimedOut, &b"Linux\n"[..]));
    });
}

/// A personality changes what programs see, and how predictable their memory is.
#[test]
fn a_job_inherits_no_personality() {
    let mut command = Command::new("setarch");
    command.args(["--addr-no-randomize", "--uname-2.6"]);
    command.args(itself("standing::a_personality_is_told_for_another_test")).env(MARK, mark());
    let output = command.env(BRINE, brine()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("personality 0"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Not a test: what the one above runs.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn a_personality_is_told_for_another_test() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let told = fs::read_to_string("/proc/self/personality").unwrap();
    assert_ne!(told, "00000000\n");
    let ask = "import ctypes; print('personality', ctypes.CDLL(None).personality(0xffffffff))";
    println!("{}", String::from_utf8(ran(&python(ask), b"").1).unwrap());
}
