//! Jobs, for the tests that run them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_job::{JobLimits, JobProgram, Layer, OutputFormat, PayloadDelivery, Plan, PlanParts};
use brine_sandbox::{JobOutcome, Launch, LaunchError, judge, launch};

/// Every layer that can be waived.
pub(crate) const LAYERS: [Layer; 6] = Layer::ALL;

/// The plan of a program that is given nothing but the system.
pub(crate) fn plan(path: impl Into<PathBuf>, arguments: &[&str]) -> PlanParts {
    PlanParts {
        program: JobProgram {
            path: path.into(),
            sha256: None,
            arguments: arguments.iter().map(Into::into).collect(),
        },
        delivery: PayloadDelivery::Stdin,
        environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        system: ["/bin", "/lib", "/lib64", "/usr"].map(PathBuf::from).into(),
        granted_paths: BTreeSet::new(),
        ports: BTreeSet::new(),
        limits: JobLimits {
            wall: Duration::from_secs(20),
            cpu: Duration::from_secs(5),
            memory: 512 << 20,
            output: 1 << 16,
            errors: 1 << 12,
            file_size: 1 << 20,
            processes: 1000,
            files: 64,
            scratch: 1 << 20,
        },
        format: OutputFormat::Bytes,
        waived: BTreeSet::new(),
    }
}

/// The plan of a shell that is given a script.
pub(crate) fn shell(script: &str) -> PlanParts {
    plan("/bin/sh", &["sh", "-c", script])
}

/// Runs a job, and returns how it ended and what it wrote.
pub(crate) fn run(job: &PlanParts, payload: &[u8]) -> Result<(JobOutcome, Vec<u8>), LaunchError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(payload).unwrap();
    file.rewind().unwrap();
    let mut output = Vec::new();
    let plan = &Plan::from(job.clone());
    let outcome = launch(Launch { plan, payload: file, program_init: &brine() }, &mut output)?;
    Ok((outcome, output))
}

/// Returns the name of the verdict on a job.
pub(crate) fn verdict(job: &PlanParts, outcome: &JobOutcome, mut output: &[u8]) -> &'static str {
    judge(&Plan::from(job.clone()), outcome, &mut output).name()
}

/// Runs a job that must start. A system that does not let it start fails the test: what brine promises does not
/// hold there.
#[track_caller]
pub(crate) fn ran(job: &PlanParts, payload: &[u8]) -> (JobOutcome, Vec<u8>) {
    run(job, payload).unwrap_or_else(|error| {
        panic!("no job can be confined here: {error}; {}", error.hint().unwrap_or_default())
    })
}

/// The program under test, or a copy of it that other users can reach.
pub(crate) fn brine() -> PathBuf {
    let copy = std::env::var_os(BRINE).map(PathBuf::from);
    copy.unwrap_or_else(|| Path::new(env!("CARGO_BIN_EXE_brine")).to_owned())
}

/// Names a copy of the program, in a directory that other users can reach.
pub(crate) const BRINE: &str = "BRINE_TEST_PROGRAM";
