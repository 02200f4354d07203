//! Whose fault an error is, and its short name.

use super::Error;

/// Whose fault an [`Error`] is; one exit status each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Recognised as an envelope, then altered, cut, malformed or wrongly signed.
    Altered,
    /// A key or trust file that cannot be used.
    Key,
    /// Not an envelope, or of a kind, algorithm or form that is not taken.
    Unsupported,
    /// The system around the library.
    System,
    /// The signature is good, but refused by trust or policy.
    Untrusted,
}

impl Error {
    /// Returns whose fault it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::AlgorithmMissing
            | Self::Armor(_)
            | Self::BadSignature
            | Self::ClaimRange { .. }
            | Self::CritMalformed { .. }
            | Self::DigestForm { .. }
            | Self::DigestMismatch
            | Self::HeaderTooLarge { .. }
            | Self::LabelInBothHeaders { .. }
            | Self::LabelUnprotected { .. }
            | Self::Malformed(_)
            | Self::NoKeyVerifies { .. }
            | Self::ProofForm(_)
            | Self::ProofPath { .. }
            | Self::ProofSize { .. }
            | Self::SegmentForm { .. }
            | Self::StreamCut { .. }
            | Self::StreamRefused
            | Self::SignatureLength { .. }
            | Self::TooManyLabels { .. } => Class::Altered,
            Self::ClockBefore1970
            | Self::Input(_)
            | Self::OutOfMemory { .. }
            | Self::Output(_)
            | Self::StreamTooLong
            | Self::WorkerLost => Class::System,
            // Once a stream has begun, what it cannot contain was put there.
            Self::Segment { index, source } => match (*index, source.class()) {
                (1.., Class::Unsupported) => Class::Altered,
                (_, class) => class,
            },
            Self::Framing(error) => error.class(),
            #[cfg(feature = "replay")]
            Self::Replay(error) => error.class(),
            Self::Job(error) => error.class(),
            Self::Key(_) | Self::Trust(_) => Class::Key,
            Self::AlgorithmUnsupported { .. }
            | Self::AttachedPayload
            | Self::BatchFull
            | Self::BatchPlain
            | Self::CritUnknown { .. }
            | Self::DetachedPayload
            | Self::HashUnsupported { .. }
            | Self::NotAnEnvelope { .. }
            | Self::OtherCose { .. }
            | Self::SequenceVersion { .. }
            | Self::StreamVersion { .. }
            | Self::TooLarge { .. }
            | Self::UnknownTyp { .. }
            | Self::Untagged
            | Self::WrongKind { .. } => Class::Unsupported,
            Self::ContextMismatch { .. }
            | Self::ContextMissing { .. }
            | Self::ContextNotAllowed { .. }
            | Self::ContextUnexpected { .. }
            | Self::Expired { .. }
            | Self::IssuedAtMissing
            | Self::IssuedInFuture { .. }
            | Self::NoTrustAnchors
            | Self::NotYetValid { .. }
            | Self::SignerRevoked { .. }
            | Self::SignerTooEarly { .. }
            | Self::SignerTooLate { .. }
            | Self::TooOld { .. }
            | Self::UnknownSigner { .. }
            | Self::WrongSigner { .. } => Class::Untrusted,
        }
    }

    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::AlgorithmMissing => "algorithm-missing",
            Self::AlgorithmUnsupported { .. } => "algorithm-unsupported",
            Self::Armor(_) => "armor-malformed",
            Self::AttachedPayload => "payload-attached",
            Self::BadSignature => "signature-bad",
            Self::BatchFull => "batch-full",
            Self::BatchPlain => "batch-plain",
            Self::ClaimRange { .. } => "claim-range",
            Self::ClockBefore1970 => "clock-before-1970",
            Self::ContextMismatch { .. } => "context-mismatch",
            Self::ContextMissing { .. } => "context-missing",
            Self::ContextNotAllowed { .. } => "context-not-allowed",
            Self::ContextUnexpected { .. } => "context-unexpected",
            Self::CritMalformed { .. } => "crit-malformed",
            Self::CritUnknown { .. } => "crit-unknown",
            Self::DetachedPayload => "payload-detached",
            Self::DigestForm { .. } => "digest-form",
            Self::DigestMismatch => "digest-mismatch",
            Self::Expired { .. } => "expired",
            Self::Framing(error) => error.reason(),
            Self::HashUnsupported { .. } => "hash-unsupported",
            Self::Input(_) | Self::Output(_) => "io",
            Self::Segment { source, .. } => source.reason(),
            Self::SegmentForm { .. } => "segment-form",
            Self::StreamCut { .. } => "stream-cut",
            Self::StreamRefused => "stream-refused",
            Self::StreamTooLong => "stream-too-long",
            Self::StreamVersion { .. } => "stream-version",
            Self::WorkerLost => "worker-lost",
            Self::HeaderTooLarge { .. } => "header-too-large",
            Self::IssuedAtMissing => "issued-at-missing",
            Self::IssuedInFuture { .. } => "issued-in-future",
            Self::Job(error) => error.reason(),
            Self::Key(error) => error.reason(),
            Self::LabelInBothHeaders { .. } => "label-in-both-headers",
            Self::LabelUnprotected { .. } => "label-unprotected",
            Self::Malformed(error) => error.reason(),
            Self::NoKeyVerifies { .. } => "signature-bad",
            Self::NoTrustAnchors => "no-trust-anchors",
            Self::NotAnEnvelope { .. } => "not-an-envelope",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::OtherCose { .. } => "other-cose",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::ProofForm(_) => "proof-form",
            Self::ProofPath { .. } => "proof-path",
            Self::ProofSize { .. } => "proof-size",
            #[cfg(feature = "replay")]
            Self::Replay(error) => error.reason(),
            Self::SequenceVersion { .. } => "sequence-version",
            Self::SignatureLength { .. } => "signature-length",
            Self::SignerRevoked { .. } => "signer-revoked",
            Self::SignerTooEarly { .. } => "signer-too-early",
            Self::SignerTooLate { .. } => "signer-too-late",
            Self::TooLarge { .. } => "too-large",
            Self::TooManyLabels { .. } => "too-many-labels",
            Self::TooOld { .. } => "too-old",
            Self::Trust(error) => error.reason(),
            Self::UnknownSigner { .. } => "unknown-signer",
            Self::UnknownTyp { .. } => "unknown-typ",
            Self::Untagged => "untagged",
            Self::WrongKind { .. } => "wrong-kind",
            Self::WrongSigner { .. } => "wrong-signer",
        }
    }
}
