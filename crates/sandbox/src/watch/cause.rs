//! Why a job ended, or did not start.

use std::io;
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
    let InitFault { layer, step, errno } = fault;
    let source = io::Error::from_raw_os_error(errno);
    match (layer, started) {
        (Some(layer), _) => LaunchError::Confinement { layer, step, source },
        (None, false) if !OF_PLAN.iter().any(|of_plan| step.starts_with(of_plan)) => {
            LaunchError::setting_up(&step, source)
        }
        (None, _) => LaunchError::System { step, source },
    }
}

/// What an init makes of the plan without a system call, so that nothing can be withheld from it.
const OF_PLAN: [&str; 3] = ["an argument", "the environment", "the script"];
