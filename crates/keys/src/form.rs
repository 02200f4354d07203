//! Recognises the form of a key file, and refuses unsupported forms by name.

use std::str;

use zeroize::Zeroizing;

use crate::{KeyFileError, MAX_KEY_FILE_BYTES, openssh};

/// A supported form of key, taken out of its armor and not yet parsed.
pub(crate) enum KeyForm<'a> {
    /// `ENCRYPTED PRIVATE KEY`: the DER of an EncryptedPrivateKeyInfo (RFC 5958, Section 3).
    EncryptedPkcs8(Zeroizing<Vec<u8>>),
    /// `OPENSSH PRIVATE KEY`: the bytes that begin with `openssh-key-v1`.
    OpensshPrivate(Zeroizing<Vec<u8>>),
    /// A line that begins with `ssh-ed25519`: the key that OpenSSH keeps in `.pub` files.
    OpensshPublic(&'a str),
    /// `PRIVATE KEY`: the DER of a OneAsymmetricKey (RFC 5958, Section 2).
    Pkcs8(Zeroizing<Vec<u8>>),
    /// `PUBLIC KEY`: the DER of a SubjectPublicKeyInfo (RFC 5280, Section 4.1).
    Spki(Zeroizing<Vec<u8>>),
}

impl<'a> KeyForm<'a> {
    /// Recognises the form of a whole key file.
    ///
    /// # Errors
    ///
    /// - [`KeyFileError::TooLarge`] above [`MAX_KEY_FILE_BYTES`];
    /// - [`KeyFileError::UnsupportedForm`] and [`KeyFileError::NotEd25519`] for known forms that are not
    ///   supported;
    /// - [`KeyFileError::Malformed`] for broken armor, text before or after it, and a second public key;
    /// - [`KeyFileError::Unrecognised`] for everything else.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self, KeyFileError> {
        if bytes.len() > MAX_KEY_FILE_BYTES {
            return Err(KeyFileError::TooLarge);
        }
        if let Some(form) = binary_form(bytes) {
            return Err(KeyFileError::UnsupportedForm { form });
        }
        let text = str::from_utf8(bytes).map_err(|_| KeyFileError::Unrecognised)?.trim_ascii();
        if text.starts_with(BEGIN) { Self::of_armor(text) } else { Self::of_lines(text) }
    }

    fn of_armor(text: &str) -> Result<Self, KeyFileError> {
        let line = text.lines().next().unwrap_or_default().trim_ascii_end();
        let label = line
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix("-----"))
            .ok_or_else(|| KeyFileError::malformed(PEM, "the BEGIN line is broken"))?;
        let unwrap: fn(_) -> Self = match label {
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedPkcs8,
            "OPENSSH PRIVATE KEY" => Self::OpensshPrivate,
            "PRIVATE KEY" => Self::Pkcs8,
            "PUBLIC KEY" => Self::Spki,
            other => return Err(refusal_of_label(other)),
        };
        if !text.ends_with(&format!("-----END {label}-----")) {
            return Err(KeyFileError::malformed(PEM, "no END line, or text after it"));
        }
        decode(text).map(unwrap)
    }

    fn of_lines(text: &'a str) -> Result<Self, KeyFileError> {
        let content = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let mut lines = text.lines().map(str::trim_ascii).filter(content);
        let first = lines.next().ok_or(KeyFileError::Unrecognised)?;
        if let Some((_, form)) = LINES.iter().find(|(start, _)| first.starts_with(start)) {
            return Err(KeyFileError::UnsupportedForm { form });
        }
        if is_bare_minisign(first) {
            return Err(KeyFileError::UnsupportedForm { form: MINISIGN });
        }
        let Some(name) = first.split_ascii_whitespace().find(|word| openssh::is_key_type(word))
        else {
            return Err(if text.contains(BEGIN) {
                KeyFileError::malformed(PEM, "text before the BEGIN line")
            } else {
                KeyFileError::Unrecognised
            });
        };
        openssh::require_ed25519(name)?;
        if !first.starts_with(name) {
            return Err(KeyFileError::UnsupportedForm {
                form: "OpenSSH line with names or options",
            });
        }
        match lines.next() {
            None => Ok(Self::OpensshPublic(first)),
            Some(_) => {
                Err(KeyFileError::malformed(openssh::PUBLIC, "more than one line holds a key"))
            }
        }
    }
}

