//! `/proc`: the processes of the job and what programs ask of the machine, and nothing of anybody else.

use std::collections::BTreeSet;
use std::process::Command;

use brine_job::Layer;
use brine_sandbox::{JobEnd, ProcView};

use crate::faults::{MARK, itself, python};
use crate::jobs::{BRINE, LAYERS, brine, plan, ran, shell};
use crate::place::{script, succeeds};

#[test]
fn programs_find_themselves_and_the_machine() {
    assert_eq!(
        script("readlink /proc/self/exe | xargs basename; cat /proc/self/comm"),
        "readlink\ncat\n"
    );
    script(
        "test \"$(nproc)\" -ge 1; grep -q MemTotal /proc/meminfo; grep -q '^cpu' /proc/stat; uptime",
    );
    script(
        "for f in kernel/pid_max kernel/osrelease kernel/threads-max vm/overcommit_memory fs/file-max; do \
            grep -q . /proc/sys/$f; done; test \"$(cat /proc/sys/kernel/hostname)\" = brine",
    );
    script("for f in loadavg version filesystems uptime self/maps; do grep -q . /proc/$f; done");
    succeeds(&python(
        "import os\nassert os.cpu_count() >= 1\nassert sorted(os.listdir('/proc/self/fd')) >= ['0', '1', '2']\n\
         assert os.readlink('/proc/self/cwd') == '/job/work'\nassert open('/proc/self/cgroup').read()",
    ));
    let (outcome, _) = ran(&shell("true"), b"");
    assert_eq!(outcome.proc_view, ProcView::Own);
    // It is that of this system without the layer, and Landlock keeps it shut.
    let mut job = shell("! cat /proc/self/comm");
    job.waived = BTreeSet::from([Layer::Namespaces]);
    assert_eq!(ran(&job, b"").0.proc_view, ProcView::System);
}

/// The descriptors of a job by the names that scripts use.
#[test]
fn standard_streams_have_their_names() {
    assert_eq!(
        script("cat /dev/stdin; echo b > /dev/stdout; echo c | tee /dev/stderr"),
        "payload\nb\nc\n"
    );
    let (outcome, _) =
        ran(&shell("echo x > /dev/stderr; echo y > /dev/fd/2; echo z >> /proc/self/fd/2"), b"");
    assert_eq!((outcome.end, &outcome.errors[..]), (JobEnd::Exited(0), &b"x\ny\nz\n"[..]));
    let mut job = plan(
        "/bin/bash",
        &[
            "bash",
            "-c",
            "cat <(echo a) < /dev/null; while read l; do echo $l; done < <(cat /dev/fd/0)",
        ],
    );
    job.limits.files = 64;
    assert_eq!(succeeds(&job), "a\npayload\n");
    // In the direction in which they were given.
    script("! (head -c 1 < /dev/stdout); ! (head -c 1 < /dev/stderr)");
    // The payload is still nobody's to change.
    script(
        "! { echo x > /dev/stdin; } 2> /dev/null; ! { echo x >> /proc/self/fd/0; } 2> /dev/null; cat",
    );
}

#[test]
fn no_process_but_those_of_the_job_is_there() {
    let seen = "import os\nif os.fork() == 0: os.pause() if hasattr(os, 'pause') else __import__('signal').pause()\n\
                seen = {p for p in os.listdir('/proc') if p.isdigit()}\nassert str(os.getpid()) in seen and len(seen) == 2, seen\n\
                assert '1' not in seen";
    succeeds(&python(seen));
}

/// Process 1 of the namespace is brine's, and runs as the user of the job.
#[test]
fn process_1_tells_a_job_nothing() {
    for waived in
        [&[][..], &[Layer::Landlock], &[Layer::Seccomp], &[Layer::Landlock, Layer::Seccomp]]
    {
        let names = "environ maps mem fd cwd root exe auxv stack syscall io cmdline comm status stat limits mountinfo";
        let mut job = shell(&format!(
            "for f in {names}; do head -c 1 /proc/1/$f 2>&1 && echo read $f; ls /proc/1/$f && echo listed $f; \
             readlink /proc/1/$f && echo followed $f; done 2>/dev/null; true"
        ));
        job.waived = waived.iter().copied().collect();
        let (outcome, output) = ran(&job, b"");
        let said = String::from_utf8_lossy(&output);
        let told: Vec<_> = said
            .lines()
            .filter(|line| {
                line.starts_with("read ")
                    || line.starts_with("listed ")
                    || line.starts_with("followed ")
            })
            .collect();
        assert_eq!((outcome.end, told), (JobEnd::Exited(0), vec![]), "{waived:?}");
    }
}

