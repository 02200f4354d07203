//! Authorities of a trust file, as they are shown.

use brine_core::Timestamp;
use brine_keys::ssh_fingerprint;
use brine_trust::{Authority, Trust};
use serde::Serialize;

use super::SignerLine;
use super::signer_line::limits;
use crate::report::console::printable;

/// An authority, as it is shown to programs. docs/json.md describes it.
#[derive(Debug, Serialize)]
pub(super) struct AuthorityLine {
    #[serde(flatten)]
    line: SignerLine,
    /// The patterns of the names that it may vouch for.
    principals: Vec<String>,
}

impl AuthorityLine {
    /// Describes an authority of this trust as it stands at a moment.
    pub(super) fn of(authority: &Authority, trust: &Trust, now: Timestamp) -> Self {
        let state = trust.state(authority.entry(), now);
        let principals = authority.principals().as_str().split(',').map(str::to_owned).collect();
        Self { line: SignerLine::new(SCHEMA, authority.entry(), state), principals }
    }
}

/// Returns what people see of it: name, fingerprint, state, and what it is limited to.
pub(super) fn row(authority: &Authority, trust: &Trust, now: Timestamp) -> [String; 4] {
    let names = printable(authority.principals().as_str());
    let notes = [format!("certifies {names}"), limits(authority.entry(), now)];
    let notes: Vec<_> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    let state = trust.state(authority.entry(), now).to_string();
    let name = printable(authority.name());
    [name, ssh_fingerprint(authority.key()), state, notes.join("  ")]
}

/// The version of the form in which authorities are shown to programs.
const SCHEMA: &str = "brine.authority/1";
