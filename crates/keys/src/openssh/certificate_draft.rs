//! Issues OpenSSH certificates.

use brine_core::{Algorithm, ContextGlob, SigningBackend, SigningError, VerifyingKey};

use super::certificate::{CONTEXTS_EXTENSION, DELEGATE_EXTENSION};
use super::{ED25519, ED25519_CERTIFICATE, blob};

/// A certificate for a user that is to be issued.
#[derive(Clone, Copy, Debug)]
pub struct CertificateDraft<'a> {
    /// The key that it certifies.
    pub key: &'a VerifyingKey,
    /// Random bytes, which keep whoever asks for the certificate from choosing all that is signed.
    pub nonce: [u8; 32],
    /// The number of the certificate; 0 for none.
    pub serial: u64,
    /// What the issuer calls it.
    pub key_id: &'a str,
    /// Whom it names.
    pub principals: &'a [String],
    /// From when on it is valid, in seconds since 1970.
    pub valid_after: u64,
    /// The first second since 1970 at which it is not valid any more.
    pub valid_before: u64,
    /// The contexts that it is limited to; `None` leaves them to whoever trusts the issuer.
    pub contexts: Option<&'a [ContextGlob]>,
    /// Whether the key may issue certificates for what it may do itself.
    pub may_delegate: bool,
}

impl CertificateDraft<'_> {
    /// Has the issuer sign it, and returns the certificate in its binary form (PROTOCOL.certkeys).
    ///
    /// # Errors
    ///
    /// [`SigningError`].
    pub fn issue(&self, issuer: &dyn SigningBackend) -> Result<Vec<u8>, SigningError> {
        let mut principals = Vec::new();
        self.principals.iter().for_each(|name| put(&mut principals, name.as_bytes()));
        let mut extensions = Vec::new();
        if let Some(contexts) = self.contexts {
            let texts: Vec<_> = contexts.iter().map(ContextGlob::as_str).collect();
            let mut value = Vec::new();
            put(&mut value, texts.join(",").as_bytes());
            put(&mut extensions, CONTEXTS_EXTENSION.as_bytes());
            put(&mut extensions, &value);
        }
        if self.may_delegate {
            put(&mut extensions, DELEGATE_EXTENSION.as_bytes());
            put(&mut extensions, b"");
        }
        let mut certificate = Vec::new();
        put(&mut certificate, ED25519_CERTIFICATE);
        put(&mut certificate, &self.nonce);
        put(&mut certificate, &self.key.to_bytes());
        certificate.extend_from_slice(&self.serial.to_be_bytes());
        certificate.extend_from_slice(&USER.to_be_bytes());
        put(&mut certificate, self.key_id.as_bytes());
        put(&mut certificate, &principals);
        certificate.extend_from_slice(&self.valid_after.to_be_bytes());
        certificate.extend_from_slice(&self.valid_before.to_be_bytes());
        put(&mut certificate, b"");
        put(&mut certificate, &extensions);
        put(&mut certificate, b"");
        put(&mut certificate, &blob(&issuer.verifying_key().to_bytes()));
        let mut signature = Vec::new();
        put(&mut signature, ED25519.as_bytes());
        put(&mut signature, &issuer.sign(Algorithm::EdDsa, &[&certificate])?);
        put(&mut certificate, &signature);
        Ok(certificate)
    }
}

/// The type of a certificate for a user.
const USER: u32 = 1;

/// Writes a string (RFC 4251, Section 5).
fn put(output: &mut Vec<u8>, string: &[u8]) {
    // What is written here is far below 4 GiB.
    output.extend_from_slice(&u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    output.extend_from_slice(string);
}
