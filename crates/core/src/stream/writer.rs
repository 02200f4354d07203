//! Writing a stream.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::buffer::Buffer;
use super::sealer::{Sealed, Sealer, Segment, Unstated};
use super::{MAX_SEGMENT_BYTES, MAX_THREADS, SEGMENT_BYTES, STREAM_ID_BYTES};
use crate::error::{Error, Result, StreamError, SystemError};
use crate::hash::HashAlgorithm;
use crate::key::random;
use crate::pool::{Collector, Submitter, WorkerLost, pool, spawn_with};
use crate::position::Position;
use crate::signing::SigningBackend;
use crate::statement::Statement;

/// How a stream is cut, hashed and worked on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StreamOptions {
    pub(super) hash: HashAlgorithm,
    segment_bytes: usize,
    stream_id: Option<[u8; STREAM_ID_BYTES]>,
    threads: usize,
}

impl Default for StreamOptions {
    fn default() -> Self {
        let hash = HashAlgorithm::Blake3;
        Self { hash, segment_bytes: SEGMENT_BYTES, stream_id: None, threads: 1 }
    }
}

impl StreamOptions {
    /// Returns the default: BLAKE3, segments of [`SEGMENT_BYTES`], all work in the caller's thread.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashes segments with this algorithm.
    #[must_use]
    pub const fn hash(self, hash: HashAlgorithm) -> Self {
        Self { hash, ..self }
    }

    /// Makes segments of this length, in bytes, moved into the range from 1 to [`MAX_SEGMENT_BYTES`].
    #[must_use]
    pub fn segment_bytes(self, segment_bytes: usize) -> Self {
        Self { segment_bytes: segment_bytes.clamp(1, MAX_SEGMENT_BYTES), ..self }
    }

    /// Names the stream instead of drawing a random name. A name **must** be used once: two streams whose
    /// first headers are the same can be spliced.
    #[must_use]
    pub const fn stream_id(self, stream_id: [u8; STREAM_ID_BYTES]) -> Self {
        Self { stream_id: Some(stream_id), ..self }
    }

    /// Hashes and signs on this many threads, at most [`MAX_THREADS`].
    #[must_use]
    pub const fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }
}

/// Signs what is written to it, segment by segment, and writes that to `W`.
///
/// [`finish`](Self::finish) **must** be called: without it the stream has no end, and every reader
/// says that it was cut. After an error of the output it gets no end either, whatever else is called.
#[derive(Debug)]
#[must_use = "a stream without finish() is refused by every reader"]
pub struct StreamWriter<W> {
    engine: Engine<W>,
    options: StreamOptions,
    position: Position,
    /// A full segment, which is the last one if nothing comes after it.
    full: Option<Buffer>,
    current: Buffer,
}

