//! Edits trust.toml.

mod text_edit;

use std::fmt;

use brine_core::{Signer, Timestamp, VerifyingKey};
use jiff::tz::TimeZone;

use crate::authority::Authority;
use crate::document::{self, Contents};
use crate::entry::{Revocation, Scope, TrustEntry};
use crate::error::TrustError;
use crate::statements::Successors;
use crate::trust_file::is_toml;
use crate::{Trust, allowed_signers};

use self::text_edit::{appended, appended_authority, with_revocation, without};

/// The text of a trust.toml. It is always valid.
///
/// Entries are appended to the text and cut out of it, and every other byte stays as it is. (A TOML document model
/// would write line ends of its own, and move comments at the end of the file.)
///
/// ```
/// use brine_core::Signer;
/// use brine_trust::{Revocations, TrustStore};
///
/// # let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIET+QA4xCaomP4+xkZbqykQfTOFappgYVaYnFyVt7woD";
/// let (key, _) = brine_keys::read_openssh_line(line)?;
/// let mut store = TrustStore::parse("# our signers\n")?;
/// store.add(&Signer::new("alice", key).into())?;
/// assert_eq!(store.trust()?.entries().len(), 1);
/// store.remove(|entry| entry.name() == "alice", Revocations::Keep)?;
/// assert_eq!(store.to_string(), "# our signers\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore {
    text: String,
}

