//! The signers who are trusted, and the judging of signatures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use brine_core::{
    Certificates, Evidence, KeyId, Question, Signer, TrustAnchors, Untrusted, VerifyingKey,
    Vouching, require_persons,
};

use crate::authority::Authority;
use crate::chain::{Anchor, VerifiedCertificates, owners};
use crate::entry::{BrokenLimit, TrustEntry};
use crate::known_keys::KnownKeys;
use crate::revocation_list::RevocationList;
use crate::rule::Rule;

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
    /// The places of the entries of each key, in the order of the file. Finding one of few keys in order costs less than
    /// hashing its id would.
    by_key: BTreeMap<KeyId, Vec<usize>>,
    /// The place of the first entry of each key, in the order of the file.
    firsts: Vec<usize>,
    authorities: Vec<Authority>,
    /// What is known of each key, whether it may speak or not.
    known: KnownKeys,
    rules: Vec<Rule>,
    revoked: RevocationList,
    skipped: usize,
    verified: VerifiedCertificates,
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
        let mut known = KnownKeys::default();
        entries.iter().for_each(|entry| known.add(entry));
        Self { entries, by_key, firsts, known, ..Self::default() }
    }

    /// Has nobody speak but these. What the trust revokes, and how many have to sign, holds as before.
    #[must_use]
    pub fn restricted_to(
        &self,
        entries: impl IntoIterator<Item = TrustEntry>,
        authorities: impl IntoIterator<Item = Authority>,
    ) -> Self {
        let mut restricted = Self::new(entries).with_authorities(authorities);
        restricted.known.extend(&self.known);
        restricted.revoked.extend(self.revoked.clone());
        restricted.with_rules(self.rules.clone())
    }

    /// Trusts these authorities, too.
    #[must_use]
    pub fn with_authorities(mut self, authorities: impl IntoIterator<Item = Authority>) -> Self {
        self.authorities = authorities.into_iter().collect();
        self.authorities.iter().for_each(|authority| self.known.add_authority(authority));
        self
    }

    /// Revokes what is on a list, whatever the entries say.
    pub fn revoke(&mut self, list: impl Into<RevocationList>) {
        self.revoked.extend(list.into());
    }

    /// Has signatures for some contexts need several signers.
    #[must_use]
    pub fn with_rules(self, rules: Vec<Rule>) -> Self {
        Self { rules, ..self }
    }

    /// Returns which contexts need several signers.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns all authorities, in the order of the file.
    #[must_use]
    pub fn authorities(&self) -> &[Authority] {
        &self.authorities
    }

    /// Returns whether nobody is trusted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.authorities.is_empty()
    }

    /// Returns whether somebody who is trusted may vouch for this name.
    #[must_use]
    pub fn may_be_vouched_for(&self, name: &str) -> bool {
        let authorities = self.authorities.iter().map(Anchor::Authority);
        let signers = self.entries.iter().filter(|entry| entry.may_issue()).map(Anchor::Signer);
        // A name below it may have been handed on.
        authorities.chain(signers).any(|anchor| owners(name).any(|name| anchor.may_vouch_for(name)))
    }

    /// Returns what was revoked beside the entries.
    #[must_use]
    pub const fn revocations(&self) -> &RevocationList {
        &self.revoked
    }

    pub(crate) const fn known(&self) -> &KnownKeys {
        &self.known
    }

    pub(crate) const fn known_mut(&mut self) -> &mut KnownKeys {
        &mut self.known
    }

    pub(crate) const fn verified(&self) -> &VerifiedCertificates {
        &self.verified
    }

    /// Returns whoever may issue certificates with a key.
    pub(crate) fn issuers(&self, key: KeyId) -> Vec<Anchor<'_>> {
        let authorities = self.authorities.iter().filter(|authority| authority.key().id() == key);
        let signers = self.entries_of(key).filter(|entry| entry.may_issue());
        authorities.map(Anchor::Authority).chain(signers.map(Anchor::Signer)).collect()
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
        let first = entries.clone().next().map(TrustEntry::key);
        // A line of allowed_signers has patterns for names, and not the name itself.
        self.judge_revocation(key, first, question.signer.into_iter(), question.now)?;
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

    /// Judges by the entries of a key, and then by its certificates. Whoever has no entry is judged by these alone.
    fn judge_with(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
        may_speak: impl Fn(&TrustEntry) -> bool + Copy,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        let own = match (self.judge_by(evidence, question, may_speak), evidence.certificates()) {
            (Ok(entry), _) => return Ok(Cow::Borrowed(entry.signer())),
            (Err(error @ (Untrusted::Revoked { .. } | Untrusted::RevokedBy(_))), _)
            | (Err(error), None) => return Err(error),
            (Err(error), Some(certificates)) => (error, certificates),
        };
        let (error, certificates) = own;
        let key = evidence.key_id();
        match self.judge_chain(key, certificates, question, may_speak) {
            Ok(signer) => Ok(Cow::Owned(signer)),
            Err(_) if self.entries_of(key).next().is_some() => Err(error),
            Err(refusal) => Err(refusal),
        }
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

    fn certified_key(
        &self,
        certificates: &Certificates,
    ) -> Result<Option<VerifyingKey>, Untrusted> {
        if self.authorities.is_empty() && !self.entries.iter().any(TrustEntry::may_issue) {
            return Ok(None);
        }
        Ok(self.follow(certificates)?.leaf().map(|leaf| leaf.key().clone()))
    }

    fn judge(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        self.judge_with(evidence, question, |_| true)
    }

    fn judge_together(
        &self,
        signers: &[&Signer],
        required: usize,
        question: &Question<'_>,
    ) -> Result<(), Untrusted> {
        if required <= 1 && self.rules.is_empty() {
            return Ok(());
        }
        let persons = |vouching| -> Vec<_> {
            signers.iter().map(|signer| self.known.person(signer, vouching)).collect()
        };
        require_persons(&persons(Vouching::OnePerson), required)?;
        let judge = |rule: &Rule| rule.judge(signers, question, persons);
        self.rules.iter().try_for_each(judge)
    }

    fn judge_in_particular(
        &self,
        evidence: &Evidence,
        question: &Question<'_>,
    ) -> Result<Cow<'_, Signer>, Untrusted> {
        self.judge_with(evidence, question, |entry| entry.scope().spells_out(question.context))
    }
}

#[cfg(test)]
mod tests;
