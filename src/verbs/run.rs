//! `brine run`: verify, plan, explain or launch, judge, release; in this order, and each by itself.

mod command;
mod explain;
mod imports;
mod settle;

use std::io;
use std::path::{Path, PathBuf};

use self::settle::Ran;
use super::policy;
use super::verify::{read_rest, reading, unwrap};
use crate::cli::args::run::Run;
use crate::cli::clock::Moment;
use crate::cli::failure::Failure;
use crate::cli::input::{self, Arrived, Input, Large, MAX_WHOLE_BYTES};
use crate::cli::output::Output;
use crate::cli::reads::Reads;
use crate::cli::report::{Facts, Report};
use crate::cli::resolve;
use crate::cli::spool::{MAX_MEMORY_BYTES, Spool, TEMPORARY_FILE};
use crate::cli::whole_file;
use crate::cose::{Sign1, Tagging};
use crate::error::Error;
use crate::job::policy::{Policy, Question};
use crate::job::{Grants, Plan};
use crate::kind::Kind;
use crate::sandbox::{Launch, launch};
use crate::stream::Start;
use crate::trust::Trust;
use crate::verify::{LargeEnvelope, PayloadSource, Request, verify_job, verify_large_job};

pub(super) fn run(args: &Run) -> Result<Report, Failure> {
    if args.aad.as_deref() == Some(Path::new("-")) {
        return Err(Failure::usage("--aad takes a file, not standard input"));
    }
    let outputs = Outputs::plan(args)?;
    let aad = args.aad.as_deref().map(Input::open_file).transpose()?;
    let trust = resolve::trust(&args.trust)?;
    let policy = policy::find(args.policy.as_deref())?;
    let moment = Moment::given_or_now(args.now)?;
    let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_WHOLE_BYTES))?;
    let request = Request {
        context: args.context.as_deref(),
        external_aad: &aad,
        foreign_typ: None,
        max_age: args.max_age,
        now: moment.now,
        payload: PayloadSource::Embedded,
        signer: args.signer.as_deref(),
    };
    let tagging = if args.untagged { Tagging::Optional } else { Tagging::Required };
    let input = Input::open(args.input.as_deref())?;
    verified(input, &request, &trust, tagging, |job| {
        let report = Report::verified(&job.facts, moment);
        let plan = plan(args, &policy, &job)?;
        if args.explain {
            explain::write(&plan, &job.facts, args.json, &outputs.output)?;
            return Ok(report.of_plan(&plan));
        }
        outputs.keep_out_of(&plan, args)?;
        let ran = run_confined(&plan, job.payload)?;
        Ok(report.of_plan(&plan).ran(ran.settle(&plan, &outputs, args)?))
    })
}

/// Everything that the command line names to be read.
pub(super) fn reads(args: &Run) -> Reads {
    let files = [&args.aad, &args.trust.trust, &args.trust.revoked, &args.policy];
    let reads = Reads::default().and_input(args.input.as_deref());
    let reads = files.iter().fold(reads, |reads, file| reads.and(file.as_deref()));
    // What is found in PATH is nobody's to name for output by mistake.
    let reads = reads.and(args.command.first().map(Path::new));
    args.trust.public_keys.iter().fold(reads, |reads, key| reads.and_key(key))
}

/// Where output goes, good or not.
struct Outputs {
    output: Output,
    partial: Option<Output>,
}

impl Outputs {
    fn plan(args: &Run) -> Result<Self, Failure> {
        let reads = reads(args);
        let output = Output::plan(args.output.as_deref(), &reads)?;
        let Some(path) = args.partial_output.as_deref() else {
            return Ok(Self { output, partial: None });
        };
        // What is no result never goes where results go.
        if path == Path::new("-") {
            return Err(Failure::usage("--partial-output takes a file"));
        }
        let partial = Output::plan(Some(path), &reads)?;
        if partial.is_same_as(&output) {
            return Err(Failure::SameFile);
        }
        Ok(Self { output, partial: Some(partial) })
    }
}

impl Outputs {
    /// Refuses to write where the job may write: it could leave a link there to anything of the operator's.
    fn keep_out_of(&self, plan: &Plan, args: &Run) -> Result<(), Failure> {
        let named = [&args.output, &args.partial_output, &args.report];
        let named = named.into_iter().flatten().filter(|path| path.as_path() != Path::new("-"));
        for path in named {
            let directory = whole_file::resolved(whole_file::directory_of(path));
            let target = whole_file::resolved(path);
            let within = |place: &Path| {
                plan.openings.iter().any(|one| one.writable && place.starts_with(&one.source))
            };
            if within(&directory) || within(&target) {
                return Err(Failure::Usage(format!(
                    "{path:?} lies where the job may write; give another place for what comes of it"
                )));
            }
        }
        Ok(())
    }
}

