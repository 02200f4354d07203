//! OpenSSH public keys in text files, and files that are lists of them.

use base64ct::{Base64, Encoding as _};
use brine_core::VerifyingKey;
use brine_keys::read_openssh_line;

use crate::allowed_signers::{SPACE, lines};
use crate::error::TrustError;

/// Reads a list of public keys, and leaves out those that are not Ed25519.
pub(crate) fn read_keys(text: &str) -> Result<Vec<VerifyingKey>, TrustError> {
    lines(text).filter_map(|(number, text)| read_key(number, text).transpose()).collect()
}

/// Reads `keytype base64 [comment]`; `None` for a type that cannot sign here.
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

/// Returns whether this is a type of key other than `ssh-ed25519`: one that OpenSSH had before it
/// gave them domains, or any with one (RFC 4251, Section 6). A misspelt `ssh-ed25519` is neither: in
/// a list of revoked keys it must not pass for a key that need not be looked at.
pub(crate) fn is_other_key_type(word: &str) -> bool {
    let prefixes = ["ssh-", "ecdsa-sha2-", "sk-", "webauthn-sk-"];
    OTHER_KEY_TYPES.contains(&word)
        || (word.contains('@') && prefixes.iter().any(|prefix| word.starts_with(prefix)))
}

/// Returns whether the blob of a key, whatever its word says, holds an Ed25519 key or a certificate
/// over one: what a list of revoked keys names must not be passed over.
fn holds_ed25519(base64: &str) -> bool {
    // The type comes first in the blob, behind its length: 4 bytes and "ssh-ed25519".
    let start = Base64::decode_vec(base64.get(..20).unwrap_or_default());
    start.is_ok_and(|start| start.get(4..) == Some(b"ssh-ed25519"))
}

pub(crate) const ED25519: &str = "ssh-ed25519";

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
