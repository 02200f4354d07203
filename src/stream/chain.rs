//! What ties the segments of a stream together.

use sha2::{Digest as _, Sha256};

use crate::cose::{Algorithm, Label, Position, Sign1, label};
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::key::VerifyingKey;
use crate::kind::Kind;

/// What segment 0 lays down for all that follow.
///
/// Every field closes one way of putting a stream together from parts that were signed: `stream_id`
/// and `opening` parts of other streams, the index parts of this one in another order or with gaps,
/// `key`, `algorithm` and `hash` parts by somebody else or in another form.
#[derive(Debug)]
pub(super) struct Chain {
    key: VerifyingKey,
    key_id: Option<Vec<u8>>,
    algorithm: Algorithm,
    hash: HashAlgorithm,
    stream_id: [u8; 16],
    /// The SHA-256 of the protected header of segment 0.
    opening: [u8; 32],
    external_aad: Vec<u8>,
}

impl Chain {
    /// Begins with segment 0, whose signature `key` has verified.
    pub(super) fn begin(sign1: &Sign1<'_>, key: VerifyingKey, aad: &[u8]) -> Result<Self> {
        let header = sign1.header();
        let position = position(sign1)?;
        if position.index != 0 {
            return Err(Error::SegmentForm { what: "it is not the first of its stream" });
        }
        Ok(Self {
            key,
            key_id: header.key_id.map(<[u8]>::to_vec),
            algorithm: header.algorithm,
            hash: hash(sign1)?,
            stream_id: position.stream_id,
            opening: Sha256::digest(sign1.protected_bytes()).into(),
            external_aad: aad.to_vec(),
        })
    }

    /// Holds the header of the segment at `index` to the chain. Returns whether it is the last.
    pub(super) fn judge(&self, sign1: &Sign1<'_>, index: u64) -> Result<bool> {
        let header = sign1.header();
        let position = position(sign1)?;
        let refuse = |what| Err(Error::SegmentForm { what });
        if header.content_type.is_some() {
            // RFC 9995, Section 3: that of the content is `preimage content type`.
            return refuse("it has a content type beside its digest");
        }
        if header.map().iter().any(|(label, _)| !is_of_segments(&label)) {
            return refuse("it has a header parameter that segments do not have");
        }
        if !CRITICAL.iter().all(|label| header.map().crit_lists(*label)) {
            return refuse("its crit does not list all that makes it a segment");
        }
        if header.key_id.is_none() {
            return refuse("it does not name its key");
        }
        if position.stream_id != self.stream_id {
            return refuse("it belongs to another stream");
        }
        if position.index != index {
            return refuse("it is not the next of its stream");
        }
        if index == 0 {
            return Ok(position.last);
        }
        if position.first != Some(self.opening) {
            return refuse("it follows another first segment");
        }
        if header.algorithm != self.algorithm || hash(sign1)? != self.hash {
            return refuse("its algorithms are not those of the first");
        }
        if header.key_id != self.key_id.as_deref() {
            return refuse("its key is not that of the first");
        }
        let has_claims = header.map().get(label::CWT_CLAIMS).is_some();
        if has_claims || header.preimage_content_type.is_some() {
            return refuse("it has claims, which only the first may have");
        }
        Ok(position.last)
    }

    /// Checks signature and digest.
    pub(super) fn check(&self, sign1: &Sign1<'_>, content: &[u8]) -> Result<()> {
        let digest = sign1.unverified_payload().ok_or(Error::DetachedPayload)?;
        let signed = sign1.to_be_signed(&self.external_aad, digest);
        if !self.key.verify(&signed.parts(), sign1.signature()) {
            return Err(Error::BadSignature);
        }
        self.check_digest(sign1, content)
    }

    /// Checks the digest of a segment whose signature holds.
    pub(super) fn check_digest(&self, sign1: &Sign1<'_>, content: &[u8]) -> Result<()> {
        if sign1.unverified_payload() == Some(self.hash.digest(content).as_ref()) {
            Ok(())
        } else {
            Err(Error::DigestMismatch)
        }
    }
}

/// The headers of segments are closed: what else one said, nobody here would act on.
fn is_of_segments(label: &Label<'_>) -> bool {
    let others =
        [label::ALG, label::CRIT, label::KID, label::CWT_CLAIMS, label::PREIMAGE_CONTENT_TYPE];
    matches!(label, Label::Int(number) if CRITICAL.contains(number) || others.contains(number))
}

/// What other COSE software must know, or refuse a segment.
const CRITICAL: [i64; 3] = [label::TYP, label::PAYLOAD_HASH_ALG, label::POSITION];

fn position(sign1: &Sign1<'_>) -> Result<Position> {
    match sign1.kind(None)? {
        Kind::Segment => {}
        found => return Err(Error::WrongKind { expected: Kind::Segment, found }),
    }
    sign1.header().position.ok_or(Error::SegmentForm { what: "it does not say where it belongs" })
}

fn hash(sign1: &Sign1<'_>) -> Result<HashAlgorithm> {
    match sign1.header().hash {
        Some(hash @ (HashAlgorithm::Blake3 | HashAlgorithm::Sha256)) => Ok(hash),
        Some(_) | None => Err(Error::SegmentForm { what: "its hash is not one for streams" }),
    }
}
