//! Who may speak, about what, until when.
//!
//! A [`Trust`] is read from a trust.toml or from an OpenSSH allowed_signers file. It answers the question of
//! [`TrustAnchors`]: which signer speaks for the key that verified a signature, or why none does. Whatever a
//! file says that is not understood is refused, since it may be a restriction.

#![forbid(unsafe_code)]

mod allowed_signers;
mod document;
mod entry;
mod error;
mod pattern;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use brine_core::{Evidence, KeyId, Question, Signer, TrustAnchors, Untrusted, VerifyingKey};
use jiff::tz::TimeZone;

pub use crate::entry::{Revocation, Scope, TrustEntry};
pub use crate::error::TrustError;
pub use crate::pattern::{ContextGlob, PatternList, ReservedGlob};
pub use crate::store::TrustStore;

/// The largest trust file, and the largest list of revoked keys, in bytes.
pub const MAX_TRUST_FILE_BYTES: usize = 4 << 20;

/// The longest name of a signer in a trust.toml, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// A list of signers, and a list of revoked keys that wins over it.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    entries: Vec<TrustEntry>,
    /// Where the entries of each key are, in the order of the file.
    by_key: BTreeMap<KeyId, Vec<usize>>,
    /// Where the first entry of each key is, in the order of the file.
    firsts: Vec<usize>,
    revoked: BTreeSet<KeyId>,
    skipped: usize,
}

impl Trust {
    /// Trusts these signers.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = impl Into<TrustEntry>>) -> Self {
        let entries: Vec<TrustEntry> = entries.into_iter().map(Into::into).collect();
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut firsts = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let places = by_key.entry(entry.key().id()).or_default();
            if places.is_empty() {
                firsts.push(index);
            }
            places.push(index);
        }
        Self { entries, by_key, firsts, revoked: BTreeSet::new(), skipped: 0 }
    }

    /// Reads a trust.toml or an allowed_signers file; `zone` finds the local time zone, for local
    /// times in the latter, and is called only where there are any.
    ///
    /// # Errors
    ///
    /// - [`TrustError::TooLarge`] beyond [`MAX_TRUST_FILE_BYTES`];
    /// - [`TrustError::NotText`] for bytes that are not UTF-8, or zero;
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
        Ok(Self { skipped, ..Self::new(entries) })
    }

    /// Reads a list of revoked keys: one OpenSSH public key a line, and comments after `#`. Lines
    /// with other types of key are left out.
    ///
    /// # Errors
    ///
    /// - [`TrustError::BinaryKrl`] for OpenSSH's binary form, which is not read;
    /// - [`TrustError::TooLarge`], [`TrustError::NotText`];
    /// - [`TrustError::Key`], [`TrustError::UnknownKeyType`].
    pub fn parse_revoked(text: &[u8]) -> Result<Vec<VerifyingKey>, TrustError> {
        if text.starts_with(KRL_MAGIC) {
            return Err(TrustError::BinaryKrl);
        }
        allowed_signers::read_keys(decode(text)?)
    }

    /// Refuses these keys from now on, whatever any entry says.
    pub fn revoke(&mut self, keys: impl IntoIterator<Item = VerifyingKey>) {
        self.revoked.extend(keys.into_iter().map(|key| key.id()));
    }

    /// Returns all entries, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[TrustEntry] {
        &self.entries
    }

    /// Returns the entries of a key, in the order of the file.
    pub fn entries_of(&self, id: KeyId) -> impl Iterator<Item = &TrustEntry> + Clone {
        let places = self.by_key.get(&id).into_iter().flatten();
        places.filter_map(|&index| self.entries.get(index))
    }

    /// Returns how many lines of an allowed_signers file were left out: those with other types of
    /// key, and those of certificate authorities.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Does what [`judge`](TrustAnchors::judge) does, and returns the whole entry that speaks.
    ///
    /// # Errors
    ///
    /// Those of [`judge`](TrustAnchors::judge).
    pub fn judge_entry(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<&TrustEntry, Untrusted> {
        let key = evidence.key_id();
        let entries = self.entries_of(key);
        // Before all else, so that no entry makes good what another one revokes.
        self.judge_revocation(key, entries.clone(), question)?;
        let first = entries.clone().next().ok_or_else(|| Untrusted::unknown(key))?;
        let mut refusing = None;
        for entry in entries {
            if question.signer.is_some_and(|name| !entry.answers_to(name)) {
                continue;
            }
            match entry.broken_limit(question) {
                None => return Ok(entry),
                Some(broken) => refusing = refusing.or(Some((entry, broken))),
            }
        }
        Err(match refusing {
            Some((entry, broken)) => entry.refusal(broken, question),
            // No entry answers to the name.
            None => Untrusted::WrongSigner {
                expected: question.signer.unwrap_or_default().to_owned(),
                found: first.name().to_owned(),
            },
        })
    }

    fn judge_revocation<'t>(
        &self,
        key: KeyId,
        mut entries: impl Iterator<Item = &'t TrustEntry> + Clone,
        question: &Question<'_>,
    ) -> Result<(), Untrusted> {
        let first = entries.clone().next();
        let revoked = entries.find_map(|entry| Some((entry, entry.revoked_at(question.now)?)));
        if let Some((entry, revocation)) = revoked {
            return Err(Untrusted::Revoked {
                signer: entry.name().to_owned(),
                at: Some(revocation.at),
                why: revocation.reason.clone(),
            });
        }
        if self.revoked.contains(&key) {
            let signer = first.map_or_else(|| key.to_string(), |entry| entry.name().to_owned());
            return Err(Untrusted::Revoked { signer, at: None, why: None });
        }
        Ok(())
    }
}