impl<W: Write + Send + 'static> StreamWriter<W> {
    /// Starts a stream that says `statement`. Nothing is written yet.
    ///
    /// Content that is waited for makes the moment in a statement wrong: see [`stating`](Self::stating).
    ///
    /// ```
    /// use std::io::Write as _;
    /// use std::sync::Arc;
    ///
    /// use brine_core::{SigningKey, Statement, StreamOptions, StreamWriter, Timestamp};
    ///
    /// let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
    /// let key = Arc::new(SigningKey::generate()?);
    /// let mut writer =
    ///     StreamWriter::new(Vec::new(), key, Statement::at(now), StreamOptions::new())?;
    /// writer.write_all(&[0; 3_000_000])?;
    /// let stream = writer.finish()?;
    /// assert_eq!(stream.first(), Some(&0xd2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`](crate::KeyError::Random).
    pub fn new(
        output: W,
        key: Arc<dyn SigningBackend>,
        statement: Statement,
        options: StreamOptions,
    ) -> Result<Self> {
        Self::stating(output, key, move || Ok(statement), options)
    }

    /// Starts a stream that says what `state` returns, which is called when the content of segment 0 has arrived.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`](crate::KeyError::Random). Writing returns the errors of `state`.
    pub fn stating(
        output: W,
        key: Arc<dyn SigningBackend>,
        state: impl FnOnce() -> Result<Statement> + Send + 'static,
        options: StreamOptions,
    ) -> Result<Self> {
        let stream_id = options.stream_id.map_or_else(random, Ok)?;
        let position = Position { stream_id, index: 0, last: false, first: None };
        let engine = Engine::Waiting { output, unstated: Unstated { key, state: Box::new(state) } };
        Ok(Self { engine, options, position, full: None, current: Buffer::default() })
    }

    /// Returns how many bytes wait for their segment to be closed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.full.as_ref().map_or(0, Buffer::len).saturating_add(self.current.len())
    }

    /// Reads once from `input`, straight into the segment, and returns how many bytes that gave; 0
    /// at its end.
    ///
    /// # Errors
    ///
    /// [`SystemError::Input`] from `input`, [`SystemError::Output`] from the output, and [`SystemError::OutOfMemory`].
    pub fn read_from(&mut self, input: &mut impl Read) -> Result<usize> {
        if self.current.is_absent() {
            self.current = self.engine.buffer(self.options.segment_bytes)?;
        }
        if self.current.is_full() {
            self.hold_full()?;
        }
        let count = loop {
            match input.read(self.current.room()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                count => break count.map_err(Error::input)?,
            }
        };
        if count > 0 {
            self.current.fill(count);
            self.seal_full()?;
        }
        Ok(count)
    }

    /// Closes the segment early, so that what was written so far can be verified, and returns when
    /// the output has it.
    ///
    /// # Errors
    ///
    /// [`SystemError::Output`] and [`SystemError::OutOfMemory`].
    pub fn flush_segment(&mut self) -> Result<()> {
        self.seal_full()?;
        if self.current.len() > 0 {
            let next = self.engine.buffer(self.options.segment_bytes)?;
            let buffer = std::mem::replace(&mut self.current, next);
            self.seal(buffer, false)?;
        }
        self.engine.flush()
    }

    /// Signs the last segment, writes everything and returns the output.
    ///
    /// # Errors
    ///
    /// [`SystemError::Output`].
    pub fn finish(mut self) -> Result<W> {
        let current = std::mem::take(&mut self.current);
        let last = match self.full.take() {
            Some(full) if current.len() == 0 => full,
            Some(full) => {
                self.seal(full, false)?;
                current
            }
            None => current,
        };
        self.seal(last, true)?;
        let mut output = self.engine.finish()?;
        output.flush().map_err(Error::output)?;
        Ok(output)
    }

    /// Sets a full segment aside until it is known whether anything follows.
    fn hold_full(&mut self) -> Result<()> {
        self.seal_full()?;
        let next = self.engine.buffer(self.options.segment_bytes)?;
        self.full = Some(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    fn seal_full(&mut self) -> Result<()> {
        self.full.take().map_or(Ok(()), |full| self.seal(full, false))
    }

    fn seal(&mut self, content: Buffer, last: bool) -> Result<()> {
        let first = self.engine.start(&self.options, self.position)?;
        self.position.last = last;
        let segment = Segment { position: self.position, content };
        // 2^63 segments do not happen; an index that came again would be a way to splice.
        self.position.index = self.position.index.checked_add(1).ok_or(StreamError::TooLong)?;
        self.position.first = Some(first);
        self.engine.submit(segment)
    }
}

impl<W: Write + Send + 'static> Write for StreamWriter<W> {
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<usize> {
        self.read_from(&mut bytes).map_err(into_io)
    }

    /// As [`flush_segment`](StreamWriter::flush_segment).
    fn flush(&mut self) -> io::Result<()> {
        self.flush_segment().map_err(into_io)
    }
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::System(SystemError::Output(error)) => error,
        other => io::Error::other(other),
    }
}

/// Where segments are sealed and written.
#[derive(Debug)]
enum Engine<W> {
    /// In the caller's thread.
    Here { output: W, sealer: Arc<Sealer>, spare: Option<Buffer> },
    /// Sealed by a pool, written by a thread that hands the buffers back.
    Threads {
        /// The digest of the header of segment 0.
        first: [u8; 32],
        pool: Submitter<Segment, Step>,
        spare: Receiver<Buffer>,
        writer: JoinHandle<Option<Result<W>>>,
    },
    /// Nothing was signed yet, and nothing stated.
    Waiting { output: W, unstated: Unstated },
    /// Finished, or failed.
    Gone,
}

