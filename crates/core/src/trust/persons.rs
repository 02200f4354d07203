//! How many persons some signers are.

use std::collections::BTreeSet;

use super::{Signer, Untrusted};
use crate::key::KeyId;

/// How those count for whom the same authority vouches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vouching {
    /// Each is a person.
    EachPerson,
    /// All of them are one: whoever has the authority's key can be all of them.
    #[default]
    OnePerson,
}

/// Who a signer is: all that tells one person from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    names: BTreeSet<String>,
    keys: BTreeSet<KeyId>,
    authorities: BTreeSet<String>,
}

impl Person {
    /// Takes what is known of a signer: its name and key, and whoever handed on to it, with all of their names and keys.
    #[must_use]
    pub fn of(signer: &Signer, vouching: Vouching) -> Self {
        let mut person = Self::default();
        person.names.insert(signer.name().to_owned());
        person.keys.insert(signer.key().id());
        let Some(vouched) = signer.vouched() else { return person };
        person.names.extend(vouched.names.iter().cloned());
        person.keys.extend(&vouched.delegates);
        person
            .names
            .extend(vouched.through.iter().flat_map(|names| names.split(',')).map(str::to_owned));
        if vouching == Vouching::OnePerson {
            person.keys.insert(vouched.authority_key);
            person.authorities.insert(vouched.authority.clone());
        }
        person
    }

    /// Returns the ids of its keys.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().copied()
    }

    /// Gives it another name that it is known by.
    pub fn add_name(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    fn is_same_as(&self, other: &Self) -> bool {
        // Who counts persons does not tell `alice/` from `alice`.
        let is_below = |one: &Self, other: &Self| {
            let mut owners = other.names.iter().map(|owner| owner.trim_end_matches('/'));
            owners.any(|owner| one.names.iter().any(|name| is_below(name, owner)))
        };
        !self.keys.is_disjoint(&other.keys)
            || !self.authorities.is_disjoint(&other.authorities)
            || is_below(self, other)
            || is_below(other, self)
    }
}

/// Demands that these are so many persons, by [`count_persons`].
///
/// # Errors
///
/// [`Untrusted::TooFew`].
pub fn require_persons(persons: &[Person], required: usize) -> Result<(), Untrusted> {
    let found = count_persons(persons);
    if found >= required { Ok(()) } else { Err(Untrusted::TooFew { required, found }) }
}

/// Returns how many persons these are at least.
///
/// They are one if they have a key in common, or a name, or one is below the other's, as `alice/ci` is below `alice`; whoever
/// somebody handed on to is that person; and whomever one authority certified are one, if [`Vouching`] says so.
#[must_use]
pub fn count_persons(persons: &[Person]) -> usize {
    // Each stands for the first that is the same person as it, which is found by following these.
    let mut first: Vec<usize> = (0..persons.len()).collect();
    for later in 1..persons.len() {
        for earlier in 0..later {
            let pair = persons.get(later).zip(persons.get(earlier));
            if pair.is_some_and(|(one, other)| one.is_same_as(other)) {
                let (from, to) = (root(&first, later), root(&first, earlier));
                if let Some(place) = first.get_mut(from) {
                    *place = to;
                }
            }
        }
    }
    first.iter().enumerate().filter(|(place, root)| place == *root).count()
}

fn root(first: &[usize], mut place: usize) -> usize {
    while let Some(next) = first.get(place).filter(|next| **next != place) {
        place = *next;
    }
    place
}

/// Returns whether a name is `owner`'s to give: the same one, or one below it, as `alice/ci` is below `alice`.
#[must_use]
pub fn is_below(name: &str, owner: &str) -> bool {
    name.strip_prefix(owner).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::key::SigningKey;
    use crate::trust::Vouched;

    fn signer(name: &str, key: u8) -> Signer {
        Signer::new(name, SigningKey::from_seed(&Zeroizing::new([key; 32])).verifying_key().clone())
    }

    fn vouched(name: &str, key: u8, authority: u8) -> Signer {
        let team = format!("team {authority}");
        let by = Vouched::by(team, signer("", authority).key().id(), "c");
        Signer::vouched_for(name, signer("", key).key().clone(), by)
    }

    #[test]
    fn a_person_counts_once_whatever_it_is_called() {
        let [alice, bob] = [signer("alice", 1), signer("bob", 2)];
        for (signers, persons) in [
            (vec![], 0),
            (vec![&alice], 1),
            (vec![&alice, &bob], 2),
            (vec![&alice, &alice], 1),
            (vec![&alice, &signer("alice", 3)], 1),
            (vec![&alice, &signer("al", 1)], 1),
            (vec![&signer("al", 1), &bob, &signer("bob", 1)], 1),
            (vec![&vouched("a", 3, 9), &vouched("b", 4, 9)], 1),
            (vec![&vouched("a", 3, 9), &vouched("b", 4, 8)], 2),
            (vec![&vouched("a", 3, 1), &alice], 1),
            (vec![&vouched("a", 3, 9), &alice, &bob], 3),
            (vec![&alice, &signer("alice/ci", 3), &signer("alice2", 4)], 2),
        ] {
            let people: Vec<_> =
                signers.iter().map(|one| Person::of(one, Vouching::OnePerson)).collect();
            assert_eq!(count_persons(&people), persons, "{signers:?}");
        }
    }
}
