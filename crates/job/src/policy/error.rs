//! Why a policy refuses a job, and why a policy file cannot be read.

use brine_core::text::{quoted, shown};
use brine_core::{Class, Classified, ReservedGlob};

use crate::grants::Grant;
use crate::names::{InterpreterAlias, NameError};

/// Why a policy refuses a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Several entries apply to the job.
    #[error("the policy has several entries for this job of {}, in lines {} and {}",
        shown(.signer), .lines.0, .lines.1)]
    Ambiguous {
        /// The signer.
        signer: String,
        /// The lines in which the first two of them begin.
        lines: (usize, usize),
    },

    /// The interpreter may not be given these arguments.
    #[error("the policy does not allow {alias} with arguments {}", listed(.arguments))]
    Arguments {
        /// The interpreter.
        alias: InterpreterAlias,
        /// The arguments.
        arguments: Vec<String>,
    },

    /// The signer and the operator both say what to run.
    #[error("the job asks for {}, and a command was given", typed(.grant))]
    CommandGiven {
        /// The grant of the signer.
        grant: Grant,
    },

    /// The signer and the operator declare different formats.
    #[error("the job declares its output as {declared}, not {asked}")]
    Format {
        /// The format that the operator requires.
        asked: &'static str,
        /// The format that the signer declared.
        declared: &'static str,
    },

    /// No entry applies to the job.
    #[error("the policy has no entry for this job of {} ({}, {})", shown(.signer),
        .context.as_ref().map_or_else(|| "no context".to_owned(), |found| format!("context {}", quoted(found))),
        .content_type.as_ref().map_or_else(|| "no type".to_owned(), |found| format!("type {}", quoted(found))))]
    NoEntry {
        /// The signer.
        signer: String,
        /// The context of the signature; `None` if it has none.
        context: Option<String>,
        /// The content type of the payload; `None` if it has none.
        content_type: Option<String>,
    },

    /// The job requests something, and there is no policy.
    #[error("the job asks for {}, and there is no policy", typed(.grant))]
    NoPolicy {
        /// The first grant.
        grant: Grant,
    },

    /// Neither the signer nor the operator says what to run.
    #[error("nothing says what to run: the job requests no interpreter, and no command is given")]
    NoProgram,

    /// The policy does not allow a grant.
    #[error("the policy does not allow {}", typed(.grant))]
    NotAllowed {
        /// The grant.
        grant: Grant,
    },
}

/// Shows a grant as people type it, in quotes.
fn typed(grant: &Grant) -> String {
    quoted(&grant.to_string()).to_string()
}

/// Shows arguments as a list.
fn listed(arguments: &[String]) -> String {
    let shown: Vec<_> =
        arguments.iter().take(MOST_LISTED).map(|one| quoted(one).to_string()).collect();
    let more = if arguments.len() > MOST_LISTED { ", \u{2026}" } else { "" };
    format!("[{}{more}]", shown.join(", "))
}

/// The most arguments that a message shows.
const MOST_LISTED: usize = 8;

impl Classified for PolicyError {
    fn class(&self) -> Class {
        Class::Untrusted
    }

    fn reason(&self) -> &'static str {
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
    /// A text has a control character, or one that cannot be seen. It would be shown to people, or given to programs.
    #[error("line {line}: {key} contains a control character, or one that cannot be seen")]
    ControlCharacter {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },

    /// A context pattern holds a reserved character.
    #[error("line {line}: {source}")]
    Glob {
        /// The line.
        line: usize,
        /// The character.
        source: ReservedGlob,
    },

    /// A required key is missing.
    #[error("line {line}: {key} is missing")]
    Missing {
        /// The line in which the table begins.
        line: usize,
        /// The key.
        key: &'static str,
    },

    /// A text is not the name of an interpreter, variable or root.
    #[error("line {line}: {} is not a name: {what}", quoted(.name))]
    Name {
        /// The line.
        line: usize,
        /// The text.
        name: String,
        /// The rule that it breaks.
        what: NameError,
    },

    /// The file has bytes that are not UTF-8, or a zero byte.
    #[error("line {line}: not UTF-8 text")]
    NotText {
        /// The line.
        line: usize,
    },

    /// Two entries apply to the same jobs, so that both would be useless for them.
    #[error("line {line}: this entry applies to jobs that the entry in line {other} applies to")]
    Overlap {
        /// The line in which the second begins.
        line: usize,
        /// The line in which the first begins.
        other: usize,
    },

    /// A path is not absolute, or not in its shortest form.
    #[error("line {line}: {} is not an absolute path without . and .. in it", quoted(.path))]
    Path {
        /// The line.
        line: usize,
        /// The path.
        path: String,
    },

    /// A root is both in `read` and in `write`.
    #[error(
        "line {line}: root {} is both in read and in write; what may be written may be read", quoted(.root))]
    RootTwice {
        /// The line in which the entry begins.
        line: usize,
        /// The root.
        root: String,
    },

    /// The file is larger than [`MAX_POLICY_BYTES`](super::MAX_POLICY_BYTES).
    #[error("{found} bytes, limit is {limit}")]
    TooLarge {
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },

    /// The file is not TOML.
    #[error("line {line}: {what}")]
    Toml {
        /// The line.
        line: usize,
        /// The message of the parser.
        what: String,
    },

    /// A key is not known. It can be a restriction that is misspelt, or from a later version.
    #[error("line {line}: unknown key {}", quoted(.key))]
    UnknownKey {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },

    /// A key has a value that it does not take.
    #[error("line {line}: {key} is {found}, expected {expected}")]
    Value {
        /// The line.
        line: usize,
        /// The key.
        key: String,
        /// The values that the key takes.
        expected: String,
        /// The value.
        found: String,
    },

    /// The version of the file format is not known.
    #[error("line {line}: version is {found}, must be 1")]
    Version {
        /// The line.
        line: usize,
        /// The version.
        found: i64,
    },
}

impl Classified for PolicyFileError {
    fn class(&self) -> Class {
        Class::Key
    }

    fn reason(&self) -> &'static str {
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
