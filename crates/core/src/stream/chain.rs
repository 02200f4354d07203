//! What ties the segments of a stream together.

use sha2::{Digest as _, Sha256};

use crate::batch::Signature;
use crate::cose::{Algorithm, FormError, Label, ToBeSigned, label};
use crate::error::{Error, KindError, Result, SignatureError, StreamError};
use crate::hash::HashAlgorithm;
use crate::key::VerifyingKey;
use crate::kind::Kind;
use crate::position::{Position, STREAM_ID_BYTES};
use crate::unverified::UnverifiedEnvelope;

/// What segment 0 lays down for all that follow.
///
/// Each field prevents one way of splicing a stream from signed parts: `stream_id` and `opening` parts of
/// other streams, the index parts of this one in another order or with gaps, `key`, `algorithm` and `hash`
/// parts by another signer or in another form.
#[derive(Debug)]
pub(super) struct Chain {
    key: VerifyingKey,
    key_id: Vec<u8>,
    algorithm: Algorithm,
    hash: HashAlgorithm,
    stream_id: [u8; STREAM_ID_BYTES],
    /// The SHA-256 of the protected header of segment 0.
    opening: [u8; 32],
    external_aad: Vec<u8>,
}

/// What a segment's envelope says, once it is known to be in its place. Its signature is still to be verified.
#[derive(Debug)]
pub(super) struct Link {
    protected: Vec<u8>,
    digest: Vec<u8>,
    signature: Vec<u8>,
    pub(super) last: bool,
}

impl Chain {
    /// Begins with segment 0, whose signature `key` has verified.
    pub(super) fn begin(
        envelope: &UnverifiedEnvelope<'_>,
        key: VerifyingKey,
        external_aad: &[u8],
    ) -> Result<Self> {
        let form = SegmentForm::of_first(envelope)?;
        Ok(Self {
            key,
            key_id: form.key_id.to_vec(),
            algorithm: envelope.header().algorithm,
            hash: form.hash,
            stream_id: form.position.stream_id,
            opening: Sha256::digest(envelope.sign1().protected_bytes()).into(),
            external_aad: external_aad.to_vec(),
        })
    }

    /// Holds the header of the segment at `index` to the chain.
    pub(super) fn judge(&self, envelope: &UnverifiedEnvelope<'_>, index: u64) -> Result<Link> {
        let form = SegmentForm::of(envelope)?;
        if form.position.stream_id != self.stream_id {
            return Err(refuse("it belongs to another stream"));
        }
        if form.position.index != index {
            return Err(refuse("it is not the next of its stream"));
        }
        if index > 0 {
            self.judge_later(envelope, &form)?;
        }
        let digest = envelope.sign1().unverified_payload().ok_or(FormError::DetachedPayload)?;
        // A segment of a batch does not come as far as this: its algorithm is refused.
        let Signature::Plain(signature) = envelope.signature() else {
            return Err(refuse("it is signed in a batch"));
        };
        Ok(Link {
            protected: envelope.sign1().protected_bytes().to_vec(),
            digest: digest.to_vec(),
            signature: signature.to_vec(),
            last: form.position.last,
        })
    }

    fn judge_later(&self, envelope: &UnverifiedEnvelope<'_>, form: &SegmentForm<'_>) -> Result<()> {
        let header = envelope.header();
        if form.position.first != Some(self.opening) {
            return Err(refuse("it follows another first segment"));
        }
        if header.algorithm != self.algorithm || form.hash != self.hash {
            return Err(refuse("its algorithms are not those of the first"));
        }
        if form.key_id != self.key_id {
            return Err(refuse("its key is not that of the first"));
        }
        if header.get(label::CWT_CLAIMS).is_some() {
            return Err(refuse("it has claims, which only the first may have"));
        }
        if header.get(label::CERTIFICATES).is_some() {
            return Err(refuse("it has certificates, which only the first may have"));
        }
        if header.preimage_content_type.is_some() {
            return Err(refuse("it has a content type, which only the first may have"));
        }
        Ok(())
    }

    /// Verifies signature and digest.
    pub(super) fn verify(&self, link: &Link, content: &[u8]) -> Result<()> {
        let signed = ToBeSigned::new(&link.protected, &self.external_aad, &link.digest);
        if !self.key.verify(&signed.parts(), &link.signature) {
            return Err(SignatureError::Bad.into());
        }
        self.verify_digest(link, content)
    }

    /// Verifies the digest of a segment whose signature holds.
    pub(super) fn verify_digest(&self, link: &Link, content: &[u8]) -> Result<()> {
        if self.hash.digest(content).as_ref() == link.digest {
            Ok(())
        } else {
            Err(SignatureError::DigestMismatch.into())
        }
    }
}

/// What the header of every segment says, wherever it stands.
pub(super) struct SegmentForm<'a> {
    position: Position,
    hash: HashAlgorithm,
    key_id: &'a [u8],
}

impl<'a> SegmentForm<'a> {
    /// Holds a header to the CDDL of segments, which is closed: nobody here would act on anything else.
    fn of(envelope: &UnverifiedEnvelope<'a>) -> Result<Self> {
        let header = envelope.header();
        if header.algorithm == Algorithm::Batch {
            return Err(refuse("its algorithm is not one for streams"));
        }
        match envelope.kind(None)? {
            Kind::Segment => {}
            found => return Err(KindError::Wrong { expected: Kind::Segment, found }.into()),
        }
        let position = header.get(label::POSITION);
        let position = position.ok_or_else(|| refuse("it does not say where it belongs"))?;
        if header.content_type.is_some() {
            // RFC 9995, Section 3: the type of the content is `preimage content type`.
            return Err(refuse("it has a content type beside its digest"));
        }
        let foreign = |(label, _)| !matches!(label, Label::Int(number) if LABELS.contains(&number));
        if header.map().iter().any(foreign) {
            return Err(refuse("it has a header parameter that segments do not have"));
        }
        if !header.map().crit_is(&CRITICAL) {
            return Err(refuse("its crit does not list what makes it a segment, and nothing else"));
        }
        let key_id = header.key_id.ok_or_else(|| refuse("it does not name its key"))?;
        let Some(hash @ (HashAlgorithm::Blake3 | HashAlgorithm::Sha256)) = header.hash else {
            return Err(refuse("its hash is not one for streams"));
        };
        Ok(Self { position: Position::decode(position)?, hash, key_id })
    }

    /// Does the same for the first segment of a stream.
    pub(super) fn of_first(envelope: &UnverifiedEnvelope<'a>) -> Result<Self> {
        let form = Self::of(envelope)?;
        match form.position.index {
            0 => Ok(form),
            _ => Err(refuse("it is not the first of its stream")),
        }
    }
}

fn refuse(what: &'static str) -> Error {
    StreamError::Form { what }.into()
}

const LABELS: [i64; 9] = [
    label::ALG,
    label::CRIT,
    label::KID,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::POSITION,
    label::CERTIFICATES,
];

/// What other COSE software must know, or refuse a segment.
const CRITICAL: [i64; 3] = [label::TYP, label::PAYLOAD_HASH_ALG, label::POSITION];
