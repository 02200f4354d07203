//! Recognises the form of a key file, and refuses unsupported forms by name.

use zeroize::Zeroizing;

use crate::pem::{PEM, PemBlock, blocks, is_pem};
use crate::{KeyFileError, MAX_KEY_FILE_BYTES, OtherKeyForm, key_text, openssh};

/// A supported form of key, taken out of its armor and not yet parsed.
pub(crate) enum KeyForm {
    /// `ENCRYPTED PRIVATE KEY`: the DER of an EncryptedPrivateKeyInfo (RFC 5958, Section 3).
    EncryptedPkcs8(Zeroizing<Vec<u8>>),
    /// `OPENSSH PRIVATE KEY`: the bytes that begin with `openssh-key-v1`.
    OpensshPrivate(Zeroizing<Vec<u8>>),
    /// A line that begins with `ssh-ed25519`: the key that OpenSSH keeps in `.pub` files.
    OpensshPublic(Vec<u8>),
    /// `PRIVATE KEY`: the DER of a OneAsymmetricKey (RFC 5958, Section 2).
    Pkcs8(Zeroizing<Vec<u8>>),
    /// `PUBLIC KEY`: the DER of a SubjectPublicKeyInfo (RFC 5280, Section 4.1).
    Spki(Zeroizing<Vec<u8>>),
}

impl KeyForm {
    /// Recognises the form of a whole key file.
    ///
    /// # Errors
    ///
    /// - [`KeyFileError::TooLarge`] above [`MAX_KEY_FILE_BYTES`];
    /// - [`KeyFileError::UnsupportedForm`] and [`KeyFileError::NotEd25519`] for known forms that are not
    ///   supported;
    /// - [`KeyFileError::Malformed`] for broken armor, and for a second key;
    /// - [`KeyFileError::Unrecognised`] for everything else.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, KeyFileError> {
        if bytes.len() > MAX_KEY_FILE_BYTES {
            return Err(KeyFileError::TooLarge);
        }
        if let Some(form) = binary_form(bytes) {
            return Err(KeyFileError::UnsupportedForm { form });
        }
        let text = key_text::decode(bytes)?;
        let mut lines = content_lines(&text);
        match lines.next() {
            // The comment behind such a key may be anything.
            Some(first) if key_in_line(first).is_some_and(|key| key.has_data) => {
                Self::of_lines(first, lines)
            }
            _ if is_pem(&text) => Self::of_blocks(&blocks(&text)?),
            Some(first) => Self::of_lines(first, lines),
            None => Err(KeyFileError::Unrecognised),
        }
    }

    /// Takes the only key among the blocks. A certificate beside it says nothing about it.
    fn of_blocks(blocks: &[PemBlock<'_>]) -> Result<Self, KeyFileError> {
        let mut keys = blocks.iter().filter(|block| is_label_of_key(block.label));
        let key = keys.next().or_else(|| blocks.first()).ok_or(KeyFileError::Unrecognised)?;
        if keys.next().is_some() {
            return Err(KeyFileError::malformed(PEM, "more than one key"));
        }
        of_block(key)
    }

    fn of_lines<'a>(
        first: &[u8],
        mut others: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, KeyFileError> {
        if let Some((_, form)) = LINES.iter().find(|(start, _)| first.starts_with(start)) {
            return Err(KeyFileError::UnsupportedForm { form: *form });
        }
        if is_bare_minisign(first) {
            return Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::Minisign });
        }
        let key = key_in_line(first).ok_or(KeyFileError::Unrecognised)?;
        openssh::require_ed25519(key.name)?;
        if key.words_before > 0 {
            return Err(KeyFileError::UnsupportedForm { form: OtherKeyForm::OpensshOptions });
        }
        match others.next() {
            None => Ok(Self::OpensshPublic(first.to_vec())),
            Some(_) => {
                Err(KeyFileError::malformed(openssh::PUBLIC, "more than one line holds a key"))
            }
        }
    }
}

/// Returns the lines that are neither blank nor comments, without the white space around them.
fn content_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// An OpenSSH key in a line.
struct KeyInLine<'a> {
    /// The word that names its type.
    name: &'a str,
    words_before: usize,
    has_data: bool,
}

