//! What an operator allows the signers of jobs.

mod document;
mod error;
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::grants::{Grant, Grants};
use super::limits;
use super::names::LogicalPath;
use super::plan::{Delivery, Opening, Plan, Program, SCRATCH_PATH};

pub use self::error::{PolicyError, PolicyFileError};
pub use self::terms::{Allowed, Entry, ImportList, Interpreter, Terms};

/// The largest policy file, in bytes.
pub const MAX_POLICY_BYTES: usize = 1024 * 1024;

/// The most entries of a policy.
pub const MAX_POLICY_ENTRIES: usize = 1000;

/// Below which directory inside a job finds the paths that it was granted: `data/in` as
/// `/job/files/data/in`.
pub const FILES_PATH: &str = "/job/files";

/// Stands for the payload among arguments, where it is one by itself.
pub const PAYLOAD_ARGUMENT: &str = "{}";

/// What an operator allows, and whom.
///
/// ```
/// use std::collections::BTreeSet;
/// use brine::job::policy::{Policy, Question};
/// use brine::job::Grants;
///
/// let policy = Policy::parse(br#"
///     [[allow]]
///     signers = ["alice"]
///     interpreters.python3 = { path = "/usr/bin/python3", arguments = [["-I", "-"]] }
/// "#)?;
/// let grants = Grants::collect(["run=python3", "arg=-I", "arg=-"].map(|g| g.parse().unwrap())).unwrap();
/// let system = BTreeSet::new();
/// let question = Question { signer: "alice", context: None, content_type: None, system: &system };
/// let plan = policy.plan(&question, &grants, None).unwrap();
/// assert_eq!(plan.program.path.to_str(), Some("/usr/bin/python3"));
/// # Ok::<(), brine::job::PolicyFileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `None` where there is no policy at all.
    entries: Option<Vec<Entry>>,
}

/// Whose job is judged, and where.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The signer's name, as the trust file has it.
    pub signer: &'a str,
    /// The context of the signature, if it has one.
    pub context: Option<&'a str>,
    /// The content type of the payload, if it was signed.
    pub content_type: Option<&'a str>,
    /// The system directories that a job sees where the policy names none.
    pub system: &'a BTreeSet<PathBuf>,
}

/// A command that the operator gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program, as an absolute path.
    pub path: PathBuf,
    /// What follows its name; an argument that is exactly `{}` stands for the payload.
    pub arguments: Vec<OsString>,
}

impl Policy {
    /// Returns what holds without a policy: every grant is refused, and a job that asks for none is run
    /// by a command of the operator's, within the default limits.
    #[must_use]
    pub const fn none() -> Self {
        Self { entries: None }
    }

