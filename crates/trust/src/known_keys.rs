//! What a trust file says of keys, whether they may speak or not.

use std::collections::HashMap;

use brine_core::{KeyId, Person, Signer, Timestamp, Untrusted, VerifyingKey, Vouching};

use crate::anchors::Trust;
use crate::authority::Authority;
use crate::entry::{Revocation, TrustEntry};

/// What all entries and authorities say of their keys. Whoever may speak is no part of it, so that it holds also where only
/// some of them may.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownKeys(HashMap<KeyId, KnownKey>);

/// What is said of one key.
#[derive(Clone, Debug, Default)]
struct KnownKey {
    /// The names of its entries; not those of authorities, which are no persons.
    names: Vec<String>,
    revocations: Vec<(String, Revocation)>,
}

impl KnownKeys {
    /// Adds what a signer's entry says.
    pub(crate) fn add(&mut self, entry: &TrustEntry) {
        self.add_revocation(entry);
        let known = self.0.entry(entry.key().id()).or_default();
        // The principals of a line are several names.
        known.names.extend(entry.name().split(',').map(str::to_owned));
    }

    /// Adds what an authority's entry says.
    pub(crate) fn add_authority(&mut self, authority: &Authority) {
        self.add_revocation(authority.entry());
    }

    /// Adds what is said elsewhere.
    pub(crate) fn extend(&mut self, others: &Self) {
        for (key, other) in &others.0 {
            let known = self.0.entry(*key).or_default();
            known.names.extend(other.names.iter().cloned());
            known.revocations.extend(other.revocations.iter().cloned());
        }
    }

    fn add_revocation(&mut self, entry: &TrustEntry) {
        if let Some(revocation) = entry.revocation() {
            let revocation = (entry.name().to_owned(), revocation.clone());
            self.0.entry(entry.key().id()).or_default().revocations.push(revocation);
        }
    }

    /// Returns who a signer is, by all names that the file gives its keys.
    pub(crate) fn person(&self, signer: &Signer, vouching: Vouching) -> Person {
        let mut person = Person::of(signer, vouching);
        let keys: Vec<_> = person.keys().collect();
        for key in keys {
            for name in self.0.get(&key).into_iter().flat_map(|known| &known.names) {
                person.add_name(name);
            }
        }
        person
    }
}

impl Trust {
    /// Refuses a key that an entry of it revokes, of whatever sort, or a list.
    pub(crate) fn judge_revocation(
        &self,
        id: KeyId,
        key: Option<&VerifyingKey>,
        now: Timestamp,
    ) -> Result<(), Untrusted> {
        let known = self.known().0.get(&id);
        let mut revocations = known.into_iter().flat_map(|known| &known.revocations);
        if let Some((name, revocation)) = revocations.find(|(_, revocation)| revocation.at <= now) {
            return Err(Untrusted::Revoked {
                signer: name.clone(),
                at: Some(revocation.at),
                why: revocation.reason.clone(),
            });
        }
        if self.revocations().is_empty() {
            return Ok(());
        }
        let is_revoked = match key {
            Some(key) => self.revocations().revokes_key(key),
            // Nobody is known by it, but why it is refused is said.
            None => self.revocations().names(id),
        };
        let name = known.and_then(|known| known.names.first());
        let signer = || name.map_or_else(|| id.to_string(), Clone::clone);
        match is_revoked {
            true => Err(Untrusted::Revoked { signer: signer(), at: None, why: None }),
            false => Ok(()),
        }
    }

    /// Does the same for a key that is there.
    pub(crate) fn judge_key_revocation(
        &self,
        key: &VerifyingKey,
        now: Timestamp,
    ) -> Result<(), Untrusted> {
        self.judge_revocation(key.id(), Some(key), now)
    }

    /// Returns whether a key is revoked at that moment.
    pub(crate) fn is_revoked(&self, key: &VerifyingKey, now: Timestamp) -> bool {
        self.judge_key_revocation(key, now).is_err()
    }
}
