//! The four parts of an envelope (RFC 9052, Section 4.2), and how to tell one by its first bytes.

use super::protected::{Index, Profile};
use super::{FormError, HeaderMap, Lookalike, Protected, TAG_SIGN1};
use crate::cbor::{Decoder, Head, Major};

/// Which tags an envelope may bear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tagging {
    /// A bare array, and what stands inside outer tags.
    Any,
    /// A bare array is taken too, because the caller knows that it is a COSE_Sign1.
    Optional,
    /// Tag 18 may stand inside the tags that say no more than the caller knows: 55799 (CBOR: RFC 8949, Section
    /// 3.4.6), 61 (a CWT: RFC 8392, Section 6), or the first around the second.
    Outer,
    /// Tag 18 must be there, and be the outermost.
    #[default]
    Required,
}

impl Tagging {
    /// Takes a bare array, too.
    #[must_use]
    pub const fn or_bare(self) -> Self {
        match self {
            Self::Any | Self::Outer => Self::Any,
            Self::Optional | Self::Required => Self::Optional,
        }
    }

    /// Takes outer tags, too.
    #[must_use]
    pub const fn or_outer(self) -> Self {
        match self {
            Self::Any | Self::Optional => Self::Any,
            Self::Outer | Self::Required => Self::Outer,
        }
    }

    const fn takes_bare(self) -> bool {
        matches!(self, Self::Any | Self::Optional)
    }

    const fn takes_outer(self) -> bool {
        matches!(self, Self::Any | Self::Outer)
    }
}

/// The four parts of a COSE_Sign1 of any algorithm and kind: well-formed, and nothing more.
///
/// It is for showing what an envelope claims.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    /// The protected header.
    pub protected: HeaderMap<'a>,
    /// The same as received, without the head of its byte string.
    pub protected_bytes: &'a [u8],
    /// The unprotected header.
    pub unprotected: HeaderMap<'a>,
    /// The payload; `None` if detached.
    pub payload: Option<&'a [u8]>,
    /// Where in the envelope the payload begins, without its head.
    pub payload_at: usize,
    /// The signature field, of any length.
    pub signature: &'a [u8],
}

impl<'a> Outline<'a> {
    /// Parses the whole of `input` as one COSE_Sign1.
    ///
    /// # Errors
    ///
    /// - [`FormError::NotAnEnvelope`], [`FormError::OtherCose`], [`FormError::OuterTag`] and
    ///   [`FormError::Untagged`] by the first bytes;
    /// - [`FormError::Malformed`], [`FormError::HeaderTooLarge`], [`FormError::TooManyLabels`] by the form.
    pub fn parse(input: &'a [u8], tagging: Tagging) -> Result<Self, FormError> {
        Self::read(input, tagging).map(|(outline, _)| outline)
    }

    pub(super) fn read(input: &'a [u8], tagging: Tagging) -> Result<(Self, Index<'a>), FormError> {
        let mut decoder = Decoder::new(input);
        begin(&mut decoder, input, tagging)?;
        let protected_bytes = decoder.bytes()?;
        let (headers, index) = Headers::read(&mut decoder, protected_bytes)?;
        let payload = decoder.bytes_or_nil()?;
        let payload_at = decoder.position().saturating_sub(payload.map_or(0, <[u8]>::len));
        let signature = decoder.bytes()?;
        decoder.finish()?;
        Ok((Outline { payload, payload_at, ..headers.outline(signature) }, index))
    }
}

/// Both headers of an envelope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headers<'a> {
    pub(super) protected: HeaderMap<'a>,
    pub(super) protected_bytes: &'a [u8],
    pub(super) unprotected: HeaderMap<'a>,
}

impl<'a> Headers<'a> {
    /// Parses the protected header that was just read from `decoder`, and the unprotected one behind it.
    pub(super) fn read(
        decoder: &mut Decoder<'a>,
        protected_bytes: &'a [u8],
    ) -> Result<(Self, Index<'a>), FormError> {
        let offset = decoder.position().saturating_sub(protected_bytes.len());
        let mut index = Index::default();
        let protected =
            HeaderMap::decode_protected(protected_bytes, |label, value| index.add(label, value))
                .map_err(|error| error.within(offset))?;
        let unprotected = HeaderMap::decode(decoder, |_, _| ())?;
        Ok((Self { protected, protected_bytes, unprotected }, index))
    }

    /// Returns the outline of an envelope whose payload is elsewhere.
    pub(super) const fn outline(self, signature: &'a [u8]) -> Outline<'a> {
        let Self { protected, protected_bytes, unprotected } = self;
        let (payload, payload_at) = (None, 0);
        Outline { protected, protected_bytes, unprotected, payload, payload_at, signature }
    }

    /// Holds both to the rules of their contents.
    pub(super) fn judge(
        &self,
        index: &Index<'a>,
        profile: &Profile,
    ) -> Result<Protected<'a>, FormError> {
        Protected::read(self.protected, index, &self.unprotected, profile)
    }
}

