//! Envelopes whose payload does not fit memory: everything before it, and everything after.

use super::outline::{Headers, begin};
use super::protected::{Index, Profile};
use super::sign1::SignaturePlace;
use super::{FormError, HeaderMap, MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, Outline, Sign1, Tagging};
use crate::cbor::{Decoder, Flaw, Head, Malformed};

/// Everything of an envelope before the bytes of its payload: well-formed, and nothing more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Front<'a> {
    headers: Headers<'a>,
    index: Index<'a>,
    payload_bytes: Option<u64>,
    /// Where the head of the payload begins, and where it ends.
    payload_head: (usize, usize),
}

/// What comes after a payload: all of it, or its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a> {
    /// The first [`Front::MAX_TAIL_BYTES`] of it at most.
    pub(crate) tail: &'a [u8],
    /// How long it is.
    pub(crate) tail_bytes: u64,
}

impl<'a> Front<'a> {
    /// As much of an input as shows everything before its payload, in bytes: two headers, and heads.
    pub(crate) const MAX_BYTES: usize = 2 * MAX_HEADER_BYTES + 64;

    /// As much of what comes after the payload as holds any signature, in bytes.
    pub(crate) const MAX_TAIL_BYTES: usize = 8 * 1024;

    /// Parses the beginning of an envelope, which **must** be all of the input or at least
    /// [`MAX_BYTES`](Self::MAX_BYTES) of it.
    pub(crate) fn parse(beginning: &'a [u8], tagging: Tagging) -> Result<Self, FormError> {
        let mut decoder = Decoder::new(beginning);
        begin(&mut decoder, beginning, tagging)?;
        let protected_bytes = protected_bytes(&mut decoder, beginning)?;
        let (headers, index) = Headers::read(&mut decoder, protected_bytes)?;
        let start = decoder.position();
        let payload_bytes = decoder.bytes_head_or_nil()?;
        let payload_head = (start, decoder.position());
        Ok(Self { headers, index, payload_bytes, payload_head })
    }

    /// Returns how long the payload says it is; `None` if it is detached.
    pub(crate) const fn payload_bytes(&self) -> Option<u64> {
        self.payload_bytes
    }

    /// Returns where the bytes of the payload begin.
    pub(crate) const fn payload_offset(&self) -> usize {
        self.payload_head.1
    }

    /// Refuses a payload that is longer than any may be.
    pub(crate) fn judge_length(&self) -> Result<(), FormError> {
        let fits = self.payload_bytes.is_none_or(|bytes| bytes <= MAX_PAYLOAD_BYTES);
        if fits { Ok(()) } else { Err(FormError::TooLarge { limit: MAX_PAYLOAD_BYTES }) }
    }

    /// Returns the refusal of an envelope that ends inside its payload.
    pub(crate) const fn cut(&self) -> FormError {
        FormError::Malformed(Malformed::new(self.payload_head.0, Flaw::UnexpectedEnd))
    }

    /// Returns the four parts, as those of an envelope whose payload is elsewhere.
    pub(crate) fn outline(self, ends: Ends<'a>) -> Result<Outline<'a>, FormError> {
        Ok(self.headers.outline(Field::read(ends)?.kept))
    }

    /// Returns how long the signature field is, of which `ends` may have the beginning alone.
    pub(crate) fn signature_bytes(ends: Ends<'_>) -> Result<usize, FormError> {
        Ok(Field::read(ends)?.length)
    }

    /// Puts both ends together, as an envelope whose payload is elsewhere.
    ///
    /// Of a signature field that is longer than any signature, only the beginning is kept. The headers are judged
    /// first all the same, and then the length that it has.
    pub(crate) fn with_ends(
        self,
        ends: Ends<'a>,
        profile: &Profile,
    ) -> Result<Sign1<'a>, FormError> {
        let payload_bytes = self.payload_bytes.unwrap_or(0);
        let offset = u64::try_from(self.payload_head.1).unwrap_or(u64::MAX);
        let offset = usize::try_from(offset.saturating_add(payload_bytes)).unwrap_or(usize::MAX);
        let field = Field::read(ends).map_err(|error| error.within(offset))?;
        let header = self.headers.judge(&self.index, profile)?;
        let at = offset.saturating_add(ends.tail.len().saturating_sub(field.kept.len()));
        let place = SignaturePlace { at, bytes: field.length };
        Ok(Sign1::new(header, self.headers.outline(field.kept), place))
    }
}

/// Reads the protected header. One that is longer than all that is here is longer than any may be.
fn protected_bytes<'a>(
    decoder: &mut Decoder<'a>,
    beginning: &'a [u8],
) -> Result<&'a [u8], FormError> {
    let start = decoder.position();
    match decoder.bytes() {
        Err(Malformed { flaw: Flaw::UnexpectedEnd, .. }) if beginning.len() >= Front::MAX_BYTES => {
            let rest = beginning.get(start..).unwrap_or_default();
            let head = Head::read_strict(rest).map_err(|malformed| malformed.within(start))?;
            let header = rest.get(head.size..).unwrap_or_default();
            // A rule that its beginning breaks is the better answer.
            Err(match HeaderMap::decode_protected(header, |_, _| ()) {
                Ok(_) => FormError::HeaderTooLarge { limit: MAX_HEADER_BYTES },
                Err(error) => error.within(start.saturating_add(head.size)),
            })
        }
        bytes => Ok(bytes?),
    }
}

/// A signature field.
struct Field<'a> {
    length: usize,
    /// Its bytes, or as many as were kept.
    kept: &'a [u8],
}

impl<'a> Field<'a> {
    /// Reads the signature, and demands that the input ends with it.
    fn read(Ends { tail, tail_bytes }: Ends<'a>) -> Result<Self, FormError> {
        let mut decoder = Decoder::new(tail);
        if tail_bytes <= u64::try_from(tail.len()).unwrap_or(u64::MAX) {
            let kept = decoder.bytes()?;
            decoder.finish()?;
            return Ok(Self { length: kept.len(), kept });
        }
        let length = decoder.bytes_head()?;
        let kept = tail.get(decoder.position()..).unwrap_or_default();
        let end = u64::try_from(decoder.position()).unwrap_or(u64::MAX).saturating_add(length);
        if end > tail_bytes {
            return Err(Malformed::new(0, Flaw::UnexpectedEnd).into());
        }
        let count = usize::try_from(tail_bytes - end).unwrap_or(usize::MAX);
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        if count > 0 {
            return Err(Malformed::new(end, Flaw::TrailingBytes { count }).into());
        }
        Ok(Self { length: usize::try_from(length).unwrap_or(usize::MAX), kept })
    }
}