impl TrustStore {
    /// Reads a trust.toml.
    ///
    /// # Errors
    ///
    /// [`TrustError::AllowedSigners`], and those of [`Trust::parse`] for a trust.toml.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        if is_allowed_signers(text) {
            return Err(TrustError::AllowedSigners);
        }
        document::read(text)?;
        Ok(Self { text: text.to_owned() })
    }

    /// Returns the signers and authorities in the file, without what lists that it names revoke.
    ///
    /// # Errors
    ///
    /// None in practice: the text is always valid.
    pub fn trust(&self) -> Result<Trust, TrustError> {
        let Contents { signers, authorities, rules, .. } = document::read(&self.text)?;
        let entries = signers.into_iter().map(|placed| placed.entry);
        let authorities = authorities.into_iter().map(|placed| placed.authority);
        Ok(Trust::new(entries).with_authorities(authorities).with_rules(rules))
    }

    /// Returns the files of lists of what is revoked that the file names.
    ///
    /// # Errors
    ///
    /// None in practice: the text is always valid.
    pub fn revoked_files(&self) -> Result<Vec<String>, TrustError> {
        Ok(document::read(&self.text)?.revoked)
    }

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// - [`TrustError::AlreadyThere`] if there is an entry with this name and key;
    /// - [`TrustError::KeyRevoked`] if an entry revokes the key: the new one would trust nobody;
    /// - [`TrustError::Inexpressible`] for an entry from an allowed_signers file;
    /// - those of [`TrustStore::parse`] if the name, the reason, the window or the size of the file is not allowed.
    pub fn add(&mut self, entry: &TrustEntry) -> Result<(), TrustError> {
        let entries = self.entries()?;
        if entry.revocation().is_none()
            && let Some((name, at)) = earliest_revocation(&entries, entry.key())
        {
            return Err(TrustError::KeyRevoked { name: name.to_owned(), at });
        }
        if entries.iter().any(|known| known.signer() == entry.signer()) {
            return Err(TrustError::AlreadyThere { name: entry.name().to_owned() });
        }
        // Principals and namespaces cannot be written. Without them the entry would allow more.
        let expected = entries.into_iter().chain([entry.clone()]).collect();
        self.replace(appended(&self.text, entry), expected, entry.name())
    }

    /// Appends what a rotation adds, but for what is there already.
    ///
    /// # Errors
    ///
    /// [`TrustError::KeyRevoked`] if an entry revokes the new key, from whatever moment on.
    pub fn add_successors(&mut self, successors: &Successors) -> Result<(), TrustError> {
        for entry in &successors.entries {
            let entries = self.entries()?;
            if let Some((name, at)) = earliest_revocation(&entries, entry.key()) {
                return Err(TrustError::KeyRevoked { name: name.to_owned(), at });
            }
            if !entries.contains(entry) {
                let expected = entries.into_iter().chain([entry.clone()]).collect();
                self.replace(appended(&self.text, entry), expected, entry.name())?;
            }
        }
        for authority in &successors.authorities {
            let mut expected = self.authorities()?;
            if !expected.contains(authority) {
                expected.push(authority.clone());
                let text = appended_authority(&self.text, authority);
                self.replace_authorities(text, &expected, authority.name())?;
            }
        }
        Ok(())
    }

    /// Appends an authority.
    ///
    /// # Errors
    ///
    /// - [`TrustError::AlreadyThere`] if there is an authority with this name and key;
    /// - those of [`TrustStore::parse`] if the name, the patterns, the window or the size of the file is not allowed.
    pub fn add_authority(&mut self, authority: &Authority) -> Result<(), TrustError> {
        let mut expected = self.authorities()?;
        if expected.iter().any(|known| known.signer() == authority.signer()) {
            return Err(TrustError::AlreadyThere { name: authority.name().to_owned() });
        }
        expected.push(authority.clone());
        let text = appended_authority(&self.text, authority);
        self.replace_authorities(text, &expected, authority.name())
    }

    /// Revokes a key in all of its entries, whose comments are kept, and returns these as they are now.
    ///
    /// A revocation is never postponed: of two moments the earlier one stays. A reason replaces an older one. If the
    /// key has no entry, it gets one with the signer's name, which trusts it for nothing and revokes it.
    ///
    /// # Errors
    ///
    /// - [`TrustError::AlreadyRevoked`] if this would change nothing;
    /// - those of [`TrustStore::parse`] if the name, the reason or the size of the file is not allowed.
    pub fn revoke(
        &mut self,
        signer: &Signer,
        revocation: &Revocation,
    ) -> Result<Vec<TrustEntry>, TrustError> {
        let key = signer.key();
        let before = self.entries()?;
        if !before.iter().any(|entry| entry.key() == key) {
            let entry = TrustEntry::new(signer.clone())
                .with_scope(Scope::Globs(Vec::new()))
                .with_revocation(revocation.clone());
            self.add(&entry)?;
            return Ok(vec![entry]);
        }
        let revoked = |entry: &TrustEntry| match entry.key() == key {
            true => entry.clone().with_revocation(stricter(entry.revocation(), revocation)),
            false => entry.clone(),
        };
        let after: Vec<_> = before.iter().map(revoked).collect();
        if after == before
            && let Some((name, at)) = earliest_revocation(&before, key)
        {
            return Err(TrustError::AlreadyRevoked { name: name.to_owned(), at });
        }
        let mut text = self.text.clone();
        // From the last to the first: what is written moves what comes after it.
        for (placed, entry) in document::read(&self.text)?.signers.iter().zip(&after).rev() {
            if placed.entry != *entry {
                text = with_revocation(&text, placed, entry);
            }
        }
        let changed = after.iter().filter(|entry| entry.key() == key).cloned().collect();
        self.replace(text, after, signer.name())?;
        Ok(changed)
    }

    /// Removes the entries that are chosen, and returns them.
    ///
    /// Comment lines directly above an entry are removed with it.
    ///
    /// # Errors
    ///
    /// [`TrustError::RevocationLost`] if a key would be revoked later than before, or no more, and revocations are to
    /// be kept.
    pub fn remove(
        &mut self,
        chosen: impl Fn(&TrustEntry) -> bool,
        revocations: Revocations,
    ) -> Result<Vec<TrustEntry>, TrustError> {
        let entries = document::read(&self.text)?.signers;
        let places = entries.iter().map(|placed| (&placed.place, chosen(&placed.entry)));
        let text = without(&self.text, &places.collect::<Vec<_>>());
        let entries = entries.into_iter().map(|placed| placed.entry);
        let (removed, rest): (Vec<_>, Vec<_>) = entries.partition(chosen);
        if revocations == Revocations::Keep {
            require_revocations(&removed, &rest)?;
        }
        let name = removed.first().map(|entry| entry.name().to_owned()).unwrap_or_default();
        self.replace(text, rest, &name)?;
        Ok(removed)
    }

    /// Removes the authorities that are chosen, and returns them, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    ///
    /// [`TrustError::RevocationLost`], as [`remove`](Self::remove).
    pub fn remove_authorities(
        &mut self,
        chosen: impl Fn(&Authority) -> bool,
        revocations: Revocations,
    ) -> Result<Vec<Authority>, TrustError> {
        let placed = document::read(&self.text)?.authorities;
        let places = placed.iter().map(|placed| (&placed.place, chosen(&placed.authority)));
        let text = without(&self.text, &places.collect::<Vec<_>>());
        let authorities = placed.into_iter().map(|placed| placed.authority);
        let (removed, rest): (Vec<_>, Vec<_>) = authorities.partition(chosen);
        if revocations == Revocations::Keep {
            let entry = |authority: &Authority| authority.entry().clone();
            let left: Vec<_> = rest.iter().map(entry).chain(self.entries()?).collect();
            require_revocations(&removed.iter().map(entry).collect::<Vec<_>>(), &left)?;
        }
        let name = removed.first().map(|one| one.name().to_owned()).unwrap_or_default();
        self.replace_authorities(text, &rest, &name)?;
        Ok(removed)
    }

    fn authorities(&self) -> Result<Vec<Authority>, TrustError> {
        let placed = document::read(&self.text)?.authorities;
        Ok(placed.into_iter().map(|placed| placed.authority).collect())
    }

    /// Takes a new text that changes authorities alone.
    fn replace_authorities(
        &mut self,
        text: String,
        expected: &[Authority],
        name: &str,
    ) -> Result<(), TrustError> {
        let new = Self { text };
        if new.authorities()? != expected || new.entries()? != self.entries()? {
            return Err(TrustError::Inexpressible { name: name.to_owned() });
        }
        *self = new;
        Ok(())
    }

    fn entries(&self) -> Result<Vec<TrustEntry>, TrustError> {
        Ok(document::read(&self.text)?.signers.into_iter().map(|placed| placed.entry).collect())
    }

    /// Takes a new text, which must mean what was to be written.
    fn replace(
        &mut self,
        text: String,
        expected: Vec<TrustEntry>,
        name: &str,
    ) -> Result<(), TrustError> {
        let new = Self { text };
        if new.entries()? != expected {
            return Err(TrustError::Inexpressible { name: name.to_owned() });
        }
        *self = new;
        Ok(())
    }
}

