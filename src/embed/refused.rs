//! Why something was not done, in the words of the programs.

use std::fmt;

use brine_core::{Error, KeyError};
use brine_job::ResultError;
use brine_keys::KeyFileError;
use brine_queue::QueueError;
use brine_records::ReplayError;

use crate::report::Failure;
use crate::world::release::stored;

/// Why something was not done: what the programs would print, and end with. What they say of options, it says of
/// arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// What happened, for a person.
    pub message: String,
    /// What to do next, where there is something.
    pub hint: Option<String>,
    /// The short name that stands in verdicts.
    pub reason: &'static str,
    /// The exit status that the programs end with.
    pub status: u8,
    /// The lines of a list that would allow what a pickle does.
    pub allow: Vec<String>,
}

impl Refused {
    /// Says that a caller asked for something that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::usage(message).into()
    }

    /// Says what could not be read of an input, or of the place where its payload is kept.
    #[must_use]
    pub fn reading(name: &str, error: Error) -> Self {
        stored(error, name).into()
    }

    /// Finds the failure of a clock or of trust that the library passes on.
    pub(super) fn of(error: Error) -> Self {
        match Failure::reading("input", error) {
            Failure::Envelope { source, .. } => Failure::Core(source).into(),
            failure => failure.into(),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let allow = match &failure {
            Failure::Pickle { allow, .. } => allow.clone(),
            _ => Vec::new(),
        };
        Self {
            message: failure.message_of_call(),
            hint: failure.hint_of_call(),
            reason: failure.reason(),
            status: failure.status().code(),
            allow,
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::of(error)
    }
}

impl From<KeyError> for Refused {
    fn from(error: KeyError) -> Self {
        Self::of(error.into())
    }
}

impl From<KeyFileError> for Refused {
    fn from(error: KeyFileError) -> Self {
        Failure::from(error).into()
    }
}

impl From<QueueError> for Refused {
    fn from(error: QueueError) -> Self {
        Failure::from(error).into()
    }
}

impl From<ResultError> for Refused {
    fn from(error: ResultError) -> Self {
        Failure::from(error).into()
    }
}

impl From<ReplayError> for Refused {
    fn from(error: ReplayError) -> Self {
        Failure::from(error).into()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}
