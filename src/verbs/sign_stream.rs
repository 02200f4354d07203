//! `brine sign`, where the input outgrows a segment.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_core::{Error, SigningBackend, Statement, StreamOptions, StreamWriter, SystemError};

use crate::report::Failure;
use crate::world::input::{InputFile, grow_pipe, length_of};
use crate::world::is_ready_within;
use crate::world::output::Output;
use crate::world::progress::{Progress, Show};
use crate::world::whole_file::Access;

/// An input that may become a stream.
pub(super) struct StreamInput {
    /// What was read of it already.
    beginning: Vec<u8>,
    /// Where the rest is.
    file: File,
    /// What to call that.
    name: String,
    /// How long a byte may wait for others before its segment is closed.
    flush_after: Option<Duration>,
    show: Show,
}

impl StreamInput {
    pub(super) fn new(input: InputFile, flush_after: Option<Duration>, show: Show) -> Self {
        let (file, name) = input.into_file();
        Self { beginning: Vec::new(), file, name, flush_after, show }
    }

    /// Returns all of the input, if it is `most` bytes or fewer.
    pub(super) fn read_all_within(&mut self, most: usize) -> Result<Option<&[u8]>, Failure> {
        // One byte more shows that there is more.
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let read = (&self.file).take(limit).read_to_end(&mut self.beginning);
        read.map_err(|error| Failure::io(&self.name, error))?;
        Ok((self.beginning.len() <= most).then_some(self.beginning.as_slice()))
    }

    fn copy_to(mut self, writer: &mut StreamWriter<File>) -> Result<(), Error> {
        let progress = Progress::start(length_of(&self.file), self.show);
        progress.advance(self.beginning.len());
        let mut beginning = self.beginning.as_slice();
        while writer.read_from(&mut beginning)? > 0 {}
        self.beginning = Vec::new();
        let mut waiting_since = None;
        loop {
            if let (Some(since), Some(most)) = (waiting_since, self.flush_after)
                && !is_ready_within(&self.file, most.saturating_sub(Instant::elapsed(&since)))
            {
                writer.flush_segment()?;
                waiting_since = None;
            }
            let read = writer.read_from(&mut self.file)?;
            if read == 0 {
                return Ok(());
            }
            progress.advance(read);
            // Bytes that waited before are on their way if nothing else waits now.
            if writer.waiting() == read {
                waiting_since = None;
            }
            waiting_since = waiting_since.or_else(|| Some(Instant::now()));
        }
    }
}

/// Signs a stream, reading its input once and from beginning to end.
pub(super) fn sign_stream(
    input: StreamInput,
    key: Arc<dyn SigningBackend>,
    statement: Statement,
    options: StreamOptions,
    output: &Output,
) -> Result<(), Failure> {
    let opened = output.open(Access::Ordinary)?;
    let sink = opened.file().try_clone().map_err(|error| output.failed(error))?;
    grow_pipe(&sink);
    let mut writer = StreamWriter::new(sink, key, statement, options)?;
    let name = input.name.clone();
    let done = input.copy_to(&mut writer).and_then(|()| writer.finish());
    done.map_err(|error| match error {
        Error::System(SystemError::Output(error)) => output.failed(error),
        other => Failure::reading(&name, other),
    })?;
    output.finish(opened)
}