/// Decodes strict RFC 7468 text with lines of any length. Every copy of the bytes is wiped.
fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let malformed = |error| KeyFileError::malformed(PEM, error);
    let mut decoder = pem_rfc7468::Decoder::new_detect_wrap(text.as_bytes()).map_err(malformed)?;
    let mut bytes = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut bytes).map_err(malformed)?;
    if decoder.is_finished() {
        Ok(bytes)
    } else {
        Err(KeyFileError::malformed(PEM, "text after the base64"))
    }
}

fn binary_form(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        // DER begins with '0' and a length. No UTF-8 character begins with such a length byte, so this is
        // not text.
        [0x30, 0x80, 0x02, 0x01, 0x03, ..]
        | [0x30, 0x81, _, 0x02, 0x01, 0x03, ..]
        | [0x30, 0x82, _, _, 0x02, 0x01, 0x03, ..] => Some("PKCS#12 container"),
        [0x30, 0x80..=0x84, ..] => Some(DER),
        // This length byte may be a character, but in text it hardly ever equals the number of bytes left.
        [0x30, length, rest @ ..] if usize::from(*length) == rest.len() => Some(DER),
        // A CBOR map. No UTF-8 text begins with these bytes.
        [0xa0..=0xbf, ..] => Some("COSE_Key"),
        _ => None,
    }
}

fn refusal_of_label(label: &str) -> KeyFileError {
    let form = match label {
        "DSA PARAMETERS" | "DSA PRIVATE KEY" => return KeyFileError::not_ed25519("DSA"),
        "EC PARAMETERS" | "EC PRIVATE KEY" => return KeyFileError::not_ed25519("EC"),
        "RSA PRIVATE KEY" | "RSA PUBLIC KEY" => return KeyFileError::not_ed25519("RSA"),
        "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => "X.509 certificate",
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "X.509 certificate request",
        "PGP PRIVATE KEY BLOCK" | "PGP PUBLIC KEY BLOCK" => "OpenPGP key",
        "PGP MESSAGE" | "PGP SIGNATURE" | "PGP SIGNED MESSAGE" => "OpenPGP message",
        "PKCS7" | "CMS" => "CMS message",
        "SSH SIGNATURE" => "SSH signature",
        _ => "PEM with an unknown label",
    };
    KeyFileError::UnsupportedForm { form }
}

/// Returns whether the line is a public key as `minisign -P` takes it: base64 of 42 bytes that begin with
/// `Ed`.
fn is_bare_minisign(line: &str) -> bool {
    line.len() == 56 && line.starts_with("RW") && !line.contains(' ')
}

/// The beginnings of unsupported forms with their names. A beginning is looked for on the first line that is
/// neither blank nor a comment.
const LINES: [(&str, &str); 7] = [
    ("---- BEGIN SSH2 ", "SSH2 public key (RFC 4716)"),
    ("AGE-SECRET-KEY-", "age key"),
    ("PuTTY-User-Key-File-", "PuTTY private key"),
    ("age1", "age key"),
    ("untrusted comment:", MINISIGN),
    ("{", "JWK"),
    ("[", "JWK"),
];

