//! `brine run`: verify, plan, explain or launch, judge, release; in this order, and each by itself.

mod collect;
mod command;
mod explain;
mod ground;
mod imports;
mod input;
#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod launch;
mod once;
mod outputs;
pub(super) mod schema;

use std::collections::BTreeSet;
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
use std::fs::File;
use std::path::{Path, PathBuf};

use brine_core::text::hex;
use brine_core::{Kind, Verified, open};
use brine_job::{Grants, Plan, PolicyQuestion};

pub(super) use self::command::find as find_program;
pub(super) use self::ground::{JobGround, settle};
use self::once::RunJobs;
use self::outputs::RunOutputs;
#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(super) use self::{command::sought, launch::SELF};
use super::expect::{self, Judge};
use crate::args::run::{RequiredFormat, Run};
use crate::report::byte_name::{all_exact, shown};
use crate::report::verdict::PlanFacts;
use crate::report::{BesideFailure, Failure, Outcome, Signed};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::program_file;
use crate::world::progress::{Progress, Show};
use crate::world::release::{spooled, stored};
use crate::world::signature_name::SignedFile;
use crate::world::spool::Spool;
use crate::world::store::PayloadStore;

pub(super) fn run(args: &Run, outputs: RunOutputs, ground: &JobGround) -> Result<Outcome, Failure> {
    input::refuse_two_readers(args)?;
    let judge = Judge::resolve(&args.judge)?;
    let run_jobs = RunJobs::open(args)?;
    let mut job = VerifiedJob::read(args, judge)?;
    // The job may have been waited for.
    let plan = job.plan(args, &ground.renewed(args)?)?;
    let outside = program_file::outside(&plan.parts().program.path, &plan.parts().system);
    let facts = PlanFacts::of(&plan, &outside);
    if !outside.is_empty() && !args.verdict.json && !args.verdict.quiet {
        explain::note_outside(&plan, &outside);
    }
    if args.explain {
        let text = match args.verdict.json {
            true => explain::line(&plan),
            false => explain::page(&plan, job.verified.signer().name()),
        };
        outputs.output.print(&text)?;
        return Ok(Outcome::Verified { signed: Box::new(job.signed()), plan: Some(facts) });
    }
    let input = input::open(args)?;
    // Planning may have looked at all of a large pickle, and an input may have been waited for.
    job.judge.again(&mut job.verified, &job.name)?;
    if let Some(run_jobs) = run_jobs {
        run_jobs.note(&job.verified, &job.name)?;
        // A locked database is waited for.
        job.judge.again(&mut job.verified, &job.name)?;
    }
    launch(args, job, input, &plan, facts, &outputs)
}

/// Says where everything goes: the verdict, and the output of the job.
pub(super) fn outputs(args: &Run) -> Result<(Option<Output>, RunOutputs), Failure> {
    let guard = OverwriteGuard::default().and_input(args.input.as_deref());
    let guard = guard.and(args.policy.as_deref()).and(schema_of(args));
    let guard = match &args.job_input {
        Some(path) => guard.and_input(Some(path)),
        None => guard,
    };
    // A program that is found in PATH is nobody's to name for output by mistake.
    let guard = guard.and(args.command.first().map(Path::new));
    let mut guard = expect::guarded(guard, &args.judge);
    if let Some(database) = &args.replay_db {
        guard.claim_database(database)?;
    }
    let outputs = RunOutputs::plan(args, &mut guard)?;
    let report = expect::report(&args.verdict, &mut guard)?;
    Ok((report.map(Output::by_own_links), outputs))
}

/// Returns the schema that was typed, if one was.
fn schema_of(args: &Run) -> Option<&Path> {
    match &args.format {
        Some(RequiredFormat::JsonSchema(path)) => Some(path),
        Some(RequiredFormat::Named(_)) | None => None,
    }
}

/// A job of which everything holds. Its payload is a copy that nobody else can change.
struct VerifiedJob {
    verified: Verified,
    grants: Grants,
    payload: Spool,
    judge: Judge,
    /// What the input is called.
    name: String,
}

