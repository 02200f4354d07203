//! Policies: what an operator allows the signers of jobs.

mod appraisal;
mod document;
mod entry;
mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use self::appraisal::Refused;
use self::entry::PolicyTerms;
use super::format::OutputFormat;
use super::grants::{Grant, Grants};
use super::limits::JobLimits;
use super::names::{InterpreterAlias, LogicalPath, PowerName, ReplyQueue};
use super::plan::{
    GrantedPath, JobProgram, PAYLOAD_ARGUMENT, PayloadDelivery, Plan, PlanParts, SCRATCH_PATH,
};

pub use self::appraisal::Appraisal;
pub use self::entry::{ImportList, PolicyEntry, PolicyInterpreter};
pub use self::error::{PolicyError, PolicyFileError};

/// The largest policy file, in bytes.
pub const MAX_POLICY_BYTES: usize = 1024 * 1024;

/// The most entries of a policy.
pub const MAX_POLICY_ENTRIES: usize = 1000;

/// The directory inside that holds the granted paths: `data/in` is `/job/files/data/in`.
pub const FILES_PATH: &str = "/job/files";

/// What an operator allows, and whom.
///
/// ```
/// use brine_job::{Grants, OperatorCommand, Policy, PolicyQuestion};
///
/// let policy = Policy::parse(b"[[allow]]\nsigners = ['alice']\nlimits.wall = '5m'")?;
/// let question = PolicyQuestion {
///     signer: "alice",
///     context: None,
///     content_type: None,
///     system: &["/usr".into()].into(),
/// };
/// let command = OperatorCommand { path: "/usr/bin/wc".into(), arguments: Vec::new() };
/// let grants = Grants::collect(["wall=2m".parse()?])?;
/// let permit = policy.plan(&question, &grants, Some(&command))?;
/// assert_eq!(permit.plan.parts().limits.wall.as_secs(), 120);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `None` if there is no policy at all.
    entries: Option<Vec<PolicyEntry>>,
}

/// A job for which a policy is asked what to allow.
#[derive(Clone, Copy, Debug)]
pub struct PolicyQuestion<'a> {
    /// The name of the signer in the trust file.
    pub signer: &'a str,
    /// The context of the signature; `None` if it has none.
    pub context: Option<&'a str>,
    /// The signed content type of the payload; `None` if it has none.
    pub content_type: Option<&'a str>,
    /// The system directories that the job sees if the policy names none.
    pub system: &'a BTreeSet<PathBuf>,
}

/// A command that the operator gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorCommand {
    /// The absolute path of the program.
    pub path: PathBuf,
    /// The arguments. One that is exactly [`PAYLOAD_ARGUMENT`] stands for the payload.
    pub arguments: Vec<OsString>,
}

/// What a policy permits one job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    /// What holds while the job runs.
    pub plan: Plan,
    /// The lists of names that the payload may import. If there are any, the payload **must** be scanned as a
    /// pickle before anything loads it.
    pub pickle_imports: Option<Vec<ImportList>>,
    /// The file of a JSON Schema. If there is one, it **must** be read and [required](Plan::require_schema) before the
    /// job runs.
    pub json_schema: Option<PathBuf>,
}

impl Permit {
    fn of(plan: Plan, terms: &PolicyTerms) -> Self {
        let is_json = plan.parts().format == OutputFormat::Json;
        Self {
            plan,
            pickle_imports: terms.pickle_imports.clone(),
            json_schema: terms.json_schema.clone().filter(|_| is_json),
        }
    }
}

impl Policy {
    /// Returns the policy that holds where the operator has none. It refuses every grant. A job that requests
    /// none is run by a command of the operator, within the default limits.
    #[must_use]
    pub const fn none() -> Self {
        Self { entries: None }
    }

