//! Why a job was refused before anything ran.

use super::grants::GrantsError;
use super::policy::{PolicyError, PolicyFileError};
use crate::error::Class;

/// Why a job was refused before anything ran.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// An envelope of kind job breaks a rule of jobs.
    #[error("job is malformed: {0}")]
    Form(&'static str),

    /// What the job asks for is not of its form.
    #[error(transparent)]
    Grants(#[from] GrantsError),

    /// The policy does not allow what the job asks for.
    #[error(transparent)]
    Policy(#[from] PolicyError),

    /// The policy cannot be read.
    #[error(transparent)]
    PolicyFile(#[from] PolicyFileError),
}

impl JobError {
    /// Returns whose fault it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Form(_) => Class::Altered,
            Self::Grants(error) => error.class(),
            Self::Policy(_) => Class::Untrusted,
            Self::PolicyFile(_) => Class::Key,
        }
    }

    /// Returns a short name that does not change from version to version.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Form(_) => "job-form",
            Self::Grants(error) => error.reason(),
            Self::Policy(error) => error.reason(),
            Self::PolicyFile(error) => error.reason(),
        }
    }
}
