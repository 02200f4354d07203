//! What will hold while a job runs: the plan that the launcher carries out to the letter.
//!
//! A plan is data. It is made by [`Policy::plan`](super::policy::Policy) from what the signer asked
//! for and what the operator allows, shown by `brine run --explain`, and given to the launcher.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::job::format::Format;

/// What is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// An absolute path on this system, after aliases and `PATH` were resolved.
    pub path: PathBuf,
    /// The SHA-256 that the file must have, where the policy states one. The launcher opens the file
    /// once, hashes what it opened, and executes that descriptor.
    pub sha256: Option<[u8; 32]>,
    /// `argv[0]` and all that follow; an argument that is exactly `{}` becomes [`PAYLOAD_PATH`].
    pub arguments: Vec<OsString>,
}

/// Where a payload given as `{}` is found inside.
pub const PAYLOAD_PATH: &str = "/job/payload";

/// The private scratch directory inside, and the working directory of the job.
pub const SCRATCH_PATH: &str = "/job/work";

/// How the payload reaches the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// On standard input.
    Stdin,
    /// As the read-only file [`PAYLOAD_PATH`]; standard input is empty.
    File,
}

/// A file or directory of this system that the job may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// The absolute path on this system.
    pub source: PathBuf,
    /// The absolute path inside.
    pub target: PathBuf,
    /// Whether it may be changed.
    pub writable: bool,
}

/// The bounds of a job. Every number is an upper bound, and none is optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time by the clock on the wall, after which the whole tree is killed.
    pub wall: Duration,
    /// Time of processor for each process (`RLIMIT_CPU`), rounded up to seconds.
    pub cpu: Duration,
    /// Bytes of address space for each process (`RLIMIT_AS`).
    pub memory: u64,
    /// Bytes of standard output that are taken.
    pub output: u64,
    /// Bytes of standard error that are kept; what exceeds them is dropped, not refused.
    pub errors: u64,
    /// Bytes of the largest file that may be written (`RLIMIT_FSIZE`).
    pub file_size: u64,
    /// Processes and threads at one time (`RLIMIT_NPROC`, counted in the namespace of the job).
    pub processes: u32,
    /// Open descriptors for each process (`RLIMIT_NOFILE`).
    pub files: u32,
    /// Bytes of the scratch directory.
    pub scratch: u64,
}

/// One way in which the system confines a job. Each can be waived by its name, and none else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// User, process, mount, IPC and host name namespaces, with a private root.
    Namespaces,
    /// An empty network namespace; absent where ports are granted.
    Network,
    /// `setrlimit`.
    Limits,
    /// No capabilities and `no_new_privs`, under an unprivileged user.
    Privileges,
    /// Landlock: files, TCP ports, signals and abstract sockets.
    Landlock,
    /// The system calls that are allowed.
    Seccomp,
}

/// What will hold while a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is executed.
    pub program: Program,
    /// How the payload reaches it.
    pub delivery: Delivery,
    /// The whole environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Directories of the system, seen inside at the same path, read and executed but not written.
    pub system: BTreeSet<PathBuf>,
    /// What was granted besides.
    pub openings: BTreeSet<Opening>,
    /// TCP ports that may be connected to. Empty means no network at all.
    pub ports: BTreeSet<u16>,
    /// The bounds.
    pub limits: Limits,
    /// What standard output must be, to be believed.
    pub format: Format,
    /// The layers that the operator does without.
    pub waived: BTreeSet<Layer>,
}
