//! What can be wrong with a batch.

use crate::class::{Class, Classified};
use crate::kind::Kind;

/// Why records cannot be signed in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The batch holds as many records, or bytes, as it may.
    #[error("batch is full")]
    Full,
    /// Verifiers refuse envelopes of this kind that are signed in batches.
    #[error("{kind} cannot be signed in a batch")]
    Kind {
        /// The kind of the statement.
        kind: Kind,
    },
    /// The statement of a record has no claims.
    #[error("a record without claims cannot be signed in a batch")]
    Plain,
}

impl Classified for BatchError {
    fn class(&self) -> Class {
        Class::Unsupported
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Full => "batch-full",
            Self::Kind { .. } => "batch-kind",
            Self::Plain => "batch-plain",
        }
    }
}
