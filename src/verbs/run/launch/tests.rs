use std::io::Write as _;
use std::time::Duration;

use brine_job::{Grants, Layer, OperatorCommand, OutputFormat, Policy, PolicyQuestion};
use brine_sandbox::{BoundMeans, JobBoundMeans, ProcView, ResourceUsage, ScratchError};
use clap::Parser as _;
use tempfile::TempDir;

use super::super::refusals::Refusals;
use super::*;
use crate::args::brine::{Brine, BrineVerb};
use crate::world::overwrite_guard::OverwriteGuard;

fn plan() -> Plan {
    let system = Default::default();
    let question =
        PolicyQuestion { signer: "a", context: None, content_type: None, system: &system };
    let command = OperatorCommand { path: "/bin/sh".into(), arguments: Vec::new() };
    Policy::none().plan(&question, &Grants::default(), Some(&command)).unwrap().plan
}

/// A job that wrote this and ended so.
fn finished(output: &[u8], end: JobEnd) -> FinishedJob {
    let mut spool = Spool::new().unwrap();
    spool.write_all(output).unwrap();
    let outcome = JobOutcome {
        end,
        wall: Duration::from_millis(1500),
        usage: ResourceUsage {
            user: Duration::from_millis(20),
            system: Duration::from_millis(3),
            peak_memory: 4096,
        },
        input_bytes: None,
        output_bytes: spool.length(),
        errors: b"oops \x1b[2J\n".to_vec(),
        errors_dropped: 7,
        layers: vec![Layer::Limits, Layer::Seccomp],
        bounds: JobBoundMeans {
            memory: BoundMeans::Looks,
            processor_time: BoundMeans::Counter,
            processes: BoundMeans::ControlGroupV2,
        },
        tree: TreeKill::Certain,
        proc_view: ProcView::Own,
        scratch: None,
    };
    FinishedJob { outcome, output: spool }
}

fn outputs(released: &Path, partial: &Path) -> RunOutputs {
    let [released, partial] = [released, partial].map(|path| path.to_str().unwrap());
    let line = ["brine", "run", "-o", released, "--partial-output", partial, "job"];
    let BrineVerb::Run(args) = Brine::try_parse_from(line).unwrap().verb else { unreachable!() };
    let mut refusals = Refusals::of(&args);
    RunOutputs::plan(&args, &mut OverwriteGuard::default(), &mut refusals).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a small file of this test")]
fn content(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

/// Settles it with `-o good` and `--partial-output partial`. Returns its status, the line about it, and what is in
/// each file.
fn settle(finished: &FinishedJob, plan: &Plan) -> (Status, String, [Option<Vec<u8>>; 2]) {
    let directory = TempDir::new().unwrap();
    let paths = ["good", "partial"].map(|name| directory.path().join(name));
    let [good, partial] = &paths;
    let (verdict, _) = finished.settle(plan, &outputs(good, partial), None).unwrap();
    let outcome = &finished.outcome;
    let files = paths.each_ref().map(|path| content(path));
    (status(&verdict, outcome.end), line(&verdict, plan, outcome), files)
}

#[test]
fn output_is_released_only_if_all_is_well() {
    let (status, line, files) = settle(&finished(b"result", JobEnd::Exited(0)), &plan());
    assert_eq!((status, line.as_str()), (Status::Done, "ran for 1500 ms"));
    assert_eq!(files, [Some(b"result".to_vec()), None]);

    let mut json = plan();
    json.require_format(OutputFormat::Json).unwrap();
    for (end, plan, code, said) in [
        (JobEnd::Exited(3), plan(), 3, "the command ended with 3"),
        (JobEnd::Signalled(11), plan(), 139, "signal 11 ended the command"),
        (JobEnd::Exited(0), json, 123, "output is not JSON: a value is missing at byte 0"),
        (JobEnd::TimedOut, plan(), 124, "the command took longer than 60000 ms"),
        (JobEnd::FileTooLarge, plan(), 137, "the command wrote a file over 67108864 bytes"),
    ] {
        let (status, line, files) = settle(&finished(b"resul", end), &plan);
        assert_eq!((status, line.as_str()), (Status::Command(code), said));
        assert_eq!(files, [None, Some(b"resul".to_vec())], "{line}");
    }
}

/// It may not be possible to make it once more.
#[test]
fn output_that_cannot_be_released_is_kept() {
    let directory = TempDir::new().unwrap();
    let kept = directory.path().join("kept");
    let outputs = outputs(&directory.path().join("none/out"), &kept);
    let settled = finished(b"result", JobEnd::Exited(0)).settle(&plan(), &outputs, None);
    assert_eq!(settled.unwrap_err().status(), Status::Io);
    assert_eq!(content(&kept).unwrap(), b"result");
}

/// Only root can give a link to somebody else. This one is made where nothing was when the job was started, and in a
/// directory that nobody else may write to.
#[test]
fn a_link_of_another_user_that_is_made_while_the_job_runs_is_not_followed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (end, linked) in
        [(JobEnd::Exited(0), "out"), (JobEnd::Exited(1), "partial"), (JobEnd::Exited(0), "way")]
    {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("way")).unwrap();
        std::fs::create_dir(path("elsewhere")).unwrap();
        let released = if linked == "way" { path("way/out") } else { path("out") };
        let outputs = outputs(&released, &path("partial"));
        let _ = std::fs::remove_dir(path("way"));
        let target = if linked == "way" { "elsewhere" } else { "elsewhere/target" };
        std::os::unix::fs::symlink(target, path(linked)).unwrap();
        std::os::unix::fs::lchown(path(linked), Some(65_534), None).unwrap();
        let refused = finished(b"result", end).settle(&plan(), &outputs, None).unwrap_err();
        assert_eq!((refused.reason(), refused.status()), ("foreign-link", Status::Usage));
        assert_eq!(std::fs::read_dir(path("elsewhere")).unwrap().count(), 0, "{linked}");
    }
}

