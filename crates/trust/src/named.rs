//! Whom people mean, and how the entries of these signers stand.

use std::fmt;

use brine_core::{Timestamp, VerifyingKey};
use brine_keys::{Fingerprint, read_openssh_line};

use crate::anchors::Trust;
use crate::entry::TrustEntry;

/// Whether an entry speaks for its key at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryState {
    /// Its window has ended.
    Expired,
    /// Its window has not begun.
    NotYet,
    /// The key is revoked, by this entry or another.
    Revoked,
    /// It speaks for its key.
    Trusted,
}

impl EntryState {
    /// Returns its name, as people read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYet => "not yet",
            Self::Revoked => "revoked",
            Self::Trusted => "trusted",
        }
    }
}

impl fmt::Display for EntryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Trust {
    /// Returns the entries that a person means: those of the key that the text gives, as an OpenSSH public key or as a
    /// [`Fingerprint`], else those that answer to it as a name. An entry can have any name, also the fingerprint of
    /// somebody else's key, which means that key nevertheless.
    #[must_use]
    pub fn named(&self, text: &str) -> Vec<&TrustEntry> {
        let line = read_openssh_line(text).ok();
        let fingerprint = Fingerprint::parse(text).ok();
        let gives_key = line.is_some() || fingerprint.is_some();
        let is_meant = |key: &VerifyingKey| {
            line.as_ref().is_some_and(|(meant, _comment)| meant == key)
                || fingerprint.is_some_and(|meant| meant.is_of(key))
        };
        let entries = self.entries().iter();
        match gives_key {
            true => entries.filter(|entry| is_meant(entry.key())).collect(),
            false => entries.filter(|entry| entry.answers_to(text)).collect(),
        }
    }

    /// Returns how an entry of this trust, of a signer or an authority, stands at a moment.
    #[must_use]
    pub fn state(&self, entry: &TrustEntry, now: Timestamp) -> EntryState {
        if self.revocation_of(entry.key(), now).is_some() {
            EntryState::Revoked
        } else if entry.not_before().is_some_and(|start| now < start) {
            EntryState::NotYet
        } else if entry.not_after().is_some_and(|end| now >= end) {
            EntryState::Expired
        } else {
            EntryState::Trusted
        }
    }
}

#[cfg(test)]
mod tests;
