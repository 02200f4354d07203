//! Why an agent was of no use.

use std::io::{self, ErrorKind};

use brine_core::text::in_words;
use brine_core::{BackendFailure, Class, Classified, SigningError};

use super::AgentExchange;

/// Why an agent was of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// There is no agent where one should be.
    #[error("cannot reach the agent: {}", in_words(.0))]
    Absent(io::Error),
    /// The connection ended before the answer did.
    #[error("the agent hung up")]
    HungUp,
    /// The connection failed.
    #[error("cannot talk to the agent: {}", in_words(.0))]
    Io(io::Error),
    /// The agent took longer than it may.
    #[error(
        "the agent {} in time: {late}",
        match .exchange {
            AgentExchange::List => "did not list its keys",
            AgentExchange::Sign => "did not sign",
        }
    )]
    Late {
        /// What it was asked for.
        exchange: AgentExchange,
        /// The limit, in the words of the connection.
        late: io::Error,
    },
    /// The answer breaks the rules of the protocol.
    #[error("the agent gave a malformed answer: {why}")]
    Malformed {
        /// The rule that was broken.
        why: &'static str,
    },
    /// The signature is that of another key, or of something else.
    #[error("the agent gave a signature that the key has not made")]
    OtherSignature,
    /// The agent said that it failed, and no more: the protocol has no word for why.
    #[error(
        "the agent refused to {}",
        match .exchange {
            AgentExchange::List => "list its keys",
            AgentExchange::Sign => "sign",
        }
    )]
    Refused {
        /// What it was asked for.
        exchange: AgentExchange,
    },
}

impl AgentError {
    /// Says why there is no connection.
    pub(super) fn connecting(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Self::Late { exchange: AgentExchange::List, late: error },
            _ => Self::Absent(error),
        }
    }

    /// Says why an exchange ended.
    pub(super) fn talking(error: io::Error, exchange: AgentExchange) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Self::Late { exchange, late: error },
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => {
                Self::HungUp
            }
            _ => Self::Io(error),
        }
    }

    pub(super) const fn malformed(why: &'static str) -> Self {
        Self::Malformed { why }
    }
}

impl Classified for AgentError {
    fn class(&self) -> Class {
        match self {
            Self::Absent(_) | Self::HungUp | Self::Io(_) | Self::Late { .. } => Class::System,
            Self::Malformed { .. } | Self::OtherSignature | Self::Refused { .. } => Class::Key,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Absent(_) => "agent-absent",
            Self::HungUp => "agent-hung-up",
            Self::Io(_) => "agent-io",
            Self::Late { .. } => "agent-late",
            Self::Malformed { .. } => "agent-malformed",
            Self::OtherSignature => "agent-signature",
            Self::Refused { .. } => "agent-refused",
        }
    }
}

impl From<AgentError> for SigningError {
    fn from(error: AgentError) -> Self {
        BackendFailure::new(error).into()
    }
}
