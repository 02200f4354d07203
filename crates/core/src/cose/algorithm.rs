//! Algorithms and labels by their numbers in the IANA registry "CBOR Object Signing and Encryption (COSE)".

use super::Label;
use crate::key::SIGNATURE_BYTES;

/// A signature algorithm that brine writes and accepts, always with an Ed25519 key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// −70003 (private use): a place in a SHA-256 Merkle tree, whose root is signed with EdDSA.
    Batch,
    /// EdDSA, −8 (RFC 9053, Section 2.2): what most COSE libraries understand.
    #[default]
    EdDsa,
    /// Ed25519, −19 (RFC 9864, Section 2.2): fully specified.
    Ed25519,
}

impl Algorithm {
    /// Returns the number that stands in the `alg` header parameter.
    #[must_use]
    pub const fn id(self) -> i64 {
        match self {
            Self::Batch => -70_003,
            Self::EdDsa => -8,
            Self::Ed25519 => -19,
        }
    }

    /// Returns the algorithm with this number.
    #[must_use]
    pub const fn from_id(id: i64) -> Option<Self> {
        match id {
            -70_003 => Some(Self::Batch),
            -8 => Some(Self::EdDsa),
            -19 => Some(Self::Ed25519),
            _ => None,
        }
    }

    /// Returns the algorithm that a lone envelope, or the root of a batch, is signed with.
    #[must_use]
    pub const fn alone(self) -> Self {
        match self {
            Self::Batch | Self::EdDsa => Self::EdDsa,
            Self::Ed25519 => Self::Ed25519,
        }
    }

    /// Returns how long a signature is, in bytes.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Batch | Self::EdDsa | Self::Ed25519 => SIGNATURE_BYTES,
        }
    }

    /// Returns its name in the registry, or a description of one that is not there.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "Ed25519 over a batch",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// Returns the name of a signature algorithm that brine may not know, or else its number.
#[must_use]
pub fn algorithm_name(found: &Label<'_>) -> String {
    let name = match found {
        Label::Int(-7 | -9) => "ES256",
        Label::Int(-8) => "EdDSA",
        Label::Int(-19) => "Ed25519",
        Label::Int(-35 | -51) => "ES384",
        Label::Int(-36 | -52) => "ES512",
        Label::Int(-37) => "PS256",
        Label::Int(-38) => "PS384",
        Label::Int(-39) => "PS512",
        Label::Int(-46) => "HSS-LMS",
        Label::Int(-47) => "ES256K",
        Label::Int(-48) => "ML-DSA-44",
        Label::Int(-49) => "ML-DSA-65",
        Label::Int(-50) => "ML-DSA-87",
        Label::Int(-53) => "Ed448",
        Label::Int(-257) => "RS256",
        Label::Int(-258) => "RS384",
        Label::Int(-259) => "RS512",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// Labels of header parameters, by their names in the registry.
pub mod label {
    /// The algorithm of the signature (RFC 9052, Section 3.1).
    pub const ALG: i64 = 1;
    /// The labels that a recipient must understand (RFC 9052, Section 3.1).
    pub const CRIT: i64 = 2;
    /// The content type of the payload (RFC 9052, Section 3.1).
    pub const CONTENT_TYPE: i64 = 3;
    /// The key id (RFC 9052, Section 3.1).
    pub const KID: i64 = 4;
    /// The claims set (RFC 9597).
    pub const CWT_CLAIMS: i64 = 15;
    /// The type of the envelope (RFC 9596).
    pub const TYP: i64 = 16;
    /// The hash of a hash envelope (RFC 9995).
    pub const PAYLOAD_HASH_ALG: i64 = 258;
    /// The content type of what was hashed (RFC 9995).
    pub const PREIMAGE_CONTENT_TYPE: i64 = 259;
    /// Where the hashed content is (RFC 9995).
    pub const PAYLOAD_LOCATION: i64 = 260;
    /// Private use: where a segment stands in its stream.
    pub const POSITION: i64 = -70_001;
    /// Private use: which record of a channel it is.
    pub const SEQUENCE: i64 = -70_004;
    /// Private use: what a job requests.
    pub const GRANTS: i64 = -70_005;
    /// Private use: how a job ended.
    pub const RESULT: i64 = -70_006;
    /// Certificates for the signing key (private use): see [`Certificates`](crate::Certificates).
    pub const CERTIFICATES: i64 = -70_007;
    /// Whose signatures an envelope of several signers needs (private use).
    pub const SIGNERS: i64 = -70_008;
    /// The verifiable data structure of a receipt (RFC 9942).
    pub const VDS: i64 = 395;
    /// The proofs of a receipt (RFC 9942).
    pub const VDP: i64 = 396;
}

/// Returns the registered name of a header parameter, if it is a common one.
#[must_use]
pub const fn label_name(label: i64) -> Option<&'static str> {
    Some(match label {
        1 => "alg",
        2 => "crit",
        3 => "content type",
        4 => "kid",
        5 => "IV",
        6 => "Partial IV",
        7 => "counter signature",
        9 => "CounterSignature0",
        10 => "kid context",
        11 => "Countersignature version 2",
        12 => "Countersignature0 version 2",
        15 => "CWT Claims",
        16 => "typ",
        32 => "x5bag",
        33 => "x5chain",
        34 => "x5t",
        35 => "x5u",
        258 => "payload-hash-alg",
        259 => "preimage content type",
        260 => "payload-location",
        269 => "3161-ttc",
        270 => "3161-ctt",
        394 => "receipts",
        395 => "vds",
        396 => "vdp",
        -70_001 => "stream position",
        -70_004 => "sequence",
        -70_005 => "grants",
        -70_006 => "result",
        -70_007 => "certificates",
        -70_008 => "signers",
        _ => return None,
    })
}
