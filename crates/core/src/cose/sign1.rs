//! An envelope whose headers hold.

use super::{FormError, HeaderMap, Outline, Profile, Protected, Tagging, ToBeSigned};

/// A COSE_Sign1 that has been parsed, not yet verified.
///
/// ```cddl
/// COSE_Sign1_Tagged = #6.18([
///   protected: bstr .cbor header-map, unprotected: header-map, payload: bstr / nil, signature: bstr
/// ])
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sign1<'a> {
    header: Protected<'a>,
    outline: Outline<'a>,
    signature_place: SignaturePlace,
    /// If it is one of several, its own header, of which `header` has the algorithm and the key id already: it is small, since
    /// all envelopes have room for it.
    signer: Option<SignerHeader<'a>>,
}

/// The header of one of several signers.
#[derive(Clone, Copy, Debug)]
struct SignerHeader<'a> {
    map: HeaderMap<'a>,
    bytes: &'a [u8],
}

/// Where in an envelope its signature field is.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignaturePlace {
    /// Where it begins, without its head.
    pub(super) at: usize,
    /// How long it is. There may be more of it than was kept.
    pub(super) bytes: usize,
}

impl<'a> Sign1<'a> {
    /// Parses the whole of `input` as one envelope and keeps the protected bytes as received.
    ///
    /// # Errors
    ///
    /// Those of [`Outline::parse`], and by the headers [`FormError::AlgorithmMissing`],
    /// [`FormError::AlgorithmUnsupported`], [`FormError::Claims`], [`FormError::CritMalformed`],
    /// [`FormError::CritUnknown`], [`FormError::HashUnsupported`], [`FormError::LabelInBothHeaders`] and
    /// [`FormError::LabelUnprotected`].
    #[inline]
    pub fn parse(input: &'a [u8], tagging: Tagging, profile: &Profile) -> Result<Self, FormError> {
        let (outline, index) = Outline::read(input, tagging)?;
        let header = Protected::read(outline.protected, &index, &outline.unprotected, profile)?;
        let bytes = outline.signature.len();
        // The last item ends where the envelope does.
        let signature_place = SignaturePlace { at: input.len().saturating_sub(bytes), bytes };
        Ok(Self { header, outline, signature_place, signer: None })
    }

    pub(super) const fn new(
        header: Protected<'a>,
        outline: Outline<'a>,
        signature_place: SignaturePlace,
    ) -> Self {
        Self { header, outline, signature_place, signer: None }
    }

    /// Makes it one signature of several.
    pub(super) const fn by_one_of_several(self, map: HeaderMap<'a>, bytes: &'a [u8]) -> Self {
        Self { signer: Some(SignerHeader { map, bytes }), ..self }
    }

    /// Returns what the header says with a label that is the signer's own: of one of several, not that of the body.
    #[must_use]
    pub fn signer_value(&self, label: i64) -> Option<&'a [u8]> {
        match &self.signer {
            Some(signer) => signer.map.get(label),
            None => self.header.get(label),
        }
    }

    /// Returns whether it is one of several.
    #[must_use]
    pub const fn is_one_of_several(&self) -> bool {
        self.signer.is_some()
    }

    /// Returns what the protected header says.
    #[must_use]
    pub const fn header(&self) -> &Protected<'a> {
        &self.header
    }

    /// Returns the protected header as received, without the head of its byte string.
    #[must_use]
    pub const fn protected_bytes(&self) -> &'a [u8] {
        self.outline.protected_bytes
    }

    /// Returns the unprotected header, which anyone can have written.
    #[must_use]
    pub const fn unprotected(&self) -> &HeaderMap<'a> {
        &self.outline.unprotected
    }

    /// Returns the payload, which has not been verified; `None` if it is detached.
    #[must_use]
    pub const fn unverified_payload(&self) -> Option<&'a [u8]> {
        self.outline.payload
    }

    /// Returns where in the envelope the payload is.
    pub(crate) fn payload_range(&self) -> std::ops::Range<usize> {
        let start = self.outline.payload_at;
        start..start.saturating_add(self.outline.payload.map_or(0, <[u8]>::len))
    }

    /// Returns the signature field. In a large envelope, one that is longer than any signature is cut.
    #[must_use]
    pub const fn signature(&self) -> &'a [u8] {
        self.outline.signature
    }

    /// Returns where in the envelope the signature field begins, without its head.
    pub(crate) const fn signature_at(&self) -> usize {
        self.signature_place.at
    }

    /// Returns how long the signature field is. It is longer than [`signature`](Self::signature) where it is too
    /// long to be kept.
    pub(crate) const fn signature_bytes(&self) -> usize {
        self.signature_place.bytes
    }

    /// Returns the Sig_structure over `payload`.
    #[must_use]
    pub fn to_be_signed<'b>(&self, external_aad: &'b [u8], payload: &'b [u8]) -> ToBeSigned<'b>
    where
        'a: 'b,
    {
        self.of_this_signer(ToBeSigned::new(self.outline.protected_bytes, external_aad, payload))
    }

    /// Returns the Sig_structure before a payload of so many bytes.
    pub(crate) fn before_payload<'b>(
        &self,
        external_aad: &'b [u8],
        payload_bytes: u64,
    ) -> ToBeSigned<'b>
    where
        'a: 'b,
    {
        let before = ToBeSigned::before(self.outline.protected_bytes, external_aad, payload_bytes);
        self.of_this_signer(before)
    }

    fn of_this_signer<'b>(&self, signed: ToBeSigned<'b>) -> ToBeSigned<'b>
    where
        'a: 'b,
    {
        match &self.signer {
            Some(signer) => signed.by_one_of_several(signer.bytes),
            None => signed,
        }
    }
}
