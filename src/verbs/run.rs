//! `brine run`: verify, plan, explain or launch, judge, release; in this order, and each by itself.

mod collect;
mod command;
mod explain;
mod explanation;
mod ground;
#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(super) mod idle_job;
mod imports;
mod input;
#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod launch;
mod once;
mod outputs;
mod powers;
mod refusals;
pub(super) mod schema;
mod shortfall;
mod signed_result;
mod system;

use std::collections::BTreeSet;
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
use std::fs::File;
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use brine_core::text::hex;
use brine_core::{Kind, Opening, Verified, open};
use brine_job::{
    FormatError, Grants, JsonSchema, LimitValues, OutputFormat, Permit, Plan, PolicyError,
    PolicyQuestion, ReplyQueue,
};

pub(super) use self::command::find as find_program;
use self::explanation::explained;
pub(super) use self::ground::{JobGround, settle};
#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(super) use self::launch::SELF;
use self::once::RunJobs;
use self::outputs::RunOutputs;
pub(super) use self::refusals::Refusals;
use self::signed_result::{ResultOf, ResultSigner};
pub(super) use self::system::system_directories;
use super::expect::{self, Judge};
use crate::args::run::{RequiredFormat, Run};
use crate::report::byte_name::{all_exact, shown};
use crate::report::verdict::PlanFacts;
use crate::report::{BesideFailure, Failure, Outcome, Signed};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::parent;
use crate::world::program_file;
use crate::world::progress::{Progress, Show};
use crate::world::release::{spooled, stored};
use crate::world::signature_name::SignedFile;
use crate::world::spool::Spool;
use crate::world::store::PayloadStore;

pub(super) fn run(
    args: &Run,
    outputs: RunOutputs,
    ground: &JobGround,
    mut refusals: Refusals,
) -> Result<Outcome, Failure> {
    if args.die_with_parent {
        parent::end_with_it()
            .map_err(|error| Failure::io("the process that started brine", error))?;
    }
    let done = run_or_explain(args, outputs, ground, &mut refusals);
    done.map_err(|failure| refusals.first_or(failure))
}

fn run_or_explain(
    args: &Run,
    outputs: RunOutputs,
    ground: &JobGround,
    refusals: &mut Refusals,
) -> Result<Outcome, Failure> {
    refusals.pass(input::refuse_two_readers(args))?;
    let judge = Judge::resolve(&args.judge)?;
    let run_jobs = RunJobs::open(args)?;
    let signer = ResultSigner::open(args)?;
    let job = VerifiedJob::read(args, judge)?;
    let result = signer.map(|signer| signer.of(&job)).transpose()?;
    let done = run_verified(args, job, run_jobs, (&outputs, result.as_ref()), ground, refusals);
    if let (Err(failure), Some(result)) = (&done, &result) {
        result.refuse(failure, &outputs.output)?;
    }
    done
}

fn run_verified(
    args: &Run,
    mut job: VerifiedJob,
    run_jobs: Option<RunJobs>,
    (outputs, result): (&RunOutputs, Option<&ResultOf>),
    ground: &JobGround,
    refusals: &mut Refusals,
) -> Result<Outcome, Failure> {
    // The job may have been waited for.
    let ground = ground.renewed(args, refusals)?;
    let planned = job.plan(args, &ground, refusals)?;
    if let Some(PlannedJob { plan, outside, .. }) = &planned
        && !outside.is_empty()
        && !args.verdict.json
        && !args.verdict.quiet
    {
        explain::note_outside(plan, outside);
    }
    if args.explain {
        return explained(args, &job, planned.as_ref(), &outputs.output, refusals);
    }
    let planned = planned.ok_or(PolicyError::NoProgram)?;
    let input = input::open(args)?;
    let powers = powers::open(args, &planned.plan)?;
    // Planning may have looked at all of a large pickle, and an input may have been waited for.
    job.judge.again(&mut job.verified, &job.name)?;
    if let Some(run_jobs) = run_jobs {
        run_jobs.note(&job.verified, &job.name)?;
        // A locked database is waited for.
        job.judge.again(&mut job.verified, &job.name)?;
    }
    let facts = PlanFacts::of(&planned);
    launch(args, job, (input, powers), (&planned.plan, facts), outputs, result)
}