/// A key that any entry or the list revokes is refused. Otherwise the first entry speaks that
/// answers to the name asked for, if one is, and whose window and scope hold. Where none does, the refusal is
/// that of the first entry that answers to the name.
impl TrustAnchors for Trust {
    fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.entries_of(id).next().map(TrustEntry::key)
    }

    fn keys(&self) -> Vec<&VerifyingKey> {
        self.firsts.iter().filter_map(|&index| Some(self.entries.get(index)?.key())).collect()
    }

    fn judge(&self, evidence: &Evidence, question: &Question<'_>) -> Result<Signer, Untrusted> {
        self.judge_entry(evidence, question).map(|entry| entry.signer().clone())
    }
}

/// Returns whether this is a trust.toml rather than an allowed_signers file.
///
/// The first line that is neither blank nor a comment tells: in TOML it begins with `[`, or with a
/// key, which is one word, and `=`. An allowed_signers line has space before any `=` of its options.
/// Should a principal hold `=`, the file is refused as TOML; no text is valid as both.
fn is_toml(text: &str) -> bool {
    allowed_signers::lines(text).next().is_some_and(|(_, line)| {
        let key = line.split_once('=').map(|(key, _)| key.trim_end());
        line.starts_with('[') || key.is_some_and(|key| !key.contains([' ', '\t']))
    })
}

/// Checks size and encoding, and takes off a byte order mark.
fn decode(bytes: &[u8]) -> Result<&str, TrustError> {
    if bytes.len() > MAX_TRUST_FILE_BYTES {
        return Err(TrustError::TooLarge { found: bytes.len(), limit: MAX_TRUST_FILE_BYTES });
    }
    // C programs see nothing beyond a zero byte: no two readers may differ on what a file says.
    let text = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    let text = text.and_then(|text| text.find('\0').map_or(Ok(text), Err));
    text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|offset| {
        let newlines = bytes.iter().take(offset).filter(|&&byte| byte == b'\n');
        TrustError::NotText { line: newlines.count() + 1 }
    })
}

/// What OpenSSH's binary key revocation lists begin with (PROTOCOL.krl).
const KRL_MAGIC: &[u8] = b"SSHKRL\n\0";

#[cfg(test)]
mod tests;
