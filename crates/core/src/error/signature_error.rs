//! What can be wrong with a signature.

use crate::class::{Class, Classified};

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It does not verify with the key that the envelope names.
    #[error("signature does not verify: it or what it signs was altered")]
    Bad,
    /// The content is not what was signed: its digest is another.
    #[error("content is not what was signed: it was altered, or belongs to another signature")]
    DigestMismatch,
    /// It verifies with no trusted key, and the envelope names none.
    #[error("signature does not verify with any of the {tried} trusted keys")]
    NoKeyVerifies {
        /// How many keys were tried.
        tried: usize,
    },
}

impl Classified for SignatureError {
    fn class(&self) -> Class {
        Class::Altered
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Bad | Self::NoKeyVerifies { .. } => "signature-bad",
            Self::DigestMismatch => "digest-mismatch",
        }
    }
}
