//! Builds an envelope.

mod job;

use std::io::{self, Write};

use crate::cbor::Encoder;
use crate::claims::{Audience, Claims, Timestamp};
use crate::cose::{
    Algorithm, ContentType, Position, SIGNATURE_BYTES, Sequence, TAG_SIGN1, ToBeSigned, label,
};
use crate::hash::{Digest, HashAlgorithm, ReadAt, each_piece};
use crate::key::{KeyId, SigningKey};
use crate::kind::Kind;

pub use self::job::{sign_job, sign_large_job};

/// How many random bytes name a signature in its `cti` claim.
pub const CTI_BYTES: usize = 16;

/// What is signed besides the payload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Template<'a> {
    /// The number written as `alg`. An envelope that is signed alone has
    /// [`EdDsa`](Algorithm::EdDsa) where this says [`Batch`](Algorithm::Batch).
    pub algorithm: Algorithm,
    /// The content type of the payload.
    pub content_type: Option<ContentType<'a>>,
    /// Data that is signed and kept elsewhere (RFC 9052, Section 4.3).
    pub external_aad: &'a [u8],
    /// Which record of the signer's channel it is. Only data envelopes say so: digests and segments
    /// leave it out.
    pub sequence: Option<Sequence>,
    /// Type and claims.
    pub statement: Statement<'a>,
}

/// What an envelope says about itself.
#[derive(Clone, Copy, Debug, Default)]
pub enum Statement<'a> {
    /// A data envelope with claims.
    Full {
        /// What the signature is for.
        context: Option<&'a str>,
        /// A random name of this signature.
        cti: [u8; CTI_BYTES],
        /// When it stops being valid.
        expires: Option<Timestamp>,
        /// When it is made.
        issued_at: Timestamp,
        /// When it starts being valid.
        not_before: Option<Timestamp>,
    },
    /// Nothing: the same key and payload give the same envelope each time.
    #[default]
    Plain,
}

/// Signs `payload` and embeds it.
///
/// The payload must be memory that nothing else writes to: Ed25519 reads it twice, and two readings
/// that differ can give the secret key away. A memory map of a file is no such memory.
///
/// ```
/// use brine::{sign, verify, Request, Sign1, Signer, SigningKey, Template, Timestamp, Trust};
///
/// let key = SigningKey::generate()?;
/// let envelope = sign(&key, b"hello", &Template::default()).to_bytes();
///
/// let trust = Trust::new(vec![Signer::new("alice", key.verifying_key().clone())]);
/// let request = Request::at(Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap());
/// let sign1 = Sign1::parse(&envelope, Default::default())?;
/// let verified = verify(&sign1, &request, &trust)?;
/// assert_eq!(verified.payload(), b"hello");
/// # Ok::<(), brine::Error>(())
/// ```
#[must_use]
pub fn sign<'p>(key: &SigningKey, payload: &'p [u8], template: &Template<'_>) -> Envelope<'p> {
    Envelope { payload: Some(payload), ..sign_detached(key, payload, template) }
}

/// Signs `payload` and leaves it out: the envelope has nil in its place.
///
/// What [`sign`] says about the payload's memory holds here too.
#[must_use]
pub fn sign_detached(
    key: &SigningKey,
    payload: &[u8],
    template: &Template<'_>,
) -> Envelope<'static> {
    let protected = protected_header(key.verifying_key().id(), template);
    let signed = ToBeSigned::new(&protected, template.external_aad, payload);
    let signature = key.sign(&signed.parts());
    Envelope { protected, payload: None, signature }
}

/// Signs the digest of something that is kept elsewhere: a hash envelope (RFC 9995).
#[must_use]
pub fn sign_digest<'p>(
    key: &SigningKey,
    algorithm: HashAlgorithm,
    digest: &'p Digest,
    template: &Template<'_>,
) -> Envelope<'p> {
    let protected = digest_header(key.verifying_key().id(), template, algorithm);
    let signed = ToBeSigned::new(&protected, template.external_aad, digest.as_ref());
    let signature = key.sign(&signed.parts());
    Envelope { protected, payload: Some(digest.as_ref()), signature }
}

