//! STUB: the launcher is made elsewhere, and takes the place of this file. Nothing here runs anything.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use crate::job::plan::{Layer, Plan};

/// A job that is ready to start.
#[derive(Debug)]
pub struct Launch<'a> {
    /// What will hold.
    pub plan: &'a Plan,
    /// The payload, positioned at its beginning.
    pub payload: File,
    /// The program whose init is process 1 of the job.
    pub program_init: &'a Path,
}

/// Why a job did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// There is no launcher.
    #[error("this brine was built without a launcher")]
    NotBuilt,
}

impl LaunchError {
    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotBuilt => "not-built",
        }
    }

    /// Returns the exit status of a program that ends with this.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::NotBuilt => 125,
        }
    }

    /// Returns what to do about it, where something can be done.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotBuilt => None,
        }
    }
}

/// Runs the job, and writes its standard output to `output`.
///
/// # Errors
///
/// [`LaunchError::NotBuilt`].
pub fn launch(launch: Launch<'_>, output: &mut dyn Write) -> Result<Outcome, LaunchError> {
    let _ = (launch, output);
    Err(LaunchError::NotBuilt)
}

/// How a job ended, and what it used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// How long it ran.
    pub wall: Duration,
    /// What all its processes used together.
    pub usage: Usage,
    /// How many bytes of standard output were taken.
    pub output_bytes: u64,
    /// The beginning of its standard error.
    pub errors: Vec<u8>,
    /// How many bytes of standard error followed, and were dropped.
    pub errors_dropped: u64,
    /// The layers that held.
    pub layers: Vec<Layer>,
    /// Whether the kill of the whole tree is certain.
    pub tree: TreeKill,
}

/// How sure it is that no process of the job is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKill {
    /// The system kills all of a process namespace with its process 1.
    Certain,
    /// What could be found was killed.
    Weak,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// By itself, with this status.
    Exited(u8),
    /// By this signal, which nobody here sent.
    Signalled(i32),
    /// It used more time of the clock on the wall than it may.
    TimedOut,
    /// It wrote more to standard output than it may.
    OutputTooLarge,
    /// It used more time of the processor than it may.
    OutOfProcessorTime,
    /// The system killed it while memory was short.
    OutOfMemory,
    /// It wrote a larger file than it may.
    FileTooLarge,
    /// It tried what a layer forbids on pain of death.
    Violated(Layer),
}

/// What the processes of a job used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time of processor in the programs.
    pub user: Duration,
    /// Time of processor in the system.
    pub system: Duration,
    /// The most memory that one process held, in bytes.
    pub peak_memory: u64,
}

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
}

/// Judges how a job ended, and its output, read from the beginning.
pub fn judge(plan: &Plan, outcome: &Outcome, output: &mut dyn Read) -> Verdict {
    match outcome.end {
        End::Exited(0) if plan.format.check(output).is_ok() => Verdict::Ok,
        End::Exited(0) => Verdict::InvalidOutput,
        End::FileTooLarge => Verdict::Killed,
        End::Exited(_) | End::Signalled(_) => Verdict::Failed,
        End::TimedOut => Verdict::TimedOut,
        End::OutputTooLarge => Verdict::OutputTooLarge,
        End::OutOfProcessorTime => Verdict::OutOfProcessorTime,
        End::OutOfMemory => Verdict::OutOfMemory,
        End::Violated(layer) => Verdict::Violated(layer),
    }
}
