//! What is wrong with a frame.

use super::Framing;
use crate::cbor::Malformed;
use crate::error::Class;

/// Why a record could not be read or written in a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// An envelope that is not canonical base64url text without padding (RFC 4648, Section 5).
    #[error("record is not base64url text")]
    Base64,

    /// The input ends inside a record.
    #[error("input ends inside a record")]
    Cut,

    /// A record of a CBOR sequence is not well-formed.
    #[error("record is not CBOR: {0}")]
    Malformed(Malformed),

    /// A record is longer than any may be.
    #[error("record takes {bytes} bytes, limit is {limit}")]
    TooLarge {
        /// How many bytes it takes, as text if it is text; of a CBOR item, as many as were claimed.
        bytes: u64,
        /// The limit, for text that of the text.
        limit: u64,
    },

    /// A record cannot be written so that it is read as it was.
    #[error("record cannot be written as {framing}: {why}")]
    Unframeable {
        /// The framing.
        framing: Framing,
        /// What is in the way.
        why: &'static str,
    },
}

impl FramingError {
    /// Returns whose fault it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Cut | Self::Malformed(_) => Class::Altered,
            Self::Base64 | Self::TooLarge { .. } | Self::Unframeable { .. } => Class::Unsupported,
        }
    }

    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Base64 => "framing-base64",
            Self::Cut => "record-cut",
            Self::Malformed(malformed) => malformed.reason(),
            Self::TooLarge { .. } => "too-large",
            Self::Unframeable { .. } => "unframeable",
        }
    }
}
