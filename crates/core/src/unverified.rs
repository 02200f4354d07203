//! An envelope as brine reads it: parsed, not yet verified.

mod signatures;

use crate::batch::Signature;
use crate::cbor::Decoder;
use crate::certificates::{Certificates, judge_form};
use crate::cose::{
    Algorithm, ContentType, FormError, Label, MAX_SIGNERS, Protected, Sign1, Tagging, label,
};
use crate::error::KindError;
use crate::hash::HashAlgorithm;
use crate::key::KeyId;
use crate::kind::{Kind, PROFILE};
use crate::position::Position;
use crate::sequence::Sequence;

pub use self::signatures::Signatures;

/// An envelope that has been parsed, not yet verified: a COSE_Sign1, its signature, and the form of the
/// header parameters that are brine's own.
#[derive(Clone, Copy, Debug)]
pub struct UnverifiedEnvelope<'a> {
    sign1: Sign1<'a>,
    signature: Signature<'a>,
    /// The kind of brine's that its type states.
    own_kind: Option<Kind>,
}

impl<'a> UnverifiedEnvelope<'a> {
    /// Parses the whole of `input` as one envelope.
    ///
    /// # Errors
    ///
    /// Those of [`Sign1::parse`] and [`Signature::of`]; by what is brine's own [`FormError::Certificates`], [`FormError::Grants`], [`FormError::Result`],
    /// [`FormError::Position`], [`FormError::Sequence`], [`FormError::SequenceVersion`] and
    /// [`FormError::StreamVersion`].
    pub fn parse(input: &'a [u8], tagging: Tagging) -> Result<Self, FormError> {
        Self::new(Sign1::parse(input, tagging, &PROFILE)?)
    }

    /// Judges the form of what COSE leaves to its users.
    // Inlined with what it takes, so that the parts of an envelope are not moved on the way.
    #[inline]
    pub(crate) fn new(sign1: Sign1<'a>) -> Result<Self, FormError> {
        let own_kind = Kind::stated_by(sign1.header().typ);
        judge_private(sign1.header(), own_kind, sign1.is_one_of_several())?;
        if sign1.is_one_of_several() {
            judge_signer(&sign1, own_kind)?;
        }
        let signature = Signature::of(&sign1)?;
        Ok(Self { sign1, signature, own_kind })
    }

    /// Returns the COSE_Sign1.
    #[must_use]
    pub const fn sign1(&self) -> &Sign1<'a> {
        &self.sign1
    }

    /// Returns what the protected header says.
    #[must_use]
    pub const fn header(&self) -> &Protected<'a> {
        self.sign1.header()
    }

    /// Returns the signature: alone, or that of a batch with the envelope's place in it.
    #[must_use]
    pub const fn signature(&self) -> Signature<'a> {
        self.signature
    }

    /// Returns the value of a private header parameter, which is brine's under a type of brine's alone.
    #[must_use]
    pub fn private(&self, label: i64) -> Option<&'a [u8]> {
        self.own_kind.and_then(|_| self.header().get(label))
    }

    /// Returns the certificates that it brings for its key.
    #[must_use]
    pub fn certificates(&self) -> Option<Certificates> {
        let value = self.own_kind.and_then(|_| self.sign1.signer_value(label::CERTIFICATES));
        value.and_then(|value| Certificates::decode(value).ok())
    }

    /// Returns the ids of the keys whose signatures it says that it needs.
    pub fn needed_signers(&self) -> impl Iterator<Item = KeyId> {
        let mut list = Decoder::new(self.private(label::SIGNERS).unwrap_or_default());
        let count = list.array().unwrap_or(0);
        (0..count).map_while(move |_| list.sized().ok().copied().map(KeyId::from_bytes))
    }

    /// Returns what the envelope says it is for. `foreign_typ` is a type that the caller asked for.
    ///
    /// Data, a foreign type and no type at all that carry the digest of something else (258) or a proof (395, 396)
    /// are taken for that, so that neither comes out as content.
    ///
    /// # Errors
    ///
    /// [`KindError::UnknownTyp`]; [`KindError::Batched`] if envelopes of this kind are not signed in batches,
    /// and this one is.
    pub fn kind(&self, foreign_typ: Option<&str>) -> Result<Kind, KindError> {
        let stated = self.stated_kind(foreign_typ)?;
        let kind = match stated {
            Kind::Data | Kind::Foreign | Kind::Untyped => self.carried_kind().unwrap_or(stated),
            other => other,
        };
        let algorithm = self.header().algorithm;
        if algorithm == Algorithm::Batch && !kind.may_be_batched() {
            return Err(KindError::Batched { found: Label::Int(algorithm.id()) });
        }
        Ok(kind)
    }

    fn stated_kind(&self, foreign_typ: Option<&str>) -> Result<Kind, KindError> {
        let Some(typ) = self.header().typ else { return Ok(Kind::Untyped) };
        match self.own_kind {
            Some(kind) => Ok(kind),
            None if foreign_typ.is_some_and(|asked| is_asked_for(typ, asked)) => Ok(Kind::Foreign),
            None => Err(KindError::UnknownTyp { typ: typ.to_string() }),
        }
    }

    fn carried_kind(&self) -> Option<Kind> {
        if self.header().hash.is_some() {
            return Some(Kind::Digest);
        }
        let mut proofs = [label::VDS, label::VDP].into_iter();
        let mut beside = self.sign1.unprotected().iter();
        let is_receipt = proofs.any(|label| self.header().get(label).is_some())
            || beside.any(|(label, _)| matches!(label, Label::Int(label::VDS | label::VDP)));
        is_receipt.then_some(Kind::Receipt)
    }
}

