//! Whom people mean, and how the entries of these signers stand.

use std::fmt;

use brine_core::{Timestamp, VerifyingKey};
use brine_keys::{Fingerprint, read_openssh_line};

use crate::anchors::Trust;
use crate::authority::Authority;
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
        let meant = Meant::by(text);
        self.entries().iter().filter(|entry| meant.is(entry)).collect()
    }

    /// Returns the authorities that a person means, in the same way.
    #[must_use]
    pub fn named_authorities(&self, text: &str) -> Vec<&Authority> {
        let meant = Meant::by(text);
        self.authorities().iter().filter(|authority| meant.is(authority.entry())).collect()
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

/// What a text means: a key if it gives one, else a name.
struct Meant<'t> {
    text: &'t str,
    line: Option<VerifyingKey>,
    fingerprint: Option<Fingerprint>,
}

impl<'t> Meant<'t> {
    fn by(text: &'t str) -> Self {
        let line = read_openssh_line(text).ok().map(|(key, _comment)| key);
        Self { text, line, fingerprint: Fingerprint::parse(text).ok() }
    }

    fn is(&self, entry: &TrustEntry) -> bool {
        let key = entry.key();
        match (&self.line, &self.fingerprint) {
            (None, None) => entry.answers_to(self.text),
            (line, fingerprint) => {
                line.as_ref() == Some(key) || fingerprint.is_some_and(|meant| meant.is_of(key))
            }
        }
    }
}

#[cfg(test)]
mod tests;
