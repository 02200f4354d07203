//! What can be wrong with the form of an envelope.

use super::{ArmorFlaw, Label, Lookalike, algorithm_name};
use crate::cbor::Malformed;
use crate::claims::ClaimsFlaw;
use crate::class::{Class, Classified};
use crate::text::size;

/// Why bytes were refused as an envelope before its signature was looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// The protected header has no `alg` (RFC 9052, Section 3.1).
    #[error("envelope does not say with which algorithm it is signed")]
    AlgorithmMissing,
    /// `alg` is none of EdDSA (−8), Ed25519 (−19) and that of batches (−70003).
    #[error("algorithm {} is not supported", algorithm_name(.found))]
    AlgorithmUnsupported {
        /// The algorithm, as a number or text.
        found: Label<'static>,
    },
    /// The armor around an envelope is not strict RFC 7468 text.
    #[error("armor is malformed: {0}")]
    Armor(ArmorFlaw),
    /// The payload is in the envelope where a detached one was expected.
    #[error("payload is embedded in the envelope, not detached")]
    AttachedPayload,
    /// Certificates are too many, too long, or none.
    #[error("certificates are malformed: {what}")]
    Certificates {
        /// The rule that they break.
        what: &'static str,
    },
    /// The claims set is not of its form (RFC 8392, Section 3.1).
    #[error(transparent)]
    Claims(#[from] ClaimsFlaw),
    /// `crit` is empty, repeats a label or lists one that is absent (RFC 9052, Section 3.1).
    #[error("list of critical header parameters is malformed: {what}")]
    CritMalformed {
        /// The rule that it breaks.
        what: &'static str,
    },
    /// `crit` lists a header parameter that is not understood (RFC 9052, Section 3.1).
    #[error("header parameter {label} is critical, and this brine does not understand it")]
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
        /// The rule that it breaks.
        what: &'static str,
    },
    /// Grants stand where they mean nothing, or where other software would not see them.
    #[error("grants are malformed: {what}")]
    Grants {
        /// The rule that they break.
        what: &'static str,
    },
    /// How a job ended stands where it means nothing, or where other software would not see it.
    #[error("result is malformed: {what}")]
    Result {
        /// The rule that it breaks.
        what: &'static str,
    },
    /// `payload-hash-alg` is not known (RFC 9995).
    #[error("hash algorithm {found} is not supported")]
    HashUnsupported {
        /// The algorithm, as a number or text.
        found: Label<'static>,
    },
    /// A header map is larger than [`MAX_HEADER_BYTES`](super::MAX_HEADER_BYTES).
    #[error("header is over {}", size(*.limit))]
    HeaderTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The same label is in both headers (RFC 9052, Section 3).
    #[error("header parameter {label} stands both in the signed header and in the unsigned one")]
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
    /// The bytes are not CBOR, or not in the strict form that SPEC.md demands.
    #[error("envelope is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// The bytes do not begin as an envelope does.
    #[error("not an envelope: {found}")]
    NotAnEnvelope {
        /// What they seem to be instead.
        found: Lookalike,
    },
    /// Another COSE message type.
    #[error("not an envelope: {name}")]
    OtherCose {
        /// The CBOR tag.
        tag: u64,
        /// What it is, as in `an encrypted COSE message`.
        name: &'static str,
    },
    /// Another CBOR tag stands around an envelope, and the caller did not ask for that.
    #[error("envelope is wrapped as {name}")]
    OuterTag {
        /// The outermost tag.
        tag: u64,
        /// What the tag says.
        name: &'static str,
    },
    /// The position of a segment stands where it means nothing.
    #[error("place in the stream is malformed: {what}")]
    Position {
        /// The rule that it breaks.
        what: &'static str,
    },
    /// A batch proof is not of its form.
    #[error("batch proof is malformed: {0}")]
    ProofForm(Malformed),
    /// The path of a batch proof does not end at the root.
    #[error("batch proof has {found} hashes, and must have {expected}")]
    ProofPath {
        /// How many nodes there are from that leaf to the root.
        expected: usize,
        /// How many the path has.
        found: usize,
    },
    /// A batch proof names a tree that cannot be, or a leaf outside it.
    #[error("batch proof is for record {index} of {size}")]
    ProofSize {
        /// How many leaves the tree is said to have.
        size: u64,
        /// Which of them this is said to be, from 0.
        index: u64,
    },
    /// An envelope of several signers is not of its form.
    #[error("envelope of several signers is malformed: {what}")]
    Signers {
        /// The rule that it breaks.
        what: &'static str,
    },
    /// A sequence stands where it means nothing, or where other software would not see it.
    #[error("sequence is malformed: {what}")]
    Sequence {
        /// The rule that it breaks.
        what: &'static str,
    },
    /// A channel is numbered in a way that is not known.
    #[error("sequence format {found} is not supported")]
    SequenceVersion {
        /// The version.
        found: i64,
    },
    /// The signature field is not as long as a signature of the algorithm.
    #[error("signature is {found} bytes, expected {expected}")]
    SignatureLength {
        /// How long signatures are, in bytes.
        expected: usize,
        /// Its length, in bytes.
        found: usize,
    },
    /// A stream is of a version that is not known.
    #[error("stream format {found} is not supported")]
    StreamVersion {
        /// The version.
        found: i64,
    },
    /// The payload is larger than a single envelope may hold.
    #[error("input is over {}, the limit for a single envelope", size(*.limit))]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A map has more header parameters than [`MAX_LABELS`](super::MAX_LABELS).
    #[error("header has {found} parameters, limit is {limit}")]
    TooManyLabels {
        /// How many the map announces.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A COSE_Sign1 has no tag, and must have one.
    #[error("looks like a COSE signature without the tag that says so")]
    Untagged,
}