/// Returns whether this is the foreign type that a caller named. A type of brine's own is nobody else's, whoever
/// asks for it.
fn is_asked_for(typ: ContentType<'_>, asked: &str) -> bool {
    let asked = asked.parse().map_or(ContentType::Media(asked), ContentType::Format);
    !matches!(typ, ContentType::Media(media) if Kind::is_reserved_typ(media))
        && typ.is_same_as(&asked)
}

/// Judges the form of what is brine's own: each header parameter by the rule of the kind that it belongs to.
///
/// Under any other type, or none, private numbers are somebody else's, and mean nothing here.
fn judge_private(
    header: &Protected<'_>,
    own_kind: Option<Kind>,
    is_of_several: bool,
) -> Result<(), FormError> {
    let Some(kind) = own_kind else { return judge_foreign(header) };
    if let Some(value) = header.get(label::CERTIFICATES) {
        judge_form(value)?;
    }
    if header.get(label::GRANTS).is_some() {
        let place = Place::of(header, label::GRANTS, kind == Kind::Job);
        place.judge().map_err(|what| FormError::Grants { what })?;
    }
    if let Some(value) = header.get(label::POSITION) {
        if kind != Kind::Segment {
            return Err(FormError::Position { what: "it is in an envelope that is not a segment" });
        }
        Position::decode(value)?;
    }
    if header.get(label::RESULT).is_some() {
        let place = Place::of(header, label::RESULT, kind == Kind::Result);
        place.judge().map_err(|what| FormError::Result { what })?;
    }
    if let Some(value) = header.get(label::SIGNERS) {
        let place = Place::of(header, label::SIGNERS, is_of_several);
        place.judge().map_err(|what| FormError::Signers { what })?;
        judge_needed(value)?;
    }
    if let Some(value) = header.get(label::SEQUENCE) {
        let place = Place::of(header, label::SEQUENCE, kind == Kind::Data);
        place.judge().map_err(|what| FormError::Sequence { what })?;
        Sequence::decode(value)?;
    }
    Ok(())
}

/// Holds the list of the signers that an envelope needs to its form.
///
/// ```cddl
/// signers = [1*16 bstr .size 32]   ; ids of keys, each once
/// ```
fn judge_needed(value: &[u8]) -> Result<(), FormError> {
    let mut list = Decoder::new(value);
    let count = list.array()?;
    if !usize::try_from(count).is_ok_and(|count| (1..=MAX_SIGNERS).contains(&count)) {
        return Err(FormError::Signers { what: "it needs none, or more than sixteen" });
    }
    let mut seen = Vec::new();
    for _ in 0..count {
        let id = *list.sized::<32>()?;
        if seen.contains(&id) {
            return Err(FormError::Signers { what: "it needs a signer twice" });
        }
        seen.push(id);
    }
    Ok(list.finish()?)
}

/// Holds what one of several signers says, beside the body, to its place.
fn judge_signer(sign1: &Sign1<'_>, own_kind: Option<Kind>) -> Result<(), FormError> {
    let body = sign1.header();
    let Some(kind) = own_kind else { return Ok(()) };
    if !kind.may_have_several() {
        return Err(FormError::Signers { what: "envelopes of this kind have one signer" });
    }
    if let Some(value) = sign1.signer_value(label::CERTIFICATES) {
        judge_form(value)?;
    }
    if body.get(label::SEQUENCE).is_some() {
        // Numbers are those of a signer's channel.
        return Err(FormError::Signers { what: "it is numbered, as what one signer signs" });
    }
    if body.get(label::CERTIFICATES).is_some() {
        return Err(FormError::Signers { what: "the body has certificates, which are a signer's" });
    }
    let of_the_body =
        [label::POSITION, label::SEQUENCE, label::GRANTS, label::RESULT, label::SIGNERS];
    if of_the_body.iter().any(|label| sign1.signer_value(*label).is_some()) {
        return Err(FormError::Signers { what: "a signer states what the body has to" });
    }
    Ok(())
}

