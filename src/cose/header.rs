//! Header maps (RFC 9052, Section 3) and what brine reads from the protected one.

use std::borrow::Cow;
use std::fmt;

use super::{Algorithm, MAX_HEADER_BYTES, MAX_LABELS, Position, Sequence, label};
use crate::cbor::{self, Decoder, Malformed};
use crate::claims::Claims;
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::job::{Grants, GrantsError, JobError};
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

    /// Reads the next item as a header map, and shows each integer label with its value to `see`.
    pub(super) fn decode(
        decoder: &mut Decoder<'a>,
        mut see: impl FnMut(i64, &'a [u8]),
    ) -> Result<Self> {
        // Both limits come before the map is read: reading it can cost memory for each of its keys.
        let pairs = { *decoder }.map()?;
        if pairs > MAX_LABELS {
            return Err(Error::TooManyLabels { found: pairs, limit: MAX_LABELS });
        }
        let bytes = decoder.map_within(MAX_HEADER_BYTES, |mut label, value| {
            if label.peek()? != cbor::Kind::Text {
                see(label.int()?, value);
            }
            Ok(())
        });
        Ok(Self { bytes: bytes?.ok_or(Error::HeaderTooLarge { limit: MAX_HEADER_BYTES })? })
    }

    /// Reads the protected header: a byte string that holds a map, or nothing (RFC 9052, Section 3).
    pub(super) fn decode_protected(bytes: &'a [u8]) -> Result<(Self, Found<'a>)> {
        let mut found = Found::default();
        if bytes.is_empty() {
            return Ok((Self::EMPTY, found));
        }
        let mut decoder = Decoder::new(bytes);
        let map = Self::decode(&mut decoder, |label, value| found.see(label, value))?;
        decoder.finish()?;
        Ok((map, found))
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

    /// Returns whether `crit` (2) lists these labels, in any order, and no others.
    pub(crate) fn crit_is(&self, expected: &[i64]) -> bool {
        let found = self.crit();
        let all = expected.iter().all(|label| found.contains(&Label::Int(*label)));
        all && found.len() == expected.len()
    }

    /// Returns whether `crit` (2) lists this label.
    pub(crate) fn crit_lists(&self, label: i64) -> bool {
        self.crit().contains(&Label::Int(label))
    }

    fn crit(&self) -> Vec<Label<'a>> {
        let Some(mut list) = self.get(label::CRIT).map(Decoder::new) else { return Vec::new() };
        let count = list.array().unwrap_or(0);
        (0..count).map_while(|_| Label::decode(&mut list).ok()).collect()
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
    /// What a job asks for (−70005), of the form that [`Grants::decode`] reads.
    grants: Option<&'a [u8]>,
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
    has_proof: bool,
}

/// The values of the header parameters that decide something, found while the map was read.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    algorithm: Option<&'a [u8]>,
    claims: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    crit: Option<&'a [u8]>,
    grants: Option<&'a [u8]>,
    hash: Option<&'a [u8]>,
    has_proof: bool,
    key_id: Option<&'a [u8]>,
    position: Option<&'a [u8]>,
    preimage_content_type: Option<&'a [u8]>,
    sequence: Option<&'a [u8]>,
    typ: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    fn see(&mut self, label: i64, value: &'a [u8]) {
        let place = match label {
            label::ALG => &mut self.algorithm,
            label::CONTENT_TYPE => &mut self.content_type,
            label::CRIT => &mut self.crit,
            label::CWT_CLAIMS => &mut self.claims,
            label::GRANTS => &mut self.grants,
            label::KID => &mut self.key_id,
            label::PAYLOAD_HASH_ALG => &mut self.hash,
            label::POSITION => &mut self.position,
            label::PREIMAGE_CONTENT_TYPE => &mut self.preimage_content_type,
            label::SEQUENCE => &mut self.sequence,
            label::TYP => &mut self.typ,
            label::VDS | label::VDP => {
                self.has_proof = true;
                return;
            }
            _ => return,
        };
        *place = Some(value);
    }
}

