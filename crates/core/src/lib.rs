//! Signs what you serialise, and gives bytes back only where a trusted key signed them.
//!
//! An envelope is a COSE_Sign1 (RFC 9052) with Ed25519: any bytes, wrapped in a standard CBOR
//! signature. [`sign`] makes one. [`open`] finds out what arrives, and [`Opening::verify`] turns it into a
//! [`Verified`], from which the payload is read.
//!
//! ```
//! use brine_core::{Expectations, KnownSigners, Signer, SigningKey, Statement, Timestamp, open, sign};
//!
//! let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
//! let key = SigningKey::generate()?;
//! let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
//!
//! let envelope = sign(&Statement::at(now), &key, b"hello")?.to_bytes();
//! let verified = open(envelope)?.verify(&Expectations::new(), &trust, &now)?;
//! assert_eq!(std::io::read_to_string(verified)?, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The library has no clock, no environment and no files: time is a [`Clock`], trust comes from a
//! [`TrustSource`], a payload that does not fit memory goes to a [`Store`], and input and output are `Read` and
//! `Write`. Key files are read by the crate
//! brine-keys, trust files by brine-trust; records and queues are in brine-records, jobs in brine-job.

#![forbid(unsafe_code)]

pub mod armor;
pub mod batch;
pub mod cbor;
pub mod claims;
pub mod cose;
pub mod hash;
pub mod key;
pub mod pool;
pub mod stream;
pub mod text;
pub mod time;

mod certificates;
mod class;
mod context_glob;
mod error;
mod expectations;
mod kind;
mod observer;
mod open;
mod position;
mod sequence;
mod sign;
mod signing;
mod statement;
mod store;
mod trust;
mod unverified;
mod verified;
mod verify;

pub use crate::certificates::{Certificates, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES};
pub use crate::claims::{Claims, ClaimsError, ClaimsFlaw};
pub use crate::class::{Class, Classified};
pub use crate::context_glob::{ContextGlob, ReservedGlob};
pub use crate::cose::{Algorithm, ArmorDamage, ArmorFlaw, ContentType, FormError, Lookalike};
pub use crate::error::{
    BatchError, Error, KindError, Result, SignatureError, StreamError, SystemError,
};
pub use crate::expectations::{Expectations, TRIED_KEYS};
pub use crate::key::{KeyError, KeyId, SigningKey, VerifyingKey};
pub use crate::kind::Kind;
pub use crate::observer::{Circumstances, ObservationError, Observer};
pub use crate::open::{
    Beside, Hashed, Input, LargeEnvelope, MAX_ARMORED_BYTES, MAX_MEMORY_BYTES, Opening, Skimmed,
    WholeContent, is_single, open,
};
pub use crate::position::Position;
pub use crate::sequence::{CHANNEL_BYTES, Sequence};
pub use crate::sign::{Content, Envelope, Needed, cosign, detach, sign, sign_together};
pub use crate::signing::{BackendFailure, Message, SigningBackend, SigningError};
pub use crate::statement::{CTI_BYTES, Statement, Unique};
pub use crate::store::{Kept, NoStore, Store};
pub use crate::stream::{StreamOptions, StreamWriter};
pub use crate::time::{Clock, Timestamp};
pub use crate::trust::{
    CertificateFlaw, Evidence, KnownSigners, Person, Question, Signer, StatedRevocation,
    TrustAnchors, TrustSource, TrustUnavailable, Untrusted, Vouched, Vouching, count_persons,
    is_below, require_persons,
};
pub use crate::unverified::{Signatures, UnverifiedEnvelope};
pub use crate::verified::{EnvelopeVerifier, SignedHeader, Verified};
pub use crate::verify::Standing;
