//! COSE_Sign: one payload, and a signature of each of several signers (RFC 9052, Section 4.1).

use super::outline::Headers;
use super::protected::{Profile, Protected};
use super::sign1::SignaturePlace;
use super::{Algorithm, FormError, Sign1, label};
use crate::cbor::Decoder;

/// The CBOR tag of a COSE_Sign (RFC 9052, Section 4.1).
pub const TAG_SIGN: u64 = 98;

/// The most signatures of one envelope.
pub const MAX_SIGNERS: usize = 16;

/// A COSE_Sign that has been parsed, not yet verified.
///
/// ```cddl
/// COSE_Sign_Tagged = #6.98([
///   protected: bstr .cbor header-map, unprotected: header-map, payload: bstr / nil,
///   signatures: [1*16 [protected: bstr .cbor header-map, unprotected: header-map, signature: bstr]]
/// ])
/// ```
#[derive(Clone, Debug)]
pub struct Several<'a> {
    /// Each signature as if it were alone: the header of the body, with algorithm and key of the signer.
    views: Vec<Sign1<'a>>,
    /// Where the array of signatures begins, and where its first element does.
    signatures_at: (usize, usize),
}

/// Returns whether bytes begin as a COSE_Sign does.
#[must_use]
pub fn begins_several(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xd8, 98])
}

impl<'a> Several<'a> {
    /// Parses the whole of `input` as one envelope of several signers.
    ///
    /// # Errors
    ///
    /// Those of [`Sign1::parse`] by each of the headers; [`FormError::Signers`] if there is no signature, too many, the
    /// body names an algorithm or a key, or a signer states something else than the body.
    pub fn parse(input: &'a [u8], profile: &Profile) -> Result<Self, FormError> {
        let mut decoder = Decoder::new(input);
        let (headers, body) = read_body(&mut decoder, profile)?;
        let payload = decoder.bytes_or_nil()?;
        let payload_at = decoder.position().saturating_sub(payload.map_or(0, <[u8]>::len));
        let start = decoder.position();
        let count = decoder.array()?;
        let first = decoder.position();
        match usize::try_from(count) {
            Ok(0) => return Err(FormError::Signers { what: "there is no signature" }),
            Ok(1..=MAX_SIGNERS) => {}
            _ => return Err(FormError::Signers { what: "there are more than sixteen signatures" }),
        }
        let mut views = Vec::new();
        for _ in 0..count {
            let signature = OneSignature::read(&mut decoder, &body, profile)?;
            let outline = headers.outline(signature.field);
            let outline = super::Outline { payload, payload_at, ..outline };
            let header = body.signed_by(&signature.header);
            let place = SignaturePlace { at: signature.at, bytes: signature.field.len() };
            let view = Sign1::new(header, outline, place);
            views.push(view.by_one_of_several(signature.header.map(), signature.protected_bytes));
        }
        decoder.finish()?;
        Ok(Self { views, signatures_at: (start, first) })
    }

    /// Holds the beginning of an input to the form of such an envelope, up to the length of its payload.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse) by that part.
    pub(crate) fn judge_beginning(beginning: &'a [u8], profile: &Profile) -> Result<(), FormError> {
        let mut decoder = Decoder::new(beginning);
        read_body(&mut decoder, profile)?;
        decoder.bytes_head_or_nil()?;
        Ok(())
    }

    /// Returns each signature as if it were alone. There is one at least.
    #[must_use]
    pub fn views(&self) -> &[Sign1<'a>] {
        &self.views
    }

    /// Returns where in the input the array of signatures begins, and where its first element does.
    pub(crate) const fn signatures_at(&self) -> (usize, usize) {
        self.signatures_at
    }
}

/// A COSE_Signature.
struct OneSignature<'a> {
    header: Protected<'a>,
    protected_bytes: &'a [u8],
    field: &'a [u8],
    at: usize,
}

impl<'a> OneSignature<'a> {
    fn read(
        decoder: &mut Decoder<'a>,
        body: &Protected<'a>,
        profile: &Profile,
    ) -> Result<Self, FormError> {
        decoder.array_of(3)?;
        let protected_bytes = decoder.bytes()?;
        let (headers, index) = Headers::read(decoder, protected_bytes)?;
        let header = headers.judge(&index, profile)?;
        let field = decoder.bytes()?;
        let at = decoder.position().saturating_sub(field.len());
        // What a signature is for, each signer says, as in an envelope of one.
        let same_type = match (body.typ, header.typ) {
            (None, None) => true,
            (Some(body), Some(own)) => body.is_same_as(&own),
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !same_type {
            return Err(FormError::Signers { what: "a signer states another type than the body" });
        }
        if OF_THE_BODY.iter().any(|label| header.get(*label).is_some()) {
            return Err(FormError::Signers { what: "a signer states what the body has to" });
        }
        let has_proof = [label::VDS, label::VDP]
            .iter()
            .any(|label| header.get(*label).is_some() || headers.unprotected.get(*label).is_some());
        if header.algorithm == Algorithm::Batch || has_proof {
            return Err(FormError::Signers { what: "a signer signed in a batch" });
        }
        Ok(Self { header, protected_bytes, field, at })
    }
}

/// What is said once, in the body, where every signer signs it. Nothing here would act on it in another place.
const OF_THE_BODY: [i64; 4] =
    [label::CONTENT_TYPE, label::CWT_CLAIMS, label::PAYLOAD_HASH_ALG, label::PREIMAGE_CONTENT_TYPE];

/// Reads an envelope up to its payload, and holds the headers of the body to the rules of their contents: it names no
/// algorithm.
fn read_body<'a>(
    decoder: &mut Decoder<'a>,
    profile: &Profile,
) -> Result<(Headers<'a>, Protected<'a>), FormError> {
    decoder.tag()?;
    decoder.array_of(4)?;
    let protected_bytes = decoder.bytes()?;
    let (headers, index) = Headers::read(decoder, protected_bytes)?;
    let body = Protected::read_body(headers.protected, &index, &headers.unprotected, profile)?;
    if body.get(label::ALG).is_some() || headers.unprotected.get(label::ALG).is_some() {
        return Err(FormError::Signers { what: "the body names an algorithm" });
    }
    Ok((headers, body))
}
