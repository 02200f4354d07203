//! Writing a stream.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use super::buffer::Buffer;
use super::{MAX_SEGMENT_BYTES, MAX_THREADS, SEGMENT_BYTES, STREAM_ID_BYTES};
use crate::cbor::Encoder;
use crate::cose::{Algorithm, Position, TAG_SIGN1, ToBeSigned};
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::key::SigningKey;
use crate::pool::{Collector, Submitter, pool, spawn_with};
use crate::sign::{Template, first_header, later_header};

/// What a stream is signed with.
#[derive(Clone, Copy, Debug)]
pub struct StreamTemplate<'a> {
    /// What segment 0 says: algorithm, content type, claims, external data.
    pub template: Template<'a>,
    /// How segments are hashed.
    pub hash: HashAlgorithm,
    /// How long a segment is, in bytes: from 1 to [`MAX_SEGMENT_BYTES`]; what is outside is moved to
    /// the nearer end.
    pub segment_bytes: usize,
    /// A random name. It **must** never be used twice: two streams whose first headers are the same
    /// can be spliced.
    pub stream_id: [u8; STREAM_ID_BYTES],
    /// How many threads hash and sign, at most [`MAX_THREADS`]; with one, everything happens in the
    /// caller's.
    pub threads: usize,
}

impl<'a> StreamTemplate<'a> {
    /// Default segments and hash, in the caller's thread.
    #[must_use]
    pub const fn new(template: Template<'a>, stream_id: [u8; STREAM_ID_BYTES]) -> Self {
        let hash = HashAlgorithm::Blake3;
        Self { template, hash, segment_bytes: SEGMENT_BYTES, stream_id, threads: 1 }
    }
}

/// Signs what is written to it, segment by segment, and writes that to `W`.
///
/// [`finish`](Self::finish) **must** be called: without it the stream has no end, and every reader
/// says that it was cut. After an error of the output it gets no end either, whatever else is called.
#[derive(Debug)]
#[must_use = "a stream without finish() is refused by every reader"]
pub struct StreamWriter<W> {
    sealer: Arc<Sealer>,
    engine: Engine<W>,
    segment_bytes: usize,
    position: Position,
    /// A full segment, which is the last one if nothing comes after it.
    full: Option<Buffer>,
    current: Buffer,
}

