//! A protected header that owns itself.

use crate::cbor::Decoder;
use crate::claims::Claims;
use crate::cose::{Algorithm, ContentType, HeaderMap, label};
use crate::hash::HashAlgorithm;
use crate::kind::Kind;
use crate::sequence::Sequence;

/// The protected header of an envelope that has verified.
///
/// It was parsed strictly before, so what it holds is read again without errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedHeader {
    bytes: Vec<u8>,
}

impl SignedHeader {
    pub(crate) fn new(parsed: &[u8]) -> Self {
        Self { bytes: parsed.to_vec() }
    }

    /// Takes another header, in the same memory.
    pub(crate) fn replace(&mut self, parsed: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(parsed);
    }

    /// Returns the header as received, without the head of its byte string.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the whole map.
    #[must_use]
    pub fn map(&self) -> HeaderMap<'_> {
        HeaderMap::of_parsed(&self.bytes)
    }

    /// Returns the value with an integer label.
    #[must_use]
    pub fn get(&self, label: i64) -> Option<&[u8]> {
        self.map().get(label)
    }

    /// Returns `alg` (1).
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        let id = self.get(label::ALG).and_then(|value| Decoder::new(value).int().ok());
        id.and_then(Algorithm::from_id).unwrap_or_default()
    }

    /// Returns whether it is the body of an envelope of several signers, which alone names no algorithm.
    #[must_use]
    pub fn is_of_several(&self) -> bool {
        self.get(label::ALG).is_none()
    }

    /// Returns the claims set (15); an empty one if there is none.
    #[must_use]
    pub fn claims(&self) -> Claims<'_> {
        self.get(label::CWT_CLAIMS).and_then(|map| Claims::decode(map).ok()).unwrap_or_default()
    }

    /// Returns the content type of the payload (3), or of the content that the payload is the digest of (259).
    #[must_use]
    pub fn content_type(&self) -> Option<ContentType<'_>> {
        let value =
            self.get(label::CONTENT_TYPE).or_else(|| self.get(label::PREIMAGE_CONTENT_TYPE));
        value.and_then(|value| ContentType::decode(value).ok())
    }

    /// Returns `payload-hash-alg` (258).
    #[must_use]
    pub fn hash(&self) -> Option<HashAlgorithm> {
        let id = self.get(label::PAYLOAD_HASH_ALG).and_then(|value| Decoder::new(value).int().ok());
        id.and_then(HashAlgorithm::from_id)
    }

    /// Returns which record of a channel the envelope is (−70004). Under a type that is not brine's, that number is
    /// somebody else's, and there is none.
    #[must_use]
    pub fn sequence(&self) -> Option<Sequence> {
        let value = self.get(label::SEQUENCE)?;
        let kind = Kind::stated_by(self.typ());
        if kind == Some(Kind::Data) { Sequence::decode(value).ok() } else { None }
    }

    /// Returns `typ` (16).
    #[must_use]
    pub fn typ(&self) -> Option<ContentType<'_>> {
        self.get(label::TYP).and_then(|value| ContentType::decode(value).ok())
    }
}
