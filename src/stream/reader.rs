//! Reading a stream.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::buffer::Buffer;
use super::chain::{Chain, Form};
use super::{MAX_SEGMENT_BYTES, MAX_THREADS};
use crate::cbor::{Flaw, Head, Major, Malformed};
use crate::cose::{MAX_HEADER_BYTES, Sign1, Tagging, starts_segment};
use crate::error::{Error, Result};
use crate::hash::MAX_DIGEST_BYTES;
use crate::kind::Kind;
use crate::pool::{Collector, Submitter, pool, spawn_with};
use crate::trust::{Signer, Trust};
use crate::verify::{Request, verify_kinds};

/// The beginning of an input: an envelope up to the end of its protected header.
///
/// Nothing more was read than that, so that a stream can begin on a pipe that stays open.
#[derive(Clone, Debug)]
pub struct Start {
    bytes: Vec<u8>,
    is_segment: bool,
}

impl Start {
    /// Reads as much of `input` as shows whether a stream begins.
    ///
    /// What is no tagged COSE_Sign1, or broken, is no stream: its bytes are for somebody else to
    /// refuse.
    ///
    /// # Errors
    ///
    /// [`Error::Input`].
    pub fn read(input: &mut impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        let is_segment = match read_protected(input, &mut bytes) {
            Ok(protected) => starts_segment(bytes.get(protected..).unwrap_or_default()),
            Err(error @ Error::Input(_)) => return Err(error),
            Err(_) => false,
        };
        Ok(Self { bytes, is_segment })
    }

    /// Returns whether a stream begins here, as far as that can be believed before it is verified.
    #[must_use]
    pub const fn is_segment(&self) -> bool {
        self.is_segment
    }

    /// Reads the rest of segment 0's envelope, for showing: nothing in it is verified.
    ///
    /// # Errors
    ///
    /// [`Error::Input`], [`Error::StreamCut`], [`Error::Malformed`] and [`Error::SegmentForm`].
    pub fn read_opening(self, input: &mut impl Read) -> Result<Vec<u8>> {
        let mut opening = self.bytes;
        read_signature(input, &mut opening)?;
        Ok(opening)
    }

    /// Returns what was read.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Verifies a stream and gives its content out segment by segment.
///
/// A segment is given out only after it has verified, and the last one only after the end of the
/// input was seen. Whoever needs all or nothing **must** hold what is given out until
/// [`next_segment`](Self::next_segment) has returned `None`.
#[derive(Debug)]
pub struct StreamReader {
    opening: Vec<u8>,
    signer: Signer,
    engine: Engine,
    current: Buffer,
    state: State,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ended,
    Open,
    Refused,
}

impl StreamReader {
    /// Verifies the header of segment 0: signature, kind, trust, context and time are judged here.
    ///
    /// With more than one thread, `input` is read ahead by a thread of its own, by as many segments
    /// as there are threads and two more. There are at most [`MAX_THREADS`].
    ///
    /// # Errors
    ///
    /// Those of [`Sign1::parse`] and [`verify`](crate::verify()), [`Error::Input`] and
    /// [`Error::StreamCut`].
    pub fn open<R: Read + Send + 'static>(
        start: Start,
        mut input: R,
        request: &Request<'_>,
        trust: &Trust,
        threads: usize,
    ) -> Result<Self> {
        let opening = start.read_opening(&mut input)?;
        let sign1 = Sign1::parse(&opening, Tagging::Required)?;
        Form::of_first(&sign1)?;
        let verified = verify_kinds(&sign1, request, trust, &[Kind::Segment])?;
        let signer = verified.signer().clone();
        let chain = Chain::begin(&sign1, signer.key.clone(), request.external_aad)?;
        let source =
            Source { input, opening: Some(opening.clone()), chain: Arc::new(chain), index: 0 };
        let engine = Engine::new(source, threads.min(MAX_THREADS));
        Ok(Self { opening, signer, engine, current: Buffer::default(), state: State::Open })
    }

