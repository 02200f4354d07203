//! How a job ended.

use std::time::Duration;

use brine_job::Layer;

use super::scratch::JobScratch;

/// How a job ended, and what it used.
#[derive(Debug)]
pub struct JobOutcome {
    /// How it ended.
    pub end: JobEnd,
    /// How long it ran, in wall-clock time.
    pub wall: Duration,
    /// What all its processes used together.
    pub usage: ResourceUsage,
    /// How many bytes of its input a job was given, read or not; `None` if it had no input.
    pub input_bytes: Option<u64>,
    /// How many bytes of standard output were taken.
    pub output_bytes: u64,
    /// The beginning of standard error, up to the limit of the plan. The job wrote it, so it **must** be
    /// escaped before anybody sees it.
    pub errors: Vec<u8>,
    /// How many bytes of standard error were dropped after that.
    pub errors_dropped: u64,
    /// The layers that held.
    pub layers: Vec<Layer>,
    /// Whether every process of the job was certainly killed.
    pub tree: TreeKill,
    /// What it left in its scratch directory; `None` if it had none of its own.
    pub scratch: Option<JobScratch>,
    /// How the bounds of the whole job were held.
    pub bounds: JobBoundMeans,
    /// What it saw as `/proc`.
    pub proc_view: ProcView,
}

/// What a job sees as `/proc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcView {
    /// Files about the machine, and no processes: this system lets nobody mount a `/proc`, as in a container that
    /// hides parts of its own.
    Missing,
    /// That of its own process namespace.
    Own,
    /// That of this system, as far as Landlock lets it: it has no private root.
    #[default]
    System,
}

impl ProcView {
    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Own => "own",
            Self::System => "system",
        }
    }
}

/// How each bound of a whole job is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobBoundMeans {
    /// What all processes hold together.
    pub memory: BoundMeans,
    /// The processor time of all processes together.
    pub processor_time: BoundMeans,
    /// The number of processes and threads.
    pub processes: BoundMeans,
}

/// How a bound of a whole job is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundMeans {
    /// A control group of version 1: the kernel counts, and refuses what is beyond.
    ControlGroupV1,
    /// A control group of version 2: the kernel counts, and refuses what is beyond.
    ControlGroupV2,
    /// The kernel counts, in an event of `perf_event_open`, and brine ends the job that it finds beyond it.
    Counter,
    /// brine looks at the processes again and again, and ends the job that it finds beyond it.
    Looks,
    /// The kernel refuses what is beyond (`setrlimit`).
    ResourceLimit,
    /// Nothing holds it.
    #[default]
    None,
}

impl BoundMeans {
    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ControlGroupV1 => "cgroup-v1",
            Self::ControlGroupV2 => "cgroup-v2",
            Self::Counter => "perf-event",
            Self::Looks => "looks",
            Self::ResourceLimit => "rlimit",
            Self::None => "none",
        }
    }
}

/// How certain it is that no process of a job is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKill {
    /// The process namespace has ended, and the kernel has waited for every process in it.
    Certain,
    /// The process namespace was killed, and its end was not seen in time. Killed processes can still be running:
    /// they end when they get processor time.
    Unconfirmed,
    /// There was no namespace. The processes that could be found were killed.
    Weak,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobEnd {
    /// It exited with this status.
    Exited(u8),
    /// This signal ended it, which brine did not send.
    Signalled(i32),
    /// brine was asked to end it.
    Stopped,
    /// It exceeded its time limit.
    TimedOut,
    /// It exceeded its limit of standard output.
    OutputTooLarge,
    /// It exceeded its limit of CPU time.
    OutOfProcessorTime,
    /// It exceeded its limit of memory, or the kernel killed it while the memory of the system was short.
    OutOfMemory,
    /// It exceeded the limit of a file's size.
    FileTooLarge,
    /// It did something for which a layer kills.
    Violated(Violation),
}

/// Something for which a layer ends a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The layer.
    pub layer: Layer,
    /// The name of the system call; `None` if it is not known, as that of another architecture.
    pub call: Option<&'static str>,
}

/// What the processes of a job used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// CPU time in the programs.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// The most memory that they held at one time, in bytes.
    pub peak_memory: u64,
}

/// All layers, in the order in which they are set up.
pub(super) const LAYERS: [Layer; 6] = [
    Layer::Namespaces,
    Layer::Network,
    Layer::Privileges,
    Layer::Limits,
    Layer::Landlock,
    Layer::Seccomp,
];