/// Says where everything goes: the verdict, and the output of the job.
pub(super) fn outputs(
    args: &Run,
    refusals: &mut Refusals,
) -> Result<(Option<Output>, RunOutputs), Failure> {
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
    let outputs = RunOutputs::plan(args, &mut guard, refusals)?;
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
pub(super) struct VerifiedJob {
    pub(super) verified: Verified,
    pub(super) grants: Grants,
    payload: Spool,
    judge: Judge,
    /// What the input is called.
    name: String,
}

impl VerifiedJob {
    /// Verifies a job that is in memory.
    pub(super) fn of_bytes(job: &[u8], judge: Judge, name: &str) -> Result<Self, Failure> {
        let store = PayloadStore::default();
        let verified = verified(open(job), &judge, &store, name)?;
        Self::kept(verified, &store, judge, name.to_owned())
    }

    /// Takes a job of which everything holds but what it asks for.
    fn kept(
        mut verified: Verified,
        store: &PayloadStore,
        judge: Judge,
        name: String,
    ) -> Result<Self, Failure> {
        let grants = Grants::of(&verified)?;
        let payload = spooled(&mut verified, store, &name, &Progress::start(None, Show::Never))?;
        Ok(Self { verified, grants, payload, judge, name })
    }

    /// Refuses the job if [`run`] would refuse it before it launches it.
    pub(super) fn refuse_unplanned(&self, args: &Run, ground: &JobGround) -> Result<(), Failure> {
        let refusals = &mut Refusals::of(args);
        let ground = ground.renewed(args, refusals)?;
        let planned = self.plan(args, &ground, refusals)?.ok_or(PolicyError::NoProgram)?;
        self.refuse_obstacles(&planned.plan)
    }

    /// Refuses a plan of which something cannot be opened.
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    fn refuse_obstacles(&self, plan: &Plan) -> Result<(), Failure> {
        let found = brine_sandbox::obstacles(plan, self.payload.length()).into_iter().next();
        found.map_or(Ok(()), |error| Err(error.into()))
    }

    #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
    const fn refuse_obstacles(&self, _: &Plan) -> Result<(), Failure> {
        Err(Failure::NoSandbox)
    }

    /// Returns the queue that its result goes to, if the policy allows one.
    pub(super) fn reply(
        &self,
        args: &Run,
        ground: &JobGround,
    ) -> Result<Option<ReplyQueue>, Failure> {
        let ground = ground.renewed(args, &mut Refusals::of(args))?;
        let content_type = self.content_type();
        let system = system_directories();
        Ok(ground
            .policy
            .reply(&self.question(args, content_type.as_deref(), &system), &self.grants))
    }

    fn content_type(&self) -> Option<String> {
        self.verified.header().content_type().map(|found| found.to_string())
    }

    fn question<'q>(
        &'q self,
        args: &'q Run,
        content_type: Option<&'q str>,
        system: &'q BTreeSet<PathBuf>,
    ) -> PolicyQuestion<'q> {
        PolicyQuestion {
            signer: self.verified.signer().name(),
            context: args.judge.context.as_deref(),
            content_type,
            system,
        }
    }

    /// Verifies a job to its end before anything else is done with it.
    fn read(args: &Run, judge: Judge) -> Result<Self, Failure> {
        let judge = Judge { expectations: judge.expectations.kind(Kind::Job), ..judge };
        let input = InputFile::open(args.input.as_deref())?;
        let name = input.name().to_owned();
        let store = PayloadStore::default();
        let verified = verified(open(input.into_envelope_input()?), &judge, &store, &name)?;
        if let Some(found) = args.input.as_deref().and_then(SignedFile::of_signature) {
            return Err(BesideFailure::embedded(name, found.file, found.signature).into());
        }
        Self::kept(verified, &store, judge, name)
    }

    /// Says what will hold: what the signer requests, the policy allows, and the command line leaves of it; `None` if an
    /// explanation has nothing to go by.
    fn plan(
        &self,
        args: &Run,
        ground: &JobGround,
        refusals: &mut Refusals,
    ) -> Result<Option<PlannedJob>, Failure> {
        let content_type = self.content_type();
        let system = system_directories();
        let question = self.question(args, content_type.as_deref(), &system);
        let command = refusals.pass(command::find(&args.command))?;
        // One that is not there was given all the same.
        let asked = command.clone().unwrap_or_else(|| command::typed(&args.command));
        let appraisal = ground.policy.appraise(&question, &self.grants, asked.as_ref());
        let (refused, permit) = appraisal.into_parts();
        refused.into_iter().try_for_each(|error| refusals.note(error.into()))?;
        let required = Self::required_schema(args, ground, refusals)?;
        let Some(permit) = permit.filter(|_| command.is_some()) else { return Ok(None) };
        self.narrow(args, ground, permit, required, refusals).map(Some)
    }

    /// Takes from what the policy permits what the machine and the command line do not leave.
    fn narrow(
        &self,
        args: &Run,
        ground: &JobGround,
        permit: Permit,
        required: Option<JsonSchema>,
        refusals: &mut Refusals,
    ) -> Result<PlannedJob, Failure> {
        let rule = args.judge.trust.permissions.into();
        let Permit { mut plan, pickle_imports, json_schema, .. } = permit;
        let allowed = plan.parts().limits.values();
        plan.show(args.system.iter().cloned());
        ground.refuse_plan(&plan, refusals)?;
        if let Some(lists) = &pickle_imports {
            let judged = ground.refuse_lists(lists);
            refusals.pass(judged.and_then(|()| imports::judge(lists, &self.payload, rule)))?;
        }
        if let Some(path) = &json_schema {
            let read = ground.refuse_schema(Some(path)).and_then(|()| schema::read(path, rule));
            refusals.pass(read.and_then(|schema| Ok(plan.require_schema(schema)?)))?;
        }
        args.limits.iter().for_each(|limit| plan.lower(&[*limit].into()));
        if let Some(schema) = required {
            refusals.pass(plan.require_schema(schema).map_err(Failure::from))?;
        }
        if let Some(RequiredFormat::Named(format)) = &args.format {
            refusals.pass(plan.require_format(*format).map_err(Failure::from))?;
        }
        refusals.pass(refuse_unread(plan.parts().format).map_err(Failure::from))?;
        args.without.iter().for_each(|layer| plan.waive(*layer));
        if args.job_input.is_some() {
            refusals.pass(input::refuse_program_from_input(args, &plan))?;
            plan.give_input();
        }
        refusals.pass(powers::refuse_absent(args, &plan))?;
        let outside = program_file::outside(&plan.parts().program.path, &plan.parts().system);
        Ok(PlannedJob { plan, allowed, outside })
    }

    /// Reads the schema that was typed, if one was.
    fn required_schema(
        args: &Run,
        ground: &JobGround,
        refusals: &mut Refusals,
    ) -> Result<Option<JsonSchema>, Failure> {
        let Some(path) = schema_of(args) else { return Ok(None) };
        let rule = args.judge.trust.permissions.into();
        refusals.pass(ground.refuse_schema(Some(path)).and_then(|()| schema::read(path, rule)))
    }

    fn signed(&self) -> Signed {
        Signed::attached(&self.verified, self.judge.moment.name())
    }
}

