//! What the end of a job means.

use std::io::Read;

use brine_job::{FormatError, Plan};

use super::outcome::{JobEnd, JobOutcome, Violation};
use super::scratch::ScratchError;

/// What the end of a job means.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobVerdict {
    /// It exited with 0, and its output has the declared format.
    Ok,
    /// It exited with another status, or a signal ended it.
    Failed,
    /// It exited with 0, and its output does not have the declared format.
    InvalidOutput(FormatError),
    /// It exited with 0, and what it left cannot be collected. [`judge`] does not look: whoever collects does.
    InvalidFiles(ScratchError),
    /// It exceeded its limit of standard output.
    OutputTooLarge,
    /// It exceeded its time limit.
    TimedOut,
    /// The kernel killed it while memory was short.
    OutOfMemory,
    /// It exceeded its limit of CPU time.
    OutOfProcessorTime,
    /// It was killed, by the limit of a file's size or from outside.
    Killed,
    /// It did something for which a layer kills.
    Violated(Violation),
    /// It was not started.
    Refused,
}

impl JobVerdict {
    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::InvalidFiles(_) => "invalid-files",
            Self::InvalidOutput(_) => "invalid-output",
            Self::OutputTooLarge => "output-too-large",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::OutOfProcessorTime => "out-of-processor-time",
            Self::Killed => "killed",
            Self::Violated(_) => "violated",
            Self::Refused => "refused",
        }
    }

    /// Returns the exit status of a program that ran such a job.
    ///
    /// A job that failed passes its own on: its status, or 128 and the number of the signal. A job that was
    /// refused has no end, and its error has a status.
    #[must_use]
    pub fn status(&self, end: JobEnd) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => match end {
                JobEnd::Exited(status) => status,
                JobEnd::Signalled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
                _ => u8::MAX,
            },
            Self::InvalidFiles(_)
            | Self::InvalidOutput(_)
            | Self::OutputTooLarge
            | Self::Violated(_) => 123,
            Self::TimedOut => 124,
            Self::Refused => 125,
            Self::OutOfMemory | Self::OutOfProcessorTime | Self::Killed => 137,
        }
    }

    /// Returns whether the output may be released.
    #[must_use]
    pub const fn releases_output(&self) -> bool {
        matches!(self, Self::Ok)
    }
}

/// Judges how a job ended, and its output, which is read from the beginning.
///
/// Output that cannot be read is [`InvalidOutput`](JobVerdict::InvalidOutput), too, and so is any output in a
/// [columnar](brine_job::OutputFormat::is_columnar) format: [`judge_by`] is for that.
#[must_use]
pub fn judge(plan: &Plan, outcome: &JobOutcome, output: &mut dyn Read) -> JobVerdict {
    judge_by(outcome, || plan.parts().check_output(output))
}

/// Judges how a job ended, and its output by `check`, which is called only if nothing else is wrong.
#[must_use]
pub fn judge_by(
    outcome: &JobOutcome,
    check: impl FnOnce() -> Result<(), FormatError>,
) -> JobVerdict {
    match outcome.end {
        JobEnd::Exited(0) => match check() {
            Ok(()) => JobVerdict::Ok,
            Err(error) => JobVerdict::InvalidOutput(error),
        },
        JobEnd::Signalled(libc::SIGKILL) | JobEnd::FileTooLarge | JobEnd::Stopped => {
            JobVerdict::Killed
        }
        JobEnd::Exited(_) | JobEnd::Signalled(_) => JobVerdict::Failed,
        JobEnd::TimedOut => JobVerdict::TimedOut,
        JobEnd::OutputTooLarge => JobVerdict::OutputTooLarge,
        JobEnd::OutOfProcessorTime => JobVerdict::OutOfProcessorTime,
        JobEnd::OutOfMemory => JobVerdict::OutOfMemory,
        JobEnd::Violated(violation) => JobVerdict::Violated(violation),
    }
}
