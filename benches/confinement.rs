//! What it costs to start a job: `/bin/true` in confinement, beside bubblewrap and beside nothing.
//!
//! `./scripts/bench-run` prints it. All sorts take turns, so that what else runs on the machine costs
//! each of them the same.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints, and ends where something is missing"
)]
#![allow(missing_docs, reason = "a program")]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs::File;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use brine_job::{JobLimits, JobProgram, Layer, OutputFormat, PayloadDelivery, Plan, PlanParts};
    use brine_sandbox::{JobEnd, Launch, SHOWN_IN_PROC, launch};

    type Sort = (String, Box<dyn Fn()>);

    pub(crate) fn main() {
        if !std::env::args().any(|argument| argument == "--bench") {
            // As a test it only has to compile.
            return;
        }
        let same = same_files();
        let mut sorts: Vec<Sort> = vec![
            ("/bin/true alone".into(), Box::new(|| spawn(&mut Command::new("/bin/true")))),
            ("brine --version".into(), Box::new(|| spawn(Command::new(BRINE).arg("--version")))),
            ("bubblewrap, bare".into(), Box::new(|| spawn(&mut bubblewrap(&[])))),
            ("bubblewrap, the same files".into(), Box::new(move || spawn(&mut bubblewrap(&same)))),
            ("brine, every layer".into(), Box::new(|| confined(&plan(&[])))),
            ("brine, no layer".into(), Box::new(|| confined(&plan(&Layer::ALL)))),
        ];
        for layer in Layer::ALL {
            let name = format!("brine, without {}", layer.name());
            sorts.push((name, Box::new(move || confined(&plan(&[layer])))));
        }
        let mut times = vec![Vec::new(); sorts.len()];
        for _ in 0..ROUNDS {
            for ((_, run), times) in sorts.iter().zip(&mut times) {
                let start = Instant::now();
                run();
                times.push(start.elapsed());
            }
        }
        println!("milliseconds, {ROUNDS} rounds{:>18}{:>10}", "median", "least");
        for ((name, _), times) in sorts.iter().zip(&mut times) {
            times.sort_unstable();
            let (median, least) = (times[times.len() / 2], times[0]);
            println!("{name:<32}{:>12.2}{:>10.2}", millis(median), millis(least));
        }
    }

    fn millis(time: Duration) -> f64 {
        time.as_secs_f64() * 1000.0
    }

    fn spawn(command: &mut Command) {
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(status.success());
    }

    /// Options that come as near as they can: it has neither Landlock, nor limits, nor a filter of its own,
    /// and takes one that another program made.
    fn bubblewrap(more: &[String]) -> Command {
        let mut command = Command::new("bwrap");
        command.args(["--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1"]);
        command.args(["--cap-drop", "ALL", "--uid", "65534", "--gid", "65534"]);
        command.args(["--ro-bind", "/usr", "/usr"]);
        for link in ["bin", "lib", "lib64"] {
            command.args(["--symlink", &format!("usr/{link}"), &format!("/{link}")]);
        }
        command.args(["--dev", "/dev", "--size", "1048576", "--tmpfs", "/job/work"]).args(more);
        command.args(["--chdir", "/job/work", "--clearenv", "--remount-ro", "/"]);
        command.args(["--", "/bin/true"]);
        command
    }

    /// Options that show what a job of brine's finds besides its program: a `/proc` in which most files about the machine
    /// are hidden, places to write, and files of `/etc`.
    fn same_files() -> Vec<String> {
        let mut options =
            words("--proc /proc --size 1048576 --tmpfs /tmp --size 1048576 --tmpfs /dev/shm");
        for entry in std::fs::read_dir("/proc").unwrap().map(Result::unwrap) {
            let (name, metadata) = (entry.file_name(), entry.metadata().unwrap());
            let name = name.to_str().unwrap();
            let is_process = name.bytes().all(|byte| byte.is_ascii_digit());
            let is_for_others = !metadata.is_symlink() && metadata.mode() & 0o007 != 0;
            if is_process || SHOWN_IN_PROC.contains(&name) || !is_for_others {
                continue;
            }
            options.extend(words(&match metadata.is_dir() {
                true => format!("--tmpfs /proc/{name}"),
                false => format!("--ro-bind /dev/null /proc/{name}"),
            }));
        }
        for name in
            ["passwd", "group", "hosts", "nsswitch.conf", "localtime", "ssl/certs", "alternatives"]
        {
            options.extend(words(&format!("--ro-bind-try /etc/{name} /etc/{name}")));
        }
        options
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn confined(plan: &Plan) {
        let payload = File::open("/dev/null").unwrap();
        let launch = launch(
            Launch {
                plan,
                payload,
                input: None,
                powers: Vec::new(),
                stop: None,
                program_init: Path::new(BRINE),
            },
            &mut Vec::new(),
        );
        assert_eq!(launch.unwrap().end, JobEnd::Exited(0));
    }

    fn plan(waived: &[Layer]) -> Plan {
        Plan::from(PlanParts {
            program: JobProgram {
                path: "/bin/true".into(),
                sha256: None,
                arguments: vec!["true".into()],
            },
            delivery: PayloadDelivery::Stdin,
            environment: BTreeMap::new(),
            system: ["/bin", "/lib", "/lib64", "/usr"].map(PathBuf::from).into(),
            granted_paths: BTreeSet::new(),
            ports: BTreeSet::new(),
            powers: BTreeSet::new(),
            limits: JobLimits {
                wall: Duration::from_secs(10),
                grace: Duration::from_millis(500),
                cpu: Duration::from_secs(5),
                memory: 256 << 20,
                address_space: 1 << 40,
                output: 1 << 16,
                errors: 1 << 12,
                file_size: 1 << 20,
                processes: 16,
                files: 64,
                scratch: 1 << 20,
            },
            format: OutputFormat::Bytes,
            exec_scratch: false,
            schema: None,
            waived: waived.iter().copied().collect(),
        })
    }

    const BRINE: &str = env!("CARGO_BIN_EXE_brine");

    const ROUNDS: usize = 200;
}
