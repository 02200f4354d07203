//! Labels of header parameters.

use std::borrow::Cow;
use std::fmt;

use crate::cbor::{Decoder, IntOrText, Malformed};
use crate::text::quoted;

/// The label of a header parameter (RFC 9052, Section 1.5): an integer or text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label<'a> {
    /// An integer, as in the registry.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
}

impl<'a> Label<'a> {
    pub(crate) fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Malformed> {
        Ok(match decoder.int_or_text()? {
            IntOrText::Int(label) => Self::Int(label),
            IntOrText::Text(label) => Self::Text(Cow::Borrowed(label)),
        })
    }

    /// Returns the label with a copy of its text.
    #[must_use]
    pub fn into_owned(self) -> Label<'static> {
        match self {
            Self::Int(label) => Label::Int(label),
            Self::Text(text) => Label::Text(Cow::Owned(text.into_owned())),
        }
    }
}

/// Returns the labels in a list that was read before.
pub(super) fn labels_of(list: &[u8]) -> impl Iterator<Item = Label<'_>> {
    let mut list = Decoder::new(list);
    let count = list.array().unwrap_or(0);
    (0..count).map_while(move |_| Label::decode(&mut list).ok())
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(label) => label.fmt(f),
            // Quoted and escaped: the text is somebody else's.
            Self::Text(text) => write!(f, "{}", quoted(&**text)),
        }
    }
}
