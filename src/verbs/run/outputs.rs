//! Where the output of a job goes, released or not.

use std::path::Path;

use brine_job::Plan;

use crate::args::run::Run;
use crate::report::Failure;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::whole_file::{directory_of, resolved};

/// Where output goes, released or not.
pub(super) struct RunOutputs {
    pub(super) output: Output,
    #[cfg_attr(
        not(all(feature = "sandbox", target_os = "linux")),
        expect(dead_code, reason = "only a program that runs jobs uses it")
    )]
    pub(super) partial: Option<Output>,
}

impl RunOutputs {
    pub(super) fn plan(args: &Run, guard: &OverwriteGuard) -> Result<Self, Failure> {
        let output = Output::plan(args.output.as_deref(), guard)?;
        let Some(path) = args.partial_output.as_deref() else {
            return Ok(Self { output, partial: None });
        };
        let partial = Output::plan(Some(path), guard)?;
        // Output that is not released never goes where released output goes.
        if partial.is_same_as(&output) {
            return Err(Failure::SameFile);
        }
        Ok(Self { output, partial: Some(partial) })
    }

    /// Refuses to write where the job may write: it could leave a link there to any file of the operator's.
    pub(super) fn keep_out_of(&self, plan: &Plan, args: &Run) -> Result<(), Failure> {
        let named = [&args.output, &args.partial_output, &args.verdict.report];
        let named = named.into_iter().flatten().filter(|path| path.as_path() != Path::new("-"));
        for path in named {
            let (directory, target) = (resolved(directory_of(path)), resolved(path));
            let granted = &plan.parts().granted_paths;
            let within = |place: &Path| {
                granted.iter().any(|path| path.writable && place.starts_with(&path.source))
            };
            if within(&directory) || within(&target) {
                return Err(Failure::usage(format!(
                    "{path:?} lies where the job may write; give another place for the results"
                )));
            }
        }
        Ok(())
    }
}
