//! What a signer says besides the payload.

use std::fmt;

use crate::cbor::Encoder;
use crate::certificates::Certificates;
use crate::claims::{Audience, Claims};
use crate::cose::{Algorithm, ContentType, HeaderWriter, label};
use crate::hash::HashAlgorithm;
use crate::key::{KeyError, KeyId, random};
use crate::kind::Kind;
use crate::position::Position;
use crate::sequence::Sequence;
use crate::time::Timestamp;

/// How many random bytes name a signature in its `cti` claim.
pub const CTI_BYTES: usize = 16;

/// What a signer says besides the payload: the kind of the envelope, its claims, and what else the protected
/// header holds.
///
/// ```
/// use brine_core::{Statement, Timestamp};
///
/// let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
/// let statement = Statement::at(now).context("reports/daily").content_type("application/json");
/// # let _ = statement;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Statement {
    algorithm: Algorithm,
    content_type: Option<String>,
    external_aad: Vec<u8>,
    kind: Kind,
    parameters: Vec<Parameter>,
    said: Option<Said>,
    unique: Option<Unique>,
}

/// The claims of a statement.
#[derive(Clone, Debug)]
struct Said {
    context: Option<String>,
    expires: Option<Timestamp>,
    issued_at: Timestamp,
    not_before: Option<Timestamp>,
}

/// A header parameter that a kind adds.
#[derive(Clone, Debug)]
struct Parameter {
    label: i64,
    /// The value, encoded.
    value: Vec<u8>,
}

/// What tells one signature from all others that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The random name of the signature (RFC 8392, Section 3.1.7).
    pub cti: [u8; CTI_BYTES],
    /// Which record of the signer's channel it is. Only data envelopes have one.
    pub sequence: Option<Sequence>,
}

impl Unique {
    /// Draws a random name.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`].
    pub fn draw() -> Result<Self, KeyError> {
        Ok(Self { cti: random()?, sequence: None })
    }
}

impl Statement {
    /// Says nothing: no type and no claims, so the same key and payload give the same envelope each time.
    /// Verifiers take it only where [`Expectations::untyped`](crate::Expectations::untyped) is asked for.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// Says that the signature is made `now`. Each signature gets a random name of its own.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let said = Said { context: None, expires: None, issued_at: now, not_before: None };
        Self { said: Some(said), ..Self::default() }
    }

    /// Signs under this number of the algorithm. An envelope that is signed alone has
    /// [`EdDsa`](Algorithm::EdDsa) where this says [`Batch`](Algorithm::Batch).
    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// Says what the payload is: a media type, or the number of a CoAP Content-Format.
    #[must_use]
    pub fn content_type(self, content_type: impl Into<String>) -> Self {
        Self { content_type: Some(content_type.into()), ..self }
    }

    /// Says what the signature is for. A plain statement has no place for it and stays as it is, as it does
    /// for [`expires`](Self::expires) and [`not_before`](Self::not_before).
    #[must_use]
    pub fn context(self, context: impl Into<String>) -> Self {
        self.with_claims(|said| said.context = Some(context.into()))
    }

    /// Lets the signature stop being valid at this moment.
    #[must_use]
    pub fn expires(self, at: Timestamp) -> Self {
        self.with_claims(|said| said.expires = Some(at))
    }

    /// Lets the signature be valid only from this moment on.
    #[must_use]
    pub fn not_before(self, at: Timestamp) -> Self {
        self.with_claims(|said| said.not_before = Some(at))
    }

    /// Signs `external_aad` as well, which is kept elsewhere (RFC 9052, Section 4.3).
    #[must_use]
    pub fn external_aad(self, external_aad: impl Into<Vec<u8>>) -> Self {
        Self { external_aad: external_aad.into(), ..self }
    }

    /// Makes envelopes of this kind.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Adds a header parameter of the kind, and lists it in `crit`. `value` **must** be one CBOR item in
    /// deterministic encoding.
    #[must_use]
    pub fn critical_parameter(mut self, label: i64, value: Vec<u8>) -> Self {
        self.parameters.push(Parameter { label, value });
        self
    }

    /// Names the signature instead of drawing a random name. The name **must** be used once.
    #[must_use]
    pub fn unique(self, unique: Unique) -> Self {
        Self { unique: Some(unique), ..self }
    }

    /// Returns whether there are no claims.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.said.is_none()
    }

    pub(crate) const fn stated_kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn aad(&self) -> &[u8] {
        &self.external_aad
    }

    pub(crate) const fn alg(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns what makes the next signature unique: what was set, else a new random name.
    pub(crate) fn next_unique(&self) -> Result<Option<Unique>, KeyError> {
        match (&self.said, self.unique) {
            (None, _) => Ok(None),
            (Some(_), Some(unique)) => Ok(Some(unique)),
            (Some(_), None) => Unique::draw().map(Some),
        }
    }

    fn with_claims(mut self, change: impl FnOnce(&mut Said)) -> Self {
        if let Some(said) = &mut self.said {
            change(said);
        }
        self
    }
}

