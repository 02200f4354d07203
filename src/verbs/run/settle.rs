//! What became of a job: judged, then given out or not.

use serde_json::{Map, Value, json};

use super::Outputs;
use crate::cli::args::run::Run;
use crate::cli::exit::Status;
use crate::cli::failure::Failure;
use crate::cli::report::{Settled, errors_of_job};
use crate::cli::spool::Spool;
use crate::job::Plan;
use crate::job::format::FormatError;
use crate::sandbox::{End, Outcome, TreeKill, Verdict, judge};

/// A job that ran, and what it wrote: seen by nobody yet.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    pub(super) output: Spool,
}

impl Ran {
    /// Judges it, and gives its output out only if all is well.
    pub(super) fn settle(
        &self,
        plan: &Plan,
        outputs: &Outputs,
        args: &Run,
    ) -> Result<Settled, Failure> {
        let verdict = judge(plan, &self.outcome, &mut self.output.reader());
        if !args.quiet && !args.json {
            errors_of_job(&self.outcome.errors, self.outcome.errors_dropped);
        }
        let released = match verdict {
            Verdict::Ok => Some(self.output.release_to(&outputs.output)),
            _ => None,
        };
        // What was done for it cannot be done again: nothing is lost because it could not be written.
        if let (None | Some(Err(_)), Some(partial)) = (&released, &outputs.partial) {
            self.output.release_to(partial)?;
        }
        released.unwrap_or(Ok(()))?;
        let invalid = (verdict == Verdict::InvalidOutput)
            .then(|| plan.format.check(&mut self.output.reader()).err())
            .flatten();
        Ok(Settled {
            status: status(verdict, self.outcome.end),
            line: match &invalid {
                Some(error) => error.to_string(),
                None => line(verdict, plan, &self.outcome),
            },
            json: self.facts(verdict, invalid.as_ref()),
        })
    }

    fn facts(&self, verdict: Verdict, invalid: Option<&FormatError>) -> Map<String, Value> {
        let Outcome { end, wall, usage, output_bytes, errors, errors_dropped, layers, tree } =
            &self.outcome;
        let milliseconds =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (exit_code, signal) = match end {
            End::Exited(code) => (Some(code), None),
            End::Signalled(signal) => (None, Some(signal)),
            _ => (None, None),
        };
        let names = layers.iter().map(|layer| layer.name()).collect::<Vec<_>>();
        let layer = match verdict {
            Verdict::Violated(layer) => Some(layer.name()),
            _ => None,
        };
        let facts = json!({
            "outcome": verdict.name(),
            "exit_code": exit_code,
            "signal": signal,
            "layers": names,
            "violated": layer,
            "wall_ms": milliseconds(*wall),
            "user_ms": milliseconds(usage.user),
            "system_ms": milliseconds(usage.system),
            "memory_bytes": usage.peak_memory,
            "output_bytes": output_bytes,
            "output_error": invalid.map(|error| json!({
                "reason": error.reason(),
                "message": error.to_string(),
            })),
            "tree_killed": *tree == TreeKill::Certain,
            "errors": String::from_utf8_lossy(errors),
            "errors_dropped": errors_dropped,
        });
        if let Value::Object(facts) = facts { facts } else { Map::new() }
    }
}

/// How `run` ends. What the command said by its own status is passed on as it is.
fn status(verdict: Verdict, end: End) -> Status {
    if verdict == Verdict::Ok {
        return Status::Done;
    }
    match verdict.status(end) {
        // 0 is for what is well, and for nothing else.
        0 => Status::NotGivenOut,
        code => Status::Command(code),
    }
}

/// The same for people.
fn line(verdict: Verdict, plan: &Plan, outcome: &Outcome) -> String {
    match verdict {
        Verdict::Ok => format!("ran for {} ms", outcome.wall.as_millis()),
        Verdict::Failed => match outcome.end {
            End::Exited(code) => format!("the command ended with {code}"),
            End::Signalled(signal) => format!("signal {signal} ended the command"),
            _ => "the command failed".to_owned(),
        },
        Verdict::InvalidOutput => format!("the output is not {}", plan.format.name()),
        Verdict::OutputTooLarge => {
            format!("the output is over {} bytes", plan.limits.output)
        }
        Verdict::TimedOut => {
            format!("the command took longer than {} ms", plan.limits.wall.as_millis())
        }
        Verdict::OutOfMemory => format!("the command had {} bytes of memory", plan.limits.memory),
        Verdict::OutOfProcessorTime => {
            format!("the command had {} ms of processor time", plan.limits.cpu.as_millis())
        }
        Verdict::Killed => match outcome.end {
            End::FileTooLarge => {
                format!("the command wrote a file over {} bytes", plan.limits.file_size)
            }
            _ => "the command was killed".to_owned(),
        },
        Verdict::Violated(layer) => format!("the command did what {} forbids", layer.name()),
        Verdict::Refused => "the command was not run".to_owned(),
    }
}

#[cfg(test)]
mod tests;
