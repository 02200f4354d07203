//! Why a job ended, or did not start.

use std::time::Duration;

use brine_job::{Layer, PlanParts};

use crate::LaunchError;
use crate::init_report::InitFault;
use crate::outcome::{JobEnd, Violation};

/// Explains a signal that a limit or a filter sends.
pub(super) fn explain(
    end: JobEnd,
    used: Duration,
    plan: &PlanParts,
    killed_for_memory: impl FnOnce() -> bool,
    layers: &[Layer],
) -> JobEnd {
    let limited = layers.contains(&Layer::Limits);
    match end {
        JobEnd::Signalled(libc::SIGSYS) if layers.contains(&Layer::Seccomp) => {
            JobEnd::Violated(Violation { layer: Layer::Seccomp, call: None })
        }
        // Anybody can send this signal. The kernel sends it by a coarser clock than it counts with.
        JobEnd::Signalled(libc::SIGXCPU) if limited && used >= plan.limits.cpu / 2 => {
            JobEnd::OutOfProcessorTime
        }
        JobEnd::Signalled(libc::SIGXFSZ) if limited => JobEnd::FileTooLarge,
        // The limit of CPU time sends SIGKILL to a program that ignored SIGXCPU.
        JobEnd::Signalled(libc::SIGKILL) if limited && used > plan.limits.cpu => {
            JobEnd::OutOfProcessorTime
        }
        JobEnd::Signalled(libc::SIGKILL) if killed_for_memory() => JobEnd::OutOfMemory,
        other => other,
    }
}

/// Explains the fault of an init before or after its job has `started`.
pub(super) fn launch_error(fault: InitFault, started: bool) -> LaunchError {
    let (source, of_system) = (fault.source(), fault.errno.is_some());
    let InitFault { layer, step, .. } = fault;
    match layer {
        Some(layer) => LaunchError::Confinement { layer, step, source },
        None if of_system && !started => LaunchError::setting_up(&step, source),
        None => LaunchError::System { step, source },
    }
}
