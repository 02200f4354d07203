//! Numbers from the IANA registry "CBOR Object Signing and Encryption (COSE)".

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

    /// Returns the algorithm of an envelope that is signed alone: that of a batch is no such one, and
    /// becomes the default.
    #[must_use]
    pub(crate) const fn alone(self) -> Self {
        match self {
            Self::Batch | Self::EdDsa => Self::EdDsa,
            Self::Ed25519 => Self::Ed25519,
        }
    }

    /// Returns its name in the registry, or what is said for one that is not there.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "Ed25519 over a batch",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// Labels of header parameters that decide something here.
pub(crate) mod label {
    pub(crate) const ALG: i64 = 1;
    pub(crate) const CRIT: i64 = 2;
    pub(crate) const CONTENT_TYPE: i64 = 3;
    pub(crate) const KID: i64 = 4;
    pub(crate) const CWT_CLAIMS: i64 = 15;
    pub(crate) const TYP: i64 = 16;
    pub(crate) const PAYLOAD_HASH_ALG: i64 = 258;
    pub(crate) const PREIMAGE_CONTENT_TYPE: i64 = 259;
    pub(crate) const PAYLOAD_LOCATION: i64 = 260;
    /// Private use: where a segment stands in its stream.
    pub(crate) const POSITION: i64 = -70_001;
    /// Private use: which record of a channel it is.
    pub(crate) const SEQUENCE: i64 = -70_004;
    /// Private use: what a job asks for.
    pub(crate) const GRANTS: i64 = -70_005;
    pub(crate) const VDS: i64 = 395;
    pub(crate) const VDP: i64 = 396;
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
        _ => return None,
    })
}
