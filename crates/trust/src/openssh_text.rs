//! The text files of OpenSSH: their lines, the public keys in them, and files that are lists of keys.
//!
//! These files are bytes: comments, and lines that are passed over, may be in any encoding.

use base64ct::{Base64, Encoding as _};
use brine_core::VerifyingKey;
use brine_keys::{certified_key, read_openssh_line};

use crate::error::TrustError;

/// Returns the lines that are neither blank nor comments, numbered from 1 and without the space around them.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = (1..).zip(text.split(|&byte| byte == b'\n').map(trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

/// Reads a list of public keys. A certificate stands for the key that it certifies, as it does for OpenSSH. Keys that
/// are not Ed25519 are left out.
pub(crate) fn read_keys(text: &[u8]) -> Result<Vec<VerifyingKey>, TrustError> {
    let key = |(number, line): (usize, &[u8])| match Key::read(number, line) {
        Ok(Key::Certified(key) | Key::Plain(key)) => Some(Ok(key)),
        Ok(Key::Other) => None,
        Err(error) => Some(Err(error)),
    };
    lines(text).filter_map(key).collect()
}

/// A public key in a file of OpenSSH.
pub(crate) enum Key {
    /// The Ed25519 key of a certificate.
    Certified(VerifyingKey),
    /// A key of another type: no envelope is signed with one.
    Other,
    /// An Ed25519 key.
    Plain(VerifyingKey),
}

impl Key {
    /// Reads `keytype base64 [comment]`.
    pub(crate) fn read(line: usize, text: &[u8]) -> Result<Self, TrustError> {
        let mut fields = text.split(is_field_space).filter(|field| !field.is_empty());
        let (kind, base64) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        // OpenSSH's decoder passes over white space in base64, of which these may be in a field.
        let base64: Vec<_> =
            base64.iter().copied().filter(|byte| !b"\r\x0b\x0c".contains(byte)).collect();
        let key_line = [kind, b" ", &base64].concat();
        let unknown = || {
            let found = String::from_utf8_lossy(kind).into_owned();
            TrustError::UnknownKeyType { line, found }
        };
        let refused = |source| TrustError::Key { line, source };
        // The word before the data may name another type. A list of revoked keys must not leave such a key out.
        match encoded_type(&base64) {
            Some(found) if found != kind => Err(unknown()),
            Some(ED25519_CERTIFICATE) => {
                certified_key(&key_line).map(Self::Certified).map_err(refused)
            }
            _ if kind == ED25519 => {
                read_openssh_line(&key_line).map(|(key, _)| Self::Plain(key)).map_err(refused)
            }
            _ if is_other_key_type(kind) => Ok(Self::Other),
            _ => Err(unknown()),
        }
    }
}

/// Returns whether the word names a type of key other than `ssh-ed25519`: one of OpenSSH's oldest types, or any
/// type with a domain (RFC 4251, Section 6).
///
/// A misspelt `ssh-ed25519` is neither. It must not pass for another type: in a list of revoked keys, such lines
/// are left out.
pub(crate) fn is_other_key_type(word: &[u8]) -> bool {
    let prefixes: [&[u8]; 5] = [b"ssh-", b"ecdsa-sha2-", b"rsa-sha2-", b"sk-", b"webauthn-sk-"];
    OTHER_KEY_TYPES.contains(&word)
        || (word.contains(&b'@') && prefixes.iter().any(|prefix| word.starts_with(prefix)))
}

/// Returns the type that data of an Ed25519 key, or of a certificate over one, begins with.
fn encoded_type(base64: &[u8]) -> Option<&'static [u8]> {
    [ED25519, ED25519_CERTIFICATE].into_iter().find(|kind| {
        // A length of 4 bytes and the name are a multiple of 3 bytes for both: what follows changes no character.
        let length = u32::try_from(kind.len()).unwrap_or_default().to_be_bytes();
        let start = Base64::encode_string(&[length.as_slice(), kind].concat());
        base64.starts_with(start.as_bytes())
    })
}

fn trim(line: &[u8]) -> &[u8] {
    let is_inside = |byte: &u8| !SPACE.contains(&char::from(*byte));
    let start = line.iter().position(is_inside).unwrap_or(line.len());
    let end = line.iter().rposition(is_inside).map_or(start, |last| last + 1);
    line.get(start..end).unwrap_or_default()
}

