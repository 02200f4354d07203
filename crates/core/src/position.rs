//! Where a segment stands in its stream.

use crate::cbor::{Decoder, Encoder, Flaw, Malformed};
use crate::cose::FormError;

/// How many random bytes name a stream.
pub const STREAM_ID_BYTES: usize = 16;

/// The version of the stream format that is written and read.
const VERSION: i64 = 1;

/// Which part of which stream a segment is: the private-use header parameter −70001.
///
/// ```cddl
/// position = [version: 1, stream-id: bstr .size 16, index: uint, last: bool, ? first: bstr .size 32]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The random name of the stream.
    pub stream_id: [u8; STREAM_ID_BYTES],
    /// Where in the stream, from 0.
    pub index: u64,
    /// Whether the stream ends with this segment.
    pub last: bool,
    /// From index 1 on, the SHA-256 of the protected header of segment 0.
    pub first: Option<[u8; 32]>,
}

impl Position {
    /// Reads the value of the header parameter.
    ///
    /// # Errors
    ///
    /// [`FormError::StreamVersion`] and [`FormError::Malformed`].
    pub fn decode(value: &[u8]) -> Result<Self, FormError> {
        let mut decoder = Decoder::new(value);
        let found = decoder.array()?;
        let version = decoder.int()?;
        if version != VERSION {
            return Err(FormError::StreamVersion { found: version });
        }
        let stream_id = *decoder.sized()?;
        let offset = decoder.position();
        let out_of_range = |_| Malformed::new(offset, Flaw::IntegerRange);
        let index = u64::try_from(decoder.int()?).map_err(out_of_range)?;
        let last = decoder.bool()?;
        let expected = if index == 0 { 4 } else { 5 };
        if found != expected {
            return Err(Malformed::new(0, Flaw::ArrayLength { expected, found }).into());
        }
        let first = if index == 0 { None } else { Some(*decoder.sized()?) };
        Ok(Self { stream_id, index, last, first })
    }

    pub(crate) fn encode<'e>(&self, encoder: &'e mut Encoder) -> &'e mut Encoder {
        encoder.array(if self.first.is_some() { 5 } else { 4 }).int(VERSION).bytes(&self.stream_id);
        encoder.uint(self.index).bool(self.last);
        match &self.first {
            Some(first) => encoder.bytes(first),
            None => encoder,
        }
    }
}
