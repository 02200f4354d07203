//! Content types and types.

use std::fmt;

use crate::cbor::{Decoder, Encoder, Flaw, IntOrText, Malformed};
use crate::text::all_harmless;

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
        let graphic = |part: &str| !part.is_empty() && all_harmless(part);
        (graphic(kind) && graphic(subtype) && text.trim() == text).then_some(Self::Media(text))
    }

    /// Reads the value of a header parameter.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn decode(value: &'a [u8]) -> Result<Self, Malformed> {
        match Decoder::new(value).int_or_text()? {
            IntOrText::Text(media) => Ok(Self::Media(media)),
            IntOrText::Int(number) => u16::try_from(number)
                .map(Self::Format)
                .map_err(|_| Malformed::new(0, Flaw::IntegerRange)),
        }
    }

    /// Returns whether both are the same type. Names of media types have no case (RFC 2045, Section 5.1);
    /// parameters, if there are any, are compared to the byte.
    #[must_use]
    pub fn is_same_as(&self, other: &ContentType<'_>) -> bool {
        match (self, other) {
            (Self::Format(one), ContentType::Format(other)) => one == other,
            (Self::Media(one), ContentType::Media(other)) => {
                let (name, parameters) = name_and_parameters(one);
                let (other_name, other_parameters) = name_and_parameters(other);
                name.eq_ignore_ascii_case(other_name) && parameters == other_parameters
            }
            (Self::Format(_), ContentType::Media(_)) | (Self::Media(_), ContentType::Format(_)) => {
                false
            }
        }
    }

    pub(crate) fn encode(self, encoder: &mut Encoder) -> &mut Encoder {
        match self {
            Self::Format(format) => encoder.int(i64::from(format)),
            Self::Media(media) => encoder.text(media),
        }
    }
}

fn name_and_parameters(media: &str) -> (&str, Option<&str>) {
    match media.split_once(';') {
        Some((name, parameters)) => (name.trim(), Some(parameters.trim())),
        None => (media, None),
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

#[cfg(test)]
mod tests {
    use super::ContentType::{Format, Media};

    #[test]
    fn media_types_are_compared_without_case_and_numbers_with_numbers_alone() {
        let alike = [
            (Media("application/cwt"), Media("Application/CWT")),
            (Media("text/plain;a=B"), Media("TEXT/plain ; a=B")),
            (Format(61), Format(61)),
        ];
        for (one, other) in alike {
            assert!(one.is_same_as(&other) && other.is_same_as(&one), "{one} and {other}");
        }
        let different = [
            (Media("application/cwt"), Media("application/cw")),
            (Media("application/cwt"), Media("application/cwt;a=b")),
            (Media("text/plain;a=B"), Media("text/plain;a=b")),
            (Media("61"), Format(61)),
            (Format(61), Format(16)),
            // Only letters of ASCII have a second case: U+212A lower-cases to k.
            (Media("application/k"), Media("application/\u{212a}")),
        ];
        for (one, other) in different {
            assert!(!one.is_same_as(&other) && !other.is_same_as(&one), "{one} and {other}");
        }
    }
}
