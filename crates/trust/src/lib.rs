//! Who may speak, about what, until when.
//!
//! A [`Trust`] is read from a trust.toml or from an OpenSSH allowed_signers file. It answers the question of
//! [`TrustAnchors`]: which signer speaks for the key that verified a signature, or why none does. Whatever a
//! file says that is not understood is refused, since it may be a restriction.

#![forbid(unsafe_code)]

mod allowed_signers;
mod anchors;
mod document;
mod entry;
mod error;
mod key_list;
mod pattern;
mod store;
mod trust_file;

pub use crate::anchors::Trust;
pub use crate::entry::{Revocation, Scope, TrustEntry};
pub use crate::error::TrustError;
pub use crate::pattern::{ContextGlob, PatternList, ReservedGlob};
pub use crate::store::TrustStore;

/// The largest trust file, and the largest list of revoked keys, in bytes.
pub const MAX_TRUST_FILE_BYTES: usize = 4 << 20;

/// The longest name of a signer in a trust.toml, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

#[cfg(test)]
mod tests;
