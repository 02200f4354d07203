//! Envelopes whose payload is too large for memory: everything before it, and everything after.

use super::header::HeaderMap;
use super::sign1::{Form, recognise};
use super::{MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, Outline, Protected, Sign1, Tagging};
use crate::cbor::{Decoder, Flaw, Head, Malformed};
use crate::error::{Error, Result};

/// Everything of an envelope before the bytes of its payload: well-formed, and nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Front<'a> {
    protected: HeaderMap<'a>,
    protected_bytes: &'a [u8],
    unprotected: HeaderMap<'a>,
    payload_bytes: Option<u64>,
    /// Where the head of the payload begins, and where it ends.
    payload_head: (usize, usize),
}

impl<'a> Front<'a> {
    /// As much of an input as shows everything before its payload, in bytes: two headers, and heads.
    pub const MAX_BYTES: usize = 2 * MAX_HEADER_BYTES + 64;

    /// Parses the beginning of an envelope, which **must** be all of the input or at least
    /// [`MAX_BYTES`](Self::MAX_BYTES) of it.
    ///
    /// # Errors
    ///
    /// Those of [`Outline::parse`] up to the payload.
    pub fn parse(beginning: &'a [u8], tagging: Tagging) -> Result<Self> {
        let mut decoder = Decoder::new(beginning);
        if recognise(beginning, tagging)? == Form::Tagged {
            decoder.tag()?;
        }
        decoder.array_of(4)?;
        let protected_bytes = protected_bytes(&mut decoder, beginning)?;
        let offset = decoder.position().saturating_sub(protected_bytes.len());
        let (protected, _) =
            HeaderMap::decode_protected(protected_bytes).map_err(|error| error.within(offset))?;
        let unprotected = HeaderMap::decode(&mut decoder, |_, _| ())?;
        let start = decoder.position();
        let payload_bytes = decoder.bytes_head_or_nil()?;
        let payload_head = (start, decoder.position());
        Ok(Self { protected, protected_bytes, unprotected, payload_bytes, payload_head })
    }

    /// Returns how long the payload says it is; `None` if it is detached.
    #[must_use]
    pub const fn payload_bytes(&self) -> Option<u64> {
        self.payload_bytes
    }

    /// Returns where the bytes of the payload begin.
    #[must_use]
    pub const fn payload_offset(&self) -> usize {
        self.payload_head.1
    }

    /// Refuses a payload that is longer than any may be.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub fn judge_length(&self) -> Result<()> {
        let fits = self.payload_bytes.is_none_or(|bytes| bytes <= MAX_PAYLOAD_BYTES);
        if fits { Ok(()) } else { Err(Error::TooLarge { limit: MAX_PAYLOAD_BYTES }) }
    }

    /// Returns the refusal of an envelope that ends inside its payload.
    #[must_use]
    pub fn cut(&self) -> Error {
        Malformed::new(self.payload_head.0, Flaw::UnexpectedEnd).into()
    }

    /// Puts both ends together. `tail` is what comes after the payload: all of it, or the first
    /// [`MAX_TAIL_BYTES`](Self::MAX_TAIL_BYTES) of `tail_bytes`.
    ///
    /// # Errors
    ///
    /// Those of [`Sign1::parse`] that are left.
    pub fn with_tail(self, tail: &'a [u8], tail_bytes: u64) -> Result<LargeSign1<'a>> {
        let payload_bytes = self.payload_bytes.unwrap_or(0);
        let offset = u64::try_from(self.payload_head.1).unwrap_or(u64::MAX);
        let offset = usize::try_from(offset.saturating_add(payload_bytes)).unwrap_or(usize::MAX);
        let signature = signature(tail, tail_bytes).map_err(|error| error.within(offset))?;
        let Self { protected, protected_bytes, unprotected, .. } = self;
        // Longer than any signature, and not kept: the headers are judged first all the same.
        let (_, found) = HeaderMap::decode_protected(protected_bytes)?;
        let Some(signature) = signature.whole else {
            Protected::read(protected, &found, &unprotected)?;
            return Err(Error::SignatureLength { found: signature.length });
        };
        let outline = Outline { protected, protected_bytes, unprotected, payload: None, signature };
        let signature_at = offset.saturating_add(tail.len().saturating_sub(signature.len()));
        let sign1 = Sign1::read(outline, &found, signature_at)?;
        Ok(LargeSign1 { sign1, payload_bytes: self.payload_bytes })
    }

    /// As much of what comes after the payload as holds any signature, in bytes.
    pub const MAX_TAIL_BYTES: usize = 8 * 1024;
}

/// Reads the protected header; one that is longer than all that is here is longer than any may be.
fn protected_bytes<'a>(decoder: &mut Decoder<'a>, beginning: &'a [u8]) -> Result<&'a [u8]> {
    let start = decoder.position();
    match decoder.bytes() {
        Err(Malformed { flaw: Flaw::UnexpectedEnd, .. }) if beginning.len() >= Front::MAX_BYTES => {
            let rest = beginning.get(start..).unwrap_or_default();
            let head = Head::read_strict(rest).map_err(|malformed| malformed.within(start))?;
            let header = rest.get(head.size..).unwrap_or_default();
            // What its beginning breaks is the better answer.
            Err(match HeaderMap::decode_protected(header) {
                Ok(_) => Error::HeaderTooLarge { limit: MAX_HEADER_BYTES },
                Err(error) => error.within(start.saturating_add(head.size)),
            })
        }
        bytes => Ok(bytes?),
    }
}

/// A signature field.
struct Field<'a> {
    length: usize,
    /// Its bytes, if it is not longer than what was kept.
    whole: Option<&'a [u8]>,
}

/// Reads the signature, and demands that the input ends with it.
fn signature(tail: &[u8], tail_bytes: u64) -> Result<Field<'_>> {
    let mut decoder = Decoder::new(tail);
    let kept = u64::try_from(tail.len()).unwrap_or(u64::MAX);
    if tail_bytes <= kept {
        let whole = decoder.bytes()?;
        decoder.finish()?;
        return Ok(Field { length: whole.len(), whole: Some(whole) });
    }
    let length = decoder.bytes_head()?;
    let end = u64::try_from(decoder.position()).unwrap_or(u64::MAX).saturating_add(length);
    if end > tail_bytes {
        return Err(Malformed::new(0, Flaw::UnexpectedEnd).into());
    }
    let count = usize::try_from(tail_bytes - end).unwrap_or(usize::MAX);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    if count > 0 {
        return Err(Malformed::new(end, Flaw::TrailingBytes { count }).into());
    }
    Ok(Field { length: usize::try_from(length).unwrap_or(usize::MAX), whole: None })
}

/// A COSE_Sign1 that has been parsed without its payload, and is believed in nothing.
///
/// [`verify_large`](crate::verify_large) takes it, with the payload beside it.
#[derive(Clone, Copy, Debug)]
pub struct LargeSign1<'a> {
    /// As if detached: nobody can take what is not here for the payload.
    sign1: Sign1<'a>,
    payload_bytes: Option<u64>,
}

impl<'a> LargeSign1<'a> {
    /// Returns how long the payload is; `None` if it is detached.
    #[must_use]
    pub const fn payload_bytes(&self) -> Option<u64> {
        self.payload_bytes
    }

    /// Returns everything but the payload.
    pub(crate) const fn without_payload(&self) -> &Sign1<'a> {
        &self.sign1
    }
}
