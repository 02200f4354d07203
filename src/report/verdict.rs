//! Verdicts: one line of JSON each. docs/verdict.md describes them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use brine_core::Sequence;
use brine_core::text::hex;
use brine_records::RecordCounts;
use serde::Serialize;

use super::byte_name::{exact, shown};
use super::command::CommandFacts;
use super::console::json_line;
use super::exit::Status;
use super::explained::ExplainedFacts;
use super::outcome::status_of;
use super::{Failure, Outcome, ResultFacts, Signed};

/// The version of the verdict's form.
const SCHEMA: &str = "brine.verdict/1";

/// Writes the lines of a result: one, or one for each file.
pub(crate) fn lines(result: &Result<Outcome, Failure>, command: &[OsString]) -> String {
    match result {
        Ok(Outcome::Files { files, .. }) => {
            files.iter().map(|file| line(&file.outcome, Some(&file.name), &[])).collect()
        }
        result => line(result, None, command),
    }
}

/// Says what was signed, and else what the verdict is.
fn line(result: &Result<Outcome, Failure>, file: Option<&Path>, command: &[OsString]) -> String {
    let verdict = || json_line(&Verdict::of(result, file).with_command(command, result));
    match result {
        Ok(Outcome::Described(line)) => line.clone(),
        Ok(Outcome::Signed { signed, failure: None }) => signed.line(),
        Ok(Outcome::Signed { signed, .. }) => signed.line() + &verdict(),
        _ => verdict(),
    }
}

/// A verdict.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    schema: &'static str,
    status: u8,
    verdict: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// What `file` cannot say of a name that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    #[serde(flatten)]
    refusal: Option<RefusalFacts>,
    #[serde(flatten)]
    records: Option<RecordFacts<'a>>,
    #[serde(flatten)]
    signed: Option<&'a Signed>,
    #[serde(flatten)]
    plan: Option<&'a PlanFacts>,
    #[serde(flatten)]
    explained: Option<&'a ExplainedFacts>,
    #[serde(flatten)]
    run: Option<&'a RunFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a ResultFacts>,
    #[serde(flatten)]
    command: Option<CommandFacts>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Failed,
    Ran,
    Refused,
    Verified,
}

/// Why something was refused.
#[derive(Debug, Serialize)]
pub(crate) struct RefusalFacts {
    /// What to type next.
    hint: Option<String>,
    pub(crate) message: String,
    reason: &'static str,
}

impl RefusalFacts {
    pub(crate) fn of(failure: &Failure) -> Self {
        Self { hint: failure.hint(), message: failure.to_string(), reason: failure.reason() }
    }

    pub(crate) fn new(error: &dyn brine_core::Classified) -> Self {
        Self { hint: None, message: error.to_string(), reason: error.reason() }
    }
}

/// Which record of which channel an envelope is.
#[derive(Debug, Serialize)]
pub(crate) struct SequenceFacts {
    channel: String,
    seq: u64,
}

impl SequenceFacts {
    pub(crate) fn of(sequence: Sequence) -> Self {
        Self { channel: hex(&sequence.channel), seq: sequence.seq }
    }
}

/// What became of records, in numbers.
#[derive(Debug, Serialize)]
struct RecordFacts<'a> {
    records_verified: u64,
    records_refused: u64,
    records_kept: u64,
    records_missing: u64,
    /// How many of those that were released each signer has signed.
    records_by_signer: &'a BTreeMap<String, u64>,
    /// How many were refused for each reason.
    reasons: &'a BTreeMap<&'static str, u64>,
}

impl<'a> RecordFacts<'a> {
    const fn of(counts: &'a RecordCounts, signers: &'a BTreeMap<String, u64>) -> Self {
        Self {
            records_verified: counts.verified,
            records_refused: counts.refused,
            records_kept: counts.kept,
            records_missing: counts.missing.records,
            records_by_signer: signers,
            reasons: &counts.reasons,
        }
    }
}

/// The plan by which a job ran, or would run.
#[derive(Debug, Serialize)]
pub(crate) struct PlanFacts {
    pub(crate) command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command_hex: Option<Vec<String>>,
    pub(crate) plan_digest: String,
    pub(crate) waived: Vec<&'static str>,
    /// The directories outside the system directories in which the program may look for its libraries.
    pub(crate) outside: Vec<String>,
}

