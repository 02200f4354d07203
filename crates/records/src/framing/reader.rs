//! Reading frames in blocks.

use std::io::{self, Read};

use super::block::{FrameBlock, grow};
use super::scanner::{Found, FoundFrame, Scanner};
use super::{FrameReadError, FrameSide, Framing, FramingError, MAX_RECORD_BYTES};

/// The limits of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockBounds {
    /// The most records, at least one.
    pub records: usize,
    /// The most bytes, including what stands between records. A longer record is returned alone.
    pub bytes: usize,
}

impl Default for BlockBounds {
    fn default() -> Self {
        Self { records: 8192, bytes: BUFFER_BYTES }
    }
}

/// What one read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Filled {
    /// Nothing: the input has ended.
    End,
    /// Nothing: there is no room until a block is taken.
    Full,
    /// Some bytes, not always a whole frame.
    More,
}

/// Finds the records in an input and returns them in blocks.
///
/// It reads much at once, returns what is complete without waiting for more, and neither copies nor
/// allocates for each record. A frame is returned whole or not at all.
///
/// ```
/// use brine_records::{BlockBounds, FrameReader, FrameSide, Framing, RecordFrame};
///
/// let mut reader = FrameReader::new(&b"one\ntwo\n"[..], Framing::Lines, FrameSide::Content);
/// let block = reader.next_block(BlockBounds::default())?.expect("two records");
/// assert!(block.frames().eq([RecordFrame::Record(b"one"), RecordFrame::Record(b"two")]));
/// reader.give_back(block);
/// assert!(reader.next_block(BlockBounds::default())?.is_none());
/// # Ok::<(), brine_records::FrameReadError>(())
/// ```
#[derive(Debug)]
pub struct FrameReader<R> {
    input: R,
    scanner: Scanner,
    is_text: bool,
    /// What was read and not returned yet lies in `start..filled`.
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    /// The frame at `start`, if it was looked for already.
    ahead: Option<FoundFrame>,
    ended: bool,
    /// Why nothing can be found behind what is buffered.
    fatal: Option<FramingError>,
    /// How many records were returned.
    given: u64,
    spare: Vec<FrameBlock>,
    framing: Framing,
    side: FrameSide,
    buffer_bytes: usize,
}

impl<R: Read> FrameReader<R> {
    /// Starts at the beginning of `input`.
    #[must_use]
    pub fn new(input: R, framing: Framing, side: FrameSide) -> Self {
        Self {
            input,
            scanner: Scanner::new(framing, side, MAX_RECORD_BYTES),
            is_text: framing.is_text(side),
            memory: Vec::new(),
            start: 0,
            filled: 0,
            ahead: None,
            ended: false,
            fatal: None,
            given: 0,
            spare: Vec::new(),
            framing,
            side,
            buffer_bytes: BUFFER_BYTES,
        }
    }

    /// Refuses records over `bytes` instead of [`MAX_RECORD_BYTES`]. It **must** be set before reading.
    #[must_use]
    pub fn with_longest(mut self, bytes: usize) -> Self {
        self.scanner = Scanner::new(self.framing, self.side, bytes.min(MAX_RECORD_BYTES));
        self
    }

    /// Begins with a buffer of `bytes`, which is also how much is read at once. Longer records get more.
    #[must_use]
    pub fn with_buffer(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes.max(1);
        self
    }

    /// Returns the input.
    #[must_use]
    pub const fn input(&self) -> &R {
        &self.input
    }