impl<W: Write + Send + 'static> StreamWriter<W> {
    /// Starts a stream. Nothing is written yet.
    ///
    /// ```
    /// use std::io::Write as _;
    ///
    /// use brine::stream::{StreamTemplate, StreamWriter};
    /// use brine::{SigningKey, Statement, Template, Timestamp};
    ///
    /// let issued_at = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
    /// let statement =
    ///     Statement::Full { context: None, cti: [1; 16], expires: None, issued_at, not_before: None };
    /// let template = Template { statement, ..Template::default() };
    /// let key = SigningKey::generate()?;
    /// let mut writer = StreamWriter::new(Vec::new(), key, &StreamTemplate::new(template, [2; 16]));
    /// writer.write_all(&[0; 3_000_000])?;
    /// let stream = writer.finish()?;
    /// assert_eq!(stream.first(), Some(&0xd2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(output: W, key: SigningKey, template: &StreamTemplate<'_>) -> Self {
        let sealer = Arc::new(Sealer::new(key, template));
        let engine = Engine::new(output, &sealer, template.threads.min(MAX_THREADS));
        let segment_bytes = template.segment_bytes.clamp(1, MAX_SEGMENT_BYTES);
        let position =
            Position { stream_id: template.stream_id, index: 0, last: false, first: None };
        let current = Buffer::default();
        Self { sealer, engine, segment_bytes, position, full: None, current }
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
    /// [`Error::Input`] from `input`, [`Error::Output`] from the output, and [`Error::OutOfMemory`].
    pub fn read_from(&mut self, input: &mut impl Read) -> Result<usize> {
        if self.current.is_absent() {
            self.current = self.engine.buffer(self.segment_bytes)?;
        }
        if self.current.is_full() {
            self.hold_full()?;
        }
        let count = loop {
            match input.read(self.current.room()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                count => break count.map_err(Error::Input)?,
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
    /// [`Error::Output`] and [`Error::OutOfMemory`].
    pub fn flush_segment(&mut self) -> Result<()> {
        self.seal_full()?;
        if self.current.len() > 0 {
            let next = self.engine.buffer(self.segment_bytes)?;
            let buffer = std::mem::replace(&mut self.current, next);
            self.seal(buffer, false)?;
        }
        self.engine.flush()
    }

    /// Signs the last segment, writes everything and returns the output.
    ///
    /// # Errors
    ///
    /// [`Error::Output`].
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
        output.flush().map_err(Error::Output)?;
        Ok(output)
    }

    /// Sets a full segment aside until it is known whether anything follows.
    fn hold_full(&mut self) -> Result<()> {
        self.seal_full()?;
        let next = self.engine.buffer(self.segment_bytes)?;
        self.full = Some(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    fn seal_full(&mut self) -> Result<()> {
        self.full.take().map_or(Ok(()), |full| self.seal(full, false))
    }

    fn seal(&mut self, content: Buffer, last: bool) -> Result<()> {
        self.position.last = last;
        let segment = Segment { position: self.position, content };
        // 2^63 segments do not happen; an index that came again would be a way to splice.
        self.position.index = self.position.index.checked_add(1).ok_or(Error::StreamTooLong)?;
        self.position.first = Some(self.sealer.first);
        self.engine.submit(&self.sealer, segment)
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
        Error::Output(error) => error,
        other => io::Error::other(other),
    }
}

/// Where segments are sealed and written.
#[derive(Debug)]
enum Engine<W> {
    /// In the caller's thread.
    Here { output: W, spare: Option<Buffer> },
    /// Sealed by a pool, written by a thread that hands the buffers back.
    Threads {
        pool: Submitter<Segment, Step>,
        spare: Receiver<Buffer>,
        writer: JoinHandle<Option<Result<W>>>,
    },
    /// Finished, or failed.
    Gone,
}

impl<W: Write + Send + 'static> Engine<W> {
    /// Starts the threads; where the system grants none, the work is done here.
    fn new(output: W, sealer: &Arc<Sealer>, threads: usize) -> Self {
        if threads < 2 {
            return Self::Here { output, spare: None };
        }
        let sealer = Arc::clone(sealer);
        let work = move |segment| Step::Write(sealer.seal(segment));
        let Some((pool, steps)) = pool(threads, work) else {
            return Self::Here { output, spare: None };
        };
        let (give_back, spare) = channel();
        match spawn_with(output, move |output| take_steps(output, &steps, &give_back)) {
            Ok(writer) => Self::Threads { pool, spare, writer },
            Err(output) => Self::Here { output, spare: None },
        }
    }

    fn submit(&mut self, sealer: &Sealer, segment: Segment) -> Result<()> {
        match self {
            Self::Here { output, spare } => {
                let sealed = sealer.seal(segment);
                let written = sealed.write_to(output).map_err(Error::Output);
                *spare = Some(sealed.content);
                // A stream with a hole must not get an end.
                written.inspect_err(|_| *self = Self::Gone)
            }
            Self::Threads { pool, .. } => match pool.submit(segment) {
                Err(error) => Err(self.why_gone(error)),
                Ok(()) => Ok(()),
            },
            Self::Gone => Err(Error::WorkerLost),
        }
    }

    /// Waits until all that was submitted is written, and flushed by the output.
    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Here { output, .. } => {
                let flushed = output.flush().map_err(Error::Output);
                flushed.inspect_err(|_| *self = Self::Gone)
            }
            Self::Threads { pool, .. } => {
                let (done, flushed) = sync_channel(1);
                let submitted = pool.submit_done(Step::Flush(done));
                let flushed =
                    submitted.and_then(|()| flushed.recv().map_err(|_| Error::WorkerLost));
                flushed.map_err(|error| self.why_gone(error))
            }
            Self::Gone => Err(Error::WorkerLost),
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
            Self::Gone => None,
        };
        spare.unwrap_or_default().with_room(segment_bytes)
    }

    fn finish(self) -> Result<W> {
        match self {
            Self::Here { output, .. } => Ok(output),
            Self::Threads { pool, writer, .. } => {
                drop(pool);
                writer.join().ok().flatten().unwrap_or(Err(Error::WorkerLost))
            }
            Self::Gone => Err(Error::WorkerLost),
        }
    }
}