/// Signs the first `payload_bytes` of something that is too large for memory.
///
/// They are read twice, and **must** be a copy that nobody else can write to, as [`sign`] says. A file
/// that has a name is no such copy.
///
/// # Errors
///
/// What `payload` reports, and [`io::ErrorKind::UnexpectedEof`] if it has fewer bytes.
pub fn sign_large(
    key: &SigningKey,
    payload: &(impl ReadAt + ?Sized),
    payload_bytes: u64,
    template: &Template<'_>,
) -> io::Result<LargeSigned> {
    let protected = protected_header(key.verifying_key().id(), template);
    sign_large_under(key, protected, payload, payload_bytes, template.external_aad)
}

fn sign_large_under(
    key: &SigningKey,
    protected: Vec<u8>,
    payload: &(impl ReadAt + ?Sized),
    payload_bytes: u64,
    external_aad: &[u8],
) -> io::Result<LargeSigned> {
    let before = ToBeSigned::before(&protected, external_aad, payload_bytes);
    let signature = key.sign_pieces(|give| {
        before.parts().into_iter().for_each(&mut *give);
        each_piece(payload, 0, payload_bytes, give)
    })?;
    Ok(LargeSigned { protected, payload_bytes, signature })
}

/// What stands around a payload that was signed by [`sign_large`].
#[derive(Clone, Debug)]
pub struct LargeSigned {
    protected: Vec<u8>,
    payload_bytes: u64,
    signature: [u8; SIGNATURE_BYTES],
}

impl LargeSigned {
    /// Returns everything before the bytes of the payload.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mut head = front(&self.protected);
        head.long_bytes_head(self.payload_bytes);
        head.into_bytes()
    }

    /// Returns the envelope without its payload.
    #[must_use]
    pub fn detached(&self) -> Vec<u8> {
        let mut envelope = front(&self.protected);
        envelope.nil();
        let mut envelope = envelope.into_bytes();
        envelope.extend(self.tail());
        envelope
    }

    /// Returns everything after them.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        tail(&self.signature)
    }
}

/// A signed envelope, ready to be written. It borrows the payload instead of copying it.
#[derive(Clone, Debug)]
pub struct Envelope<'p> {
    protected: Vec<u8>,
    payload: Option<&'p [u8]>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Envelope<'_> {
    /// Returns the whole envelope in memory of its own.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.head(), self.payload.unwrap_or_default(), &self.tail()].concat()
    }

    /// Writes the envelope, without a copy of the payload.
    ///
    /// # Errors
    ///
    /// What `output` reports.
    pub fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        output.write_all(&self.head())?;
        output.write_all(self.payload.unwrap_or_default())?;
        output.write_all(&self.tail())
    }

    /// Everything before the bytes of the payload.
    fn head(&self) -> Vec<u8> {
        let mut head = front(&self.protected);
        match self.payload {
            Some(payload) => head.bytes_head(payload.len()),
            None => head.nil(),
        };
        head.into_bytes()
    }

    /// Everything after them.
    fn tail(&self) -> Vec<u8> {
        tail(&self.signature)
    }
}

/// Begins an envelope, up to its payload.
fn front(protected: &[u8]) -> Encoder {
    let mut front = Encoder::new();
    front.tag(TAG_SIGN1).array(4).bytes(protected).map(0);
    front
}

fn tail(signature: &[u8; SIGNATURE_BYTES]) -> Vec<u8> {
    let mut tail = Encoder::new();
    tail.bytes(signature);
    tail.into_bytes()
}

/// Encodes the protected header of a hash envelope.
fn digest_header(key_id: KeyId, template: &Template<'_>, hash: HashAlgorithm) -> Vec<u8> {
    let full = matches!(template.statement, Statement::Full { .. });
    let mut header = Encoder::new();
    header.map(5 + u64::from(full) + u64::from(template.content_type.is_some()));
    header.int(label::ALG).int(template.algorithm.alone().id());
    header.int(label::CRIT).array(2).int(label::TYP).int(label::PAYLOAD_HASH_ALG);
    header.int(label::KID).bytes(key_id.as_bytes());
    encode_claims(&mut header, &template.statement);
    header.int(label::TYP).text(Kind::Digest.typ().unwrap_or_default());
    header.int(label::PAYLOAD_HASH_ALG).int(hash.id());
    encode_content_type(&mut header, label::PREIMAGE_CONTENT_TYPE, template.content_type);
    header.into_bytes()
}

