//! Runs a job confined, and releases its output only if all is well.

mod collecting;
mod live_errors;

use std::fs::{File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use brine_core::Classified as _;
use brine_job::{JobResult, Plan, ResultUsage};
use brine_sandbox::{
    ConfinedReading, JobEnd, JobOutcome, JobVerdict, Launch, TreeKill, Violation, check_confined,
    judge, judge_by,
};

use self::collecting::{NotCollected, collect};
use self::live_errors::LiveErrors;
use super::VerifiedJob;
use super::outputs::RunOutputs;
use super::signed_result::ResultOf;
use crate::args::run::Run;
use crate::report::exit::Status;
use crate::report::verdict::{BoundFacts, CollectedFacts, PlanFacts, RefusalFacts, RunFacts};
use crate::report::{Failure, Outcome, console};
use crate::world::end_signals::EndSignals;
use crate::world::spool::{Spool, temporary};

/// Runs a verified job by its plan, and releases its output if all is well.
pub(super) fn launch(
    args: &Run,
    job: VerifiedJob,
    (input, powers): (Option<File>, Vec<OwnedFd>),
    (plan, facts): (&Plan, PlanFacts),
    outputs: &RunOutputs,
    result: Option<&ResultOf>,
) -> Result<Outcome, Failure> {
    let signed = Box::new(job.signed());
    let shows = ShowErrors::asked(args);
    let finished = FinishedJob::run(plan, job.payload, (input, powers), shows)?;
    if shows != ShowErrors::Never {
        finished.show_errors(shows);
    }
    if finished.outcome.tree == TreeKill::Unconfirmed && !args.verdict.json {
        console::note(
            "warning: killed processes of the job had not all ended in time, and may still be there",
        );
    }
    let (verdict, collected) = finished.settle(plan, outputs, result)?;
    Ok(Outcome::Ran {
        signed,
        plan: facts,
        status: status(&verdict, finished.outcome.end),
        line: line(&verdict, plan, &finished.outcome),
        hint: hint(&verdict, &finished.outcome.errors),
        run: Box::new(RunFacts::of(&verdict, &finished.outcome, collected)),
    })
}

/// When people see what a job writes to standard error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ShowErrors {
    AtTheEnd,
    Live,
    Never,
}

impl ShowErrors {
    fn asked(args: &Run) -> Self {
        match &args.verdict {
            verdict if verdict.quiet || verdict.json => Self::Never,
            verdict if verdict.verbose => Self::Live,
            _ => Self::AtTheEnd,
        }
    }
}

/// A job that has ended, and what it wrote, which nobody has seen yet.
struct FinishedJob {
    outcome: JobOutcome,
    output: Spool,
}

impl FinishedJob {
    fn run(
        plan: &Plan,
        payload: Spool,
        (input, powers): (Option<File>, Vec<OwnedFd>),
        shows: ShowErrors,
    ) -> Result<Self, Failure> {
        let payload = payload.into_read_only().map_err(temporary)?;
        // So that the job can open `/dev/stdin`, whoever it is outside. The file has no name.
        payload.set_permissions(Permissions::from_mode(0o444)).map_err(temporary)?;
        let mut output = Spool::new().map_err(temporary)?;
        let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
        let stop = Some(signals.arrival());
        let program_init = Path::new(SELF);
        let launch = Launch { plan, payload, input, powers, stop, program_init };
        let outcome = match shows {
            ShowErrors::Live => LiveErrors::during(|errors| {
                brine_sandbox::launch_showing_errors(launch, &mut output, errors)
            }),
            ShowErrors::AtTheEnd | ShowErrors::Never => brine_sandbox::launch(launch, &mut output),
        };
        // The job was asked to end, and has ended.
        signals.end_process();
        Ok(Self { outcome: outcome?, output })
    }

    /// Shows what it wrote to standard error, as far as nobody has seen it.
    fn show_errors(&self, shows: ShowErrors) {
        let JobOutcome { errors, errors_dropped, .. } = &self.outcome;
        if shows == ShowErrors::AtTheEnd {
            String::from_utf8_lossy(errors).lines().for_each(live_errors::show);
        }
        if *errors_dropped > 0 {
            console::note(&format!("job: and {errors_dropped} bytes more"));
        }
    }

