//! An entry of a policy: the jobs that it applies to, and its terms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use brine_core::ContextGlob;

use super::PolicyQuestion;
use crate::format::OutputFormat;
use crate::limits::LimitValues;
use crate::names::{InterpreterAlias, LogicalPath, PowerName, VariableName};

/// An entry of a policy: the jobs that it applies to, and what they may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyEntry {
    pub(super) line: usize,
    pub(super) signers: BTreeSet<String>,
    pub(super) contexts: Option<Vec<ContextGlob>>,
    pub(super) content_types: Option<BTreeSet<String>>,
    pub(super) terms: PolicyTerms,
}

impl PolicyEntry {
    /// Returns the line of the file in which it begins.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Returns the signers that it applies to, by their names in the trust file.
    #[must_use]
    pub const fn signers(&self) -> &BTreeSet<String> {
        &self.signers
    }

    /// Returns the contexts that it applies to; `None` for all, and for jobs without a context.
    #[must_use]
    pub fn contexts(&self) -> Option<&[ContextGlob]> {
        self.contexts.as_deref()
    }

    /// Returns the content types that it applies to; `None` for all, and for jobs without a content type.
    #[must_use]
    pub const fn content_types(&self) -> Option<&BTreeSet<String>> {
        self.content_types.as_ref()
    }

    /// Returns the programs that may run jobs.
    pub fn interpreters(&self) -> impl Iterator<Item = PolicyInterpreter<'_>> {
        let interpreters = self.terms.interpreters.iter().flatten();
        interpreters.map(|(alias, interpreter)| PolicyInterpreter {
            alias,
            path: &interpreter.path,
            sha256: interpreter.sha256.as_ref(),
        })
    }

    /// Returns the roots that jobs may read, and not write.
    pub fn read_roots(&self) -> impl Iterator<Item = &Path> {
        self.terms.read.iter().flatten().map(|(_, path)| path.as_path())
    }

    /// Returns the roots that jobs may write.
    pub fn write_roots(&self) -> impl Iterator<Item = &Path> {
        self.terms.write.iter().flatten().map(|(_, path)| path.as_path())
    }

    /// Returns the TCP ports that jobs may connect to.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.terms.ports.iter().flatten().copied()
    }

    /// Returns the lists of names that payloads may import; `None` if payloads are not scanned.
    #[must_use]
    pub fn pickle_imports(&self) -> Option<&[ImportList]> {
        self.terms.pickle_imports.as_deref()
    }

    /// Returns the schema that JSON output must match; `None` for any.
    #[must_use]
    pub fn json_schema(&self) -> Option<&Path> {
        self.terms.json_schema.as_deref()
    }

    /// Returns the system directories that jobs see; `None` for the default ones.
    #[must_use]
    pub const fn system(&self) -> Option<&BTreeSet<PathBuf>> {
        self.terms.system.as_ref()
    }

    pub(super) const fn terms(&self) -> &PolicyTerms {
        &self.terms
    }

    /// Returns whether it applies to this job. If an entry names contexts or content types, a job must have
    /// one.
    pub(super) fn applies_to(&self, question: &PolicyQuestion<'_>) -> bool {
        let context = self.contexts.as_ref().is_none_or(|globs| {
            question.context.is_some_and(|context| globs.iter().any(|glob| glob.matches(context)))
        });
        let content_type = self.content_types.as_ref().is_none_or(|types| {
            question.content_type.is_some_and(|content_type| types.contains(content_type))
        });
        self.signers.contains(question.signer) && context && content_type
    }

    /// Returns whether there is a job to which both certainly apply.
    pub(super) fn clearly_overlaps(&self, other: &Self) -> bool {
        let contexts = match (&self.contexts, &other.contexts) {
            (Some(one), Some(other)) => one.iter().any(|glob| other.contains(glob)),
            (Some(some), None) | (None, Some(some)) => !some.is_empty(),
            (None, None) => true,
        };
        let types = match (&self.content_types, &other.content_types) {
            (Some(one), Some(other)) => !one.is_disjoint(other),
            (Some(some), None) | (None, Some(some)) => !some.is_empty(),
            (None, None) => true,
        };
        contexts && types && !self.signers.is_disjoint(&other.signers)
    }
}

