//! Records as they come in.

use std::fs::File;
use std::io::Read;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::verify::reading;
use crate::cli::failure::Failure;
use crate::record::{Block, Bounds, Filled, FrameReader};

/// Reads blocks of records.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    reader: FrameReader<R>,
    name: String,
    bounds: Bounds,
    /// How long to wait for more, and where it comes from.
    linger: Option<(Duration, File)>,
    used: Receiver<Block>,
}

impl<R: Read> Blocks<R> {
    /// Reads blocks of `bounds`. What is sent to the other half is used again.
    pub(super) fn new(
        reader: FrameReader<R>,
        name: String,
        bounds: Bounds,
    ) -> (Self, Sender<Block>) {
        let (give_back, used) = channel();
        (Self { reader, name, bounds, linger: None, used }, give_back)
    }

    /// Lets the first record of a block wait for others that come from `input`.
    pub(super) fn with_linger(self, linger: Duration, input: File) -> Self {
        Self { linger: Some((linger, input)), ..self }
    }

    /// Returns what there is as soon as there is a record, or, if records wait for others, some time
    /// later; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Block>, Failure> {
        while let Ok(block) = self.used.try_recv() {
            self.reader.give_back(block);
        }
        self.gather()
            .and_then(|()| self.reader.next_block(self.bounds))
            .map_err(|error| reading(&self.name, error))
    }

    /// Lets records wait for others.
    fn gather(&mut self) -> crate::error::Result<()> {
        let Some((linger, input)) = &self.linger else { return Ok(()) };
        while !self.reader.has_complete_frame() {
            if self.reader.fill_once()? != Filled::More {
                return Ok(());
            }
        }
        let first = Instant::now();
        loop {
            let left = linger.saturating_sub(first.elapsed());
            if left.is_zero()
                || !is_ready_within(input, left)
                || self.reader.fill_once()? != Filled::More
            {
                return Ok(());
            }
        }
    }
}

/// Waits until a file has something to read, or has ended, and returns whether that was in time.
///
/// What goes wrong here will go wrong in reading, too.
pub(super) fn is_ready_within(file: &File, most: Duration) -> bool {
    let Ok(most) = Timespec::try_from(most) else { return true };
    let mut files = [PollFd::new(file, PollFlags::IN)];
    poll(&mut files, Some(&most)).map_or(true, |ready| ready > 0)
}