impl FormError {
    /// Returns the same error as seen from `base` bytes further out.
    #[must_use]
    pub(crate) fn within(self, base: usize) -> Self {
        match self {
            Self::Malformed(malformed) => Self::Malformed(malformed.within(base)),
            other => other,
        }
    }
}

impl Classified for FormError {
    fn class(&self) -> Class {
        match self {
            Self::AlgorithmMissing
            | Self::Armor(_)
            | Self::Certificates { .. }
            | Self::Claims(_)
            | Self::CritMalformed { .. }
            | Self::DigestForm { .. }
            | Self::Grants { .. }
            | Self::Result { .. }
            | Self::HeaderTooLarge { .. }
            | Self::LabelInBothHeaders { .. }
            | Self::LabelUnprotected { .. }
            | Self::Malformed(_)
            | Self::Position { .. }
            | Self::ProofForm(_)
            | Self::ProofPath { .. }
            | Self::ProofSize { .. }
            | Self::Sequence { .. }
            | Self::Signers { .. }
            | Self::SignatureLength { .. }
            | Self::TooManyLabels { .. } => Class::Altered,
            Self::AlgorithmUnsupported { .. }
            | Self::AttachedPayload
            | Self::CritUnknown { .. }
            | Self::DetachedPayload
            | Self::HashUnsupported { .. }
            | Self::NotAnEnvelope { .. }
            | Self::OtherCose { .. }
            | Self::OuterTag { .. }
            | Self::SequenceVersion { .. }
            | Self::StreamVersion { .. }
            | Self::TooLarge { .. }
            | Self::Untagged => Class::Unsupported,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::AlgorithmMissing => "algorithm-missing",
            Self::AlgorithmUnsupported { .. } => "algorithm-unsupported",
            Self::Armor(_) => "armor-malformed",
            Self::AttachedPayload => "payload-attached",
            Self::Certificates { .. } => "certificates-form",
            Self::Claims(flaw) => flaw.reason(),
            Self::CritMalformed { .. } => "crit-malformed",
            Self::CritUnknown { .. } => "crit-unknown",
            Self::DetachedPayload => "payload-detached",
            Self::DigestForm { .. } => "digest-form",
            Self::Grants { .. } => "grants-form",
            Self::Result { .. } => "result-form",
            Self::HashUnsupported { .. } => "hash-unsupported",
            Self::HeaderTooLarge { .. } => "header-too-large",
            Self::LabelInBothHeaders { .. } => "label-in-both-headers",
            Self::LabelUnprotected { .. } => "label-unprotected",
            Self::Malformed(malformed) => malformed.reason(),
            Self::NotAnEnvelope { .. } => "not-an-envelope",
            Self::OtherCose { .. } => "other-cose",
            Self::OuterTag { .. } => "outer-tag",
            Self::Position { .. } => "segment-form",
            Self::ProofForm(_) => "proof-form",
            Self::ProofPath { .. } => "proof-path",
            Self::ProofSize { .. } => "proof-size",
            Self::Sequence { .. } => "sequence-form",
            Self::SequenceVersion { .. } => "sequence-version",
            Self::Signers { .. } => "signers-form",
            Self::SignatureLength { .. } => "signature-length",
            Self::StreamVersion { .. } => "stream-version",
            Self::TooLarge { .. } => "too-large",
            Self::TooManyLabels { .. } => "too-many-labels",
            Self::Untagged => "untagged",
        }
    }
}
