//! How the jobs of a worker ended, for people: each line says which job it is about.

use std::time::Duration;

use brine_core::Verified;
use brine_core::text::hex;
use serde::Deserialize;

use crate::report::console::printable;
use crate::report::queue_account::JobAccount;

/// What is told of a verdict.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToldVerdict {
    errors: String,
    exit_code: Option<u8>,
    message: Option<String>,
    outcome: Option<String>,
    wall_ms: Option<u64>,
    memory_bytes: u64,
    system_ms: u64,
    user_ms: u64,
}

/// Returns what a job is called: by the beginning of its claim id, and by its signer.
pub(super) fn name(job: &Verified) -> String {
    let cti = job.claims().cti.map(hex).unwrap_or_default();
    format!("job {} of {}", cti.get(..8).unwrap_or(&cti), job.signer().name())
}

/// Says how a job ended.
pub(super) fn end(verdict: &[u8]) -> String {
    serde_json::from_slice::<ToldVerdict>(verdict).unwrap_or_default().end()
}

/// Counts how a job ended, and what it used.
pub(super) fn count(verdict: &[u8], jobs: &mut JobAccount) {
    let told: ToldVerdict = serde_json::from_slice(verdict).unwrap_or_default();
    jobs.end(told.outcome.as_deref().unwrap_or(NOT_RUN));
    jobs.processor += Duration::from_millis(told.user_ms.saturating_add(told.system_ms));
    jobs.peak_memory = jobs.peak_memory.max(told.memory_bytes);
}

/// Returns what the job wrote to standard error, and how it ended.
pub(super) fn lines(job: &Verified, verdict: &[u8]) -> Vec<String> {
    let name = name(job);
    let told: ToldVerdict = serde_json::from_slice(verdict).unwrap_or_default();
    let errors = told.errors.lines().map(|line| format!("{name}: {}", printable(line)));
    errors.chain([format!("{name} {}", printable(&told.end()))]).collect()
}

impl ToldVerdict {
    fn end(&self) -> String {
        match (self.outcome.as_deref(), self.exit_code, self.wall_ms) {
            (Some("ok"), _, Some(ms)) => format!("ended well after {ms} ms"),
            (Some("failed"), Some(code), _) => format!("failed: the command ended with {code}"),
            (Some(outcome), ..) => format!("did not end well: {outcome}"),
            (None, ..) => {
                let why = self.message.as_deref().unwrap_or("its process says nothing");
                format!("was refused: {why}")
            }
        }
    }
}

/// The outcome of a job whose process gave none.
const NOT_RUN: &str = "not-run";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_words() {
        for (verdict, expected) in [
            (r#"{"outcome":"ok","wall_ms":12,"exit_code":0}"#, "ended well after 12 ms"),
            (r#"{"outcome":"failed","exit_code":7}"#, "failed: the command ended with 7"),
            (r#"{"outcome":"timed-out","exit_code":null}"#, "did not end well: timed-out"),
            (r#"{"message":"no such thing","reason":"x"}"#, "was refused: no such thing"),
            ("", "was refused: its process says nothing"),
        ] {
            let told: ToldVerdict = serde_json::from_str(verdict).unwrap_or_default();
            assert_eq!(told.end(), expected);
        }
    }
}
