//! The protected header: what the standards define of it.

use std::cell::OnceCell;

use super::header_label::labels_of;
use super::{Algorithm, ContentType, FormError, HeaderMap, Label, MAX_LABELS, label};
use crate::cbor::Decoder;
use crate::claims::Claims;
use crate::hash::HashAlgorithm;

/// The header parameters beyond the standards that an application understands in envelopes of its own types.
///
/// Private-use numbers belong to whoever uses them (RFC 8126, Section 4.1): in an envelope of any other type they
/// are numbers that nobody here knows.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The labels that `crit` may list besides those of the standards, and that count only under the signature.
    pub private: &'static [i64],
    /// Whether a media type is one of the application's own.
    pub is_own: fn(&str) -> bool,
}

impl Profile {
    /// Returns the labels that are known in envelopes of this type.
    fn private_under(&self, typ: Option<ContentType<'_>>) -> &'static [i64] {
        match typ {
            Some(ContentType::Media(media)) if (self.is_own)(media) => self.private,
            _ => &[],
        }
    }
}

/// What the standards define of a protected header.
#[derive(Clone, Copy, Debug)]
pub struct Protected<'a> {
    map: HeaderMap<'a>,
    labels: LabelFilter,
    others: OtherValues<'a>,
    crit: Option<&'a [u8]>,
    /// `alg` (1).
    pub algorithm: Algorithm,
    /// The claims set (15); empty if the header parameter is absent.
    pub claims: Claims<'a>,
    /// `content type` (3) of the payload.
    pub content_type: Option<ContentType<'a>>,
    /// `payload-hash-alg` (258): the payload is a digest, made with this (RFC 9995).
    pub hash: Option<HashAlgorithm>,
    /// `kid` (4): whose key this may be. A hint, never a reason to trust.
    pub key_id: Option<&'a [u8]>,
    /// `preimage content type` (259): that of the content that the payload is the digest of.
    pub preimage_content_type: Option<ContentType<'a>>,
    /// `typ` (16): what the envelope is for.
    pub typ: Option<ContentType<'a>>,
}

impl<'a> Protected<'a> {
    /// Holds both header maps to the rules of RFC 9052, Section 3, and of SPEC.md.
    pub(super) fn read(
        map: HeaderMap<'a>,
        index: &Index<'a>,
        unprotected: &HeaderMap<'_>,
        profile: &Profile,
    ) -> Result<Self, FormError> {
        Self::read_with(map, index, unprotected, profile, algorithm)
    }

    /// Does the same for the body of an envelope of several signers, which has no algorithm.
    pub(super) fn read_body(
        map: HeaderMap<'a>,
        index: &Index<'a>,
        unprotected: &HeaderMap<'_>,
        profile: &Profile,
    ) -> Result<Self, FormError> {
        Self::read_with(map, index, unprotected, profile, |_| Ok(Algorithm::default()))
    }

    // It is made where it stays: an envelope is read faster than its parts are moved twice.
    #[inline]
    fn read_with(
        map: HeaderMap<'a>,
        index: &Index<'a>,
        unprotected: &HeaderMap<'_>,
        profile: &Profile,
        algorithm: impl FnOnce(Option<&'a [u8]>) -> Result<Algorithm, FormError>,
    ) -> Result<Self, FormError> {
        let content_type = |value: Option<&'a [u8]>| value.map(ContentType::decode).transpose();
        let typ = content_type(index.typ)?;
        let private = profile.private_under(typ);
        let present = Present { map, index, sorted: OnceCell::new() };
        judge_unprotected(&present, unprotected, private)?;
        judge_crit(&present, private)?;
        Ok(Self {
            map,
            labels: index.labels,
            others: index.others,
            crit: index.crit,
            typ,
            algorithm: algorithm(index.algorithm)?,
            claims: index.claims.map_or(Ok(Claims::default()), Claims::decode)?,
            content_type: content_type(index.content_type)?,
            hash: index.hash.map(hash_algorithm).transpose()?,
            key_id: index.key_id.map(|value| Decoder::new(value).bytes()).transpose()?,
            preimage_content_type: content_type(index.preimage_content_type)?,
        })
    }

    /// Returns it with the algorithm and the key id of one of several signers.
    pub(super) const fn signed_by(self, signer: &Self) -> Self {
        Self { algorithm: signer.algorithm, key_id: signer.key_id, ..self }
    }

    /// Returns the value with an integer label.
    #[must_use]
    pub fn get(&self, label: i64) -> Option<&'a [u8]> {
        if !self.labels.may_have(label) {
            return None;
        }
        let known = self.others.iter().flatten().find(|(known, _)| *known == label);
        known.map_or_else(|| self.map.get(label), |(_, value)| Some(value))
    }

