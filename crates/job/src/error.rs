//! Why a job was refused before anything ran.

use brine_core::{Class, Classified};

use super::grants::GrantsError;
use super::policy::{PolicyError, PolicyFileError};

/// Why a job was refused before anything ran.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The envelope breaks a rule of jobs.
    #[error("job is malformed: {0}")]
    Form(&'static str),
    /// The grants are malformed.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// The policy refuses the job.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy file cannot be read.
    #[error(transparent)]
    PolicyFile(#[from] PolicyFileError),
}

impl Classified for JobError {
    fn class(&self) -> Class {
        match self {
            Self::Form(_) => Class::Altered,
            Self::Grants(error) => error.class(),
            Self::Policy(error) => error.class(),
            Self::PolicyFile(error) => error.class(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Form(_) => "job-form",
            Self::Grants(error) => error.reason(),
            Self::Policy(error) => error.reason(),
            Self::PolicyFile(error) => error.reason(),
        }
    }
}
