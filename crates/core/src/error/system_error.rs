//! What can be wrong with the system.

use std::io;

use crate::class::{Class, Classified};
use crate::pool::WorkerLost;
use crate::text::in_words;
use crate::time::ClockBefore1970;
use crate::trust::TrustUnavailable;

/// Why the system around the library failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// The system clock is set before 1970.
    #[error("{ClockBefore1970}")]
    ClockBefore1970,
    /// Reading failed.
    #[error("cannot read the input: {}", in_words(.0))]
    Input(io::Error),
    /// There is no memory for a segment, or for records.
    #[error("not enough memory: {bytes} bytes more are needed")]
    OutOfMemory {
        /// How many bytes were wanted.
        bytes: usize,
    },
    /// Writing failed.
    #[error("cannot write the output: {}", in_words(.0))]
    Output(io::Error),
    /// A store for what does not fit memory failed.
    #[error("cannot keep the payload: {}", in_words(.0))]
    Store(io::Error),
    /// Who is trusted cannot be found out.
    #[error(transparent)]
    Trust(#[from] TrustUnavailable),
    /// A thread ended before its work was done.
    #[error("{WorkerLost}")]
    WorkerLost,
}

impl Classified for SystemError {
    fn class(&self) -> Class {
        match self {
            Self::Trust(error) => error.class(),
            _ => Class::System,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ClockBefore1970 => "clock-before-1970",
            Self::Input(_) | Self::Output(_) | Self::Store(_) => "io",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::Trust(error) => error.reason(),
            Self::WorkerLost => "worker-lost",
        }
    }
}