const fn is_field_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(crate) const ED25519: &[u8] = b"ssh-ed25519";

/// A certificate over such a key (PROTOCOL.certkeys).
const ED25519_CERTIFICATE: &[u8] = b"ssh-ed25519-cert-v01@openssh.com";

/// What OpenSSH takes off both ends of a line, and what ends the principals.
pub(crate) const SPACE: [char; 3] = [' ', '\t', '\r'];

/// What ends the options, the type of a key and its data. A CR does not.
pub(crate) const FIELD_SPACE: [char; 2] = [' ', '\t'];

const OTHER_KEY_TYPES: [&[u8]; 7] = [
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"rsa-sha2-256",
    b"rsa-sha2-512",
    b"ssh-dss",
    b"ssh-rsa",
];

#[cfg(test)]
mod tests {
    use crate::tests::{ALICE, BOB, CAROL, key};

    use super::*;

    #[test]
    fn lists_of_keys_are_read() {
        let text = format!("# gone\n\n{ALICE} alice\r\n  ssh-rsa AAAA\n{CAROL}");
        assert_eq!(read_keys(text.as_bytes()), Ok(vec![key(ALICE), key(CAROL)]));
        assert_eq!(read_keys(b"# none"), Ok(Vec::new()));
        let bytes = [b"# caf\xe9\n", ALICE.as_bytes(), b" \xb2\xdc\n"].concat();
        assert_eq!(read_keys(&bytes), Ok(vec![key(ALICE)]));
    }

    #[test]
    fn lists_of_keys_are_read_whole_or_not_at_all() {
        for text in ["ssh-ed25591 AAAA", "serial: 1", "SHA256:abc", "alice ssh-ed25519 AAAA"] {
            let found = text.split(' ').next().unwrap().to_owned();
            let error = TrustError::UnknownKeyType { line: 2, found };
            assert_eq!(read_keys(format!("{ALICE}\n{text}\n{BOB}").as_bytes()), Err(error));
        }
        let found = read_keys(b"\nssh-ed25519 AAAA").unwrap_err();
        assert!(matches!(found, TrustError::Key { line: 2, .. }), "{found:?}");
    }

    /// Made by `ssh-keygen -s`; `fixtures/keys/README.md` has the command.
    const CERTIFICATE: &[u8] = include_bytes!("../../../fixtures/keys/ssh-cert.pub");
    const CERTIFIED: &[u8] = include_bytes!("../../../fixtures/keys/ssh.pub");

    #[test]
    fn a_certificate_on_a_list_stands_for_the_key_in_it() {
        let wanted = read_openssh_line(CERTIFIED).unwrap().0;
        assert_eq!(read_keys(CERTIFICATE), Ok(vec![wanted]));
        let cut = CERTIFICATE.get(..120).unwrap();
        let found = read_keys(cut).unwrap_err();
        assert!(matches!(found, TrustError::Key { line: 1, .. }), "{found:?}");
    }

    /// Types of keys begin with the same letters. What the line calls a key must be what its data says, or a list of
    /// revoked keys would leave it out.
    #[test]
    fn data_of_another_type_than_the_word_before_it_is_refused() {
        let certificate = String::from_utf8(CERTIFICATE.to_vec()).unwrap();
        let data = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
        for (kind, data) in [
            ("ssh-rsa", data(ALICE)),
            ("sk-ssh-ed25519@openssh.com", data(ALICE)),
            ("ssh-ed25519-cert-v01@openssh.com", data(ALICE)),
            ("ssh-ed25519", data(&certificate)),
            ("ssh-rsa-cert-v01@openssh.com", data(&certificate)),
        ] {
            let found = read_keys(format!("{kind} {data}").as_bytes());
            let error = TrustError::UnknownKeyType { line: 1, found: kind.to_owned() };
            assert_eq!(found, Err(error), "{kind}");
        }
        for kind in ["sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com"] {
            let name = Base64::encode_string(&[&[0, 0, 0, 26], kind.as_bytes()].concat());
            assert_eq!(read_keys(format!("{kind} {name}").as_bytes()), Ok(Vec::new()));
        }
    }
}
