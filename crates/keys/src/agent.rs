//! Keys in an agent (draft-ietf-sshm-ssh-agent): what it holds, and what it signs.
//!
//! Nothing here is believed because an agent says so. What it answers has bounds and a strict form, and a signature is
//! verified before it is returned.

mod agent_error;
mod agent_key;
mod agent_message;
mod held_key;

use std::io::{self, Read, Write};

pub use self::agent_error::AgentError;
pub use self::agent_key::AgentKey;
use self::agent_message::ask;
pub use self::held_key::{HeldForm, HeldKey};

/// A way to an agent: what opens connections to it, and limits how long they take.
pub trait AgentLink: Send + Sync {
    /// A connection to the agent.
    type Connection: Read + Write + Send;

    /// Opens a connection, and lets the time of its first exchange begin.
    ///
    /// Reading and writing fail with [`io::ErrorKind::TimedOut`] when that time is over.
    ///
    /// # Errors
    ///
    /// What the system reports.
    fn connect(&self, exchange: AgentExchange) -> io::Result<Self::Connection>;

    /// Lets the time of another exchange begin.
    fn begin(&self, connection: &mut Self::Connection, exchange: AgentExchange);
}

/// What an agent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentExchange {
    /// To list its keys, which takes it no time.
    List,
    /// To sign, which it may ask a person for first.
    Sign,
}

/// Asks an agent which keys it holds, in its order, and returns them with the connection.
///
/// Keys of all types are returned, so that people can be told why one of them does not sign.
///
/// # Errors
///
/// [`AgentError`], except for [`AgentError::OtherSignature`].
pub fn held_keys<L: AgentLink>(link: &L) -> Result<(Vec<HeldKey>, L::Connection), AgentError> {
    let mut connection = link.connect(AgentExchange::List).map_err(AgentError::connecting)?;
    let answer = ask(&mut connection, REQUEST_IDENTITIES, &[], AgentExchange::List)?;
    Ok((held_key::read_list(answer.of_type(IDENTITIES_ANSWER)?)?, connection))
}

/// The longest message of an agent, in bytes after its length, that is read or written. OpenSSH has the same limit.
pub const MAX_AGENT_MESSAGE_BYTES: usize = 256 * 1024;

/// The most keys that an agent may list. OpenSSH has the same limit.
pub const MAX_HELD_KEYS: u32 = 2048;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const FAILURE: u8 = 5;

#[cfg(test)]
mod tests;
