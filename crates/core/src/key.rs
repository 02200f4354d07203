//! Ed25519 keys: ids, signing and verifying.
//!
//! This module is the only one of the crate that names the cryptography. A [`VerifyingKey`] is a canonical
//! point of large order. A [`SigningKey`] is wiped when it is dropped. Key files are read by the crate
//! brine-keys.

mod id;
mod pieces;
mod signing;
mod verifying;

use crate::class::{Class, Classified};

pub use self::id::KeyId;
pub use self::pieces::Verification;
pub use self::signing::SigningKey;
pub use self::verifying::VerifyingKey;

/// How long an Ed25519 signature is, in bytes (RFC 8032, Section 5.1.6).
pub const SIGNATURE_BYTES: usize = 64;

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The point is encoded in a second way (RFC 8032, Section 5.1.3).
    #[error("public key is not in canonical encoding")]
    NonCanonical,
    /// The bytes encode no point of the curve.
    #[error("Ed25519 public key is malformed: not a point of the curve")]
    NotAPoint,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Random,
    /// The point is of small order: anybody can make a signature that it verifies.
    #[error("public key is of small order")]
    Weak,
}

impl Classified for KeyError {
    fn class(&self) -> Class {
        Class::Key
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NonCanonical => "key-non-canonical",
            Self::NotAPoint => "key-malformed",
            Self::Random => "no-randomness",
            Self::Weak => "key-weak",
        }
    }
}

/// Returns random bytes from the operating system.
///
/// # Errors
///
/// [`KeyError::Random`].
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}
