//! What is wrong with a frame, and why frames cannot be read.

use std::io;

use brine_core::cbor::Malformed;
use brine_core::text::in_words;
use brine_core::{Class, Classified};

use super::Framing;

/// Why a record could not be read or written in a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// An envelope is not canonical base64url text without padding (RFC 4648, Section 5).
    #[error("record is not base64url text")]
    Base64,

    /// The input ends inside a record.
    #[error("input ends inside a record")]
    Cut,

    /// A record of a CBOR sequence is not well-formed.
    #[error("record is not CBOR: {0}")]
    Malformed(Malformed),

    /// A record is longer than the limit.
    #[error("record takes {bytes} bytes, limit is {limit}")]
    TooLarge {
        /// The length of the record; of text, the length of the text; of a CBOR item, the claimed length.
        bytes: u64,
        /// The limit; for text, that of the text.
        limit: u64,
    },

    /// A record written in this framing would not be read as it was.
    #[error("record cannot be written as {framing}: {why}")]
    Unframeable {
        /// The framing.
        framing: Framing,
        /// The obstacle.
        why: &'static str,
    },
}

impl Classified for FramingError {
    fn class(&self) -> Class {
        match self {
            Self::Cut | Self::Malformed(_) => Class::Altered,
            Self::Base64 | Self::TooLarge { .. } | Self::Unframeable { .. } => Class::Unsupported,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Base64 => "framing-base64",
            Self::Cut => "record-cut",
            Self::Malformed(malformed) => malformed.reason(),
            Self::TooLarge { .. } => "too-large",
            Self::Unframeable { .. } => "unframeable",
        }
    }
}

/// Why no more frames can be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameReadError {
    /// The next record cannot be found.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// Reading failed.
    #[error("input: {}", in_words(.0))]
    Input(io::Error),
    /// There is no memory for records.
    #[error("no memory for {bytes} bytes")]
    OutOfMemory {
        /// How many bytes were wanted.
        bytes: usize,
    },
}

impl Classified for FrameReadError {
    fn class(&self) -> Class {
        match self {
            Self::Framing(error) => error.class(),
            Self::Input(_) | Self::OutOfMemory { .. } => Class::System,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Framing(error) => error.reason(),
            Self::Input(_) => "io",
            Self::OutOfMemory { .. } => "out-of-memory",
        }
    }
}
