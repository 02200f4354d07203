//! What can be wrong with the kind of an envelope.

use crate::class::{Class, Classified};
use crate::cose::Label;
use crate::kind::Kind;
use crate::text::quoted;

/// Why an envelope is not taken for what it says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KindError {
    /// Envelopes of this kind are not signed in batches, and this one is.
    #[error("envelope is signed in a batch, and envelopes of its kind are not")]
    Batched {
        /// The algorithm.
        found: Label<'static>,
    },
    /// `typ` is not one of SPEC.md's and was not asked for (RFC 9596).
    #[error("unknown envelope type {}", quoted(.typ))]
    UnknownTyp {
        /// The type.
        typ: String,
    },
    /// There is no `typ`, and the caller did not say that such an envelope is data.
    #[error("envelope has no type: its signature does not say what it is for")]
    Untyped,
    /// The operation does not take envelopes of this kind.
    #[error("this is {found}, not {expected}")]
    Wrong {
        /// What is taken.
        expected: Kind,
        /// What it is.
        found: Kind,
    },
}

impl Classified for KindError {
    fn class(&self) -> Class {
        Class::Unsupported
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Batched { .. } => "algorithm-unsupported",
            Self::UnknownTyp { .. } => "unknown-typ",
            Self::Untyped => "untyped",
            Self::Wrong { .. } => "wrong-kind",
        }
    }
}
