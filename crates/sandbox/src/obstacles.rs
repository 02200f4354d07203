//! What stands in the way of a launch, apart from the layers: everything that cannot be opened.

use brine_job::Plan;

use super::LaunchError;
use super::prepare::{open_granted, open_system, refuse_large_payload};
use super::program::OpenedProgram;

/// Opens everything that a [launch](super::launch) opens, and returns what cannot be: the program, system directories
/// and granted paths, each by itself, and a payload that is too large. Nothing is started.
#[must_use]
pub fn obstacles(plan: &Plan, payload_bytes: u64) -> Vec<LaunchError> {
    let parts = plan.parts();
    let program = OpenedProgram::open(&parts.program).err();
    let system = parts.system.iter().filter_map(|path| open_system(path).err());
    let granted = parts.granted_paths.iter().filter_map(|path| open_granted(path, parts).err());
    let payload = refuse_large_payload(parts, payload_bytes).err();
    program.into_iter().chain(system).chain(granted).chain(payload).collect()
}
