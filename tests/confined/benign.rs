//! What ordinary programs do, behind every layer.

use std::path::PathBuf;

use brine_job::GrantedPath;
use brine_sandbox::JobEnd;

use crate::jobs::{plan, ran, shell};

#[track_caller]
fn python(script: &str) {
    let mut job = plan("/usr/bin/python3", &["python3", "-I", "-c", script]);
    job.environment.insert("TMPDIR".into(), "/job/work".into());
    let (outcome, _) = ran(&job, b"payload\n");
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
}

#[track_caller]
fn sh(script: &str) {
    let mut job = shell(&format!("set -e; {script}"));
    job.environment.insert("TMPDIR".into(), "/job/work".into());
    job.environment.insert("HOME".into(), "/job/work".into());
    // Where awk and cc lead on Debian.
    let path: PathBuf = "/etc/alternatives".into();
    if path.exists() {
        job.granted_paths.insert(GrantedPath {
            source: path.clone(),
            target: path,
            writable: false,
        });
    }
    let (outcome, _) = ran(&job, b"payload\n");
    assert_eq!(outcome.end, JobEnd::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
}

#[test]
fn python_computes_and_starts_processes_and_threads() {
    python("import json, hashlib, zlib, re, decimal, random; random.random(); json.dumps([1])");
    python("import sys; assert sys.stdin.read() == 'payload\\n'");
    python(
        "import subprocess; assert subprocess.run(['echo', 'a'], capture_output=True).stdout == b'a\\n'",
    );
    python("import threading; t = threading.Thread(target=print); t.start(); t.join()");
    python("import os; r = os.fork(); os._exit(0) if r == 0 else os.waitpid(r, 0)");
    python("import asyncio; asyncio.run(asyncio.sleep(0.01))");
    python(
        "import asyncio\nasync def f():\n p = await asyncio.create_subprocess_exec('true')\n assert await p.wait() == 0\nasyncio.run(f())",
    );
    python("import socket; a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'");
    python(
        "from concurrent.futures import ThreadPoolExecutor as E; assert list(E(4).map(abs, [-1])) == [1]",
    );
    python("import signal, os; signal.signal(10, lambda *_: None); os.kill(os.getpid(), 10)");
    python(
        "import resource, os, time; resource.getrusage(0); os.nice(1); time.sleep(0.001); os.sched_getaffinity(0)",
    );
}

#[test]
fn python_works_with_files_in_its_scratch_directory() {
    python("import os; assert os.getcwd() == '/job/work'");
    python(
        "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x'); f.flush(); open(f.name).read()",
    );
    python("import tempfile; tempfile.TemporaryFile().write(b'x')");
    python("import mmap; m = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); m[0] = 1");
    python(
        "import mmap; f = open('map', 'w+b'); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[0] = 1",
    );
    python("import sqlite3; c = sqlite3.connect('db'); c.execute('create table t(a)'); c.commit()");
    python(
        "import os, shutil; os.makedirs('a/b'); open('a/b/c', 'w').close(); shutil.copytree('a', 'd'); os.rename('d', 'e'); shutil.rmtree('e')",
    );
    python(
        "import fcntl; f = open('lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX)",
    );
    python(
        "import os; os.mkfifo('f') if False else os.link(open('x', 'w').name, 'y'); os.utime('y'); os.chmod('y', 0o600); os.truncate('y', 10)",
    );
    python(
        "import os; assert len(os.urandom(8)) == 8; open('/dev/urandom', 'rb').read(8); open('/dev/null', 'w').write('x')",
    );
}

#[test]
fn shells_and_their_tools_work() {
    sh("test \"$(cat)\" = payload");
    sh("test \"$(printf 'b\\na\\n' | sort | head -n 1)\" = a");
    sh("seq 100 | awk '{ s += $1 } END { exit s != 5050 }'");
    sh("echo hello | sed s/l/L/g | grep -q heLLo");
    sh("mkdir d; echo x > d/f; tar cf d.tar d; rm -r d; tar xf d.tar; cat d/f");
    sh("echo x > f; gzip f; gunzip f.gz; cmp f f; find . -name f -print | xargs ls -l");
    sh("cat <<X | wc -c\nhere\nX\n");
    sh("sleep 1 & kill $!; wait $! || true");
    sh("(exit 3) || test $? = 3; trap 'true' TERM; kill -TERM $$");
    sh("dd if=/dev/zero of=z bs=1024 count=16 2>/dev/null; sha256sum z; date; id; uname -a; env");
    sh("perl -e 'open(F, \">x\"); print F 1; close F; system(\"true\") == 0 or die'");
}

#[test]
fn compilers_and_git_work() {
    sh("echo 'int main(void) { return 0; }' > a.c; cc -c a.c -o a.o; test -s a.o");
    sh("git init -q r; cd r; echo x > f; git add f; \
        git -c user.name=n -c user.email=e commit -qm m; git log --oneline; git gc -q; git status");
}
