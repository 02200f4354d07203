//! Why an operation was refused, and whose fault that is.

mod batch_error;
mod kind_error;
mod signature_error;
mod stream_error;
mod system_error;

use std::io;

use crate::claims::ClaimsError;
use crate::class::{Class, Classified};
use crate::cose::FormError;
use crate::key::KeyError;
use crate::pool::WorkerLost;
use crate::signing::SigningError;
use crate::time::ClockBefore1970;
use crate::trust::{TrustUnavailable, Untrusted};

pub use self::batch_error::BatchError;
pub use self::kind_error::KindError;
pub use self::signature_error::SignatureError;
pub use self::stream_error::StreamError;
pub use self::system_error::SystemError;

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

impl From<TrustUnavailable> for Error {
    fn from(error: TrustUnavailable) -> Self {
        SystemError::from(error).into()
    }
}

impl From<WorkerLost> for Error {
    fn from(WorkerLost: WorkerLost) -> Self {
        SystemError::WorkerLost.into()
    }
}
