//! The envelope itself (RFC 9052, Section 4.2).

use super::header::Found;
use super::{
    Algorithm, BatchProof, ContentType, HeaderMap, Label, Protected, Signature, TAG_SIGN1,
    ToBeSigned, label,
};
use crate::cbor::{Decoder, Head, Major};
use crate::error::{Error, Result};
use crate::kind::Kind;

/// A COSE_Sign1 that has been parsed and is believed in nothing.
///
/// ```cddl
/// COSE_Sign1_Tagged = #6.18([
///   protected: bstr .cbor header-map, unprotected: header-map, payload: bstr / nil,
///   signature: bstr .size 64 / bstr .cbor batch-proof
/// ])
/// ```
///
/// What acts on content takes a [`Verified`](crate::Verified), which [`verify`](crate::verify)
/// makes and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Sign1<'a> {
    header: Protected<'a>,
    outline: Outline<'a>,
    signature: Signature<'a>,
}

/// Whether an envelope must bear its tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tagging {
    /// A bare array is taken too: somebody knows that it is a COSE_Sign1.
    Optional,
    /// Tag 18 must be there.
    #[default]
    Required,
}

impl<'a> Sign1<'a> {
    /// Parses the whole of `input` as one envelope and keeps the protected bytes as received.
    ///
    /// # Errors
    ///
    /// - [`Error::NotAnEnvelope`], [`Error::OtherCose`], [`Error::Untagged`] by the first bytes;
    /// - [`Error::Malformed`], [`Error::HeaderTooLarge`], [`Error::TooManyLabels`],
    ///   [`Error::SignatureLength`], [`Error::ProofForm`], [`Error::ProofSize`], [`Error::ProofPath`] by
    ///   the form;
    /// - [`Error::AlgorithmMissing`], [`Error::AlgorithmUnsupported`], [`Error::ClaimRange`],
    ///   [`Error::CritMalformed`], [`Error::CritUnknown`], [`Error::LabelInBothHeaders`],
    ///   [`Error::LabelUnprotected`] by the headers.
    pub fn parse(input: &'a [u8], tagging: Tagging) -> Result<Self> {
        let (outline, found) = Outline::read(input, tagging)?;
        // The last item ends where the envelope does.
        let signature_at = input.len().saturating_sub(outline.signature.len());
        Self::read(outline, &found, signature_at)
    }

    /// Holds the four parts to the rules of their contents. `signature_at` is where in the envelope the
    /// bytes of the signature are.
    pub(super) fn read(
        outline: Outline<'a>,
        found: &Found<'a>,
        signature_at: usize,
    ) -> Result<Self> {
        let header = Protected::read(outline.protected, found, &outline.unprotected)?;
        let field = outline.signature;
        let signature = match header.algorithm {
            Algorithm::Batch => Signature::Batch(BatchProof::parse(field, signature_at)?),
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                let length = |_| Error::SignatureLength { found: field.len() };
                Signature::Plain(field.try_into().map_err(length)?)
            }
        };
        Ok(Self { header, outline, signature })
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

    /// Returns the bytes where a payload stands, which nobody has vouched for; `None` if detached.
    #[must_use]
    pub const fn unverified_payload(&self) -> Option<&'a [u8]> {
        self.outline.payload
    }

    /// Returns the signature: alone, or that of a batch with the envelope's place in it.
    #[must_use]
    pub const fn signature(&self) -> Signature<'a> {
        self.signature
    }

    /// Returns the Sig_structure over `payload`.
    #[must_use]
    pub fn to_be_signed<'b>(&self, external_aad: &'b [u8], payload: &'b [u8]) -> ToBeSigned<'b>
    where
        'a: 'b,
    {
        ToBeSigned::new(self.outline.protected_bytes, external_aad, payload)
    }

    /// Returns what the envelope says it is for. `foreign_typ` is a type the caller asked for.
    ///
    /// Without `typ` it is data. Data, own or foreign, is taken for what it carries if that is the
    /// digest of something else (258) or a proof (395, 396), so that neither comes out as content.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTyp`]; [`Error::AlgorithmUnsupported`] if envelopes of this kind are not signed
    /// in batches, and this one is.
    pub fn kind(&self, foreign_typ: Option<&str>) -> Result<Kind> {
        let stated = self.stated_kind(foreign_typ)?;
        let kind = match stated {
            Kind::Data | Kind::Foreign => self.carried_kind().unwrap_or(stated),
            other => other,
        };
        let algorithm = self.header.algorithm;
        if algorithm == Algorithm::Batch && !kind.may_be_batched() {
            return Err(Error::AlgorithmUnsupported { found: Label::Int(algorithm.id()) });
        }
        Ok(kind)
    }

    fn stated_kind(&self, foreign_typ: Option<&str>) -> Result<Kind> {
        let Some(typ) = self.header.typ else { return Ok(Kind::Data) };
        let own = match typ {
            ContentType::Format(_) => None,
            ContentType::Media(media) => Kind::from_typ(media),
        };
        match own {
            Some(kind) => Ok(kind),
            None if foreign_typ.is_some_and(|asked| typ.to_string() == asked) => Ok(Kind::Foreign),
            None => Err(Error::UnknownTyp { typ: typ.to_string() }),
        }
    }

    fn carried_kind(&self) -> Option<Kind> {
        if self.header.hash.is_some() {
            return Some(Kind::Digest);
        }
        let outside = |label| self.outline.unprotected.get(label).is_some();
        let proof = self.header.has_proof() || outside(label::VDS) || outside(label::VDP);
        proof.then_some(Kind::Receipt)
    }
}

