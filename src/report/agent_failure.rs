//! Why a key in an agent does not sign.

use brine_core::Classified as _;
use brine_core::text::quoted;
use brine_keys::{AgentError, HeldForm, HeldKey};

use super::exit::Status;

/// Why a key in an agent does not sign.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentFailure {
    #[error(transparent)]
    Agent(#[from] AgentError),

    #[error("the agent holds {}{}", no_key(.wanted), listed("; it holds ", .held))]
    NoSuchKey { wanted: String, held: Vec<String> },

    #[error("there is no agent: SSH_AUTH_SOCK is not set")]
    NotNamed,

    #[error("the agent holds several keys{}{}", called(.wanted), listed(": ", .held))]
    SeveralKeys { wanted: String, held: Vec<String> },

    #[error("{key}: it signs no envelopes")]
    Unusable { key: String, reason: &'static str },
}

impl AgentFailure {
    /// Says that none of the keys is the one that is wanted; without a name, that none of them signs.
    pub(crate) fn missing(wanted: &str, held: &[HeldKey]) -> Self {
        Self::NoSuchKey { wanted: wanted.to_owned(), held: held.iter().map(described).collect() }
    }

    /// Says that several keys could be meant.
    pub(crate) fn several(wanted: &str, held: &[&&HeldKey]) -> Self {
        let held = held.iter().map(|held| described(held)).collect();
        Self::SeveralKeys { wanted: wanted.to_owned(), held }
    }

    /// Says what a key is that does not sign.
    pub(crate) fn of_unusable(held: &HeldKey) -> Self {
        let reason = match held.form() {
            HeldForm::Certificate(_) => "agent-key-certificate",
            HeldForm::Fido => "agent-key-fido",
            _ => "agent-key-type",
        };
        Self::Unusable { key: described(held), reason }
    }

    /// Returns the exit status.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Agent(error) => error.class().into(),
            Self::NotNamed => Status::Io,
            Self::NoSuchKey { .. } | Self::SeveralKeys { .. } | Self::Unusable { .. } => {
                Status::Key
            }
        }
    }

    /// Returns the short name that stands in JSON verdicts.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Agent(error) => error.reason(),
            Self::NoSuchKey { .. } => "agent-key-missing",
            Self::NotNamed => "agent-absent",
            Self::SeveralKeys { .. } => "agent-several-keys",
            Self::Unusable { reason, .. } => reason,
        }
    }
}

/// Describes a key that an agent holds: its comment, its fingerprint, and what it is if it does not sign.
pub(crate) fn described(held: &HeldKey) -> String {
    let kind = kind(held).map(|kind| format!(", {kind}")).unwrap_or_default();
    format!("{} {}{kind}", quoted(held.comment()), held.fingerprint())
}

/// Says what a key in an agent is, unless it signs.
pub(crate) fn kind(held: &HeldKey) -> Option<String> {
    Some(match held.form() {
        HeldForm::Ed25519(_) => return None,
        HeldForm::Certificate(_) => "a certificate".to_owned(),
        HeldForm::Fido => "a FIDO key".to_owned(),
        HeldForm::Other(name) => format!("a key of type {}", quoted(name)),
        HeldForm::Unusable(error) => error.to_string(),
        _ => "a key of another type".to_owned(),
    })
}

fn no_key(wanted: &str) -> String {
    match wanted {
        "" => "no Ed25519 key".to_owned(),
        wanted => format!("no key {}", quoted(wanted)),
    }
}

fn called(wanted: &str) -> String {
    match wanted {
        "" => String::new(),
        wanted => format!(" that {} names", quoted(wanted)),
    }
}

/// Lists keys, as many as a line has room for.
fn listed(before: &str, held: &[String]) -> String {
    let (shown, rest) = held.split_at(held.len().min(MOST_LISTED));
    let more = match rest.len() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    match shown {
        [] => String::new(),
        shown => format!("{before}{}{more}", shown.join("; ")),
    }
}

const MOST_LISTED: usize = 8;
