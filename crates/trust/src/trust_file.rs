//! Reads trust files of either form, and lists of revoked keys.

use brine_core::VerifyingKey;
use jiff::tz::TimeZone;

use crate::anchors::Trust;
use crate::error::TrustError;
use crate::{MAX_TRUST_FILE_BYTES, allowed_signers, document, openssh_text};

impl Trust {
    /// Reads a trust.toml or an allowed_signers file.
    ///
    /// Times in an allowed_signers file may be local. `zone` finds the local time zone. It is called for local
    /// times only.
    ///
    /// # Errors
    ///
    /// - [`TrustError::TooLarge`] beyond [`MAX_TRUST_FILE_BYTES`];
    /// - [`TrustError::NotText`] for bytes that are not UTF-8, and for zero bytes;
    /// - in a trust.toml: [`TrustError::Toml`], [`TrustError::UnknownKey`], [`TrustError::Version`],
    ///   [`TrustError::WrongType`], [`TrustError::Missing`], [`TrustError::NameLength`],
    ///   [`TrustError::Glob`], [`TrustError::LocalTime`];
    /// - in an allowed_signers file: [`TrustError::Malformed`], [`TrustError::DuplicateOption`],
    ///   [`TrustError::UnknownOption`], [`TrustError::UnknownKeyType`];
    /// - in both: [`TrustError::Key`], [`TrustError::ControlCharacter`], [`TrustError::Time`],
    ///   [`TrustError::EmptyWindow`].
    pub fn parse(bytes: &[u8], zone: &dyn Fn() -> TimeZone) -> Result<Self, TrustError> {
        let text = decode(bytes)?;
        if is_toml(text) {
            let entries = document::read(text)?;
            return Ok(Self::new(entries.into_iter().map(|placed| placed.entry)));
        }
        let (entries, skipped) = allowed_signers::read(text, zone)?;
        Ok(Self::new(entries).with_skipped(skipped))
    }

    /// Reads a list of revoked keys: one OpenSSH public key a line.
    ///
    /// Blank lines, lines that begin with `#` and keys that are not Ed25519 are left out.
    ///
    /// # Errors
    ///
    /// - [`TrustError::BinaryKrl`] for OpenSSH's binary form, which is not supported;
    /// - [`TrustError::TooLarge`] beyond [`MAX_TRUST_FILE_BYTES`];
    /// - [`TrustError::NotText`] for bytes that are not UTF-8, and for zero bytes;
    /// - [`TrustError::Key`] for a broken key, [`TrustError::UnknownKeyType`] for a line that begins with no type of
    ///   key.
    pub fn parse_revoked(text: &[u8]) -> Result<Vec<VerifyingKey>, TrustError> {
        if text.starts_with(KRL_MAGIC) {
            return Err(TrustError::BinaryKrl);
        }
        openssh_text::read_keys(decode(text)?)
    }
}

/// Returns whether this is a trust.toml rather than an allowed_signers file.
///
/// The first line that is neither blank nor a comment decides. In TOML it begins with `[`, or with one word and `=`.
/// In allowed_signers there is space before the `=` of an option. A file whose first principal holds `=` is refused
/// as TOML. No text is valid in both forms.
fn is_toml(text: &str) -> bool {
    openssh_text::lines(text).next().is_some_and(|(_, line)| {
        let key = line.split_once('=').map(|(key, _)| key.trim_end());
        line.starts_with('[') || key.is_some_and(|key| !key.contains([' ', '\t']))
    })
}

/// Checks size and encoding, and removes a byte order mark.
fn decode(bytes: &[u8]) -> Result<&str, TrustError> {
    if bytes.len() > MAX_TRUST_FILE_BYTES {
        return Err(TrustError::TooLarge { found: bytes.len(), limit: MAX_TRUST_FILE_BYTES });
    }
    // A program in C would stop at a zero byte, and so read another file than this one.
    let text = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    let text = text.and_then(|text| text.find('\0').map_or(Ok(text), Err));
    text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|offset| {
        let newlines = bytes.iter().take(offset).filter(|&&byte| byte == b'\n');
        TrustError::NotText { line: newlines.count() + 1 }
    })
}

/// The first bytes of OpenSSH's binary key revocation lists (PROTOCOL.krl).
const KRL_MAGIC: &[u8] = b"SSHKRL\n\0";