/// The four parts of a COSE_Sign1, of any algorithm and kind: well-formed, and nothing more.
///
/// For showing what an envelope claims. [`Sign1`] is what may be verified.
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
    /// The signature, of any length.
    pub signature: &'a [u8],
}

impl<'a> Outline<'a> {
    /// Parses the whole of `input` as one COSE_Sign1.
    ///
    /// # Errors
    ///
    /// Those of [`Sign1::parse`] by the first bytes and by the form.
    pub fn parse(input: &'a [u8], tagging: Tagging) -> Result<Self> {
        Self::read(input, tagging).map(|(outline, _)| outline)
    }

    fn read(input: &'a [u8], tagging: Tagging) -> Result<(Self, Found<'a>)> {
        let mut decoder = Decoder::new(input);
        if recognise(input, tagging)? == Form::Tagged {
            decoder.tag()?;
        }
        decoder.array_of(4)?;
        let protected_bytes = decoder.bytes()?;
        let offset = decoder.position().saturating_sub(protected_bytes.len());
        let (protected, found) =
            HeaderMap::decode_protected(protected_bytes).map_err(|error| error.within(offset))?;
        let unprotected = HeaderMap::decode(&mut decoder, |_, _| ())?;
        let payload = decoder.bytes_or_nil()?;
        let signature = decoder.bytes()?;
        decoder.finish()?;
        Ok((Self { protected, protected_bytes, unprotected, payload, signature }, found))
    }
}

/// How an envelope begins.
#[derive(PartialEq, Eq)]
pub(super) enum Form {
    Bare,
    Tagged,
}

/// Tells an envelope from what is none, by its first head.
pub(super) fn recognise(input: &[u8], tagging: Tagging) -> Result<Form> {
    if input.is_empty() {
        return Err(Error::NotAnEnvelope { found: "input is empty" });
    }
    let head = Head::read(input).ok();
    let head = head.ok_or(Error::NotAnEnvelope { found: "input is not CBOR" })?;
    match (head.major, head.argument) {
        (Major::Tag, TAG_SIGN1) => Ok(Form::Tagged),
        (Major::Tag, tag) => Err(match other_cose(tag) {
            Some(name) => Error::OtherCose { tag, name },
            None => Error::NotAnEnvelope { found: "input begins with another CBOR tag than 18" },
        }),
        (Major::Array, 4) if tagging == Tagging::Optional => Ok(Form::Bare),
        (Major::Array, 4) if looks_like_sign1(input) => Err(Error::Untagged),
        _ => Err(Error::NotAnEnvelope { found: "input does not begin with CBOR tag 18" }),
    }
}

/// The message types of RFC 9052, Section 2, and RFC 9338, Section 3.
const fn other_cose(tag: u64) -> Option<&'static str> {
    Some(match tag {
        16 => "COSE_Encrypt0",
        17 => "COSE_Mac0",
        19 => "COSE_Countersignature",
        96 => "COSE_Encrypt",
        97 => "COSE_Mac",
        98 => "COSE_Sign",
        _ => return None,
    })
}

fn looks_like_sign1(input: &[u8]) -> bool {
    let mut decoder = Decoder::new(input);
    decoder.array_of(4).is_ok() && decoder.bytes().is_ok() && decoder.map().is_ok()
}
