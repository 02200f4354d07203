//! Why a trust file was refused.

use brine_core::{Class, Classified};
use brine_keys::KeyFileError;

use crate::pattern::ReservedGlob;

/// Why a trust file, or a change to one, was refused. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The same name has the same key already.
    #[error("{name:?} is trusted with this key already")]
    AlreadyThere {
        /// The name.
        name: String,
    },

    /// A binary OpenSSH key revocation list where text is expected.
    #[error("this is a binary OpenSSH key revocation list (KRL), not a list of public keys")]
    BinaryKrl,

    /// A control character in text that is shown to people.
    #[error("line {line}: {key} contains a control character")]
    ControlCharacter {
        /// Where.
        line: usize,
        /// The key or field.
        key: &'static str,
    },

    /// An allowed_signers option is there twice.
    #[error("line {line}: option {option} is there twice")]
    DuplicateOption {
        /// Where.
        line: usize,
        /// The option.
        option: &'static str,
    },

    /// A window ends before it begins.
    #[error("line {line}: the window ends before it begins")]
    EmptyWindow {
        /// Where.
        line: usize,
    },

    /// A context pattern holds a reserved character.
    #[error("line {line}: {source}")]
    Glob {
        /// Where.
        line: usize,
        /// What is reserved.
        source: ReservedGlob,
    },

    /// A signer that a trust.toml has no words for, such as one from an allowed_signers file.
    #[error("{name:?} cannot be written to a trust.toml")]
    Inexpressible {
        /// The name.
        name: String,
    },

    /// A key that cannot be used.
    #[error("line {line}: {source}")]
    Key {
        /// Where.
        line: usize,
        /// Why.
        source: KeyFileError,
    },

    /// A date and time without an offset, which means another moment on another machine.
    #[error("line {line}: {key} is a local time, without an offset from UTC")]
    LocalTime {
        /// Where.
        line: usize,
        /// The key.
        key: &'static str,
    },

    /// A line that is not of the form that its file has.
    #[error("line {line}: {what}")]
    Malformed {
        /// Where.
        line: usize,
        /// Which rule was broken.
        what: &'static str,
    },

    /// A key is required and absent.
    #[error("line {line}: {key} is missing")]
    Missing {
        /// Where the entry begins.
        line: usize,
        /// The key.
        key: &'static str,
    },

    /// A name is empty or longer than [`MAX_NAME_BYTES`](crate::MAX_NAME_BYTES).
    #[error("line {line}: name is {found} bytes, must be 1 to {limit}")]
    NameLength {
        /// Where.
        line: usize,
        /// Bytes in the name.
        found: usize,
        /// The limit, in bytes.
        limit: usize,
    },

    /// Nobody of that name, and no such key.
    #[error("no signer {wanted:?}")]
    NoSuchSigner {
        /// What was asked for.
        wanted: String,
    },

    /// Bytes that are not UTF-8 text.
    #[error("line {line}: not text")]
    NotText {
        /// Where.
        line: usize,
    },

    /// A date and time that cannot be read, or is outside the years 1970 to 9999.
    #[error("line {line}: {key} is not a valid time: {found:?}")]
    Time {
        /// Where.
        line: usize,
        /// The key or option.
        key: &'static str,
        /// What stands there.
        found: String,
    },

    /// More bytes than [`MAX_TRUST_FILE_BYTES`](crate::MAX_TRUST_FILE_BYTES).
    #[error("trust file is {found} bytes, limit is {limit}")]
    TooLarge {
        /// Bytes in the file.
        found: usize,
        /// The limit, in bytes.
        limit: usize,
    },

    /// Not TOML.
    // Kept as text: the parser's own message quotes the file over several lines.
    #[error("line {line}: {what}")]
    Toml {
        /// Where.
        line: usize,
        /// What the parser says.
        what: String,
    },

    /// A key that is not known, so that it cannot be known what it would restrict.
    #[error("line {line}: unknown key {key:?}")]
    UnknownKey {
        /// Where.
        line: usize,
        /// The key.
        key: String,
    },

    /// A type of public key that is not known.
    #[error("line {line}: unknown key type {found:?}")]
    UnknownKeyType {
        /// Where.
        line: usize,
        /// What stands where the type should.
        found: String,
    },

    /// An allowed_signers option that is not known.
    #[error("line {line}: unknown option {option:?}")]
    UnknownOption {
        /// Where.
        line: usize,
        /// The option.
        option: String,
    },

    /// A version of the file format that is not known.
    #[error("line {line}: version is {found}, must be 1")]
    Version {
        /// Where.
        line: usize,
        /// The version.
        found: i64,
    },

    /// A value of another type than its key takes.
    #[error("line {line}: {key} is of type {found}, must be {expected}")]
    WrongType {
        /// Where.
        line: usize,
        /// The key.
        key: &'static str,
        /// What the key takes.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
}

impl Classified for TrustError {
    fn class(&self) -> Class {
        Class::Key
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::AlreadyThere { .. } => "trust-already-there",
            Self::BinaryKrl => "trust-binary-krl",
            Self::ControlCharacter { .. } => "trust-control-character",
            Self::DuplicateOption { .. } => "trust-duplicate-option",
            Self::EmptyWindow { .. } => "trust-empty-window",
            Self::Glob { .. } => "trust-glob",
            Self::Inexpressible { .. } => "trust-inexpressible",
            Self::Key { .. } => "trust-key",
            Self::LocalTime { .. } => "trust-local-time",
            Self::Malformed { .. } => "trust-malformed",
            Self::Missing { .. } => "trust-missing",
            Self::NameLength { .. } => "trust-name-length",
            Self::NoSuchSigner { .. } => "trust-no-such-signer",
            Self::NotText { .. } => "trust-not-text",
            Self::Time { .. } => "trust-time",
            Self::TooLarge { .. } => "trust-too-large",
            Self::Toml { .. } => "trust-toml",
            Self::UnknownKey { .. } => "trust-unknown-key",
            Self::UnknownKeyType { .. } => "trust-unknown-key-type",
            Self::UnknownOption { .. } => "trust-unknown-option",
            Self::Version { .. } => "trust-version",
            Self::WrongType { .. } => "trust-wrong-type",
        }
    }
}
