//! All signatures of an envelope: one, or those of several signers.

use super::UnverifiedEnvelope;
use crate::cose::{FormError, Several, Tagging, begins_several};
use crate::kind::PROFILE;

/// An envelope with all of its signatures, parsed, not yet verified.
///
/// Each signature stands here as an envelope of its own: all of them have the same payload, claims and kind.
#[derive(Clone, Debug)]
pub struct Signatures<'a> {
    first: UnverifiedEnvelope<'a>,
    /// The others, of an envelope of several signers.
    others: Vec<UnverifiedEnvelope<'a>>,
}

impl<'a> Signatures<'a> {
    /// Parses the whole of `input` as one envelope, of one signer or of several (RFC 9052, Sections 4.1 and 4.2).
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedEnvelope::parse`], and of [`Several::parse`].
    pub fn parse(input: &'a [u8], tagging: Tagging) -> Result<Self, FormError> {
        if !begins_several(input) {
            let first = UnverifiedEnvelope::parse(input, tagging)?;
            return Ok(Self { first, others: Vec::new() });
        }
        let several = Several::parse(input, &PROFILE)?;
        let views = several.views().iter().copied().map(UnverifiedEnvelope::new);
        let mut views = views.collect::<Result<Vec<_>, _>>()?.into_iter();
        // Parsing refuses an envelope without a signature.
        let first = views.next().ok_or(FormError::Signers { what: "there is no signature" })?;
        Ok(Self { first, others: views.collect() })
    }

    /// Returns the first signature, with all that the others have in common with it.
    #[must_use]
    pub const fn first(&self) -> &UnverifiedEnvelope<'a> {
        &self.first
    }

    /// Returns all signatures, in the order of the envelope.
    pub fn iter(&self) -> impl Iterator<Item = &UnverifiedEnvelope<'a>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Returns whether it is an envelope of several signers, though only one may have signed it.
    #[must_use]
    pub const fn is_of_several(&self) -> bool {
        self.first.sign1().is_one_of_several()
    }
}
