//! What an outcome means.

use std::io::Read;

use super::outcome::{End, Outcome};
use crate::job::plan::{Layer, Plan};

/// What became of a job, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It ended with 0, and its output is what it must be.
    Ok,
    /// It ended otherwise, by itself.
    Failed,
    /// It ended with 0, and its output is not of the declared format.
    InvalidOutput,
    /// It wrote more than it may.
    OutputTooLarge,
    /// It took longer than it may.
    TimedOut,
    /// The system killed it while memory was short.
    OutOfMemory,
    /// It used more time of the processor than it may.
    OutOfProcessorTime,
    /// It was killed, by a limit or from outside.
    Killed,
    /// It tried what a layer forbids on pain of death.
    Violated(Layer),
    /// It was not started.
    Refused,
}

impl Verdict {
    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::InvalidOutput => "invalid-output",
            Self::OutputTooLarge => "output-too-large",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::OutOfProcessorTime => "out-of-processor-time",
            Self::Killed => "killed",
            Self::Violated(_) => "violated",
            Self::Refused => "refused",
        }
    }

    /// Returns the exit status of a program that ends with this, of a job that ended so.
    ///
    /// A job that failed gives its own: its status, or 128 and the number of the signal. One that was
    /// refused has no end; its reason has a status of its own.
    #[must_use]
    pub fn status(self, end: End) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => match end {
                End::Exited(status) => status,
                End::Signalled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
                _ => u8::MAX,
            },
            Self::InvalidOutput | Self::OutputTooLarge | Self::Violated(_) => 123,
            Self::TimedOut => 124,
            Self::Refused => 125,
            Self::OutOfMemory | Self::OutOfProcessorTime | Self::Killed => 137,
        }
    }

    /// Returns whether the output may be released.
    #[must_use]
    pub const fn releases_output(self) -> bool {
        matches!(self, Self::Ok)
    }
}

/// Judges how a job ended, and its output, read from the beginning.
///
/// Output that cannot be read is not what it must be.
pub fn judge(plan: &Plan, outcome: &Outcome, output: &mut dyn Read) -> Verdict {
    match outcome.end {
        End::Exited(0) => match plan.format.check(output) {
            Ok(()) => Verdict::Ok,
            Err(_) => Verdict::InvalidOutput,
        },
        End::Signalled(libc::SIGKILL) | End::FileTooLarge => Verdict::Killed,
        End::Exited(_) | End::Signalled(_) => Verdict::Failed,
        End::TimedOut => Verdict::TimedOut,
        End::OutputTooLarge => Verdict::OutputTooLarge,
        End::OutOfProcessorTime => Verdict::OutOfProcessorTime,
        End::OutOfMemory => Verdict::OutOfMemory,
        End::Violated(layer) => Verdict::Violated(layer),
    }
}
