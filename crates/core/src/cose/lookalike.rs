//! What arrives in place of an envelope, as far as its first bytes show.
//!
//! Nothing is decided here: the bytes were refused already, and this says what they seem to be.

mod armor;
mod binary;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

/// What arrived in place of an envelope.
///
/// Its text says so, as in `base64 text of an envelope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookalike {
    /// A file that age encrypted.
    Age,
    /// An armored envelope that something has happened to.
    Armor(ArmorDamage),
    /// A bare array behind a tag that may stand around an envelope.
    BareInside,
    /// Base64 of an envelope, without armor.
    Base64,
    /// An X.509 certificate, or what belongs to one.
    Certificate,
    /// A list of checksums, as `sha256sum` writes it.
    Checksums,
    /// A CMS or PKCS#7 message.
    Cms,
    /// Compressed data, and the name of the format.
    Compressed(&'static str),
    /// A DSSE envelope, as in-toto and SLSA use it.
    Dsse,
    /// Nothing.
    Empty,
    /// A file of a well-known kind, and what to call it, as in `a PDF document`.
    File(&'static str),
    /// A pointer in place of a file that Git LFS keeps elsewhere.
    GitLfs,
    /// A page for a browser.
    Html,
    /// An answer of a web server with its head.
    HttpResponse,
    /// JSON text.
    Json,
    /// A JSON Web Signature in one of its JSON forms.
    Jws,
    /// A JSON Web Token or signature in its compact form.
    Jwt,
    /// A key.
    Key,
    /// A message of electronic mail.
    Mail,
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
    /// A policy of brine.
    Policy,
    /// Records: several envelopes, or one, in a framing of this name.
    Records(&'static str),
    /// A report that brine wrote with `--json` or `--report`.
    Report,
    /// A script.
    Script,
    /// A bundle of Sigstore, as `cosign` writes it.
    Sigstore,
    /// A signature of `ssh-keygen -Y sign`.
    SshSignature,
    /// Text.
    Text,
    /// A trust file of brine.
    TrustFile,
    /// Text in UTF-16.
    Utf16,
    /// White space, such as the end of a line.
    WhiteSpace,
    /// An XML document, as object stores answer with.
    Xml,
    /// Nothing but zero bytes.
    Zeros,
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
        binary::recognise(start)
            .or_else(|| armor::recognise_utf16(start))
            .or_else(|| armor::recognise(start))
            .or_else(|| text::recognise(start))
            .unwrap_or(otherwise)
    }

    /// Says what armor with this label holds.
    #[must_use]
    pub fn of_label(label: &[u8]) -> Self {
        match label {
            b"AGE ENCRYPTED FILE" => Self::Age,
            b"CMS" | b"PKCS7" => Self::Cms,
            b"SSH SIGNATURE" => Self::SshSignature,
            _ if label.ends_with(b"KEY") || label.ends_with(b"KEY BLOCK") => Self::Key,
            _ if label.starts_with(b"PGP ") => Self::OpenPgp,
            _ if label.windows(11).any(|word| word == b"CERTIFICATE") => Self::Certificate,
            _ => Self::OtherArmor,
        }
    }
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Armor(damage) => return write!(f, "an armored envelope {damage}"),
            Self::Compressed(format) => return write!(f, "compressed with {format}"),
            Self::File(name) => name,
            Self::Records(framing) => {
                return write!(f, "envelopes as records, in the framing {framing}");
            }
            Self::Age => "a file that age encrypted",
            Self::BareInside => "a wrapper with something else inside",
            Self::Base64 => "base64 text of an envelope",
            Self::Certificate => "an X.509 certificate",
            Self::Checksums => "a list of checksums",
            Self::Cms => "a CMS (PKCS#7, S/MIME) message",
            Self::Dsse => "a DSSE envelope, as in-toto and SLSA use it",
            Self::Empty => "it is empty",
            Self::GitLfs => "a Git LFS pointer, in place of the file",
            Self::Html => "an HTML page",
            Self::HttpResponse => "an answer of a web server, with its headers",
            Self::Json => "JSON text",
            Self::Jws => "a JSON Web Signature",
            Self::Jwt => "a JSON Web Token",
            Self::Key => "a key",
            Self::Mail => "a mail",
            Self::Minisign => "a signature of minisign or signify",
            Self::NoTag | Self::NotCbor | Self::OtherTag => "data of an unknown kind",
            Self::OpenPgp => "an OpenPGP message or signature",
            Self::OtherArmor => "the armor holds something else",
            Self::Policy => "a policy of brine",
            Self::Report => "a report of brine",
            Self::Script => "a script, without a signature",
            Self::Sigstore => "a Sigstore bundle, as cosign writes it",
            Self::SshSignature => "an SSH signature",
            Self::Text => "plain text",
            Self::TrustFile => "a trust file of brine",
            Self::Utf16 => "text in UTF-16",
            Self::WhiteSpace => "nothing but white space",
            Self::Xml => "an XML document",
            Self::Zeros => "nothing but zero bytes",
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

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    find(text, wanted).is_some()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|found| found == wanted)
}

/// Takes off a byte order mark and white space.
fn text_of(start: &[u8]) -> &[u8] {
    start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start()
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// As much as shows what an input is.
const LOOKED_AT_BYTES: usize = 4096;
