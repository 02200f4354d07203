//! Finds out which layers hold on this system, by starting a program behind them.

use std::fs::File;
use std::io;
use std::path::Path;

use brine_job::{Layer, Plan};
use rustix::fs::MemfdFlags;

use super::outcome::{JobBoundMeans, JobEnd, JobOutcome};
use super::{Launch, LaunchError, launch};

/// Which layers hold on this system.
#[derive(Debug)]
pub struct Probe {
    /// The layers that cannot be set up, each with the reason, in the order in which they were tried.
    pub missing: Vec<(Layer, LaunchError)>,
    /// The layers that held without those; or why no program can be started behind any.
    pub held: Result<Vec<Layer>, LaunchError>,
    /// How the bounds of a whole job were held in that attempt.
    pub bounds: JobBoundMeans,
}

/// Starts the program of a plan behind every layer, and then without each layer that cannot be set up.
///
/// The program **must** do nothing and exit with 0, as `true` does. It gets no payload, and its output is dropped.
/// The layers that are missing are those that `brine run` would have to do without.
#[must_use]
pub fn probe(mut plan: Plan, program_init: &Path) -> Probe {
    let mut missing = Vec::new();
    loop {
        match attempt(&plan, program_init) {
            Err(error) => match error.layer() {
                Some(layer) if !plan.waives(layer) => {
                    plan.waive(layer);
                    missing.push((layer, error));
                }
                _ => return Probe { missing, held: Err(error), bounds: JobBoundMeans::default() },
            },
            Ok(JobOutcome { layers, bounds, .. }) => {
                return Probe { missing, held: Ok(layers), bounds };
            }
        }
    }
}

/// Runs the program once, and returns how that went.
fn attempt(plan: &Plan, program_init: &Path) -> Result<JobOutcome, LaunchError> {
    let failed = |error| LaunchError::setting_up("making an empty payload (memfd_create)", error);
    let payload = rustix::fs::memfd_create(c"payload", MemfdFlags::CLOEXEC)
        .map_err(|error| failed(io::Error::from(error)))?;
    let launched = Launch {
        plan,
        payload: File::from(payload),
        input: None,
        powers: Vec::new(),
        stop: None,
        program_init,
    };
    let outcome = launch(launched, &mut io::sink())?;
    match outcome.end {
        JobEnd::Exited(0) => Ok(outcome),
        _ => {
            let said = String::from_utf8_lossy(&outcome.errors).trim_end().to_owned();
            let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
            Err(LaunchError::system(
                "running a program that only exits",
                io::Error::other(format!("it did not exit with 0: {said}")),
            ))
        }
    }
}
