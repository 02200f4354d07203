//! Reads public keys of every form.

use brine_core::VerifyingKey;

use crate::form::KeyForm;
use crate::openssh::{OpensshFile, read_openssh_line};
use crate::{KeyFileError, pem};

/// Reads the public key in a key file: an OpenSSH public key file, SPKI in PEM, an OpenSSH private key file,
/// plain or encrypted, or plain PKCS#8 in PEM.
///
/// An OpenSSH public key file is one line. Blank lines and lines that begin with `#` do not count.
///
/// # Errors
///
/// - [`KeyFileError::PassphraseNeeded`] for encrypted PKCS#8, in which the public half is encrypted too;
/// - [`KeyFileError::Mismatch`] if the file holds a plain private half that belongs to another key;
/// - [`KeyFileError::TooLarge`] above [`MAX_KEY_FILE_BYTES`](crate::MAX_KEY_FILE_BYTES);
/// - [`KeyFileError::NotEd25519`], [`KeyFileError::UnsupportedForm`], [`KeyFileError::Malformed`],
///   [`KeyFileError::TooCostly`] and [`KeyFileError::Unrecognised`] for other files;
/// - [`KeyFileError::Key`] if [`VerifyingKey::from_bytes`] refuses the key.
pub fn read_public(bytes: &[u8]) -> Result<VerifyingKey, KeyFileError> {
    match KeyForm::of(bytes)? {
        KeyForm::EncryptedPkcs8(_) => Err(KeyFileError::PassphraseNeeded),
        KeyForm::OpensshPrivate(file) => OpensshFile::parse(&file)?.into_public(),
        KeyForm::OpensshPublic(line) => Ok(read_openssh_line(line)?.0),
        KeyForm::Pkcs8(der) => Ok(pem::read_pkcs8(&der)?.verifying_key().clone()),
        KeyForm::Spki(der) => pem::read_spki(&der),
    }
}

#[cfg(test)]
mod tests {
    use crate::spki_pem;

    use super::*;

    #[test]
    fn every_public_form_is_read() {
        let plain = read_public(fixture!("ed25519.pub.pem")).unwrap();
        assert_eq!(read_public(fixture!("ed25519.pem")), Ok(plain.clone()));
        assert_eq!(spki_pem(&plain).as_bytes(), fixture!("ed25519.pub.pem"));
        for (private, public) in [
            (fixture!("ssh"), fixture!("ssh.pub")),
            (fixture!("ssh.ctr"), fixture!("ssh.ctr.pub")),
            (fixture!("ssh.gcm"), fixture!("ssh.gcm.pub")),
            (fixture!("ssh.chacha"), fixture!("ssh.chacha.pub")),
        ] {
            let key = read_public(public).unwrap();
            assert_eq!(read_public(private), Ok(key.clone()));
            assert_eq!(read_public(spki_pem(&key).as_bytes()), Ok(key));
        }
        for encrypted in [fixture!("ed25519.default.pem"), fixture!("ed25519.scrypt.pem")] {
            assert_eq!(read_public(encrypted), Err(KeyFileError::PassphraseNeeded));
        }
    }
}
