//! Jobs, for the tests that run them: those of this crate, and those of the programs, which include this file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_job::{JobLimits, JobProgram, OutputFormat, PayloadDelivery, Plan, PlanParts};
use brine_sandbox::{JobOutcome, Launch, LaunchError, launch};

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
        powers: BTreeSet::new(),
        limits: JobLimits {
            wall: Duration::from_secs(20),
            grace: Duration::from_millis(500),
            cpu: Duration::from_secs(5),
            memory: 512 << 20,
            address_space: 1 << 40,
            output: 1 << 16,
            errors: 1 << 12,
            file_size: 1 << 20,
            processes: 1000,
            files: 64,
            scratch: 1 << 20,
        },
        format: OutputFormat::Bytes,
        exec_scratch: false,
        schema: None,
        waived: BTreeSet::new(),
    }
}

/// The plan of a shell that is given a script.
pub(crate) fn shell(script: &str) -> PlanParts {
    plan("/bin/sh", &["sh", "-c", script])
}

/// Runs a job whose init is `program_init`, and returns how it ended and what it wrote.
pub(crate) fn run_by(
    program_init: &Path,
    job: &PlanParts,
    payload: &[u8],
) -> Result<(JobOutcome, Vec<u8>), LaunchError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(payload).unwrap();
    file.rewind().unwrap();
    let mut output = Vec::new();
    let plan = &Plan::from(job.clone());
    let outcome = launch(
        Launch { plan, payload: file, input: None, powers: Vec::new(), stop: None, program_init },
        &mut output,
    )?;
    Ok((outcome, output))
}

/// Fails the test if a job did not start: what brine promises does not hold on such a system.
#[track_caller]
pub(crate) fn started<T>(ran: Result<T, LaunchError>) -> T {
    ran.unwrap_or_else(|error| {
        panic!("no job can be confined here: {error}; {}", error.hint().unwrap_or_default())
    })
}