/// Reads the tags, if there must be or are any, and the head of the array.
pub(super) fn begin(
    decoder: &mut Decoder<'_>,
    input: &[u8],
    tagging: Tagging,
) -> Result<(), FormError> {
    let outermost = outer_tag(input);
    if let Some(tag) = outermost {
        let inside = skip_outer_tags(decoder, input)?;
        // What is inside is judged first: a token that is encrypted is no envelope with a tag too many.
        recognise(inside, Tagging::Required).map_err(|error| match error {
            FormError::Untagged => FormError::NotAnEnvelope { found: Lookalike::BareInside },
            other => other,
        })?;
        if !tagging.takes_outer() {
            return Err(FormError::OuterTag { tag, name: outer_name(tag).unwrap_or_default() });
        }
        decoder.tag()?;
    } else if recognise(input, tagging)? == Beginning::Tagged {
        decoder.tag()?;
    }
    Ok(decoder.array_of(4)?)
}

/// Returns the tag that an input begins with, if it is one that may stand around an envelope.
fn outer_tag(input: &[u8]) -> Option<u64> {
    // Envelopes begin with another byte, which is all that is looked at of them.
    let head =
        input.first().filter(|byte| **byte >= LONG_TAG).and_then(|_| Head::read(input).ok())?;
    (head.major == Major::Tag && outer_name(head.argument).is_some()).then_some(head.argument)
}

/// Reads the outer tags, each in its place, and returns what is inside.
fn skip_outer_tags<'a>(decoder: &mut Decoder<'_>, input: &'a [u8]) -> Result<&'a [u8], FormError> {
    let rest = |decoder: &Decoder<'_>| input.get(decoder.position()..).unwrap_or_default();
    for place in [TAG_SELF_DESCRIBED, TAG_CWT] {
        if outer_tag(rest(decoder)) == Some(place) {
            decoder.tag()?;
        }
    }
    Ok(rest(decoder))
}

/// Returns what a tag says that may stand around an envelope.
const fn outer_name(tag: u64) -> Option<&'static str> {
    match tag {
        TAG_CWT => Some("a CBOR Web Token"),
        TAG_SELF_DESCRIBED => Some("self-described CBOR"),
        _ => None,
    }
}

/// The initial byte of a tag that does not fit it.
const LONG_TAG: u8 = 0xd8;

/// A CBOR Web Token (RFC 8392, Section 6).
const TAG_CWT: u64 = 61;

/// Self-described CBOR (RFC 8949, Section 3.4.6).
const TAG_SELF_DESCRIBED: u64 = 55_799;

/// How an envelope begins.
#[derive(PartialEq, Eq)]
enum Beginning {
    Bare,
    Tagged,
}

/// Tells an envelope from anything else by its first head.
fn recognise(input: &[u8], tagging: Tagging) -> Result<Beginning, FormError> {
    if input.is_empty() {
        return Err(FormError::NotAnEnvelope { found: Lookalike::Empty });
    }
    let not_an_envelope =
        |otherwise| FormError::NotAnEnvelope { found: Lookalike::of(input, otherwise) };
    let head = Head::read(input).map_err(|_| not_an_envelope(Lookalike::NotCbor))?;
    match (head.major, head.argument) {
        (Major::Tag, TAG_SIGN1) => Ok(Beginning::Tagged),
        (Major::Tag, tag) => Err(match other_cose(tag) {
            Some(name) => FormError::OtherCose { tag, name },
            None => not_an_envelope(Lookalike::OtherTag),
        }),
        (Major::Array, 4) if tagging.takes_bare() => Ok(Beginning::Bare),
        (Major::Array, 4) if looks_like_sign1(input) => Err(FormError::Untagged),
        _ => Err(not_an_envelope(Lookalike::NoTag)),
    }
}

/// The message types of RFC 9052, Section 2, and RFC 9338, Section 3.
const fn other_cose(tag: u64) -> Option<&'static str> {
    Some(match tag {
        16 | 96 => "an encrypted COSE message",
        17 | 97 => "a COSE message with a MAC, which is no signature",
        19 => "a COSE countersignature",
        98 => "a COSE message for several signers",
        _ => return None,
    })
}

fn looks_like_sign1(input: &[u8]) -> bool {
    let mut decoder = Decoder::new(input);
    decoder.array_of(4).is_ok() && decoder.bytes().is_ok() && decoder.map().is_ok()
}
