//! What this system lacks for a job: layers that cannot be set up, and paths that cannot be opened.

#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(super) use self::linux::look;

/// Says that this program cannot run jobs.
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
pub(super) fn look(
    _: Option<&brine_job::Plan>,
    _: &[brine_job::Layer],
    _: u64,
    refusals: &mut super::refusals::Refusals,
) -> Result<Vec<brine_job::Layer>, crate::report::Failure> {
    refusals.note(crate::report::Failure::NoSandbox)?;
    Ok(Vec::new())
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod linux {
    use std::path::Path;

    use brine_job::{Layer, Plan};
    use brine_sandbox::{obstacles, probe};

    use super::super::idle_job;
    use super::super::launch::SELF;
    use super::super::refusals::Refusals;
    use crate::report::Failure;
    use crate::report::console::remark;

    /// Tries to start a job that does nothing as this one would be confined, and opens what this one would be given.
    pub(in super::super) fn look(
        plan: Option<&Plan>,
        waived: &[Layer],
        payload_bytes: u64,
        refusals: &mut Refusals,
    ) -> Result<Vec<Layer>, Failure> {
        if let Some(plan) = plan {
            obstacles(plan, payload_bytes)
                .into_iter()
                .try_for_each(|one| refusals.note(one.into()))?;
        }
        let Ok(mut idle) = idle_job::plan() else {
            remark(
                "warning: there is no program \"true\" to find out with which layers this system can give",
            );
            return Ok(Vec::new());
        };
        match plan {
            Some(plan) => idle.confine_as(plan),
            None => waived.iter().for_each(|layer| idle.waive(*layer)),
        }
        let probe = probe(idle, Path::new(SELF));
        let mut missing = Vec::new();
        for (layer, error) in probe.missing {
            missing.push(layer);
            refusals.note(error.into())?;
        }
        if let Err(error) = probe.held {
            refusals.note(error.into())?;
        }
        Ok(missing)
    }
}
