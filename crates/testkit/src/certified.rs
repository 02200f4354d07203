//! A key that brings certificates, however useless they are.

use brine_core::{
    Algorithm, Certificates, Message, SigningBackend, SigningError, SigningKey, VerifyingKey,
};

/// A key that brings certificates with whatever it signs.
#[derive(Debug)]
pub struct Certified {
    key: SigningKey,
    certificates: Certificates,
}

impl Certified {
    /// Returns a key that brings these, in their binary form.
    ///
    /// # Panics
    ///
    /// If no envelope can bring them.
    #[must_use]
    pub fn new(key: SigningKey, certificates: &[impl AsRef<[u8]>]) -> Self {
        Self { key, certificates: Certificates::new(certificates).unwrap() }
    }
}

impl SigningBackend for Certified {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn certificates(&self) -> Option<&Certificates> {
        Some(&self.certificates)
    }

    fn sign(&self, _: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        Ok(self.key.sign(parts).to_vec())
    }

    fn sign_pieces(
        &self,
        algorithm: Algorithm,
        message: &Message<'_>,
    ) -> Result<Vec<u8>, SigningError> {
        SigningBackend::sign_pieces(&self.key, algorithm, message)
    }
}
