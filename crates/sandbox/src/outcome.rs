//! How a job ended.

use std::time::Duration;

use crate::job::plan::Layer;

/// How a job ended, and what it used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// How long it ran, by the clock on the wall.
    pub wall: Duration,
    /// What all its processes used together.
    pub usage: Usage,
    /// How many bytes of standard output were taken.
    pub output_bytes: u64,
    /// The beginning of its standard error, as long as the plan allows. It is the job's word: escape it.
    pub errors: Vec<u8>,
    /// How many bytes of standard error followed, and were dropped.
    pub errors_dropped: u64,
    /// The layers that held.
    pub layers: Vec<Layer>,
    /// Whether the kill of the whole tree is certain. Without namespaces it is not.
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

/// Every layer, in the order in which they are set up.
pub(super) const LAYERS: [Layer; 6] = [
    Layer::Namespaces,
    Layer::Network,
    Layer::Privileges,
    Layer::Limits,
    Layer::Landlock,
    Layer::Seccomp,
];
