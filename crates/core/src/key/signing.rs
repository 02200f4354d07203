//! The private half.

use std::fmt;
use std::io;

use ed25519_dalek::ed25519::signature::MultipartSigner;
use zeroize::Zeroizing;

use super::{KeyError, SIGNATURE_BYTES, VerifyingKey, pieces};

/// A private Ed25519 key: the seed of RFC 8032, Section 5.1.5.
///
/// It is wiped when dropped; copies that the compiler makes on the way into it are not. It is not `Clone`, and
/// [`Debug`](fmt::Debug) shows nothing of it.
///
/// ```
/// # use brine_core::{KeyError, SigningKey};
/// let key = SigningKey::generate()?;
/// let signature = key.sign(&[b"pay ", b"alice"]);
/// assert!(key.verifying_key().verify(&[b"pay alice"], &signature));
/// assert!(!key.verifying_key().verify(&[b"pay mallory"], &signature));
/// # Ok::<_, KeyError>(())
/// ```
pub struct SigningKey {
    /// Boxed: what moves afterwards is a pointer, which leaves no copy behind.
    secret: Box<ed25519_dalek::SigningKey>,
    public: VerifyingKey,
}

impl SigningKey {
    /// Makes the key that grows from a seed (RFC 8032, Section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        let secret = Box::new(ed25519_dalek::SigningKey::from_bytes(seed));
        let public = VerifyingKey::of(&secret);
        Self { secret, public }
    }

    /// Makes a new key from 32 random bytes of the operating system.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] if there are none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyError::Random)?;
        Ok(Self::from_seed(&seed))
    }

    /// Returns the public half.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs the concatenation of `parts`, which are not copied (RFC 8032, Section 5.1.6).
    ///
    /// The same bytes give the same signature, however they are cut.
    ///
    /// The parts **must** be memory that nobody else can write to while this runs, never a mapped
    /// file: they are hashed twice, first for the nonce and then for the challenge. If another
    /// process changes them in between, two signatures share a nonce and give the private key away.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; SIGNATURE_BYTES] {
        self.secret.multipart_sign(parts).to_bytes()
    }

    /// Signs a message that is too large for memory: `message` gives it out piece by piece, and is called
    /// twice.
    ///
    /// It **must** give the same bytes both times, so it **must** read from a copy that nobody else can
    /// write to. [`sign`](Self::sign) says what it costs otherwise: the private key.
    ///
    /// # Errors
    ///
    /// What `message` returns.
    pub fn sign_pieces(
        &self,
        message: impl Fn(&mut dyn FnMut(&[u8])) -> io::Result<()>,
    ) -> io::Result<[u8; SIGNATURE_BYTES]> {
        pieces::sign(&self.secret, message)
    }

    /// Returns the seed, which is the whole secret, for writing a key file.
    #[must_use]
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}
