//! Jobs in confinement, with no other program than `/bin/sh`. `tests/confined/` of the programs tries much more.
//!
//! This program is the init of its own jobs, so it has a `main` of its own: the test harness would start
//! threads first. Arguments choose the tests whose names contain them.
#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it does"
)]

#[cfg(target_os = "linux")]
#[path = "shared/jobs.rs"]
mod jobs;

#[cfg(target_os = "linux")]
#[path = "shared/readers.rs"]
mod readers;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::path::Path;
    use std::process::ExitCode;
    use std::time::Duration;

    use brine_core::{Class, Classified as _};
    use brine_job::{
        GrantedPath, Grants, Layer, OutputFormat, PayloadDelivery, Plan, PlanParts, Policy,
        PolicyQuestion,
    };
    use brine_sandbox::{
        JobEnd, JobOutcome, JobVerdict, Launch, LaunchError, Violation, enter, enter_reader, judge,
        launch, obstacles,
    };

    use crate::jobs::{plan, run_by, shell, started};
    use crate::readers::{
        a_reader_reaches_nothing, obey, only_a_reader_that_says_so_and_exits_with_0_is_believed,
        what_a_reader_cannot_reach_is_there,
    };

    type Test = (&'static str, fn());

    macro_rules! tests {
        ($($test:ident)*) => { &[$((stringify!($test), $test)),*] };
    }

    const TESTS: &[Test] = tests! {
        a_job_is_nobody_in_a_directory_of_its_own
        a_job_reads_its_payload_and_not_the_environment_of_brine
        a_job_sees_the_system_and_nothing_else
        a_payload_may_be_a_file
        the_end_of_a_job_decides_the_verdict_and_the_status
        invalid_output_has_its_reason
        a_waived_layer_is_not_held_and_not_reported
        a_program_that_cannot_be_started_has_a_status_of_its_own
        a_plan_that_lacks_what_was_refused_is_not_carried_out
        what_cannot_be_opened_is_all_named
        only_a_reader_that_says_so_and_exits_with_0_is_believed
        a_reader_reaches_nothing
        what_a_reader_cannot_reach_is_there
        columnar_output_is_believed_by_no_other_judge
    };

    pub(crate) fn main() -> ExitCode {
        if let Some(ended) = enter() {
            return ended;
        }
        if let Some(ended) = enter_reader(obey) {
            return ended;
        }
        let filters: Vec<_> =
            std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        let chosen =
            |name: &str| filters.is_empty() || filters.iter().any(|text| name.contains(text));
        for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
            print!("test {name} ... ");
            std::io::stdout().flush().unwrap();
            test();
            println!("ok");
        }
        ExitCode::SUCCESS
    }

    /// Runs a job, and returns how it ended and what it wrote.
    fn run(job: &PlanParts, payload: &[u8]) -> Result<(JobOutcome, Vec<u8>), LaunchError> {
        run_by(Path::new("/proc/self/exe"), job, payload)
    }

    /// Runs a job that must start. A system that does not let it start fails the test: what brine promises does
    /// not hold there.
    #[track_caller]
    fn ran(job: &PlanParts, payload: &[u8]) -> (JobOutcome, Vec<u8>) {
        started(run(job, payload))
    }

    /// Runs a shell behind every layer that must exit with 0, and returns what it wrote.
    #[track_caller]
    fn wrote(script: &str) -> String {
        let (outcome, output) = ran(&shell(script), b"payload\n");
        assert_eq!(outcome.end, JobEnd::Exited(0), "{}", String::from_utf8_lossy(&outcome.errors));
        assert_eq!(BTreeSet::from_iter(outcome.layers), BTreeSet::from(Layer::ALL));
        String::from_utf8(output).unwrap()
    }

    fn a_job_is_nobody_in_a_directory_of_its_own() {
        assert_eq!(wrote("id -u; id -g; pwd; echo x > f; cat f"), "65534\n65534\n/job/work\nx\n");
    }

    fn a_job_reads_its_payload_and_not_the_environment_of_brine() {
        assert_eq!(wrote("cat; env | grep -v ^PWD="), "payload\nPATH=/usr/bin:/bin\n");
    }

    fn a_job_sees_the_system_and_nothing_else() {
        let seen = wrote("for f in /*; do echo $f; done; for f in /dev/*; do echo $f; done");
        // It may not list the root, so the pattern stands for itself.
        assert_eq!(seen, "/*\n/dev/*\n");
        let absent =
            "/etc/shadow /root /home /proc/1 /sys /var /run /dev/tty /dev/ptmx /job/payload";
        wrote(&format!("for f in {absent}; do ! test -e $f || exit 1; done; test -x /bin/sh"));
        wrote("! touch /bin/x && ! touch /x && ! touch /job/x && ! touch /dev/x");
    }

    fn a_payload_may_be_a_file() {
        let mut job = shell("cat \"$0\"; ! read line");
        job.program.arguments.push("{}".into());
        job.delivery = PayloadDelivery::File;
        let (outcome, output) = ran(&job, b"payload");
        assert_eq!((outcome.end, &output[..]), (JobEnd::Exited(0), &b"payload"[..]));
    }

    /// Runs a script within small limits, and judges it.
    #[track_caller]
    fn judged(script: &str) -> (JobVerdict, JobEnd) {
        let mut job = shell(script);
        job.format = OutputFormat::Utf8;
        job.limits.wall = Duration::from_millis(50);
        job.limits.file_size = 1000;
        job.limits.output = 1000;
        let (outcome, output) = ran(&job, b"");
        let verdict = judge(&Plan::from(job), &outcome, &mut output.as_slice());
        assert_eq!(verdict.releases_output(), matches!(verdict, JobVerdict::Ok));
        (verdict, outcome.end)
    }

    fn the_end_of_a_job_decides_the_verdict_and_the_status() {
        let flood = "printf %01001d 0";
        let large_file = "printf %01001d 0 > f; printf x >> f";
        for (script, name, status) in [
            ("echo x", "ok", 0),
            ("exit 7", "failed", 7),
            ("kill -SEGV $$", "failed", 139),
            ("kill -KILL $$", "killed", 137),
            ("printf '\\377'", "invalid-output", 123),
            ("exec sleep 9", "timed-out", 124),
            ("kill -SYS $$", "violated", 123),
            (flood, "output-too-large", 123),
            (large_file, "killed", 137),
        ] {
            let (verdict, end) = judged(script);
            assert_eq!((verdict.name(), verdict.status(end)), (name, status), "{script}");
        }
        let (verdict, end) = judged("kill -SYS $$");
        let violation = Violation { layer: Layer::Seccomp, call: None };
        assert!(matches!(verdict, JobVerdict::Violated(_)), "{verdict:?}");
        assert_eq!(end, JobEnd::Violated(violation));
    }

    fn invalid_output_has_its_reason() {
        let (verdict, _) = judged("printf 'a\\377'");
        let JobVerdict::InvalidOutput(error) = verdict else { panic!("{verdict:?}") };
        assert_eq!(error.reason(), "output-not-utf8");
        assert_eq!(error.to_string(), "output is not UTF-8 at byte 1");
    }

    fn columnar_output_is_believed_by_no_other_judge() {
        for format in OutputFormat::ALL.into_iter().filter(|format| format.is_columnar()) {
            let mut job = shell("true");
            job.format = format;
            let (outcome, output) = ran(&job, b"");
            let verdict = judge(&Plan::from(job), &outcome, &mut output.as_slice());
            let JobVerdict::InvalidOutput(error) = verdict else { panic!("{verdict:?}") };
            assert_eq!((error.reason(), error.class()), ("columnar-absent", Class::Unsupported));
        }
    }

    fn a_waived_layer_is_not_held_and_not_reported() {
        for layer in Layer::ALL {
            let mut job = shell("true");
            job.waived.insert(layer);
            let (outcome, _) = ran(&job, b"");
            assert_eq!(outcome.end, JobEnd::Exited(0), "{}", layer.name());
            assert!(!outcome.layers.contains(&layer), "{}", layer.name());
            assert_eq!(outcome.layers.len(), Layer::ALL.len() - 1);
        }
    }

    fn a_program_that_cannot_be_started_has_a_status_of_its_own() {
        #[track_caller]
        fn refused(job: &PlanParts, status: u8, reason: &str, class: Class) {
            let error = run(job, b"").unwrap_err();
            let found = (error.status(), error.reason(), error.class());
            assert_eq!(found, (status, reason, class), "{error}");
        }
        let mut job = shell("true");
        job.program.path = "/bin/no-such-program".into();
        refused(&job, 127, "not-found", Class::System);
        job.program.path = "/usr".into();
        refused(&job, 126, "not-executable", Class::System);
        job.program = shell("true").program;
        job.program.sha256 = Some([0; 32]);
        refused(&job, 5, "other-program", Class::Untrusted);
        job.program.arguments.push("nul\0nul".into());
        job.program.sha256 = None;
        refused(&job, 4, "system", Class::System);
        // Whatever the caller held the plan against.
        let mut job = shell("true");
        let (source, target) = ("/usr/share".into(), "/job/files/work".into());
        job.granted_paths.insert(GrantedPath { source, target, writable: true });
        let error = run(&job, b"").unwrap_err().to_string();
        assert!(error.contains("what can be written may not lie in a system directory"), "{error}");
        refused(&job, 125, "opening", Class::System);
    }

    /// A job that asks for two things, of which the policy allows the program.
    fn a_plan_that_lacks_what_was_refused_is_not_carried_out() {
        let policy = b"[[allow]]\nsigners = ['a']\ninterpreters.sh.path = '/bin/sh'";
        let system = ["/bin", "/lib", "/lib64", "/usr"].map(Into::into).into();
        let question =
            PolicyQuestion { signer: "a", context: None, content_type: None, system: &system };
        let policy = Policy::parse(policy).unwrap();
        let grants = ["run=sh", "tcp=80"].map(|grant| grant.parse().unwrap());
        let grants = Grants::collect(grants).unwrap();
        let (refused, rest) = policy.appraise(&question, &grants, None).into_parts();
        assert_eq!(refused.len(), 1);
        let plan = &rest.unwrap().plan;
        let payload = tempfile::tempfile().unwrap();
        let program_init = Path::new("/proc/self/exe");
        let launched =
            Launch { plan, payload, input: None, powers: Vec::new(), stop: None, program_init };
        let error = launch(launched, &mut Vec::new()).unwrap_err();
        assert_eq!((error.reason(), error.status()), ("draft", 5), "{error}");
    }

    fn what_cannot_be_opened_is_all_named() {
        let place = |source: &str, writable| GrantedPath {
            source: source.into(),
            target: Path::new("/job/files").join(source.trim_start_matches('/')),
            writable,
        };
        let mut job = plan("/no/program", &["x", "{}"]);
        job.delivery = PayloadDelivery::File;
        job.granted_paths =
            [place("/no/one", false), place("/tmp", false), place("/usr/share", true)].into();
        let found = obstacles(&Plan::from(job.clone()), (1 << 30) + 1);
        let reasons: Vec<_> = found.iter().map(|error| error.reason()).collect();
        assert_eq!(reasons, ["not-found", "opening", "opening", "payload-too-large"], "{found:?}");
        job.program.path = "/bin/sh".into();
        job.granted_paths = [place("/tmp", false)].into();
        assert!(obstacles(&Plan::from(job), 1 << 30).is_empty());
    }
}