    /// Reads a policy.toml.
    ///
    /// # Errors
    ///
    /// [`PolicyFileError`], which names the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyFileError> {
        Ok(Self { entries: Some(document::read(bytes)?) })
    }

    /// Returns the entries, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[PolicyEntry] {
        self.entries.as_deref().unwrap_or_default()
    }

    /// Returns every root that some job may write, each once.
    ///
    /// Nothing that the operator relies on may lie there: a job can leave a link or another file in its place, also
    /// for a later job of somebody else.
    #[must_use]
    pub fn write_roots(&self) -> BTreeSet<&Path> {
        self.entries().iter().flat_map(PolicyEntry::write_roots).collect()
    }

    /// Plans a job: it gets nothing that its signer does not request, and nothing that this policy does not
    /// allow.
    ///
    /// Exactly one entry must apply to the job, so the order of the file means nothing.
    ///
    /// # Errors
    ///
    /// - [`PolicyError::NoEntry`] and [`PolicyError::Ambiguous`] if no entry applies, or several;
    /// - [`PolicyError::NoPolicy`] if something is requested and there is no policy;
    /// - [`PolicyError::NotAllowed`] and [`PolicyError::Arguments`] for a grant that the policy does not allow;
    /// - [`PolicyError::CommandGiven`] if both the signer and the operator say what to run, and
    ///   [`PolicyError::NoProgram`] if neither does.
    pub fn plan(
        &self,
        question: &PolicyQuestion<'_>,
        grants: &Grants,
        command: Option<&OperatorCommand>,
    ) -> Result<Permit, PolicyError> {
        self.appraise(question, grants, command).into_permit()
    }

    /// Goes through everything that a job asks for, as [`plan`](Self::plan) does, and does not stop at what is refused.
    pub fn appraise(
        &self,
        question: &PolicyQuestion<'_>,
        grants: &Grants,
        command: Option<&OperatorCommand>,
    ) -> Appraisal {
        let nothing = PolicyTerms::default();
        let terms = match self.entry(question) {
            Ok(Some(entry)) => entry.terms(),
            Ok(None) if grants.iter().next().is_none() => &nothing,
            Ok(None) => {
                let refused = grants.iter().map(|grant| PolicyError::NoPolicy { grant });
                return Appraisal::new(refused.collect(), None);
            }
            Err(error) => return Appraisal::new(vec![error], None),
        };
        let mut refused = Refused::default();
        let program = refused.pass(program(terms, grants, command));
        let environment = environment(terms, grants, &mut refused);
        let granted_paths = granted_paths(terms, grants, &mut refused);
        let ports = ports(terms, grants, &mut refused);
        let powers = powers(terms, grants, &mut refused);
        let _ = refused.pass(reply(terms, grants));
        let format = refused.pass(format(terms, grants));
        let plan = program.map(|program| {
            Plan::new(PlanParts {
                delivery: delivery(&program),
                program,
                environment,
                system: terms.system.as_ref().unwrap_or(question.system).clone(),
                granted_paths,
                ports,
                powers,
                limits: JobLimits::effective(grants.limits(), &terms.limits),
                format: format.unwrap_or_else(|| terms.default_format()),
                exec_scratch: terms.exec_scratch.unwrap_or(false),
                schema: None,
                waived: BTreeSet::new(),
            })
        });
        Appraisal::new(refused.0, plan.map(|plan| Permit::of(plan, terms)))
    }

    /// Returns the queue that the result of a job goes to, if its signer asks for one, and this policy allows that:
    /// whatever else it refuses, who may be told of a refusal is told.
    #[must_use]
    pub fn reply(&self, question: &PolicyQuestion<'_>, grants: &Grants) -> Option<ReplyQueue> {
        let terms = self.entry(question).ok().flatten()?.terms();
        reply(terms, grants).ok().flatten()
    }

    /// Returns the only entry that applies to a job; `None` without a policy.
    fn entry(&self, question: &PolicyQuestion<'_>) -> Result<Option<&PolicyEntry>, PolicyError> {
        let Some(entries) = &self.entries else { return Ok(None) };
        let mut applying = entries.iter().filter(|entry| entry.applies_to(question));
        match (applying.next(), applying.next()) {
            (Some(entry), None) => Ok(Some(entry)),
            (Some(one), Some(other)) => Err(PolicyError::Ambiguous {
                signer: question.signer.to_owned(),
                lines: (one.line(), other.line()),
            }),
            (None, _) => Err(PolicyError::NoEntry {
                signer: question.signer.to_owned(),
                context: question.context.map(str::to_owned),
                content_type: question.content_type.map(str::to_owned),
            }),
        }
    }
}

fn program(
    terms: &PolicyTerms,
    grants: &Grants,
    command: Option<&OperatorCommand>,
) -> Result<JobProgram, PolicyError> {
    match (command, grants.run()) {
        (Some(_), Some(alias)) => {
            Err(PolicyError::CommandGiven { grant: Grant::Run(alias.clone()) })
        }
        (None, None) => Err(PolicyError::NoProgram),
        (Some(OperatorCommand { path, arguments }), None) => Ok(JobProgram {
            path: path.clone(),
            sha256: None,
            arguments: argv(path, arguments.iter().cloned()),
        }),
        (None, Some(alias)) => interpreter(terms, alias, grants.arguments()),
    }
}

