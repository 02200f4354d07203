//! What a policy says of one job: everything that it refuses, and what is left.

use super::Permit;
use super::error::PolicyError;

/// What a policy says of one job: everything that it refuses, and what is left.
///
/// [`Policy::plan`](super::Policy::plan) stops at the first refusal. This has all of them, in the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Appraisal {
    refused: Vec<PolicyError>,
    /// What is left without the refused; `None` if there is nothing to run.
    rest: Option<Permit>,
}

impl Appraisal {
    pub(super) const fn new(refused: Vec<PolicyError>, rest: Option<Permit>) -> Self {
        Self { refused, rest }
    }

    /// Returns the permit, if nothing is refused.
    ///
    /// # Errors
    ///
    /// The first refusal.
    pub fn into_permit(self) -> Result<Permit, PolicyError> {
        match (self.refused.into_iter().next(), self.rest) {
            (None, Some(permit)) => Ok(permit),
            (Some(refused), _) => Err(refused),
            (None, None) => Err(PolicyError::NoProgram),
        }
    }

    /// Returns everything that is refused, and what is left; `None` if there is nothing to run.
    ///
    /// If anything is refused, the plan of what is left is a [draft](crate::Plan::is_draft).
    #[must_use]
    pub fn into_parts(self) -> (Vec<PolicyError>, Option<Permit>) {
        let Self { refused, rest } = self;
        let rest = match refused.is_empty() {
            true => rest,
            false => rest.map(|permit| Permit { plan: permit.plan.into_draft(), ..permit }),
        };
        (refused, rest)
    }
}

/// What has been refused so far.
#[derive(Debug, Default)]
pub(super) struct Refused(pub(super) Vec<PolicyError>);

impl Refused {
    /// Returns what is allowed, and keeps a refusal.
    pub(super) fn pass<T>(&mut self, found: Result<T, PolicyError>) -> Option<T> {
        found.map_err(|error| self.0.push(error)).ok()
    }
}
