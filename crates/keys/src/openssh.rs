//! The forms of OpenSSH: public key lines and private key files.

mod private_file;

use base64ct::{Base64, Base64Unpadded, Encoding};
use sha2::{Digest, Sha256};

use brine_core::VerifyingKey;

use crate::KeyFileError;

pub(crate) use self::private_file::OpensshFile;
pub use self::private_file::{MAX_BCRYPT_ROUNDS, openssh_private};

/// Reads one OpenSSH public key line, `ssh-ed25519 AAAA… comment`, and its comment.
///
/// The comment is returned as written, empty if there is none, and may hold control characters.
///
/// # Errors
///
/// - [`KeyFileError::NotEd25519`] for another type of key, [`KeyFileError::UnsupportedForm`] for a
///   certificate;
/// - [`KeyFileError::Unrecognised`] if the line does not begin with a type of key;
/// - [`KeyFileError::Malformed`] if it is longer than a line, or cut;
/// - [`KeyFileError::Key`] by [`VerifyingKey::from_bytes`].
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
/// Control characters in the comment become blanks: whatever it is, this remains one line.
#[must_use]
pub fn openssh_line(key: &VerifyingKey, comment: &str) -> String {
    let base64 = Base64::encode_string(&blob(&key.to_bytes()));
    let line = format!("{ED25519} {base64} {}", one_line(comment));
    line.trim_ascii_end().to_owned()
}

/// Returns the fingerprint that `ssh-keygen -l` shows: `SHA256:` and base64 without padding.
#[must_use]
pub fn ssh_fingerprint(key: &VerifyingKey) -> String {
    let digest = Sha256::digest(blob(&key.to_bytes()));
    format!("SHA256:{}", Base64Unpadded::encode_string(&digest))
}

/// Returns whether a word is the name of a type of key (RFC 4253, Section 6.6 and its successors).
pub(crate) fn is_key_type(word: &str) -> bool {
    let known = ["ecdsa-sha2-", "sk-", "ssh-", "webauthn-sk-"];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.@".contains(&byte);
    // RFC 4251, Section 6 allows 64 characters. What passes is fit to be shown in a message.
    word.len() <= 64 && word.bytes().all(plain) && known.iter().any(|start| word.starts_with(start))
}

/// Refuses every other type of key by its name.
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
    let broken = |_| KeyFileError::malformed(PUBLIC, "the data is cut");
    let mut blob = Strings(bytes);
    let name = str::from_utf8(blob.string().map_err(broken)?).unwrap_or_default();
    if !is_key_type(name) {
        return Err(KeyFileError::malformed(PUBLIC, "the type of key has no name"));
    }
    require_ed25519(name)?;
    let key = blob.string().map_err(broken)?;
    match (key.try_into(), blob.0) {
        (Ok(key), []) => Ok(VerifyingKey::from_bytes(key)?),
        (Ok(_), _) => Err(KeyFileError::malformed(PUBLIC, "data after the key")),
        (Err(_), _) => Err(KeyFileError::malformed(PUBLIC, "the key is not of 32 bytes")),
    }
}

/// Returns the public key in the wire encoding (RFC 8709, Section 4).
fn blob(key: &[u8; 32]) -> Vec<u8> {
    [b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice(), key].concat()
}

/// Makes a comment that cannot begin a second line or hide in a terminal.
fn one_line(comment: &str) -> String {
    let plain: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.trim_ascii().to_owned()
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_ascii_start())
}

fn malformed(why: &str) -> KeyFileError {
    KeyFileError::malformed(PRIVATE, why)
}

/// Reads the types of RFC 4251, Section 5.
struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    fn uint32(&mut self) -> Result<u32, KeyFileError> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(|| malformed("it is cut"))?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*head))
    }

    fn string(&mut self) -> Result<&'a [u8], KeyFileError> {
        let length = usize::try_from(self.uint32()?).unwrap_or(usize::MAX);
        let (string, rest) =
            self.0.split_at_checked(length).ok_or_else(|| malformed("it is cut"))?;
        self.0 = rest;
        Ok(string)
    }
}

pub(crate) const PUBLIC: &str = "OpenSSH public key";
const PRIVATE: &str = "OpenSSH private key";
const ED25519: &str = "ssh-ed25519";

#[cfg(test)]
mod tests;
