//! What a record is held by.

use sha2::{Digest as _, Sha256};

use super::ReplayError;
use crate::claims::{Claims, Timestamp};
use crate::cose::{CHANNEL_BYTES, Sequence};
use crate::key::KeyId;
use crate::verify::Verified;

/// What tells one verified record from all others: the signer's key, and a sequence or a `cti`.
///
/// Only a [`Verified`] gives one, so nothing that was not verified reaches the database.
///
/// ```compile_fail
/// let forged = brine::record::replay::Subject { key: brine::KeyId::from_bytes([0; 32]) };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub(super) identity: Identity,
    pub(super) expires: Option<Timestamp>,
    pub(super) issued_at: Option<Timestamp>,
}

impl Subject {
    /// Returns what the record is held by: its sequence, and without one its `cti`.
    ///
    /// # Errors
    ///
    /// [`ReplayError::IdentityMissing`] if it has neither; [`ReplayError::ExpiryMissing`] if it has no
    /// sequence and no `exp`.
    pub fn of(verified: &Verified<'_, '_>) -> Result<Self, ReplayError> {
        let (key, header) = (verified.signer().key.id(), verified.header());
        let Claims { cti, expires, issued_at, .. } = header.claims;
        let identity = match (header.sequence, cti) {
            (Some(sequence), _) => Identity::Sequenced(key, sequence),
            (None, Some(_)) if expires.is_none() => return Err(ReplayError::ExpiryMissing),
            (None, Some(cti)) => Identity::Named(name(key, cti)),
            (None, None) => return Err(ReplayError::IdentityMissing),
        };
        Ok(Self { identity, expires, issued_at })
    }

    /// Returns whose channel it is in, if it has a sequence.
    #[must_use]
    pub const fn channel(&self) -> Option<(KeyId, [u8; CHANNEL_BYTES])> {
        match self.identity {
            Identity::Named(_) => None,
            Identity::Sequenced(key, sequence) => Some((key, sequence.channel)),
        }
    }

    /// Returns the claims that are judged again here.
    pub(super) fn claims(&self) -> Claims<'static> {
        Claims { expires: self.expires, issued_at: self.issued_at, ..Claims::default() }
    }
}

/// The same for all copies of a record, and for no other record of its signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// The SHA-256 of key and `cti`, which can be of any length.
    Named([u8; 32]),
    Sequenced(KeyId, Sequence),
}

/// The key id has one length, so no two pairs give the same bytes to hash.
fn name(key: KeyId, cti: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(key.as_bytes()).chain_update(cti).finalize().into()
}
