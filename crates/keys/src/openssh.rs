//! The forms of OpenSSH: public key lines, and in a module of their own private key files.

mod private_file;

use base64ct::{Base64, Base64Unpadded, Encoding};
use brine_core::VerifyingKey;
use sha2::{Digest, Sha256};

use crate::KeyFileError;

pub(crate) use self::private_file::OpensshFile;
pub use self::private_file::{MAX_BCRYPT_ROUNDS, openssh_private};

/// Reads an OpenSSH public key line, `ssh-ed25519 AAAA… comment`, and returns the key and the comment.
///
/// The comment is returned as it is written and may hold control characters. It is empty if there is none.
///
/// # Errors
///
/// - [`KeyFileError::NotEd25519`] for another type of key;
/// - [`KeyFileError::UnsupportedForm`] for a certificate;
/// - [`KeyFileError::Unrecognised`] if the line does not begin with a type of key;
/// - [`KeyFileError::Malformed`] for more than one line, broken base64 and broken data;
/// - [`KeyFileError::Key`] if [`VerifyingKey::from_bytes`] refuses the key.
pub fn read_openssh_line(line: &str) -> Result<(VerifyingKey, String), KeyFileError> {
    let line = line.trim_ascii();
    if line.contains(['\n', '\r']) {
        return Err(KeyFileError::malformed(PUBLIC, "more than one line"));
    }
    let (name, rest) = split_word(line);
    if !is_key_type(name) {
        return Err(KeyFileError::Unrecognised);
    }
    require_ed25519(name)?;
    let (base64, comment) = split_word(rest);
    let blob = Base64::decode_vec(base64)
        .map_err(|_| KeyFileError::malformed(PUBLIC, "the base64 is broken"))?;
    Ok((read_blob(&blob)?, comment.to_owned()))
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

/// Returns the fingerprint that `ssh-keygen -l` prints: `SHA256:` and base64 without padding.
#[must_use]
pub fn ssh_fingerprint(key: &VerifyingKey) -> String {
    let digest = Sha256::digest(blob(&key.to_bytes()));
    format!("SHA256:{}", Base64Unpadded::encode_string(&digest))
}

/// Returns whether a word can name a type of key (RFC 4253, Section 6.6, and later documents).
pub(crate) fn is_key_type(word: &str) -> bool {
    let known = ["ecdsa-sha2-", "sk-", "ssh-", "webauthn-sk-"];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.@".contains(&byte);
    // RFC 4251, Section 6 allows 64 characters. Messages quote these names, so nothing else may pass.
    word.len() <= 64 && word.bytes().all(plain) && known.iter().any(|start| word.starts_with(start))
}

/// Refuses other types of key by name.
pub(crate) fn require_ed25519(name: &str) -> Result<(), KeyFileError> {
    if name == ED25519 {
        Ok(())
    } else if name.contains("-cert-v") {
        Err(KeyFileError::UnsupportedForm { form: "OpenSSH certificate" })
    } else {
        Err(KeyFileError::not_ed25519(name))
    }
}

/// Reads `string "ssh-ed25519", string key` (RFC 8709, Section 4).
fn read_blob(bytes: &[u8]) -> Result<VerifyingKey, KeyFileError> {
    let broken = |_| KeyFileError::malformed(PUBLIC, "the data ends too early");
    let mut blob = Strings(bytes);
    let name = str::from_utf8(blob.string().map_err(broken)?).unwrap_or_default();
    if !is_key_type(name) {
        return Err(KeyFileError::malformed(PUBLIC, "the type of key is not a name"));
    }
    require_ed25519(name)?;
    let key = blob.string().map_err(broken)?;
    match (key.try_into(), blob.0) {
        (Ok(key), []) => Ok(VerifyingKey::from_bytes(key)?),
        (Ok(_), _) => Err(KeyFileError::malformed(PUBLIC, "data after the key")),
        (Err(_), _) => Err(KeyFileError::malformed(PUBLIC, "the key is not 32 bytes long")),
    }
}

/// Writes the public key in its wire encoding (RFC 8709, Section 4).
fn blob(key: &[u8; 32]) -> Vec<u8> {
    [b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice(), key].concat()
}

/// Replaces control characters: they could begin a second line, or act on a terminal.
fn one_line(comment: &str) -> String {
    let harmless: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    harmless.trim_ascii().to_owned()
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_ascii_start())
}

fn malformed(why: &str) -> KeyFileError {
    KeyFileError::malformed(PRIVATE, why)
}

/// A reader of the types of RFC 4251, Section 5.
struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    fn uint32(&mut self) -> Result<u32, KeyFileError> {
        let (head, rest) =
            self.0.split_first_chunk().ok_or_else(|| malformed("it ends too early"))?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*head))
    }

    fn string(&mut self) -> Result<&'a [u8], KeyFileError> {
        let length = usize::try_from(self.uint32()?).unwrap_or(usize::MAX);
        let (string, rest) =
            self.0.split_at_checked(length).ok_or_else(|| malformed("it ends too early"))?;
        self.0 = rest;
        Ok(string)
    }
}

pub(crate) const PUBLIC: &str = "OpenSSH public key";
const PRIVATE: &str = "OpenSSH private key";
const ED25519: &str = "ssh-ed25519";

#[cfg(test)]
mod tests;