/// What a job may have. Nothing else is allowed, and a limit that is not set is the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PolicyTerms {
    /// The interpreters that may run a job.
    pub(super) interpreters: Option<BTreeMap<InterpreterAlias, Interpreter>>,
    /// The roots that may be read, by the first part of logical paths.
    pub(super) read: Option<BTreeMap<String, PathBuf>>,
    /// The roots that may be read and written.
    pub(super) write: Option<BTreeMap<String, PathBuf>>,
    /// The environment variables that a job may have, with their values.
    pub(super) environment: Option<BTreeMap<VariableName, String>>,
    /// The TCP ports that may be connected to.
    pub(super) ports: Option<BTreeSet<u16>>,
    /// The powers that a job may have.
    pub(super) powers: Option<BTreeSet<PowerName>>,
    /// The queues that results may be put on.
    pub(super) replies: Option<Vec<ContextGlob>>,
    /// The largest value of each limit.
    pub(super) limits: LimitValues,
    /// The formats that output may have. The first one applies to a job that requests none.
    pub(super) formats: Option<Vec<OutputFormat>>,
    /// The schema that JSON output must match.
    pub(super) json_schema: Option<PathBuf>,
    /// The lists of names that a payload may import, if payloads are pickles.
    pub(super) pickle_imports: Option<Vec<ImportList>>,
    /// The system directories that a job sees.
    pub(super) system: Option<BTreeSet<PathBuf>>,
    /// Whether a job may execute what it writes to its scratch places.
    pub(super) exec_scratch: Option<bool>,
}

impl PolicyTerms {
    /// Takes the terms that are not set here from `defaults`.
    pub(super) fn over(self, defaults: &Self) -> Self {
        let mut limits = defaults.limits.clone();
        limits.extend(self.limits);
        Self {
            interpreters: self.interpreters.or_else(|| defaults.interpreters.clone()),
            read: self.read.or_else(|| defaults.read.clone()),
            write: self.write.or_else(|| defaults.write.clone()),
            environment: self.environment.or_else(|| defaults.environment.clone()),
            ports: self.ports.or_else(|| defaults.ports.clone()),
            powers: self.powers.or_else(|| defaults.powers.clone()),
            replies: self.replies.or_else(|| defaults.replies.clone()),
            limits,
            formats: self.formats.or_else(|| defaults.formats.clone()),
            json_schema: self.json_schema.or_else(|| defaults.json_schema.clone()),
            pickle_imports: self.pickle_imports.or_else(|| defaults.pickle_imports.clone()),
            system: self.system.or_else(|| defaults.system.clone()),
            exec_scratch: self.exec_scratch.or(defaults.exec_scratch),
        }
    }

    /// Returns a root that is both in `read` and in `write`.
    pub(super) fn root_twice(&self) -> Option<&str> {
        let (read, write) = (self.read.as_ref()?, self.write.as_ref()?);
        read.keys().find(|root| write.contains_key(*root)).map(String::as_str)
    }

    /// Returns the root of a path, if it may be read.
    pub(super) fn read_root(&self, path: &LogicalPath) -> Option<&PathBuf> {
        let (root, _) = path.split_root();
        // What may be written may also be read.
        self.read.as_ref().and_then(|roots| roots.get(root)).or_else(|| self.write_root(path))
    }

    /// Returns the root of a path, if it may be written.
    pub(super) fn write_root(&self, path: &LogicalPath) -> Option<&PathBuf> {
        self.write.as_ref()?.get(path.split_root().0)
    }

    pub(super) fn allows_format(&self, format: OutputFormat) -> bool {
        self.formats.as_ref().is_none_or(|formats| formats.contains(&format))
    }

    pub(super) fn default_format(&self) -> OutputFormat {
        self.formats.iter().flatten().next().copied().unwrap_or_default()
    }
}

/// A program of a policy that may run jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyInterpreter<'a> {
    /// The name by which jobs request it.
    pub alias: &'a InterpreterAlias,
    /// The absolute path.
    pub path: &'a Path,
    /// The SHA-256 that it must have, if any.
    pub sha256: Option<&'a [u8; 32]>,
}

/// A program that runs payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interpreter {
    /// The absolute path.
    pub(super) path: PathBuf,
    /// The SHA-256 that it must have, if any.
    pub(super) sha256: Option<[u8; 32]>,
    /// The argument lists that are allowed.
    pub(super) arguments: Vec<AllowedArguments>,
}

impl Interpreter {
    /// Returns whether it may be given exactly these arguments, in this order.
    pub(super) fn allows(&self, arguments: &[String]) -> bool {
        self.arguments.iter().any(|allowed| allowed.includes(arguments))
    }
}

/// A list of arguments that an interpreter may be given.
///
/// The meaning of an argument depends on those before it, so only whole lists can be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AllowedArguments {
    /// The first arguments.
    pub(super) first: Vec<String>,
    /// Whether any others may follow.
    pub(super) and_any: bool,
}

impl AllowedArguments {
    fn includes(&self, arguments: &[String]) -> bool {
        match arguments.strip_prefix(self.first.as_slice()) {
            Some(rest) => rest.is_empty() || self.and_any,
            None => false,
        }
    }
}

/// A list of names that a pickle may import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportList {
    /// The list of this name that comes with the program: `std` or `numpy`.
    BuiltIn(String),
    /// The list in this file.
    File(PathBuf),
}
