//! Header maps (RFC 9052, Section 3) and what brine reads from the protected one.

use std::borrow::Cow;
use std::fmt;

use super::{Algorithm, MAX_HEADER_BYTES, MAX_LABELS, Position, Sequence, label};
use crate::cbor::{self, Decoder, Malformed};
use crate::claims::Claims;
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::kind::Kind;

/// The label of a header parameter (RFC 9052, Section 1.5): an integer or text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// An integer, as in the registry.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
}

impl<'a> Label<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, Malformed> {
        match decoder.peek()? {
            cbor::Kind::Text => decoder.text().map(|text| Self::Text(Cow::Borrowed(text))),
            _ => decoder.int().map(Self::Int),
        }
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

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(label) => label.fmt(f),
            // Quoted and escaped: the text is somebody else's.
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// A header map: well-formed, within its limits, without a repeated label.
///
/// ```cddl
/// header-map = { * (int / tstr) => any }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderMap<'a> {
    /// The whole map; empty for the empty protected header, which has no map at all.
    bytes: &'a [u8],
}

impl<'a> HeaderMap<'a> {
    const EMPTY: Self = Self { bytes: &[0xa0] };

    /// Reads the next item as a header map.
    pub(super) fn decode(decoder: &mut Decoder<'a>) -> Result<Self> {
        let mut head = *decoder;
        let pairs = head.map()?;
        // Both limits come before the map is read: reading it costs memory for each of its keys.
        if pairs > MAX_LABELS {
            return Err(Error::TooManyLabels { found: pairs, limit: MAX_LABELS });
        }
        let bytes = decoder.skip_within(MAX_HEADER_BYTES)?;
        let bytes = bytes.ok_or(Error::HeaderTooLarge { limit: MAX_HEADER_BYTES })?;
        for _ in 0..pairs {
            Label::decode(&mut head)?;
            head.skip()?;
        }
        Ok(Self { bytes })
    }

    /// Reads the protected header: a byte string that holds a map, or nothing (RFC 9052, Section 3).
    pub(super) fn decode_protected(bytes: &'a [u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::EMPTY);
        }
        let mut decoder = Decoder::new(bytes);
        let map = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(map)
    }

    /// Returns the labels with the bytes of their values, in the order of the map.
    pub fn iter(&self) -> impl Iterator<Item = (Label<'a>, &'a [u8])> + use<'a> {
        let mut decoder = Decoder::new(self.bytes);
        let pairs = decoder.map().unwrap_or(0);
        (0..pairs)
            .map_while(move |_| Some((Label::decode(&mut decoder).ok()?, decoder.skip().ok()?)))
    }

    /// Returns the value with an integer label.
    #[must_use]
    pub fn get(&self, label: i64) -> Option<&'a [u8]> {
        self.iter().find_map(|(found, value)| (found == Label::Int(label)).then_some(value))
    }

    /// Returns whether it has no header parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn contains(&self, label: &Label<'_>) -> bool {
        self.iter().any(|(found, _)| found == *label)
    }
}

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
    /// Reads what a person types: a number, or anything with a slash in it.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Ok(format) = text.parse() {
            return Some(Self::Format(format));
        }
        let (kind, subtype) = text.split_once('/')?;
        let graphic = |part: &str| !part.is_empty() && !part.contains(char::is_control);
        (graphic(kind) && graphic(subtype) && text.trim() == text).then_some(Self::Media(text))
    }

    pub(crate) fn decode(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(value);
        if decoder.peek()? == cbor::Kind::Text {
            return decoder.text().map(Self::Media);
        }
        let number = decoder.int()?;
        u16::try_from(number)
            .map(Self::Format)
            .map_err(|_| Malformed::new(0, crate::cbor::Flaw::IntegerRange))
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

/// What brine reads from a protected header, and acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protected<'a> {
    map: HeaderMap<'a>,
    /// `alg` (1).
    pub algorithm: Algorithm,
    /// The claims (15); none of them if the header parameter is absent.
    pub claims: Claims<'a>,
    /// `content type` (3) of the payload.
    pub content_type: Option<ContentType<'a>>,
    /// `payload-hash-alg` (258): the payload is a digest, made with this (RFC 9995).
    pub hash: Option<HashAlgorithm>,
    /// `kid` (4): whose key this may be. A hint, never a reason to trust.
    pub key_id: Option<&'a [u8]>,
    /// Where it stands in its stream (−70001).
    pub position: Option<Position>,
    /// `preimage content type` (259): that of what the payload is the digest of.
    pub preimage_content_type: Option<ContentType<'a>>,
    /// Which record of a channel it is (−70004).
    pub sequence: Option<Sequence>,
    /// `typ` (16): what the envelope is for.
    pub typ: Option<ContentType<'a>>,
}