    /// Returns whether `crit` (2) lists this label.
    #[must_use]
    pub fn crit_lists(&self, label: i64) -> bool {
        self.crit.is_some_and(|list| labels_of(list).any(|found| found == Label::Int(label)))
    }

    /// Returns the whole map.
    #[must_use]
    pub const fn map(&self) -> HeaderMap<'a> {
        self.map
    }
}

/// The first parameters that no standard defines, so that finding one does not read the map again.
type OtherValues<'a> = [Option<(i64, &'a [u8])>; 4];

/// The values of the parameters that the standards define, found while a map was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Index<'a> {
    algorithm: Option<&'a [u8]>,
    claims: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    crit: Option<&'a [u8]>,
    hash: Option<&'a [u8]>,
    key_id: Option<&'a [u8]>,
    labels: LabelFilter,
    others: OtherValues<'a>,
    preimage_content_type: Option<&'a [u8]>,
    typ: Option<&'a [u8]>,
}

impl<'a> Index<'a> {
    pub(super) fn add(&mut self, label: i64, value: &'a [u8]) {
        self.labels.add(label);
        if let Some(place) = self.place(label) {
            *place = Some(value);
        } else if let Some(place) = self.others.iter_mut().find(|place| place.is_none()) {
            *place = Some((label, value));
        }
    }

    /// Returns the place of a parameter that the standards define.
    const fn place(&mut self, label: i64) -> Option<&mut Option<&'a [u8]>> {
        Some(match label {
            label::ALG => &mut self.algorithm,
            label::CONTENT_TYPE => &mut self.content_type,
            label::CRIT => &mut self.crit,
            label::CWT_CLAIMS => &mut self.claims,
            label::KID => &mut self.key_id,
            label::PAYLOAD_HASH_ALG => &mut self.hash,
            label::PREIMAGE_CONTENT_TYPE => &mut self.preimage_content_type,
            label::TYP => &mut self.typ,
            _ => return None,
        })
    }

    /// Returns whether the map has this label; `None` if only the map can tell.
    fn has(&self, label: i64) -> Option<bool> {
        if !self.labels.may_have(label) {
            return Some(false);
        }
        if self.others.iter().flatten().any(|(known, _)| *known == label) {
            return Some(true);
        }
        let mut found = *self;
        found.place(label).map(|place| place.is_some())
    }
}

/// Which labels a protected header has.
///
/// Where the index cannot tell, the map is read once more, however many labels are looked for: whoever makes a
/// header must not choose how often it is read.
struct Present<'a, 'i> {
    map: HeaderMap<'a>,
    index: &'i Index<'a>,
    sorted: OnceCell<Vec<Label<'a>>>,
}

impl Present<'_, '_> {
    fn has(&self, label: &Label<'_>) -> bool {
        let indexed = match label {
            Label::Int(number) => self.index.has(*number),
            Label::Text(_) => None,
        };
        indexed.unwrap_or_else(|| self.sorted().binary_search_by(|found| found.cmp(label)).is_ok())
    }

    fn sorted(&self) -> &[Label<'_>] {
        self.sorted.get_or_init(|| {
            let mut labels: Vec<_> = self.map.iter().map(|(label, _)| label).collect();
            labels.sort_unstable();
            labels
        })
    }
}

/// Which integer labels a map may have: one bit for each, that several share. It saves reading the map again to
/// find nothing.
#[derive(Clone, Copy, Debug, Default)]
struct LabelFilter(u64);

