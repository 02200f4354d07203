//! What lists of revoked keys say, as far as it counts.

use std::collections::HashMap;

use brine_core::time::LEEWAY;
use brine_core::{KeyId, StatedRevocation, Timestamp, Untrusted, is_below};

use super::{RevocationStatement, RevokedKey};
use crate::pattern::PatternList;

/// A list by somebody whom the trust file names, or by a key about itself.
#[derive(Clone, Debug)]
pub struct StatedList {
    pub(super) issuer: KeyId,
    /// Its name, or the key id if there is no name.
    pub(super) name: String,
    /// For whom it may vouch.
    pub(super) vouches: Vec<Vouches>,
    pub(super) number: u64,
    pub(super) expires: Option<Timestamp>,
    pub(super) keys: HashMap<KeyId, RevokedKey>,
}

/// The names for which somebody may vouch.
#[derive(Clone, Debug)]
pub(super) enum Vouches {
    /// For those that an authority's patterns match.
    Matching(PatternList),
    /// For this one, and names below it.
    Below(String),
}

impl StatedList {
    /// Returns the keys of a list by their ids.
    pub(super) fn keys(list: &RevocationStatement) -> HashMap<KeyId, RevokedKey> {
        list.keys().iter().map(|key| (key.id(), key.clone())).collect()
    }

    pub(crate) const fn issuer(&self) -> KeyId {
        self.issuer
    }

    /// Returns its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the first moment at which a newer one has to be there; `None` if none has to.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Refuses a key of these names, if it is on the list and whoever issued that may say so.
    pub(crate) fn judge<'n>(
        &self,
        key: KeyId,
        mut names: impl Iterator<Item = &'n str>,
    ) -> Result<(), Untrusted> {
        let Some(revoked) = self.keys.get(&key) else { return Ok(()) };
        let mut first = None;
        let mut may_vouch_for = |name: &'n str| {
            first = first.or(Some(name));
            self.vouches.iter().any(|vouches| vouches.include(name))
        };
        // All names are looked at only where the key does not speak of itself.
        let counts = names.any(&mut may_vouch_for) || key == self.issuer;
        let signer = first.map_or_else(|| key.to_string(), str::to_owned);
        match counts {
            false => Ok(()),
            true => Err(Untrusted::RevokedBy(Box::new(StatedRevocation {
                signer,
                by: self.name.clone(),
                why: revoked.reason.clone(),
                lost: revoked.lost,
            }))),
        }
    }

    /// Refuses whoever its issuer vouches for, once the list is too old.
    pub(crate) fn judge_age(&self, now: Timestamp) -> Result<(), Untrusted> {
        match self.expires {
            Some(at) if now >= at.plus(LEEWAY) => {
                Err(Untrusted::RevocationsStale { authority: self.name.clone(), at })
            }
            _ => Ok(()),
        }
    }
}

impl Vouches {
    fn include(&self, name: &str) -> bool {
        match self {
            // A name below one that matches may have been handed on.
            Self::Matching(patterns) => owners(name).any(|owner| patterns.matches(owner)),
            Self::Below(owner) => is_below(name, owner),
        }
    }
}

/// Returns a name, and those whose it is to give.
fn owners(name: &str) -> impl Iterator<Item = &str> {
    let above = name.match_indices('/').filter_map(|(end, _)| name.get(..end));
    std::iter::once(name).chain(above)
}
