//! Runs a job in confinement: carries a [`Plan`] out to the letter, on Linux.
//!
//! [`launch`] prepares everything, starts this very program again as the *init* of the job, and
//! watches. [`enter`] is what the init does: a fresh process with one thread confines itself, layer by
//! layer, and becomes the job's program at last. Nothing is done between `fork` and `exec` in a process
//! that may have threads. Every layer holds or the job does not start; one that the plan waives by
//! name is left out, and [`Outcome::layers`] says which held.
//!
//! ```text
//! brine ── init ── process 1 of the job's namespace ── the job ── what it starts
//!   │       │         └ reaps, and all of the namespace dies with it
//!   │       └ sets the layers up; dies with brine, and process 1 with it
//!   └ reads output, keeps time, hangs up
//! ```

mod channel;
mod error;
mod init;
mod landlock;
mod limits;
mod message;
mod namespaces;
mod orders;
mod outcome;
mod prepare;
mod privileges;
mod root;
mod seccomp;
mod system;
mod tree;
mod verdict;
mod watch;

use std::ffi::CStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub use self::error::LaunchError;
pub use self::init::enter;
pub use self::outcome::{End, Outcome, TreeKill, Usage};
pub use self::verdict::{Verdict, judge};
use crate::job::plan::Plan;

/// A job that is ready to start.
#[derive(Debug)]
pub struct Launch<'a> {
    /// What will hold.
    pub plan: &'a Plan,
    /// The payload, positioned at its beginning. The job gets a descriptor of its own, for reading only.
    /// It should be a private file: a job of the user that the file belongs to may change its mode.
    pub payload: File,
    /// An executable whose `main` calls [`enter`] before anything else; usually `/proc/self/exe`.
    pub program_init: &'a Path,
}

/// Runs the job, writes its standard output to `output`, and returns how it ended.
///
/// What is written is not to be believed before [`judge`] says so: `output` is a private file, or
/// memory. No process of the job is left when this returns, but where namespaces are waived and the
/// job is ahead of the kill.
///
/// # Errors
///
/// - [`LaunchError::Confinement`] where a layer that is not waived cannot be set up;
/// - [`LaunchError::NotFound`], [`LaunchError::NotExecutable`] and [`LaunchError::OtherProgram`] for the
///   program, [`LaunchError::Opening`] for what was granted, [`LaunchError::PayloadTooLarge`];
/// - [`LaunchError::Output`] where `output` cannot be written, and [`LaunchError::System`].
///
/// The program has not started in any of these but the last two.
pub fn launch(launch: Launch<'_>, output: &mut dyn Write) -> Result<Outcome, LaunchError> {
    let prepared = prepare::prepare(&launch)?;
    let started = prepared.start(launch.program_init)?;
    watch::watch(started, launch.plan, output)
}

/// The first argument of a process that is to act as the init of a job.
const INIT_NAME: &str = "brine-init";

/// The user and group that a job runs as inside, and outside where root starts it: nobody.
const NOBODY: u32 = 65_534;

/// Where a program that begins with `#!` is seen inside.
const SCRIPT_PATH: &CStr = c"/job/program";

/// How large a payload may be that is given as a file: it is held in memory.
const MAX_FILE_PAYLOAD_BYTES: u64 = 1 << 30;
