//! How many persons some signers are.

use super::Signer;

/// How those count for whom the same authority vouches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vouching {
    /// Each is a person.
    EachPerson,
    /// All of them are one: whoever has the authority's key can be all of them.
    #[default]
    OnePerson,
}

/// Returns how many persons these signers are at least.
///
/// Signers with the same name are one, and so are those with the same key, and whoever somebody hands on to, as `alice`
/// does to `alice/ci`.
#[must_use]
pub fn count_persons(signers: &[&Signer], vouching: Vouching) -> usize {
    // Each stands for the first that is the same person as it, which is found by following these.
    let mut first: Vec<usize> = (0..signers.len()).collect();
    for later in 1..signers.len() {
        for earlier in 0..later {
            let pair = signers.get(later).zip(signers.get(earlier));
            if pair.is_some_and(|(one, other)| is_one_person(one, other, vouching)) {
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

fn is_one_person(one: &Signer, other: &Signer, vouching: Vouching) -> bool {
    let is_same = is_below(one.name(), other.name())
        || is_below(other.name(), one.name())
        || one.key() == other.key();
    let authority = |signer: &Signer| signer.vouched().map(|vouched| vouched.authority_key);
    // An authority is a person, too: that of its own key.
    let is_of = |signer: &Signer, of: &Signer| authority(signer) == Some(of.key().id());
    let is_vouched = || {
        (authority(one).is_some() && authority(one) == authority(other))
            || is_of(one, other)
            || is_of(other, one)
    };
    is_same || (vouching == Vouching::OnePerson && is_vouched())
}

/// Returns whether a name is the other one, or below it.
fn is_below(name: &str, owner: &str) -> bool {
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
        let by = Vouched::by("team", signer("", authority).key().id(), "c");
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
            assert_eq!(count_persons(&signers, Vouching::OnePerson), persons, "{signers:?}");
        }
    }
}