    fn judge(&self, plan: &Plan) -> JobVerdict {
        if !cfg!(feature = "columnar") || !plan.parts().format.is_columnar() {
            return judge(plan, &self.outcome, &mut self.output.reader());
        }
        let output = self.output.file();
        let reading = ConfinedReading { plan, output, program_reader: Path::new(SELF) };
        judge_by(&self.outcome, || check_confined(&reading))
    }

    /// Judges it, and releases its output and its files if all is well.
    fn settle(
        &self,
        plan: &Plan,
        outputs: &RunOutputs,
        result: Option<&ResultOf>,
    ) -> Result<(JobVerdict, Vec<CollectedFacts>), Failure> {
        let mut verdict = self.judge(plan);
        let mut released = None;
        if verdict.releases_output() {
            released = match self.release(plan, outputs, result) {
                Err(NotCollected::Refused(error)) => {
                    verdict = JobVerdict::InvalidFiles(error);
                    None
                }
                Err(NotCollected::Failed(failure)) => Some(Err(failure)),
                Ok(facts) => Some(Ok(facts)),
            };
        }
        // A job may not be repeatable: output that cannot be written where it belongs is kept, too.
        if let (None | Some(Err(_)), Some(partial)) = (&released, &outputs.partial) {
            self.output.release_to(partial)?;
        }
        if let (None, Some(result)) = (&released, result) {
            result.write(&self.result(&verdict, plan, result), None, &outputs.output)?;
        }
        Ok((verdict, released.transpose()?.unwrap_or_default()))
    }

    /// Lets its files appear, then its output, or neither. Output comes last: from a pipe it cannot be taken back.
    fn release(
        &self,
        plan: &Plan,
        outputs: &RunOutputs,
        result: Option<&ResultOf>,
    ) -> Result<Vec<CollectedFacts>, NotCollected> {
        let collecting = outputs.collecting.as_ref();
        let collected = collecting.map(|files| collect(files, &self.outcome, plan)).transpose()?;
        let released = match result {
            None => self.output.release_to(&outputs.output),
            Some(result) => {
                let said = self.result(&JobVerdict::Ok, plan, result);
                result.write(&said, Some(&self.output), &outputs.output)
            }
        };
        match (released, collected) {
            (Ok(()), collected) => Ok(collected.map(|(_, facts)| facts).unwrap_or_default()),
            (Err(failure), collected) => {
                if let Some((appeared, _)) = collected {
                    appeared.undo();
                }
                Err(failure.into())
            }
        }
    }
}

impl FinishedJob {
    /// Says how it ended, to be signed.
    fn result(&self, verdict: &JobVerdict, plan: &Plan, of: &ResultOf) -> JobResult {
        let JobOutcome { end, wall, usage, errors, .. } = &self.outcome;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let reason = match verdict {
            JobVerdict::InvalidFiles(error) => Some(error.reason()),
            JobVerdict::InvalidOutput(error) => Some(error.reason()),
            JobVerdict::Violated(violation) => Some(violation.layer.name()),
            _ => None,
        };
        JobResult {
            plan: plan.digest().as_ref().try_into().ok(),
            reason: reason.map(str::to_owned),
            exit: match end {
                JobEnd::Exited(code) => Some(*code),
                _ => None,
            },
            signal: match end {
                JobEnd::Signalled(signal) => u8::try_from(*signal).ok(),
                _ => None,
            },
            usage: Some(ResultUsage {
                wall_ms: ms(*wall),
                user_ms: ms(usage.user),
                system_ms: ms(usage.system),
                memory_bytes: usage.peak_memory,
            }),
            errors: errors.clone(),
            ..of.ending(verdict.name(), status(verdict, *end).code())
        }
    }
}

