//! Why a statement is refused.

use brine_core::cbor::Malformed;
use brine_core::text::shown;
use brine_core::{Class, Classified, Untrusted};

use crate::MAX_TRUST_FILE_BYTES;

/// Why a statement is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// It contradicts another one of the same signer.
    #[error("another statement contradicts it: {what}")]
    Conflict {
        /// In what they differ.
        what: &'static str,
    },
    /// Its envelope is refused, or its signer.
    #[error(transparent)]
    Envelope(#[from] brine_core::Error),
    /// It is not of the form that SPEC.md demands.
    #[error("statement is malformed: {what}")]
    Form {
        /// The rule that was broken.
        what: &'static str,
    },
    /// Its signer may vouch for nobody, and so revoke nobody else.
    #[error("{} may revoke its own key, and no other", shown(.signer))]
    Issuer {
        /// The signer's name.
        signer: String,
    },
    /// It is not CBOR of the types that SPEC.md demands.
    #[error("statement is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// It has no end, and has to have one.
    #[error("it has no expiry")]
    NoEnd,
    /// A newer list of the same signer is known.
    #[error("it is list {found} of its signer, and list {kept} is known here")]
    Older {
        /// Its number.
        found: u64,
        /// The number of the list that is kept.
        kept: u64,
    },
    /// A rotation is not signed by both keys alone.
    #[error("a rotation is signed by the key before, by the key after it, and by nobody else")]
    Signers,
    /// It lacks a key that the list before it revokes.
    #[error("it takes back what list {kept} of its signer revokes: key id {key_id}")]
    TakesBack {
        /// The number of the list that is kept.
        kept: u64,
        /// The key id, in hex.
        key_id: String,
    },
    /// All statements together are too large to be kept.
    #[error("statements are {found} bytes, limit is {MAX_TRUST_FILE_BYTES}")]
    TooLarge {
        /// Their size, in bytes.
        found: usize,
    },
    /// Its version is not known.
    #[error("statements of version {found} are not supported")]
    Version {
        /// The version.
        found: i64,
    },
}

impl StatementError {
    pub(super) const fn form(what: &'static str) -> Self {
        Self::Form { what }
    }
}

impl From<Untrusted> for StatementError {
    fn from(error: Untrusted) -> Self {
        Self::Envelope(error.into())
    }
}

impl Classified for StatementError {
    fn class(&self) -> Class {
        match self {
            Self::Envelope(error) => error.class(),
            Self::Form { .. } | Self::Malformed(_) => Class::Altered,
            Self::Conflict { .. }
            | Self::Issuer { .. }
            | Self::NoEnd
            | Self::Older { .. }
            | Self::Signers
            | Self::TakesBack { .. } => Class::Untrusted,
            Self::TooLarge { .. } | Self::Version { .. } => Class::Unsupported,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "statement-conflict",
            Self::Envelope(error) => error.reason(),
            Self::Form { .. } => "statement-form",
            Self::Issuer { .. } => "statement-issuer",
            Self::Malformed(error) => error.reason(),
            Self::NoEnd => "statement-no-end",
            Self::Older { .. } => "statement-older",
            Self::Signers => "statement-signers",
            Self::TakesBack { .. } => "statement-takes-back",
            Self::TooLarge { .. } => "statement-too-large",
            Self::Version { .. } => "statement-version",
        }
    }
}
