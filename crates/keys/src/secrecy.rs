//! Tells files that hold a private key, of any form, from all others.

use crate::{MAX_KEY_FILE_BYTES, key_text};

/// Returns whether a file is one of a private key, also of a form that is not read here: of another algorithm, of
/// OpenPGP, age, minisign, signify or PuTTY. Such a file is not to be written over.
#[must_use]
pub fn is_private_key(bytes: &[u8]) -> bool {
    if bytes.len() > MAX_KEY_FILE_BYTES {
        return false;
    }
    if is_der_of_private_key(bytes) {
        return true;
    }
    let Ok(text) = key_text::decode(bytes) else { return false };
    is_jwk_of_private_key(&text)
        || text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).any(is_of_private_key)
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

/// A `PrivateKeyInfo` (RFC 5958), an RSA key (RFC 8017, Appendix A.1.2), a key of an elliptic curve (RFC 5915), or a
/// `PFX` (RFC 7292): a sequence that begins with a version, and what comes then.
fn is_der_of_private_key(bytes: &[u8]) -> bool {
    let ([0x30, 0x82, _, _, content @ ..]
    | [0x30, 0x81, _, content @ ..]
    | [0x30, 0x00..=0x80, content @ ..]) = bytes
    else {
        return false;
    };
    matches!(
        content,
        [0x02, 0x01, 0x00 | 0x01, 0x30, ..]
            | [0x02, 0x01, 0x00, 0x02, ..]
            | [0x02, 0x01, 0x01, 0x04, ..]
            | [0x02, 0x01, 0x03, 0x30, ..]
    )
}

/// A JSON Web Key with its private part (RFC 7518, Section 6; RFC 8037, Section 2), or a set of such.
fn is_jwk_of_private_key(text: &[u8]) -> bool {
    let has = |member: &[u8]| text.windows(member.len()).any(|found| found == member);
    text.trim_ascii_start().starts_with(b"{") && has(b"\"kty\"") && has(b"\"d\"")
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

    #[test]
    fn private_keys_that_are_not_lines_of_text_are_known_too() {
        for bytes in [
            &b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70"[..],
            b"\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70",
            b"\x30\x82\x04\xa3\x02\x01\x00\x02\x82\x01\x01",
            b"\x30\x77\x02\x01\x01\x04\x20",
            b"\x30\x82\x0a\x00\x02\x01\x03\x30",
            b"\n {\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AAAA\"}",
            b"{\"keys\": [{\"d\": \"AAAA\", \"kty\": \"EC\"}]}",
        ] {
            assert!(is_private_key(bytes), "{}", bytes.escape_ascii());
        }
        for bytes in [
            // A certificate, a public key, an envelope, and a JWK with a public part alone.
            &b"\x30\x82\x01\x00\x30\x82\x00\xa0\xa0\x03\x02\x01\x02"[..],
            b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70",
            b"\xd2\x84\x43\xa1\x01\x27\xa0\xf6\x40",
            b"{\"kty\":\"OKP\",\"x\":\"AAAA\"}",
            b"{\"d\": 1}",
        ] {
            assert!(!is_private_key(bytes), "{}", bytes.escape_ascii());
        }
    }
}
