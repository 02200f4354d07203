//! What a change of a trust file has done.

use std::path::Path;

use brine_core::Timestamp;
use brine_trust::{EntryState, Trust, TrustEntry};
use serde::Serialize;

use super::SignerLine;
use super::signer_line::limits;
use crate::report::Failure;
use crate::report::byte_name::{exact, shown};
use crate::report::console::json_line;
use crate::world::output::Output;

/// What was done to some entries of a trust file.
#[derive(Debug)]
pub(super) struct TrustChange {
    pub(super) did: Did,
    /// The entries that were added, revoked or removed.
    pub(super) entries: Vec<TrustEntry>,
    /// What the file said before.
    pub(super) before: Trust,
    /// What the file says now.
    pub(super) after: Trust,
    pub(super) now: Timestamp,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Did {
    Added,
    Nothing,
    Removed,
    Revoked,
}

impl TrustChange {
    /// Returns the entries that have one of these keys, and are not among those that were changed.
    pub(super) fn others(&self) -> Vec<&TrustEntry> {
        let is_concerned = |entry: &&TrustEntry| {
            self.entries.iter().any(|changed| changed.key() == entry.key())
                && !self.entries.contains(entry)
        };
        self.after.entries().iter().filter(is_concerned).collect()
    }

    /// Returns the entries that have another key, and the name of one that was changed.
    pub(super) fn namesakes(&self) -> Vec<&TrustEntry> {
        let is_namesake = |entry: &&TrustEntry| {
            let mut changed = self.entries.iter();
            changed.clone().any(|changed| changed.name() == entry.name())
                && changed.all(|changed| changed.key() != entry.key())
        };
        self.after.entries().iter().filter(is_namesake).collect()
    }

    /// Returns whether an entry that is left speaks for its key, now or later.
    pub(super) fn can_speak(&self, entry: &TrustEntry) -> bool {
        matches!(self.after.state(entry, self.now), EntryState::Trusted | EntryState::NotYet)
    }

    /// Describes an entry that is left: its name, and how it stands.
    pub(super) fn standing(&self, entry: &TrustEntry) -> String {
        let state = match self.after.state(entry, self.now) {
            EntryState::Trusted => "trusted".to_owned(),
            EntryState::Expired => "no longer trusted".to_owned(),
            EntryState::NotYet => "to be trusted".to_owned(),
            other => format!("{other}"),
        };
        let limits = limits(entry, self.now);
        let limits = if limits.is_empty() { limits } else { format!(" ({limits})") };
        format!("{state} as {:?}{limits}", entry.name())
    }

    /// Writes it for programs.
    pub(super) fn print(&self, path: &Path, output: &Output) -> Result<(), Failure> {
        let of = if self.did == Did::Removed { &self.before } else { &self.after };
        let line = ChangeLine {
            schema: SCHEMA,
            change: self.did,
            file: shown(path),
            file_hex: exact(path),
            signers: self.lines(of, self.entries.iter()),
            others: self.lines(&self.after, self.others().into_iter()),
        };
        output.print(&json_line(&line))
    }

    fn lines<'t>(
        &self,
        trust: &Trust,
        entries: impl Iterator<Item = &'t TrustEntry>,
    ) -> Vec<SignerLine> {
        entries.map(|entry| SignerLine::of(entry, trust, self.now)).collect()
    }
}

/// A change, as it is shown to programs. docs/json.md describes it.
#[derive(Debug, Serialize)]
struct ChangeLine {
    schema: &'static str,
    change: Did,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    signers: Vec<SignerLine>,
    /// Other entries of the same keys.
    others: Vec<SignerLine>,
}

const SCHEMA: &str = "brine.trust-change/1";
