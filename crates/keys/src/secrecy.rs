//! Tells files that hold a private key, of any form, from all others.

use crate::{MAX_KEY_FILE_BYTES, key_text};

/// Returns whether a file is one of a private key, also of a form that is not read here: of another algorithm, of
/// OpenPGP, age, minisign, signify or PuTTY. Such a file is not to be written over.
#[must_use]
pub fn is_private_key(bytes: &[u8]) -> bool {
    if bytes.len() > MAX_KEY_FILE_BYTES {
        return false;
    }
    let Ok(text) = key_text::decode(bytes) else { return false };
    text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).any(is_of_private_key)
}

fn is_of_private_key(line: &[u8]) -> bool {
    let label = line.strip_prefix(b"-----BEGIN ").and_then(|rest| rest.strip_suffix(b"-----"));
    let is_label = label.is_some_and(|label| LABELS.iter().any(|end| label.ends_with(end)));
    is_label || STARTS.iter().any(|start| line.starts_with(start)) || is_comment_of_secret(line)
}

/// The first line of a secret key of minisign or signify, and not of a signature that such a key made.
fn is_comment_of_secret(line: &[u8]) -> bool {
    let comment = line.strip_prefix(b"untrusted comment: ").unwrap_or_default();
    comment.ends_with(b"secret key") && !comment.starts_with(b"signature ")
}

/// How labels of PEM end that stand around a private key.
const LABELS: [&[u8]; 2] = [b"PRIVATE KEY", b"PRIVATE KEY BLOCK"];

const STARTS: [&[u8]; 3] = [b"AGE-SECRET-KEY-", b"ED25519 Private-Key:", b"PuTTY-User-Key-File-"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_of_all_forms_are_known_and_nothing_else() {
        for text in [
            "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\r\n",
            "Bag Attributes\n-----BEGIN RSA PRIVATE KEY-----\n",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            "# created: today\nAGE-SECRET-KEY-1QQ\n",
            "untrusted comment: minisign encrypted secret key\n",
            "untrusted comment: signify secret key\n",
            "PuTTY-User-Key-File-3: ssh-ed25519\n",
        ] {
            assert!(is_private_key(text.as_bytes()), "{text}");
            let long = [text.as_bytes(), &vec![b'\n'; MAX_KEY_FILE_BYTES]].concat();
            assert!(!is_private_key(&long), "{text}");
        }
        for text in [
            "",
            "-----BEGIN PUBLIC KEY-----\n",
            "-----BEGIN SIGNED MESSAGE-----\n",
            "ssh-ed25519 AAAA me\n",
            "untrusted comment: signature from minisign secret key",
            "a line about -----BEGIN PRIVATE KEY-----",
        ] {
            assert!(!is_private_key(text.as_bytes()), "{text}");
        }
    }
}
