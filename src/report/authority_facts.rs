//! Through whom a signer is believed. docs/verdict.md describes it.

use brine_core::Vouched;
use serde::Serialize;

/// Through whom a signer is believed whose key no trust file names.
#[derive(Debug, Serialize)]
pub(crate) struct AuthorityFacts {
    name: String,
    key_id: String,
    /// Who issued certificates in between, from the authority on.
    through: Vec<String>,
    /// What the authority calls the certificate.
    certificate: String,
    serial: u64,
    expires: Option<String>,
    /// The contexts that the certificate is limited to; `None` if it says nothing of them.
    contexts: Option<Vec<String>>,
    /// The number of the list of what the authority revokes by which it was judged; `None` if none was seen here.
    revocations: Option<u64>,
}

impl AuthorityFacts {
    pub(crate) fn of(vouched: &Vouched) -> Self {
        let patterns = |text: &String| text.split(',').map(str::to_owned).collect();
        Self {
            name: vouched.authority.clone(),
            key_id: vouched.authority_key.to_string(),
            through: vouched.through.clone(),
            certificate: vouched.certificate.clone(),
            serial: vouched.serial,
            expires: vouched.expires.map(|at| at.to_string()),
            contexts: vouched.contexts.as_ref().map(patterns),
            revocations: vouched.revocations,
        }
    }

    /// Says it for a person, after the name of the signer.
    pub(crate) fn phrase(&self) -> String {
        let through = match self.through.as_slice() {
            [] => String::new(),
            through => format!(" through {}", through.join(", ")),
        };
        format!(", certified by {}{through}", self.name)
    }
}
