//! The DER of a private key that is not encrypted.

use brine_core::SigningKey;
use pkcs8::der::asn1::{AnyRef, BitStringRef, ContextSpecific, OctetStringRef, SequenceRef};
use pkcs8::der::{Decode, Error, ErrorKind, Reader, Tag, TagMode, TagNumber};
use pkcs8::spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use super::{PRIVATE, malformed, point, require_ed25519};
use crate::KeyFileError;

/// A private key (RFC 5958, Section 2; RFC 8410, Section 7).
///
/// ```text
/// OneAsymmetricKey ::= SEQUENCE {
///   version INTEGER { v1(0), v2(1) }, privateKeyAlgorithm AlgorithmIdentifier,
///   privateKey OCTET STRING,   -- contains CurvePrivateKey ::= OCTET STRING (SIZE (32))
///   attributes [0] Attributes OPTIONAL, publicKey [1] BIT STRING OPTIONAL }
/// ```
///
/// Programs differ in the public half, and all of them mean the same: ring before 0.17 tags it explicitly, and
/// others leave it out of version 2 or put it into version 1. A public half that is there must belong to the private
/// one.
pub(super) struct OneAsymmetricKey<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    private_key: &'a OctetStringRef,
    public_key: Option<BitStringRef<'a>>,
}

impl<'a> OneAsymmetricKey<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, KeyFileError> {
        let parsed = AnyRef::from_der(der).and_then(|key| key.sequence(Self::fields));
        let (version, key) = parsed.map_err(|error| malformed(PRIVATE, error))?;
        match version {
            0 | 1 => Ok(key),
            _ => Err(malformed(PRIVATE, "the version is neither 1 nor 2")),
        }
    }

    fn fields<R: Reader<'a>>(reader: &mut R) -> Result<(u8, Self), Error> {
        let version = u8::decode(reader)?;
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        let private_key = <&OctetStringRef>::decode(reader)?;
        let _ = reader.context_specific::<&SequenceRef>(ATTRIBUTES, TagMode::Implicit)?;
        let is_explicit = !reader.is_finished() && Tag::peek(reader)?.is_constructed();
        let mode = if is_explicit { TagMode::Explicit } else { TagMode::Implicit };
        let public_key = reader.context_specific(PUBLIC_KEY, mode)?;
        // A later version of the form may have more fields, but none of these twice.
        while !reader.is_finished() {
            let field = ContextSpecific::<AnyRef<'_>>::decode(reader)?;
            if field.tag_number <= PUBLIC_KEY {
                return Err(reader.error(ErrorKind::TagNumberInvalid));
            }
        }
        Ok((version, Self { algorithm, private_key, public_key }))
    }

    pub(super) fn read(&self) -> Result<SigningKey, KeyFileError> {
        require_ed25519(&self.algorithm, PRIVATE)?;
        let seed: &[u8; 32] = match self.private_key.as_bytes() {
            [0x04, 0x20, seed @ ..] => seed.try_into().ok(),
            _ => None,
        }
        .ok_or_else(|| malformed(PRIVATE, "the private key is not 32 bytes long"))?;
        let key = SigningKey::from_seed(&Zeroizing::new(*seed));
        if let Some(public) = &self.public_key
            && point(public, PRIVATE)? != &key.verifying_key().to_bytes()
        {
            return Err(KeyFileError::Mismatch);
        }
        Ok(key)
    }
}

const ATTRIBUTES: TagNumber = TagNumber(0);
const PUBLIC_KEY: TagNumber = TagNumber(1);
