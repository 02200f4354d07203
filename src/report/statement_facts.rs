//! Statements about keys, as they are shown. docs/json.md describes it.

use std::path::Path;

use brine_core::{Timestamp, VerifyingKey};
use brine_keys::ssh_fingerprint;
use brine_trust::{RevokedKey, Said, UnverifiedStatement};
use serde::Serialize;

use super::byte_name::{exact, shown};

/// What a statement says.
#[derive(Debug, Serialize)]
pub(crate) struct StatementFacts {
    kind: &'static str,
    expires: Option<String>,
    /// Of a list of revoked keys.
    number: Option<u64>,
    keys: Vec<RevokedFacts>,
    /// Of a rotation.
    from: Option<KeyFacts>,
    to: Option<KeyFacts>,
}

#[derive(Debug, Serialize)]
struct KeyFacts {
    key_id: String,
    /// `None` for what is no key.
    fingerprint: Option<String>,
}

#[derive(Debug, Serialize)]
struct RevokedFacts {
    #[serde(flatten)]
    key: KeyFacts,
    lost: Option<String>,
    reason: Option<String>,
}

impl StatementFacts {
    pub(crate) fn of(statement: &UnverifiedStatement) -> Self {
        let expires = statement.expires().map(|at| at.to_string());
        let empty =
            Self { kind: "", expires, number: None, keys: Vec::new(), from: None, to: None };
        match statement.said() {
            Said::Revocation(list) => Self {
                kind: brine_core::Kind::Revocation.name(),
                number: Some(list.number()),
                keys: list.keys().iter().map(RevokedFacts::of).collect(),
                ..empty
            },
            Said::Rotation(rotation) => Self {
                kind: brine_core::Kind::Rotation.name(),
                from: Some(KeyFacts::of(rotation.from())),
                to: Some(KeyFacts::of(rotation.to())),
                ..empty
            },
        }
    }
}

impl StatementFacts {
    /// Says it for a person: each line with its name.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        let number = self.number.map(|number| ("list", number.to_string()));
        let keys = self.keys.iter().map(|revoked| ("revokes", revoked.phrase()));
        let from = self.from.as_ref().map(|key| ("from key", key.shown().to_owned()));
        let to = self.to.as_ref().map(|key| ("to key", key.shown().to_owned()));
        number.into_iter().chain(keys).chain(from).chain(to)
    }
}

impl KeyFacts {
    fn shown(&self) -> &str {
        self.fingerprint.as_deref().unwrap_or(&self.key_id)
    }

    fn of(key: &VerifyingKey) -> Self {
        Self { key_id: key.id().to_string(), fingerprint: Some(ssh_fingerprint(key)) }
    }
}

impl RevokedFacts {
    fn phrase(&self) -> String {
        let why = self.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let lost = self.lost.as_ref().map(|at| format!(" (lost at {at})")).unwrap_or_default();
        format!("{}{why}{lost}", self.key.shown())
    }

    fn of(revoked: &RevokedKey) -> Self {
        let fingerprint = revoked.key().as_ref().map(ssh_fingerprint);
        Self {
            key: KeyFacts { key_id: revoked.id().to_string(), fingerprint },
            lost: revoked.lost().map(|at| at.to_string()),
            reason: revoked.reason().map(str::to_owned),
        }
    }
}

/// Says for a person which key is revoked, and why. When it was lost changes nothing, and is only said.
pub(crate) fn revoked_phrase(revoked: &RevokedKey) -> String {
    RevokedFacts::of(revoked).phrase()
}

/// Says until when a statement holds.
pub(crate) fn until(expires: Option<Timestamp>) -> String {
    expires.map(|at| format!(" until {at}")).unwrap_or_default()
}

/// One statement, with what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct StatementLine {
    schema: &'static str,
    /// `made`, `taken`, `followed`, `known`, `superseded`, `passed-over` or `refused`.
    outcome: &'static str,
    reason: Option<&'static str>,
    message: Option<String>,
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    /// The name of its signer; of a rotation, of the key before.
    signer: Option<String>,
    signer_key_id: Option<String>,
    #[serde(flatten)]
    facts: Option<StatementFacts>,
}

impl StatementLine {
    /// Describes a statement of this outcome, in a file.
    pub(crate) fn new(
        outcome: &'static str,
        statement: Option<&UnverifiedStatement>,
        signer: Option<&str>,
        file: Option<&Path>,
    ) -> Self {
        Self {
            schema: "brine.statement/1",
            outcome,
            reason: None,
            message: None,
            file: file.map(shown),
            file_hex: file.and_then(exact),
            signer: signer.map(str::to_owned),
            signer_key_id: statement.map(|found| found.signer().to_string()),
            facts: statement.map(StatementFacts::of),
        }
    }

    /// Says why it was refused.
    pub(crate) fn because(self, reason: &'static str, message: String) -> Self {
        Self { reason: Some(reason), message: Some(message), ..self }
    }
}
