//! What a trust file says of keys, whether they may speak or not.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;

use brine_core::{KeyId, Person, Signer, Timestamp, Untrusted, VerifyingKey, Vouching};

use crate::anchors::Trust;
use crate::authority::Authority;
use crate::entry::{Revocation, TrustEntry};
use crate::statements::StatedList;

/// What all entries and authorities say of their keys. Whoever may speak is no part of it, so that it holds also where only
/// some of them may.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownKeys {
    keys: HashMap<KeyId, KnownKey>,
    /// What others state about keys, by whoever may say so.
    lists: Vec<Arc<StatedList>>,
    /// The places of the lists that have a key.
    listed: HashMap<KeyId, Vec<usize>>,
    /// Whether an entry revokes its key.
    has_revocations: bool,
}

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
        let known = self.keys.entry(entry.key().id()).or_default();
        // The principals of a line are several names.
        known.names.extend(entry.name().split(',').map(str::to_owned));
    }

    /// Adds what an authority's entry says.
    pub(crate) fn add_authority(&mut self, authority: &Authority) {
        self.add_revocation(authority.entry());
    }

    /// Adds what is said elsewhere.
    pub(crate) fn extend(&mut self, others: &Self) {
        for (key, other) in &others.keys {
            let known = self.keys.entry(*key).or_default();
            known.names.extend(other.names.iter().cloned());
            known.revocations.extend(other.revocations.iter().cloned());
        }
        self.has_revocations |= others.has_revocations;
        others.lists.iter().for_each(|list| self.add_list(Arc::clone(list)));
    }

    /// Adds a list of revoked keys.
    pub(crate) fn add_list(&mut self, list: Arc<StatedList>) {
        let place = self.lists.len();
        list.ids().for_each(|key| self.listed.entry(key).or_default().push(place));
        self.lists.push(list);
    }

    /// Returns the lists that have a key.
    pub(crate) fn lists_with(&self, key: KeyId) -> impl Iterator<Item = &StatedList> {
        let places = self.listed.get(&key).into_iter().flatten();
        places.filter_map(|place| Some(self.lists.get(*place)?.as_ref()))
    }

    /// Returns the list that somebody with this key has issued.
    pub(crate) fn list_of(&self, issuer: KeyId) -> Option<&StatedList> {
        self.lists.iter().map(Arc::as_ref).find(|list| list.is_of(issuer))
    }

    fn add_revocation(&mut self, entry: &TrustEntry) {
        if let Some(revocation) = entry.revocation() {
            let revocation = (entry.name().to_owned(), revocation.clone());
            self.has_revocations = true;
            self.keys.entry(entry.key().id()).or_default().revocations.push(revocation);
        }
    }

    /// Returns who a signer is, by all names that the file gives its keys.
    pub(crate) fn person(&self, signer: &Signer, vouching: Vouching) -> Person {
        let mut person = Person::of(signer, vouching);
        let keys: Vec<_> = person.keys().collect();
        for key in keys {
            for name in self.keys.get(&key).into_iter().flat_map(|known| &known.names) {
                person.add_name(name);
            }
        }
        person
    }
}

impl Trust {
    /// Refuses a key that an entry of it revokes, of whatever sort, a list, or a statement. `names` are what it is called
    /// elsewhere than in the file.
    pub(crate) fn judge_revocation<'n>(
        &'n self,
        id: KeyId,
        key: Option<&VerifyingKey>,
        names: impl Iterator<Item = &'n str> + Clone,
        now: Timestamp,
    ) -> Result<(), Untrusted> {
        let nothing = !self.known().has_revocations && self.known().listed.is_empty();
        if nothing && self.revocations().is_empty() {
            // Nothing is looked up for each of many records.
            return Ok(());
        }
        let known = self.known().keys.get(&id);
        let mut revocations = known.into_iter().flat_map(|known| &known.revocations);
        if let Some((name, revocation)) = revocations.find(|(_, revocation)| revocation.at <= now) {
            return Err(Untrusted::Revoked {
                signer: name.clone(),
                at: Some(revocation.at),
                why: revocation.reason.clone(),
            });
        }
        for list in self.known().lists_with(id) {
            let own = known.into_iter().flat_map(|known| &known.names).map(String::as_str);
            list.judge(id, own.chain(names.clone()))?;
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

    /// Returns why a key is refused at that moment, if it is revoked: by an entry, a list or a statement.
    #[must_use]
    pub fn revocation_of(&self, key: &VerifyingKey, now: Timestamp) -> Option<Untrusted> {
        self.judge_revocation(key.id(), Some(key), iter::empty(), now).err()
    }

    pub(crate) fn lists_with(&self, key: KeyId) -> impl Iterator<Item = &StatedList> {
        self.known().lists_with(key)
    }

    /// Returns the list of what somebody with this key revokes, if one was taken.
    #[must_use]
    pub fn list_by(&self, issuer: KeyId) -> Option<&StatedList> {
        self.known().list_of(issuer)
    }
}