/// Where a private header parameter stands. Software that does not know it has to refuse the envelope, so that
/// `crit` lists it.
struct Place {
    is_of_its_kind: bool,
    is_critical: bool,
}

impl Place {
    fn of(header: &Protected<'_>, label: i64, is_of_its_kind: bool) -> Self {
        Self { is_of_its_kind, is_critical: header.crit_lists(label) }
    }

    const fn judge(&self) -> Result<(), &'static str> {
        match self {
            Self { is_of_its_kind: false, .. } => Err("an envelope of this kind has none"),
            Self { is_critical: false, .. } => Err("crit does not list it"),
            Self { .. } => Ok(()),
        }
    }
}

/// Refuses the private algorithms of others.
fn judge_foreign(header: &Protected<'_>) -> Result<(), FormError> {
    let Protected { algorithm, hash, .. } = header;
    if is_private(algorithm.id()) {
        return Err(FormError::AlgorithmUnsupported { found: Label::Int(algorithm.id()) });
    }
    match hash.map(HashAlgorithm::id) {
        Some(id) if is_private(id) => Err(FormError::HashUnsupported { found: Label::Int(id) }),
        _ => Ok(()),
    }
}

/// Returns whether a number is for private use, as the registries of COSE have it.
const fn is_private(number: i64) -> bool {
    number < -65_536
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::{Encoder, HEADS_READ};

    /// An envelope with these headers, and how many heads are read until its kind is known.
    fn heads_read(protected: &[u8], unprotected: &[u8]) -> (usize, u64) {
        let mut envelope = Encoder::new();
        envelope.tag(18).array(4).bytes(protected).raw(unprotected).bytes(b"x").bytes(&[0; 64]);
        let envelope = envelope.into_bytes();
        let before = HEADS_READ.get();
        if let Ok(parsed) = UnverifiedEnvelope::parse(&envelope, Tagging::Required) {
            let _ = parsed.kind(None);
        }
        (envelope.len(), HEADS_READ.get() - before)
    }

    /// Maps with as much in them as there may be, in every order, that begin with the items of `before`.
    fn shapes(before: &[u8], pairs_before: u64, first: i64) -> Vec<Vec<u8>> {
        let zeros = |count: u16| {
            let mut array = Encoder::new();
            array.array(count.into()).raw(&vec![0; count.into()]);
            array.into_bytes()
        };
        let nested = (0..14).fold(vec![0], |deep, _| [b"\xa2\x02", &*deep, b"\x01\x00"].concat());
        let mut shapes = Vec::new();
        for labels in [4_u16, 990] {
            for value in [zeros(60_000 / labels), nested.clone()] {
                let (mut rising, mut falling, mut text) =
                    (Encoder::new(), Encoder::new(), Encoder::new());
                for map in [&mut rising, &mut falling, &mut text] {
                    map.map(pairs_before + u64::from(labels)).raw(before);
                }
                for label in first..first + i64::from(labels) {
                    rising.int(label).raw(&value);
                    falling.int(2 * first - label).raw(&value);
                    text.text(&label.to_string()).raw(&value);
                }
                shapes.extend([rising, falling, text].map(Encoder::into_bytes));
            }
        }
        shapes
    }

    /// Whoever makes a header chooses what is in it, and not how often it is read: no shape of one costs more than a
    /// few heads for each of its bytes.
    #[test]
    fn reading_a_header_takes_time_in_proportion_to_its_length() {
        let mut protected = shapes(b"\x01\x27", 1, 100_000);
        // What crit lists is looked for, whether it is there, is understood, or is neither.
        for listed in [100_000, 200_000, -70_005] {
            let mut before = Encoder::new();
            before.int(1).int(-8).int(16).text("application/vnd.brine.data+cose").int(2).array(990);
            for label in listed..listed + 990 {
                before.int(label);
            }
            protected.extend(shapes(before.as_bytes(), 3, 100_000));
        }
        let mut unprotected = shapes(&[], 0, 300_000);
        unprotected.push(vec![0xa0]);
        let mut most = 0;
        for (index, protected) in protected.iter().enumerate() {
            for turn in 0..2 {
                let unprotected = &unprotected[(index + 5 * turn) % unprotected.len()];
                let (bytes, heads) = heads_read(protected, unprotected);
                let share = heads / u64::try_from(bytes).unwrap();
                assert!(share < MOST_HEADS_PER_BYTE, "{heads} heads in {bytes} bytes");
                most = most.max(share);
            }
        }
        assert!(most > 0, "the bound is far from what is needed");
    }

    const MOST_HEADS_PER_BYTE: u64 = 8;
}
