//! Whether whoever signed a statement may say that.

use std::sync::Arc;
use std::time::Duration;

use brine_core::{KeyId, Timestamp, Untrusted, VerifyingKey};

use super::stated::Vouches;
use super::{
    KeptStatements, RevocationStatement, RotationStatement, Said, StatedList, StatementError,
    UnverifiedStatement,
};
use crate::anchors::Trust;
use crate::authority::Authority;
use crate::chain::Anchor;
use crate::entry::TrustEntry;
use crate::named::EntryState;

/// How far the number of a list may be ahead of the time. A list from a far future would be the last of its signer.
pub const MAX_AHEAD: Duration = Duration::from_secs(86_400);

/// A statement whose signer may say what it says.
#[derive(Clone, Debug)]
pub struct VerifiedStatement {
    statement: UnverifiedStatement,
    signer: String,
}

/// What a trust file says once a rotation is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successors {
    /// The entries of the new key.
    pub entries: Vec<TrustEntry>,
    /// The authorities of the new key.
    pub authorities: Vec<Authority>,
}

impl Successors {
    /// Returns whether a trust file has all of them.
    #[must_use]
    pub fn are_in(&self, trust: &Trust) -> bool {
        self.entries.iter().all(|entry| trust.entries().contains(entry))
            && self.authorities.iter().all(|one| trust.authorities().contains(one))
    }
}

impl VerifiedStatement {
    /// Returns the name of its signer, or the key id if it has none; of a rotation, of the key before.
    #[must_use]
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// Returns what it says, and how it is signed.
    #[must_use]
    pub const fn statement(&self) -> &UnverifiedStatement {
        &self.statement
    }

    pub(super) fn into_unverified(self) -> UnverifiedStatement {
        self.statement
    }
}

impl Trust {
    /// Judges whether a statement holds that was not taken before.
    ///
    /// # Errors
    ///
    /// - those of verifying its envelope;
    /// - [`Untrusted::Unknown`] if the trust file does not name its signer, [`StatementError::Issuer`] if that may vouch for
    ///   nobody, [`Untrusted::Revoked`] if it is revoked;
    /// - [`Untrusted::TooEarly`] and [`Untrusted::TooLate`] for a rotation of a key that is not trusted now.
    pub fn judge_statement(
        &self,
        statement: UnverifiedStatement,
        now: Timestamp,
    ) -> Result<VerifiedStatement, StatementError> {
        let signer = match statement.said() {
            Said::Revocation(list) if list.number() > now.plus(MAX_AHEAD).unix() => {
                return Err(StatementError::Number { found: list.number() });
            }
            Said::Revocation(list) => {
                let (name, key) = self.issuer_of(&statement, list, now)?;
                statement.verify([&key], now)?;
                let id = key.id();
                // A key that is lost may say so at any time, and no more.
                if !list.is_only(id) {
                    self.require_unrevoked(&key, now)?;
                    self.require_current(self.issuers(id).into_iter().map(Anchor::entry), now)?;
                }
                name
            }
            Said::Rotation(rotation) => {
                let name = self.judge_rotation(rotation, now)?;
                statement.verify([rotation.from(), rotation.to()], now)?;
                name
            }
        };
        Ok(VerifiedStatement { statement, signer })
    }

    /// Returns whether a list that counts has this key, whoever it is of.
    #[must_use]
    pub fn is_listed(&self, key: KeyId) -> bool {
        self.lists_with(key).next().is_some()
    }

    /// Returns the name of whoever signed a statement, or the key id if the trust file has none.
    #[must_use]
    pub fn signer_name(&self, statement: &UnverifiedStatement) -> String {
        self.name_of(statement.signer(), &self.issuers(statement.signer()))
    }

    /// Returns what following a rotation adds to the trust file: of each entry of the key before that is within its window,
    /// one with the same name and limits.
    #[must_use]
    pub fn successors(&self, rotation: &RotationStatement, now: Timestamp) -> Successors {
        let is_current = |entry: &TrustEntry| self.state(entry, now) == EntryState::Trusted;
        let entries = self.entries_of(rotation.from().id()).filter(|entry| is_current(entry));
        let authorities = self.authorities_of(rotation).filter(|found| is_current(found.entry()));
        Successors {
            entries: entries.map(|entry| entry.with_key(rotation.to())).collect(),
            authorities: authorities.map(|found| found.with_key(rotation.to())).collect(),
        }
    }

    /// Has what these statements revoke count, as far as whoever signed them may say so.
    ///
    /// # Errors
    ///
    /// What verifying one reports.
    pub fn with_statements(mut self, kept: &KeptStatements) -> Result<Self, StatementError> {
        for statement in kept.iter() {
            match statement.said() {
                Said::Revocation(list) => {
                    if let Some(stated) = self.stated(statement, list)? {
                        self.known_mut().add_list(Arc::new(stated));
                    }
                }
                // It believes nobody by itself. What was kept is to be as it was signed.
                Said::Rotation(rotation) => {
                    statement.verify_again([rotation.from(), rotation.to()])?;
                }
            }
        }
        Ok(self)
    }

