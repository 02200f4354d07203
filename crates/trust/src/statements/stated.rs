//! What lists of revoked keys say, as far as it counts.

use std::collections::HashMap;

use brine_core::time::LEEWAY;
use brine_core::{KeyId, StatedRevocation, Timestamp, Untrusted, is_below};

use super::{RevocationStatement, RevokedKey};
use crate::chain::owners;
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
    /// Whether it is a key's word about itself, and says nothing of what that revokes of others.
    pub(super) is_about_itself: bool,
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

    /// Returns whether it says what somebody with this key has revoked.
    pub(crate) fn is_of(&self, issuer: KeyId) -> bool {
        self.issuer == issuer && !self.is_about_itself
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
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<(), Untrusted> {
        if !self.keys.contains_key(&key) {
            return Ok(());
        }
        if key != self.issuer && !names.clone().any(|name| self.may_vouch_for(name)) {
            return Ok(());
        }
        let mut names = names;
        Err(self.refusal(key, names.next()))
    }

    /// Returns the refusal of a key on the list.
    pub(crate) fn refusal(&self, key: KeyId, name: Option<&str>) -> Untrusted {
        let revoked = self.keys.get(&key);
        // Its issuer has a name where it speaks of itself, too.
        let own = || if key == self.issuer { self.name.clone() } else { key.to_string() };
        Untrusted::RevokedBy(Box::new(StatedRevocation {
            signer: name.map_or_else(own, str::to_owned),
            by: (key != self.issuer).then(|| self.name.clone()),
            why: revoked.and_then(RevokedKey::reason).map(str::to_owned),
            lost: revoked.and_then(RevokedKey::lost),
        }))
    }

    fn may_vouch_for(&self, name: &str) -> bool {
        self.vouches.iter().any(|vouches| vouches.include(name))
    }

    /// Returns the keys that it revokes.
    pub(crate) fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.keys().copied()
    }

    /// Refuses whoever its issuer vouches for, once the list is too old.
    pub(crate) fn judge_age(&self, now: Timestamp) -> Result<(), Untrusted> {
        match self.expires {
            Some(at) if now >= at.plus(LEEWAY) => {
                let (authority, key) = (self.name.clone(), self.issuer);
                Err(Untrusted::RevocationsStale { authority, key, at })
            }
            _ => Ok(()),
        }
    }
}

impl Vouches {
    fn include(&self, name: &str) -> bool {
        match self {
            // A name below one that matches may have been handed on.
            Self::Matching(patterns) => {
                !patterns.excludes(name) && owners(name).any(|owner| patterns.matches(owner))
            }
            Self::Below(owner) => is_below(name, owner),
        }
    }
}
