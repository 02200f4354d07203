//! What an item is, for people.

use std::fmt;

use super::{Head, Major};

/// What an item is, in the words of an error message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemType {
    /// An array.
    Array,
    /// `false` or `true`.
    Boolean,
    /// A byte string.
    Bytes,
    /// A float of any width.
    Float,
    /// An integer, of either sign.
    Integer,
    /// A map.
    Map,
    /// `null`, which COSE calls nil.
    Null,
    /// Another simple value.
    Simple,
    /// A tag, with its number.
    Tag(u64),
    /// A text string.
    Text,
    /// `undefined`.
    Undefined,
}

impl ItemType {
    /// Returns the type of the item that a head begins.
    #[must_use]
    pub const fn of(head: &Head) -> Self {
        match (head.major, head.info) {
            (Major::Unsigned | Major::Negative, _) => Self::Integer,
            (Major::Bytes, _) => Self::Bytes,
            (Major::Text, _) => Self::Text,
            (Major::Array, _) => Self::Array,
            (Major::Map, _) => Self::Map,
            (Major::Tag, _) => Self::Tag(head.argument),
            (Major::Simple, 20 | 21) => Self::Boolean,
            (Major::Simple, 22) => Self::Null,
            (Major::Simple, 23) => Self::Undefined,
            (Major::Simple, 25..=27) => Self::Float,
            (Major::Simple, _) => Self::Simple,
        }
    }
}

impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "an array",
            Self::Boolean => "a boolean",
            Self::Bytes => "a byte string",
            Self::Float => "a float",
            Self::Integer => "an integer",
            Self::Map => "a map",
            Self::Null => "nil",
            Self::Simple => "a simple value",
            Self::Tag(number) => return write!(f, "tag {number}"),
            Self::Text => "a text string",
            Self::Undefined => "undefined",
        })
    }
}
