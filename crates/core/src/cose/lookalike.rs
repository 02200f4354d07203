//! What arrives in place of an envelope, as far as its first bytes show.
//!
//! Nothing is decided here: the bytes were refused already, and this says what they seem to be.

use std::fmt;

/// What arrived in place of an envelope.
///
/// Its text says so, as in `base64 text of an envelope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookalike {
    /// An armored envelope that something has happened to.
    Armor(ArmorDamage),
    /// A bare array behind a tag that may stand around an envelope.
    BareInside,
    /// Base64 of an envelope, without armor.
    Base64,
    /// A CMS or PKCS#7 message.
    Cms,
    /// Compressed data, and the name of the format.
    Compressed(&'static str),
    /// Nothing.
    Empty,
    /// JSON text.
    Json,
    /// A JSON Web Token or signature in its compact form.
    Jwt,
    /// A key.
    Key,
    /// A signature of minisign or signify.
    Minisign,
    /// CBOR without a tag.
    NoTag,
    /// Bytes that are not CBOR, and of no form that is known here.
    NotCbor,
    /// An OpenPGP message or signature.
    OpenPgp,
    /// Armor of something that is not known here.
    OtherArmor,
    /// CBOR with another tag.
    OtherTag,
    /// Records: several envelopes, or one, in a framing of this name.
    Records(&'static str),
    /// A signature of `ssh-keygen -Y sign`.
    SshSignature,
    /// Text in UTF-16.
    Utf16,
    /// White space, such as the end of a line.
    WhiteSpace,
}

/// What has happened to an armored envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArmorDamage {
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// Its lines are indented.
    Indented,
    /// Its lines begin with `>`, as in the answer to a mail.
    Quoted,
    /// Lines stand before it.
    TextBefore,
    /// It is in UTF-16.
    Utf16,
}

impl Lookalike {
    /// Says what an input seems to be. It is `otherwise` if its first bytes show nothing.
    ///
    /// No more than the beginning is looked at, so that what is refused costs little.
    pub(super) fn of(input: &[u8], otherwise: Self) -> Self {
        let start = input.get(..LOOKED_AT_BYTES).unwrap_or(input);
        of_binary(start)
            .or_else(|| of_utf16(start))
            .or_else(|| of_armor(start))
            .or_else(|| of_text(start))
            .unwrap_or(otherwise)
    }

    /// Says what armor with this label holds.
    #[must_use]
    pub fn of_label(label: &[u8]) -> Self {
        match label {
            b"CMS" | b"PKCS7" => Self::Cms,
            b"SSH SIGNATURE" => Self::SshSignature,
            _ if label.ends_with(b"KEY") || label.ends_with(b"KEY BLOCK") => Self::Key,
            _ if label.starts_with(b"PGP ") => Self::OpenPgp,
            _ => Self::OtherArmor,
        }
    }
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Armor(damage) => return write!(f, "an armored envelope {damage}"),
            Self::Compressed(format) => return write!(f, "compressed with {format}"),
            Self::Records(framing) => {
                return write!(f, "envelopes as records, in the framing {framing}");
            }
            Self::BareInside => "no CBOR tag 18 inside the outer one",
            Self::Base64 => "base64 text of an envelope",
            Self::Cms => "a CMS message",
            Self::Empty => "input is empty",
            Self::Json => "JSON text",
            Self::Jwt => "a JSON Web Token",
            Self::Key => "a key",
            Self::Minisign => "a signature of minisign or signify",
            Self::NoTag => "input does not begin with CBOR tag 18",
            Self::NotCbor => "input is not CBOR",
            Self::OpenPgp => "an OpenPGP message or signature",
            Self::OtherArmor => "the armor holds something else",
            Self::OtherTag => "input begins with another CBOR tag than 18",
            Self::SshSignature => "an SSH signature",
            Self::Utf16 => "text in UTF-16",
            Self::WhiteSpace => "nothing but white space",
        })
    }
}

impl fmt::Display for ArmorDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "behind a byte order mark",
            Self::Indented => "that is indented",
            Self::Quoted => "quoted with >",
            Self::TextBefore => "with other lines before it",
            Self::Utf16 => "in UTF-16",
        })
    }
}