    /// Reads a policy.toml.
    ///
    /// # Errors
    ///
    /// [`PolicyFileError`], which says in which line.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyFileError> {
        Ok(Self { entries: Some(document::read(bytes)?) })
    }

    /// Returns its entries, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        self.entries.as_deref().unwrap_or_default()
    }

    /// Returns the entry for a job; `None` without a policy.
    ///
    /// There is never a choice between two: the order of the file means nothing.
    ///
    /// # Errors
    ///
    /// - [`PolicyError::NoEntry`] if none is for it;
    /// - [`PolicyError::Ambiguous`] if several are.
    pub fn entry(&self, question: &Question<'_>) -> Result<Option<&Entry>, PolicyError> {
        let Some(entries) = &self.entries else { return Ok(None) };
        let mut fitting = entries.iter().filter(|entry| entry.is_for(question));
        match (fitting.next(), fitting.next()) {
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

    /// Says what holds while a job runs: never more than its signer asks for, and never more than this
    /// policy allows.
    ///
    /// # Errors
    ///
    /// - those of [`entry`](Self::entry);
    /// - [`PolicyError::NoPolicy`] if something is asked for without a policy;
    /// - [`PolicyError::NotAllowed`], [`PolicyError::Arguments`] for what the policy does not allow;
    /// - [`PolicyError::CommandGiven`] if both the signer and the operator say what to run, and
    ///   [`PolicyError::NoProgram`] if neither does.
    pub fn plan(
        &self,
        question: &Question<'_>,
        grants: &Grants,
        command: Option<&Command>,
    ) -> Result<Plan, PolicyError> {
        let nothing = Terms::default();
        let terms = match self.entry(question)? {
            Some(entry) => entry.terms(),
            None => match grants.iter().next() {
                Some(grant) => return Err(PolicyError::NoPolicy { grant }),
                None => &nothing,
            },
        };
        let program = program(terms, grants, command)?;
        let by_name = program.arguments.iter().skip(1).any(|argument| argument == PAYLOAD_ARGUMENT);
        let format = grants.format().map_or(Ok(terms.usual_format()), |format| {
            terms.allows_format(format).then_some(format).ok_or(Grant::Format(format))
        });
        Ok(Plan {
            program,
            delivery: if by_name { Delivery::File } else { Delivery::Stdin },
            environment: environment(terms, grants)?,
            system: terms.system.as_ref().unwrap_or(question.system).clone(),
            openings: openings(terms, grants)?,
            ports: ports(terms, grants)?,
            limits: limits::effective(grants.limits(), &terms.limits),
            format: format.map_err(not_allowed)?,
            waived: BTreeSet::new(),
        })
    }
}

fn program(
    terms: &Terms,
    grants: &Grants,
    command: Option<&Command>,
) -> Result<Program, PolicyError> {
    match (command, grants.run()) {
        (Some(_), Some(alias)) => {
            Err(PolicyError::CommandGiven { grant: Grant::Run(alias.clone()) })
        }
        (None, None) => Err(PolicyError::NoProgram),
        (Some(Command { path, arguments }), None) => Ok(Program {
            path: path.clone(),
            sha256: None,
            arguments: with_name(path, arguments.iter().cloned()),
        }),
        (None, Some(alias)) => {
            let known = terms.interpreters.as_ref().and_then(|known| known.get(alias));
            let known = known.ok_or_else(|| not_allowed(Grant::Run(alias.clone())))?;
            if !known.allows(grants.arguments()) {
                let arguments = grants.arguments().to_vec();
                return Err(PolicyError::Arguments { alias: alias.clone(), arguments });
            }
            Ok(Program {
                path: known.path.clone(),
                sha256: known.sha256,
                arguments: with_name(&known.path, grants.arguments().iter().map(OsString::from)),
            })
        }
    }
}

/// Programs that look for their parts beside themselves do so by `argv[0]`: it is the whole path.
fn with_name(path: &Path, arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    std::iter::once(path.as_os_str().to_owned()).chain(arguments).collect()
}

/// What every job has, and what was granted.
fn environment(
    terms: &Terms,
    grants: &Grants,
) -> Result<BTreeMap<OsString, OsString>, PolicyError> {
    let mut environment: BTreeMap<OsString, OsString> =
        BASE_ENVIRONMENT.iter().map(|(name, value)| (name.into(), value.into())).collect();
    for name in grants.environment() {
        let value = terms.environment.as_ref().and_then(|known| known.get(name));
        let value = value.ok_or_else(|| not_allowed(Grant::Environment(name.clone())))?;
        environment.insert(name.as_str().into(), value.into());
    }
    Ok(environment)
}

fn openings(terms: &Terms, grants: &Grants) -> Result<BTreeSet<Opening>, PolicyError> {
    let read = grants.read().iter().map(|path| {
        let root = terms.read_root(path).ok_or_else(|| not_allowed(Grant::Read(path.clone())));
        root.map(|root| opening(root, path, false))
    });
    let write = grants.write().iter().map(|path| {
        let root = terms.write_root(path).ok_or_else(|| not_allowed(Grant::Write(path.clone())));
        root.map(|root| opening(root, path, true))
    });
    read.chain(write).collect()
}

fn opening(root: &Path, path: &LogicalPath, writable: bool) -> Opening {
    let (_, below) = path.split_root();
    // Joining nothing would add a slash.
    let source = if below.is_empty() { root.to_owned() } else { root.join(below) };
    Opening { source, target: Path::new(FILES_PATH).join(path.as_str()), writable }
}

fn ports(terms: &Terms, grants: &Grants) -> Result<BTreeSet<u16>, PolicyError> {
    let allowed = |port: &u16| terms.ports.as_ref().is_some_and(|ports| ports.contains(port));
    match grants.ports().iter().find(|port| !allowed(port)) {
        Some(port) => Err(not_allowed(Grant::Tcp(*port))),
        None => Ok(grants.ports().clone()),
    }
}

fn not_allowed(grant: Grant) -> PolicyError {
    PolicyError::NotAllowed { grant }
}

/// Where programs are looked for inside, and where they keep what they like.
const BASE_ENVIRONMENT: [(&str, &str); 3] =
    [("HOME", SCRATCH_PATH), ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("TMPDIR", SCRATCH_PATH)];

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