    /// Returns how many records were returned, bad ones included.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.given
    }

    /// Returns the next whole frames, and reads only while there is none. Returns `None` at the end.
    ///
    /// # Errors
    ///
    /// - [`FrameReadError::Framing`] if the next record cannot be found. All records before it were returned.
    /// - [`FrameReadError::Input`] and [`FrameReadError::OutOfMemory`].
    pub fn next_block(
        &mut self,
        bounds: BlockBounds,
    ) -> Result<Option<FrameBlock>, FrameReadError> {
        loop {
            if let Some(block) = self.take_block(bounds)? {
                return Ok(Some(block));
            }
            if self.ended {
                return Ok(None);
            }
            let _ = self.fill_once()?;
        }
    }

    /// Returns the whole frames that are buffered, without reading; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`FrameReadError::Framing`] if the next record cannot be found, and [`FrameReadError::OutOfMemory`].
    pub fn take_block(
        &mut self,
        bounds: BlockBounds,
    ) -> Result<Option<FrameBlock>, FrameReadError> {
        let mut block = self.spare.pop().unwrap_or_default();
        block.records.clear();
        block.bad.clear();
        // Reserves the most that may have to be copied: once frames are taken, nothing may fail.
        let half = self.filled.saturating_sub(self.start) / 2;
        grow(&mut block.memory, half.max(self.buffer_bytes))?;
        let end = self.collect(bounds, &mut block);
        if block.is_empty() {
            self.spare.push(block);
            return self.fatal.map_or(Ok(None), |error| Err(error.into()));
        }
        block.first = self.given.saturating_add(1);
        block.is_text = self.is_text;
        self.hand_over(&mut block, end);
        self.given = block.number(block.len()).saturating_sub(1);
        Ok(Some(block))
    }

    /// Returns whether [`take_block`](Self::take_block) would return a block or an error.
    pub fn has_complete_frame(&mut self) -> bool {
        self.ahead = self.ahead.take().or_else(|| self.look(self.start));
        self.ahead.is_some() || self.fatal.is_some()
    }

    /// Reads once, as much as is available and fits.
    ///
    /// A caller that lets a block fill can wait for the input before each call.
    ///
    /// # Errors
    ///
    /// [`FrameReadError::Input`] and [`FrameReadError::OutOfMemory`].
    pub fn fill_once(&mut self) -> Result<Filled, FrameReadError> {
        if self.ended {
            return Ok(Filled::End);
        }
        self.make_room()?;
        let room = self.memory.get_mut(self.filled..).unwrap_or_default();
        if room.is_empty() {
            return Ok(Filled::Full);
        }
        loop {
            match self.input.read(room) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(Filled::End);
                }
                Ok(read) => {
                    self.filled = self.filled.saturating_add(read).min(self.memory.len());
                    return Ok(Filled::More);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FrameReadError::Input(error)),
            }
        }
    }

    /// Takes a used block back, for its memory.
    pub fn give_back(&mut self, mut block: FrameBlock) {
        // Memory for a long record is not kept.
        block.shrink(self.buffer_bytes.saturating_mul(2));
        if self.spare.len() < MAX_SPARE {
            self.spare.push(block);
        }
    }

    /// Puts whole frames into `block`, counted from `start`, and returns where the last one ends.
    fn collect(&mut self, bounds: BlockBounds, block: &mut FrameBlock) -> usize {
        let mut end = self.start;
        while block.records.len() < bounds.records.max(1) {
            let Some(frame) = self.ahead.take().or_else(|| self.look(end)) else { break };
            let next = end.saturating_add(frame.size());
            let so_far = next.saturating_sub(self.start);
            if so_far > bounds.bytes && !block.is_empty() {
                self.ahead = Some(frame);
                break;
            }
            block.bad.extend(frame.error.map(|error| (block.records.len(), error)));
            let record = end.saturating_sub(self.start).saturating_add(frame.head);
            block.records.push(record..record.saturating_add(frame.bytes));
            end = next;
        }
        end
    }

    /// Returns the frame at `at` if it is whole.
    #[inline]
    fn look(&mut self, at: usize) -> Option<FoundFrame> {
        if self.fatal.is_some() {
            return None;
        }
        let rest = self.memory.get(at..self.filled).unwrap_or_default();
        match self.scanner.find(rest, self.ended) {
            Found::Frame(frame) => return Some(frame),
            Found::Discard { keep } => self.filled = at.saturating_add(keep),
            Found::Fatal(error) => self.fatal = Some(error),
            Found::Incomplete => {}
            // A block has no gap. In the middle of one, what is blank is left for the next.
            Found::Skip { bytes } if at == self.start => {
                self.start = self.start.saturating_add(bytes);
                return self.look(self.start);
            }
            Found::Skip { .. } => {}
        }
        None
    }

    /// Hands the frames up to `end` over to `block`.
    ///
    /// Either the block gets the memory and the rest is copied, or the block gets a copy: whichever is less.
    /// Usually half a frame is all that follows.
    fn hand_over(&mut self, block: &mut FrameBlock, end: usize) {
        let taken = self.memory.get(self.start..end).unwrap_or_default();
        let rest = self.memory.get(end..self.filled).unwrap_or_default();
        if rest.len() > taken.len() {
            block.memory.get_mut(..taken.len()).unwrap_or_default().copy_from_slice(taken);
            block.base = 0;
            self.start = end;
        } else {
            block.memory.get_mut(..rest.len()).unwrap_or_default().copy_from_slice(rest);
            self.filled = rest.len();
            block.base = std::mem::take(&mut self.start);
            std::mem::swap(&mut block.memory, &mut self.memory);
        }
    }

    /// Makes room for the next read, unless complete frames are in the way.
    fn make_room(&mut self) -> Result<(), FrameReadError> {
        let enough = self.buffer_bytes.div_ceil(4);
        if self.room() < enough {
            // What is blank at the start makes room, too.
            let _ = self.has_complete_frame();
        }
        if self.room() < enough && self.is_moved_cheaply() {
            self.memory.copy_within(self.start..self.filled, 0);
            self.filled = self.filled.saturating_sub(self.start);
            self.start = 0;
        }
        // Complete frames have to be taken first; only an incomplete one gets more memory.
        if self.room() < enough && !self.has_complete_frame() {
            let most = self.scanner.longest_frame().saturating_add(self.buffer_bytes);
            let more = self.memory.len().saturating_mul(2).clamp(self.buffer_bytes, most);
            grow(&mut self.memory, more)?;
        }
        Ok(())
    }

    /// Returns whether the buffered bytes may be moved to the start. No byte is moved again and again.
    fn is_moved_cheaply(&mut self) -> bool {
        let buffered = self.filled.saturating_sub(self.start);
        self.start > 0 && (self.start >= buffered || !self.has_complete_frame())
    }

    const fn room(&self) -> usize {
        self.memory.len().saturating_sub(self.filled)
    }
}

impl FoundFrame {
    /// Returns the length of the whole frame.
    const fn size(&self) -> usize {
        self.head.saturating_add(self.bytes).saturating_add(self.tail)
    }
}

/// The first size of the buffer, and how much is read at once.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// How many used blocks are kept.
const MAX_SPARE: usize = 16;