impl<'a> Protected<'a> {
    /// Holds both header maps to the rules of RFC 9052, Section 3, and of SPEC.md.
    pub(super) fn read(map: HeaderMap<'a>, unprotected: &HeaderMap<'_>) -> Result<Self> {
        judge_unprotected(&map, unprotected)?;
        judge_crit(&map)?;
        let get = |label| map.get(label).map(Decoder::new);
        let content_type = |label| map.get(label).map(ContentType::decode).transpose();
        Ok(Self {
            map,
            algorithm: algorithm(get(label::ALG))?,
            claims: map.get(label::CWT_CLAIMS).map_or(Ok(Claims::default()), Claims::decode)?,
            content_type: content_type(label::CONTENT_TYPE)?,
            hash: get(label::PAYLOAD_HASH_ALG).map(hash_algorithm).transpose()?,
            key_id: get(label::KID).map(|mut value| value.bytes()).transpose()?,
            position: map.get(label::POSITION).map(Position::decode).transpose()?,
            preimage_content_type: content_type(label::PREIMAGE_CONTENT_TYPE)?,
            sequence: map.get(label::SEQUENCE).map(Sequence::decode).transpose()?,
            typ: content_type(label::TYP)?,
        })
    }

    /// Returns the whole map, for showing.
    #[must_use]
    pub const fn map(&self) -> HeaderMap<'a> {
        self.map
    }
}

fn algorithm(value: Option<Decoder<'_>>) -> Result<Algorithm> {
    let mut value = value.ok_or(Error::AlgorithmMissing)?;
    let found = Label::decode(&mut value)?;
    let known = match found {
        Label::Int(id) => Algorithm::from_id(id),
        Label::Text(_) => None,
    };
    known.ok_or_else(|| Error::AlgorithmUnsupported { found: found.into_owned() })
}

fn hash_algorithm(mut value: Decoder<'_>) -> Result<HashAlgorithm> {
    let found = Label::decode(&mut value)?;
    let known = match found {
        Label::Int(id) => HashAlgorithm::from_id(id),
        Label::Text(_) => None,
    };
    known.ok_or_else(|| Error::HashUnsupported { found: found.into_owned() })
}

/// Returns whether this protected header is that of a segment, broken or not.
pub(crate) fn starts_segment(protected: &[u8]) -> bool {
    let map = HeaderMap::decode_protected(protected).ok();
    let typ = map.and_then(|map| map.get(label::TYP)).and_then(|typ| ContentType::decode(typ).ok());
    matches!(typ, Some(ContentType::Media(typ)) if Some(typ) == Kind::Segment.typ())
}

/// Refuses what has no business outside the signature.
///
/// `alg` in the unprotected header alone comes out as [`Error::AlgorithmMissing`]: several libraries
/// take it, which lets anyone choose the algorithm.
fn judge_unprotected(protected: &HeaderMap<'_>, unprotected: &HeaderMap<'_>) -> Result<()> {
    for (label, _) in unprotected.iter() {
        if protected.contains(&label) {
            return Err(Error::LabelInBothHeaders { label: label.into_owned() });
        }
        if matches!(label, Label::Int(number) if PROTECTED_ONLY.contains(&number)) {
            return Err(Error::LabelUnprotected { label: label.into_owned() });
        }
    }
    Ok(())
}

/// `crit` (RFC 9052, Section 3.1): every label listed is present, and understood.
fn judge_crit(protected: &HeaderMap<'_>) -> Result<()> {
    // Whoever does not act on a sequence takes a record twice, and must know that.
    let numbered = protected.contains(&SEQUENCE);
    let unlisted = Error::CritMalformed { what: "it does not list the sequence, which is present" };
    let Some(value) = protected.get(label::CRIT) else {
        return if numbered { Err(unlisted) } else { Ok(()) };
    };
    let mut list = Decoder::new(value);
    let count = list.array()?;
    if count == 0 {
        return Err(Error::CritMalformed { what: "it lists nothing" });
    }
    if count > MAX_LABELS {
        return Err(Error::TooManyLabels { found: count, limit: MAX_LABELS });
    }
    let mut seen = Vec::new();
    for _ in 0..count {
        let label = Label::decode(&mut list)?;
        if !protected.contains(&label) {
            return Err(Error::CritMalformed {
                what: "it lists a header parameter that is absent",
            });
        }
        if seen.contains(&label) {
            return Err(Error::CritMalformed { what: "it lists a header parameter twice" });
        }
        if !matches!(label, Label::Int(number) if UNDERSTOOD.contains(&number)) {
            return Err(Error::CritUnknown { label: label.into_owned() });
        }
        seen.push(label);
    }
    if numbered && !seen.contains(&SEQUENCE) {
        return Err(unlisted);
    }
    Ok(())
}

const SEQUENCE: Label<'_> = Label::Int(label::SEQUENCE);

/// Header parameters that a verifier here acts on, and that `crit` may therefore list.
const UNDERSTOOD: [i64; 9] = [
    label::ALG,
    label::CONTENT_TYPE,
    label::KID,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::POSITION,
    label::SEQUENCE,
];

/// Header parameters that count only under the signature: RFC 9052, Section 3.1 (crit), RFC 9597,
/// Section 2 (claims), RFC 9995, Section 3 (hash envelopes), and the kind of the envelope.
const PROTECTED_ONLY: [i64; 8] = [
    label::POSITION,
    label::SEQUENCE,
    label::CRIT,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::PAYLOAD_LOCATION,
];