/// What becomes of revocations when entries are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocations {
    /// They go with the entries.
    Drop,
    /// Entries without which a revoked key would be an unknown one are not removed.
    Keep,
}

impl fmt::Display for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns whether the text is an allowed_signers file that names somebody.
fn is_allowed_signers(text: &str) -> bool {
    let read = || allowed_signers::read(text.as_bytes(), &|| TimeZone::UTC);
    !is_toml(text.as_bytes()) && read().is_ok_and(|read| !read.is_empty())
}

/// Returns the name and moment of the revocation of a key that takes effect first.
fn earliest_revocation<'t>(
    entries: &'t [TrustEntry],
    key: &VerifyingKey,
) -> Option<(&'t str, Timestamp)> {
    let entries = entries.iter().filter(|entry| entry.key() == key);
    let revoked = entries.filter_map(|entry| Some((entry.name(), entry.revocation()?.at)));
    revoked.min_by_key(|(_name, at)| *at)
}

/// Returns the revocation that takes away more, with the newer reason.
fn stricter(old: Option<&Revocation>, new: &Revocation) -> Revocation {
    let Some(old) = old else { return new.clone() };
    let reason = new.reason.as_ref().or(old.reason.as_ref());
    Revocation { at: old.at.min(new.at), reason: reason.cloned() }
}

/// Refuses to remove entries without which a key would be revoked later, or not at all.
fn require_revocations(removed: &[TrustEntry], rest: &[TrustEntry]) -> Result<(), TrustError> {
    for key in removed.iter().map(TrustEntry::key) {
        let Some((name, at)) = earliest_revocation(removed, key) else { continue };
        if earliest_revocation(rest, key).is_none_or(|(_name, left)| left > at) {
            return Err(TrustError::RevocationLost { name: name.to_owned(), at });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
