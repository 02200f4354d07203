//! Strict CBOR (RFC 8949): the subset that SPEC.md allows in an envelope, and nothing else.
//!
//! The reader accepts one encoding of each value: definite lengths, shortest heads, no repeated map
//! key at any depth. It borrows from its input, reads each byte once, allocates only for maps of more than a few
//! keys (a place for each, so whoever reads a map bounds it), and never believes a length before the bytes are
//! there.
//!
//! What is nobody's envelope is only measured: [`ExtentFinder`] takes any well-formed CBOR.

mod decode;
mod diagnostic;
mod encode;
mod extent;
mod float;
mod head;
mod item_type;
mod map_keys;

use crate::text::size;

#[cfg(test)]
pub(crate) use self::decode::HEADS_READ;
pub use self::decode::{Decoder, IntOrText};
pub use self::diagnostic::{Diagnostic, diagnose, quote};
pub use self::encode::Encoder;
pub(crate) use self::encode::HeadBytes;
pub use self::extent::{Extent, ExtentFinder, MAX_EXTENT_DEPTH, extent};
pub use self::head::{Head, Major};
pub use self::item_type::ItemType;

/// How deep arrays, maps and tags may nest.
pub const MAX_DEPTH: usize = 16;

/// Why bytes were refused as CBOR, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flaw}")]
pub struct Malformed {
    /// Where the offending item begins, in bytes from the start of what was being read.
    pub offset: usize,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// What is wrong with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// An array of another length.
    #[error("a list has {found} items, and must have {expected}")]
    ArrayLength {
        /// How many items there must be.
        expected: u64,
        /// How many the head announces.
        found: u64,
    },
    /// A byte string of another length.
    #[error("{found} bytes stand where {expected} must be")]
    BytesLength {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A map key, or header label, that occurs twice (RFC 8949, Section 5.6).
    #[error("a key stands in it twice")]
    DuplicateKey,
    /// A length that is not announced (RFC 8949, Section 3.2).
    #[error("a length is left open")]
    IndefiniteLength,
    /// An integer beyond 64 bits, sign included.
    #[error("a number is too large")]
    IntegerRange,
    /// A number of 24 or more where a shorter head would do (RFC 8949, Section 4.2.1).
    #[error("a number or length is not written in its shortest form")]
    NonMinimal,
    /// Additional information 28 to 30 (RFC 8949, Section 3).
    #[error("it has a code that means nothing")]
    ReservedHead,
    /// Nesting beyond [`MAX_DEPTH`], or [`MAX_EXTENT_DEPTH`] where an item is only measured.
    #[error("it is nested too deep")]
    TooDeep,
    /// Bytes after the end.
    #[error("it goes on for {} after its end", size(*.count))]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The end of a line after the end, which programs add that print what they read.
    #[error("a line end follows its end")]
    TrailingLineEnd,
    /// The input ends inside an item.
    #[error("it is cut short")]
    UnexpectedEnd,
    /// Another type of item.
    #[error("{found} stands where {expected} must be")]
    UnexpectedType {
        /// What there must be.
        expected: &'static str,
        /// What there is.
        found: ItemType,
    },
    /// Text that is not UTF-8 (RFC 8949, Section 3.1).
    #[error("a text is not UTF-8")]
    Utf8,
}

impl Malformed {
    /// Says what is wrong at which byte.
    #[must_use]
    pub const fn new(offset: usize, flaw: Flaw) -> Self {
        Self { offset, flaw }
    }

    /// Returns the same flaw as seen from `base` bytes further out.
    #[must_use]
    pub const fn within(self, base: usize) -> Self {
        Self { offset: self.offset.saturating_add(base), flaw: self.flaw }
    }

    /// Returns the stable short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.flaw {
            Flaw::ArrayLength { .. } => "array-length",
            Flaw::BytesLength { .. } => "bytes-length",
            Flaw::DuplicateKey => "duplicate-label",
            Flaw::IndefiniteLength => "indefinite-length",
            Flaw::IntegerRange => "integer-range",
            Flaw::NonMinimal => "non-minimal",
            Flaw::ReservedHead => "reserved-head",
            Flaw::TooDeep => "too-deep",
            Flaw::TrailingBytes { .. } | Flaw::TrailingLineEnd => "trailing-bytes",
            Flaw::UnexpectedEnd => "cut-short",
            Flaw::UnexpectedType { .. } => "unexpected-type",
            Flaw::Utf8 => "text-not-utf8",
        }
    }
}
