//! An ordinary place to work in: what programs expect to find, and that it is the job's own.

use std::fs;

use brine_job::{GrantedPath, PlanParts};
use brine_sandbox::JobEnd;

use crate::faults::python;
use crate::jobs::{ran, shell};
use crate::world::World;

#[track_caller]
pub(crate) fn succeeds(job: &PlanParts) -> String {
    let (outcome, output) = ran(job, b"payload\n");
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
    String::from_utf8(output).unwrap()
}

#[track_caller]
pub(crate) fn script(text: &str) -> String {
    succeeds(&shell(&format!("set -e; {text}")))
}

#[test]
fn a_job_has_places_for_temporary_files_and_shared_memory() {
    for place in ["/job/work", "/tmp", "/dev/shm"] {
        script(&format!(
            "echo x > {place}/f; mv {place}/f {place}/g; mkdir {place}/d; rm -r {place}/d {place}/g"
        ));
        // What is there is the job's own.
        assert_eq!(script(&format!("ls -A {place}")), "");
    }
    assert_eq!(
        script("stat -c '%a %u' /job/work /tmp /dev/shm"),
        "700 65534\n1777 65534\n1777 65534\n"
    );
    succeeds(&python(
        "from multiprocessing import Lock, shared_memory as s\nwith Lock(): pass\n\
         m = s.SharedMemory(create=True, size=4096)\nm.buf[0] = 1\n\
         n = s.SharedMemory(m.name)\nassert n.buf[0] == 1\nn.close()\nm.unlink()",
    ));
}

/// Their limit is one, or three times as much memory could be held.
#[test]
fn all_scratch_places_together_have_one_limit() {
    let fill = |place: &str, kibibytes: u32| {
        format!("dd if=/dev/zero of={place}/f bs=1k count={kibibytes} 2>/dev/null; ")
    };
    let mut job = shell(
        &(fill("/job/work", 300)
            + &fill("/tmp", 300)
            + &fill("/dev/shm", 500)
            + "stat -c %s /dev/shm/f"),
    );
    job.limits.scratch = 1 << 20;
    let (_, output) = ran(&job, b"");
    let written: u32 = String::from_utf8(output).unwrap().trim().parse().unwrap();
    assert!((300..=424).contains(&(written >> 10)), "{written}");
}

#[test]
fn a_job_has_users_a_host_name_and_a_time_zone_that_say_nothing_of_this_system() {
    assert_eq!(
        script("cat /etc/passwd /etc/group /etc/hostname /etc/hosts"),
        "root:x:0:0:root:/nonexistent:/bin/false\nnobody:x:65534:65534:nobody:/job/work:/bin/sh\n\
         root:x:0:\nnobody:x:65534:\nbrine\n127.0.0.1 localhost\n::1 localhost\n"
    );
    script("! echo x >> /etc/passwd; ! touch /etc/new; ! rm /etc/hosts");
    assert_eq!(
        script("id -un; unset HOME; hostname; ls -A /etc | grep -vc XXX"),
        "nobody\nbrine\n6\n"
    );
    succeeds(&python(
        "import os, pwd, socket\nassert pwd.getpwuid(os.getuid()).pw_dir == '/job/work'\n\
         assert socket.gethostbyname('localhost') == '127.0.0.1'",
    ));
    let ours = std::process::Command::new("date").arg("+%Z").env_remove("TZ").output().unwrap();
    assert_eq!(script("date +%Z"), String::from_utf8(ours.stdout).unwrap());
}

/// What the operator names as a system path is shown, and takes the place of what is made.
#[test]
fn what_a_plan_shows_is_not_hidden_by_what_is_made() {
    let world = World::new();
    fs::create_dir(world.at("shown")).unwrap();
    fs::write(world.at("shown/file"), "shown\n").unwrap();
    // Below /tmp, where the world lies.
    let path = world.path().display();
    let mut job = shell(&format!(
        "cat {path}/shown/file; ls {path}; echo x > /tmp/f; ! echo x > {path}/shown/f"
    ));
    job.system.insert(world.at("shown"));
    assert_eq!(succeeds(&job), "shown\nshown\n");
    // /tmp itself, as this system has it.
    let mut job =
        shell(&format!("cat {}; ! echo x > /tmp/brine-probe-new", world.at("secret").display()));
    job.system.insert("/tmp".into());
    assert_eq!(succeeds(&job), "secret\n");
}

#[test]
fn devices_are_those_that_reach_nobody() {
    assert_eq!(script("ls /dev/full /dev/null /dev/zero /dev/random /dev/urandom | wc -l"), "5\n");
    assert_eq!(script("! cp /bin/true /dev/full; head -c 3 /dev/zero | wc -c"), "3\n");
    script("! test -e /dev/ptmx; ! test -e /dev/tty; ! test -e /dev/kmsg");
}

/// A job executes what it wrote only if the policy says so, and then in all of its scratch places.
#[test]
fn scratch_is_executed_if_the_policy_says_so() {
    let compile = "echo 'int main(void) { return 7; }' > a.c; cc a.c -o a.out; for d in . /tmp /dev/shm; do \
                   cp a.out $d/b; chmod 755 $d/b; s=0; $d/b || s=$?; echo $s; done";
    let mut job = shell(&format!("set -e; {compile}"));
    job.system.insert("/etc/alternatives".into());
    job.limits.scratch = 4 << 20;
    assert_eq!(succeeds(&job), "126\n126\n126\n");
    job.exec_scratch = true;
    assert_eq!(succeeds(&job), "7\n7\n7\n");
    // What is granted is still not executed.
    let world = World::new();
    job = shell("! /data/tool");
    job.exec_scratch = true;
    job.granted_paths.insert(GrantedPath {
        source: world.path().into(),
        target: "/data".into(),
        writable: true,
    });
    succeeds(&job);
}

/// What `multiprocessing` of Python does: pipes, shared memory, and local sockets to a process that forks others.
#[test]
fn python_works_with_many_processes() {
    let work = "import multiprocessing as m, sys\n\
        from multiprocessing import shared_memory\n\
        def square(x): return x * x\n\
        def put(queue): queue.put('put')\n\
        def touch(name):\n \
        s = shared_memory.SharedMemory(name); s.buf[0] = 7; s.close()\n\
        if __name__ == '__main__':\n \
        m.set_start_method(sys.argv[1])\n \
        with m.Pool(2) as pool: assert pool.map(square, range(9)) == [x * x for x in range(9)]\n \
        q = m.Queue(); p = m.Process(target=put, args=(q,)); p.start(); assert q.get() == 'put'; p.join()\n \
        s = shared_memory.SharedMemory(create=True, size=64)\n \
        p = m.Process(target=touch, args=(s.name,)); p.start(); p.join(); assert s.buf[0] == 7; s.close(); s.unlink()\n \
        with m.Manager() as manager:\n  \
        d = manager.dict(a=1); assert d['a'] == 1\n \
        print('done')\n";
    for method in ["fork", "spawn", "forkserver"] {
        let mut job = shell(&format!("cat > work.py; python3 -I work.py {method}"));
        job.environment.insert("TMPDIR".into(), "/job/work".into());
        let (outcome, output) = ran(&job, work.as_bytes());
        let errors = String::from_utf8_lossy(&outcome.errors);
        assert_eq!(
            (outcome.end, &*output),
            (JobEnd::Exited(0), &b"done\n"[..]),
            "{method}: {errors}"
        );
    }
}
