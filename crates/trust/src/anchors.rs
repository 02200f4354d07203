//! The signers that are trusted, and the judging of what they sign.

use std::collections::{BTreeMap, BTreeSet};

use brine_core::{Evidence, KeyId, Question, Signer, TrustAnchors, Untrusted, VerifyingKey};

use crate::entry::TrustEntry;

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

    /// Notes how many lines of the file were left out.
    pub(crate) fn with_skipped(self, skipped: usize) -> Self {
        Self { skipped, ..self }
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