impl<'a> Protected<'a> {
    /// Holds both header maps to the rules of RFC 9052, Section 3, and of SPEC.md.
    pub(super) fn read(
        map: HeaderMap<'a>,
        found: &Found<'a>,
        unprotected: &HeaderMap<'_>,
    ) -> Result<Self> {
        judge_unprotected(&map, unprotected)?;
        judge_crit(&map, found.crit)?;
        let content_type = |value: Option<&'a [u8]>| value.map(ContentType::decode).transpose();
        let typ = content_type(found.typ)?;
        judge_grants(&map, found.grants, typ)?;
        Ok(Self {
            map,
            algorithm: algorithm(found.algorithm)?,
            claims: found.claims.map_or(Ok(Claims::default()), Claims::decode)?,
            content_type: content_type(found.content_type)?,
            grants: found.grants,
            hash: found.hash.map(hash_algorithm).transpose()?,
            key_id: found.key_id.map(|value| Decoder::new(value).bytes()).transpose()?,
            position: found.position.map(Position::decode).transpose()?,
            preimage_content_type: content_type(found.preimage_content_type)?,
            sequence: found.sequence.map(Sequence::decode).transpose()?,
            typ,
            has_proof: found.has_proof,
        })
    }

    /// Returns what a job asks for; nothing where it asks for nothing.
    ///
    /// # Errors
    ///
    /// [`GrantsError`]: but such a header is refused when it is parsed.
    pub fn grants(&self) -> Result<Grants, GrantsError> {
        self.grants.map_or_else(|| Ok(Grants::default()), Grants::decode)
    }

    /// Returns whether it has a parameter of a Merkle tree receipt (RFC 9942): 395 or 396.
    pub(super) const fn has_proof(&self) -> bool {
        self.has_proof
    }

    /// Returns the whole map, for showing.
    #[must_use]
    pub const fn map(&self) -> HeaderMap<'a> {
        self.map
    }
}

fn algorithm(value: Option<&[u8]>) -> Result<Algorithm> {
    let value = value.ok_or(Error::AlgorithmMissing)?;
    let found = Label::decode(&mut Decoder::new(value))?;
    let known = match found {
        Label::Int(id) => Algorithm::from_id(id),
        Label::Text(_) => None,
    };
    known.ok_or_else(|| Error::AlgorithmUnsupported { found: found.into_owned() })
}

fn hash_algorithm(value: &[u8]) -> Result<HashAlgorithm> {
    let found = Label::decode(&mut Decoder::new(value))?;
    let known = match found {
        Label::Int(id) => HashAlgorithm::from_id(id),
        Label::Text(_) => None,
    };
    known.ok_or_else(|| Error::HashUnsupported { found: found.into_owned() })
}

/// Returns whether this protected header is that of a segment, broken or not.
pub(crate) fn starts_segment(protected: &[u8]) -> bool {
    let found = HeaderMap::decode_protected(protected).ok();
    let typ = found.and_then(|(_, found)| ContentType::decode(found.typ?).ok());
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
fn judge_crit(protected: &HeaderMap<'_>, value: Option<&[u8]>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
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
    Ok(())
}

/// Grants: in a job, of their form, and so that whoever does not know them refuses the job.
fn judge_grants(
    map: &HeaderMap<'_>,
    value: Option<&[u8]>,
    typ: Option<ContentType<'_>>,
) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let form = |what: &str| Err(JobError::from(GrantsError::Form(what.to_owned())).into());
    if !matches!(typ, Some(ContentType::Media(typ)) if Some(typ) == Kind::Job.typ()) {
        return form("they are in what is no job");
    }
    if !map.crit_lists(label::GRANTS) {
        return form("crit does not list them");
    }
    Grants::decode(value).map_err(JobError::from)?;
    Ok(())
}

/// Header parameters that a verifier here acts on, and that `crit` may therefore list.
const UNDERSTOOD: [i64; 10] = [
    label::ALG,
    label::CONTENT_TYPE,
    label::KID,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::POSITION,
    label::SEQUENCE,
    label::GRANTS,
];

/// Header parameters that count only under the signature: RFC 9052, Section 3.1 (crit), RFC 9597,
/// Section 2 (claims), RFC 9995, Section 3 (hash envelopes), and the kind of the envelope.
const PROTECTED_ONLY: [i64; 9] = [
    label::POSITION,
    label::SEQUENCE,
    label::GRANTS,
    label::CRIT,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::PAYLOAD_LOCATION,
];
