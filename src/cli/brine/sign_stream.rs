//! `brine sign`, where the input outgrows a segment.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::failure::Failure;
use crate::cli::input::{grow_pipe, length_of};
use crate::cli::output::Output;
use crate::cli::progress::{Progress, Show};
use crate::cli::whole_file::Access;
use crate::error::{Error, Result};
use crate::key::SigningKey;
use crate::stream::{StreamTemplate, StreamWriter};

/// What is to be signed.
pub(super) struct Content {
    /// What was read of it already.
    pub(super) beginning: Vec<u8>,
    /// Where the rest is.
    pub(super) file: File,
    /// What to call that.
    pub(super) name: String,
    /// How long a byte may wait for others before its segment is closed.
    pub(super) flush_after: Option<Duration>,
    /// Whether to show how far it has come.
    pub(super) show: Show,
}

/// Signs a stream, reading its input once and from beginning to end.
pub(super) fn sign_stream(
    source: Content,
    key: SigningKey,
    stream: &StreamTemplate<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let opened = output.open(Access::Ordinary)?;
    let sink = opened.file().try_clone().map_err(|error| output.failed(error))?;
    grow_pipe(&sink);
    let mut writer = StreamWriter::new(sink, key, stream);
    let name = source.name.clone();
    source.copy_to(&mut writer).and_then(|()| writer.finish()).map_err(|error| match error {
        Error::Input(error) => Failure::io(&name, error),
        Error::Output(error) => output.failed(error),
        other => other.into(),
    })?;
    output.finish(opened)
}

impl Content {
    fn copy_to(mut self, writer: &mut StreamWriter<File>) -> Result<()> {
        let progress = Progress::start(length_of(&self.file), self.show);
        progress.advance(self.beginning.len());
        let mut beginning = self.beginning.as_slice();
        while writer.read_from(&mut beginning)? > 0 {}
        self.beginning = Vec::new();
        let mut waiting_since = None;
        loop {
            if let (Some(since), Some(most)) = (waiting_since, self.flush_after)
                && !self.is_ready_within(most.saturating_sub(Instant::elapsed(&since)))
            {
                writer.flush_segment()?;
                waiting_since = None;
            }
            let read = writer.read_from(&mut self.file)?;
            if read == 0 {
                return Ok(());
            }
            progress.advance(read);
            // What waited before is on its way if nothing else waits now.
            if writer.waiting() == read {
                waiting_since = None;
            }
            waiting_since = waiting_since.or_else(|| Some(Instant::now()));
        }
    }

    /// Waits for more input, or its end. What goes wrong here will go wrong in reading, too.
    fn is_ready_within(&self, most: Duration) -> bool {
        let Ok(most) = Timespec::try_from(most) else { return true };
        let mut files = [PollFd::new(&self.file, PollFlags::IN)];
        poll(&mut files, Some(&most)).map_or(true, |ready| ready > 0)
    }
}
