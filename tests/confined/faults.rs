//! Jobs that go wrong in every way there is, and what is left of them: nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use brine_core::Classified as _;
use brine_job::{Layer, OutputFormat, Plan, PlanParts};
use brine_sandbox::{JobEnd, Launch, LaunchError, TreeKill, launch};
use rustix::process::{Pid, Signal};

use crate::jobs::{BRINE, brine, plan, ran, shell, verdict};
use crate::world::{World, is_root, open_to_all};

pub(crate) fn python(script: &str) -> PlanParts {
    plan("/usr/bin/python3", &["python3", "-I", "-c", script])
}

/// A number that no other process has in its arguments.
pub(crate) fn mark() -> String {
    let bytes: u64 = fs::File::open("/dev/urandom")
        .and_then(|mut file| {
            let mut bytes = [0; 8];
            file.read_exact(&mut bytes)?;
            Ok(u64::from_le_bytes(bytes))
        })
        .unwrap();
    format!("mark-{bytes}")
}

/// The processes of this system that have `mark` among their arguments, this one's threads apart.
pub(crate) fn marked(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(arguments) = fs::read(entry.path().join("cmdline")) else { continue };
        if arguments.windows(mark.len()).any(|part| part == mark.as_bytes()) {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

/// Waits for a state of the system that comes soon, or never.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come to be");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_fork_bomb_stays_within_its_bounds_and_ends_with_the_job() {
    let mark = mark();
    let script = format!(
        "import os, time\n'{mark}'\nn = 0\nwhile True:\n try:\n  if os.fork() == 0:\n   n = 0\n except OSError:\n  time.sleep(0.01)"
    );
    let mut job = python(&script);
    job.limits.processes = 20;
    job.limits.wall = Duration::from_secs(1);
    let most = std::thread::scope(|scope| {
        let job = scope.spawn(|| ran(&job, b"").0);
        let mut most = 0;
        while !job.is_finished() {
            most = most.max(marked(&mark).len());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(job.join().unwrap().end, JobEnd::TimedOut);
        most
    });
    assert!((2..=20).contains(&most), "{most} processes");
    assert_eq!(marked(&mark), [""; 0]);
}

#[test]
fn address_space_beyond_the_limit_is_not_given() {
    let mut job = python("x = bytearray(1 << 30)");
    job.limits.address_space = 256 << 20;
    let (outcome, _) = ran(&job, b"");
    assert_eq!(outcome.end, JobEnd::Exited(1));
    assert!(String::from_utf8_lossy(&outcome.errors).contains("MemoryError"));
    assert!(outcome.usage.peak_memory < 256 << 20);
}

#[test]
fn a_job_that_computes_for_ever_runs_out_of_processor_time() {
    for script in
        ["while True: pass", "import signal; signal.signal(24, signal.SIG_IGN)\nwhile True: pass"]
    {
        let mut job = python(script);
        job.limits.cpu = Duration::from_secs(1);
        let (outcome, _) = ran(&job, b"");
        assert_eq!(outcome.end, JobEnd::OutOfProcessorTime, "{script}");
        assert_eq!(verdict(&job, &outcome, b""), "out-of-processor-time");
        assert!(outcome.usage.user + outcome.usage.system > Duration::from_millis(100));
    }
}

#[test]
fn a_job_that_sleeps_or_stops_itself_runs_out_of_time() {
    for script in ["sleep 1000", "kill -STOP $$", "trap '' TERM INT HUP; while :; do sleep 1; done"]
    {
        let mut job = shell(script);
        job.limits.wall = Duration::from_millis(300);
        let (outcome, _) = ran(&job, b"");
        assert_eq!(outcome.end, JobEnd::TimedOut, "{script}");
        assert_eq!(verdict(&job, &outcome, b""), "timed-out");
        assert!(outcome.wall < Duration::from_secs(5));
    }
}

#[test]
fn a_flood_is_taken_to_its_bound_and_no_further() {
    let mut job = shell("yes");
    job.limits.output = 100_000;
    let (outcome, output) = ran(&job, b"");
    assert_eq!((outcome.end, output.len()), (JobEnd::OutputTooLarge, 100_000));
    assert_eq!(outcome.output_bytes, 100_000);
    assert_eq!(verdict(&job, &outcome, &output), "output-too-large");
    // Exactly as much as it may is not too much.
    for (bytes, end) in [(100_000, JobEnd::Exited(0)), (100_001, JobEnd::OutputTooLarge)] {
        let mut job = shell(&format!("head -c {bytes} /dev/zero"));
        job.limits.output = 100_000;
        assert_eq!(ran(&job, b"").0.end, end, "{bytes}");
    }
}

#[test]
fn what_a_job_complains_of_is_kept_to_its_bound_and_counted() {
    let mut job = shell("head -c 100000 /dev/zero >&2; echo out");
    job.limits.errors = 1000;
    let (outcome, output) = ran(&job, b"");
    assert_eq!((outcome.end, &output[..]), (JobEnd::Exited(0), &b"out\n"[..]));
    assert_eq!((outcome.errors.len(), outcome.errors_dropped), (1000, 99_000));
}

#[test]
fn output_that_is_not_what_it_should_be_is_invalid() {
    let judged = |script: &str, format| {
        let mut job = shell(script);
        job.format = format;
        let (outcome, output) = ran(&job, b"");
        verdict(&job, &outcome, &output)
    };
    assert_eq!(judged("echo '[1, 2]'", OutputFormat::Json), "ok");
    assert_eq!(judged("printf '[1, '", OutputFormat::Json), "invalid-output");
    assert_eq!(judged("printf '\\377'", OutputFormat::Utf8), "invalid-output");
    // A job that could not write, and says that all is well.
    assert_eq!(judged("exec >&-; echo '[1]' 2>/dev/null; exit 0", OutputFormat::Bytes), "ok");
    assert_eq!(judged("echo '[1]'; exit 7", OutputFormat::Json), "failed");
}

/// A process that left its session, its parent and its terminal, and holds the job's output open.
#[test]
fn a_daemon_ends_with_the_job_and_is_not_waited_for() {
    let daemon = "import os, sys, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(1000)";
    for waived in
        [&[][..], &[Layer::Namespaces], &[Layer::Namespaces, Layer::Landlock, Layer::Seccomp]]
    {
        let mark = mark();
        let mut job = shell(&format!("python3 -I -c '{daemon}' {mark}; sleep 0.2; echo started"));
        job.waived = BTreeSet::from_iter(waived.iter().copied());
        let before = Instant::now();
        let (outcome, output) = ran(&job, b"");
        assert_eq!((outcome.end, &output[..]), (JobEnd::Exited(0), &b"started\n"[..]));
        assert!(before.elapsed() < Duration::from_secs(10));
        assert_eq!(marked(&mark), [""; 0]);
        let tree = if waived.is_empty() { TreeKill::Certain } else { TreeKill::Weak };
        assert_eq!(outcome.tree, tree);
    }
}

#[test]
fn orphans_are_reaped_while_the_job_runs() {
    // More of them, one after the other, than there may be at one time.
    let mut job =
        shell("i=0; while [ $i -lt 60 ]; do (true &); i=$((i+1)); sleep 0.002; done; echo $i");
    job.limits.processes = 8;
    let (outcome, output) = ran(&job, b"");
    assert_eq!((outcome.end, &output[..]), (JobEnd::Exited(0), &b"60\n"[..]));
}

#[test]
fn an_output_that_cannot_be_written_ends_the_job() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mark = mark();
    let job = shell(&format!(": {mark}; yes"));
    let payload = tempfile::tempfile().unwrap();
    let program_init = &brine();
    let plan = &Plan::from(job);
    let error = launch(
        Launch { plan, payload, input: None, powers: Vec::new(), stop: None, program_init },
        &mut Full,
    )
    .unwrap_err();
    assert!(matches!(error, LaunchError::Output(_)), "{error}");
    assert_eq!(error.status(), 4);
    assert_eq!(marked(&mark), [""; 0]);
}

#[test]
fn a_layer_that_cannot_be_had_is_an_error_that_names_it() {
    let mut job = shell("true");
    job.limits.wall = Duration::from_secs(1);
    // A program that is not brine never answers.
    let payload = tempfile::tempfile().unwrap();
    let program_init = Path::new("/bin/true");
    let plan = &Plan::from(job);
    let error = launch(
        Launch { plan, payload, input: None, powers: Vec::new(), stop: None, program_init },
        &mut Vec::new(),
    )
    .unwrap_err();
    assert_eq!((error.reason(), error.status()), ("system", 4), "{error}");
    if is_root() {
        // Root makes them by its own power; who has none is asked in the second run of these tests.
        return;
    }
    let said = run_without_namespaces();
    assert!(said.contains("could not be set up: namespaces: making new namespaces"), "{said}");
    assert!(said.contains("hint: this system denies you user namespaces"), "{said}");
}

/// In such a namespace root cannot become anybody else, and a job would be root outside.
#[test]
fn a_namespace_with_one_user_is_said_to_have_one() {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user"])
        .args(itself("faults::a_job_is_run_for_another_test"));
    let output = command.env(MARK, mark()).env(BRINE, brine()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("confinement could not be set up"), "{said}");
    assert!(said.contains("hint: this user namespace has only one user or group"), "{said}");
}

/// Runs a job where no namespace can be made, and returns what is said of it.
fn run_without_namespaces() -> String {
    // A user namespace may be told to hold no other.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-current-user", "--keep-caps", "sh", "-c", script, "sh"]);
    command.args(itself("faults::a_job_is_run_for_another_test")).env(MARK, mark());
    command.env(BRINE, brine());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The arguments that have this program run one test, and say what it says.
pub(crate) fn itself(name: &str) -> [String; 5] {
    let program = std::env::current_exe().unwrap().into_os_string().into_string().unwrap();
    [program, "--exact".into(), name.to_owned(), "--include-ignored".into(), "--nocapture".into()]
}

/// A process of its own that runs a job until it is killed.
fn runner(mark: &str) -> Child {
    runner_within(mark, Duration::from_secs(60))
}

/// Such a process, whose job has this much time.
fn runner_within(mark: &str, wall: Duration) -> Child {
    let mut command = Command::new(&itself("")[0]);
    command.args(&itself("faults::a_job_is_run_for_another_test")[1..]).env(MARK, mark);
    command.env(BRINE, brine()).env(WALL, wall.as_secs().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // A group of its own, as a shell gives it.
    command.process_group(0).spawn().unwrap()
}

/// Returns the init of the job of a runner.
fn init_of(runner: &Child) -> Pid {
    let runners = runner.id().to_string();
    let inits = fs::read_to_string(format!("/proc/{runners}/task/{runners}/children")).unwrap();
    // The tests run in threads; the init is a child of one of them.
    let of_threads = fs::read_dir(format!("/proc/{runners}/task")).unwrap().flatten();
    let all: String = of_threads
        .map(|thread| fs::read_to_string(thread.path().join("children")).unwrap())
        .collect::<Vec<_>>()
        .join(" ");
    let init = format!("{inits} {all}").split_whitespace().next().unwrap().parse().unwrap();
    Pid::from_raw(init).unwrap()
}

/// Not a test: what `runner` runs.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn a_job_is_run_for_another_test() {
    let Some(mark) = std::env::var_os(MARK) else { return };
    let mark = mark.to_str().unwrap().to_owned();
    let job = shell(&format!(": {mark}; (setsid sh -c ': {mark}; sleep 1000' &); sleep 1000"));
    let mut job = job;
    let wall = std::env::var(WALL).ok().and_then(|wall| wall.parse().ok());
    job.limits.wall = Duration::from_secs(wall.unwrap_or(60));
    let payload = tempfile::tempfile().unwrap();
    let plan = &Plan::from(job);
    let launched = launch(
        Launch {
            plan,
            payload,
            input: None,
            powers: Vec::new(),
            stop: None,
            program_init: &brine(),
        },
        &mut Vec::new(),
    );
    match launched {
        Ok(outcome) => println!("{outcome:?}"),
        Err(error) => println!("{error}; hint: {}", error.hint().unwrap_or_default()),
    }
}

pub(crate) const MARK: &str = "BRINE_TEST_MARK";

/// The time limit of the job of a runner, in seconds.
const WALL: &str = "BRINE_TEST_WALL";

#[test]
fn nothing_survives_brine_however_it_is_ended() {
    for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP] {
        let mark = mark();
        let mut runner = runner(&mark);
        eventually("the job", || marked(&mark).len() >= 2);
        rustix::process::kill_process(Pid::from_child(&runner), signal).unwrap();
        runner.wait().unwrap();
        eventually("the end of all of it", || marked(&mark).is_empty());
    }
}

/// A keyboard's signal goes to a whole group, of which the job is none.
#[test]
fn a_signal_to_the_group_of_brine_ends_brine_and_so_the_job() {
    let mark = mark();
    let mut runner = runner(&mark);
    eventually("the job", || marked(&mark).len() >= 2);
    rustix::process::kill_process_group(Pid::from_child(&runner), Signal::INT).unwrap();
    runner.wait().unwrap();
    eventually("the end of all of it", || marked(&mark).is_empty());
}

#[test]
fn nothing_survives_the_init() {
    let mark = mark();
    let mut runner = runner(&mark);
    eventually("the job", || marked(&mark).len() >= 2);
    rustix::process::kill_process(init_of(&runner), Signal::KILL).unwrap();
    let mut said = String::new();
    BufReader::new(runner.stdout.take().unwrap()).lines().for_each(|line| said += &line.unwrap());
    runner.wait().unwrap();
    assert!(said.contains("Signalled(9)"), "{said}");
    // The kernel is killing the job, and nobody has seen its end.
    assert!(said.contains("tree: Unconfirmed"), "{said}");
    eventually("the end of all of it", || marked(&mark).is_empty());
}

/// The error of a job that cannot be watched says so, too.
#[test]
fn an_error_says_if_the_job_is_not_known_to_be_dead() {
    /// Stops the init when the first output comes, and cannot be written.
    struct Meddler;
    impl Write for Meddler {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            let thread = fs::read_to_string("/proc/thread-self/children").unwrap();
            let init = Pid::from_raw(thread.trim().parse().unwrap()).unwrap();
            rustix::process::kill_process(init, Signal::STOP).unwrap();
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mark = mark();
    let plan = &Plan::from(shell(&format!(": {mark}; yes")));
    let payload = tempfile::tempfile().unwrap();
    let program_init = &brine();
    let error = launch(
        Launch { plan, payload, input: None, powers: Vec::new(), stop: None, program_init },
        &mut Meddler,
    )
    .unwrap_err();
    assert!(matches!(error, LaunchError::StillThere { .. }), "{error}");
    assert_eq!((error.reason(), error.status()), ("output", 4));
    assert!(
        error.to_string().ends_with("killed processes of the job may still be there"),
        "{error}"
    );
    eventually("the end of all of it", || marked(&mark).is_empty());
}

/// An init that does not answer is killed in the end, and the job is not said to be dead.
#[test]
fn what_is_not_known_to_be_dead_is_not_said_to_be() {
    let mark = mark();
    let mut runner = runner_within(&mark, Duration::from_secs(2));
    eventually("the job", || marked(&mark).len() >= 2);
    rustix::process::kill_process(init_of(&runner), Signal::STOP).unwrap();
    let mut said = String::new();
    BufReader::new(runner.stdout.take().unwrap()).lines().for_each(|line| said += &line.unwrap());
    runner.wait().unwrap();
    assert!(said.contains("end: TimedOut") && said.contains("tree: Unconfirmed"), "{said}");
    eventually("the end of all of it", || marked(&mark).is_empty());
}

/// Standard streams that are closed are nothing to a job, which has its own.
#[test]
fn a_job_runs_where_the_streams_of_brine_are_closed() {
    let mark = mark();
    let directory = World::new();
    let said = directory.at("said");
    let arguments = itself("faults::a_short_job_is_run_for_another_test").join(" ");
    let line = format!("exec {arguments} <&- >&- 2>&-");
    let status =
        Command::new("sh").args(["-c", &line]).env(MARK, &said).env(BRINE, brine()).status();
    assert!(status.unwrap().success());
    assert_eq!(fs::read_to_string(said).unwrap(), "Exited(0) out\n");
    assert_eq!(marked(&mark), [""; 0]);
}

/// Not a test: what the one above runs.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn a_short_job_is_run_for_another_test() {
    let Some(said) = std::env::var_os(MARK) else { return };
    let (outcome, output) = ran(&shell("cat; echo out; echo err >&2"), b"");
    let output = String::from_utf8(output).unwrap();
    fs::write(said, format!("{:?} {output}", outcome.end)).unwrap();
}

/// Everyday: 200 runs. `BRINE_TEST_RUNS=1000` for more.
#[test]
fn many_runs_leave_nothing_behind() {
    let runs = std::env::var("BRINE_TEST_RUNS").ok().and_then(|runs| runs.parse().ok());
    let runs: usize = runs.unwrap_or(200);
    let mark = mark();
    // In a process of its own, so that no other test's descriptors are counted.
    let output = Command::new(&itself("")[0])
        .args(&itself("faults::many_jobs_are_run_for_another_test")[1..])
        .env(MARK, format!("{runs} {mark}"))
        .env(BRINE, brine())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("left nothing"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(marked(&mark), [""; 0]);
}

/// Not a test: what the one above runs.
#[test]
#[ignore = "does nothing unless another test starts it"]
fn many_jobs_are_run_for_another_test() {
    let Some(told) = std::env::var_os(MARK) else { return };
    let (runs, mark) = told.to_str().unwrap().split_once(' ').unwrap();
    let world = World::new();
    open_to_all(world.path());
    let payload = tempfile::tempfile().unwrap();
    let state = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let thread = fs::read_to_string("/proc/thread-self/children").unwrap();
        (descriptors, mounts.lines().count(), thread)
    };
    let before = state();
    let script = format!(": {mark}; echo x > f; (sleep 100 &); pwd");
    let mut waived = shell(&script);
    waived.waived = BTreeSet::from([Layer::Namespaces]);
    let (waived, confined) = (Plan::from(waived), Plan::from(shell(&script)));
    for run in 0..runs.parse::<usize>().unwrap() {
        let plan = if run % 10 == 0 { &waived } else { &confined };
        let mut payload = payload.try_clone().unwrap();
        payload.rewind().unwrap();
        let mut output = Vec::new();
        let outcome = launch(
            Launch {
                plan,
                payload,
                input: None,
                powers: Vec::new(),
                stop: None,
                program_init: &brine(),
            },
            &mut output,
        )
        .unwrap();
        assert_eq!(outcome.end, JobEnd::Exited(0));
        let scratch = String::from_utf8(output).unwrap();
        assert!(scratch == "/job/work\n" || run % 10 == 0, "{scratch}");
        assert!(!Path::new(scratch.trim_end()).exists());
    }
    assert_eq!(state(), before);
    println!("left nothing");
}
