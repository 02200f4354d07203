//! Ed25519 keys: ids, signing, verifying and the forms in which keys are kept.
//!
//! Nothing outside this module names the cryptography. A [`VerifyingKey`] is a canonical point of
//! large order, a [`SigningKey`] is wiped when it goes, and everything else that a file may hold is
//! refused by its name.
//!
//! | form | read | written |
//! |---|---|---|
//! | PKCS#8 in PEM (RFC 5958, RFC 8410) | private, public | private |
//! | PKCS#8 in PEM, encrypted with PBES2 (RFC 8018) | private | private |
//! | SPKI in PEM (RFC 5280, RFC 8410) | public | public |
//! | OpenSSH private key file, plain or encrypted | private, public | private |
//! | OpenSSH public key line | public | public |

#[cfg(test)]
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keys/", $name)).as_slice()
    };
}

mod form;
mod id;
mod openssh;
mod pem;
mod pieces;
mod signing;
mod verifying;

pub use self::id::KeyId;
pub use self::openssh::MAX_BCRYPT_ROUNDS;
pub use self::pem::{MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_BYTES, MAX_SCRYPT_WORK_BYTES};
pub use self::pieces::Verification;
pub use self::signing::SigningKey;
pub use self::verifying::VerifyingKey;

/// The size in bytes of the largest key file that is read.
pub const MAX_KEY_FILE_BYTES: usize = 64 * 1024;

/// Why a key was refused.
///
/// No variant holds a part of a private key or of a passphrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is of a form that is taken, and breaks its rules.
    #[error("{form} is malformed: {why}")]
    Malformed {
        /// The form, as in `PKCS#8 private key`.
        form: &'static str,
        /// Which rule was broken.
        why: String,
    },

    /// The public half in a private key file is not that of the private half.
    #[error("public half does not belong to the private half")]
    Mismatch,

    /// The point is encoded in a second way (RFC 8032, Section 5.1.3).
    #[error("public key is not in canonical encoding")]
    NonCanonical,

    /// The key is for another algorithm.
    #[error("key is for {found}, not Ed25519")]
    NotEd25519 {
        /// The algorithm by its name, or by its object identifier.
        found: String,
    },

    /// A key was to be encrypted with an empty passphrase.
    #[error("passphrase is empty")]
    PassphraseEmpty,

    /// The file is encrypted through and through, its public half too.
    #[error("key is encrypted and a passphrase is needed")]
    PassphraseNeeded,

    /// A private key was expected, and this is a public one.
    #[error("key is public, not private")]
    PrivateExpected,

    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Random,

    /// Decryption was refused because the file asks for too much work or memory.
    #[error("{what} are {found}, limit is {limit}")]
    TooCostly {
        /// What is counted, as in `PBKDF2 iterations`.
        what: &'static str,
        /// How many the file asks for.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },

    /// The file is larger than [`MAX_KEY_FILE_BYTES`].
    #[error("key is larger than {MAX_KEY_FILE_BYTES} bytes")]
    TooLarge,

    /// The bytes resemble no form of key.
    #[error("not a key in any known form")]
    Unrecognised,

    /// The key is in a form that is not taken.
    #[error("{form} is not a supported form of key")]
    UnsupportedForm {
        /// The form, as in `PuTTY private key`.
        form: &'static str,
    },

    /// The point is of small order: signatures by it are bound to no secret.
    #[error("public key is of small order")]
    Weak,

    /// The passphrase does not open the file, or the file was damaged.
    #[error("passphrase is wrong, or the key is damaged")]
    WrongPassphrase,
}

impl KeyError {
    /// Returns the stable short name of the reason, for JSON verdicts.
    ///
    /// ```
    /// # use brine::key::KeyError;
    /// assert_eq!(KeyError::Weak.reason(), "key-weak");
    /// ```
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "key-malformed",
            Self::Mismatch => "key-mismatch",
            Self::NonCanonical => "key-non-canonical",
            Self::NotEd25519 { .. } => "key-not-ed25519",
            Self::PassphraseEmpty => "passphrase-empty",
            Self::PassphraseNeeded => "passphrase-needed",
            Self::PrivateExpected => "private-key-expected",
            Self::Random => "no-randomness",
            Self::TooCostly { .. } => "key-too-costly",
            Self::TooLarge => "key-too-large",
            Self::Unrecognised => "key-unrecognised",
            Self::UnsupportedForm { .. } => "key-form-unsupported",
            Self::Weak => "key-weak",
            Self::WrongPassphrase => "wrong-passphrase",
        }
    }

    fn malformed(form: &'static str, why: impl ToString) -> Self {
        Self::Malformed { form, why: why.to_string() }
    }

    fn not_ed25519(found: impl Into<String>) -> Self {
        Self::NotEd25519 { found: found.into() }
    }
}

/// Returns random bytes from the operating system.
fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::KeyError;

    fn all() -> Vec<KeyError> {
        vec![
            KeyError::malformed("PEM", "no END line"),
            KeyError::Mismatch,
            KeyError::NonCanonical,
            KeyError::not_ed25519("RSA"),
            KeyError::PassphraseEmpty,
            KeyError::PassphraseNeeded,
            KeyError::PrivateExpected,
            KeyError::Random,
            KeyError::TooCostly { what: "PBKDF2 iterations", found: 2, limit: 1 },
            KeyError::TooLarge,
            KeyError::Unrecognised,
            KeyError::UnsupportedForm { form: "PuTTY private key" },
            KeyError::Weak,
            KeyError::WrongPassphrase,
        ]
    }

    #[test]
    fn reasons_are_distinct_and_kebab_case() {
        let reasons: HashSet<_> = all().iter().map(KeyError::reason).collect();
        assert_eq!(reasons.len(), all().len());
        let kebab = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(reasons.iter().all(|reason| reason.bytes().all(kebab)), "{reasons:?}");
    }

    #[test]
    fn messages_are_one_line_without_a_full_stop() {
        for error in all() {
            let message = error.to_string();
            assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
        }
        assert_eq!(all()[8].to_string(), "PBKDF2 iterations are 2, limit is 1");
        assert_eq!(KeyError::TooLarge.to_string(), "key is larger than 65536 bytes");
    }
}
