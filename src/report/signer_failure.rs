//! Why it is not clear whom a person means, or why it is somebody else.

use std::path::PathBuf;

use brine_core::text::quoted;
use brine_keys::Fingerprint;

use super::exit::Status;

/// Why the signer that a person names is not the one that was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerFailure {
    #[error("{}: no signer {}{}", quoted(.path), quoted(.wanted), with_key(.key.as_ref()))]
    Missing { path: PathBuf, wanted: String, key: Option<Fingerprint>, similar: Option<String> },

    #[error("this is another key than expected: its fingerprint is {found}, not {expected}")]
    OtherFingerprint { expected: Fingerprint, found: Fingerprint },

    #[error("{key} is on a list that would count no more, and would be believed again")]
    BelievedAgain { key: String, option: String },

    #[error("rotation of {} to {fingerprint} was not confirmed", quoted(.name))]
    Unfollowed { name: String, fingerprint: String },

    #[error("{} has {} keys: {}", quoted(.name), .keys.len(), .keys.join(", "))]
    SeveralKeys {
        name: String,
        /// Each fingerprint, and how the key stands.
        keys: Vec<String>,
        /// What to type for each of the keys.
        commands: Vec<String>,
    },
}

impl SignerFailure {
    /// Returns the exit status.
    pub(crate) const fn status(&self) -> Status {
        match self {
            Self::Missing { .. } => Status::Key,
            Self::OtherFingerprint { .. } | Self::Unfollowed { .. } => Status::Untrusted,
            Self::BelievedAgain { .. } => Status::Key,
            Self::SeveralKeys { .. } => Status::Usage,
        }
    }

    /// Returns the short name that stands in JSON verdicts.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "trust-no-such-signer",
            Self::OtherFingerprint { .. } => "fingerprint-differs",
            Self::SeveralKeys { .. } => "several-keys",
            Self::Unfollowed { .. } => "rotation-unconfirmed",
            Self::BelievedAgain { .. } => "trust-revocation-lost",
        }
    }
}

fn with_key(key: Option<&Fingerprint>) -> String {
    key.map(|key| format!(" with the key {key}")).unwrap_or_default()
}