impl LabelFilter {
    const fn add(&mut self, label: i64) {
        self.0 |= Self::bit(label);
    }

    const fn may_have(self, label: i64) -> bool {
        self.0 & Self::bit(label) != 0
    }

    /// Multiplying by 2⁶⁴ over the golden ratio spreads labels that are near each other.
    const fn bit(label: i64) -> u64 {
        1 << (label.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }
}

fn algorithm(value: Option<&[u8]>) -> Result<Algorithm, FormError> {
    let value = value.ok_or(FormError::AlgorithmMissing)?;
    let found = Label::decode(&mut Decoder::new(value))?;
    let known = match found {
        Label::Int(id) => Algorithm::from_id(id),
        Label::Text(_) => None,
    };
    known.ok_or_else(|| FormError::AlgorithmUnsupported { found: found.into_owned() })
}

fn hash_algorithm(value: &[u8]) -> Result<HashAlgorithm, FormError> {
    let found = Label::decode(&mut Decoder::new(value))?;
    let known = match found {
        Label::Int(id) => HashAlgorithm::from_id(id),
        Label::Text(_) => None,
    };
    known.ok_or_else(|| FormError::HashUnsupported { found: found.into_owned() })
}

/// Refuses header parameters that have no business outside the signature.
///
/// `alg` in the unprotected header alone comes out as [`FormError::AlgorithmMissing`]: several libraries
/// take it, which lets anyone choose the algorithm.
fn judge_unprotected(
    present: &Present<'_, '_>,
    unprotected: &HeaderMap<'_>,
    private: &[i64],
) -> Result<(), FormError> {
    let only_protected = |number: &i64| PROTECTED_ONLY.contains(number) || private.contains(number);
    for (label, _) in unprotected.iter() {
        if present.has(&label) {
            return Err(FormError::LabelInBothHeaders { label: label.into_owned() });
        }
        if matches!(&label, Label::Int(number) if only_protected(number)) {
            return Err(FormError::LabelUnprotected { label: label.into_owned() });
        }
    }
    Ok(())
}

/// Judges `crit` (RFC 9052, Section 3.1): each label listed is present, and understood.
fn judge_crit(present: &Present<'_, '_>, private: &[i64]) -> Result<(), FormError> {
    let Some(value) = present.index.crit else { return Ok(()) };
    let mut list = Decoder::new(value);
    let count = list.array()?;
    if count == 0 {
        return Err(FormError::CritMalformed { what: "it lists nothing" });
    }
    if count > MAX_LABELS {
        return Err(FormError::TooManyLabels { found: count, limit: MAX_LABELS });
    }
    let understood = |number: &i64| UNDERSTOOD.contains(number) || private.contains(number);
    let mut seen = Vec::new();
    for _ in 0..count {
        let label = Label::decode(&mut list)?;
        if !present.has(&label) {
            let what = "it lists a header parameter that is absent";
            return Err(FormError::CritMalformed { what });
        }
        if !matches!(&label, Label::Int(number) if understood(number)) {
            return Err(FormError::CritUnknown { label: label.into_owned() });
        }
        // What is understood is little, so that this list is short.
        if seen.contains(&label) {
            let what = "it lists a header parameter twice";
            return Err(FormError::CritMalformed { what });
        }
        if count > 1 {
            seen.push(label);
        }
    }
    Ok(())
}

/// Header parameters of the standards that a verifier here acts on, and that `crit` may therefore list.
const UNDERSTOOD: [i64; 7] = [
    label::ALG,
    label::CONTENT_TYPE,
    label::KID,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
];

/// Header parameters that count only under the signature: RFC 9052, Section 3.1 (crit), RFC 9597,
/// Section 2 (claims), RFC 9995, Section 3 (hash envelopes), and the kind of the envelope.
const PROTECTED_ONLY: [i64; 6] = [
    label::CRIT,
    label::CWT_CLAIMS,
    label::TYP,
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::PAYLOAD_LOCATION,
];