impl<W: Write + Send + 'static> Engine<W> {
    /// Has the stream stated when its first segment is there, and returns the digest of its first header.
    fn start(&mut self, options: &StreamOptions, position: Position) -> Result<[u8; 32]> {
        if let Self::Waiting { .. } = self
            && let Self::Waiting { output, unstated } = std::mem::replace(self, Self::Gone)
        {
            let sealer = unstated.state(options, position)?;
            *self = Self::new(output, Arc::new(sealer), options.threads.min(MAX_THREADS));
        }
        match self {
            Self::Here { sealer, .. } => Ok(sealer.first),
            Self::Threads { first, .. } => Ok(*first),
            Self::Waiting { .. } | Self::Gone => Err(WorkerLost.into()),
        }
    }

    /// Starts the threads; where the system grants none, the work is done here.
    fn new(output: W, sealer: Arc<Sealer>, threads: usize) -> Self {
        if threads < 2 {
            return Self::Here { output, sealer, spare: None };
        }
        let (first, on_thread) = (sealer.first, Arc::clone(&sealer));
        let work = move |segment| Step::Write(on_thread.seal(segment));
        let Some((pool, steps)) = pool(threads, work) else {
            return Self::Here { output, sealer, spare: None };
        };
        let (give_back, spare) = channel();
        match spawn_with(output, move |output| take_steps(output, &steps, &give_back)) {
            Ok(writer) => Self::Threads { first, pool, spare, writer },
            Err(output) => Self::Here { output, sealer, spare: None },
        }
    }

    fn submit(&mut self, segment: Segment) -> Result<()> {
        match self {
            Self::Here { output, sealer, spare } => {
                let written = sealer.seal(segment).and_then(|sealed| {
                    sealed.write_to(output).map_err(Error::output)?;
                    *spare = Some(sealed.content);
                    Ok(())
                });
                // A stream with a hole must not get an end.
                written.inspect_err(|_| *self = Self::Gone)
            }
            Self::Threads { pool, .. } => match pool.submit(segment) {
                Err(error) => Err(self.why_gone(error.into())),
                Ok(()) => Ok(()),
            },
            Self::Waiting { .. } | Self::Gone => Err(WorkerLost.into()),
        }
    }

    /// Waits until all that was submitted is written, and flushed by the output.
    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Here { output, .. } | Self::Waiting { output, .. } => {
                let flushed = output.flush().map_err(Error::output);
                flushed.inspect_err(|_| *self = Self::Gone)
            }
            Self::Threads { pool, .. } => {
                let (done, flushed) = sync_channel(1);
                let submitted = pool.submit_done(Step::Flush(done));
                let flushed = submitted.and_then(|()| flushed.recv().map_err(|_| WorkerLost));
                flushed.map_err(|error| self.why_gone(error.into()))
            }
            Self::Gone => Err(WorkerLost.into()),
        }
    }

    /// The writer has gone: why is what matters, and not that it has.
    fn why_gone(&mut self, error: Error) -> Error {
        std::mem::replace(self, Self::Gone).finish().err().unwrap_or(error)
    }

    fn buffer(&mut self, segment_bytes: usize) -> Result<Buffer> {
        let spare = match self {
            Self::Here { spare, .. } => spare.take(),
            Self::Threads { spare, .. } => spare.try_recv().ok(),
            Self::Waiting { .. } | Self::Gone => None,
        };
        spare.unwrap_or_default().with_room(segment_bytes)
    }

    fn finish(self) -> Result<W> {
        match self {
            Self::Here { output, .. } | Self::Waiting { output, .. } => Ok(output),
            Self::Threads { pool, writer, .. } => {
                drop(pool);
                writer.join().ok().flatten().unwrap_or(Err(WorkerLost.into()))
            }
            Self::Gone => Err(WorkerLost.into()),
        }
    }
}

/// What the writing thread does next.
#[derive(Debug)]
enum Step {
    /// Flush the output, and say so.
    Flush(SyncSender<()>),
    Write(Result<Sealed>),
}

fn take_steps<W: Write>(
    mut output: W,
    steps: &Collector<Step>,
    give_back: &Sender<Buffer>,
) -> Result<W> {
    while let Some(step) = steps.take()? {
        match step {
            Step::Flush(done) => {
                output.flush().map_err(Error::output)?;
                // Whoever asked waits for it, or has gone.
                let _ = done.send(());
            }
            Step::Write(sealed) => {
                let sealed = sealed?;
                sealed.write_to(&mut output).map_err(Error::output)?;
                // The stream may have ended already and need no more buffers.
                let _ = give_back.send(sealed.content);
            }
        }
    }
    Ok(output)
}
