//! A statement as it arrives.

use brine_core::cbor::{Decoder, Malformed};
use brine_core::cose::{TAG_SIGN, Tagging};
use brine_core::{
    Certificates, Error, Expectations, FormError, KeyId, Kind, KindError, KnownSigners, Signatures,
    Signer, Timestamp, UnverifiedEnvelope, VerifyingKey, open,
};

use super::{RevocationStatement, RotationStatement, StatementError};

/// A statement that was read, and not verified: anybody can have written it.
#[derive(Clone, Debug)]
pub struct UnverifiedStatement {
    envelope: Vec<u8>,
    said: Said,
    /// The key that signed it; of a rotation, the old one.
    signer: KeyId,
    certificates: Option<Certificates>,
    expires: Option<Timestamp>,
    /// The first moment at which its signer wants it to be believed.
    begins: Timestamp,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Which keys are believed no more.
    Revocation(RevocationStatement),
    /// Which key comes after another one.
    Rotation(Box<RotationStatement>),
}

impl UnverifiedStatement {
    /// Reads an envelope that is a statement.
    ///
    /// # Errors
    ///
    /// - those of [`Signatures::parse`], and [`KindError::Wrong`] for anything but a statement;
    /// - [`StatementError::Form`], [`StatementError::Malformed`] and [`StatementError::Version`];
    /// - [`StatementError::Signers`] for a rotation that names other keys than those that sign it;
    /// - [`StatementError::NoEnd`].
    pub fn parse(envelope: Vec<u8>) -> Result<Self, StatementError> {
        let signatures = Signatures::parse(&envelope, Tagging::Required).map_err(Error::from)?;
        // What it says is in the payload, and certificates are shorter than this together.
        let header = signatures.iter().map(|one| one.sign1().protected_bytes().len()).max();
        if header.is_some_and(|header| header > MAX_STATEMENT_HEADER_BYTES) {
            return Err(StatementError::form("its header is longer than one with certificates"));
        }
        let first = signatures.first();
        let kind = first.kind(None).map_err(Error::from)?;
        if !matches!(kind, Kind::Revocation | Kind::Rotation) {
            let wrong = KindError::Wrong { expected: Kind::Revocation, found: kind };
            return Err(Error::from(wrong).into());
        }
        // It is not signed, so that anybody could make another envelope of what is the same statement.
        if has_unsigned(&envelope)? {
            return Err(StatementError::form("it has something in an unprotected header"));
        }
        let header = first.header();
        Kind::require_own_header(&header.map()).map_err(StatementError::form)?;
        let claims = header.claims;
        let issued_at = claims.issued_at.ok_or(StatementError::form("it does not say when"))?;
        let begins = claims.not_before.map_or(issued_at, |start| start.max(issued_at));
        let payload = first.sign1().unverified_payload();
        let payload = payload.ok_or_else(|| Error::from(FormError::DetachedPayload))?;
        if claims.expires.is_some_and(|end| end <= begins) {
            return Err(StatementError::form("it ends before it begins"));
        }
        let signers: Option<Vec<_>> = signatures.iter().map(|one| key_id(one)).collect();
        let signers = signers.ok_or(StatementError::form("a signature names no key"))?;
        let (said, signer, needs_end) = match kind {
            Kind::Rotation => {
                let rotation = RotationStatement::decode(payload)?;
                let (from, to) = (rotation.from().id(), rotation.to().id());
                if signers != [from, to] && signers != [to, from] {
                    return Err(StatementError::Signers);
                }
                (Said::Rotation(Box::new(rotation)), from, true)
            }
            _ => {
                let list = RevocationStatement::decode(payload)?;
                let signer = signers.first().copied();
                let signer = signer.ok_or(StatementError::form("a signature names no key"))?;
                let needs_end = !list.is_only(signer);
                (Said::Revocation(list), signer, needs_end)
            }
        };
        if needs_end && claims.expires.is_none() {
            return Err(StatementError::NoEnd);
        }
        let (certificates, expires) = (first.certificates(), claims.expires);
        Ok(Self { said, signer, certificates, expires, begins, envelope })
    }

    /// Returns what it says.
    #[must_use]
    pub const fn said(&self) -> &Said {
        &self.said
    }

    /// Returns the id of the key that signed it; of a rotation, of the old one.
    #[must_use]
    pub const fn signer(&self) -> KeyId {
        self.signer
    }

    /// Returns the first moment at which it is valid no more, without the leeway of clocks.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Returns whether it is a key's word about itself, and about no other.
    #[must_use]
    pub fn is_about_itself(&self) -> bool {
        matches!(&self.said, Said::Revocation(list) if list.is_only(self.signer))
    }

    /// Returns the envelope.
    #[must_use]
    pub fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    pub(super) const fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Verifies that all of these keys signed it, as of the moment from which on it is valid: of what was judged by the clock when it
    /// was taken, or is one's own.
    ///
    /// # Errors
    ///
    /// Those of verifying its envelope.
    pub fn verify_again<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k VerifyingKey>,
    ) -> Result<(), StatementError> {
        self.verify(keys, self.begins)
    }

    /// Verifies that all of these keys signed it.
    pub(super) fn verify<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k VerifyingKey>,
        now: Timestamp,
    ) -> Result<(), StatementError> {
        let kind = match self.said {
            Said::Revocation(_) => Kind::Revocation,
            Said::Rotation(_) => Kind::Rotation,
        };
        let named = keys.into_iter().map(|key| Signer::new(key.id().to_string(), key.clone()));
        let named: Vec<_> = named.collect();
        let expectations = Expectations::new().kind(kind);
        let expectations =
            named.iter().fold(expectations, |asked, signer| asked.signer(signer.name()));
        let opening = open(self.envelope.as_slice())?;
        let _verified = opening.verify(&expectations, &KnownSigners::new(named), &now)?;
        Ok(())
    }
}

/// The longest header of a statement, in bytes: one with three certificates.
const MAX_STATEMENT_HEADER_BYTES: usize = 28 * 1024;

/// Returns whether an envelope, which is in its form, has anything in an unprotected header.
fn has_unsigned(envelope: &[u8]) -> Result<bool, Malformed> {
    let mut decoder = Decoder::new(envelope);
    let is_of_several = decoder.tag()? == TAG_SIGN;
    decoder.array_of(4)?;
    decoder.bytes()?;
    if decoder.map()? > 0 {
        return Ok(true);
    }
    if is_of_several {
        decoder.bytes_or_nil()?;
        for _ in 0..decoder.array()? {
            decoder.array_of(3)?;
            decoder.bytes()?;
            if decoder.map()? > 0 {
                return Ok(true);
            }
            decoder.bytes()?;
        }
    }
    Ok(false)
}

/// Returns the id of the key that a signature names.
fn key_id(signature: &UnverifiedEnvelope<'_>) -> Option<KeyId> {
    let id = signature.header().key_id?;
    id.try_into().ok().map(KeyId::from_bytes)
}
