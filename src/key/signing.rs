//! The private half.

use std::fmt;
use std::io;

use ed25519_dalek::ed25519::signature::MultipartSigner;
use zeroize::Zeroizing;

use super::form::Form;
use super::openssh::{self, Container};
use super::pem::{self, Locked};
use super::{KeyError, VerifyingKey, pieces};

/// A private Ed25519 key: the seed of RFC 8032, Section 5.1.5.
///
/// It is wiped when dropped; copies that the compiler makes on the way into it are not. It is not `Clone`, and
/// [`Debug`](fmt::Debug) shows nothing of it.
///
/// ```
/// # use brine::key::{KeyError, SigningKey};
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
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 64] {
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
    ) -> io::Result<[u8; 64]> {
        pieces::sign(&self.secret, message)
    }

    /// Reads a private key file.
    ///
    /// This is PKCS#8 in PEM, plain or encrypted with PBES2, or an OpenSSH private key file, plain
    /// or encrypted. `passphrase` is called once if the file is encrypted and can be opened at all,
    /// and never otherwise.
    ///
    /// # Errors
    ///
    /// Whatever `passphrase` returns, and
    ///
    /// - [`KeyError::WrongPassphrase`] if that does not open the file;
    /// - [`KeyError::Mismatch`] if the file's public half is that of another key;
    /// - [`KeyError::PrivateExpected`] for a public key;
    /// - [`KeyError::TooCostly`] if the file asks for more than [`MAX_SCRYPT_BYTES`],
    ///   [`MAX_SCRYPT_WORK_BYTES`], [`MAX_PBKDF2_ITERATIONS`] or [`MAX_BCRYPT_ROUNDS`];
    /// - [`KeyError::TooLarge`] above [`MAX_KEY_FILE_BYTES`];
    /// - [`KeyError::NotEd25519`], [`KeyError::UnsupportedForm`], [`KeyError::Malformed`] and
    ///   [`KeyError::Unrecognised`] for files that are not taken;
    /// - [`KeyError::NonCanonical`] and [`KeyError::Weak`] for the public half of an OpenSSH file.
    ///
    /// [`MAX_BCRYPT_ROUNDS`]: super::MAX_BCRYPT_ROUNDS
    /// [`MAX_KEY_FILE_BYTES`]: super::MAX_KEY_FILE_BYTES
    /// [`MAX_PBKDF2_ITERATIONS`]: super::MAX_PBKDF2_ITERATIONS
    /// [`MAX_SCRYPT_BYTES`]: super::MAX_SCRYPT_BYTES
    /// [`MAX_SCRYPT_WORK_BYTES`]: super::MAX_SCRYPT_WORK_BYTES
    pub fn parse<E: From<KeyError>>(
        bytes: &[u8],
        passphrase: &mut dyn FnMut() -> Result<Zeroizing<String>, E>,
    ) -> Result<Self, E> {
        match Form::of(bytes)? {
            Form::EncryptedPkcs8(der) => {
                let locked = Locked::parse(&der)?;
                Ok(locked.open(&passphrase()?)?)
            }
            Form::OpensshPrivate(file) => {
                let container = Container::parse(&file)?;
                if container.is_encrypted() {
                    Ok(container.open(&passphrase()?)?)
                } else {
                    Ok(container.read()?)
                }
            }
            Form::Pkcs8(der) => Ok(pem::read_private(&der)?),
            Form::OpensshPublic(_) | Form::Spki(_) => Err(KeyError::PrivateExpected.into()),
        }
    }

    /// Returns whether [`SigningKey::parse`] would ask for a passphrase.
    ///
    /// # Errors
    ///
    /// Those of [`SigningKey::parse`] that can be known before decryption, except that the private
    /// half of a plain file is not looked at.
    pub fn is_encrypted(bytes: &[u8]) -> Result<bool, KeyError> {
        match Form::of(bytes)? {
            Form::EncryptedPkcs8(der) => Locked::parse(&der).map(|_| true),
            Form::OpensshPrivate(file) => Container::parse(&file).map(|file| file.is_encrypted()),
            Form::Pkcs8(_) => Ok(false),
            Form::OpensshPublic(_) | Form::Spki(_) => Err(KeyError::PrivateExpected),
        }
    }

    /// Writes the key as PKCS#8 version 1 in PEM (RFC 8410, Section 7), the same bytes as
    /// `openssl genpkey` would.
    ///
    /// Version 2 would carry the public half, and OpenSSL before 3.5 cannot read it.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] if the text does not fit in memory.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        pem::write_private(self.seed())
    }

    /// Writes the key as PKCS#8 in PEM, encrypted with PBES2: scrypt with N = 2^14, r = 8, p = 1
    /// (RFC 7914), and AES-256-CBC (RFC 8018, Section 6.2).
    ///
    /// # Errors
    ///
    /// - [`KeyError::PassphraseEmpty`] for an empty passphrase, which protects nothing;
    /// - [`KeyError::Random`] if there is no salt to be had;
    /// - [`KeyError::Malformed`] if the text does not fit in memory.
    pub fn to_encrypted_pkcs8_pem(&self, passphrase: &str) -> Result<Zeroizing<String>, KeyError> {
        pem::write_encrypted(self.seed(), passphrase)
    }

    /// Writes the key as an OpenSSH private key file, encrypted with AES-256-CTR and bcrypt if there
    /// is a passphrase.
    ///
    /// Control characters in the comment become blanks.
    ///
    /// # Errors
    ///
    /// - [`KeyError::PassphraseEmpty`] for `Some("")`, which is not the same as `None`;
    /// - [`KeyError::Random`] if there is no salt to be had;
    /// - [`KeyError::Malformed`] if the text does not fit in memory.
    pub fn to_openssh(
        &self,
        comment: &str,
        passphrase: Option<&str>,
    ) -> Result<Zeroizing<String>, KeyError> {
        openssh::write_private(self, comment, passphrase)
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
