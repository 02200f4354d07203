//! The identity of a record.

use brine_core::{CHANNEL_BYTES, Claims, KeyId, Sequence, Timestamp, Verified};
use sha2::{Digest as _, Sha256};

use super::ReplayError;

/// The identity of a verified record: the signer's key, and a sequence or a `cti`.
///
/// Only a [`Verified`] has one, so a record that was not verified never reaches a ledger.
///
/// ```compile_fail
/// let forged = brine_records::Subject { identity: [0; 32] };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub(crate) identity: Identity,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) issued_at: Option<Timestamp>,
}

impl Subject {
    /// Returns the identity of a record: its sequence, or its `cti` if it has no sequence.
    ///
    /// # Errors
    ///
    /// [`ReplayError::IdentityMissing`] if it has neither; [`ReplayError::ExpiryMissing`] if it has no
    /// sequence and no `exp`.
    pub fn of(verified: &Verified) -> Result<Self, ReplayError> {
        let key = identity_key(verified);
        let Claims { cti, expires, issued_at, .. } = verified.claims();
        let identity = match (verified.header().sequence(), cti) {
            (Some(sequence), _) => Identity::Sequenced(key, sequence),
            (None, Some(_)) if expires.is_none() => return Err(ReplayError::ExpiryMissing),
            (None, Some(cti)) => Identity::Named(key, name(key, cti)),
            (None, None) => return Err(ReplayError::IdentityMissing),
        };
        Ok(Self { identity, expires, issued_at })
    }

    /// Returns the key and the channel of the record, if it has a sequence.
    #[must_use]
    pub const fn channel(&self) -> Option<(KeyId, [u8; CHANNEL_BYTES])> {
        match self.identity {
            Identity::Named(..) => None,
            Identity::Sequenced(key, sequence) => Some((key, sequence.channel)),
        }
    }

    /// Returns the number of the record in its channel, if it has one.
    #[must_use]
    pub const fn sequence(&self) -> Option<Sequence> {
        match self.identity {
            Identity::Named(..) => None,
            Identity::Sequenced(_, sequence) => Some(sequence),
        }
    }

    /// Returns the claims that a ledger judges again.
    pub(crate) fn claims(&self) -> Claims<'static> {
        Claims { expires: self.expires, issued_at: self.issued_at, ..Claims::default() }
    }
}

/// Returns whose name the `cti` is: that of the signer's key, or of a message of several signers. One of these could sign
/// something else with the `cti` of the others, and must not take their place by that.
fn identity_key(verified: &Verified) -> KeyId {
    match verified.shared_id() {
        None => verified.signer().key().id(),
        Some(id) => KeyId::from_bytes(*id),
    }
}

/// The same for all copies of a record, and different for all other records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// The key, and the SHA-256 of key and `cti`, which can be of any length.
    Named(KeyId, [u8; 32]),
    Sequenced(KeyId, Sequence),
}

/// The key id has one length, so no two pairs give the same bytes to hash.
fn name(key: KeyId, cti: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(key.as_bytes()).chain_update(cti).finalize().into()
}
