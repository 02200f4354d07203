//! Where the output of a job goes, released or not.

use crate::args::run::Run;
use crate::report::Failure;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

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
}
