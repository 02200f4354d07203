//! An entry of a policy: for whom it is, and what it gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Question;
use crate::job::format::Format;
use crate::job::limits::Bounds;
use crate::job::names::{Alias, LogicalPath, VariableName};
use crate::trust::ContextGlob;

/// Whose jobs an entry is for, and what they may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) line: usize,
    pub(super) signers: BTreeSet<String>,
    pub(super) contexts: Option<Vec<ContextGlob>>,
    pub(super) content_types: Option<BTreeSet<String>>,
    pub(super) terms: Terms,
}

impl Entry {
    /// Returns in which line of the file it begins.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Returns the signers it is for, by their names in the trust file.
    #[must_use]
    pub const fn signers(&self) -> &BTreeSet<String> {
        &self.signers
    }

    /// Returns the contexts it is for, where not for all.
    #[must_use]
    pub fn contexts(&self) -> Option<&[ContextGlob]> {
        self.contexts.as_deref()
    }

    /// Returns the content types it is for, where not for all.
    #[must_use]
    pub const fn content_types(&self) -> Option<&BTreeSet<String>> {
        self.content_types.as_ref()
    }

    /// Returns what they may have.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns whether it is for this job. What an entry names, a job must have.
    #[must_use]
    pub fn is_for(&self, question: &Question<'_>) -> bool {
        let context = self.contexts.as_ref().is_none_or(|globs| {
            question.context.is_some_and(|context| globs.iter().any(|glob| glob.matches(context)))
        });
        let content_type = self.content_types.as_ref().is_none_or(|types| {
            question.content_type.is_some_and(|content_type| types.contains(content_type))
        });
        self.signers.contains(question.signer) && context && content_type
    }

    /// Returns whether some job is bound to be for both.
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

/// What a job may have. What is not there is not allowed, and limits are the default ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The interpreters that a job may be run by.
    pub interpreters: Option<BTreeMap<Alias, Interpreter>>,
    /// Where logical paths are that may be read, by their first part.
    pub read: Option<BTreeMap<String, PathBuf>>,
    /// Where those are that may be read and written.
    pub write: Option<BTreeMap<String, PathBuf>>,
    /// The variables of the environment that a job may have, with their values.
    pub environment: Option<BTreeMap<VariableName, String>>,
    /// The TCP ports that may be connected to.
    pub ports: Option<BTreeSet<u16>>,
    /// The most of each limit.
    pub limits: Bounds,
    /// The formats that output may have; the first is that of a job which names none.
    pub formats: Option<Vec<Format>>,
    /// What a pickle may import, if it is to be looked through before it is run.
    pub pickle_imports: Option<Vec<ImportList>>,
    /// The system directories that a job sees.
    pub system: Option<BTreeSet<PathBuf>>,
}

impl Terms {
    /// Takes from `defaults` what is not said here.
    pub(super) fn over(self, defaults: &Self) -> Self {
        let mut limits = defaults.limits.clone();
        limits.extend(self.limits);
        Self {
            interpreters: self.interpreters.or_else(|| defaults.interpreters.clone()),
            read: self.read.or_else(|| defaults.read.clone()),
            write: self.write.or_else(|| defaults.write.clone()),
            environment: self.environment.or_else(|| defaults.environment.clone()),
            ports: self.ports.or_else(|| defaults.ports.clone()),
            limits,
            formats: self.formats.or_else(|| defaults.formats.clone()),
            pickle_imports: self.pickle_imports.or_else(|| defaults.pickle_imports.clone()),
            system: self.system.or_else(|| defaults.system.clone()),
        }
    }

    /// Returns a root that two paths would share: one to read, one to write.
    pub(super) fn root_twice(&self) -> Option<&str> {
        let (read, write) = (self.read.as_ref()?, self.write.as_ref()?);
        read.keys().find(|root| write.contains_key(*root)).map(String::as_str)
    }

    /// Returns where the first part of a path is, if it may be read.
    pub(super) fn read_root(&self, path: &LogicalPath) -> Option<&PathBuf> {
        let (root, _) = path.split_root();
        // What may be written may be read.
        self.read.as_ref().and_then(|roots| roots.get(root)).or_else(|| self.write_root(path))
    }

    /// Returns where the first part of a path is, if it may be written.
    pub(super) fn write_root(&self, path: &LogicalPath) -> Option<&PathBuf> {
        self.write.as_ref()?.get(path.split_root().0)
    }

    pub(super) fn allows_format(&self, format: Format) -> bool {
        self.formats.as_ref().is_none_or(|formats| formats.contains(&format))
    }

    pub(super) fn usual_format(&self) -> Format {
        self.formats.iter().flatten().next().copied().unwrap_or_default()
    }
}

/// A program that runs payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program, as an absolute path.
    pub path: PathBuf,
    /// The SHA-256 that it must have, if it must have one.
    pub sha256: Option<[u8; 32]>,
    /// The arguments that it may be given: each a whole run of them.
    pub arguments: Vec<Allowed>,
}

impl Interpreter {
    /// Returns whether it may be given these arguments, all of them and in this order.
    #[must_use]
    pub fn allows(&self, arguments: &[String]) -> bool {
        self.arguments.iter().any(|allowed| allowed.is(arguments))
    }
}

/// Arguments that an interpreter may be given.
///
/// What an argument means depends on those before it, so that only whole runs of them can be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// How they begin.
    pub first: Vec<String>,
    /// Whether any others may follow.
    pub and_any: bool,
}

impl Allowed {
    fn is(&self, arguments: &[String]) -> bool {
        match arguments.strip_prefix(self.first.as_slice()) {
            Some(rest) => rest.is_empty() || self.and_any,
            None => false,
        }
    }
}

/// Where the names stand that a pickle may import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportList {
    /// In a list of this name that comes with the program.
    BuiltIn(String),
    /// In this file.
    File(PathBuf),
}
