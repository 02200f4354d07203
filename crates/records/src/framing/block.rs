//! Whole frames that were read together.

use std::ops::Range;

use data_encoding::BASE64URL_NOPAD;

use super::{FrameReadError, FramingError, KEPT_BYTES, MAX_RECORD_BYTES};

/// Whole frames that were read together, in order and without a gap.
///
/// Its memory is used again once it is [given back](super::FrameReader::give_back) to the reader.
#[derive(Debug, Default)]
pub struct FrameBlock {
    /// The bytes that the ranges refer to.
    pub(super) memory: Vec<u8>,
    /// Where each record is, counted from `base`.
    pub(super) records: Vec<Range<usize>>,
    /// The refused records, in order, and the reason for each.
    pub(super) bad: Vec<(usize, FramingError)>,
    pub(super) base: usize,
    /// The number of the first record.
    pub(super) first: u64,
    /// Whether the records are base64url text, still to be decoded.
    pub(super) is_text: bool,
    /// Memory for decoded text.
    pub(super) decoded: Vec<u8>,
}

/// A record as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFrame<'a> {
    /// A record that cannot be used. The records after it are not affected.
    Bad {
        /// The reason.
        error: FramingError,
        /// The part that was kept: the whole text if it is not base64url, or the first
        /// [`KEPT_BYTES`](super::KEPT_BYTES) of a record that is too large.
        kept: &'a [u8],
    },
    /// A whole record.
    Record(&'a [u8]),
}

impl FrameBlock {
    /// Makes an empty block, whose first record has the number `first`.
    #[must_use]
    pub fn new(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// Empties a used block for its memory. Its next record has the number `first`.
    #[must_use]
    pub fn renew(mut self, first: u64) -> Self {
        self.memory.clear();
        self.records.clear();
        self.bad.clear();
        Self { base: 0, first, is_text: false, ..self }
    }

    /// Adds a copy of a record, for sources that deliver records one by one. An envelope is added in binary.
    ///
    /// A record over [`MAX_RECORD_BYTES`] becomes a bad one.
    pub fn push(&mut self, record: &[u8]) {
        let mut kept = record;
        if record.len() > MAX_RECORD_BYTES {
            let [bytes, limit] = [record.len(), MAX_RECORD_BYTES]
                .map(|length| u64::try_from(length).unwrap_or(u64::MAX));
            self.bad.push((self.records.len(), FramingError::TooLarge { bytes, limit }));
            kept = record.get(..KEPT_BYTES).unwrap_or(record);
        }
        let start = self.memory.len();
        self.memory.extend_from_slice(kept);
        self.records.push(start..self.memory.len());
    }

    /// Returns the number of frames, bad ones included. It is never 0 in a block that was read.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there is no frame.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns how many bytes of memory it takes while it is worked on, about: as it was read, decoded, and as
    /// payloads or envelopes.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.memory.len().saturating_mul(3)
    }

    /// Gives back the memory of records that took over `most` bytes.
    pub(crate) fn shrink(&mut self, most: usize) {
        for memory in [&mut self.memory, &mut self.decoded] {
            if memory.len() > most {
                *memory = Vec::new();
            }
        }
    }

    /// Returns the number of the frame at `index`, counted from 1 at the beginning of the input.
    #[must_use]
    pub fn number(&self, index: usize) -> u64 {
        self.first.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
    }

    /// Returns the frame at `index`.
    ///
    /// Envelopes that were read as text stay text until they are [decoded](Self::decode).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<RecordFrame<'_>> {
        let record = self.bytes(self.records.get(index)?);
        let bad = self.bad.binary_search_by_key(&index, |(index, _)| *index);
        Some(match bad.ok().and_then(|place| self.bad.get(place)) {
            Some((_, error)) => RecordFrame::Bad { error: *error, kept: record },
            None => RecordFrame::Record(record),
        })
    }

    /// Returns all frames in order.
    #[must_use]
    pub fn frames(&self) -> impl ExactSizeIterator<Item = RecordFrame<'_>> {
        let mut bad = self.bad.iter().peekable();
        self.records.iter().enumerate().map(move |(index, range)| {
            let record = self.bytes(range);
            match bad.next_if(|(place, _)| *place == index) {
                Some((_, error)) => RecordFrame::Bad { error: *error, kept: record },
                None => RecordFrame::Record(record),
            }
        })
    }

    /// Decodes envelopes that were read as text. It does nothing if they are bytes already.
    ///
    /// A record whose text is not canonical base64url without padding becomes a bad record, with
    /// [`FramingError::Base64`]. Reading leaves this step out so that other threads can do it.
    ///
    /// # Errors
    ///
    /// [`FrameReadError::OutOfMemory`].
    pub fn decode(&mut self) -> Result<(), FrameReadError> {
        if !self.is_text {
            return Ok(());
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        // Decoded bytes are fewer than their text, and refused text is kept as it is.
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

/// Decodes `text` to the beginning of `room` and returns the number of bytes.
fn decode(text: &[u8], room: &mut [u8]) -> Result<usize, FramingError> {
    let length = BASE64URL_NOPAD.decode_len(text.len()).ok();
    // An empty text is base64url, but no envelope.
    let room = length.filter(|length| *length > 0).and_then(|length| room.get_mut(..length));
    let room = room.ok_or(FramingError::Base64)?;
    BASE64URL_NOPAD.decode_mut(text, room).map_err(|_| FramingError::Base64)
}

/// Makes `memory` at least `bytes` long.
pub(super) fn grow(memory: &mut Vec<u8>, bytes: usize) -> Result<(), FrameReadError> {
    let more = bytes.saturating_sub(memory.len());
    memory.try_reserve_exact(more).map_err(|_| FrameReadError::OutOfMemory { bytes })?;
    memory.resize(memory.len().max(bytes), 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use brine_core::Classified as _;

    use super::*;

    #[test]
    fn records_that_are_pushed_are_numbered_and_bounded() {
        let mut block = FrameBlock::new(7);
        assert!(block.is_empty());
        let long = vec![0xd2; MAX_RECORD_BYTES + 1];
        for record in [&b""[..], b"one", &long, &long[1..], b"two"] {
            block.push(record);
        }
        block.decode().unwrap();
        let shown = |frame| match frame {
            RecordFrame::Record(record) => (record.len(), "ok"),
            RecordFrame::Bad { error, kept } => (kept.len(), error.reason()),
        };
        let expected =
            [(0, "ok"), (3, "ok"), (KEPT_BYTES, "too-large"), (MAX_RECORD_BYTES, "ok"), (3, "ok")];
        assert!(block.frames().map(shown).eq(expected));
        assert_eq!((block.number(0), block.number(4)), (7, 11));
        assert_eq!(block.get(1), Some(RecordFrame::Record(b"one")));
        let mut block = block.renew(12);
        assert!(block.is_empty());
        block.push(b"three");
        assert!(block.frames().eq([RecordFrame::Record(b"three")]));
        assert_eq!((block.number(0), block.weight()), (12, 15));
    }
}
