//! Programs that people run, behind every layer: what docs/policy.md says of them.

use std::path::Path;

use brine_job::PlanParts;
use brine_sandbox::JobEnd;

use crate::jobs::{plan, ran};

/// Runs a program that reads its script from standard input; nothing is shown where this system does not have it.
#[track_caller]
fn says(program: &str, arguments: &[&str], script: &str, expected: &str) {
    says_in(&ordinary(program, arguments), script, expected);
}

#[track_caller]
fn says_in(job: &PlanParts, script: &str, expected: &str) {
    let path = job.program.path.display();
    if !job.program.path.exists() {
        println!("skipped: this system has no {path}");
        return;
    }
    let (outcome, output) = ran(job, script.as_bytes());
    let errors = String::from_utf8_lossy(&outcome.errors);
    assert_eq!(
        (outcome.end, &*String::from_utf8_lossy(&output)),
        (JobEnd::Exited(0), expected),
        "{path}: {errors}"
    );
}

/// A job as a policy without limits plans it.
fn ordinary(program: &str, arguments: &[&str]) -> PlanParts {
    let name = Path::new(program).file_name().unwrap().to_str().unwrap();
    let arguments: Vec<&str> = [name].iter().chain(arguments).copied().collect();
    let mut job = plan(program, &arguments);
    job.environment.insert("HOME".into(), "/job/work".into());
    job.environment.insert("TMPDIR".into(), "/job/work".into());
    for path in ["/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs"].map(Path::new) {
        if path.exists() {
            job.system.insert(path.into());
        }
    }
    job.limits.memory = 1 << 30;
    job.limits.scratch = 64 << 20;
    job.limits.file_size = 64 << 20;
    job.limits.files = 256;
    job.limits.processes = 64;
    job
}

#[test]
fn bash_has_its_descriptors() {
    says(
        "/bin/bash",
        &[],
        "cat <(echo a) <(echo b); echo e > /dev/stderr; echo x | tee /dev/stderr; cat <<X\nhere\nX\n\
         read y <<< string; echo $y; diff <(echo 1) <(echo 1) && coproc cat; echo hi >&${COPROC[1]}; \
         read z <&${COPROC[0]}; echo $z; exec 9> /tmp/lock; flock 9 echo locked",
        "a\nb\nx\nhere\nstring\nhi\nlocked\n",
    );
}

#[test]
fn node_knows_the_machine_and_itself() {
    says(
        "/usr/bin/node",
        &["-"],
        "const os = require('os'), fs = require('fs'), c = require('crypto');\n\
         fs.writeFileSync('/tmp/x', 'y');\n\
         console.log(os.cpus().length > 0, os.userInfo().username, os.hostname(), os.tmpdir());\n\
         console.log(c.createHash('sha256').update('x').digest('hex').slice(0, 8), c.randomBytes(4).length);\n\
         console.log(require('child_process').execSync('echo child').toString().trim());\n\
         require('net').createServer().listen('/tmp/s', () => require('net').connect('/tmp/s', () => {\n\
         console.log('connected'); process.exit(0); }));",
        "true nobody brine /job/work\n2d711642 4\nchild\nconnected\n",
    );
}

#[test]
fn java_compiles_and_runs() {
    let program = "public class H { public static void main(String[] a) throws Exception { \
                   System.out.println(Runtime.getRuntime().availableProcessors() > 0); \
                   System.out.println(System.getProperty(\"user.home\")); \
                   new java.security.SecureRandom().nextInt(); } }";
    let mut job = ordinary("/usr/bin/java", &["-Xmx64m", "/dev/stdin"]);
    job.program.arguments.insert(1, "--source".into());
    job.program.arguments.insert(2, "17".into());
    // Where Debian keeps its configuration.
    for path in ["/etc/java-17-openjdk", "/etc/java-21-openjdk"].map(Path::new) {
        if path.exists() {
            job.system.insert(path.into());
        }
    }
    says_in(&job, program, "true\n/job/work\n");
}

#[test]
fn git_and_sqlite_and_perl_work() {
    says(
        "/bin/sh",
        &["-e"],
        "git init -q r && cd r && echo x > f && git add f && git -c user.name=n -c user.email=e commit -qm m\n\
         git log --oneline | wc -l\ngit gc -q\ngit clone -q . /tmp/c\nls /tmp/c\n",
        "1\nf\n",
    );
    says(
        "/usr/bin/sqlite3",
        &["/tmp/db"],
        "create table t(a); insert into t values(1),(2); select sum(a) from t;",
        "3\n",
    );
    says(
        "/usr/bin/perl",
        &[],
        "print join(' ', (getpwuid($<))[0, 7], scalar gethostbyname('localhost') ? 'host' : 'none'), \"\\n\";",
        "nobody /job/work host\n",
    );
}

#[test]
fn python_has_certificates_and_a_user() {
    says(
        "/usr/bin/python3",
        &["-I", "-"],
        "import ssl, getpass, platform, os, asyncio, sqlite3, zoneinfo\n\
         from concurrent.futures import ProcessPoolExecutor as P\n\
         print(len(ssl.create_default_context().get_ca_certs()) > 0, getpass.getuser(), platform.node())\n\
         print(os.cpu_count() > 0, os.getloadavg()[0] >= 0)\n\
         with P(2) as pool: print(list(pool.map(abs, [-1, 2])))\n",
        "True nobody brine\nTrue True\n[1, 2]\n",
    );
}

/// The compiler works either way, and what it made runs if the policy says so.
#[test]
fn a_compiled_program_runs_if_the_policy_says_so() {
    let c = "#include <stdio.h>\nint main(void) { puts(\"compiled\"); return 0; }\n";
    let build = "gcc -O1 -x c - -o a; ./a || echo refused";
    let mut job = ordinary("/bin/sh", &["-c", build]);
    says_in(&job, c, "refused\n");
    job.exec_scratch = true;
    says_in(&job, c, "compiled\n");
}
