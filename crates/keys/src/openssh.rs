//! The forms of OpenSSH: public key lines, and in a module of their own private key files.

mod certificate;
mod certificate_draft;
mod private_file;

use base64ct::{Base64, Encoding};
use brine_core::VerifyingKey;
use brine_core::text::is_harmless;

use crate::{KeyFileError, OtherKeyForm};

pub use self::certificate::{
    CONTEXTS_EXTENSION, DELEGATE_EXTENSION, OpensshCertificate, certificate_in_line,
    certificate_line,
};
pub use self::certificate_draft::CertificateDraft;
pub(crate) use self::private_file::OpensshFile;
pub use self::private_file::{MAX_BCRYPT_ROUNDS, openssh_private};

/// Reads an OpenSSH public key line, `ssh-ed25519 AAAA… comment`, and returns the key and the comment.
///
/// The comment may be any bytes, control characters too. It is returned as it is written, with U+FFFD in place of
/// what is not UTF-8. It is empty if there is none.
///
/// # Errors
///
/// - [`KeyFileError::NotEd25519`] for another type of key;
/// - [`KeyFileError::UnsupportedForm`] for a certificate;
/// - [`KeyFileError::Unrecognised`] if the line does not begin with a type of key;
/// - [`KeyFileError::Malformed`] for more than one line, broken base64 and broken data;
/// - [`KeyFileError::Key`] if [`VerifyingKey::from_bytes`] refuses the key.
pub fn read_openssh_line(line: impl AsRef<[u8]>) -> Result<(VerifyingKey, String), KeyFileError> {
    let line = line.as_ref().trim_ascii();
    if line.iter().any(|byte| b"\n\r".contains(byte)) {
        return Err(KeyFileError::malformed(PUBLIC, "more than one line"));
    }
    let (name, rest) = split_word(line);
    require_ed25519(key_type(name).ok_or(KeyFileError::Unrecognised)?)?;
    let (base64, comment) = split_word(rest);
    let blob = decode_blob(base64)?;
    Ok((read_blob(&blob)?, String::from_utf8_lossy(comment).into_owned()))
}

/// Reads the line of an OpenSSH certificate over an Ed25519 key, and returns the key that it certifies.
///
/// The certificate itself is not verified: nothing may be believed because of it.
///
/// # Errors
///
/// - [`KeyFileError::Unrecognised`] if the line does not begin with the type of such a certificate;
/// - [`KeyFileError::Malformed`] for broken base64 and broken data;
/// - [`KeyFileError::Key`] if [`VerifyingKey::from_bytes`] refuses the key.
pub fn certified_key(line: impl AsRef<[u8]>) -> Result<VerifyingKey, KeyFileError> {
    let (name, rest) = split_word(line.as_ref().trim_ascii());
    if name != ED25519_CERTIFICATE {
        return Err(KeyFileError::Unrecognised);
    }
    let broken = |why| KeyFileError::malformed(PUBLIC, why);
    let blob = decode_blob(split_word(rest).0)?;
    let mut blob = Strings(&blob);
    let mut next = || blob.string().map_err(|_| broken("the data ends too early"));
    let (found, _nonce, key) = (next()?, next()?, next()?);
    let key = key.try_into().ok().filter(|_| found == ED25519_CERTIFICATE);
    Ok(VerifyingKey::from_bytes(key.ok_or_else(|| broken("it certifies another type of key"))?)?)
}

/// Reads the binary form of an OpenSSH public key (RFC 8709, Section 4).
///
/// # Errors
///
/// Those of [`read_openssh_line`] by what is in its base64.
pub fn read_openssh_blob(blob: &[u8]) -> Result<VerifyingKey, KeyFileError> {
    read_blob(blob)
}

/// Writes a key in OpenSSH's binary form (RFC 8709, Section 4).
#[must_use]
pub fn openssh_blob(key: &VerifyingKey) -> Vec<u8> {
    blob(&key.to_bytes())
}

/// Writes a key as an OpenSSH public key line, without a newline.
///
/// Control characters in the comment become spaces, so that no comment can begin a second line.
#[must_use]
pub fn openssh_line(key: &VerifyingKey, comment: &str) -> String {
    let base64 = Base64::encode_string(&blob(&key.to_bytes()));
    let line = format!("{ED25519} {base64} {}", one_line(comment));
    line.trim_ascii_end().to_owned()
}

