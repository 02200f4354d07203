//! COSE_Sign1 (RFC 9052): the subset that SPEC.md allows.

mod header;
mod iana;
mod large;
mod position;
mod proof;
mod sequence;
mod sign1;
mod to_be_signed;

pub(crate) use self::header::starts_segment;
pub use self::header::{ContentType, HeaderMap, Label, Protected};
pub use self::iana::{Algorithm, label_name};
pub use self::large::{Front, LargeSign1};
pub use self::position::Position;
pub use self::proof::{BatchProof, Signature};
pub use self::sequence::Sequence;
pub use self::sign1::{Outline, Sign1, Tagging};
pub use self::to_be_signed::ToBeSigned;

pub(crate) use self::iana::label;
pub(crate) use self::proof::{NODE_BYTES, Side, Steps};

/// The largest header map, protected or not, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The most header parameters in one map.
pub const MAX_LABELS: u64 = 1000;

/// The largest payload of a single envelope, in bytes.
///
/// It is not held in memory, but it is kept somewhere until its signature was seen, which comes last.
pub const MAX_PAYLOAD_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// How long an Ed25519 signature is, in bytes (RFC 8032, Section 5.1.6).
pub const SIGNATURE_BYTES: usize = 64;

/// How many random bytes name a channel.
pub const CHANNEL_BYTES: usize = 16;

/// How many random bytes name a stream.
pub const STREAM_ID_BYTES: usize = 16;

/// The CBOR tag of a COSE_Sign1 (RFC 9052, Section 4.2).
pub const TAG_SIGN1: u64 = 18;