/// By which means each bound of a whole job was held.
#[derive(Debug, Serialize)]
pub(crate) struct BoundFacts {
    pub(crate) cpu: &'static str,
    pub(crate) memory: &'static str,
    pub(crate) processes: &'static str,
}

/// A file that a job left, and that was collected.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CollectedFacts {
    /// Its path below the scratch directory.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl CollectedFacts {
    /// Returns the same for another name of the file.
    #[cfg_attr(
        not(all(feature = "sandbox", target_os = "linux")),
        expect(dead_code, reason = "only a program that runs jobs uses it")
    )]
    pub(crate) fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }
}

/// What became of a job that ran.
#[derive(Debug, Serialize)]
pub(crate) struct RunFacts {
    pub(crate) collected: Vec<CollectedFacts>,
    pub(crate) bounds: BoundFacts,
    pub(crate) errors: String,
    pub(crate) errors_dropped: u64,
    pub(crate) exit_code: Option<u8>,
    pub(crate) input_bytes: Option<u64>,
    pub(crate) layers: Vec<&'static str>,
    pub(crate) memory_bytes: u64,
    pub(crate) outcome: &'static str,
    pub(crate) proc: &'static str,
    pub(crate) output_bytes: u64,
    pub(crate) output_error: Option<RefusalFacts>,
    pub(crate) signal: Option<i32>,
    pub(crate) system_ms: u64,
    pub(crate) tree_killed: bool,
    pub(crate) user_ms: u64,
    pub(crate) violated: Option<&'static str>,
    pub(crate) violated_call: Option<&'static str>,
    pub(crate) wall_ms: u64,
}

impl<'a> Verdict<'a> {
    fn of(result: &'a Result<Outcome, Failure>, file: Option<&Path>) -> Self {
        let status = status_of(result);
        let failure = result.as_ref().map_or_else(Some, Outcome::failure);
        let mut verdict = Self {
            schema: SCHEMA,
            status: status.code(),
            verdict: Word::Verified,
            file: file.map(shown),
            file_hex: file.and_then(exact),
            refusal: failure.map(RefusalFacts::of),
            records: None,
            signed: None,
            plan: None,
            explained: None,
            run: None,
            result: None,
            command: None,
        };
        match result {
            Ok(Outcome::Ran { signed, plan, run, .. }) => {
                verdict.verdict = Word::Ran;
                verdict.signed = Some(signed);
                verdict.plan = Some(plan);
                verdict.run = Some(run);
            }
            Ok(Outcome::Records { counts, signers, .. }) => {
                verdict.records = Some(RecordFacts::of(counts, signers));
                if counts.refused > 0 {
                    verdict.verdict = Word::Refused;
                }
            }
            Ok(Outcome::Answered { signed, result }) => {
                verdict.signed = Some(signed);
                verdict.result = Some(result);
            }
            Ok(Outcome::Commanded { signed, .. }) => verdict.signed = Some(signed),
            Ok(Outcome::Verified { signed }) => verdict.signed = Some(signed),
            Ok(Outcome::Explained { signed, plan, explained }) => {
                // What is refused says no more of itself than it would in a run.
                verdict.signed = failure.is_none().then_some(signed);
                verdict.plan = plan.as_ref();
                verdict.explained = Some(&explained.facts);
            }
            Ok(
                Outcome::Described(_)
                | Outcome::Files { .. }
                | Outcome::Signed { .. }
                | Outcome::Silent
                | Outcome::Told(_),
            )
            | Err(_) => {}
        }
        if failure.is_some() {
            let refused =
                matches!(status, Status::Altered | Status::Unsupported | Status::Untrusted);
            verdict.verdict = if refused { Word::Refused } else { Word::Failed };
        }
        verdict
    }

    /// Says what became of the command that was to read the payload, if one was typed.
    fn with_command(self, command: &[OsString], result: &Result<Outcome, Failure>) -> Self {
        let end = match result {
            Ok(Outcome::Commanded { end, .. }) => Some(*end),
            _ => None,
        };
        let command = (!command.is_empty()).then(|| CommandFacts::new(command, end));
        Self { command, ..self }
    }
}
