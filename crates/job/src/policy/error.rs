//! Why a policy refuses a job, and why a policy file cannot be read.

use crate::job::grants::Grant;
use crate::job::names::{Alias, NameError};
use crate::trust::ReservedGlob;

/// Why a policy refuses a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Several entries are for the job.
    #[error("the policy has several entries for this job of {signer}, in lines {} and {}",
        .lines.0, .lines.1)]
    Ambiguous {
        /// The signer.
        signer: String,
        /// Where the first two of them begin.
        lines: (usize, usize),
    },

    /// The interpreter may not be given these arguments.
    #[error("the policy does not allow {alias} with arguments {arguments:?}")]
    Arguments {
        /// The interpreter.
        alias: Alias,
        /// All of its arguments.
        arguments: Vec<String>,
    },

    /// The signer and the operator both say what to run.
    #[error("the job asks for {}, and a command was given", quoted(.grant))]
    CommandGiven {
        /// What the signer says.
        grant: Grant,
    },

    /// The signer and the operator declare formats that do not go together.
    #[error("the job declares its output as {declared}, not {asked}")]
    Format {
        /// What the operator asks for.
        asked: &'static str,
        /// What the plan has.
        declared: &'static str,
    },

    /// No entry is for the job.
    #[error("the policy has no entry for this job of {signer} ({}, {})",
        .context.as_ref().map_or_else(|| "no context".to_owned(), |found| format!("context {found:?}")),
        .content_type.as_ref().map_or_else(|| "no type".to_owned(), |found| format!("type {found:?}")))]
    NoEntry {
        /// The signer.
        signer: String,
        /// The context of the signature.
        context: Option<String>,
        /// The content type of the payload.
        content_type: Option<String>,
    },

    /// Something is asked for, and nobody allows anything.
    #[error("the job asks for {}, and there is no policy", quoted(.grant))]
    NoPolicy {
        /// The first of what it asks for.
        grant: Grant,
    },

    /// Neither the signer nor the operator says what to run.
    #[error("neither the job nor the command line says what to run")]
    NoProgram,

    /// The policy does not allow this.
    #[error("the policy does not allow {}", quoted(.grant))]
    NotAllowed {
        /// What it does not allow.
        grant: Grant,
    },
}

/// A grant as it is typed, in quotes.
fn quoted(grant: &Grant) -> String {
    format!("{:?}", grant.to_string())
}

impl PolicyError {
    /// Returns a short name that does not change from version to version.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Ambiguous { .. } => "policy-ambiguous",
            Self::Arguments { .. } => "grant-arguments",
            Self::CommandGiven { .. } => "grant-with-command",
            Self::Format { .. } => "format-mismatch",
            Self::NoEntry { .. } => "policy-no-entry",
            Self::NoPolicy { .. } => "policy-absent",
            Self::NoProgram => "no-program",
            Self::NotAllowed { .. } => "grant-not-allowed",
        }
    }
}

/// Why a policy file was refused. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// A control character in text that is shown to people, or given to programs.
    #[error("line {line}: {key} contains a control character")]
    ControlCharacter {
        /// Where.
        line: usize,
        /// The key.
        key: String,
    },

    /// A context pattern holds a reserved character.
    #[error("line {line}: {source}")]
    Glob {
        /// Where.
        line: usize,
        /// What is reserved.
        source: ReservedGlob,
    },

    /// A key is required and absent.
    #[error("line {line}: {key} is missing")]
    Missing {
        /// Where the table begins.
        line: usize,
        /// The key.
        key: &'static str,
    },

    /// The name of an interpreter, variable or root is none.
    #[error("line {line}: {name:?} is no name: {what}")]
    Name {
        /// Where.
        line: usize,
        /// The text.
        name: String,
        /// What is wrong with it.
        what: NameError,
    },

    /// Bytes that are not UTF-8, or zero.
    #[error("line {line}: not UTF-8 text")]
    NotText {
        /// Where.
        line: usize,
    },

    /// Two entries are bound to be for the same jobs.
    #[error("line {line}: this entry is for jobs that the one in line {other} is for, too")]
    Overlap {
        /// Where the second begins.
        line: usize,
        /// Where the first begins.
        other: usize,
    },

    /// A path that is not absolute, or not in its shortest form.
    #[error("line {line}: {path:?} is no absolute path without . and .. in it")]
    Path {
        /// Where.
        line: usize,
        /// The path.
        path: String,
    },

    /// A root that is there both to read and to write.
    #[error(
        "line {line}: root {root:?} is both in read and in write; what may be written may be read"
    )]
    RootTwice {
        /// Where the entry begins.
        line: usize,
        /// The root.
        root: String,
    },

    /// Larger than [`MAX_POLICY_BYTES`](super::MAX_POLICY_BYTES).
    #[error("{found} bytes, limit is {limit}")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },

    /// Not TOML.
    #[error("line {line}: {what}")]
    Toml {
        /// Where.
        line: usize,
        /// What the parser says.
        what: String,
    },

    /// A key that is not known: it may be a restriction, misspelt or from a later version.
    #[error("line {line}: unknown key {key:?}")]
    UnknownKey {
        /// Where.
        line: usize,
        /// The key.
        key: String,
    },

    /// A value that its key does not take.
    #[error("line {line}: {key} is {found}, expected {expected}")]
    Value {
        /// Where.
        line: usize,
        /// The key.
        key: String,
        /// What the key takes.
        expected: String,
        /// What stands there.
        found: String,
    },

    /// A version of the file format that is not known.
    #[error("line {line}: version is {found}, must be 1")]
    Version {
        /// Where.
        line: usize,
        /// The version.
        found: i64,
    },
}

impl PolicyFileError {
    /// Returns a short name that does not change from version to version.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ControlCharacter { .. } => "policy-control-character",
            Self::Glob { .. } => "policy-glob",
            Self::Missing { .. } => "policy-missing",
            Self::Name { .. } => "policy-name",
            Self::NotText { .. } => "policy-not-text",
            Self::Overlap { .. } => "policy-overlap",
            Self::Path { .. } => "policy-path",
            Self::RootTwice { .. } => "policy-root-twice",
            Self::TooLarge { .. } => "policy-too-large",
            Self::Toml { .. } => "policy-toml",
            Self::UnknownKey { .. } => "policy-unknown-key",
            Self::Value { .. } => "policy-value",
            Self::Version { .. } => "policy-version",
        }
    }
}
