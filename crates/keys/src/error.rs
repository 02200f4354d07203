//! Why a key file was refused.

use brine_core::{CertificateFlaw, Class, Classified, KeyError};

use crate::{MAX_KEY_FILE_BYTES, OtherKeyForm};

/// Why a key file was refused, or cannot be written.
///
/// No variant holds part of a private key or of a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// A certificate in the file cannot be used.
    #[error("certificate cannot be used: {0}")]
    Certificate(CertificateFlaw),

    /// The public key in the file cannot be used, or the operating system gives no randomness.
    #[error(transparent)]
    Key(#[from] KeyError),

    /// The file breaks the rules of its form.
    #[error("{form} is malformed: {why}")]
    Malformed {
        /// The form, as in `PKCS#8 private key`.
        form: &'static str,
        /// The rule that was broken.
        why: String,
    },

    /// The public half in a private key file is that of another key.
    #[error("public half does not belong to the private half")]
    Mismatch,

    /// The key is for another algorithm.
    #[error("key is for {found}, not Ed25519")]
    NotEd25519 {
        /// The name of the algorithm, or its object identifier.
        found: String,
    },

    /// An empty passphrase was given to encrypt a key with.
    #[error("passphrase is empty")]
    PassphraseEmpty,

    /// The whole file is encrypted, the public half too.
    #[error("key is encrypted and a passphrase is needed")]
    PassphraseNeeded,

    /// A private key was expected, and the file holds a public one.
    #[error("key is public, not private")]
    PrivateExpected,

    /// Decryption would take too much work or memory.
    #[error("{what} are {found}, limit is {limit}")]
    TooCostly {
        /// What is counted, as in `PBKDF2 iterations`.
        what: &'static str,
        /// How many the file demands.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },

    /// The file is larger than [`MAX_KEY_FILE_BYTES`].
    #[error("key is larger than {MAX_KEY_FILE_BYTES} bytes")]
    TooLarge,

    /// The bytes look like no known form of key.
    #[error("not a key in any known form")]
    Unrecognised,

    /// The form is known and not supported.
    #[error("{form} is not a supported form of key")]
    UnsupportedForm {
        /// The form.
        form: OtherKeyForm,
    },

    /// The passphrase is wrong, or the file is damaged: decryption cannot tell which.
    #[error("passphrase is wrong, or the key is damaged")]
    WrongPassphrase,
}

impl KeyFileError {
    pub(crate) fn malformed(form: &'static str, why: impl ToString) -> Self {
        Self::Malformed { form, why: why.to_string() }
    }

    pub(crate) fn not_ed25519(found: impl Into<String>) -> Self {
        Self::NotEd25519 { found: found.into() }
    }
}

impl Classified for KeyFileError {
    fn class(&self) -> Class {
        Class::Key
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Certificate(flaw) => flaw.reason(),
            Self::Key(error) => error.reason(),
            Self::Malformed { .. } => "key-malformed",
            Self::Mismatch => "key-mismatch",
            Self::NotEd25519 { .. } => "key-not-ed25519",
            Self::PassphraseEmpty => "passphrase-empty",
            Self::PassphraseNeeded => "passphrase-needed",
            Self::PrivateExpected => "private-key-expected",
            Self::TooCostly { .. } => "key-too-costly",
            Self::TooLarge => "key-too-large",
            Self::Unrecognised => "key-unrecognised",
            Self::UnsupportedForm { .. } => "key-form-unsupported",
            Self::WrongPassphrase => "wrong-passphrase",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all() -> Vec<KeyFileError> {
        vec![
            KeyFileError::malformed("PEM", "no END line"),
            KeyFileError::Certificate(CertificateFlaw::Host),
            KeyFileError::Mismatch,
            KeyError::NonCanonical.into(),
            KeyFileError::not_ed25519("RSA"),
            KeyFileError::PassphraseEmpty,
            KeyFileError::PassphraseNeeded,
            KeyFileError::PrivateExpected,
            KeyError::Random.into(),
            KeyFileError::TooCostly { what: "PBKDF2 iterations", found: 2, limit: 1 },
            KeyFileError::TooLarge,
            KeyFileError::Unrecognised,
            KeyFileError::UnsupportedForm { form: OtherKeyForm::Putty },
            KeyError::Weak.into(),
            KeyFileError::WrongPassphrase,
        ]
    }

    #[test]
    fn reasons_are_distinct_and_kebab_case() {
        let reasons: HashSet<_> = all().iter().map(Classified::reason).collect();
        assert_eq!(reasons.len(), all().len());
        let kebab = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(reasons.iter().all(|reason| reason.bytes().all(kebab)), "{reasons:?}");
    }

    #[test]
    fn a_key_keeps_the_reason_that_the_core_refuses_it_for() {
        for (error, reason) in [
            (KeyError::NonCanonical, "key-non-canonical"),
            (KeyError::NotAPoint, "key-malformed"),
            (KeyError::Random, "no-randomness"),
            (KeyError::Weak, "key-weak"),
        ] {
            let wrapped = KeyFileError::from(error);
            assert_eq!((wrapped.reason(), wrapped.class()), (reason, Class::Key));
            assert_eq!(wrapped.to_string(), error.to_string());
        }
    }

    #[test]
    fn messages_are_one_line_without_a_full_stop() {
        for error in all() {
            let message = error.to_string();
            assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
        }
        assert_eq!(all()[9].to_string(), "PBKDF2 iterations are 2, limit is 1");
        assert_eq!(KeyFileError::TooLarge.to_string(), "key is larger than 65536 bytes");
    }
}
