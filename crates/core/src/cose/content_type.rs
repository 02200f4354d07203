//! Content types and types.

use std::fmt;

use crate::cbor::{Decoder, Encoder, Flaw, ItemType, Malformed};

/// A content type (label 3) or type (label 16): a media type, or the number of a CoAP
/// Content-Format (RFC 9052, Section 3.1; RFC 9596).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType<'a> {
    /// A CoAP Content-Format.
    Format(u16),
    /// A media type.
    Media(&'a str),
}

impl<'a> ContentType<'a> {
    /// Reads a number, or text with a slash in it, as a person types it.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Ok(format) = text.parse() {
            return Some(Self::Format(format));
        }
        let (kind, subtype) = text.split_once('/')?;
        let graphic = |part: &str| !part.is_empty() && !part.contains(char::is_control);
        (graphic(kind) && graphic(subtype) && text.trim() == text).then_some(Self::Media(text))
    }

    /// Reads the value of a header parameter.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn decode(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(value);
        if decoder.peek()? == ItemType::Text {
            return decoder.text().map(Self::Media);
        }
        let number = decoder.int()?;
        u16::try_from(number).map(Self::Format).map_err(|_| Malformed::new(0, Flaw::IntegerRange))
    }

    pub(crate) fn encode(self, encoder: &mut Encoder) -> &mut Encoder {
        match self {
            Self::Format(format) => encoder.int(i64::from(format)),
            Self::Media(media) => encoder.text(media),
        }
    }
}

impl fmt::Display for ContentType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => format.fmt(f),
            Self::Media(media) => f.write_str(media),
        }
    }
}
