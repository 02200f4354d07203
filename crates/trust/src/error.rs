//! Why a trust file was refused.

use brine_core::text::quoted;
use brine_core::{Class, Classified, Timestamp};
use brine_keys::KeyFileError;

use crate::krl::KrlFlaw;
use crate::pattern::ReservedGlob;

/// Why a trust file, or a change of one, was refused. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file is an allowed_signers file, which is read and never changed.
    #[error("this is an OpenSSH allowed_signers file, and only a trust.toml is changed")]
    AllowedSigners,

    /// The key is revoked already, from that moment or an earlier one on.
    #[error("{} has been revoked from {at} on already", quoted(.name))]
    AlreadyRevoked {
        /// The name of the entry.
        name: String,
        /// The first moment at which the key is refused.
        at: Timestamp,
    },

    /// The file has an entry with this name and key already.
    #[error("{} is trusted with this key already", quoted(.name))]
    AlreadyThere {
        /// The name.
        name: String,
    },

    /// An allowed_signers file begins with a byte order mark, which OpenSSH takes for a part of the first name.
    #[error(
        "line 1: the file begins with a byte order mark, which OpenSSH takes for a part of the name"
    )]
    ByteOrderMark,

    /// Text that people will be shown contains a character that acts on a terminal or cannot be seen.
    #[error("line {line}: {key} contains a control character, or one that cannot be seen")]
    ControlCharacter {
        /// The line.
        line: usize,
        /// The key or field.
        key: &'static str,
    },

    /// A pattern for names is empty, or is several.
    #[error("line {line}: principals have {}, which is not one pattern", quoted(.found))]
    Principal {
        /// The line.
        line: usize,
        /// The pattern.
        found: String,
    },

    /// A rule for several signers cannot be meant.
    #[error("line {line}: rule cannot be used: {what}")]
    Rule {
        /// The line.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },

    /// A binary list of revoked keys cannot be read.
    #[error("OpenSSH key revocation list (KRL): {flaw}")]
    Krl {
        /// What is wrong with it.
        flaw: KrlFlaw,
    },

    /// An option of allowed_signers is repeated.
    #[error("line {line}: option {option} is repeated")]
    DuplicateOption {
        /// The line.
        line: usize,
        /// The option.
        option: &'static str,
    },

    /// A window ends before it begins, or at the same moment.
    #[error("line {line}: the window ends before it begins")]
    EmptyWindow {
        /// The line.
        line: usize,
    },

    /// A context pattern contains a reserved character.
    #[error("line {line}: {source}")]
    Glob {
        /// The line.
        line: usize,
        /// What the pattern contains.
        source: ReservedGlob,
    },

    /// A trust.toml cannot express the entry, such as one from an allowed_signers file.
    #[error("{} cannot be written to a trust.toml", quoted(.name))]
    Inexpressible {
        /// The name.
        name: String,
    },

    /// A key cannot be used.
    #[error("line {line}: {source}")]
    Key {
        /// The line.
        line: usize,
        /// Why it cannot be used.
        source: KeyFileError,
    },

    /// Lists of what is revoked are named where they cannot be read.
    #[error("revoked names files, which cannot be read from here")]
    ListsNamed,

    /// A time has no offset from UTC, so it would be another moment on another machine.
    #[error("line {line}: {key} is a local time, without an offset from UTC")]
    LocalTime {
        /// The line.
        line: usize,
        /// The key.
        key: &'static str,
    },

    /// The key of a new entry is revoked, so the entry would trust nobody.
    #[error("this key is revoked from {at} on, in the entry {name:?}")]
    KeyRevoked {
        /// The name of the entry that revokes it.
        name: String,
        /// The first moment at which the key is refused.
        at: Timestamp,
    },

    /// A line is malformed.
    #[error("line {line}: {what}")]
    Malformed {
        /// The line.
        line: usize,
        /// The rule that was broken.
        what: &'static str,
    },

    /// A required key is missing.
    #[error("line {line}: {key} is missing")]
    Missing {
        /// The line at which the entry begins.
        line: usize,
        /// The key.
        key: &'static str,
    },

    /// A line of an allowed_signers file begins with a key, where names must be.
    #[error("line {line}: no names before the key")]
    NamesMissing {
        /// The line.
        line: usize,
    },

    /// A name is empty or longer than [`MAX_NAME_BYTES`](crate::MAX_NAME_BYTES).
    #[error("line {line}: name is {found} bytes, must be 1 to {limit}")]
    NameLength {
        /// The line.
        line: usize,
        /// The length of the name, in bytes.
        found: usize,
        /// The limit, in bytes.
        limit: usize,
    },

    /// A text that is used is not UTF-8, or the file contains a zero byte.
    #[error("line {line}: not text")]
    NotText {
        /// The line.
        line: usize,
    },

    /// The file is PEM: a key, a certificate or a signature.
    #[error("line {line}: PEM, not a trust file")]
    Pem {
        /// The line.
        line: usize,
    },

    /// Removing the entry would make a revoked key an unknown one, which anybody could add again.
    #[error("{} is revoked from {at} on, and no other entry says so", quoted(.name))]
    RevocationLost {
        /// The name of the entry.
        name: String,
        /// The first moment at which the key is refused.
        at: Timestamp,
    },

    /// A list of revoked keys is a statement, which holds by its signature.
    #[error("this is a signed list of revoked keys, which is kept beside the trust file")]
    SignedList,

    /// A time cannot be read, or is outside the years 1970 to 9999.
    #[error("line {line}: {key} is not a valid time: {}", quoted(.found))]
    Time {
        /// The line.
        line: usize,
        /// The key or option.
        key: &'static str,
        /// The text in the file.
        found: String,
    },

    /// The file is larger than [`MAX_TRUST_FILE_BYTES`](crate::MAX_TRUST_FILE_BYTES).
    #[error("trust file is {found} bytes, limit is {limit}")]
    TooLarge {
        /// The size of the file, in bytes.
        found: usize,
        /// The limit, in bytes.
        limit: usize,
    },

    /// The file is not TOML.
    // Only the parser's own words are kept: its message quotes the file over several lines.
    #[error("line {line}: {what}")]
    Toml {
        /// The line.
        line: usize,
        /// What the parser says.
        what: String,
    },

    /// A key is unknown. It may be a restriction.
    #[error("line {line}: unknown key {}", quoted(.key))]
    UnknownKey {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },

    /// A type of public key is unknown.
    #[error("line {line}: unknown key type {}", quoted(.found))]
    UnknownKeyType {
        /// The line.
        line: usize,
        /// The word in its place.
        found: String,
    },

    /// An option of allowed_signers is unknown. It may be a restriction.
    #[error("line {line}: unknown option {}", quoted(.option))]
    UnknownOption {
        /// The line.
        line: usize,
        /// The option.
        option: String,
    },

    /// The file is text in UTF-16.
    #[error("the text is UTF-16, must be UTF-8")]
    Utf16,

    /// The version of the file format is unknown.
    #[error("line {line}: version is {found}, must be 1")]
    Version {
        /// The line.
        line: usize,
        /// The version.
        found: i64,
    },

    /// A value has the wrong type for its key.
    #[error("line {line}: {key} is of type {found}, must be {expected}")]
    WrongType {
        /// The line.
        line: usize,
        /// The key.
        key: &'static str,
        /// The type that the key takes.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
    },
}