/// Returns the words of a line. As in OpenSSH, spaces and tabs separate them, and no other white space.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty())
}

/// Returns a word that can name a type of key (RFC 4253, Section 6.6, and later documents).
pub(crate) fn key_type(word: &[u8]) -> Option<&str> {
    let known: [&[u8]; 5] = [b"ecdsa-sha2-", b"rsa-sha2-", b"sk-", b"ssh-", b"webauthn-sk-"];
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.@".contains(byte);
    // RFC 4251, Section 6 allows 64 characters. Messages quote these names, so nothing else may pass.
    let is_type = word.len() <= 64
        && word.iter().all(plain)
        && known.iter().any(|start| word.starts_with(start));
    str::from_utf8(word).ok().filter(|_| is_type)
}

/// Refuses other types of key by name.
pub(crate) fn require_ed25519(name: &str) -> Result<(), KeyFileError> {
    if name == ED25519 {
        Ok(())
    } else if name.contains("-cert-v") {
        Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::OpensshCertificate })
    } else {
        Err(KeyFileError::not_ed25519(name))
    }
}

/// Reads `string "ssh-ed25519", string key` (RFC 8709, Section 4).
fn read_blob(bytes: &[u8]) -> Result<VerifyingKey, KeyFileError> {
    let broken = |_| KeyFileError::malformed(PUBLIC, "the data ends too early");
    let mut blob = Strings(bytes);
    let not_a_name = || KeyFileError::malformed(PUBLIC, "the type of key is not a name");
    let name = blob.string().map_err(broken)?;
    require_ed25519(key_type(name).ok_or_else(not_a_name)?)?;
    let key = blob.string().map_err(broken)?;
    match (key.try_into(), blob.0) {
        (Ok(key), []) => Ok(VerifyingKey::from_bytes(key)?),
        (Ok(_), _) => Err(KeyFileError::malformed(PUBLIC, "data after the key")),
        (Err(_), _) => Err(KeyFileError::malformed(PUBLIC, "the key is not 32 bytes long")),
    }
}

/// Writes the public key in its wire encoding (RFC 8709, Section 4).
pub(crate) fn blob(key: &[u8; 32]) -> Vec<u8> {
    [b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice(), key].concat()
}

/// Replaces characters that could begin a second line, act on a terminal, or not be seen.
fn one_line(comment: &str) -> String {
    let harmless: String = comment.chars().map(|c| if is_harmless(c) { c } else { ' ' }).collect();
    harmless.trim_ascii().to_owned()
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| b" \t".contains(byte)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, rest.trim_ascii_start())
}

fn decode_blob(base64: &[u8]) -> Result<Vec<u8>, KeyFileError> {
    let broken = || KeyFileError::malformed(PUBLIC, "the base64 is broken");
    let base64 = str::from_utf8(base64).map_err(|_| broken())?;
    Base64::decode_vec(base64).map_err(|_| broken())
}

fn malformed(why: &str) -> KeyFileError {
    KeyFileError::malformed(PRIVATE, why)
}

/// A reader of the types of RFC 4251, Section 5.
pub(crate) struct Strings<'a>(pub(crate) &'a [u8]);

impl<'a> Strings<'a> {
    pub(crate) fn uint32(&mut self) -> Result<u32, KeyFileError> {
        let (head, rest) =
            self.0.split_first_chunk().ok_or_else(|| malformed("it ends too early"))?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*head))
    }

    pub(crate) fn string(&mut self) -> Result<&'a [u8], KeyFileError> {
        let length = usize::try_from(self.uint32()?).unwrap_or(usize::MAX);
        let (string, rest) =
            self.0.split_at_checked(length).ok_or_else(|| malformed("it ends too early"))?;
        self.0 = rest;
        Ok(string)
    }
}

pub(crate) const PUBLIC: &str = "OpenSSH public key";
const PRIVATE: &str = "OpenSSH private key";
pub(crate) const ED25519: &str = "ssh-ed25519";

/// A certificate over an Ed25519 key (PROTOCOL.certkeys).
pub(crate) const ED25519_CERTIFICATE: &[u8] = b"ssh-ed25519-cert-v01@openssh.com";

#[cfg(test)]
mod tests;