    /// Returns the envelope of segment 0, whose header speaks for the stream.
    ///
    /// # Errors
    ///
    /// None in practice, since it was parsed before.
    pub fn opening(&self) -> Result<Sign1<'_>> {
        Sign1::parse(&self.opening, Tagging::Required)
    }

    /// Returns the trust entry that speaks for the key.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns the content of the next segment, verified; `None` after the last one.
    ///
    /// # Errors
    ///
    /// [`Error::Segment`] around the reason why a segment was refused, [`Error::StreamCut`] where the
    /// input ends before the last one, and [`Error::Input`]; after any of them, whenever it is asked
    /// again, [`Error::StreamRefused`].
    pub fn next_segment(&mut self) -> Result<Option<&[u8]>> {
        match self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Refused => return Err(Error::StreamRefused),
        }
        let used = std::mem::take(&mut self.current);
        let outcome = self.engine.next(used);
        self.state = match &outcome {
            Ok(checked) if checked.last => State::Ended,
            Ok(_) => State::Open,
            Err(_) => State::Refused,
        };
        self.current = outcome?.content;
        Ok(Some(self.current.bytes()))
    }
}

enum Engine {
    /// In the caller's thread.
    Here(Box<dyn Segments>),
    /// Read by one thread and checked by others.
    Threads { checked: Collector<Result<Checked>>, give_back: Sender<Buffer> },
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Threads { .. } => "Threads",
        })
    }
}

impl Engine {
    /// Starts the threads; where the system grants none, the work is done here.
    fn new(source: impl Segments + 'static, threads: usize) -> Self {
        if threads < 2 {
            return Self::Here(Box::new(source));
        }
        let Some((pool, checked)) = pool(threads, Job::check) else {
            return Self::Here(Box::new(source));
        };
        let (give_back, spare) = channel();
        match spawn_with(source, move |source| read_all(source, &pool, &spare)) {
            Ok(_) => Self::Threads { checked, give_back },
            Err(source) => Self::Here(Box::new(source)),
        }
    }

    fn next(&mut self, used: Buffer) -> Result<Checked> {
        match self {
            Self::Here(source) => source.next(used)?.check(),
            Self::Threads { checked, give_back } => {
                // The source may have read everything and need no more buffers.
                let _ = give_back.send(used);
                checked.take()?.unwrap_or(Err(Error::WorkerLost))
            }
        }
    }
}

fn read_all(
    mut source: impl Segments,
    pool: &Submitter<Job, Result<Checked>>,
    spare: &Receiver<Buffer>,
) {
    loop {
        let job = source.next(spare.try_recv().unwrap_or_default());
        let ends = job.as_ref().map_or(true, |job| job.last);
        let submitted = match job {
            Ok(job) => pool.submit(job),
            Err(error) => pool.submit_done(Err(error)),
        };
        // Nobody collects any more if the stream was given up.
        if ends || submitted.is_err() {
            return;
        }
    }
}

/// Gives segments out one by one, each in its place, none checked yet.
trait Segments: Send {
    fn next(&mut self, buffer: Buffer) -> Result<Job>;
}

struct Source<R> {
    input: R,
    /// The envelope of segment 0, until its turn comes.
    opening: Option<Vec<u8>>,
    chain: Arc<Chain>,
    index: u64,
}

impl<R: Read + Send> Segments for Source<R> {
    fn next(&mut self, buffer: Buffer) -> Result<Job> {
        let index = self.index;
        let job = self.read(buffer).map_err(|error| match error {
            Error::StreamCut { .. } => Error::StreamCut { segments: index },
            Error::Input(_) | Error::OutOfMemory { .. } => error,
            error => Error::in_segment(index, error),
        })?;
        self.index = index.checked_add(1).ok_or(Error::StreamTooLong)?;
        Ok(job)
    }
}

impl<R: Read> Source<R> {
    fn read(&mut self, buffer: Buffer) -> Result<Job> {
        let opening = self.opening.take();
        let signature_holds = opening.is_some();
        let envelope = match opening {
            Some(envelope) => envelope,
            None => {
                let mut envelope = Vec::with_capacity(512);
                read_protected(&mut self.input, &mut envelope)?;
                read_signature(&mut self.input, &mut envelope)?;
                envelope
            }
        };
        let last = self.chain.judge(&Sign1::parse(&envelope, Tagging::Required)?, self.index)?;
        let content = self.content(buffer)?;
        if last {
            self.refuse_more()?;
        }
        let chain = Arc::clone(&self.chain);
        Ok(Job { chain, index: self.index, envelope, content, last, signature_holds })
    }

    /// Reads the byte string after an envelope.
    fn content(&mut self, buffer: Buffer) -> Result<Buffer> {
        let mut head = Vec::new();
        let length = read_head(&mut self.input, &mut head, MAX_SEGMENT_BYTES, |_| TOO_LONG)?;
        let mut content = buffer.with_room(length)?;
        self.input.read_exact(content.room()).map_err(end_or_input)?;
        content.fill(length);
        Ok(content)
    }

