//! Fingerprints: what people compare keys by.

use std::fmt;

use base64ct::{Base64Unpadded, Encoding};
use brine_core::{KeyId, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::openssh::blob;

/// The fingerprint of a key, in one of two forms.
///
/// [`Display`](fmt::Display) writes it whole, as `ssh-keygen -l` or as the hex digits of a key id.
///
/// ```
/// use brine_keys::{Fingerprint, read_openssh_line};
///
/// # let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
/// let (key, _) = read_openssh_line(line)?;
/// let told = Fingerprint::parse("bbXp uKG6 zhzd mnxq 256T lqzF BzRl 2f6O Og72 2cYN bU8")?;
/// assert!(told.is_of(&key));
/// assert_eq!(told.to_string(), "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fingerprint {
    /// The key id: the COSE key thumbprint (RFC 9679).
    KeyId(KeyId),
    /// The SHA-256 of the public key as OpenSSH encodes it.
    Ssh([u8; 32]),
}

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// The fingerprint is of OpenSSH's old form.
    #[error("MD5 fingerprints can be imitated; expected one that begins with SHA256:")]
    Md5,
    /// The text is neither of the two forms, or a part of one.
    #[error(
        "expected a whole fingerprint: SHA256: and 43 characters, or the 64 hex digits of a key id"
    )]
    NotWhole,
}

impl Fingerprint {
    /// Reads a fingerprint as people retype it: spaces and hyphens do not count, nor does the case of `SHA256:`, which
    /// may be missing, nor that of hex digits.
    ///
    /// # Errors
    ///
    /// - [`FingerprintError::Md5`];
    /// - [`FingerprintError::NotWhole`] for anything else, and for a part of a fingerprint: parts can be imitated.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if starts_with(&text, "MD5:") {
            return Err(FingerprintError::Md5);
        }
        let found = match starts_with(&text, SHA256) {
            true => text.get(SHA256.len()..).and_then(ssh),
            false => key_id(&text).or_else(|| ssh(&text)),
        };
        found.ok_or(FingerprintError::NotWhole)
    }

    /// Returns the fingerprint that `ssh-keygen -l` prints.
    #[must_use]
    pub fn ssh(key: &VerifyingKey) -> Self {
        Self::of_blob(&blob(&key.to_bytes()))
    }

    /// Returns the fingerprint of a key of any type, which is written as OpenSSH encodes it.
    pub(crate) fn of_blob(blob: &[u8]) -> Self {
        Self::Ssh(Sha256::digest(blob).into())
    }

    /// Returns whether the key has this fingerprint, all of it.
    #[must_use]
    pub fn is_of(&self, key: &VerifyingKey) -> bool {
        *self == self.same_form(key)
    }

    /// Returns the fingerprint of a key in the form that this one has, so that people can compare them.
    #[must_use]
    pub fn same_form(&self, key: &VerifyingKey) -> Self {
        match self {
            Self::KeyId(_) => Self::KeyId(key.id()),
            Self::Ssh(_) => Self::ssh(key),
        }
    }

    /// Returns the whole fingerprint in groups of four characters, to be read aloud. `SHA256:` is left out.
    #[must_use]
    pub fn grouped(&self) -> String {
        let whole = self.to_string();
        let mut groups = String::new();
        for (index, character) in whole.trim_start_matches(SHA256).chars().enumerate() {
            if index > 0 && index % 4 == 0 {
                groups.push(' ');
            }
            groups.push(character);
        }
        groups
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyId(id) => id.fmt(f),
            Self::Ssh(digest) => write!(f, "{SHA256}{}", Base64Unpadded::encode_string(digest)),
        }
    }
}

/// Returns the fingerprint that `ssh-keygen -l` prints: `SHA256:` and base64 without padding.
#[must_use]
pub fn ssh_fingerprint(key: &VerifyingKey) -> String {
    Fingerprint::ssh(key).to_string()
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// Reads base64, with or without the padding that some programs write.
fn ssh(text: &str) -> Option<Fingerprint> {
    let mut digest = [0; 32];
    let text = text.strip_suffix('=').unwrap_or(text);
    let found = Base64Unpadded::decode(text, &mut digest).ok()?;
    (found.len() == digest.len()).then_some(Fingerprint::Ssh(digest))
}

fn key_id(text: &str) -> Option<Fingerprint> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    let bytes = bytes.filter(|_| rest.is_empty())?.try_into().ok()?;
    Some(Fingerprint::KeyId(KeyId::from_bytes(bytes)))
}

const SHA256: &str = "SHA256:";

#[cfg(test)]
mod tests;
