//! Who may say who somebody is.

use brine_core::{Signer, VerifyingKey};

use crate::entry::TrustEntry;
use crate::pattern::PatternList;

/// A key that issues certificates, for whom, and for which contexts.
///
/// It speaks for nobody itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its scope, window and revocation, which hold for all that it vouches for.
    entry: TrustEntry,
    principals: PatternList,
    needs_revocations: bool,
}

impl Authority {
    /// Returns an authority that may vouch for the names that `principals` match.
    #[must_use]
    pub const fn new(entry: TrustEntry, principals: PatternList) -> Self {
        Self { entry, principals, needs_revocations: false }
    }

    /// Believes nobody for whom it vouches as long as no list of what it revokes is there.
    #[must_use]
    pub fn with_needed_revocations(self, needs_revocations: bool) -> Self {
        Self { needs_revocations, ..self }
    }

    /// Returns whether a list of what it revokes has to be there.
    #[must_use]
    pub const fn needs_revocations(&self) -> bool {
        self.needs_revocations
    }

    /// Returns the same authority with another key.
    pub(crate) fn with_key(&self, key: &VerifyingKey) -> Self {
        Self { entry: self.entry.with_key(key), ..self.clone() }
    }

    /// Returns its limits.
    #[must_use]
    pub const fn entry(&self) -> &TrustEntry {
        &self.entry
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.entry.name()
    }

    /// Returns its key.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        self.entry.key()
    }

    /// Returns the names that it may vouch for.
    #[must_use]
    pub const fn principals(&self) -> &PatternList {
        &self.principals
    }

    /// Returns the authority as a signer, to be named in refusals.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        self.entry.signer()
    }
}
