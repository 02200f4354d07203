//! What the tests of several crates use: the vectors of `fixtures/vectors` and `fixtures/foreign`, known keys and
//! moments, inputs that arrive in pieces, and mutations of bytes.
//!
//! It is a dependency of tests only and is not published. Every function panics where a test would fail.

#![forbid(unsafe_code)]
#![allow(
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads small files"
)]

mod arrival;
mod certified;
mod foreign;
mod judged_by;
mod moment;
mod mutation;
mod spec;
mod vector;

use std::fs;
use std::path::{Path, PathBuf};

use brine_core::{CTI_BYTES, KnownSigners, Signer, SigningKey, Statement, Timestamp, Unique};
use zeroize::Zeroizing;

pub use brine_core::text::hex;

pub use crate::arrival::{Arrival, Arriving};
pub use crate::certified::Certified;
pub use crate::foreign::{
    ForeignCase, foreign_cases, foreign_edge_cases, foreign_hash_envelopes, foreign_json,
};
pub use crate::judged_by::JudgedBy;
pub use crate::moment::{ChangingTrust, SteppingClock};
pub use crate::mutation::{full_envelope, mutations};
pub use crate::spec::{annotated, assert_spec_examples, spec_example};
pub use crate::vector::{Vector, all_vectors, vectors, verifying_key};

/// Returns the key whose seed is 32 times this byte.
#[must_use]
pub fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([byte; 32]))
}

/// Returns the key of RFC 8032, Section 7.1, TEST 1.
#[must_use]
pub fn known_key() -> SigningKey {
    let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    SigningKey::from_seed(&Zeroizing::new(seed.try_into().unwrap()))
}

/// Returns trust in these keys, each by the name "signer" and its byte.
#[must_use]
pub fn signers(bytes: &[u8]) -> KnownSigners {
    let signer =
        |byte: &u8| Signer::new(format!("signer {byte}"), key(*byte).verifying_key().clone());
    KnownSigners::new(bytes.iter().map(signer))
}

/// Returns the moment of the tests: 2026-09-21T14:13:20Z.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).unwrap()
}

/// Returns what `brine sign` states if nothing is said, at [`now`] and with a fixed name.
#[must_use]
pub fn statement() -> Statement {
    Statement::at(now()).unique(unique(7))
}

/// Returns the name of a signature that is 16 times this byte.
#[must_use]
pub const fn unique(byte: u8) -> Unique {
    Unique { cti: [byte; CTI_BYTES], sequence: None }
}

/// Returns a file of the project.
#[must_use]
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Returns the text of a file of the project.
#[must_use]
pub fn project_text(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads hex digits with any white space between them.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert_eq!(digits.len() % 2, 0, "{text}");
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_else(|| panic!("{text}"));
    let bytes = digits.chunks(2).map(|pair| value(pair[0]) << 4 | value(pair[1]));
    bytes.map(|byte| u8::try_from(byte).unwrap()).collect()
}