fn interpreter(
    terms: &PolicyTerms,
    alias: &InterpreterAlias,
    arguments: &[String],
) -> Result<JobProgram, PolicyError> {
    let known = terms.interpreters.as_ref().and_then(|known| known.get(alias));
    let known = known.ok_or_else(|| not_allowed(Grant::Run(alias.clone())))?;
    if !known.allows(arguments) {
        return Err(PolicyError::Arguments { alias: alias.clone(), arguments: arguments.to_vec() });
    }
    Ok(JobProgram {
        path: known.path.clone(),
        sha256: known.sha256,
        arguments: argv(&known.path, arguments.iter().map(OsString::from)),
    })
}

/// Puts the whole path before the arguments: some programs find their own files by `argv[0]`.
fn argv(path: &Path, arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    std::iter::once(path.as_os_str().to_owned()).chain(arguments).collect()
}

fn delivery(program: &JobProgram) -> PayloadDelivery {
    let by_path = program.arguments.iter().skip(1).any(|argument| argument == PAYLOAD_ARGUMENT);
    if by_path { PayloadDelivery::File } else { PayloadDelivery::Stdin }
}

/// Returns the variables that every job has, and those that were granted.
fn environment(
    terms: &PolicyTerms,
    grants: &Grants,
    refused: &mut Refused,
) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> =
        BASE_ENVIRONMENT.iter().map(|(name, value)| (name.into(), value.into())).collect();
    for name in grants.environment() {
        let value = terms.environment.as_ref().and_then(|known| known.get(name));
        let value = value.ok_or_else(|| not_allowed(Grant::Environment(name.clone())));
        if let Some(value) = refused.pass(value) {
            environment.insert(name.as_str().into(), value.into());
        }
    }
    environment
}

fn granted_paths(
    terms: &PolicyTerms,
    grants: &Grants,
    refused: &mut Refused,
) -> BTreeSet<GrantedPath> {
    let read = grants.read().iter().map(|path| {
        let root = terms.read_root(path).ok_or_else(|| not_allowed(Grant::Read(path.clone())));
        root.map(|root| granted_path(root, path, false))
    });
    let write = grants.write().iter().map(|path| {
        let root = terms.write_root(path).ok_or_else(|| not_allowed(Grant::Write(path.clone())));
        root.map(|root| granted_path(root, path, true))
    });
    read.chain(write).filter_map(|found| refused.pass(found)).collect()
}

fn granted_path(root: &Path, path: &LogicalPath, writable: bool) -> GrantedPath {
    let (_, below) = path.split_root();
    // Joining an empty path would add a slash.
    let source = if below.is_empty() { root.to_owned() } else { root.join(below) };
    GrantedPath { source, target: Path::new(FILES_PATH).join(path.as_str()), writable }
}

fn ports(terms: &PolicyTerms, grants: &Grants, refused: &mut Refused) -> BTreeSet<u16> {
    let allowed = |port: &u16| terms.ports.as_ref().is_some_and(|ports| ports.contains(port));
    let judged = grants.ports().iter().map(|port| match allowed(port) {
        true => Ok(*port),
        false => Err(not_allowed(Grant::Tcp(*port))),
    });
    judged.filter_map(|found| refused.pass(found)).collect()
}

fn powers(terms: &PolicyTerms, grants: &Grants, refused: &mut Refused) -> BTreeSet<PowerName> {
    let allowed = |name: &PowerName| terms.powers.as_ref().is_some_and(|all| all.contains(name));
    let judged = grants.powers().iter().map(|name| match allowed(name) {
        true => Ok(name.clone()),
        false => Err(not_allowed(Grant::Power(name.clone()))),
    });
    judged.filter_map(|found| refused.pass(found)).collect()
}

fn reply(terms: &PolicyTerms, grants: &Grants) -> Result<Option<ReplyQueue>, PolicyError> {
    let Some(queue) = grants.reply() else { return Ok(None) };
    let allowed = terms.replies.iter().flatten().any(|glob| glob.matches(queue.as_str()));
    match allowed {
        true => Ok(Some(queue.clone())),
        false => Err(not_allowed(Grant::Reply(queue.clone()))),
    }
}

fn format(terms: &PolicyTerms, grants: &Grants) -> Result<OutputFormat, PolicyError> {
    match grants.format() {
        None => Ok(terms.default_format()),
        Some(format) if terms.allows_format(format) => Ok(format),
        Some(format) => Err(not_allowed(Grant::Format(format))),
    }
}

fn not_allowed(grant: Grant) -> PolicyError {
    PolicyError::NotAllowed { grant }
}

/// The variables that every job has.
const BASE_ENVIRONMENT: [(&str, &str); 3] =
    [("HOME", SCRATCH_PATH), ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("TMPDIR", SCRATCH_PATH)];

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
