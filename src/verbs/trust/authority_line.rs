//! Authorities of a trust file, as they are shown.

use brine_core::Timestamp;
use brine_keys::ssh_fingerprint;
use brine_trust::{Authority, Trust};
use serde::Serialize;

use super::SignerLine;
use super::signer_line::limits;
use crate::report::console::printable;
use crate::report::statement_facts::until;

/// An authority, as it is shown to programs. docs/json.md describes it.
#[derive(Debug, Serialize)]
pub(super) struct AuthorityLine {
    #[serde(flatten)]
    line: SignerLine,
    /// The patterns of the names that it may vouch for.
    principals: Vec<String>,
    needs_revocations: bool,
    /// The list of what it revokes by which it is judged here; `None` if none was seen.
    revocations: Option<ListFacts>,
}

#[derive(Debug, Serialize)]
struct ListFacts {
    number: u64,
    expires: Option<String>,
}

impl AuthorityLine {
    /// Describes an authority of this trust as it stands at a moment.
    pub(super) fn of(authority: &Authority, trust: &Trust, now: Timestamp) -> Self {
        let state = trust.state(authority.entry(), now);
        let principals = authority.principals().as_str().split(',').map(str::to_owned).collect();
        let revocations = trust.list_by(authority.key().id()).map(|list| ListFacts {
            number: list.number(),
            expires: list.expires().map(|at| at.to_string()),
        });
        Self {
            line: SignerLine::new(SCHEMA, authority.entry(), state),
            principals,
            needs_revocations: authority.needs_revocations(),
            revocations,
        }
    }
}

/// Returns what people see of it: name, fingerprint, state, and what it is limited to.
pub(super) fn row(authority: &Authority, trust: &Trust, now: Timestamp) -> [String; 4] {
    let names = printable(authority.principals().as_str());
    let list = list_note(authority, trust, now);
    let notes = [format!("certifies {names}"), limits(authority.entry(), now), list];
    let notes: Vec<_> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    let state = trust.state(authority.entry(), now).to_string();
    let name = printable(authority.name());
    [name, ssh_fingerprint(authority.key()), state, notes.join("  ")]
}

/// Says what is known of what it revokes.
fn list_note(authority: &Authority, trust: &Trust, now: Timestamp) -> String {
    let Some(list) = trust.list_by(authority.key().id()) else {
        let needs = if authority.needs_revocations() { ", which is needed" } else { "" };
        return format!("no revocation list seen{needs}");
    };
    match list.expires() {
        Some(at) if at <= now => format!("revocation list {} expired {at}", list.number()),
        expires => format!("revocation list {}{}", list.number(), until(expires)),
    }
}

/// The version of the form in which authorities are shown to programs.
const SCHEMA: &str = "brine.authority/1";
