//! Reads private keys of every form.

use brine_core::SigningKey;
use zeroize::Zeroizing;

use crate::KeyFileError;
use crate::form::KeyForm;
use crate::openssh::OpensshFile;
use crate::pem::{self, EncryptedKey};

/// Reads a private key file: PKCS#8 in PEM, plain or encrypted with PBES2, or an OpenSSH private key file,
/// plain or encrypted.
///
/// `passphrase` is called once if the file is encrypted and passes all checks that need no passphrase, and
/// otherwise never.
///
/// # Errors
///
/// The error of `passphrase`, and
///
/// - [`KeyFileError::WrongPassphrase`] if the passphrase does not open the file;
/// - [`KeyFileError::Mismatch`] if the public half in the file is that of another key;
/// - [`KeyFileError::PrivateExpected`] for a public key;
/// - [`KeyFileError::TooCostly`] if the file demands more than [`MAX_SCRYPT_BYTES`],
///   [`MAX_SCRYPT_WORK_BYTES`], [`MAX_PBKDF2_ITERATIONS`] or [`MAX_BCRYPT_ROUNDS`];
/// - [`KeyFileError::TooLarge`] above [`MAX_KEY_FILE_BYTES`];
/// - [`KeyFileError::NotEd25519`], [`KeyFileError::UnsupportedForm`], [`KeyFileError::Malformed`] and
///   [`KeyFileError::Unrecognised`] for other files;
/// - [`KeyFileError::Key`] if the public half in an OpenSSH file is no key that can be used.
///
/// ```
/// use brine_keys::{KeyFileError, encrypted_pkcs8_pem, read_private};
/// use zeroize::Zeroizing;
///
/// let key = brine_core::SigningKey::generate()?;
/// let file = encrypted_pkcs8_pem(&key, "correct horse")?;
///
/// let mut ask = || Ok(Zeroizing::new("correct horse".to_owned()));
/// let read = read_private::<KeyFileError>(file.as_bytes(), &mut ask)?;
/// assert_eq!(read.verifying_key(), key.verifying_key());
/// # Ok::<(), KeyFileError>(())
/// ```
///
/// [`MAX_BCRYPT_ROUNDS`]: crate::MAX_BCRYPT_ROUNDS
/// [`MAX_KEY_FILE_BYTES`]: crate::MAX_KEY_FILE_BYTES
/// [`MAX_PBKDF2_ITERATIONS`]: crate::MAX_PBKDF2_ITERATIONS
/// [`MAX_SCRYPT_BYTES`]: crate::MAX_SCRYPT_BYTES
/// [`MAX_SCRYPT_WORK_BYTES`]: crate::MAX_SCRYPT_WORK_BYTES
pub fn read_private<E: From<KeyFileError>>(
    bytes: &[u8],
    passphrase: &mut dyn FnMut() -> Result<Zeroizing<String>, E>,
) -> Result<SigningKey, E> {
    match KeyForm::of(bytes)? {
        KeyForm::EncryptedPkcs8(der) => {
            let locked = EncryptedKey::parse(&der)?;
            Ok(locked.open(&passphrase()?)?)
        }
        KeyForm::OpensshPrivate(file) => {
            let container = OpensshFile::parse(&file)?;
            if container.is_encrypted() {
                Ok(container.open(&passphrase()?)?)
            } else {
                Ok(container.read()?)
            }
        }
        KeyForm::Pkcs8(der) => Ok(pem::read_pkcs8(&der)?),
        KeyForm::OpensshPublic(_) | KeyForm::Spki(_) => Err(KeyFileError::PrivateExpected.into()),
    }
}

/// Returns whether [`read_private`] would ask for a passphrase.
///
/// # Errors
///
/// Those of [`read_private`] that need no passphrase. The private half of a plain file is not read.
pub fn is_encrypted(bytes: &[u8]) -> Result<bool, KeyFileError> {
    match KeyForm::of(bytes)? {
        KeyForm::EncryptedPkcs8(der) => EncryptedKey::parse(&der).map(|_| true),
        KeyForm::OpensshPrivate(file) => OpensshFile::parse(&file).map(|file| file.is_encrypted()),
        KeyForm::Pkcs8(_) => Ok(false),
        KeyForm::OpensshPublic(_) | KeyForm::Spki(_) => Err(KeyFileError::PrivateExpected),
    }
}
