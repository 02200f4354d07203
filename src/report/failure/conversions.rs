//! The errors that are failures as they are.

use brine_core::SystemError;
use brine_job::{PolicyError, ResultError};
use brine_queue::QueueError;

use super::Failure;

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::Job(error.into())
    }
}

impl From<brine_core::KeyError> for Failure {
    fn from(error: brine_core::KeyError) -> Self {
        Self::Core(error.into())
    }
}

impl From<SystemError> for Failure {
    fn from(error: SystemError) -> Self {
        Self::Core(error.into())
    }
}

impl From<brine_core::FormError> for Failure {
    fn from(error: brine_core::FormError) -> Self {
        Self::Core(error.into())
    }
}

impl From<brine_core::Untrusted> for Failure {
    fn from(error: brine_core::Untrusted) -> Self {
        Self::Core(error.into())
    }
}

impl From<brine_core::time::ClockBefore1970> for Failure {
    fn from(error: brine_core::time::ClockBefore1970) -> Self {
        Self::Core(error.into())
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        Self::Queue(error.into())
    }
}

impl From<ResultError> for Failure {
    fn from(error: ResultError) -> Self {
        Self::Result { name: None, source: error }
    }
}

impl From<std::convert::Infallible> for Failure {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
