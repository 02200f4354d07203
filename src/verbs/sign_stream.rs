//! `brine sign`, where the input outgrows a segment.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use brine_core::{Error, SigningBackend, StreamOptions, StreamWriter, SystemError};

use super::stated::{Said, Stated, called_back};
use crate::report::{Failure, SignatureFacts};
use crate::world::end_signals::EndSignals;
use crate::world::input::{InputFile, grow_pipe, length_of};
use crate::world::output::Output;
use crate::world::patient_file::PatientFile;
use crate::world::progress::{Progress, Show};
use crate::world::whole_file::Access;

/// An input that may become a stream.
pub(super) struct StreamInput {
    /// What was read of it already.
    beginning: Vec<u8>,
    /// Where the rest is.
    file: PatientFile<File>,
    /// What to call that.
    name: String,
    /// How long a byte may wait for others before its segment is closed.
    flush_after: Option<(Duration, EndSignals)>,
    show: Show,
}

/// How an input ended.
enum Copied {
    /// All of it was read, and it had so many bytes.
    All(u64),
    /// A signal asked to end. What was read before is signed and written.
    Stopped(EndSignals),
}

impl StreamInput {
    pub(super) fn new(
        input: InputFile,
        flush_after: Option<Duration>,
        show: Show,
    ) -> Result<Self, Failure> {
        let (file, name) = input.into_file();
        let signals = flush_after.map(|most| Ok((most, EndSignals::catch()?))).transpose();
        let flush_after = signals.map_err(|error| Failure::io("signals", error))?;
        Ok(Self { beginning: Vec::new(), file, name, flush_after, show })
    }

    /// Returns all of the input, if it is `most` bytes or fewer.
    pub(super) fn read_all_within(&mut self, most: usize) -> Result<Option<&[u8]>, Failure> {
        // One byte more shows that there is more, or that the end was reached.
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let expected = length_of(self.file.as_file()).unwrap_or(PIPE_BYTES).saturating_add(1);
        // Without room to begin with, the first reads are of a few bytes each.
        self.beginning.reserve(usize::try_from(expected.min(limit)).unwrap_or(most));
        let read = self.file.by_ref().take(limit).read_to_end(&mut self.beginning);
        read.map_err(|error| Failure::io(&self.name, error))?;
        Ok((self.beginning.len() <= most).then_some(self.beginning.as_slice()))
    }

    fn copy_to(mut self, writer: &mut StreamWriter<PatientFile<File>>) -> Result<Copied, Error> {
        let progress = Progress::start(length_of(self.file.as_file()), self.show);
        progress.advance(self.beginning.len());
        let mut beginning = self.beginning.as_slice();
        while writer.read_from(&mut beginning)? > 0 {}
        let mut total = u64::try_from(self.beginning.len()).unwrap_or(u64::MAX);
        self.beginning = Vec::new();
        let mut waiting_since = None;
        loop {
            if let Some((most, signals)) = &self.flush_after {
                let left = waiting_since.map(|since| most.saturating_sub(Instant::elapsed(&since)));
                if !signals.is_ready_within(self.file.as_file(), left) {
                    writer.flush_segment()?;
                    waiting_since = None;
                    signals.is_ready_within(self.file.as_file(), None);
                }
                if signals.have_arrived() {
                    writer.flush_segment()?;
                    return Ok(Copied::Stopped(signals.clone()));
                }
            }
            let read = writer.read_from(&mut self.file)?;
            if read == 0 {
                return Ok(Copied::All(total));
            }
            progress.advance(read);
            total = total.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
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
    stated: Stated,
    options: StreamOptions,
    output: &Output,
) -> Result<SignatureFacts, Failure> {
    let opened = output.open(Access::Ordinary)?;
    let sink = opened.file().try_clone().map_err(|error| output.failed(error))?;
    grow_pipe(&sink);
    let facts = Arc::new(OnceLock::new());
    let state = {
        let facts = Arc::clone(&facts);
        move || {
            let said: Said = called_back(stated.now())?;
            facts.get_or_init(|| said.facts);
            Ok(said.statement)
        }
    };
    let mut writer = StreamWriter::stating(PatientFile::new(sink), key, state, options)?;
    let name = input.name.clone();
    let failed = |error| match error {
        Error::System(SystemError::Output(error)) => output.failed(error),
        other => Failure::reading(&name, other),
    };
    let bytes = match input.copy_to(&mut writer).map_err(failed)? {
        Copied::All(bytes) => bytes,
        Copied::Stopped(signals) => {
            // The stream has no end: readers say that it was cut.
            drop((writer, opened));
            signals.end_process();
            return Err(Failure::io(&name, ErrorKind::Interrupted.into()));
        }
    };
    writer.finish().map_err(failed)?;
    output.finish(opened)?;
    let facts = facts.get().cloned().unwrap_or_default();
    Ok(SignatureFacts { kind: "stream", payload_bytes: Some(bytes), ..facts })
}

/// What a pipe holds, in most cases.
const PIPE_BYTES: u64 = 64 * 1024;