/// What the writing thread does next.
#[derive(Debug)]
enum Step {
    /// Flush the output, and say so.
    Flush(SyncSender<()>),
    Write(Sealed),
}

fn take_steps<W: Write>(
    mut output: W,
    steps: &Collector<Step>,
    give_back: &Sender<Buffer>,
) -> Result<W> {
    while let Some(step) = steps.take()? {
        match step {
            Step::Flush(done) => {
                output.flush().map_err(Error::Output)?;
                // Whoever asked waits for it, or has gone.
                let _ = done.send(());
            }
            Step::Write(sealed) => {
                sealed.write_to(&mut output).map_err(Error::Output)?;
                // The stream may have ended already and need no more buffers.
                let _ = give_back.send(sealed.content);
            }
        }
    }
    Ok(output)
}

/// Content that is not signed yet.
#[derive(Debug)]
struct Segment {
    position: Position,
    content: Buffer,
}

/// A segment as it is written: `head` goes before the bytes of the content.
#[derive(Debug)]
struct Sealed {
    head: Vec<u8>,
    content: Buffer,
}

impl Sealed {
    fn write_to(&self, output: &mut impl Write) -> io::Result<()> {
        output.write_all(&self.head)?;
        output.write_all(self.content.bytes())
    }
}

/// What it takes to sign a segment.
#[derive(Debug)]
struct Sealer {
    key: SigningKey,
    algorithm: Algorithm,
    hash: HashAlgorithm,
    external_aad: Vec<u8>,
    /// The protected header of segment 0, if others follow.
    opening: Vec<u8>,
    /// The same, if none does.
    only: Vec<u8>,
    /// The SHA-256 of `opening`, which ties the others to it.
    first: [u8; 32],
}

impl Sealer {
    fn new(key: SigningKey, template: &StreamTemplate<'_>) -> Self {
        let position =
            |last| Position { stream_id: template.stream_id, index: 0, last, first: None };
        let key_id = key.verifying_key().id();
        let header =
            |last| first_header(key_id, &template.template, template.hash, &position(last));
        let opening = header(false);
        Self {
            key,
            algorithm: template.template.algorithm,
            hash: template.hash,
            external_aad: template.template.external_aad.to_vec(),
            first: Sha256::digest(&opening).into(),
            opening,
            only: header(true),
        }
    }

    fn seal(&self, segment: Segment) -> Sealed {
        let Segment { position, content } = segment;
        let later;
        let protected = match (position.index, position.last) {
            (0, false) => &self.opening,
            (0, true) => &self.only,
            _ => {
                let key_id = self.key.verifying_key().id();
                later = later_header(key_id, self.algorithm, self.hash, &position);
                &later
            }
        };
        let digest = self.hash.digest(content.bytes());
        let signed = ToBeSigned::new(protected, &self.external_aad, digest.as_ref());
        let mut head = Encoder::new();
        head.tag(TAG_SIGN1).array(4).bytes(protected).map(0).bytes(digest.as_ref());
        head.bytes(&self.key.sign(&signed.parts())).bytes_head(content.len());
        Sealed { head: head.into_bytes(), content }
    }
}
