//! What makes signatures: a key in memory, and later an agent or a token.

use std::io;

use crate::class::{Class, Classified};
use crate::cose::Algorithm;
use crate::key::{SIGNATURE_BYTES, SigningKey, VerifyingKey};
use crate::text::in_words;

/// Something that signs with one key, and may fail.
pub trait SigningBackend: Send + Sync {
    /// Returns the public half of the key.
    fn verifying_key(&self) -> &VerifyingKey;

    /// Signs the concatenation of `parts` with `algorithm`.
    ///
    /// The parts **must** be memory that nothing else writes to: see [`SigningKey::sign`].
    ///
    /// # Errors
    ///
    /// [`SigningError::Refused`].
    fn sign(&self, algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError>;

    /// Signs a message that does not fit memory. `message` passes it on piece by piece and is called twice.
    ///
    /// It **must** pass on the same bytes both times: see [`SigningKey::sign_pieces`].
    ///
    /// # Errors
    ///
    /// [`SigningError::Message`] if `message` failed, and [`SigningError::TooLarge`] if the backend cannot
    /// sign such messages, as agents cannot.
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
    /// The message could not be read.
    #[error("cannot read what is to be signed: {}", in_words(.0))]
    Message(io::Error),
    /// The backend refused.
    #[error("no signature: {why}")]
    Refused {
        /// The reason, in the words of the backend.
        why: String,
    },
    /// The backend cannot sign a message that does not fit memory.
    #[error("the signing key cannot sign a message of this size")]
    TooLarge,
}

impl Classified for SigningError {
    fn class(&self) -> Class {
        match self {
            Self::Message(_) => Class::System,
            Self::Refused { .. } => Class::Key,
            Self::TooLarge => Class::Unsupported,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Message(_) => "io",
            Self::Refused { .. } => "signing-refused",
            Self::TooLarge => "signing-too-large",
        }
    }
}