/// Finds the OpenSSH key in a line: a word that can name a type, before the data of a key.
///
/// Names of people and machines can begin as types do, and stand before the key.
fn key_in_line(line: &[u8]) -> Option<KeyInLine<'_>> {
    let mut words = openssh::words(line).peekable();
    let first = words.peek().copied().and_then(openssh::key_type);
    let mut words_before = 0;
    while let Some(word) = words.next() {
        // The data begins with a length below 2^8.
        let has_data = words.peek().is_some_and(|data| data.starts_with(b"AAAA"));
        if let Some(name) = openssh::key_type(word).filter(|_| has_data) {
            return Some(KeyInLine { name, words_before, has_data });
        }
        words_before += 1;
    }
    first.map(|name| KeyInLine { name, words_before: 0, has_data: false })
}

fn of_block(block: &PemBlock<'_>) -> Result<KeyForm, KeyFileError> {
    let unwrap: fn(_) -> KeyForm = match block.label {
        "ENCRYPTED PRIVATE KEY" => KeyForm::EncryptedPkcs8,
        "OPENSSH PRIVATE KEY" => KeyForm::OpensshPrivate,
        "PRIVATE KEY" => KeyForm::Pkcs8,
        "PUBLIC KEY" => KeyForm::Spki,
        other => return Err(refusal_of_label(other)),
    };
    block.decode().map(unwrap)
}

/// Returns whether a block of this label is a key, of any algorithm: with two of them nobody can say which is meant.
fn is_label_of_key(label: &str) -> bool {
    label.ends_with("PRIVATE KEY") || label.ends_with("PUBLIC KEY") || label.ends_with("KEY BLOCK")
}

fn binary_form(bytes: &[u8]) -> Option<OtherKeyForm> {
    match bytes {
        // DER begins with '0' and a length. No UTF-8 character begins with such a length byte, so this is
        // not text.
        [0x30, 0x80, 0x02, 0x01, 0x03, ..]
        | [0x30, 0x81, _, 0x02, 0x01, 0x03, ..]
        | [0x30, 0x82, _, _, 0x02, 0x01, 0x03, ..] => Some(OtherKeyForm::Pkcs12),
        [0x30, 0x80..=0x84, ..] => Some(OtherKeyForm::Der),
        // This length byte may be a character, but in text it hardly ever equals the number of bytes left.
        [0x30, length, rest @ ..] if usize::from(*length) == rest.len() => Some(OtherKeyForm::Der),
        // A CBOR map. No UTF-8 text begins with these bytes.
        [0xa0..=0xbf, ..] => Some(OtherKeyForm::CoseKey),
        _ => None,
    }
}

fn refusal_of_label(label: &str) -> KeyFileError {
    let form = match label {
        "DSA PARAMETERS" | "DSA PRIVATE KEY" => return KeyFileError::not_ed25519("DSA"),
        "EC PARAMETERS" | "EC PRIVATE KEY" => return KeyFileError::not_ed25519("EC"),
        "RSA PRIVATE KEY" | "RSA PUBLIC KEY" => return KeyFileError::not_ed25519("RSA"),
        "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => OtherKeyForm::Certificate,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => OtherKeyForm::CertificateRequest,
        "PGP PRIVATE KEY BLOCK" | "PGP PUBLIC KEY BLOCK" => OtherKeyForm::OpenPgp,
        "PGP MESSAGE" | "PGP SIGNATURE" | "PGP SIGNED MESSAGE" => OtherKeyForm::OpenPgpMessage,
        "PKCS7" | "CMS" => OtherKeyForm::Cms,
        "SSH SIGNATURE" => OtherKeyForm::SshSignature,
        _ => OtherKeyForm::Pem,
    };
    KeyFileError::UnsupportedForm { form }
}

/// Returns whether the line is a public key as `minisign -P` takes it: base64 of 42 bytes that begin with
/// `Ed`.
fn is_bare_minisign(line: &[u8]) -> bool {
    line.len() == 56 && line.starts_with(b"RW") && !line.contains(&b' ')
}

/// The beginnings of unsupported forms with their names. A beginning is looked for on the first line that is
/// neither blank nor a comment.
const LINES: [(&[u8], OtherKeyForm); 9] = [
    (b"---- BEGIN SSH2 ", OtherKeyForm::Ssh2),
    (b"AGE-SECRET-KEY-", OtherKeyForm::Age),
    (b"ED25519 Private-Key:", OtherKeyForm::OpensslText),
    (b"ED25519 Public-Key:", OtherKeyForm::OpensslText),
    (b"PuTTY-User-Key-File-", OtherKeyForm::Putty),
    (b"age1", OtherKeyForm::Age),
    (b"untrusted comment:", OtherKeyForm::Minisign),
    (b"{", OtherKeyForm::Jwk),
    (b"[", OtherKeyForm::Jwk),
];

#[cfg(test)]
mod tests;
