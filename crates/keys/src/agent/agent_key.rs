//! A key in an agent, as something that signs.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use brine_core::{Algorithm, Message, SigningBackend, SigningError, VerifyingKey};

use super::agent_message::{Fields, ask, length_of};
use super::{
    AgentError, AgentExchange, AgentLink, HeldKey, MAX_AGENT_MESSAGE_BYTES, SIGN_REQUEST,
    SIGN_RESPONSE,
};
use crate::openssh::ED25519;

/// A key in an agent.
///
/// Threads that share it sign one after the other, over one connection: an agent asks a person one thing at a time. A
/// connection that has died since it was last used is opened anew.
pub struct AgentKey<L: AgentLink> {
    link: L,
    connection: Mutex<Option<L::Connection>>,
    blob: Vec<u8>,
    key: VerifyingKey,
}

impl<L: AgentLink> AgentKey<L> {
    /// Signs with a key that the agent [holds](super::held_keys), over the connection on which it was listed.
    ///
    /// Returns `None` for keys that do not sign: see [`HeldKey::signing`].
    #[must_use]
    pub fn new(link: L, connection: L::Connection, held: &HeldKey) -> Option<Self> {
        let (key, blob) = (held.signing()?.clone(), held.blob().to_vec());
        Some(Self { link, connection: Mutex::new(Some(connection)), blob, key })
    }

    /// Returns the same key with no connection yet, for a process that **must not** use this one: after a fork, parent
    /// and child have the same, and would take each other's answers.
    #[must_use]
    pub fn anew(&self) -> Self
    where
        L: Clone,
    {
        let Self { link, blob, key, .. } = self;
        let connection = Mutex::new(None);
        Self { link: link.clone(), connection, blob: blob.clone(), key: key.clone() }
    }

    /// Asks for a signature, and once more if only the connection had died.
    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, AgentError> {
        // A thread that panicked has left no half-used connection: it is taken out while it is used.
        let mut kept = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut connection) = kept.take() {
            self.link.begin(&mut connection, AgentExchange::Sign);
            match self.signature_over(&mut connection, message) {
                Err(AgentError::HungUp) => {}
                found => {
                    *kept = found.is_ok().then_some(connection);
                    return found;
                }
            }
        }
        let mut connection =
            self.link.connect(AgentExchange::Sign).map_err(AgentError::connecting)?;
        let found = self.signature_over(&mut connection, message);
        *kept = found.is_ok().then_some(connection);
        found
    }

    fn signature_over(
        &self,
        connection: &mut L::Connection,
        message: &[u8],
    ) -> Result<Vec<u8>, AgentError> {
        let lengths = [length_of(self.blob.len()), length_of(message.len())];
        let [of_blob, of_message] = &lengths;
        let parts: [&[u8]; 5] = [of_blob, &self.blob, of_message, message, &NO_FLAGS];
        let answer = ask(connection, SIGN_REQUEST, &parts, AgentExchange::Sign)?;
        let mut fields = answer.of_type(SIGN_RESPONSE)?;
        let mut signature = Fields::of(fields.string()?);
        fields.end()?;
        let (name, bytes) = (signature.string()?, signature.string()?);
        signature.end()?;
        if name != ED25519.as_bytes() {
            return Err(AgentError::malformed("the signature is not of Ed25519"));
        }
        // An agent that is asked for one key and signs with another, or signs something else, is found out here, and
        // not by whoever verifies.
        match self.key.verify(&[message], bytes) {
            true => Ok(bytes.to_vec()),
            false => Err(AgentError::OtherSignature),
        }
    }

    fn limit(&self) -> usize {
        // The type, two lengths, the key and the flags.
        MAX_AGENT_MESSAGE_BYTES.saturating_sub(13).saturating_sub(self.blob.len())
    }
}

impl<L: AgentLink> SigningBackend for AgentKey<L> {
    fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    fn message_limit(&self) -> Option<usize> {
        Some(self.limit())
    }

    fn sign(&self, _: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        let length = parts.iter().fold(0, |sum: usize, part| sum.saturating_add(part.len()));
        if length > self.limit() {
            return Err(SigningError::TooLarge);
        }
        Ok(self.signature(&parts.concat())?)
    }

    /// Signs a short message, wherever it is kept.
    fn sign_pieces(
        &self,
        algorithm: Algorithm,
        message: &Message<'_>,
    ) -> Result<Vec<u8>, SigningError> {
        let (mut whole, mut fits) = (Vec::new(), true);
        let collected = message(&mut |piece| {
            fits &= whole.len().saturating_add(piece.len()) <= self.limit();
            if fits {
                whole.extend_from_slice(piece);
            }
        });
        collected.map_err(SigningError::Message)?;
        match fits {
            true => self.sign(algorithm, &[&whole]),
            false => Err(SigningError::TooLarge),
        }
    }
}

impl<L: AgentLink> fmt::Debug for AgentKey<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Flags say which hash an RSA key uses.
const NO_FLAGS: [u8; 4] = [0; 4];
