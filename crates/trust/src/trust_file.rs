//! Reads trust files of either form.

use jiff::tz::TimeZone;

use crate::allowed_signers::AllowedSigners;
use crate::anchors::Trust;
use crate::document::Contents;
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
    /// - [`TrustError::Utf16`]; [`TrustError::NotText`] for zero bytes, and for bytes that are not UTF-8, which
    ///   comments and unused lines of an allowed_signers file may hold;
    /// - in a trust.toml: [`TrustError::Toml`], [`TrustError::UnknownKey`], [`TrustError::Version`],
    ///   [`TrustError::WrongType`], [`TrustError::Missing`], [`TrustError::NameLength`],
    ///   [`TrustError::Glob`], [`TrustError::LocalTime`];
    /// - in an allowed_signers file: [`TrustError::Malformed`], [`TrustError::Pem`], [`TrustError::ByteOrderMark`],
    ///   [`TrustError::DuplicateOption`], [`TrustError::NamesMissing`], [`TrustError::UnknownOption`],
    ///   [`TrustError::UnknownKeyType`];
    /// - in both: [`TrustError::Key`], [`TrustError::ControlCharacter`], [`TrustError::Time`],
    ///   [`TrustError::EmptyWindow`];
    /// - [`TrustError::ListsNamed`] for a file that names lists of what is revoked, which are not at hand here:
    ///   [`parse_with_lists`](Self::parse_with_lists) reads such a file.
    pub fn parse(bytes: &[u8], zone: &dyn Fn() -> TimeZone) -> Result<Self, TrustError> {
        match Self::parse_with_lists(bytes, zone)? {
            (trust, lists) if lists.is_empty() => Ok(trust),
            _ => Err(TrustError::ListsNamed),
        }
    }

    /// Does the same, and returns the files of lists of what is revoked that a trust.toml names, from its directory.
    ///
    /// This crate opens no files. The caller **must** read them, and [revoke](Self::revoke) what they say.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse) but for [`TrustError::ListsNamed`].
    pub fn parse_with_lists(
        bytes: &[u8],
        zone: &dyn Fn() -> TimeZone,
    ) -> Result<(Self, Vec<String>), TrustError> {
        check(bytes)?;
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        if is_toml(text) {
            let text = str::from_utf8(text);
            let text = text.map_err(|error| not_text(bytes, error.valid_up_to()))?;
            let Contents { signers, authorities, revoked, rules } = document::read(text)?;
            let entries = signers.into_iter().map(|placed| placed.entry);
            let authorities = authorities.into_iter().map(|placed| placed.authority);
            let trust = Self::new(entries).with_authorities(authorities).with_rules(rules);
            return Ok((trust, revoked));
        }
        let AllowedSigners { entries, authorities, skipped } = allowed_signers::read(bytes, zone)?;
        let trust = Self::new(entries).with_authorities(authorities).with_skipped(skipped);
        Ok((trust, Vec::new()))
    }
}

/// Returns whether this is a trust.toml rather than an allowed_signers file.
///
/// The first line that is neither blank nor a comment decides. In TOML it begins with `[`, or with one word and `=`.
/// In allowed_signers there is space before the `=` of an option. A file whose first principal holds `=` is refused
/// as TOML. No text is valid in both forms.
pub(crate) fn is_toml(text: &[u8]) -> bool {
    openssh_text::lines(text).next().is_some_and(|(_, line)| {
        let equals = line.iter().position(|&byte| byte == b'=');
        let key = equals.and_then(|equals| line.get(..equals)).map(<[u8]>::trim_ascii_end);
        line.starts_with(b"[")
            || key.is_some_and(|key| !key.iter().any(|byte| b" \t".contains(byte)))
    })
}

/// Checks the size, and that it is text of an encoding that has ASCII in it.
pub(crate) fn check(bytes: &[u8]) -> Result<(), TrustError> {
    check_size(bytes)?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(TrustError::Utf16);
    }
    // A program in C would stop at a zero byte, and so read another file than this one.
    let zero = bytes.iter().position(|&byte| byte == 0);
    zero.map_or(Ok(()), |offset| Err(not_text(bytes, offset)))
}

/// Checks the size alone, of what is no text or known to be one.
pub(crate) fn check_size(bytes: &[u8]) -> Result<(), TrustError> {
    let (found, limit) = (bytes.len(), MAX_TRUST_FILE_BYTES);
    if found <= limit { Ok(()) } else { Err(TrustError::TooLarge { found, limit }) }
}

fn not_text(bytes: &[u8], offset: usize) -> TrustError {
    let newlines = bytes.iter().take(offset).filter(|&&byte| byte == b'\n');
    TrustError::NotText { line: newlines.count() + 1 }
}

/// U+FEFF in UTF-8, which editors of Windows put before a text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
