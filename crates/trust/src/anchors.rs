//! The signers who are trusted, and the judging of signatures.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use brine_core::{
    Evidence, KeyId, Question, Signer, Timestamp, TrustAnchors, Untrusted, VerifyingKey,
};

use crate::entry::{BrokenLimit, TrustEntry};

/// The signers who are trusted, and the keys that are revoked.
///
/// A key is refused if any of its entries revokes it, or if [`revoke`](Self::revoke) named it. Otherwise the first
/// entry of the key speaks that answers to the name in question, if there is one, and whose window and scope hold.
/// If none does, the reason is that of the first entry that answers to the name.
///
/// ```
/// use brine_core::{Evidence, Question, Signer, SigningKey, Timestamp, TrustAnchors as _, Untrusted};
/// use brine_trust::{Trust, TrustEntry};
///
/// let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
/// let alice = Signer::new("alice", SigningKey::generate()?.verifying_key().clone());
/// let evidence = Evidence::Key(alice.key().id());
/// let trust = Trust::new([TrustEntry::new(alice).with_not_after(now)]);
///
/// let question = Question { context: None, signer: None, now };
/// let refused = Untrusted::TooLate { signer: "alice".to_owned(), at: now };
/// assert_eq!(trust.judge(&evidence, &question), Err(refused));
/// # Ok::<(), brine_core::KeyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trust {
    entries: Vec<TrustEntry>,
    /// The places of the entries of each key, in the order of the file.
    by_key: HashMap<KeyId, Vec<usize>>,
    /// The place of the first entry of each key, in the order of the file.
    firsts: Vec<usize>,
    revoked: HashSet<KeyId>,
    skipped: usize,
}

impl Trust {
    /// Trusts these signers.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = impl Into<TrustEntry>>) -> Self {
        let entries: Vec<TrustEntry> = entries.into_iter().map(Into::into).collect();
        let mut by_key: HashMap<_, Vec<_>> = HashMap::new();
        let mut firsts = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let places = by_key.entry(entry.key().id()).or_default();
            if places.is_empty() {
                firsts.push(index);
            }
            places.push(index);
        }
        Self { entries, by_key, firsts, revoked: HashSet::new(), skipped: 0 }
    }

    /// Revokes these keys, whatever their entries say.
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

    /// Returns how many lines of an allowed_signers file were left out: keys of other types, and certificate
    /// authorities.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Sets the number of lines that were left out.
    pub(crate) fn with_skipped(self, skipped: usize) -> Self {
        Self { skipped, ..self }
    }

    /// Judges a signature as [`judge`](TrustAnchors::judge) does, and returns the entry that speaks.
    ///
    /// # Errors
    ///
    /// - [`Untrusted::Revoked`] if an entry of the key revokes it, or [`revoke`](Self::revoke) did;
    /// - [`Untrusted::Unknown`] if the key has no entry;
    /// - [`Untrusted::WrongSigner`] if no entry of the key answers to the name in question;
    /// - [`Untrusted::TooEarly`] and [`Untrusted::TooLate`] outside the window of the first entry that does;
    /// - [`Untrusted::Context`] outside its scope.
    pub fn judge_entry(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<&TrustEntry, Untrusted> {
        self.judge_by(evidence, question, |_| true)
    }

    /// Judges a signature by the entries that may speak. Others still revoke.
    fn judge_by(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
        may_speak: impl Fn(&TrustEntry) -> bool,
    ) -> Result<&TrustEntry, Untrusted> {
        let key = evidence.key_id();
        let entries = self.entries_of(key);
        // First, so that no entry speaks for a key that another entry revokes.
        self.judge_revocation(key, entries.clone(), question.now)?;
        let first = entries.clone().next().ok_or_else(|| Untrusted::unknown(key))?;
        let mut refusing = None;
        for entry in entries {
            if question.signer.is_some_and(|name| !entry.answers_to(name)) {
                continue;
            }
            let broken = entry.broken_limit(question);
            match broken.or_else(|| (!may_speak(entry)).then_some(BrokenLimit::Scope)) {
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

    /// Returns whether a key is revoked at that moment.
    pub(crate) fn is_revoked(&self, key: KeyId, now: Timestamp) -> bool {
        self.judge_revocation(key, self.entries_of(key), now).is_err()
    }

    /// Refuses a key that an entry or the list revokes.
    fn judge_revocation<'t>(
        &self,
        key: KeyId,
        mut entries: impl Iterator<Item = &'t TrustEntry> + Clone,
        now: Timestamp,
    ) -> Result<(), Untrusted> {
        let first = entries.clone().next();
        if let Some((entry, revocation)) =
            entries.find_map(|entry| Some((entry, entry.revocation_at(now)?)))
        {
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

impl TrustAnchors for Trust {
    fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.entries_of(id).next().map(TrustEntry::key)
    }

    fn keys(&self, most: usize) -> Vec<&VerifyingKey> {
        let firsts = self.firsts.iter().take(most);
        firsts.filter_map(|&index| Some(self.entries.get(index)?.key())).collect()
    }

    fn key_count(&self) -> usize {
        self.firsts.len()
    }

    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        self.judge_entry(evidence, question).map(|entry| Cow::Borrowed(entry.signer()))
    }

    fn judge_in_particular(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        let spells_out = |entry: &TrustEntry| entry.scope().spells_out(question.context);
        self.judge_by(evidence, question, spells_out).map(|entry| Cow::Borrowed(entry.signer()))
    }
}

#[cfg(test)]
mod tests;
