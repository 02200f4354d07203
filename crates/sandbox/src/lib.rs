//! Runs a job in confinement: carries a [`Plan`] out to the letter, on Linux. On other systems the crate is
//! empty.
//!
//! [`launch`] prepares everything, starts a program as the *init* of the job, and watches. The init calls
//! [`enter`]: a fresh process with one thread, it confines itself layer by layer and becomes the job's program
//! at last. So nothing runs between `fork` and `exec` in a process that may have threads. Every layer holds, or
//! the job does not start. A layer that the plan waives by name is left out, and [`JobOutcome::layers`] lists
//! those that held. [`judge`] decides whether the output may be released.
//!
//! ```text
//! brine ── init ── process 1 of the job's namespace ── the job ── its processes
//!   │       │         └ reaps; the kernel kills the whole namespace when it ends
//!   │       └ sets the layers up; dies with brine, and process 1 dies with it
//!   └ reads output, keeps time, hangs up
//! ```
//!
//! A program is usually the init of its own jobs:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use brine_job::{Grants, OperatorCommand, Policy, PolicyQuestion};
//! use brine_sandbox::{Launch, enter, judge, launch};
//!
//! fn main() -> ExitCode {
//!     if let Some(ended) = enter() {
//!         return ended;
//!     }
//!     run().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
//! }
//!
//! fn run() -> Result<(), Box<dyn std::error::Error>> {
//!     let system = ["/bin", "/lib", "/lib64", "/usr"].map(Into::into).into();
//!     let question =
//!         PolicyQuestion { signer: "alice", context: None, content_type: None, system: &system };
//!     let command = OperatorCommand { path: "/usr/bin/wc".into(), arguments: Vec::new() };
//!     let permit = Policy::none().plan(&question, &Grants::default(), Some(&command))?;
//!
//!     let payload = std::fs::File::open("verified-payload")?;
//!     let launched = Launch {
//!         plan: &permit.plan,
//!         payload,
//!         input: None,
//!         powers: Vec::new(),
//!         stop: None,
//!         program_init: "/proc/self/exe".as_ref(),
//!     };
//!     let mut output = Vec::new();
//!     let outcome = launch(launched, &mut output)?;
//!     if judge(&permit.plan, &outcome, &mut output.as_slice()).releases_output() {
//!         std::io::Write::write_all(&mut std::io::stdout(), &output)?;
//!     }
//!     Ok(())
//! }
//! ```

#![cfg(target_os = "linux")]
#![deny(unsafe_op_in_unsafe_fn)]

mod bounds;
mod error;
mod init;
mod init_channel;
mod init_report;
mod job_input;
mod job_user;
mod landlock;
mod namespaces;
mod obstacles;
mod oom_score;
mod orders;
mod outcome;
mod output_reader;
mod prepare;
mod private_root;
mod privileges;
mod probe;
mod program;
mod rlimits;
mod scratch;
mod seccomp;
mod syscalls;
mod tree_kill;
mod verdict;
mod watch;

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use brine_job::Plan;

pub use self::error::LaunchError;
pub use self::init::enter;
pub use self::obstacles::obstacles;
pub use self::outcome::{
    BoundMeans, JobBoundMeans, JobEnd, JobOutcome, ProcView, ResourceUsage, TreeKill, Violation,
};
pub use self::output_reader::{ConfinedReading, check_confined, enter_reader};
pub use self::private_root::SHOWN_IN_PROC;
pub use self::probe::{Probe, probe};
pub use self::scratch::{JobScratch, MAX_COLLECTED, ScratchError, ScratchItem};
pub use self::syscalls::{clock_is_synchronised, landlock_version};
pub use self::verdict::{JobVerdict, judge, judge_by};

/// A job that is ready to start.
#[derive(Debug)]
pub struct Launch<'a> {
    /// What holds while the job runs.
    pub plan: &'a Plan,
    /// The payload, positioned at its beginning. The job gets a descriptor of its own, for reading only. The
    /// file should be private: a job that runs as the owner of the file may change its mode.
    pub payload: File,
    /// What a job whose plan [gives it an input](brine_job::Plan::give_input) reads on standard input, from where it
    /// is. It may be anything that can be read, and need not end. The job gets a pipe, and never this descriptor. Any
    /// other job ignores it; without it, the standard input of such a job is empty.
    pub input: Option<File>,
    /// A connected socket for each [power](brine_job::PlanParts::powers) of the plan, in their order.
    pub powers: Vec<OwnedFd>,
    /// Asks for the end of the job once it can be read, as a signal that arrives can; `None` if nothing does.
    pub stop: Option<BorrowedFd<'a>>,
    /// An executable whose `main` calls [`enter`] before anything else; usually `/proc/self/exe`.
    pub program_init: &'a Path,
}

/// Runs a job, writes its standard output to `output`, and returns how it ended.
///
/// `output` **must** be a private file, or memory: nothing in it may be released before [`judge`] has allowed
/// it. When this returns, no process of the job is left, or [`JobOutcome::tree`] says that this is not known.
///
/// # Errors
///
/// - [`LaunchError::Confinement`] if a layer that is not waived cannot be set up, and [`LaunchError::Withheld`] if
///   nothing can;
/// - [`LaunchError::Draft`] if the policy refused the job;
/// - [`LaunchError::NotFound`], [`LaunchError::NotExecutable`] and [`LaunchError::OtherProgram`] for the
///   program;
/// - [`LaunchError::Opening`] for a granted path, and [`LaunchError::PayloadTooLarge`];
/// - [`LaunchError::Input`] if the input cannot be read to its end, [`LaunchError::Output`] if `output` cannot be
///   written, and [`LaunchError::System`];
/// - [`LaunchError::StillThere`] for any of these, if the job was killed and its end was not seen.
///
/// The program has not started in any of these but the last four.
pub fn launch(launch: Launch<'_>, output: &mut dyn Write) -> Result<JobOutcome, LaunchError> {
    launch_showing_errors(launch, output, &mut io::sink())
}

/// Runs a job as [`launch`] does, and writes its standard error to `errors` as it comes, up to the limit of the plan.
///
/// The job wrote it, so it **must** be escaped before anybody sees it. Writing should not wait: while it does, nobody
/// watches the job. If it fails, nothing comes of that.
///
/// # Errors
///
/// Those of [`launch`].
pub fn launch_showing_errors(
    launch: Launch<'_>,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> Result<JobOutcome, LaunchError> {
    if launch.plan.is_draft() {
        return Err(LaunchError::Draft);
    }
    let prepared = prepare::prepare(&launch)?;
    let started = prepared.start(launch.program_init, launch.input, launch.powers)?;
    watch::watch(started, launch.plan.parts(), launch.stop, [output, errors])
}

/// The first argument of a process that acts as the init of a job.
const INIT_NAME: &str = "brine-init";

/// The user and group of a job, inside; outside, too, if root starts it and it cannot have a user of its own: nobody.
const NOBODY: u32 = 65_534;

/// The path inside of a program that begins with `#!`, and of the private copy of a program.
const SCRIPT_PATH: &CStr = c"/job/program";

/// The largest payload that is given as a file, in bytes. It is held in memory.
const MAX_FILE_PAYLOAD_BYTES: u64 = 1 << 30;
