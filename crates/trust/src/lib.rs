//! Who may speak, about what, until when.
//!
//! A [`Trust`] is read from a trust.toml or from an OpenSSH allowed_signers file. It is asked after a
//! signature has been verified: [`Trust::judge`] says which entry speaks for the key, or why none
//! does. Whatever a file says that is not understood is refused, since it may be a restriction.

mod allowed_signers;
mod document;
mod error;
mod pattern;
mod signer;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::claims::Timestamp;
use crate::key::{KeyId, VerifyingKey};

pub use self::error::TrustError;
pub use self::pattern::{ContextGlob, PatternList, ReservedGlob};
pub use self::signer::{Revocation, Scope, Signer};
pub use self::store::TrustStore;

/// The largest trust file, and the largest list of revoked keys, in bytes.
pub const MAX_TRUST_FILE_BYTES: usize = 4 << 20;

/// The longest name of a signer in a trust.toml, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// A list of signers, and a list of revoked keys that wins over it.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    signers: Vec<Signer>,
    /// Where the entries of a key are, in the order of the file. A key id is a hash: it is computed
    /// here, not for every signature.
    by_key: BTreeMap<KeyId, Vec<usize>>,
    revoked: BTreeSet<KeyId>,
    skipped: usize,
}

impl Trust {
    /// Trusts these signers.
    #[must_use]
    pub fn new(signers: Vec<Signer>) -> Self {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, signer) in signers.iter().enumerate() {
            by_key.entry(signer.key.id()).or_default().push(index);
        }
        Self { signers, by_key, revoked: BTreeSet::new(), skipped: 0 }
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
            return Ok(Self::new(entries.into_iter().map(|entry| entry.signer).collect()));
        }
        let (signers, skipped) = allowed_signers::read(text, zone)?;
        Ok(Self { skipped, ..Self::new(signers) })
    }

    /// Returns all signers, in the order of the file.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Returns how many lines of an allowed_signers file were left out: those with other types of
    /// key, and those of certificate authorities.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Refuses these keys from now on, whatever any entry says.
    pub fn revoke(&mut self, keys: impl IntoIterator<Item = VerifyingKey>) {
        self.revoked.extend(keys.into_iter().map(|key| key.id()));
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

    /// Returns the entries of a key, in the order of the file.
    pub fn find(&self, id: KeyId) -> impl Iterator<Item = &Signer> {
        let indices = self.by_key.get(&id).into_iter().flatten();
        indices.filter_map(|&index| self.signers.get(index))
    }

    /// Returns the distinct keys, in the order of the file. Revoked ones are among them: what they
    /// signed is to be refused for that reason.
    #[must_use]
    pub fn keys(&self) -> Vec<&VerifyingKey> {
        let mut first: Vec<_> = self.by_key.values().filter_map(|all| all.first()).collect();
        first.sort_unstable();
        first.into_iter().filter_map(|&index| Some(&self.signers.get(index)?.key)).collect()
    }

    /// Judges a key that has verified a signature. Returns which entry speaks for it.
    ///
    /// A key that any entry or the list revokes is refused. Otherwise the first entry counts that
    /// answers to the name asked for, if one is, and whose window and scope hold.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: that of the first entry that answers to the name, where there is one.
    pub fn judge<'t>(&'t self, key: KeyId, question: &Question<'_>) -> Result<&'t Signer, Refusal> {
        // Before all else, so that no entry makes good what another one revokes.
        self.judge_revocation(key, question.now)?;
        let first = self.find(key).next().ok_or(Refusal::Unknown)?;
        let mut refusal = None;
        for signer in self.find(key) {
            if question.signer.is_some_and(|name| !signer.answers_to(name)) {
                continue;
            }
            match signer.judge(question) {
                Ok(()) => return Ok(signer),
                Err(reason) => refusal = refusal.or(Some(reason)),
            }
        }
        // Without a reason by now, no entry answers to the name.
        Err(refusal.unwrap_or_else(|| Refusal::WrongSigner {
            expected: question.signer.unwrap_or_default().to_owned(),
            found: first.name.clone(),
        }))
    }

    fn judge_revocation(&self, key: KeyId, now: Timestamp) -> Result<(), Refusal> {
        let revoked = self.find(key).find_map(|signer| Some((signer, signer.revoked_at(now)?)));
        if let Some((signer, revocation)) = revoked {
            return Err(Refusal::Revoked {
                signer: signer.name.clone(),
                at: Some(revocation.at),
                why: revocation.reason.clone(),
            });
        }
        if self.revoked.contains(&key) {
            let name = self.find(key).next().map(|signer| signer.name.clone());
            let signer = name.unwrap_or_else(|| key.to_string());
            return Err(Refusal::Revoked { signer, at: None, why: None });
        }
        Ok(())
    }
}

/// What a verified signature is to be trusted for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The context of the signature; `None` if it has none.
    pub context: Option<&'a str>,
    /// The name that the signer must answer to; `None` for anybody.
    pub signer: Option<&'a str>,
    /// The time at which windows and revocations are judged. **Must** not be the time in the
    /// signature, which is the signer's word. No leeway is added.
    pub now: Timestamp,
}

/// Why no entry speaks for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The entry is not for this context.
    Context {
        /// The name in the entry.
        signer: String,
        /// The context; `None` if the signature has none.
        context: Option<String>,
    },
    /// The key is revoked.
    Revoked {
        /// The name in the entry, or the key id if there is no entry.
        signer: String,
        /// Since when; `None` if the list of revoked keys says so.
        at: Option<Timestamp>,
        /// The reason in the entry.
        why: Option<String>,
    },
    /// The window has not begun.
    TooEarly {
        /// The name in the entry.
        signer: String,
        /// The beginning of the window.
        at: Timestamp,
    },
    /// The window has ended.
    TooLate {
        /// The name in the entry.
        signer: String,
        /// The end of the window, which is not within it.
        at: Timestamp,
    },
    /// The key has no entry.
    Unknown,
    /// No entry of the key answers to the name.
    WrongSigner {
        /// The name that was asked for.
        expected: String,
        /// The name in the first entry of the key.
        found: String,
    },
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
