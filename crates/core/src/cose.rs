//! COSE_Sign1 (RFC 9052): the strict subset that SPEC.md allows.
//!
//! This module knows the standards and nothing of what brine builds on them: which private-use header
//! parameters are understood is an argument, a [`Profile`].

mod algorithm;
mod armor_flaw;
mod content_type;
mod form_error;
mod header_label;
mod header_map;
mod header_writer;
mod lookalike;
mod outline;
mod protected;
mod several;
mod sign1;
mod split;
mod to_be_signed;

pub use self::algorithm::{Algorithm, algorithm_name, label, label_name};
pub use self::armor_flaw::ArmorFlaw;
pub use self::content_type::ContentType;
pub use self::form_error::FormError;
pub use self::header_label::Label;
pub use self::header_map::HeaderMap;
pub(crate) use self::header_writer::HeaderWriter;
pub use self::lookalike::{ArmorDamage, Lookalike};
pub use self::outline::{Outline, Tagging};
pub use self::protected::{Profile, Protected};
pub use self::several::{MAX_SIGNERS, Several, TAG_SIGN, begins_several};
pub use self::sign1::Sign1;
pub(crate) use self::split::{Ends, Front};
pub use self::to_be_signed::{ToBeSigned, sig_structure_digest};

/// The largest header map, protected or not, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The most header parameters in one map.
pub const MAX_LABELS: u64 = 1000;

/// The largest payload of a single envelope, in bytes.
///
/// The payload is not held in memory, but it is kept in a store until its signature has been seen, which
/// comes last.
pub const MAX_PAYLOAD_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// The CBOR tag of a COSE_Sign1 (RFC 9052, Section 4.2).
pub const TAG_SIGN1: u64 = 18;
