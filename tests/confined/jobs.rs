//! Jobs of the program, for the tests that run them.

use std::path::{Path, PathBuf};

use brine_job::{Layer, Plan, PlanParts};
use brine_sandbox::{JobOutcome, LaunchError, judge};

use crate::shared_jobs::{run_by, started};

pub(crate) use crate::shared_jobs::{plan, shell};

/// Every layer that can be waived.
pub(crate) const LAYERS: [Layer; 6] = Layer::ALL;

/// Runs a job, and returns how it ended and what it wrote.
pub(crate) fn run(job: &PlanParts, payload: &[u8]) -> Result<(JobOutcome, Vec<u8>), LaunchError> {
    run_by(&brine(), job, payload)
}

/// Returns the name of the verdict on a job.
pub(crate) fn verdict(job: &PlanParts, outcome: &JobOutcome, mut output: &[u8]) -> &'static str {
    judge(&Plan::from(job.clone()), outcome, &mut output).name()
}

/// Runs a job that must start. A system that does not let it start fails the test: what brine promises does not
/// hold there.
#[track_caller]
pub(crate) fn ran(job: &PlanParts, payload: &[u8]) -> (JobOutcome, Vec<u8>) {
    started(run(job, payload))
}

/// The program under test, or a copy of it that other users can reach.
pub(crate) fn brine() -> PathBuf {
    let copy = std::env::var_os(BRINE).map(PathBuf::from);
    copy.unwrap_or_else(|| Path::new(env!("CARGO_BIN_EXE_brine")).to_owned())
}

/// Names a copy of the program, in a directory that other users can reach.
pub(crate) const BRINE: &str = "BRINE_TEST_PROGRAM";
