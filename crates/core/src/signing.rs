//! What makes signatures: a key in memory, an agent, or a token.

use std::error::Error;
use std::{fmt, io};

use crate::certificates::Certificates;
use crate::class::{Class, Classified};
use crate::cose::Algorithm;
use crate::key::{SIGNATURE_BYTES, SigningKey, VerifyingKey};
use crate::text::in_words;

/// Something that signs with one key, and may fail.
pub trait SigningBackend: Send + Sync {
    /// Returns the public half of the key.
    fn verifying_key(&self) -> &VerifyingKey;

    /// Returns the certificates that whatever is signed brings for the key, if it has some. Nothing plain brings them.
    fn certificates(&self) -> Option<&Certificates> {
        None
    }

    /// Returns how many bytes the longest message has that it signs, or `None` if a message can have any length.
    ///
    /// The message is more than the payload: the protected header and the external data are signed with it. A longer
    /// one is refused with [`SigningError::TooLarge`].
    fn message_limit(&self) -> Option<usize> {
        None
    }

    /// Signs the concatenation of `parts` with `algorithm`.
    ///
    /// The parts **must** be memory that nothing else writes to: see [`SigningKey::sign`].
    ///
    /// # Errors
    ///
    /// [`SigningError::Refused`] and [`SigningError::Backend`], and [`SigningError::TooLarge`] beyond
    /// [`message_limit`](Self::message_limit).
    fn sign(&self, algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError>;

    /// Signs a message that does not fit memory. `message` passes it on piece by piece and is called up to two times.
    ///
    /// It **must** pass on the same bytes both times: see [`SigningKey::sign_pieces`].
    ///
    /// # Errors
    ///
    /// Those of [`sign`](Self::sign), [`SigningError::Message`] if `message` failed, and
    /// [`SigningError::TooLarge`] if the backend cannot sign such messages.
    fn sign_pieces(
        &self,
        algorithm: Algorithm,
        message: &Message<'_>,
    ) -> Result<Vec<u8>, SigningError> {
        let _ = (algorithm, message);
        Err(SigningError::TooLarge)
    }
}

/// A message that passes itself on, piece by piece.
pub type Message<'a> = dyn Fn(&mut dyn FnMut(&[u8])) -> io::Result<()> + 'a;

impl SigningBackend for SigningKey {
    fn verifying_key(&self) -> &VerifyingKey {
        Self::verifying_key(self)
    }

    fn sign(&self, _: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        Ok(Self::sign(self, parts).to_vec())
    }

    fn sign_pieces(&self, _: Algorithm, message: &Message<'_>) -> Result<Vec<u8>, SigningError> {
        let signature: [u8; SIGNATURE_BYTES] =
            Self::sign_pieces(self, message).map_err(SigningError::Message)?;
        Ok(signature.to_vec())
    }
}

/// Why no signature was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The backend failed in a way of its own.
    #[error(transparent)]
    Backend(#[from] BackendFailure),
    /// The message could not be read.
    #[error("cannot read what is to be signed: {}", in_words(.0))]
    Message(io::Error),
    /// The backend refused.
    #[error("no signature: {why}")]
    Refused {
        /// The reason, in the words of the backend.
        why: String,
    },
    /// The backend signs no message that is so long.
    #[error("the signing key cannot sign a message of this size")]
    TooLarge,
}

impl Classified for SigningError {
    fn class(&self) -> Class {
        match self {
            Self::Backend(failure) => failure.class(),
            Self::Message(_) => Class::System,
            Self::Refused { .. } => Class::Key,
            Self::TooLarge => Class::Unsupported,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Backend(failure) => failure.reason(),
            Self::Message(_) => "io",
            Self::Refused { .. } => "signing-refused",
            Self::TooLarge => "signing-too-large",
        }
    }
}

/// Why a backend made no signature: an error of its own, with its class and its short name.
#[derive(Debug)]
pub struct BackendFailure {
    class: Class,
    reason: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl BackendFailure {
    /// Wraps the error of a backend.
    #[must_use]
    pub fn new(source: impl Classified + Send + Sync + 'static) -> Self {
        Self { class: source.class(), reason: source.reason(), source: source.into() }
    }
}

impl fmt::Display for BackendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl Error for BackendFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

impl Classified for BackendFailure {
    fn class(&self) -> Class {
        self.class
    }

    fn reason(&self) -> &'static str {
        self.reason
    }
}