/// Verifies what was opened, and keeps its payload in the store.
fn verified(
    opened: brine_core::Result<Opening>,
    judge: &Judge,
    store: &PayloadStore,
    name: &str,
) -> Result<Verified, Failure> {
    let Judge { expectations, trust, moment } = judge;
    opened
        .and_then(|opening| opening.store(store.clone()).verify(expectations, trust, moment))
        .map_err(|error| stored(error, name))
}

/// A plan, and what is known beside it.
struct PlannedJob {
    plan: Plan,
    /// What the policy leaves of the limits that the job asks for.
    allowed: LimitValues,
    /// The directories in which the program may look for its libraries, and which the job does not see.
    outside: BTreeSet<PathBuf>,
}

/// Refuses a format that this program cannot read: no output could be released.
const fn refuse_unread(format: OutputFormat) -> Result<(), FormatError> {
    match format.is_columnar() && cfg!(not(feature = "columnar")) {
        true => Err(FormatError::NoReader { format }),
        false => Ok(()),
    }
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
use self::launch::launch;

/// Says that this program cannot run jobs.
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
fn launch(
    _: &Run,
    _: VerifiedJob,
    _: (Option<File>, Vec<OwnedFd>),
    _: (&Plan, PlanFacts),
    _: &RunOutputs,
    _: Option<&ResultOf>,
) -> Result<Outcome, Failure> {
    Err(Failure::NoSandbox)
}

impl PlanFacts {
    fn of(PlannedJob { plan, outside, .. }: &PlannedJob) -> Self {
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
