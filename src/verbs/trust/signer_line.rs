//! Entries of a trust file, as they are shown.

use brine_core::Timestamp;
use brine_keys::{openssh_line, ssh_fingerprint};
use brine_trust::{ContextGlob, EntryState, Scope, Trust, TrustEntry};
use serde::Serialize;

use crate::report::console::printable;

/// An entry, as it is shown to programs. docs/json.md describes it.
#[derive(Debug, Serialize)]
pub(in crate::verbs) struct SignerLine {
    schema: &'static str,
    name: String,
    state: &'static str,
    key_id: String,
    ssh_fingerprint: String,
    public_key: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    may_issue: bool,
    contexts: Option<Vec<String>>,
    not_before: Option<String>,
    not_after: Option<String>,
    revoked_at: Option<String>,
    revoked_reason: Option<String>,
}

impl SignerLine {
    /// Describes an entry of this trust as it stands at a moment.
    pub(in crate::verbs) fn of(entry: &TrustEntry, trust: &Trust, now: Timestamp) -> Self {
        Self::new(SCHEMA, entry, trust.state(entry, now))
    }

    /// Describes an entry of any sort.
    pub(super) fn new(schema: &'static str, entry: &TrustEntry, state: EntryState) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let revocation = entry.revocation();
        Self {
            schema,
            name: entry.name().to_owned(),
            state: word(state),
            key_id: entry.key().id().to_string(),
            ssh_fingerprint: ssh_fingerprint(entry.key()),
            public_key: openssh_line(entry.key(), ""),
            may_issue: entry.may_issue(),
            contexts: contexts(entry),
            not_before: time(entry.not_before()),
            not_after: time(entry.not_after()),
            revoked_at: time(revocation.map(|revoked| revoked.at)),
            revoked_reason: revocation.and_then(|revoked| revoked.reason.clone()),
        }
    }
}

/// Returns the name of a state for programs.
fn word(state: EntryState) -> &'static str {
    match state {
        EntryState::NotYet => "not-yet",
        other => other.name(),
    }
}

/// Returns what an entry allows, where that is not everything, as of a moment.
pub(in crate::verbs) fn limits(entry: &TrustEntry, now: Timestamp) -> String {
    let at = |word: &str, at: Option<Timestamp>| at.map(|at| format!("{word} {at}"));
    let revoked = entry.revocation().map(|revoked| {
        let why = revoked.reason.as_ref().map(|why| format!(": {}", printable(why)));
        let why = why.unwrap_or_default();
        match revoked.at <= now {
            true => format!("since {}{why}", revoked.at),
            false => format!("to be revoked at {}{why}", revoked.at),
        }
    });
    let contexts = contexts(entry).map(|list| match list.is_empty() {
        true => "for nothing".to_owned(),
        false => format!("only {}", printable(&list.join(", "))),
    });
    let issues = entry.may_issue().then(|| "may issue certificates".to_owned());
    let (from, until) = (at("from", entry.not_before()), at("until", entry.not_after()));
    let limits = [revoked, issues, contexts, from, until];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    limits.join("  ")
}

fn contexts(entry: &TrustEntry) -> Option<Vec<String>> {
    match entry.scope() {
        Scope::Globs(globs) => {
            Some(globs.iter().map(ContextGlob::as_str).map(str::to_owned).collect())
        }
        Scope::Namespaces(list) => Some(vec![list.as_str().to_owned()]),
        _ => None,
    }
}

/// The version of the form in which signers are shown to programs.
const SCHEMA: &str = "brine.signer/1";
