//! The result of a job, as it is shown.

use brine_core::text::hex;
use brine_job::JobResult;
use serde::Serialize;

use super::exit::Status;

/// What the result of a job says.
#[derive(Debug, Serialize)]
pub(crate) struct ResultFacts {
    errors: String,
    exit_code: Option<u8>,
    job: String,
    memory_bytes: Option<u64>,
    outcome: String,
    plan_digest: Option<String>,
    reason: Option<String>,
    status: u8,
    signal: Option<i32>,
    system_ms: Option<u64>,
    user_ms: Option<u64>,
    wall_ms: Option<u64>,
}

impl ResultFacts {
    pub(crate) fn of(result: &JobResult) -> Self {
        let usage = result.usage;
        Self {
            errors: String::from_utf8_lossy(&result.errors).into_owned(),
            exit_code: result.exit,
            job: hex(&result.job.0),
            memory_bytes: usage.map(|usage| usage.memory_bytes),
            outcome: result.outcome.clone(),
            plan_digest: result.plan.map(|digest| hex(&digest)),
            reason: result.reason.clone(),
            status: result.status,
            signal: result.signal.map(i32::from),
            system_ms: usage.map(|usage| usage.system_ms),
            user_ms: usage.map(|usage| usage.user_ms),
            wall_ms: usage.map(|usage| usage.wall_ms),
        }
    }

    /// Returns how the program ends: as the job did.
    pub(super) fn status(&self) -> Status {
        Status::from_code(self.status)
    }

    /// Says for a person how the job ended, if not well.
    pub(crate) fn line(&self) -> Option<String> {
        if self.status == 0 {
            return None;
        }
        let how = match (&self.reason, self.exit_code, self.signal) {
            (Some(reason), ..) => format!("{} ({reason})", self.outcome),
            (None, Some(code), _) => format!("{}: the command ended with {code}", self.outcome),
            (None, None, Some(signal)) => format!("{}: by signal {signal}", self.outcome),
            (None, None, None) => self.outcome.clone(),
        };
        Some(format!("the job did not end well: {how}"))
    }
}