impl VerifiedJob {
    /// Verifies a job to its end before anything else is done with it.
    fn read(args: &Run, judge: Judge) -> Result<Self, Failure> {
        let judge = Judge { expectations: judge.expectations.kind(Kind::Job), ..judge };
        let Judge { expectations, trust, moment } = &judge;
        let input = InputFile::open(args.input.as_deref())?;
        let name = input.name().to_owned();
        let store = PayloadStore::default();
        let mut verified = open(input.into_envelope_input()?)
            .and_then(|opening| opening.store(store.clone()).verify(expectations, trust, moment))
            .map_err(|error| stored(error, &name))?;
        if let Some(found) = args.input.as_deref().and_then(SignedFile::of_signature) {
            return Err(BesideFailure::embedded(name, found.file, found.signature).into());
        }
        let grants = Grants::of(&verified)?;
        let payload = spooled(&mut verified, &store, &name, &Progress::start(None, Show::Never))?;
        Ok(Self { verified, grants, payload, judge, name })
    }

    /// Says what will hold: what the signer requests, the policy allows, and the command line leaves of it.
    fn plan(&self, args: &Run, ground: &JobGround) -> Result<Plan, Failure> {
        let content_type = self.verified.header().content_type().map(|found| found.to_string());
        let system = system_directories();
        let question = PolicyQuestion {
            signer: self.verified.signer().name(),
            context: args.judge.context.as_deref(),
            content_type: content_type.as_deref(),
            system: &system,
        };
        let command = command::find(&args.command)?;
        let permit = ground.policy.plan(&question, &self.grants, command.as_ref())?;
        ground.refuse_plan(&permit.plan)?;
        ground.refuse_schema(permit.json_schema.as_deref())?;
        ground.refuse_schema(schema_of(args))?;
        if let Some(lists) = &permit.pickle_imports {
            ground.refuse_lists(lists)?;
            let rule = args.judge.trust.permissions.into();
            imports::judge(lists, &self.payload, rule)?;
        }
        let mut plan = permit.plan;
        if let Some(path) = &permit.json_schema {
            plan.require_schema(schema::read(path, args.judge.trust.permissions.into())?)?;
        }
        args.limits.iter().for_each(|limit| plan.lower(&[*limit].into()));
        match &args.format {
            Some(RequiredFormat::Named(format)) => plan.require_format(*format)?,
            Some(RequiredFormat::JsonSchema(path)) => {
                plan.require_schema(schema::read(path, args.judge.trust.permissions.into())?)?;
            }
            None => {}
        }
        args.without.iter().for_each(|layer| plan.waive(*layer));
        if args.job_input.is_some() {
            input::refuse_program_from_input(args, &plan)?;
            plan.give_input();
        }
        Ok(plan)
    }

    fn signed(&self) -> Signed {
        Signed::attached(&self.verified, self.judge.moment.name())
    }
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
use self::launch::launch;

/// Says that this program cannot run jobs.
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
fn launch(
    _: &Run,
    _: VerifiedJob,
    _: Option<File>,
    _: &Plan,
    _: PlanFacts,
    _: &RunOutputs,
) -> Result<Outcome, Failure> {
    Err(Failure::NoSandbox)
}

impl PlanFacts {
    fn of(plan: &Plan, outside: &BTreeSet<PathBuf>) -> Self {
        let parts = plan.parts();
        let command = &parts.program.arguments;
        Self {
            command: command.iter().map(shown).collect(),
            command_hex: all_exact(command),
            plan_digest: hex(&plan.digest()),
            waived: parts.waived.iter().map(|layer| layer.name()).collect(),
            outside: outside.iter().map(shown).collect(),
        }
    }
}

/// Returns the directories of programs, their libraries and the certificates of authorities, as far as they exist.
pub(super) fn system_directories() -> BTreeSet<PathBuf> {
    SYSTEM_PATHS.iter().map(PathBuf::from).filter(|path| can_be_shown(path)).collect()
}

/// Returns whether a path exists, and no symbolic link leads to it: what is shown is where its name says.
fn can_be_shown(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(path);
    path.exists() && directory.canonicalize().is_ok_and(|found| found == directory)
}

const SYSTEM_PATHS: [&str; 12] = [
    "/bin",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/lib",
    "/lib32",
    "/lib64",
    "/sbin",
    "/usr",
];
