//! Records from a pipe or a file.

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::delivery::{DeadLetter, DeliveredBlock, Deliveries, Source};
use super::error::{HandlerFailure, RecordError};
use crate::framing::{BUFFER_BYTES, BlockBounds, Filled, FrameBlock, FrameReadError, FrameReader};

/// Reads records from a pipe or a file, in blocks.
///
/// A block is returned as soon as there is a record, or, if records wait for others, some time later. The
/// memory of a block is used again when the block is finished.
pub struct FrameSource<R> {
    reader: FrameReader<R>,
    bounds: BlockBounds,
    linger: Option<Linger>,
    /// Why reading failed, where records that were read before are to be returned first.
    failed: Option<FrameReadError>,
    used: Receiver<FrameBlock>,
    give_back: Sender<FrameBlock>,
}

/// Lets the first record of a block wait for others.
struct Linger {
    most: Duration,
    /// Waits until there is more to read, and returns whether there was in time.
    wait: Box<dyn FnMut(Duration) -> bool + Send>,
}

impl<R: Read> FrameSource<R> {
    /// Reads blocks of at most [`BLOCK_RECORDS`] records.
    #[must_use]
    pub fn new(reader: FrameReader<R>) -> Self {
        let (give_back, used) = channel();
        let bounds = BlockBounds { records: BLOCK_RECORDS, ..BlockBounds::default() };
        Self { reader, bounds, linger: None, failed: None, used, give_back }
    }

    /// Reads blocks of other bounds.
    #[must_use]
    pub fn with_bounds(self, bounds: BlockBounds) -> Self {
        Self { bounds, ..self }
    }

    /// Lets the first record of a block wait `most` for others.
    ///
    /// `wait` waits for so long at most until the input has something to read, or has ended, and returns
    /// whether that was in time. If it cannot wait, it returns `true`.
    #[must_use]
    pub fn with_linger(
        self,
        most: Duration,
        wait: impl FnMut(Duration) -> bool + Send + 'static,
    ) -> Self {
        Self { linger: Some(Linger { most, wait: Box::new(wait) }), ..self }
    }

    /// Reads until the block is to be returned, if records wait for others.
    fn gather(&mut self) -> Result<(), FrameReadError> {
        let Some(Linger { most, wait }) = &mut self.linger else { return Ok(()) };
        while !self.reader.has_complete_frame() {
            if self.reader.fill_once()? != Filled::More {
                return Ok(());
            }
        }
        let first = Instant::now();
        loop {
            let left = most.saturating_sub(first.elapsed());
            if left.is_zero() || !wait(left) || self.reader.fill_once()? != Filled::More {
                return Ok(());
            }
        }
    }
}

impl<R: Read> Source for FrameSource<R> {
    type Deliveries = PipedRecords;
    type Error = FrameReadError;

    fn next_block(&mut self) -> Result<Option<DeliveredBlock<PipedRecords>>, FrameReadError> {
        while let Ok(block) = self.used.try_recv() {
            self.reader.give_back(block);
        }
        if self.failed.is_none() {
            self.failed = self.gather().err();
        }
        let block = match self.failed.take() {
            None => self.reader.next_block(self.bounds)?,
            Some(failed) => match self.reader.take_block(self.bounds)? {
                None => return Err(failed),
                Some(block) => {
                    self.failed = Some(failed);
                    Some(block)
                }
            },
        };
        let deliveries = || PipedRecords { give_back: self.give_back.clone() };
        Ok(block.map(|block| DeliveredBlock { block, deliveries: deliveries() }))
    }
}

impl<R> fmt::Debug for FrameSource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSource").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

/// Records from a pipe or a file, which are delivered once.
#[derive(Debug)]
pub struct PipedRecords {
    give_back: Sender<FrameBlock>,
}

impl Deliveries for PipedRecords {
    type Error = FrameReadError;

    fn are_leased(&self) -> bool {
        false
    }

    fn extend(&mut self, _: Range<usize>) -> Result<(), FrameReadError> {
        Ok(())
    }

    fn acknowledge(&mut self, _: Range<usize>) -> Result<(), FrameReadError> {
        Ok(())
    }

    fn retry(&mut self, _: Range<usize>, _: &HandlerFailure) -> Result<(), FrameReadError> {
        Ok(())
    }

    fn dead_letter(&mut self, _: usize, _: &RecordError) -> Result<DeadLetter, FrameReadError> {
        Ok(DeadLetter::Dropped)
    }

    fn finish(self, mut block: FrameBlock) {
        // A long record takes no memory while it waits for the source, which may be waiting for that memory.
        block.shrink(2 * BUFFER_BYTES);
        // The source may have ended, and need no more memory.
        let _ = self.give_back.send(block);
    }
}

/// How many records a thread works on at once.
pub const BLOCK_RECORDS: usize = 1024;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::framing::{FrameSide, Framing};

    #[test]
    fn a_long_record_takes_no_memory_once_it_is_finished() {
        const LONG: usize = 3 * 1024 * 1024;
        let input = Cursor::new([vec![b'x'; LONG], b"\nshort\n".to_vec()].concat());
        let reader = FrameReader::new(input, Framing::Lines, FrameSide::Content);
        let mut source = FrameSource::new(reader);
        for expected in [3 * LONG, 1] {
            let DeliveredBlock { block, deliveries } = source.next_block().unwrap().unwrap();
            assert!(block.weight() >= expected, "{}", block.weight());
            deliveries.finish(block);
            let used = source.used.try_recv().unwrap();
            assert!(used.weight() <= 6 * BUFFER_BYTES, "{}", used.weight());
        }
    }
}