impl RunFacts {
    fn of(verdict: &JobVerdict, outcome: &JobOutcome, collected: Vec<CollectedFacts>) -> Self {
        let JobOutcome {
            end,
            wall,
            usage,
            input_bytes,
            output_bytes,
            errors,
            errors_dropped,
            layers,
            tree,
            scratch: _,
            bounds,
            proc_view,
        } = outcome;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            bounds: BoundFacts {
                cpu: bounds.processor_time.name(),
                memory: bounds.memory.name(),
                processes: bounds.processes.name(),
            },
            errors: String::from_utf8_lossy(errors).into_owned(),
            errors_dropped: *errors_dropped,
            collected,
            exit_code: match end {
                JobEnd::Exited(code) => Some(*code),
                _ => None,
            },
            input_bytes: *input_bytes,
            layers: layers.iter().map(|layer| layer.name()).collect(),
            memory_bytes: usage.peak_memory,
            outcome: verdict.name(),
            proc: proc_view.name(),
            output_bytes: *output_bytes,
            output_error: match verdict {
                JobVerdict::InvalidFiles(error) => Some(RefusalFacts::new(error)),
                JobVerdict::InvalidOutput(error) => Some(RefusalFacts::new(error)),
                _ => None,
            },
            signal: match end {
                JobEnd::Signalled(signal) => Some(*signal),
                _ => None,
            },
            system_ms: ms(usage.system),
            tree_killed: *tree == TreeKill::Certain,
            user_ms: ms(usage.user),
            violated: match verdict {
                JobVerdict::Violated(violation) => Some(violation.layer.name()),
                _ => None,
            },
            violated_call: match verdict {
                JobVerdict::Violated(violation) => violation.call,
                _ => None,
            },
            wall_ms: ms(*wall),
        }
    }
}

/// Returns how `run` ends. The command's own status is passed on as it is.
fn status(verdict: &JobVerdict, end: JobEnd) -> Status {
    match (verdict, verdict.status(end)) {
        (JobVerdict::Ok, _) => Status::Done,
        // Only what is well ends with 0.
        (_, 0) => Status::NotReleased,
        (_, code) => Status::Command(code),
    }
}

/// Says for a person how it went.
fn line(verdict: &JobVerdict, plan: &Plan, outcome: &JobOutcome) -> String {
    let limits = &plan.parts().limits;
    match verdict {
        JobVerdict::Ok => format!("ran for {} ms", outcome.wall.as_millis()),
        JobVerdict::Failed => match outcome.end {
            JobEnd::Exited(code) => format!("the command ended with {code}"),
            JobEnd::Signalled(signal) => format!("signal {signal} ended the command"),
            _ => "the command failed".to_owned(),
        },
        JobVerdict::InvalidFiles(error) => error.to_string(),
        JobVerdict::InvalidOutput(error) => error.to_string(),
        JobVerdict::OutputTooLarge => format!("the output is over {} bytes", limits.output),
        JobVerdict::TimedOut => {
            format!("the command took longer than {} ms", limits.wall.as_millis())
        }
        JobVerdict::OutOfMemory => {
            format!("the command and its processes had {} bytes of memory", limits.memory)
        }
        JobVerdict::OutOfProcessorTime => {
            let cpu = limits.cpu.as_millis();
            format!("the command and its processes had {cpu} ms of processor time")
        }
        JobVerdict::Killed if outcome.end == JobEnd::FileTooLarge => {
            format!("the command wrote a file over {} bytes", limits.file_size)
        }
        JobVerdict::Killed => "the command was killed".to_owned(),
        JobVerdict::Violated(Violation { call: Some(call), .. }) => {
            format!("the command made the system call {call}, which no job may make")
        }
        JobVerdict::Violated(violation) => {
            format!("the command did what {} forbids", violation.layer.name())
        }
        _ => "the command was not run".to_owned(),
    }
}

/// Says how to find out which system calls a job was refused, if it may have failed for one.
fn hint(verdict: &JobVerdict, errors: &[u8]) -> Option<&'static str> {
    let errors = String::from_utf8_lossy(errors);
    let is_refused = REFUSED_CALL.iter().any(|words| errors.contains(words));
    (matches!(verdict, JobVerdict::Failed) && is_refused).then_some(
        "if a system call was refused to the job, \"strace -f -Z\" before this command line names it, and \"man 5 policy.toml\" lists those that no job may make",
    )
}

/// What programs say of a call that is refused (`EPERM`, `ENOSYS`).
const REFUSED_CALL: [&str; 2] = ["Operation not permitted", "Function not implemented"];

/// This program, which is also process 1 of the job.
pub(in crate::verbs) const SELF: &str = "/proc/self/exe";

#[cfg(test)]
mod tests;