const BEGIN: &str = "-----BEGIN ";
const DER: &str = "DER without PEM armor";
const MINISIGN: &str = "minisign or signify key";
const PEM: &str = "PEM";

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> KeyFileError {
        match KeyForm::of(bytes) {
            Ok(_) => panic!("accepted: {:?}", str::from_utf8(bytes)),
            Err(error) => error,
        }
    }

    fn malformed(why: &str) -> KeyFileError {
        KeyFileError::malformed(PEM, why)
    }

    #[test]
    fn unsupported_forms_are_refused_by_name() {
        for (bytes, form) in [
            (fixture!("ed25519.cert.pem"), "X.509 certificate"),
            (fixture!("ed25519.der"), DER),
            (fixture!("rsa.der"), DER),
            (fixture!("ed25519.p12"), "PKCS#12 container"),
            (fixture!("ssh-cert.pub"), "OpenSSH certificate"),
            (b"\xa4\x01\x01\x03\x27\x20\x06\x21\x40", "COSE_Key"),
            (b"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "JWK"),
            (b"[{\"kty\":\"OKP\"}]", "JWK"),
            (b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "PuTTY private key"),
            (b"untrusted comment: minisign public key 0\nRWQ\n", MINISIGN),
            (b"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", MINISIGN),
            (b"AGE-SECRET-KEY-1QQQ", "age key"),
            (b"# created: now\n# public key: age1q\nAGE-SECRET-KEY-1Q\n", "age key"),
            (b"age1qqqq", "age key"),
            (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n", "OpenPGP key"),
            (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\nmD\n", "OpenPGP key"),
            (b"-----BEGIN CERTIFICATE REQUEST-----\n", "X.509 certificate request"),
            (b"-----BEGIN BRINE ENVELOPE-----\n", "PEM with an unknown label"),
            (b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "SSH2 public key (RFC 4716)"),
            (b"restrict ssh-ed25519 AAAA", "OpenSSH line with names or options"),
            (b"a@example.org ssh-ed25519 AAAA", "OpenSSH line with names or options"),
        ] {
            assert_eq!(refusal(bytes), KeyFileError::UnsupportedForm { form });
        }
    }

    #[test]
    fn other_algorithms_are_refused_by_name() {
        for (bytes, found) in [
            (fixture!("rsa.traditional.pem"), "RSA"),
            (fixture!("ec.traditional.pem"), "EC"),
            (b"-----BEGIN EC PARAMETERS-----\n", "EC"),
            (b"-----BEGIN RSA PUBLIC KEY-----\n", "RSA"),
            (b"-----BEGIN DSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "DSA"),
            (fixture!("ssh.rsa.pub"), "ssh-rsa"),
            (fixture!("ssh.ecdsa.pub"), "ecdsa-sha2-nistp256"),
            (b"sk-ssh-ed25519@openssh.com AAAA", "sk-ssh-ed25519@openssh.com"),
            (b"ssh-dss AAAA", "ssh-dss"),
        ] {
            assert_eq!(refusal(bytes), KeyFileError::not_ed25519(found));
        }
    }

    #[test]
    fn armor_stands_alone() {
        let pem = str::from_utf8(fixture!("ed25519.pem")).unwrap();
        let cert = str::from_utf8(fixture!("ed25519.cert.pem")).unwrap();
        for text in [format!("{pem}x"), format!("{pem}{cert}"), pem[..70].to_owned()] {
            assert_eq!(refusal(text.as_bytes()), malformed("no END line, or text after it"));
        }
        let before = format!("Bag Attributes\n{pem}");
        assert_eq!(refusal(before.as_bytes()), malformed("text before the BEGIN line"));
        let broken = pem.replacen("-----\n", "----\n", 1);
        assert_eq!(refusal(broken.as_bytes()), malformed("the BEGIN line is broken"));
        for text in [format!("{pem}{pem}"), pem.replace("MC4C", "MC4C!")] {
            let found = refusal(text.as_bytes());
            assert!(matches!(found, KeyFileError::Malformed { form: PEM, .. }), "{found:?}");
        }
    }

    #[test]
    fn white_space_around_armor_is_ignored() {
        let pem = str::from_utf8(fixture!("ed25519.pem")).unwrap();
        for text in [pem.replace('\n', "\r\n"), format!("\n{pem}\n\n"), pem.trim_end().to_owned()] {
            assert!(matches!(KeyForm::of(text.as_bytes()), Ok(KeyForm::Pkcs8(_))), "{text:?}");
        }
    }

    #[test]
    fn a_public_file_holds_one_key() {
        let line = str::from_utf8(fixture!("ssh.pub")).unwrap();
        let noted = format!("# laptop\n\n  {line}\n\n");
        let Ok(KeyForm::OpensshPublic(found)) = KeyForm::of(noted.as_bytes()) else {
            panic!("{noted}")
        };
        assert_eq!(found, line.trim_end());
        for second in [line, "ssh-rsa AAAA\n", "junk\n"] {
            let found = refusal(format!("{line}{second}").as_bytes());
            let why = "more than one line holds a key";
            assert_eq!(found, KeyFileError::malformed(openssh::PUBLIC, why));
        }
    }

    #[test]
    fn other_bytes_are_unrecognised() {
        for bytes in [b"".as_slice(), b"\n", b"# only a comment", b"hunter2", b"\xff\xfe", b"0"] {
            assert_eq!(refusal(bytes), KeyFileError::Unrecognised, "{bytes:?}");
        }
    }

    #[test]
    fn the_size_limit_is_exact() {
        assert_eq!(refusal(&[b' '; MAX_KEY_FILE_BYTES]), KeyFileError::Unrecognised);
        assert_eq!(refusal(&[b' '; MAX_KEY_FILE_BYTES + 1]), KeyFileError::TooLarge);
    }
}
