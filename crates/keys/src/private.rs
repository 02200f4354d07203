//! Reading private keys, in whatever form.

use brine_core::SigningKey;
use zeroize::Zeroizing;

use crate::KeyFileError;
use crate::form::Form;
use crate::openssh::OpensshFile;
use crate::pem::{self, EncryptedKey};

/// Reads a private key file.
///
/// This is PKCS#8 in PEM, plain or encrypted with PBES2, or an OpenSSH private key file, plain or
/// encrypted. `passphrase` is called once if the file is encrypted and can be opened at all, and never
/// otherwise.
///
/// # Errors
///
/// Whatever `passphrase` returns, and
///
/// - [`KeyFileError::WrongPassphrase`] if that does not open the file;
/// - [`KeyFileError::Mismatch`] if the file's public half is that of another key;
/// - [`KeyFileError::PrivateExpected`] for a public key;
/// - [`KeyFileError::TooCostly`] if the file asks for more than [`MAX_SCRYPT_BYTES`],
///   [`MAX_SCRYPT_WORK_BYTES`], [`MAX_PBKDF2_ITERATIONS`] or [`MAX_BCRYPT_ROUNDS`];
/// - [`KeyFileError::TooLarge`] above [`MAX_KEY_FILE_BYTES`];
/// - [`KeyFileError::NotEd25519`], [`KeyFileError::UnsupportedForm`], [`KeyFileError::Malformed`] and
///   [`KeyFileError::Unrecognised`] for files that are not taken;
/// - [`KeyFileError::Key`] for the public half of an OpenSSH file.
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
    match Form::of(bytes)? {
        Form::EncryptedPkcs8(der) => {
            let locked = EncryptedKey::parse(&der)?;
            Ok(locked.open(&passphrase()?)?)
        }
        Form::OpensshPrivate(file) => {
            let container = OpensshFile::parse(&file)?;
            if container.is_encrypted() {
                Ok(container.open(&passphrase()?)?)
            } else {
                Ok(container.read()?)
            }
        }
        Form::Pkcs8(der) => Ok(pem::read_private(&der)?),
        Form::OpensshPublic(_) | Form::Spki(_) => Err(KeyFileError::PrivateExpected.into()),
    }
}

/// Returns whether [`read_private`] would ask for a passphrase.
///
/// # Errors
///
/// Those of [`read_private`] that can be known before decryption, except that the private half of a
/// plain file is not looked at.
pub fn is_encrypted(bytes: &[u8]) -> Result<bool, KeyFileError> {
    match Form::of(bytes)? {
        Form::EncryptedPkcs8(der) => EncryptedKey::parse(&der).map(|_| true),
        Form::OpensshPrivate(file) => OpensshFile::parse(&file).map(|file| file.is_encrypted()),
        Form::Pkcs8(_) => Ok(false),
        Form::OpensshPublic(_) | Form::Spki(_) => Err(KeyFileError::PrivateExpected),
    }
}