fn of_binary(start: &[u8]) -> Option<Lookalike> {
    Some(match start {
        [0x1f, 0x8b, 0x08, ..] => Lookalike::Compressed("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Lookalike::Compressed("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Lookalike::Compressed("xz"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Lookalike::Compressed("bzip2"),
        [b'P', b'K', 3, 4, ..] => Lookalike::Compressed("zip"),
        // A signature packet, with a length of one or two bytes, of version 4 (RFC 9580, Section 4.2).
        [0x88, _, 4, 0 | 1, ..] | [0x89, _, _, 4, 0 | 1, ..] => Lookalike::OpenPgp,
        [b'S', b'S', b'H', b'S', b'I', b'G', ..] => Lookalike::SshSignature,
        // A ContentInfo with signed data (RFC 5652, Section 5.1).
        [0x30, 0x80, contents @ ..] | [0x30, 0x82, _, _, contents @ ..]
            if contents.starts_with(SIGNED_DATA) =>
        {
            Lookalike::Cms
        }
        // A record is shorter than 2^24 bytes.
        [0, _, _, _, 0xd2, 0x84, ..] => Lookalike::Records("len32"),
        _ => return None,
    })
}

fn of_utf16(start: &[u8]) -> Option<Lookalike> {
    let is_marked = matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    if !is_marked && !matches!(start, [1..=0x7f, 0, ..] | [0, 1..=0x7f, ..]) {
        return None;
    }
    // One byte of each ASCII character is 0, and nothing else is looked for.
    let text: Vec<u8> = start.iter().copied().filter(|&byte| byte != 0).collect();
    match find(&text, BEGIN) {
        Some(_) => Some(Lookalike::Armor(ArmorDamage::Utf16)),
        None => is_marked.then_some(Lookalike::Utf16),
    }
}

fn of_armor(start: &[u8]) -> Option<Lookalike> {
    if let Some(before) = find(start, BEGIN).and_then(|at| start.get(..at)) {
        return Some(Lookalike::Armor(ArmorDamage::of(before)));
    }
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    let label = text.strip_prefix(b"-----BEGIN ")?;
    Some(Lookalike::of_label(label.get(..find(label, b"-----")?)?))
}

impl ArmorDamage {
    /// Says what happened to armor by what stands before it.
    fn of(before: &[u8]) -> Self {
        let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        if before == BYTE_ORDER_MARK {
            Self::ByteOrderMark
        } else if line.trim_ascii_start().starts_with(b">") {
            Self::Quoted
        } else if !line.is_empty() && line.trim_ascii().is_empty() {
            Self::Indented
        } else {
            Self::TextBefore
        }
    }
}

fn of_text(start: &[u8]) -> Option<Lookalike> {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    Some(match text {
        [] => Lookalike::WhiteSpace,
        // What follows the first two bytes of an envelope is in the third character.
        [b'0', b'o', b'Q'..=b'T', ..] => of_base64(text),
        [b'{' | b'[', b'"' | b'{' | b'\n' | b' ' | b'\r', ..] => Lookalike::Json,
        _ if text.starts_with(b"eyJ") => Lookalike::Jwt,
        _ if text.starts_with(b"untrusted comment:") => Lookalike::Minisign,
        _ => return None,
    })
}

/// Tells records, each of which is base64url text, from an envelope that some program wrote in lines of base64.
fn of_base64(text: &[u8]) -> Lookalike {
    if text.contains(&0) {
        return Lookalike::Records("null");
    }
    let mut lines = text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let is_wrapped = lines.nth(1).is_some_and(|second| !second.starts_with(b"0o"));
    let is_padded = text.iter().any(|byte| b"+/=".contains(byte));
    if is_wrapped || is_padded { Lookalike::Base64 } else { Lookalike::Records("lines") }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|found| found == wanted)
}

const BEGIN: &[u8] = b"-----BEGIN BRINE ENVELOPE-----";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The object identifier `id-signedData`.
const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

/// As much as shows what an input is.
const LOOKED_AT_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(input: impl AsRef<[u8]>) -> Lookalike {
        Lookalike::of(input.as_ref(), Lookalike::NoTag)
    }

    const ARMOR: &str =
        "-----BEGIN BRINE ENVELOPE-----\n0oRYJqIBJwRY\n-----END BRINE ENVELOPE-----\n";

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn damaged_armor_is_named_with_its_damage() {
        let marked = format!("\u{feff}{ARMOR}");
        for (input, damage) in [
            (marked.clone().into_bytes(), ArmorDamage::ByteOrderMark),
            (utf16(&marked, u16::to_le_bytes), ArmorDamage::Utf16),
            (utf16(&marked, u16::to_be_bytes), ArmorDamage::Utf16),
            (utf16(ARMOR, u16::to_le_bytes), ArmorDamage::Utf16),
            (format!("\n{ARMOR}").into_bytes(), ArmorDamage::TextBefore),
            (format!("Hello,\n\n{ARMOR}").into_bytes(), ArmorDamage::TextBefore),
            (format!("caf\u{e9} {ARMOR}").into_bytes(), ArmorDamage::TextBefore),
            (format!("  {ARMOR}").into_bytes(), ArmorDamage::Indented),
            (format!("Hello\n\t{ARMOR}").into_bytes(), ArmorDamage::Indented),
            (format!("> {ARMOR}").into_bytes(), ArmorDamage::Quoted),
            (format!("Bob wrote:\n> > {ARMOR}").into_bytes(), ArmorDamage::Quoted),
        ] {
            assert_eq!(of(&input), Lookalike::Armor(damage), "{input:?}");
        }
    }

    #[test]
    fn envelopes_in_other_clothes_are_named() {
        let line = "0oRYJqIBJwRYIIZu771nGMiEbNfd_kP8dKsdqsRTj_hRTqLsLUEKQVdDoEVoZWxs";
        for (input, expected) in [
            (line.to_owned(), Lookalike::Records("lines")),
            (format!("{line}\n"), Lookalike::Records("lines")),
            (format!("{line}\r\n\r\n{line}\n"), Lookalike::Records("lines")),
            (format!("\n{line}\n"), Lookalike::Records("lines")),
            (format!("{line}\0{line}\0"), Lookalike::Records("null")),
            (line.replace('_', "/"), Lookalike::Base64),
            (format!("{line}\nb1hAi94OPTh4\n"), Lookalike::Base64),
            (format!("{line}="), Lookalike::Base64),
            ("\0\0\0\u{0}".to_owned(), Lookalike::NoTag),
        ] {
            assert_eq!(of(&input), expected, "{input:?}");
        }
        assert_eq!(of(b"\0\0\x01\x05\xd2\x84X"), Lookalike::Records("len32"));
    }

    #[test]
    fn what_other_programs_make_is_named() {
        for (input, expected) in [
            (b"\x1f\x8b\x08\0".as_slice(), Lookalike::Compressed("gzip")),
            (b"\x28\xb5\x2f\xfd\x04", Lookalike::Compressed("zstd")),
            (b"\xfd7zXZ\0", Lookalike::Compressed("xz")),
            (b"BZh91AY&SY", Lookalike::Compressed("bzip2")),
            (b"PK\x03\x04", Lookalike::Compressed("zip")),
            (b"-----BEGIN PGP SIGNATURE-----\n\niH", Lookalike::OpenPgp),
            (b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n", Lookalike::OpenPgp),
            (b"\x88\x75\x04\0\x16", Lookalike::OpenPgp),
            (b"\x89\x01\x33\x04\0\x01", Lookalike::OpenPgp),
            (b"-----BEGIN SSH SIGNATURE-----\nU1NI", Lookalike::SshSignature),
            (b"\n  -----BEGIN SSH SIGNATURE-----\nU1NI", Lookalike::SshSignature),
            (b"SSHSIG\0\0\0\x01", Lookalike::SshSignature),
            (b"untrusted comment: signature from minisign secret key\nRUQ", Lookalike::Minisign),
            (b"-----BEGIN PKCS7-----\nMII", Lookalike::Cms),
            (b"\x30\x82\x01\x02\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0", Lookalike::Cms),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", Lookalike::Key),
            (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", Lookalike::Key),
            (b"-----BEGIN CERTIFICATE-----\n", Lookalike::OtherArmor),
            (b"{\"payload\": 1}", Lookalike::Json),
            (b"eyJhbGciOiJFZERTQSJ9.e30.c2ln", Lookalike::Jwt),
            (b"\xff\xfea\0", Lookalike::Utf16),
            (b"\r\n", Lookalike::WhiteSpace),
            (b"hello", Lookalike::NoTag),
            (b"-----BEGIN", Lookalike::NoTag),
            (b"\x89PNG\r\n", Lookalike::NoTag),
        ] {
            assert_eq!(of(input), expected, "{input:?}");
        }
    }

    #[test]
    fn no_more_than_the_beginning_is_looked_at() {
        let near = format!("{}{ARMOR}", "\n".repeat(LOOKED_AT_BYTES - 30));
        assert_eq!(of(&near), Lookalike::Armor(ArmorDamage::TextBefore));
        let far = format!("{}{ARMOR}", "x".repeat(LOOKED_AT_BYTES - 29));
        assert_eq!(of(&far), Lookalike::NoTag);
    }
}