/// What else stands in a header: what the statement does not say by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderOf<'a> {
    /// Of the body of an envelope of several signers, there is none, and so no algorithm.
    pub(crate) key_id: Option<KeyId>,
    pub(crate) certificates: Option<&'a Certificates>,
    pub(crate) statement: &'a Statement,
    pub(crate) algorithm: Algorithm,
    pub(crate) unique: Option<Unique>,
    pub(crate) role: Role,
}

/// What an envelope carries in the place of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The payload.
    Content,
    /// The digest of content that is elsewhere.
    Digest(HashAlgorithm),
    /// The digest of a segment's content.
    Segment(HashAlgorithm, Position),
}

impl Role {
    pub(crate) const fn kind(self, stated: Kind) -> Kind {
        match self {
            Self::Content => stated,
            Self::Digest(_) => Kind::Digest,
            Self::Segment(..) => Kind::Segment,
        }
    }

    const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Content => None,
            Self::Digest(hash) | Self::Segment(hash, _) => Some(hash),
        }
    }

    /// Returns whether it is a segment that says only where it belongs: what the stream is, the first says.
    const fn is_later_segment(self) -> bool {
        matches!(self, Self::Segment(_, position) if position.index > 0)
    }
}

impl HeaderOf<'_> {
    /// Writes the protected header: the one writer for every kind.
    pub(crate) fn write(&self, writer: &mut HeaderWriter, output: &mut Encoder) {
        let Self { key_id, statement, algorithm, unique, role, .. } = *self;
        let kind = role.kind(statement.kind);
        writer.clear();
        if key_id.is_some() {
            writer.put(label::ALG, |value| value.int(algorithm.id()));
        }
        // Put in this order, the parameters of data need no sorting.
        if !role.is_later_segment() {
            statement.put_content_type(writer, role);
        }
        if let Some(key_id) = key_id {
            writer.put(label::KID, |value| value.bytes(key_id.as_bytes()));
        }
        if !role.is_later_segment() {
            statement.put_claims(writer, unique);
        }
        match kind {
            Kind::Data if statement.is_plain() => {}
            Kind::Data => {
                writer.put(label::TYP, |value| put_typ(value, kind));
            }
            _ => {
                writer.put_critical(label::TYP, |value| put_typ(value, kind));
            }
        }
        if let Some(hash) = role.hash() {
            writer.put_critical(label::PAYLOAD_HASH_ALG, |value| value.int(hash.id()));
        }
        match role {
            Role::Segment(_, position) => {
                writer.put_critical(label::POSITION, |value| position.encode(value));
            }
            Role::Content => {
                let sequence = unique.and_then(|unique| unique.sequence);
                statement.put_parameters(writer, sequence.filter(|_| kind == Kind::Data));
            }
            Role::Digest(_) => {}
        }
        if let Some(certificates) = self.certificates
            && !role.is_later_segment()
            && !(kind == Kind::Data && statement.is_plain())
        {
            writer.put(label::CERTIFICATES, |value| value.raw(certificates.as_bytes()));
        }
        writer.write(output);
    }

    /// Returns the protected header in memory of its own.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut output = Encoder::new();
        self.write(&mut HeaderWriter::default(), &mut output);
        output.into_bytes()
    }
}

impl Statement {
    fn put_content_type(&self, writer: &mut HeaderWriter, role: Role) {
        let Some(text) = &self.content_type else { return };
        // RFC 9995, Section 3: beside a digest, the type is that of what was hashed.
        let label = match role.hash() {
            None => label::CONTENT_TYPE,
            Some(_) => label::PREIMAGE_CONTENT_TYPE,
        };
        let content_type = text.parse().map_or(ContentType::Media(text), ContentType::Format);
        writer.put(label, |value| content_type.encode(value));
    }

    fn put_claims(&self, writer: &mut HeaderWriter, unique: Option<Unique>) {
        let Some(said) = &self.said else { return };
        let claims = Claims {
            audience: said.context.as_deref().map(Audience::One),
            cti: unique.as_ref().map(|unique| unique.cti.as_slice()),
            expires: said.expires,
            issued_at: Some(said.issued_at),
            not_before: said.not_before,
            ..Claims::default()
        };
        writer.put(label::CWT_CLAIMS, |value| claims.encode(value));
    }

    fn put_parameters(&self, writer: &mut HeaderWriter, sequence: Option<Sequence>) {
        if let Some(sequence) = sequence {
            writer.put_critical(label::SEQUENCE, |value| sequence.encode(value));
        }
        for Parameter { label, value } in &self.parameters {
            writer.put_critical(*label, |output| output.raw(value));
        }
    }
}

fn put_typ(value: &mut Encoder, kind: Kind) -> &mut Encoder {
    value.text(kind.typ().unwrap_or_default())
}

impl fmt::Display for Unique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::hex(&self.cti))
    }
}
