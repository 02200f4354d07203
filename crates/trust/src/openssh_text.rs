//! The text files of OpenSSH: their lines, the public keys in them, and files that are lists of keys.

use base64ct::{Base64, Encoding as _};
use brine_core::VerifyingKey;
use brine_keys::read_openssh_line;

use crate::error::TrustError;

/// Returns the lines that are neither blank nor comments, numbered from 1 and without the space around them.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.split('\n').map(|line| line.trim_matches(SPACE)));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Reads a list of public keys. Keys that are not Ed25519 are left out.
pub(crate) fn read_keys(text: &str) -> Result<Vec<VerifyingKey>, TrustError> {
    lines(text).filter_map(|(number, text)| read_key(number, text).transpose()).collect()
}

/// Reads `keytype base64 [comment]`. Returns `None` for other types of key: no envelope is signed with one.
pub(crate) fn read_key(line: usize, text: &str) -> Result<Option<VerifyingKey>, TrustError> {
    let mut fields = text.split(SPACE).filter(|field| !field.is_empty());
    let (kind, base64) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    if is_other_key_type(kind) && !holds_ed25519(base64) {
        return Ok(None);
    }
    if kind != ED25519 {
        return Err(TrustError::UnknownKeyType { line, found: kind.to_owned() });
    }
    match read_openssh_line(&format!("{kind} {base64}")) {
        Ok((key, _comment)) => Ok(Some(key)),
        Err(source) => Err(TrustError::Key { line, source }),
    }
}

/// Returns whether the word names a type of key other than `ssh-ed25519`: one of OpenSSH's oldest types, or any
/// type with a domain (RFC 4251, Section 6).
///
/// A misspelt `ssh-ed25519` is neither. It must not pass for another type: in a list of revoked keys, such lines
/// are left out.
pub(crate) fn is_other_key_type(word: &str) -> bool {
    let prefixes = ["ssh-", "ecdsa-sha2-", "sk-", "webauthn-sk-"];
    OTHER_KEY_TYPES.contains(&word)
        || (word.contains('@') && prefixes.iter().any(|prefix| word.starts_with(prefix)))
}

/// Returns whether the data is that of an Ed25519 key or of a certificate over one.
///
/// The word before it may name another type. Even so, a list of revoked keys must not leave the key out.
fn holds_ed25519(base64: &str) -> bool {
    // The data begins with its type: a length of 4 bytes, and "ssh-ed25519".
    let start = Base64::decode_vec(base64.get(..20).unwrap_or_default());
    start.is_ok_and(|start| start.get(4..) == Some(b"ssh-ed25519"))
}

pub(crate) const ED25519: &str = "ssh-ed25519";

pub(crate) const SPACE: [char; 3] = [' ', '\t', '\r'];

const OTHER_KEY_TYPES: [&str; 5] =
    ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-dss", "ssh-rsa"];

#[cfg(test)]
mod tests {
    use crate::tests::{ALICE, BOB, CAROL, key};

    use super::*;

    #[test]
    fn lists_of_keys_are_read() {
        let text = format!("# gone\n\n{ALICE} alice\r\n  ssh-rsa AAAA\n{CAROL}");
        assert_eq!(read_keys(&text), Ok(vec![key(ALICE), key(CAROL)]));
        assert_eq!(read_keys("# none"), Ok(Vec::new()));
    }

    #[test]
    fn lists_of_keys_are_read_whole_or_not_at_all() {
        for text in ["ssh-ed25591 AAAA", "serial: 1", "SHA256:abc", "alice ssh-ed25519 AAAA"] {
            let found = text.split(' ').next().unwrap().to_owned();
            let error = TrustError::UnknownKeyType { line: 2, found };
            assert_eq!(read_keys(&format!("{ALICE}\n{text}\n{BOB}")), Err(error));
        }
        let found = read_keys("\nssh-ed25519 AAAA").unwrap_err();
        assert!(matches!(found, TrustError::Key { line: 2, .. }), "{found:?}");
    }
}
