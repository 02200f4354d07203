//! Whole frames, as they came in one go.

use std::ops::Range;

use data_encoding::BASE64URL_NOPAD;

use super::FramingError;
use crate::error::{Error, Result};

/// Whole frames that were read in one go, in order and without a gap.
///
/// Its memory is used again when it is handed back to the
/// [`FrameReader`](super::FrameReader) that it came from.
#[derive(Debug, Default)]
pub struct Block {
    /// What the ranges are of.
    pub(super) memory: Vec<u8>,
    /// The records, counted from `base`.
    pub(super) records: Vec<Range<usize>>,
    /// Which of them are refused, in order, and why.
    pub(super) bad: Vec<(usize, FramingError)>,
    pub(super) base: usize,
    /// The number of the first.
    pub(super) first: u64,
    /// Whether the records are base64url text, still to be decoded.
    pub(super) is_text: bool,
    /// Where text is decoded to.
    pub(super) decoded: Vec<u8>,
}

/// A record as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// One that is refused alone: what comes after it is not touched by that.
    Bad {
        /// Why.
        error: FramingError,
        /// As much of it as was kept: its text where that is not base64url, and the first
        /// [`KEPT_BYTES`](super::KEPT_BYTES) of what is too large.
        kept: &'a [u8],
    },
    /// A whole one.
    Record(&'a [u8]),
}

impl Block {
    /// Returns how many frames there are, bad ones included; never 0 in a block that was read.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there is no frame.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the number of the frame at `index`, counted from 1 at the beginning of the input.
    #[must_use]
    pub fn number(&self, index: usize) -> u64 {
        self.first.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
    }

    /// Returns the frame at `index`.
    ///
    /// Envelopes that came as text are text until they are [decoded](Self::decode).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Frame<'_>> {
        let record = self.bytes(self.records.get(index)?);
        let bad = self.bad.binary_search_by_key(&index, |(index, _)| *index);
        Some(match bad.ok().and_then(|place| self.bad.get(place)) {
            Some((_, error)) => Frame::Bad { error: *error, kept: record },
            None => Frame::Record(record),
        })
    }

    /// Returns the frames in order.
    #[must_use]
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
        let mut bad = self.bad.iter().peekable();
        self.records.iter().enumerate().map(move |(index, range)| {
            let record = self.bytes(range);
            match bad.next_if(|(place, _)| *place == index) {
                Some((_, error)) => Frame::Bad { error: *error, kept: record },
                None => Frame::Record(record),
            }
        })
    }

    /// Turns records that are text into bytes, where a framing makes envelopes text; once is enough.
    ///
    /// The text that is not canonical base64url without padding is a bad record from then on, with
    /// [`FramingError::Base64`]. It is not done on reading, so that other threads can do it.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`].
    pub fn decode(&mut self) -> Result<()> {
        if !self.is_text {
            return Ok(());
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        // Bytes are fewer than the text, and what is refused is kept as it is.
        grow(&mut decoded, self.memory.len())?;
        let mut records = std::mem::take(&mut self.records);
        let mut bad = Vec::new();
        let mut known = self.bad.iter().peekable();
        let mut end = 0;
        for (index, range) in records.iter_mut().enumerate() {
            let text = self.bytes(range);
            let room = decoded.get_mut(end..).unwrap_or_default();
            let known = known.next_if(|(place, _)| *place == index);
            let length = match known.map_or_else(|| decode(text, room), |(_, error)| Err(*error)) {
                Ok(length) => length,
                Err(error) => {
                    bad.push((index, error));
                    room.get_mut(..text.len()).unwrap_or_default().copy_from_slice(text);
                    text.len()
                }
            };
            let start = end;
            end = end.saturating_add(length);
            *range = start..end;
        }
        self.records = records;
        self.bad = bad;
        self.decoded = std::mem::replace(&mut self.memory, decoded);
        self.base = 0;
        self.is_text = false;
        Ok(())
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        let place = self.base.saturating_add(range.start)..self.base.saturating_add(range.end);
        self.memory.get(place).unwrap_or_default()
    }
}

/// Decodes `text` to the beginning of `room` and returns how many bytes that gives.
fn decode(text: &[u8], room: &mut [u8]) -> Result<usize, FramingError> {
    let length = BASE64URL_NOPAD.decode_len(text.len()).ok();
    // An empty text is base64url, but no envelope.
    let room = length.filter(|length| *length > 0).and_then(|length| room.get_mut(..length));
    let room = room.ok_or(FramingError::Base64)?;
    BASE64URL_NOPAD.decode_mut(text, room).map_err(|_| FramingError::Base64)
}

/// Makes `memory` at least `bytes` long.
pub(super) fn grow(memory: &mut Vec<u8>, bytes: usize) -> Result<()> {
    let more = bytes.saturating_sub(memory.len());
    memory.try_reserve_exact(more).map_err(|_| Error::OutOfMemory { bytes })?;
    memory.resize(memory.len().max(bytes), 0);
    Ok(())
}
