//! Signing and verifying messages that are too large for memory.

use std::cell::Cell;
use std::fmt;
use std::io;

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign_byupdate};
use ed25519_dalek::{Signature, SignatureError, StreamVerifier};
use sha2::{Digest as _, Sha512};

use super::SIGNATURE_BYTES;
use super::verifying::SMALL_ORDER;

/// A signature that is being verified over a message that comes piece by piece.
///
/// [`VerifyingKey::verification`](super::VerifyingKey::verification) makes one, and
/// [`VerifyingKey::verify`](super::VerifyingKey::verify) goes through it too: there is one judge.
#[must_use]
pub struct Verification(StreamVerifier);

impl Verification {
    /// Begins with nothing of the message; `None` if S or R is of no signature that is accepted.
    pub(super) fn begin(
        key: &ed25519_dalek::VerifyingKey,
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Option<Self> {
        let signature = Signature::from_bytes(signature);
        // The equation is about the bytes of R, so R is canonical where it holds; but it would take an
        // R of small order. The key was seen to when it was made.
        if SMALL_ORDER.contains(signature.r_bytes()) {
            return None;
        }
        key.verify_stream(&signature).ok().map(Self)
    }

    /// Takes the next bytes of the message.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns whether the signature is that of the message.
    #[must_use]
    pub fn finish(self) -> bool {
        self.0.finalize_and_verify().is_ok()
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").finish_non_exhaustive()
    }
}

/// Signs what `message` gives out, which it is asked for twice (RFC 8032, Section 5.1.6).
pub(super) fn sign(
    key: &ed25519_dalek::SigningKey,
    message: impl Fn(&mut dyn FnMut(&[u8])) -> io::Result<()>,
) -> io::Result<[u8; SIGNATURE_BYTES]> {
    // The seed is expanded by the library, and the public half is that of the seed: what makes this
    // interface dangerous is to mix the halves of two keys.
    let expanded = ExpandedSecretKey::from(key.as_bytes());
    let failed = Cell::new(None);
    let update = |hash: &mut Sha512| {
        message(&mut |piece| hash.update(piece)).map_err(|error| {
            failed.set(Some(error));
            SignatureError::new()
        })
    };
    let signature = raw_sign_byupdate(&expanded, update, &key.verifying_key());
    let reason = || failed.take().unwrap_or_else(|| io::Error::other("signing failed"));
    signature.map(|signature| signature.to_bytes()).map_err(|_| reason())
}