#[test]
fn every_verdict_has_its_status_and_name() {
    let violation = Violation { layer: Layer::Seccomp, call: Some("ptrace") };
    let files = ScratchError::TooMany;
    let invalid = OutputFormat::Json.check(&mut std::io::empty()).unwrap_err();
    for (verdict, expected, name) in [
        (JobVerdict::Ok, 0, "ok"),
        (JobVerdict::Failed, 9, "failed"),
        (JobVerdict::InvalidFiles(files), 123, "invalid-files"),
        (JobVerdict::InvalidOutput(invalid), 123, "invalid-output"),
        (JobVerdict::OutputTooLarge, 123, "output-too-large"),
        (JobVerdict::Violated(violation), 123, "violated"),
        (JobVerdict::TimedOut, 124, "timed-out"),
        (JobVerdict::Refused, 125, "refused"),
        (JobVerdict::OutOfMemory, 137, "out-of-memory"),
        (JobVerdict::OutOfProcessorTime, 137, "out-of-processor-time"),
        (JobVerdict::Killed, 137, "killed"),
    ] {
        assert_eq!(status(&verdict, JobEnd::Exited(9)).code(), expected, "{verdict:?}");
        assert_eq!(verdict.name(), name);
        assert!(PAGE.contains(&format!("`\"{name}\"`")), "{name}");
    }
    // Only what is well ends with 0.
    assert_eq!(status(&JobVerdict::Failed, JobEnd::Exited(0)).code(), 123);
    assert_eq!(status(&JobVerdict::Failed, JobEnd::Signalled(200)).code(), 255);
}

#[test]
fn every_member_is_documented() {
    let finished = finished(b"result", JobEnd::Exited(0));
    let facts = RunFacts::of(&JobVerdict::Ok, &finished.outcome, Vec::new());
    let facts = serde_json::to_value(facts).unwrap();
    assert_eq!(facts["errors"], "oops \u{1b}[2J\n");
    assert_eq!(facts["layers"], serde_json::json!(["limits", "seccomp"]));
    let bounds =
        serde_json::json!({"cpu": "perf-event", "memory": "looks", "processes": "cgroup-v2"});
    assert_eq!(facts["bounds"], bounds);
    assert_eq!(facts["wall_ms"], 1500);
    for member in facts.as_object().unwrap().keys() {
        assert!(PAGE.contains(&format!("`{member}`")), "{member}");
    }
}

/// The page about verdicts.
const PAGE: &str = include_str!("../../../../docs/verdict.md");
