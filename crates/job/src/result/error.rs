//! Why a result is refused.

use brine_core::cbor::Malformed;
use brine_core::{Class, Classified};

use crate::members::MembersError;

/// Why a result is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// It is not of the form that SPEC.md demands, or not in its encoding.
    #[error("result is malformed: {0}")]
    Form(String),
    /// It is not CBOR of the types that SPEC.md demands.
    #[error("result is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// It is the result of another job.
    #[error("it is the result of another job")]
    OtherJob,
    /// Its version is not known.
    #[error("results of version {found} are not supported")]
    Version {
        /// The version.
        found: i64,
    },
}

impl MembersError for ResultError {
    fn form(what: &str) -> Self {
        Self::Form(what.to_owned())
    }

    fn version(found: i64) -> Self {
        Self::Version { found }
    }
}

impl ResultError {
    pub(super) fn form(what: &str) -> Self {
        MembersError::form(what)
    }
}

impl Classified for ResultError {
    fn class(&self) -> Class {
        match self {
            Self::Form(_) | Self::Malformed(_) => Class::Altered,
            Self::OtherJob => Class::Untrusted,
            Self::Version { .. } => Class::Unsupported,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Form(_) => "result-form",
            Self::Malformed(error) => error.reason(),
            Self::OtherJob => "result-other-job",
            Self::Version { .. } => "result-version",
        }
    }
}
