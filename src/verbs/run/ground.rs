//! What jobs may reach, and what must be out of their reach.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brine_job::{ImportList, Plan, Policy};

use super::refusals::Refusals;
use super::{collect, powers};
use crate::args::judge::JudgeArgs;
use crate::args::run::Run;
use crate::report::Failure;
use crate::verbs::expect::is_standard_input;
use crate::verbs::policy;
use crate::world::home::Home;
use crate::world::named_key::Named;
use crate::world::trail::settled;
use crate::world::watched::Watched;
use crate::world::writable_roots::WritableRoots;

/// The policy, and the roots that it lets any job write.
#[derive(Debug)]
pub(crate) struct JobGround {
    policy_file: Arc<Watched<Policy>>,
    pub(super) policy: Arc<Policy>,
    roots: WritableRoots,
}

impl JobGround {
    /// Reads the policy before anything is opened for writing, and refuses a command line that relies on what a job
    /// may have left.
    pub(in crate::verbs) fn survey(args: &Run, refusals: &mut Refusals) -> Result<Self, Failure> {
        let rule = args.judge.trust.permissions.into();
        refusals.pass(powers::refuse_twice(&args.powers))?;
        Self::of(Arc::new(policy::watch(args.policy.as_deref(), rule)?), args, refusals)
    }

    /// Does the same when the job has arrived: the policy may have changed while it was waited for.
    pub(super) fn renewed(&self, args: &Run, refusals: &mut Refusals) -> Result<Self, Failure> {
        Self::of(Arc::clone(&self.policy_file), args, refusals)
    }

    fn of(
        policy_file: Arc<Watched<Policy>>,
        args: &Run,
        refusals: &mut Refusals,
    ) -> Result<Self, Failure> {
        let policy = policy_file.current()?;
        let roots = WritableRoots::new(&policy.write_roots());
        let outputs = [&args.output, &args.partial_output, &args.verdict.report];
        for path in outputs.into_iter().flatten().filter(|path| path.as_path() != Path::new("-")) {
            roots.refuse_output(path)?;
        }
        for place in collect::places(args) {
            refusals.pass(roots.refuse_output(&place))?;
        }
        let files = [args.policy.clone().or_else(|| home(Home::policy_file)), input_of(args)];
        for path in files.into_iter().flatten().chain(trusted(&args.judge)) {
            refusals.pass(roots.refuse_input(&path))?;
        }
        Ok(Self { policy_file, policy, roots })
    }

    /// Refuses a plan whose program, or what can be executed beside it, a job may write or exchange.
    pub(super) fn refuse_plan(&self, plan: &Plan, refusals: &mut Refusals) -> Result<(), Failure> {
        refusals.pass(self.roots.refuse_program(&plan.parts().program.path))?;
        refusals.pass(self.roots.refuse_system(&plan.parts().system)).map(|_| ())
    }

    /// Refuses a schema that a job may write or exchange.
    pub(super) fn refuse_schema(&self, schema: Option<&Path>) -> Result<(), Failure> {
        schema.map_or(Ok(()), |path| self.roots.refuse_input(path))
    }

    /// Refuses lists of imports that a job may write or exchange.
    pub(super) fn refuse_lists(&self, lists: &[ImportList]) -> Result<(), Failure> {
        lists.iter().try_for_each(|list| match list {
            ImportList::BuiltIn(_) => Ok(()),
            ImportList::File(path) => self.roots.refuse_input(path),
        })
    }
}

/// Says from where its places are outside the working directory, for every place that is held against the roots.
pub(crate) fn settle(args: &mut Run) {
    let Run { job_input, policy, output, partial_output, collect_to, .. } = args;
    let Run { verdict, judge, command, .. } = args;
    let trust = &mut judge.trust;
    let report = &mut verdict.report;
    let (trust_file, revoked) = (&mut trust.trust, &mut trust.revoked);
    let files =
        [job_input, policy, output, partial_output, collect_to, report, trust_file, revoked];
    files.into_iter().flatten().for_each(|path| *path = settled(path));
    if let Some(program) = command.first_mut() {
        *program = settled(Path::new(program)).into_os_string();
    }
    for key in &mut trust.public_keys {
        if let Ok(Named::File(path)) = Named::parse(key)
            && let Some(text) = settled(&path).to_str()
        {
            text.clone_into(key);
        }
    }
}

/// Returns the file that a job gets as its input. One job could leave a link there to what another is to read.
fn input_of(args: &Run) -> Option<PathBuf> {
    args.job_input.clone().filter(|path| !is_standard_input(path))
}

/// Returns the files that say who is trusted.
fn trusted(args: &JudgeArgs) -> impl Iterator<Item = PathBuf> {
    let trust = args.trust.trust.clone().or_else(|| home(Home::trust_file));
    let keys = args.trust.public_keys.iter().filter_map(|key| match Named::parse(key) {
        Ok(Named::File(path)) => Some(path),
        Ok(Named::Name(_)) => home(Home::keys),
        Ok(Named::Agent(_) | Named::OpenSsh(_)) | Err(_) => None,
    });
    trust.into_iter().chain(args.trust.revoked.clone()).chain(keys)
}

fn home(file: impl FnOnce(&Home) -> PathBuf) -> Option<PathBuf> {
    Home::find().ok().map(|home| file(&home))
}