/// What is not on the list is an empty file or directory, or for root alone.
#[test]
fn what_is_of_the_machine_and_on_no_list_is_hidden() {
    let shown =
        "cgroups cpuinfo filesystems loadavg meminfo stat sys sysvipc uptime version vmstat";
    let look = "cd /proc; for f in *; do case $f in [0-9]*|self|thread-self|net|mounts) continue;; esac; \
                if [ -d $f ]; then [ -z \"$(ls -A $f 2>/dev/null)\" ] || echo $f; \
                elif [ -n \"$(head -c 1 $f 2>/dev/null | tr '\\0' x)\" ]; then echo $f; fi; done";
    for waived in [&[][..], &[Layer::Landlock], &[Layer::Landlock, Layer::Seccomp, Layer::Limits]] {
        let mut job = shell(look);
        job.waived = waived.iter().copied().collect();
        let (outcome, output) = ran(&job, b"");
        let found = String::from_utf8(output).unwrap().lines().collect::<Vec<_>>().join(" ");
        assert_eq!((outcome.end, &*found), (JobEnd::Exited(0), shown), "{waived:?}");
    }
    // This system has more, or the test shows nothing.
    let bare = Command::new("sh").args(["-c", look]).output().unwrap();
    assert!(String::from_utf8_lossy(&bare.stdout).contains("cmdline"));
    script(
        "test -z \"$(cat /proc/sys/kernel/random/boot_id)\"; \
            test -n \"$(cat /proc/sys/kernel/random/uuid)\"",
    );
}

/// Also with Landlock or seccomp alone gone: the mount is read-only.
#[test]
fn nothing_in_proc_is_written() {
    let write = "for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/vm/overcommit_memory \
                 /proc/self/oom_score_adj /proc/self/comm /proc/self/mem /proc/self/uid_map /proc/self/setgroups; do \
                 { echo 1 > $f; } 2>/dev/null && echo written $f; done; cat /proc/self/oom_score_adj";
    for waived in
        [&[][..], &[Layer::Landlock], &[Layer::Seccomp], &[Layer::Landlock, Layer::Seccomp]]
    {
        let mut job = shell(write);
        job.waived = waived.iter().copied().collect();
        let (outcome, output) = ran(&job, b"");
        // A job is the first to be killed if memory is short, and stays it.
        assert_eq!((outcome.end, &*output), (JobEnd::Exited(0), &b"1000\n"[..]), "{waived:?}");
    }
}

/// As Docker does it. The kernel then lets nobody but the root of the system mount another.
#[test]
fn where_a_proc_is_masked_a_job_has_the_files_about_the_machine() {
    if crate::world::is_root() {
        // Root of the system may. The second run of these tests is by somebody else.
        return;
    }
    let mask = "mount --bind /dev/null /proc/keys && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-current-user",
        "--keep-caps",
        "--mount",
        "sh",
        "-c",
        mask,
        "sh",
    ]);
    command
        .args(itself("proc::a_job_looks_at_proc_for_another_test"))
        .env(MARK, "x")
        .env(BRINE, brine());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        said.contains("Missing") && said.contains("MemTotal") && said.contains("no self"),
        "{said}"
    );
}

/// Not a test: what the one above runs.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn a_job_looks_at_proc_for_another_test() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let (outcome, output) =
        ran(&shell("head -n 1 /proc/meminfo; nproc; test -e /proc/self || echo no self"), b"");
    println!("{:?} {:?} {}", outcome.end, outcome.proc_view, String::from_utf8_lossy(&output));
    assert_eq!(LAYERS.len(), 6);
}
