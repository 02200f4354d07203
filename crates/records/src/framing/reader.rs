//! Reading frames in blocks.

use std::io::{self, Read};

use super::block::{Block, grow};
use super::scanner::{Found, FoundFrame, Scanner};
use super::{Framing, FramingError, MAX_RECORD_BYTES, Side};
use crate::error::{Error, Result};

/// How much is given out in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many records at most; one at least.
    pub records: usize,
    /// How many bytes at most, with all that is between records; a longer record comes alone.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { records: 8192, bytes: BUFFER_BYTES }
    }
}

/// What reading once has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Filled {
    /// Nothing: the input has ended.
    End,
    /// Nothing was read, for there is no room until a block is taken.
    Full,
    /// Something, though not always a whole frame.
    More,
}

/// Finds the records in an input and gives them out in blocks.
///
/// It reads much at once, gives out what is complete without waiting for more, and neither copies
/// nor allocates for each record. A frame is given out whole or not at all.
///
/// ```
/// use brine::record::{Bounds, Frame, FrameReader, Framing, Side};
///
/// let mut reader = FrameReader::new(&b"one\ntwo\n"[..], Framing::Lines, Side::Content);
/// let block = reader.next_block(Bounds::default())?.expect("two records");
/// assert!(block.frames().eq([Frame::Record(b"one"), Frame::Record(b"two")]));
/// reader.give_back(block);
/// assert!(reader.next_block(Bounds::default())?.is_none());
/// # Ok::<(), brine::Error>(())
/// ```
#[derive(Debug)]
pub struct FrameReader<R> {
    input: R,
    scanner: Scanner,
    is_text: bool,
    /// What was read and not given out lies in `start..filled`.
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    /// What stands at `start`, if somebody looked already.
    ahead: Option<FoundFrame>,
    ended: bool,
    /// Why nothing comes behind what is buffered.
    fatal: Option<FramingError>,
    /// How many records were given out.
    given: u64,
    spare: Vec<Block>,
    framing: Framing,
    side: Side,
    buffer_bytes: usize,
}

impl<R: Read> FrameReader<R> {
    /// Starts at the beginning of `input`.
    #[must_use]
    pub fn new(input: R, framing: Framing, side: Side) -> Self {
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

    /// Takes no record over `bytes`, in place of [`MAX_RECORD_BYTES`]. Before anything is read.
    #[must_use]
    pub fn with_longest(mut self, bytes: usize) -> Self {
        self.scanner = Scanner::new(self.framing, self.side, bytes.min(MAX_RECORD_BYTES));
        self
    }

    /// Begins with so much memory, which is also what is read at once; longer records get more.
    #[must_use]
    pub fn with_buffer(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes.max(1);
        self
    }

    /// Returns the input, to wait for it.
    #[must_use]
    pub const fn input(&self) -> &R {
        &self.input
    }

    /// Returns how many records were given out, bad ones included.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.given
    }

    /// Returns the next whole frames, reading only as long as there is none; `None` at the end.
    ///
    /// # Errors
    ///
    /// - [`Error::Framing`] if nothing can be found from here on; all before it was given out;
    /// - [`Error::Input`] and [`Error::OutOfMemory`].
    pub fn next_block(&mut self, bounds: Bounds) -> Result<Option<Block>> {
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

    /// Returns the whole frames that are there, without reading; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Framing`] if nothing can be found from here on, and [`Error::OutOfMemory`].
    pub fn take_block(&mut self, bounds: Bounds) -> Result<Option<Block>> {
        let mut block = self.spare.pop().unwrap_or_default();
        block.records.clear();
        block.bad.clear();
        // As much as can have to be copied. Once frames are taken, nothing may fail.
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

    /// Returns whether [`take_block`](Self::take_block) has something to say already.
    pub fn has_complete_frame(&mut self) -> bool {
        self.ahead = self.ahead.take().or_else(|| self.look(self.start));
        self.ahead.is_some() || self.fatal.is_some()
    }

    /// Reads once, as much as there is and fits.
    ///
    /// Whoever waits for a block to fill can wait for the input before each call.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] and [`Error::OutOfMemory`].
    pub fn fill_once(&mut self) -> Result<Filled> {
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
                Err(error) => return Err(Error::Input(error)),
            }
        }
    }

    /// Takes back a block that was used, for its memory.
    pub fn give_back(&mut self, mut block: Block) {
        // What a long record needed is not held for ever.
        for memory in [&mut block.memory, &mut block.decoded] {
            if memory.len() > self.buffer_bytes.saturating_mul(2) {
                *memory = Vec::new();
            }
        }
        if self.spare.len() < MAX_SPARE {
            self.spare.push(block);
        }
    }

    /// Puts whole frames into `block`, counted from `start`, and returns where they end.
    fn collect(&mut self, bounds: Bounds, block: &mut Block) -> usize {
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
        }
        None
    }

    /// Gives the memory up to `end` to `block`.
    ///
    /// Either the block gets the memory, and what follows is copied to another; or it gets a copy:
    /// whichever is less to copy. Mostly, nothing but half a frame follows.
    fn hand_over(&mut self, block: &mut Block, end: usize) {
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

    /// Makes room for a read that is worth it, if frames are not in the way.
    fn make_room(&mut self) -> Result<()> {
        let enough = self.buffer_bytes.div_ceil(4);
        if self.room() < enough && self.is_moved_cheaply() {
            self.memory.copy_within(self.start..self.filled, 0);
            self.filled = self.filled.saturating_sub(self.start);
            self.start = 0;
        }
        // What is complete is to be taken; only for a frame that is not is there more memory.
        if self.room() < enough && !self.has_complete_frame() {
            let most = self.scanner.longest_frame().saturating_add(self.buffer_bytes);
            let more = self.memory.len().saturating_mul(2).clamp(self.buffer_bytes, most);
            grow(&mut self.memory, more)?;
        }
        Ok(())
    }

    /// Returns whether what is buffered may be moved to the start: never again and again.
    fn is_moved_cheaply(&mut self) -> bool {
        let buffered = self.filled.saturating_sub(self.start);
        self.start > 0 && (self.start >= buffered || !self.has_complete_frame())
    }

    const fn room(&self) -> usize {
        self.memory.len().saturating_sub(self.filled)
    }
}

impl FoundFrame {
    /// Returns how many bytes it takes.
    const fn size(&self) -> usize {
        self.head.saturating_add(self.bytes).saturating_add(self.tail)
    }
}

/// How much memory there is at first, and how much is read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// How many blocks are kept for later.
const MAX_SPARE: usize = 16;