impl Classified for TrustError {
    fn class(&self) -> Class {
        Class::Key
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::AllowedSigners => "trust-allowed-signers",
            Self::AlreadyRevoked { .. } => "trust-already-revoked",
            Self::AlreadyThere { .. } => "trust-already-there",
            Self::Krl { flaw } => flaw.reason(),
            Self::Principal { .. } => "trust-principal",
            Self::Rule { .. } => "trust-rule",
            Self::ByteOrderMark => "trust-byte-order-mark",
            Self::ControlCharacter { .. } => "trust-control-character",
            Self::DuplicateOption { .. } => "trust-duplicate-option",
            Self::EmptyWindow { .. } => "trust-empty-window",
            Self::Glob { .. } => "trust-glob",
            Self::Inexpressible { .. } => "trust-inexpressible",
            Self::Key { .. } => "trust-key",
            Self::KeyRevoked { .. } => "trust-key-revoked",
            Self::ListsNamed => "trust-lists-named",
            Self::LocalTime { .. } => "trust-local-time",
            Self::Malformed { .. } => "trust-malformed",
            Self::Missing { .. } => "trust-missing",
            Self::NamesMissing { .. } => "trust-names-missing",
            Self::NameLength { .. } => "trust-name-length",
            Self::NotText { .. } => "trust-not-text",
            Self::Pem { .. } => "trust-pem",
            Self::RevocationLost { .. } => "trust-revocation-lost",
            Self::SignedList => "trust-signed-list",
            Self::Time { .. } => "trust-time",
            Self::TooLarge { .. } => "trust-too-large",
            Self::Toml { .. } => "trust-toml",
            Self::UnknownKey { .. } => "trust-unknown-key",
            Self::UnknownKeyType { .. } => "trust-unknown-key-type",
            Self::UnknownOption { .. } => "trust-unknown-option",
            Self::Utf16 => "trust-utf16",
            Self::Version { .. } => "trust-version",
            Self::WrongType { .. } => "trust-wrong-type",
        }
    }
}