    /// Finds out whose list it is, and by which key it is verified.
    fn issuer_of(
        &self,
        statement: &UnverifiedStatement,
        list: &RevocationStatement,
        now: Timestamp,
    ) -> Result<(String, VerifyingKey), StatementError> {
        let id = statement.signer();
        if let Some(anchor) = self.issuers(id).first() {
            let entry = anchor.entry();
            return Ok((entry.name().to_owned(), entry.key().clone()));
        }
        let entry = self.entries_of(id).next();
        if !list.is_only(id) {
            return Err(match entry {
                Some(entry) => StatementError::Issuer { signer: entry.name().to_owned() },
                None => Untrusted::unknown(id).into(),
            });
        }
        if let Some(entry) = entry {
            return Ok((entry.name().to_owned(), entry.key().clone()));
        }
        // It is known to somebody who is trusted here.
        let certificates = statement.certificates().ok_or_else(|| Untrusted::unknown(id))?;
        let (names, key) = self.certified_names(id, certificates, now)?;
        Ok((names.join(","), key))
    }

    /// Returns what a list that was taken before says; `None` if it counts for nothing, since nobody is trusted any more who
    /// may say so.
    fn stated(
        &self,
        statement: &UnverifiedStatement,
        list: &RevocationStatement,
    ) -> Result<Option<StatedList>, StatementError> {
        let issuer = statement.signer();
        let anchors = self.issuers(issuer);
        let named = anchors.iter().map(|anchor| anchor.entry()).chain(self.entries_of(issuer));
        let named = named.map(|entry| entry.key().clone()).next();
        let own = || list.find(issuer).and_then(super::RevokedKey::key);
        let Some(key) = named.or_else(own) else { return Ok(None) };
        statement.verify_again([&key])?;
        let vouches = anchors.iter().map(|anchor| match anchor {
            Anchor::Authority(authority) => Vouches::Matching(authority.principals().clone()),
            Anchor::Signer(entry) => Vouches::Below(entry.name().to_owned()),
        });
        Ok(Some(StatedList {
            issuer,
            name: self.name_of(issuer, &anchors),
            vouches: vouches.collect(),
            number: list.number(),
            expires: statement.expires(),
            keys: StatedList::keys(list),
            is_about_itself: statement.is_about_itself(),
        }))
    }

    fn name_of(&self, id: KeyId, anchors: &[Anchor<'_>]) -> String {
        let entries = anchors.iter().map(|anchor| anchor.entry()).chain(self.entries_of(id));
        let mut names = entries.map(TrustEntry::name);
        names.next().map_or_else(|| id.to_string(), str::to_owned)
    }

    fn authorities_of(&self, rotation: &RotationStatement) -> impl Iterator<Item = &Authority> {
        self.authorities().iter().filter(|authority| authority.key() == rotation.from())
    }

    /// Judges whether anybody may be succeeded here, and returns the name.
    fn judge_rotation(
        &self,
        rotation: &RotationStatement,
        now: Timestamp,
    ) -> Result<String, StatementError> {
        let (from, to) = (rotation.from(), rotation.to());
        self.require_unrevoked(from, now)?;
        let authorities = self.authorities_of(rotation).map(Authority::entry);
        let entries: Vec<_> = self.entries_of(from.id()).chain(authorities).collect();
        let first = entries.first().ok_or_else(|| Untrusted::unknown(from.id()))?;
        self.require_unrevoked(to, now)?;
        // Whatever name it would get: somebody has said that it is lost.
        if let Some(list) = self.lists_with(to.id()).next() {
            return Err(list.refusal(to.id(), entries.first().map(|entry| entry.name())).into());
        }
        self.require_current(entries.iter().copied(), now)?;
        Ok(first.name().to_owned())
    }

    fn require_unrevoked(&self, key: &VerifyingKey, now: Timestamp) -> Result<(), Untrusted> {
        self.revocation_of(key, now).map_or(Ok(()), Err)
    }

    /// Demands that one of these entries of a key, which is not revoked, is within its window.
    fn require_current<'e>(
        &self,
        entries: impl Iterator<Item = &'e TrustEntry>,
        now: Timestamp,
    ) -> Result<(), Untrusted> {
        let mut refusal = Ok(());
        for entry in entries {
            let signer = || entry.name().to_owned();
            let found = match (entry.not_before(), entry.not_after()) {
                (Some(at), _) if now < at => Err(Untrusted::TooEarly { signer: signer(), at }),
                (_, Some(at)) if now >= at => Err(Untrusted::TooLate { signer: signer(), at }),
                _ => return Ok(()),
            };
            refusal = refusal.and(found);
        }
        refusal
    }
}
