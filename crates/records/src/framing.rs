//! Where one record ends and the next begins (SPEC.md, Framings).

mod block;
mod error;
mod reader;
mod scanner;
mod write;

use std::fmt;

pub use self::block::{FrameBlock, RecordFrame};
pub use self::error::{FrameReadError, FramingError};
pub(crate) use self::reader::BUFFER_BYTES;
pub use self::reader::{BlockBounds, Filled, FrameReader};

/// The longest record, in bytes: a payload, or an envelope in binary.
pub const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// How many bytes are kept of a record that is too large.
pub const KEPT_BYTES: usize = 4096;

/// How a reader finds the end of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A CBOR sequence (RFC 8742): each record is one item.
    Cbor,
    /// Each record follows its length: four bytes, the most significant first.
    Len32,
    /// Each record is a line, ended by a line feed. Envelopes are base64url text.
    Lines,
    /// Each record is ended by a NUL. Envelopes are base64url text.
    Null,
}

/// What the records are: payloads or envelopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameSide {
    /// Payloads, which are any bytes.
    Content,
    /// Envelopes, which are text in a framing with a delimiter.
    Envelope,
}

impl Framing {
    /// Returns the name of the framing, which is also the name of its option.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cbor => "cbor",
            Self::Len32 => "len32",
            Self::Lines => "lines",
            Self::Null => "null",
        }
    }

    /// Returns the byte that ends a record, if the framing has one.
    #[must_use]
    pub const fn delimiter(self) -> Option<u8> {
        match self {
            Self::Cbor | Self::Len32 => None,
            Self::Lines => Some(b'\n'),
            Self::Null => Some(0),
        }
    }

    /// Returns whether records are base64url text on `side`.
    const fn is_text(self, side: FrameSide) -> bool {
        match side {
            FrameSide::Content => false,
            FrameSide::Envelope => self.delimiter().is_some(),
        }
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