/// A job of which everything holds. Its payload is a copy that nobody else can change.
struct Job<'a> {
    facts: Facts<'a>,
    grants: Grants,
    payload: Spool,
}

/// Verifies a job to its end before anything else is done with it.
fn verified(
    input: Input,
    request: &Request<'_>,
    trust: &Trust,
    tagging: Tagging,
    then: impl FnOnce(Job<'_>) -> Result<Report, Failure>,
) -> Result<Report, Failure> {
    let (mut file, name) = input.into_file();
    let start = Start::read(&mut file).map_err(|error| reading(&name, error))?;
    if start.is_segment() {
        return Err(Error::WrongKind { expected: Kind::Job, found: Kind::Segment }.into());
    }
    let envelope = match input::read_up_to(start.into_bytes(), file, name, MAX_MEMORY_BYTES)? {
        Arrived::All(bytes) => unwrap(bytes)?,
        Arrived::Large(mut large) => {
            if !large.is_armored()? {
                return verified_large(large, request, trust, tagging, then);
            }
            read_rest(large.beginning, large.file, large.name)?
        }
    };
    let sign1 = Sign1::parse(&envelope, tagging)?;
    let (verified, grants) = verify_job(&sign1, request, trust)?;
    let payload = Spool::copy_of(verified.payload(), &mut io::empty(), TEMPORARY_FILE)?;
    then(Job { facts: Facts::of(&verified, false), grants, payload })
}

/// Its payload is kept first, and hashed where it was kept: what is run is what was verified.
fn verified_large(
    input: Large,
    request: &Request<'_>,
    trust: &Trust,
    tagging: Tagging,
    then: impl FnOnce(Job<'_>) -> Result<Report, Failure>,
) -> Result<Report, Failure> {
    let temporary = |error| Failure::io(TEMPORARY_FILE, error);
    let Large { beginning, mut file, name } = input;
    let mut payload = Spool::new().map_err(temporary)?;
    let envelope = LargeEnvelope::read(beginning, &mut file, &mut payload, tagging);
    let envelope = envelope.map_err(|error| match error {
        Error::Output(error) => temporary(error),
        error => reading(&name, error),
    })?;
    let sign1 = envelope.sign1()?;
    let verified = verify_large_job(&sign1, request, trust, &mut payload.reader(), &mut io::sink());
    let (verified, grants) = verified.map_err(|error| reading(TEMPORARY_FILE, error))?;
    then(Job { facts: Facts::of_large(&verified, false), grants, payload })
}

/// Says what will hold: what the signer asks for, the policy allows, and the command line leaves of it.
fn plan(args: &Run, policy: &Policy, job: &Job<'_>) -> Result<Plan, Failure> {
    let header = job.facts.header;
    let content_type = header.content_type.map(|content_type| content_type.to_string());
    let system = system_directories();
    let question = Question {
        signer: &job.facts.signer.name,
        context: args.context.as_deref(),
        content_type: content_type.as_deref(),
        system: &system,
    };
    let command = command::find(&args.command)?;
    let mut plan = policy.plan(&question, &job.grants, command.as_ref())?;
    imports::judge(policy, &question, &job.payload)?;
    args.limits.iter().for_each(|limit| plan.lower(&[*limit].into()));
    if let Some(format) = args.format {
        plan.hold_to(format)?;
    }
    plan.waived.extend(&args.without);
    Ok(plan)
}

/// What programs and their libraries are made of, as far as it is there.
fn system_directories() -> std::collections::BTreeSet<PathBuf> {
    SYSTEM_PATHS.iter().map(PathBuf::from).filter(|path| path.exists()).collect()
}

const SYSTEM_PATHS: [&str; 8] =
    ["/bin", "/etc/alternatives", "/etc/ld.so.cache", "/lib", "/lib32", "/lib64", "/sbin", "/usr"];

fn run_confined(plan: &Plan, payload: Spool) -> Result<Ran, Failure> {
    let temporary = |error| Failure::io(TEMPORARY_FILE, error);
    let payload = payload.into_read_only().map_err(temporary)?;
    let mut output = Spool::new().map_err(temporary)?;
    let what = Launch { plan, payload, program_init: Path::new(SELF) };
    let outcome = launch(what, &mut output)?;
    Ok(Ran { outcome, output })
}

/// This program: its init is process 1 of the job.
const SELF: &str = "/proc/self/exe";
