//! An envelope as brine reads it: parsed, not yet verified.

use crate::batch::Signature;
use crate::cose::{Algorithm, ContentType, FormError, Label, Protected, Sign1, Tagging, label};
use crate::error::KindError;
use crate::kind::{Kind, PROFILE};
use crate::position::Position;
use crate::sequence::Sequence;

/// An envelope that has been parsed, not yet verified: a COSE_Sign1, its signature, and the form of the
/// header parameters that are brine's own.
#[derive(Clone, Copy, Debug)]
pub struct UnverifiedEnvelope<'a> {
    sign1: Sign1<'a>,
    signature: Signature<'a>,
}

impl<'a> UnverifiedEnvelope<'a> {
    /// Parses the whole of `input` as one envelope.
    ///
    /// # Errors
    ///
    /// Those of [`Sign1::parse`] and [`Signature::of`]; [`FormError::Grants`], [`FormError::SequenceVersion`]
    /// and [`FormError::StreamVersion`].
    pub fn parse(input: &'a [u8], tagging: Tagging) -> Result<Self, FormError> {
        Self::new(Sign1::parse(input, tagging, &PROFILE)?)
    }

    /// Judges the form of what COSE leaves to its users.
    // Inlined with what it takes, so that the parts of an envelope are not moved on the way.
    #[inline]
    pub(crate) fn new(sign1: Sign1<'a>) -> Result<Self, FormError> {
        judge_private(sign1.header())?;
        let signature = Signature::of(&sign1)?;
        Ok(Self { sign1, signature })
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

    /// Returns what the envelope says it is for. `foreign_typ` is a type that the caller asked for.
    ///
    /// Without `typ` it is data. Data, own or foreign, that carries the digest of something else (258) or a
    /// proof (395, 396) is taken for that, so that neither comes out as content.
    ///
    /// # Errors
    ///
    /// [`KindError::UnknownTyp`]; [`KindError::Batched`] if envelopes of this kind are not signed in batches,
    /// and this one is.
    pub fn kind(&self, foreign_typ: Option<&str>) -> Result<Kind, KindError> {
        let stated = self.stated_kind(foreign_typ)?;
        let kind = match stated {
            Kind::Data | Kind::Foreign => self.carried_kind().unwrap_or(stated),
            other => other,
        };
        let algorithm = self.header().algorithm;
        if algorithm == Algorithm::Batch && !kind.may_be_batched() {
            return Err(KindError::Batched { found: Label::Int(algorithm.id()) });
        }
        Ok(kind)
    }

    fn stated_kind(&self, foreign_typ: Option<&str>) -> Result<Kind, KindError> {
        let Some(typ) = self.header().typ else { return Ok(Kind::Data) };
        match own_kind(typ) {
            Some(kind) => Ok(kind),
            None if foreign_typ.is_some_and(|asked| typ.to_string() == asked) => Ok(Kind::Foreign),
            None => Err(KindError::UnknownTyp { typ: typ.to_string() }),
        }
    }

    fn carried_kind(&self) -> Option<Kind> {
        if self.header().hash.is_some() {
            return Some(Kind::Digest);
        }
        let has = |label| {
            self.header().get(label).is_some() || self.sign1.unprotected().get(label).is_some()
        };
        (has(label::VDS) || has(label::VDP)).then_some(Kind::Receipt)
    }
}

fn own_kind(typ: ContentType<'_>) -> Option<Kind> {
    match typ {
        ContentType::Format(_) => None,
        ContentType::Media(media) => Kind::from_typ(media),
    }
}

/// Judges the form of the private header parameters, each by the rule of the kind that it belongs to.
fn judge_private(header: &Protected<'_>) -> Result<(), FormError> {
    header.get(label::GRANTS).map_or(Ok(()), |_| judge_grants(header))?;
    header.get(label::POSITION).map_or(Ok(()), |value| Position::decode(value).map(drop))?;
    header.get(label::SEQUENCE).map_or(Ok(()), |value| Sequence::decode(value).map(drop))
}

/// Grants stand in jobs alone, and software that does not know them has to refuse the job. Their content is
/// for the crate of jobs to read.
fn judge_grants(header: &Protected<'_>) -> Result<(), FormError> {
    if header.typ.and_then(own_kind) != Some(Kind::Job) {
        return Err(FormError::Grants { what: "they are in an envelope that is not a job" });
    }
    if !header.map().crit_lists(label::GRANTS) {
        return Err(FormError::Grants { what: "crit does not list them" });
    }
    Ok(())
}
