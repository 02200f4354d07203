//! Why an operation was refused, and whose fault that is.

use std::io;

use crate::claims::ClaimsError;
use crate::class::{Class, Classified};
use crate::cose::{FormError, Label};
use crate::key::KeyError;
use crate::kind::Kind;
use crate::pool::WorkerLost;
use crate::signing::SigningError;
use crate::stream::StreamError;
use crate::time::ClockBefore1970;
use crate::trust::Untrusted;

/// The result type of signing and verifying.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why signing or verifying was refused.
///
/// Each variant holds the error of one part of the crate, whose variants are the reasons.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Records cannot be signed in one batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Context or time does not hold.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// The envelope is not of the form that SPEC.md demands.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The envelope is of another kind.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// The signature does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signing key made no signature.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A stream was refused.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The system failed.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The signer is not trusted, or not for this.
    #[error(transparent)]
    Trust(#[from] Untrusted),
}

impl Error {
    /// Returns whether reading the input is what failed.
    #[must_use]
    pub const fn is_input(&self) -> bool {
        matches!(self, Self::System(SystemError::Input(_)))
    }

    pub(crate) fn input(error: io::Error) -> Self {
        SystemError::Input(error).into()
    }

    pub(crate) fn output(error: io::Error) -> Self {
        SystemError::Output(error).into()
    }
}

impl Classified for Error {
    fn class(&self) -> Class {
        self.part().class()
    }

    fn reason(&self) -> &'static str {
        self.part().reason()
    }
}

impl Error {
    fn part(&self) -> &dyn Classified {
        match self {
            Self::Batch(error) => error,
            Self::Claims(error) => error,
            Self::Form(error) => error,
            Self::Key(error) => error,
            Self::Kind(error) => error,
            Self::Signature(error) => error,
            Self::Signing(error) => error,
            Self::Stream(error) => error,
            Self::System(error) => error,
            Self::Trust(error) => error,
        }
    }
}

impl From<crate::cbor::Malformed> for Error {
    fn from(error: crate::cbor::Malformed) -> Self {
        FormError::Malformed(error).into()
    }
}

impl From<ClockBefore1970> for Error {
    fn from(ClockBefore1970: ClockBefore1970) -> Self {
        SystemError::ClockBefore1970.into()
    }
}

impl From<WorkerLost> for Error {
    fn from(WorkerLost: WorkerLost) -> Self {
        SystemError::WorkerLost.into()
    }
}

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

/// Why an envelope is not taken for what it says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KindError {
    /// Envelopes of this kind are not signed in batches, and this one is.
    #[error("algorithm {found} is not supported")]
    Batched {
        /// The algorithm.
        found: Label<'static>,
    },
    /// `typ` is not one of SPEC.md's and was not asked for (RFC 9596).
    #[error("unknown envelope type {typ:?}")]
    UnknownTyp {
        /// The type.
        typ: String,
    },
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
            Self::Wrong { .. } => "wrong-kind",
        }
    }
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It does not verify with the key that the envelope names.
    #[error("signature does not verify: envelope, payload or external data was altered")]
    Bad,
    /// The content is not what was signed: its digest is another.
    #[error("content does not have the digest that was signed")]
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

/// Why the system around the library failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// The system clock is set before 1970.
    #[error("{ClockBefore1970}")]
    ClockBefore1970,
    /// Reading failed.
    #[error("input: {0}")]
    Input(io::Error),
    /// There is no memory for a segment, or for records.
    #[error("no memory for {bytes} bytes")]
    OutOfMemory {
        /// How many bytes were wanted.
        bytes: usize,
    },
    /// Writing failed.
    #[error("output: {0}")]
    Output(io::Error),
    /// A store for what does not fit memory failed.
    #[error("store: {0}")]
    Store(io::Error),
    /// A thread ended before its work was done.
    #[error("{WorkerLost}")]
    WorkerLost,
}

impl Classified for SystemError {
    fn class(&self) -> Class {
        Class::System
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ClockBefore1970 => "clock-before-1970",
            Self::Input(_) | Self::Output(_) | Self::Store(_) => "io",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::WorkerLost => "worker-lost",
        }
    }
}
