//! Why a record was refused, and why a pipeline ended.

use std::io;

use brine_core::pool::WorkerLost;
use brine_core::text::in_words;
use brine_core::time::ClockBefore1970;
use brine_core::{Class, Classified, ObservationError, TrustUnavailable};

use super::ordered_pool::PoolEnd;
use crate::framing::{FrameReadError, FramingError};
use crate::ledger::ReplayError;

/// Why one record was refused, or could not be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The envelope does not hold, or cannot be made.
    #[error(transparent)]
    Envelope(#[from] brine_core::Error),
    /// The record cannot be read or written in its framing.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The sink refused it.
    #[error(transparent)]
    Handler(#[from] HandlerFailure),
    /// The ledger refused it.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl Classified for RecordError {
    fn class(&self) -> Class {
        match self {
            Self::Envelope(error) => error.class(),
            Self::Framing(error) => error.class(),
            Self::Handler(error) => error.class(),
            Self::Replay(error) => error.class(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Envelope(error) => error.reason(),
            Self::Framing(error) => error.reason(),
            Self::Handler(error) => error.reason(),
            Self::Replay(error) => error.reason(),
        }
    }
}

/// Why a sink could not handle a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HandlerFailure {
    class: Class,
    reason: &'static str,
    message: String,
}

impl HandlerFailure {
    /// Returns a failure of this class, with its short name and its text.
    #[must_use]
    pub fn new(class: Class, reason: &'static str, message: impl Into<String>) -> Self {
        Self { class, reason, message: message.into() }
    }
}

impl Classified for HandlerFailure {
    fn class(&self) -> Class {
        self.class
    }

    fn reason(&self) -> &'static str {
        self.reason
    }
}

/// Why a pipeline ended before the end of its source.
///
/// The parameters are the errors of the [source](super::Source), the [sink](super::Sink) and the
/// [rejects](super::Rejects).
#[derive(Debug, thiserror::Error)]
pub enum PipelineError<S, K, R> {
    /// The system clock is set before 1970.
    #[error(transparent)]
    Clock(#[from] ClockBefore1970),
    /// There is no memory to decode records.
    #[error(transparent)]
    Decode(FrameReadError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(ReplayError),
    /// A record was refused, and the pipeline was to stop there; or the ledger cannot take the record.
    #[error("record {number}: {why}")]
    Record {
        /// The number of the record, counted from 1.
        number: u64,
        /// The reason.
        why: RecordError,
    },
    /// The rejects failed.
    #[error(transparent)]
    Rejects(R),
    /// The sink failed.
    #[error(transparent)]
    Sink(K),
    /// The source failed.
    #[error(transparent)]
    Source(S),
    /// The system granted no thread.
    #[error("thread: {}", in_words(.0))]
    Thread(io::Error),
    /// Who is trusted cannot be found out. No record was refused for that.
    #[error(transparent)]
    Trust(TrustUnavailable),
    /// A thread ended before its work was done.
    #[error(transparent)]
    WorkerLost(#[from] WorkerLost),
}

impl<S: Classified, K: Classified, R: Classified> Classified for PipelineError<S, K, R> {
    fn class(&self) -> Class {
        match self {
            Self::Decode(error) => error.class(),
            Self::Ledger(error) => error.class(),
            Self::Record { why, .. } => why.class(),
            Self::Rejects(error) => error.class(),
            Self::Sink(error) => error.class(),
            Self::Source(error) => error.class(),
            Self::Trust(error) => error.class(),
            Self::Clock(_) | Self::Thread(_) | Self::WorkerLost(_) => Class::System,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Clock(_) => "clock-before-1970",
            Self::Decode(error) => error.reason(),
            Self::Ledger(error) => error.reason(),
            Self::Record { why, .. } => why.reason(),
            Self::Rejects(error) => error.reason(),
            Self::Sink(error) => error.reason(),
            Self::Source(error) => error.reason(),
            Self::Thread(_) => "io",
            Self::Trust(error) => error.reason(),
            Self::WorkerLost(_) => "worker-lost",
        }
    }
}

impl<S, K, R> From<PoolEnd<S, Self>> for PipelineError<S, K, R> {
    fn from(end: PoolEnd<S, Self>) -> Self {
        match end {
            PoolEnd::Sink(error) => error,
            PoolEnd::Source(error) => Self::Source(error),
            PoolEnd::Thread(error) => Self::Thread(error),
            PoolEnd::WorkerLost => Self::WorkerLost(WorkerLost),
        }
    }
}

impl<S, K, R> From<StepError> for PipelineError<S, K, R> {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Clock(error) => Self::Clock(error),
            StepError::Decode(error) => Self::Decode(error),
            StepError::Ledger(error) => Self::Ledger(error),
            StepError::Trust(error) => Self::Trust(error),
        }
    }
}

/// Why a step failed that knows no ends of the pipeline.
#[derive(Debug)]
pub(super) enum StepError {
    Clock(ClockBefore1970),
    Decode(FrameReadError),
    Ledger(ReplayError),
    Trust(TrustUnavailable),
}

impl From<ClockBefore1970> for StepError {
    fn from(error: ClockBefore1970) -> Self {
        Self::Clock(error)
    }
}

impl From<ObservationError> for StepError {
    fn from(error: ObservationError) -> Self {
        match error {
            ObservationError::Clock(error) => Self::Clock(error),
            ObservationError::Trust(error) => Self::Trust(error),
        }
    }
}

impl From<ReplayError> for StepError {
    fn from(error: ReplayError) -> Self {
        Self::Ledger(error)
    }
}
