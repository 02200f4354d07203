use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser as _;
use tempfile::TempDir;

use super::*;
use crate::cli::args::brine::{Brine, Verb};
use crate::job::plan::Layer;
use crate::job::policy::{Command, Policy, Question};
use crate::job::{Format, Grants};
use crate::sandbox::Usage;

fn plan() -> Plan {
    let question =
        Question { signer: "a", context: None, content_type: None, system: &Default::default() };
    let command = Command { path: "/bin/sh".into(), arguments: Vec::new() };
    Policy::none().plan(&question, &Grants::default(), Some(&command)).unwrap()
}

/// A job that wrote this and ended so.
fn ran(output: &[u8], end: End) -> Ran {
    let mut spool = Spool::new().unwrap();
    spool.write_all(output).unwrap();
    let outcome = Outcome {
        end,
        wall: Duration::from_millis(1500),
        usage: Usage {
            user: Duration::from_millis(20),
            system: Duration::from_millis(3),
            peak_memory: 4096,
        },
        output_bytes: spool.length(),
        errors: b"oops \x1b[2J\n".to_vec(),
        errors_dropped: 7,
        layers: vec![Layer::Limits, Layer::Seccomp],
        tree: TreeKill::Certain,
    };
    Ran { outcome, output: spool }
}

/// Settles it with `-o good` and `--partial-output partial`; returns what is in each.
fn settle(ran: &Ran, plan: &Plan) -> (Settled, [Option<Vec<u8>>; 2]) {
    let directory = TempDir::new().unwrap();
    let paths = ["good", "partial"].map(|name| directory.path().join(name));
    let [good, partial] = paths.each_ref().map(|path| path.to_str().unwrap());
    let line = ["brine", "run", "-q", "-o", good, "--partial-output", partial, "job"];
    let Verb::Run(args) = Brine::try_parse_from(line).unwrap().verb else { unreachable!() };
    let outputs = Outputs::plan(&args).unwrap();
    let settled = ran.settle(plan, &outputs, &args).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a small file of this test")]
    let read = |path: &PathBuf| std::fs::read(path).ok();
    (settled, paths.each_ref().map(read))
}

#[test]
fn output_is_given_out_only_if_all_is_well() {
    let (settled, files) = settle(&ran(b"result", End::Exited(0)), &plan());
    assert_eq!((settled.status, settled.line.as_str()), (Status::Done, "ran for 1500 ms"));
    assert_eq!(files, [Some(b"result".to_vec()), None]);

    let mut json = plan();
    json.format = Format::Json;
    for (end, plan, status, line) in [
        (End::Exited(3), plan(), Status::Command(3), "the command ended with 3"),
        (End::Signalled(11), plan(), Status::Command(139), "signal 11 ended the command"),
        (
            End::Exited(0),
            json,
            Status::Command(123),
            "output is not JSON: a value is missing at byte 0",
        ),
        (End::TimedOut, plan(), Status::Command(124), "the command took longer than 60000 ms"),
        (
            End::FileTooLarge,
            plan(),
            Status::Command(137),
            "the command wrote a file over 67108864 bytes",
        ),
    ] {
        let (settled, files) = settle(&ran(b"resul", end), &plan);
        assert_eq!((settled.status, settled.line.as_str()), (status, line));
        assert_eq!(files, [None, Some(b"resul".to_vec())], "{line}");
    }
}

/// It cannot be made once more.
#[test]
fn output_that_cannot_be_given_out_is_kept() {
    let directory = TempDir::new().unwrap();
    let kept = directory.path().join("kept");
    let nowhere = directory.path().join("none/out");
    let [out, partial] = [&nowhere, &kept].map(|path| path.to_str().unwrap());
    let line = ["brine", "run", "-q", "-o", out, "--partial-output", partial, "job"];
    let Verb::Run(args) = Brine::try_parse_from(line).unwrap().verb else { unreachable!() };
    let outputs = Outputs::plan(&args).unwrap();
    let outcome = ran(b"result", End::Exited(0)).settle(&plan(), &outputs, &args);
    assert_eq!(outcome.unwrap_err().status(), Status::Io);
    #[expect(clippy::disallowed_methods, reason = "a small file of this test")]
    let content = std::fs::read(&kept).unwrap();
    assert_eq!(content, b"result");
}

#[test]
fn every_verdict_has_its_status_and_name() {
    for (verdict, expected, named) in [
        (Verdict::Ok, 0, "ok"),
        (Verdict::Failed, 9, "failed"),
        (Verdict::InvalidOutput, 123, "invalid-output"),
        (Verdict::OutputTooLarge, 123, "output-too-large"),
        (Verdict::Violated(Layer::Seccomp), 123, "violated"),
        (Verdict::TimedOut, 124, "timed-out"),
        (Verdict::Refused, 125, "refused"),
        (Verdict::OutOfMemory, 137, "out-of-memory"),
        (Verdict::OutOfProcessorTime, 137, "out-of-processor-time"),
        (Verdict::Killed, 137, "killed"),
    ] {
        assert_eq!(status(verdict, End::Exited(9)).code(), expected, "{verdict:?}");
        assert_eq!(verdict.name(), named);
        let page = include_str!("../../../../../docs/verdict.md");
        assert!(page.contains(&format!("`\"{named}\"`")), "{named}");
    }
    // A status of 0 is nobody's but that of what is well.
    assert_eq!(status(Verdict::Failed, End::Exited(0)).code(), 123);
    assert_eq!(status(Verdict::Failed, End::Signalled(200)).code(), 255);
}

#[test]
fn every_member_is_documented() {
    let (settled, _) = settle(&ran(b"result", End::Exited(0)), &plan());
    let page = include_str!("../../../../../docs/verdict.md");
    assert_eq!(settled.json["errors"], "oops \u{1b}[2J\n");
    assert_eq!(settled.json["layers"], serde_json::json!(["limits", "seccomp"]));
    assert_eq!(settled.json["wall_ms"], 1500);
    for member in settled.json.keys() {
        assert!(page.contains(&format!("`{member}`")), "{member}");
    }
}
