//! Signs what you serialise, and gives bytes back only where a trusted key signed them.
//!
//! An envelope is a COSE_Sign1 (RFC 9052) with Ed25519: any bytes, wrapped in a standard CBOR
//! signature. [`sign`] makes one, [`Sign1::parse`] reads one and believes nothing, and [`verify`]
//! turns what it read into a [`Verified`], which is the only way to a payload that may be acted on.
//!
//! The library has no clock, no environment and, but for the replay database, no files: time is an
//! argument, data is slices. The programs `brine` and `brinekey` are built on it behind the feature
//! `cli`, which library users turn off.

pub mod armor;
pub mod batch;
pub mod cbor;
pub mod claims;
pub mod cose;
pub mod hash;
pub mod job;
pub mod key;
pub mod pickle;
pub mod record;
pub mod stream;
pub mod trust;

#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub mod sandbox;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

mod error;
mod kind;
mod pool;
mod sign;
mod text;
mod verify;

pub use crate::claims::{Claims, Timestamp};
pub use crate::cose::{Algorithm, ContentType, MAX_PAYLOAD_BYTES, Sequence, Sign1, Tagging};
pub use crate::error::{Class, Error, Result};
pub use crate::key::{KeyId, SigningKey, VerifyingKey};
pub use crate::kind::Kind;
pub use crate::sign::{
    CTI_BYTES, Envelope, LargeSigned, Statement, Template, sign, sign_detached, sign_digest,
    sign_job, sign_large, sign_large_job,
};
pub use crate::trust::{Signer, Trust};
pub use crate::verify::{
    LargeEnvelope, PayloadSource, Request, Verified, VerifiedLarge, verify, verify_digest,
    verify_job, verify_large, verify_large_detached, verify_large_job, verify_with,
};
