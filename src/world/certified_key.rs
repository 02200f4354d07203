//! A key that brings certificates with whatever it signs.

use brine_core::{Algorithm, Certificates, Message, SigningBackend, SigningError, VerifyingKey};

use super::key_place::SharedSigner;

/// A key that brings certificates with whatever it signs.
pub(crate) struct CertifiedKey {
    pub(crate) key: SharedSigner,
    pub(crate) certificates: Certificates,
}

impl SigningBackend for CertifiedKey {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn certificates(&self) -> Option<&Certificates> {
        Some(&self.certificates)
    }

    fn message_limit(&self) -> Option<usize> {
        self.key.message_limit()
    }

    fn sign(&self, algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        self.key.sign(algorithm, parts)
    }

    fn sign_pieces(
        &self,
        algorithm: Algorithm,
        message: &Message<'_>,
    ) -> Result<Vec<u8>, SigningError> {
        self.key.sign_pieces(algorithm, message)
    }
}
