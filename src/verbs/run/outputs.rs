//! Where the output of a job goes, released or not.

use super::collect::Collecting;
use super::refusals::Refusals;
use crate::args::run::Run;
use crate::report::Failure;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

/// Where output goes, released or not.
pub(in crate::verbs) struct RunOutputs {
    pub(super) output: Output,
    #[cfg_attr(
        not(all(feature = "sandbox", target_os = "linux")),
        expect(dead_code, reason = "only a program that runs jobs uses it")
    )]
    pub(super) partial: Option<Output>,
    #[cfg_attr(
        not(all(feature = "sandbox", target_os = "linux")),
        expect(dead_code, reason = "only a program that runs jobs uses it")
    )]
    pub(super) collecting: Option<Collecting>,
}

impl RunOutputs {
    pub(super) fn plan(
        args: &Run,
        guard: &mut OverwriteGuard,
        refusals: &mut Refusals,
    ) -> Result<Self, Failure> {
        let output = Output::plan("output", args.output.as_deref(), guard)?.by_own_links();
        if args.signing.sign_result.is_some() {
            output.refuse_terminal("a result")?;
        }
        // Output that is not released never goes where released output goes.
        let partial = args.partial_output.as_deref();
        let partial = partial.map(|path| Output::plan("partial output", Some(path), guard));
        let partial = partial.transpose()?.map(Output::by_own_links);
        Ok(Self { output, partial, collecting: Collecting::plan(args, guard, refusals)? })
    }
}
