//! Where one record ends and the next begins (SPEC.md, Framings).

mod block;
mod error;
mod reader;
mod scanner;
mod write;

use std::fmt;

pub use self::block::{Block, Frame};
pub use self::error::FramingError;
pub use self::reader::{Bounds, Filled, FrameReader};

/// The longest record, in bytes: a payload, or an envelope in binary.
pub const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// How much is kept of a record that is too large, in bytes.
pub const KEPT_BYTES: usize = 4096;

/// How records follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// As a CBOR sequence (RFC 8742): each is one item.
    Cbor,
    /// After its length, as four bytes, the most significant first.
    Len32,
    /// As a line: it ends with a line feed, and envelopes are base64url text.
    Lines,
    /// Ended by a NUL; envelopes are base64url text.
    Null,
}

/// What records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Payloads: any bytes.
    Content,
    /// Envelopes, which are text where a delimiter ends them.
    Envelope,
}

impl Framing {
    /// Returns its name, which is also that of its option.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cbor => "cbor",
            Self::Len32 => "len32",
            Self::Lines => "lines",
            Self::Null => "null",
        }
    }

    /// Returns the byte that ends a record, if one does.
    const fn delimiter(self) -> Option<u8> {
        match self {
            Self::Cbor | Self::Len32 => None,
            Self::Lines => Some(b'\n'),
            Self::Null => Some(0),
        }
    }

    /// Returns whether records are base64url text on `side`.
    const fn is_text(self, side: Side) -> bool {
        match side {
            Side::Content => false,
            Side::Envelope => self.delimiter().is_some(),
        }
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