    /// Demands that the input ends. The last segment is given out only then.
    fn refuse_more(&mut self) -> Result<()> {
        let mut one = [0];
        loop {
            match self.input.read(&mut one) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(Malformed::new(0, Flaw::AfterLast).into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Input(error)),
            }
        }
    }
}

/// A segment in its place, of which signature and digest are still to be checked.
#[derive(Debug)]
struct Job {
    chain: Arc<Chain>,
    index: u64,
    envelope: Vec<u8>,
    content: Buffer,
    last: bool,
    /// Whether the signature has been verified already, as that of segment 0.
    signature_holds: bool,
}

impl Job {
    fn check(self) -> Result<Checked> {
        let sign1 = Sign1::parse(&self.envelope, Tagging::Required)?;
        let checked = if self.signature_holds {
            self.chain.check_digest(&sign1, self.content.bytes())
        } else {
            self.chain.check(&sign1, self.content.bytes())
        };
        checked.map_err(|error| Error::in_segment(self.index, error))?;
        Ok(Checked { content: self.content, last: self.last })
    }
}

/// A segment that may be given out.
#[derive(Debug)]
struct Checked {
    content: Buffer,
    last: bool,
}

/// Reads tag, array and protected header, and returns where the latter begins.
fn read_protected(input: &mut impl Read, bytes: &mut Vec<u8>) -> Result<usize> {
    // 18([protected, unprotected, payload, signature])
    for expected in [0xd2, 0x84] {
        read_more(input, bytes, 1)?;
        if bytes.last() != Some(&expected) {
            return Err(Error::SegmentForm { what: "it does not begin as one" });
        }
    }
    let too_large = |_| Error::HeaderTooLarge { limit: MAX_HEADER_BYTES };
    let length = read_head(input, bytes, MAX_HEADER_BYTES, too_large)?;
    let start = bytes.len();
    read_more(input, bytes, length)?;
    Ok(start)
}

/// Reads the rest of a segment's envelope: no unprotected header, a digest, and a signature.
fn read_signature(input: &mut impl Read, bytes: &mut Vec<u8>) -> Result<()> {
    read_more(input, bytes, 1)?;
    if bytes.last() != Some(&0xa0) {
        return Err(Error::SegmentForm { what: "its unprotected header is not empty" });
    }
    let digest = read_head(input, bytes, MAX_DIGEST_BYTES, |_| TOO_LONG)?;
    read_more(input, bytes, digest)?;
    // Longer than any signature field, so that what it is can be said.
    let too_long = |found| Error::SignatureLength { found };
    let signature = read_head(input, bytes, MAX_SIGNATURE_FIELD_BYTES, too_long)?;
    read_more(input, bytes, signature)
}

const TOO_LONG: Error = Error::SegmentForm { what: "a byte string is too long" };

/// What no signature field comes to, in bytes.
const MAX_SIGNATURE_FIELD_BYTES: usize = 4096;

/// Reads the head of a byte string, and returns its length; of one over `longest` bytes, the error.
fn read_head(
    input: &mut impl Read,
    bytes: &mut Vec<u8>,
    longest: usize,
    too_long: impl Fn(usize) -> Error,
) -> Result<usize> {
    let start = bytes.len();
    loop {
        read_more(input, bytes, 1)?;
        match Head::read_strict(bytes.get(start..).unwrap_or_default()) {
            Err(Malformed { flaw: Flaw::UnexpectedEnd, .. }) => {}
            Err(malformed) => return Err(malformed.into()),
            Ok(head) if head.major != Major::Bytes => {
                return Err(Error::SegmentForm { what: "a byte string is missing" });
            }
            Ok(head) => {
                let length = usize::try_from(head.argument).unwrap_or(usize::MAX);
                return if length <= longest { Ok(length) } else { Err(too_long(length)) };
            }
        }
    }
}

fn read_more(input: &mut impl Read, bytes: &mut Vec<u8>, count: usize) -> Result<()> {
    let start = bytes.len();
    bytes.resize(start.saturating_add(count), 0);
    let mut filled = start;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => {
                bytes.truncate(filled);
                return Err(Error::StreamCut { segments: 0 });
            }
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Input(error)),
        }
    }
    Ok(())
}

fn end_or_input(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::StreamCut { segments: 0 },
        _ => Error::Input(error),
    }
}
