//! What stands in the way of a launch, apart from the layers: everything that cannot be opened.

use std::collections::BTreeSet;

use brine_job::{Plan, PlanParts};

use super::LaunchError;
use super::prepare::{open_places, refuse_large_payload};
use super::program::OpenedProgram;

/// Opens everything that a [launch](super::launch) opens, and returns what cannot be: the program, system directories
/// and granted paths, each by itself, and a payload that is too large. Nothing is started.
#[must_use]
pub fn obstacles(plan: &Plan, payload_bytes: u64) -> Vec<LaunchError> {
    let parts = plan.parts();
    let program = OpenedProgram::open(&parts.program).err();
    let system = parts.system.iter().map(|path| PlanParts {
        system: BTreeSet::from([path.clone()]),
        granted_paths: BTreeSet::new(),
        ..parts.clone()
    });
    // What may be written is held against the system directories.
    let granted = parts
        .granted_paths
        .iter()
        .map(|path| PlanParts { granted_paths: BTreeSet::from([path.clone()]), ..parts.clone() });
    let unopened = |parts: PlanParts| open_places(&parts, None).err();
    let places: Vec<_> = system.filter_map(unopened).collect();
    // A system directory that cannot be opened is not said once more for each granted path.
    let granted = granted.filter_map(unopened).filter(|_| places.is_empty());
    let granted: Vec<_> = granted.collect();
    let payload = refuse_large_payload(parts, payload_bytes).err();
    program.into_iter().chain(places).chain(granted).chain(payload).collect()
}
