//! What ties the segments of a stream together.

use sha2::{Digest as _, Sha256};

use crate::cose::{Algorithm, Label, Position, Sign1, Signature, label};
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
    key_id: Vec<u8>,
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
        let form = Form::of_first(sign1)?;
        Ok(Self {
            key,
            key_id: form.key_id.to_vec(),
            algorithm: sign1.header().algorithm,
            hash: form.hash,
            stream_id: form.position.stream_id,
            opening: Sha256::digest(sign1.protected_bytes()).into(),
            external_aad: aad.to_vec(),
        })
    }

    /// Holds the header of the segment at `index` to the chain. Returns whether it is the last.
    pub(super) fn judge(&self, sign1: &Sign1<'_>, index: u64) -> Result<bool> {
        let Form { position, hash, key_id } = Form::of(sign1)?;
        let refuse = |what| Err(Error::SegmentForm { what });
        if position.stream_id != self.stream_id {
            return refuse("it belongs to another stream");
        }
        if position.index != index {
            return refuse("it is not the next of its stream");
        }
        if index == 0 {
            return Ok(position.last);
        }
        let header = sign1.header();
        if position.first != Some(self.opening) {
            return refuse("it follows another first segment");
        }
        if header.algorithm != self.algorithm || hash != self.hash {
            return refuse("its algorithms are not those of the first");
        }
        if key_id != self.key_id {
            return refuse("its key is not that of the first");
        }
        if header.map().get(label::CWT_CLAIMS).is_some() {
            return refuse("it has claims, which only the first may have");
        }
        if header.preimage_content_type.is_some() {
            return refuse("it has a content type, which only the first may have");
        }
        Ok(position.last)
    }

    /// Checks signature and digest.
    pub(super) fn check(&self, sign1: &Sign1<'_>, content: &[u8]) -> Result<()> {
        let digest = sign1.unverified_payload().ok_or(Error::DetachedPayload)?;
        let signed = sign1.to_be_signed(&self.external_aad, digest);
        // One of a batch does not come as far as this: its kind is refused.
        let Signature::Plain(signature) = sign1.signature() else {
            return Err(Error::SegmentForm { what: "it is signed in a batch" });
        };
        if !self.key.verify(&signed.parts(), signature) {
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

/// What the header of every segment says, wherever it stands.
pub(super) struct Form<'a> {
    position: Position,
    hash: HashAlgorithm,
    key_id: &'a [u8],
}

impl<'a> Form<'a> {
    /// Holds a header to the CDDL of segments, which is closed: what else one said, nobody here would
    /// act on.
    fn of(sign1: &Sign1<'a>) -> Result<Self> {
        let refuse = |what| Error::SegmentForm { what };
        let header = sign1.header();
        if header.algorithm == Algorithm::Batch {
            return Err(refuse("its algorithm is not one for streams"));
        }
        match sign1.kind(None)? {
            Kind::Segment => {}
            found => return Err(Error::WrongKind { expected: Kind::Segment, found }),
        }
        let position = header.position.ok_or(refuse("it does not say where it belongs"))?;
        if header.content_type.is_some() {
            // RFC 9995, Section 3: that of the content is `preimage content type`.
            return Err(refuse("it has a content type beside its digest"));
        }
        let foreign = |(label, _)| !matches!(label, Label::Int(number) if LABELS.contains(&number));
        if header.map().iter().any(foreign) {
            return Err(refuse("it has a header parameter that segments do not have"));
        }
        if !header.map().crit_is(&CRITICAL) {
            return Err(refuse("its crit does not list what makes it a segment, and nothing else"));
        }
        let key_id = header.key_id.ok_or(refuse("it does not name its key"))?;
        let Some(hash @ (HashAlgorithm::Blake3 | HashAlgorithm::Sha256)) = header.hash else {
            return Err(refuse("its hash is not one for streams"));
        };
        Ok(Self { position, hash, key_id })
    }

    /// Does the same for the one that begins a stream.
    pub(super) fn of_first(sign1: &Sign1<'a>) -> Result<Self> {
        let form = Self::of(sign1)?;
        if form.position.index == 0 {
            Ok(form)
        } else {
            Err(Error::SegmentForm { what: "it is not the first of its stream" })
        }
    }
}

const LABELS: [i64; 8] = [
    label::ALG,
    label::CRIT,
    label::KID,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::POSITION,
];

/// What other COSE software must know, or refuse a segment.
const CRITICAL: [i64; 3] = [label::TYP, label::PAYLOAD_HASH_ALG, label::POSITION];
