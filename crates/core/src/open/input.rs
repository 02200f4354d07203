//! Something to read an envelope from.

use std::io::{self, Read};
use std::sync::Arc;

use super::MAX_ARMORED_BYTES;
use crate::armor;
use crate::error::{Error, Result};
use crate::hash::ReadAt;

/// Something to read an envelope from: bytes in memory, or a reader.
pub struct Input {
    /// What was read of it already; of bytes in memory, all.
    pub(super) beginning: Vec<u8>,
    pub(super) is_whole: bool,
    pub(super) reader: Box<dyn Read + Send>,
    /// How much more there is, as far as somebody knows: it saves memory and is not relied on.
    expected: u64,
    /// The largest envelope that is read as armored text, in bytes of its payload.
    pub(super) most_armored: u64,
    pub(super) anywhere: Option<Anywhere>,
}

/// The same bytes, where they can be read from anywhere.
#[derive(Clone)]
pub(super) struct Anywhere {
    pub(super) source: Arc<dyn ReadAt + Send + Sync>,
    /// Where the envelope begins, and how long it is.
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Input {
    /// Reads from `reader`.
    #[must_use]
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self::begun(Vec::new(), Box::new(reader))
    }

    /// Continues after what was read already.
    fn begun(beginning: Vec<u8>, reader: Box<dyn Read + Send>) -> Self {
        let most_armored = MAX_ARMORED_BYTES;
        Self { beginning, is_whole: false, reader, expected: 0, most_armored, anywhere: None }
    }

    /// Says how many bytes the reader probably gives. An input that is said not to fit memory is not read into it,
    /// and nothing else depends on it.
    #[must_use]
    pub fn expecting(self, bytes: u64) -> Self {
        Self { expected: bytes, ..self }
    }

    /// Refuses armored text, which is held in memory, of envelopes with more than `bytes` of payload. There is no
    /// room for more than [`MAX_ARMORED_BYTES`] in any case.
    #[must_use]
    pub fn armored_up_to(self, bytes: u64) -> Self {
        Self { most_armored: bytes.min(MAX_ARMORED_BYTES), ..self }
    }

    /// Says that the same input can be read from anywhere: it is the `bytes` of `source` from `offset` on. A
    /// large envelope is then read once, its end first.
    #[must_use]
    pub fn anywhere(self, source: Arc<dyn ReadAt + Send + Sync>, offset: u64, bytes: u64) -> Self {
        Self { expected: bytes, anywhere: Some(Anywhere { source, offset, bytes }), ..self }
    }

    /// Returns whether it is armored text, having read as much as shows that.
    pub(super) fn is_armored(&mut self) -> Result<bool> {
        self.read_beginning(armor::MARK.len())?;
        Ok(armor::is_armored(&self.beginning))
    }

    /// Reads as many bytes as a beginning has, or all there are.
    pub(super) fn read_beginning(&mut self, bytes: usize) -> Result<()> {
        let missing = bytes.saturating_sub(self.beginning.len());
        let most = u64::try_from(missing).unwrap_or(u64::MAX);
        let read = (&mut self.reader).take(most).read_to_end(&mut self.beginning);
        read.map(drop).map_err(Error::input)
    }

    /// Reads all of it, if it is `most` bytes or fewer.
    pub(super) fn read_up_to(mut self, most: u64) -> Result<Arrived> {
        let mut bytes = std::mem::take(&mut self.beginning);
        // One byte more than expected, so that the end is seen without growing.
        let capacity = usize::try_from(self.expected).unwrap_or(usize::MAX).saturating_add(1);
        let more = capacity.saturating_sub(bytes.len());
        if self.expected <= most && bytes.try_reserve_exact(more).is_ok() {
            let left = most.saturating_add(1).saturating_sub(length_of(&bytes));
            (&mut self.reader).take(left).read_to_end(&mut bytes).map_err(Error::input)?;
            if length_of(&bytes) <= most {
                return Ok(Arrived::All(bytes));
            }
        }
        Ok(Arrived::More(Self { beginning: bytes, ..self }))
    }
}

/// The result of reading as much as there is room for.
pub(super) enum Arrived {
    All(Vec<u8>),
    More(Input),
}

/// They stay in memory, however many they are.
impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Self {
        Self { is_whole: true, ..Self::begun(bytes, Box::new(io::empty())) }
    }
}

impl From<&[u8]> for Input {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("expected", &self.expected).finish_non_exhaustive()
    }
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