/// Encodes the protected header of segment 0, which says what the stream is.
pub(crate) fn first_header(
    key_id: KeyId,
    template: &Template<'_>,
    hash: HashAlgorithm,
    position: &Position,
) -> Vec<u8> {
    segment_header(key_id, template.algorithm, hash, position, Some(template))
}

/// Encodes the protected header of a later segment, which says only where it belongs.
pub(crate) fn later_header(
    key_id: KeyId,
    algorithm: Algorithm,
    hash: HashAlgorithm,
    position: &Position,
) -> Vec<u8> {
    segment_header(key_id, algorithm, hash, position, None)
}

fn segment_header(
    key_id: KeyId,
    algorithm: Algorithm,
    hash: HashAlgorithm,
    position: &Position,
    opening: Option<&Template<'_>>,
) -> Vec<u8> {
    let content_type = opening.and_then(|template| template.content_type);
    let statement = opening.map_or(Statement::Plain, |template| template.statement);
    let full = matches!(statement, Statement::Full { .. });
    let mut header = Encoder::new();
    header.map(6 + u64::from(full) + u64::from(content_type.is_some()));
    header.int(label::ALG).int(algorithm.alone().id());
    header.int(label::CRIT).array(3);
    header.int(label::TYP).int(label::PAYLOAD_HASH_ALG).int(label::POSITION);
    header.int(label::KID).bytes(key_id.as_bytes());
    encode_claims(&mut header, &statement);
    header.int(label::TYP).text(Kind::Segment.typ().unwrap_or_default());
    header.int(label::PAYLOAD_HASH_ALG).int(hash.id());
    encode_content_type(&mut header, label::PREIMAGE_CONTENT_TYPE, content_type);
    header.int(label::POSITION);
    position.encode(&mut header);
    header.into_bytes()
}

/// Encodes the protected header, sorted by label (RFC 8949, Section 4.2.1).
fn protected_header(key_id: KeyId, template: &Template<'_>) -> Vec<u8> {
    let mut header = Encoder::new();
    let algorithm = template.algorithm.alone();
    encode_header(&mut header, key_id, &Template { algorithm, ..*template });
    header.into_bytes()
}

/// Writes the protected header of a record, signed alone or in a batch.
pub(crate) fn encode_header(header: &mut Encoder, key_id: KeyId, template: &Template<'_>) {
    let pairs = 2 + u64::from(template.content_type.is_some());
    let full = matches!(template.statement, Statement::Full { .. });
    let pairs = if full { pairs + 2 } else { pairs };
    header.map(pairs + u64::from(template.sequence.is_some()));
    header.int(label::ALG).int(template.algorithm.id());
    encode_content_type(header, label::CONTENT_TYPE, template.content_type);
    header.int(label::KID).bytes(key_id.as_bytes());
    encode_claims(header, &template.statement);
    if full {
        header.int(label::TYP).text(Kind::Data.typ().unwrap_or_default());
    }
    if let Some(sequence) = &template.sequence {
        header.int(label::SEQUENCE);
        sequence.encode(header);
    }
}

fn encode_content_type(header: &mut Encoder, label: i64, content_type: Option<ContentType<'_>>) {
    match content_type {
        None => return,
        Some(ContentType::Format(format)) => header.int(label).int(i64::from(format)),
        Some(ContentType::Media(media)) => header.int(label).text(media),
    };
}

fn encode_claims(header: &mut Encoder, statement: &Statement<'_>) {
    let Statement::Full { context, cti, expires, issued_at, not_before } = statement else {
        return;
    };
    let claims = Claims {
        audience: context.map(Audience::One),
        cti: Some(cti),
        expires: *expires,
        issued_at: Some(*issued_at),
        not_before: *not_before,
        ..Claims::default()
    };
    header.int(label::CWT_CLAIMS);
    claims.encode(header);
}
