//! Why a statement is refused.

use brine_core::cbor::Malformed;
use brine_core::text::shown;
use brine_core::{Class, Classified, Untrusted};

/// Why a statement is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// It contradicts another one of the same signer.
    #[error("conflicts with another statement: {what}")]
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
    #[error("{} may revoke only its own key", shown(.signer))]
    Issuer {
        /// The signer's name.
        signer: String,
    },
    /// It is not CBOR of the types that SPEC.md demands.
    #[error("statement is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// It has no end, and has to have one.
    #[error("statement has no expiry")]
    NoEnd,
    /// Its number is that of a list from the future.
    #[error("list has number {found}, which is more than a day after now in seconds since 1970")]
    Number {
        /// The number.
        found: u64,
    },
    /// A newer list of the same signer is known.
    #[error("list {found} is older than list {kept} of the same signer, which is kept here")]
    Older {
        /// Its number.
        found: u64,
        /// The number of the list that is kept.
        kept: u64,
    },
    /// A rotation is not signed by both keys alone.
    #[error("a rotation needs the signatures of the old key and of the new one, and no others")]
    Signers,
    /// It lacks a key that the list before it revokes.
    #[error("list lacks key id {key_id}, which list {kept} of the same signer revokes")]
    TakesBack {
        /// The number of the list that is kept.
        kept: u64,
        /// The key id, in hex.
        key_id: String,
    },
    /// All statements together are too large to be kept.
    #[error("statements are {found} bytes together, limit is {limit}")]
    TooLarge {
        /// Their size, in bytes.
        found: usize,
        /// The limit, in bytes.
        limit: usize,
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
            | Self::Number { .. }
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
            Self::Number { .. } => "statement-number",
            Self::Older { .. } => "statement-older",
            Self::Signers => "statement-signers",
            Self::TakesBack { .. } => "statement-takes-back",
            Self::TooLarge { .. } => "statement-too-large",
            Self::Version { .. } => "statement-version",
        }
    }
}
