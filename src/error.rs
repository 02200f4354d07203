//! Why something was refused, and whose fault that is.

mod class;

use std::io;

use crate::claims::Timestamp;
use crate::cose::Label;
use crate::job::JobError;
use crate::key::{KeyError, KeyId};
use crate::kind::Kind;
use crate::record::FramingError;
use crate::trust::{Refusal, TrustError};

pub use self::class::Class;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation was refused.
///
/// Every variant belongs to one [`Class`], which decides the exit status of the programs, and has a
/// stable short name ([`Error::reason`]), which stands in JSON verdicts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No `alg` in the protected header (RFC 9052, Section 3.1).
    #[error("no algorithm in the protected header")]
    AlgorithmMissing,

    /// An `alg` other than EdDSA (-8), Ed25519 (-19) and that of batches (-70003), or the last one in an
    /// envelope of a kind that is not signed in batches.
    #[error("algorithm {found} is not supported")]
    AlgorithmUnsupported {
        /// The algorithm, as a number or text.
        found: Label<'static>,
    },

    /// The armor around an envelope is not RFC 7468 text.
    #[error("armor is malformed: {0}")]
    Armor(pem_rfc7468::Error),

    /// The payload is embedded where a detached one was expected.
    #[error("payload is embedded in the envelope, not detached")]
    AttachedPayload,

    /// A batch holds as many records, or bytes, as it may.
    #[error("batch is full")]
    BatchFull,

    /// A record that is to be signed with others has neither type nor claims.
    #[error("a record without claims cannot be signed in a batch")]
    BatchPlain,

    /// The signature does not verify with the key that the envelope names.
    #[error("signature does not verify: envelope, payload or external data was altered")]
    BadSignature,

    /// A claim is of the wrong type or outside its range (RFC 8392, Section 3.1).
    #[error("claim {claim} is out of range or of the wrong type")]
    ClaimRange {
        /// The claim's name, as in RFC 8392.
        claim: &'static str,
    },

    /// The system clock says that it is before 1970.
    #[error("the system clock is set before 1970")]
    ClockBefore1970,

    /// The signer is trusted, but not for this context.
    #[error("{signer} is not trusted for {}", .context.as_ref().map_or_else(
        || "signatures without a context".to_owned(), |context| format!("context {context:?}")
    ))]
    ContextNotAllowed {
        /// The signer's name in the trust file.
        signer: String,
        /// The context that was judged; `None` if the signature has none.
        context: Option<String>,
    },

    /// The signature is for another context.
    #[error("signature is for context {found:?}, not {expected:?}")]
    ContextMismatch {
        /// What the verifier asked for.
        expected: String,
        /// What the signature names.
        found: String,
    },

    /// The verifier names a context and the signature has none.
    #[error("signature has no context, {expected:?} is required")]
    ContextMissing {
        /// What the verifier asked for.
        expected: String,
    },

    /// The signature names a context and the verifier none.
    #[error("signature is for context {found:?}, which was not asked for")]
    ContextUnexpected {
        /// What the signature names.
        found: String,
    },

    /// `crit` is empty, repeats a label or lists one that is absent (RFC 9052, Section 3.1).
    #[error("crit is malformed: {what}")]
    CritMalformed {
        /// Which rule was broken.
        what: &'static str,
    },

    /// `crit` lists a header parameter that is not implemented (RFC 9052, Section 3.1).
    #[error("crit lists header parameter {label}, which is not understood")]
    CritUnknown {
        /// The label.
        label: Label<'static>,
    },

    /// The payload is detached and was not supplied.
    #[error("payload is detached: it is not in the envelope")]
    DetachedPayload,

    /// A hash envelope breaks a rule of RFC 9995, Section 3.
    #[error("hash envelope is malformed: {what}")]
    DigestForm {
        /// Which rule.
        what: &'static str,
    },

    /// The content is not what was signed: its digest is another.
    #[error("content does not have the digest that was signed")]
    DigestMismatch,

    /// `exp` has passed (RFC 8392, Section 3.1.4).
    #[error("signature expired at {at}")]
    Expired {
        /// The `exp` claim.
        at: Timestamp,
    },

    /// Records cannot be told apart, or one cannot be framed.
    #[error(transparent)]
    Framing(#[from] FramingError),

    /// A `payload-hash-alg` that is not known (RFC 9995).
    #[error("hash algorithm {found} is not supported")]
    HashUnsupported {
        /// The algorithm, as a number or text.
        found: Label<'static>,
    },

    /// A header map is larger than [`MAX_HEADER_BYTES`](crate::cose::MAX_HEADER_BYTES).
    #[error("header is over {limit} bytes")]
    HeaderTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },

    /// Reading failed.
    #[error("input: {0}")]
    Input(io::Error),

    /// `iat` lies in the future.
    #[error("signature was issued at {at}, which is in the future")]
    IssuedInFuture {
        /// The `iat` claim.
        at: Timestamp,
    },

    /// An age limit was set and the signature has no `iat`.
    #[error("signature has no issue time, and a maximum age is required")]
    IssuedAtMissing,

    /// A job was refused before anything ran.
    #[error(transparent)]
    Job(#[from] JobError),

    /// A key could not be read or used.
    #[error(transparent)]
    Key(#[from] KeyError),

    /// The same label in both buckets (RFC 9052, Section 3).
    #[error("header parameter {label} is in both headers")]
    LabelInBothHeaders {
        /// The label.
        label: Label<'static>,
    },

    /// A header parameter that counts only when it is signed stands in the unprotected header.
    #[error("header parameter {label} is not protected by the signature")]
    LabelUnprotected {
        /// The label.
        label: Label<'static>,
    },

    /// Not well-formed, or not in the strict form that SPEC.md demands.
    #[error(transparent)]
    Malformed(#[from] crate::cbor::Malformed),

    /// No trusted key verifies the signature, and the envelope names none.
    #[error("signature does not verify with any of the {tried} trusted keys")]
    NoKeyVerifies {
        /// How many keys were tried.
        tried: usize,
    },

    /// Not a COSE_Sign1 envelope at all.
    #[error("not an envelope: {found}")]
    NotAnEnvelope {
        /// What it looks like instead.
        found: &'static str,
    },

    /// Nobody is trusted.
    #[error("no key is trusted yet")]
    NoTrustAnchors,

    /// `nbf` has not come yet (RFC 8392, Section 3.1.5).
    #[error("signature is not valid before {at}")]
    NotYetValid {
        /// The `nbf` claim.
        at: Timestamp,
    },

    /// Writing failed.
    #[error("output: {0}")]
    Output(io::Error),

    /// Another COSE message type.
    #[error("this is a {name} (tag {tag}), not a COSE_Sign1")]
    OtherCose {
        /// The CBOR tag.
        tag: u64,
        /// Its name in RFC 9052.
        name: &'static str,
    },

    /// More header parameters than [`MAX_LABELS`](crate::cose::MAX_LABELS).
    #[error("header has {found} parameters, limit is {limit}")]
    TooManyLabels {
        /// How many the map announces.
        found: u64,
        /// The limit.
        limit: u64,
    },

    /// The payload is larger than a single envelope may hold.
    #[error("input is over {limit} bytes, the limit for a single envelope")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },

    /// What stands in the place of a batch signature is not of its form.
    #[error("batch proof is malformed: {0}")]
    ProofForm(crate::cbor::Malformed),

    /// A batch proof whose path is not that of its place in the tree.
    #[error("path of the batch proof has {found} nodes, expected {expected}")]
    ProofPath {
        /// How many nodes there are from that place to the root.
        expected: usize,
        /// How many the path has.
        found: usize,
    },

    /// A batch proof for a tree that cannot be, or a place outside it.
    #[error("batch proof is for leaf {index} of a tree of {size}")]
    ProofSize {
        /// How many leaves the tree is said to have.
        size: u64,
        /// Which of them this is said to be, from 0.
        index: u64,
    },
    /// The replay database refused a record, or does not work.
    #[cfg(feature = "replay")]
    #[error(transparent)]
    Replay(#[from] crate::record::replay::ReplayError),

    /// A segment of a stream was refused.
    #[error("segment {index}: {source}")]
    Segment {
        /// Which one, from 0.
        index: u64,
        /// Why.
        source: Box<Self>,
    },

    /// A segment breaks a rule of streams.
    #[error("segment is out of place: {what}")]
    SegmentForm {
        /// Which rule.
        what: &'static str,
    },

    /// A channel numbered in a way that is not known.
    #[error("sequence format {found} is not supported")]
    SequenceVersion {
        /// The version.
        found: i64,
    },

    /// The signature field is not 64 bytes long.
    #[error("signature is {found} bytes, expected 64")]
    SignatureLength {
        /// Its length, in bytes.
        found: usize,
    },

    /// The signer's key was revoked.
    #[error("key of {signer} was revoked{}{}",
        .at.map(|at| format!(" at {at}")).unwrap_or_default(),
        .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    SignerRevoked {
        /// The signer's name in the trust file.
        signer: String,
        /// When; `None` if a list of revoked keys says so.
        at: Option<Timestamp>,
        /// The reason given in the trust file.
        why: Option<String>,
    },

    /// The trust entry is not valid any more.
    #[error("{signer} has not been trusted since {at}")]
    SignerTooLate {
        /// The signer's name in the trust file.
        signer: String,
        /// The end of the window.
        at: Timestamp,
    },

    /// The trust entry is not valid yet.
    #[error("{signer} is not trusted before {at}")]
    SignerTooEarly {
        /// The signer's name in the trust file.
        signer: String,
        /// The start of the window.
        at: Timestamp,
    },

    /// `iat` is further back than the maximum age.
    #[error("signature was issued at {at}, more than {max_seconds} seconds ago")]
    TooOld {
        /// The `iat` claim.
        at: Timestamp,
        /// The maximum age, in seconds.
        max_seconds: u64,
    },

    /// The input ends before the last segment of the stream.
    #[error("stream was cut after {segments} segments: its end is missing")]
    StreamCut {
        /// How many whole segments there were.
        segments: u64,
    },

    /// More segments than can be numbered.
    #[error("stream has too many segments")]
    StreamTooLong,

    /// A stream of a version that is not known.
    #[error("stream format {found} is not supported")]
    StreamVersion {
        /// The version.
        found: i64,
    },

    /// The trust file could not be read or edited.
    #[error(transparent)]
    Trust(#[from] TrustError),

    /// The envelope names a key that is not trusted.
    #[error("no trust anchor for key id {key_id}")]
    UnknownSigner {
        /// The key id, in hex.
        key_id: String,
    },

    /// An untagged COSE_Sign1 where a tagged one is required.
    #[error("looks like an untagged COSE_Sign1")]
    Untagged,

    /// The system has no memory for a segment, or for records.
    #[error("no memory for {bytes} bytes")]
    OutOfMemory {
        /// How many bytes were wanted.
        bytes: usize,
    },

    /// Somebody asks for more of a stream that was refused.
    #[error("stream was refused already")]
    StreamRefused,

    /// A thread that had work to do is gone.
    #[error("a thread ended before its work was done")]
    WorkerLost,

    /// `typ` is not one of SPEC.md's and was not asked for (RFC 9596).
    #[error("unknown envelope type {typ:?}")]
    UnknownTyp {
        /// The type.
        typ: String,
    },

    /// An envelope of a kind that this operation does not take.
    #[error("this is {found}, not {expected}")]
    WrongKind {
        /// What is taken.
        expected: Kind,
        /// What it is.
        found: Kind,
    },

    /// Signed by a trusted key of somebody else.
    #[error("signed by {found}, not by {expected}")]
    WrongSigner {
        /// Who was asked for.
        expected: String,
        /// Who signed.
        found: String,
    },
}

impl Error {
    /// Says in which segment something went wrong.
    pub(crate) fn in_segment(index: u64, source: Self) -> Self {
        Self::Segment { index, source: Box::new(source) }
    }

    /// Returns why the trust file does not speak for `key`.
    pub(crate) fn from_refusal(refusal: Refusal, key: KeyId) -> Self {
        match refusal {
            Refusal::Context { signer, context } => Self::ContextNotAllowed { signer, context },
            Refusal::Revoked { signer, at, why } => Self::SignerRevoked { signer, at, why },
            Refusal::TooEarly { signer, at } => Self::SignerTooEarly { signer, at },
            Refusal::TooLate { signer, at } => Self::SignerTooLate { signer, at },
            Refusal::Unknown => Self::UnknownSigner { key_id: key.to_string() },
            Refusal::WrongSigner { expected, found } => Self::WrongSigner { expected, found },
        }
    }

    /// Returns the same error as seen from `base` bytes further out.
    pub(crate) fn within(self, base: usize) -> Self {
        match self {
            Self::Malformed(malformed) => Self::Malformed(malformed.within(base)),
            other => other,
        }
    }
}
