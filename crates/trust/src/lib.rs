//! Trust files: who is trusted, for which contexts, and until when.
//!
//! A [`Trust`] is read from a trust.toml or from an OpenSSH allowed_signers file, and verifies what [`brine_core`]
//! opens: it implements [`TrustAnchors`](brine_core::TrustAnchors).
//!
//! ```
//! use std::sync::Arc;
//!
//! use brine_core::{Classified as _, Expectations, SigningKey, Statement, Timestamp, open, sign};
//! use brine_trust::{TimeZone, Trust};
//!
//! let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
//! let key = SigningKey::generate()?;
//! let line = brine_keys::openssh_line(key.verifying_key(), "");
//! let file = format!("[[signer]]\nname = 'alice'\nkey = '{line}'\ncontexts = ['reports/*']\n");
//! let trust = Arc::new(Trust::parse(file.as_bytes(), &|| TimeZone::UTC)?);
//!
//! let envelope = sign(&Statement::at(now).context("reports/daily"), &key, b"hello")?.to_bytes();
//! let expectations = Expectations::new().context("reports/daily");
//! let verified = open(envelope)?.verify(&expectations, &trust, &now)?;
//! assert_eq!(verified.signer().name(), "alice");
//!
//! let envelope = sign(&Statement::at(now).context("payments"), &key, b"hello")?.to_bytes();
//! let expectations = Expectations::new().context("payments");
//! let refused = open(envelope)?.verify(&expectations, &trust, &now).unwrap_err();
//! assert_eq!(refused.reason(), "context-not-allowed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file is refused whole if any of it is unknown or malformed, because that may be a restriction. [`TrustStore`]
//! edits a trust.toml. This crate opens no files and has no clock.

#![forbid(unsafe_code)]

mod allowed_signers;
mod anchors;
mod authority;
mod chain;
mod document;
mod entry;
mod error;
mod known_keys;
mod krl;
mod named;
mod openssh_text;
mod pattern;
mod revocation_list;
mod rule;
mod statements;
mod store;
mod trust_file;

pub use crate::anchors::Trust;
pub use crate::authority::Authority;
pub use crate::entry::{Revocation, Scope, TrustEntry};
pub use crate::error::TrustError;
pub use crate::krl::KrlFlaw;
pub use crate::named::EntryState;
pub use crate::pattern::{ContextGlob, PatternList, ReservedGlob};
pub use crate::revocation_list::RevocationList;
pub use crate::rule::Rule;
pub use crate::statements::{
    KeptStatements, MAX_AHEAD, MAX_LOSS_REASON_BYTES, MAX_SIGNER_LIST_BYTES, MAX_STRANGERS_BYTES,
    RevocationStatement, RevokedKey, RotationStatement, Said, StatedList, StatementError,
    Successors, Taken, UnverifiedStatement, VerifiedStatement,
};
pub use crate::store::{Revocations, TrustStore};
pub use jiff::tz::TimeZone;

/// The size of the largest trust file, and of the largest list of revoked keys, in bytes.
pub const MAX_TRUST_FILE_BYTES: usize = 4 << 20;

/// The longest name of a signer in a trust.toml, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

#[cfg(test)]
mod tests;
