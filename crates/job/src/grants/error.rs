//! Why grants were refused, whatever the policy says.

use brine_core::cbor::Malformed;
use brine_core::text::quoted;
use brine_core::{Class, Classified};

use crate::members::MembersError;
use crate::names::NameError;

/// Why grants were refused, whatever the policy says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsError {
    /// No job may request this argument.
    #[error("grants: an argument is malformed: {0}")]
    Argument(&'static str),
    /// The grants are not of the form that SPEC.md demands, or not in its encoding.
    #[error("grants are malformed: {0}")]
    Form(String),
    /// The grants are not CBOR of the types that SPEC.md demands.
    #[error("grants are malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A text is not the name of an interpreter, or of a variable.
    #[error("grants: {} is not a name: {what}", quoted(.name))]
    Name {
        /// The text.
        name: String,
        /// The rule that it breaks.
        what: NameError,
    },
    /// No job may request this path.
    #[error("grants: path {} is malformed: {what}", quoted(.path))]
    Path {
        /// The text.
        path: String,
        /// The rule that it breaks.
        what: NameError,
    },
    /// A number is out of range.
    #[error("grants: {member} is out of range")]
    Range {
        /// The member.
        member: &'static str,
    },
    /// A member is not known. It can be a power of a later version.
    #[error("grants: {} is not known", quoted(.member))]
    Unknown {
        /// The member, or the value that is not known.
        member: String,
    },
    /// The version is not known.
    #[error("grants of version {found} are not supported")]
    Version {
        /// The version.
        found: i64,
    },
}

impl MembersError for GrantsError {
    fn form(what: &str) -> Self {
        Self::Form(what.to_owned())
    }

    fn version(found: i64) -> Self {
        Self::Version { found }
    }
}

impl Classified for GrantsError {
    fn class(&self) -> Class {
        match self {
            Self::Unknown { .. } | Self::Version { .. } => Class::Unsupported,
            Self::Argument(_)
            | Self::Form(_)
            | Self::Malformed(_)
            | Self::Name { .. }
            | Self::Path { .. }
            | Self::Range { .. } => Class::Altered,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Argument(_) => "grants-argument",
            Self::Form(_) => "grants-form",
            Self::Malformed(error) => error.reason(),
            Self::Name { .. } => "grants-name",
            Self::Path { .. } => "grants-path",
            Self::Range { .. } => "grants-range",
            Self::Unknown { .. } => "grants-unknown",
            Self::Version { .. } => "grants-version",
        }
    }
}
