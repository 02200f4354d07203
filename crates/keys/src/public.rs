//! Reading public keys, in whatever form.

use brine_core::VerifyingKey;

use crate::form::Form;
use crate::openssh::{OpensshFile, read_openssh_line};
use crate::{KeyFileError, pem};

/// Reads a key file in any form that shows its public half.
///
/// This is an OpenSSH public key file (blank lines and lines with `#` aside, one line), SPKI in PEM, an
/// OpenSSH private key file, whether it is encrypted or not, or plain PKCS#8 in PEM.
///
/// # Errors
///
/// - [`KeyFileError::PassphraseNeeded`] for encrypted PKCS#8, which hides the public half too;
/// - [`KeyFileError::Mismatch`] if a private key that can be read does not belong to the public one;
/// - [`KeyFileError::TooLarge`] above [`MAX_KEY_FILE_BYTES`](crate::MAX_KEY_FILE_BYTES);
/// - [`KeyFileError::NotEd25519`], [`KeyFileError::UnsupportedForm`], [`KeyFileError::Malformed`],
///   [`KeyFileError::TooCostly`] and [`KeyFileError::Unrecognised`] for files that are not taken;
/// - [`KeyFileError::Key`] by [`VerifyingKey::from_bytes`].
pub fn read_public(bytes: &[u8]) -> Result<VerifyingKey, KeyFileError> {
    match Form::of(bytes)? {
        Form::EncryptedPkcs8(_) => Err(KeyFileError::PassphraseNeeded),
        Form::OpensshPrivate(file) => OpensshFile::parse(&file)?.into_public(),
        Form::OpensshPublic(line) => Ok(read_openssh_line(line)?.0),
        Form::Pkcs8(der) => Ok(pem::read_private(&der)?.verifying_key().clone()),
        Form::Spki(der) => pem::read_public(&der),
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
