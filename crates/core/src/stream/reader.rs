//! Reading a stream.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::MAX_THREADS;
use super::buffer::Buffer;
use super::chain::{Chain, Link, SegmentForm};
use super::segment_input::{read_content, read_protected, read_signature, refuse_more};
use crate::cose::Tagging;
use crate::error::{Error, Result, StreamError, SystemError};
use crate::expectations::Expectations;
use crate::kind::Kind;
use crate::observer::{Circumstances, Observer};
use crate::pool::{Collector, Submitter, WorkerLost, pool, spawn_with};
use crate::time::Timestamp;
use crate::unverified::UnverifiedEnvelope;
use crate::verify::{Judged, Standing, verify_in_memory};

/// Verifies a stream and releases its content segment by segment.
///
/// A segment is released only after it has verified, and the last one only after the end of the
/// input was seen. Trust and time hold for each when it is released, and not only for the first.
#[derive(Debug)]
pub(crate) struct StreamReader {
    engine: Engine,
    watch: Watch,
    /// The index of the segment that is released next.
    next: u64,
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

/// The verified beginning of a stream.
pub(crate) struct Begun {
    pub(crate) judged: Judged<'static>,
    pub(crate) judged_at: Timestamp,
    /// The protected header of segment 0, which speaks for the stream.
    pub(crate) protected: Vec<u8>,
    pub(crate) reader: StreamReader,
}

impl StreamReader {
    /// Verifies the header of segment 0: signature, kind, trust, context and time are judged here.
    ///
    /// `opening` is the envelope of segment 0. With more than one thread, `input`, which gives the rest, is read
    /// ahead by a thread of its own, by as many segments as there are threads and two more. There are at most
    /// [`MAX_THREADS`].
    pub(crate) fn open(
        opening: &[u8],
        input: Box<dyn Read + Send>,
        expectations: &Expectations,
        observer: &Observer,
        threads: usize,
    ) -> Result<Begun> {
        let envelope = UnverifiedEnvelope::parse(opening, Tagging::Required)?;
        SegmentForm::of_first(&envelope)?;
        let digest = envelope.sign1().unverified_payload();
        let digest = digest.ok_or(crate::cose::FormError::DetachedPayload)?;
        let expected = Expectations { kind: Kind::Segment, ..expectations.clone() };
        let circumstances = observer.observe()?;
        let (trust, judged_at) = (circumstances.trust().as_ref(), circumstances.now());
        let judged = verify_in_memory(&envelope, digest, &expected, trust, judged_at, None)?;
        let key = (*judged.key).clone();
        let chain = Chain::begin(&envelope, key, &expectations.external_aad)?;
        let first = chain.judge(&envelope, 0)?;
        let protected = envelope.sign1().protected_bytes().to_vec();
        let source = Source { input, first: Some(first), chain: Arc::new(chain), index: 0 };
        let engine = Engine::new(source, threads.min(MAX_THREADS));
        let judged = judged.into_owned();
        let (observer, standing) = (observer.clone(), judged.standing.clone());
        let watch = Watch { observer, expectations: expected, standing, circumstances };
        let reader =
            Self { engine, watch, next: 0, current: Buffer::default(), state: State::Open };
        Ok(Begun { judged, judged_at, protected, reader })
    }

    /// Returns the content of the segment that was read last.
    pub(crate) fn current(&self) -> &[u8] {
        self.current.bytes()
    }

    /// Returns when a segment was judged last.
    pub(crate) const fn judged_at(&self) -> Timestamp {
        self.watch.circumstances.now()
    }

    /// Returns the content of the next segment, verified; `None` after the last one.
    ///
    /// After an error, every further call returns [`StreamError::Refused`].
    pub(crate) fn next_segment(&mut self) -> Result<Option<&[u8]>> {
        match self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Refused => return Err(StreamError::Refused.into()),
        }
        let used = std::mem::take(&mut self.current);
        let outcome = self.next_checked(used);
        self.state = match &outcome {
            Ok(checked) if checked.last => State::Ended,
            Ok(_) => State::Open,
            Err(_) => State::Refused,
        };
        self.current = outcome?.content;
        Ok(Some(self.current.bytes()))
    }

    /// Returns the next segment when it has arrived, if trust and time hold then.
    fn next_checked(&mut self, used: Buffer) -> Result<Checked> {
        let checked = self.engine.next(used)?;
        self.watch.judge().map_err(|error| match error {
            Error::System(_) => error,
            error => StreamError::in_segment(self.next, error),
        })?;
        self.next = self.next.saturating_add(1);
        Ok(checked)
    }
}

/// Holds a stream that flows to what can stop holding meanwhile.
#[derive(Debug)]
struct Watch {
    observer: Observer,
    expectations: Expectations,
    standing: Standing,
    /// Those in which the stream was judged last.
    circumstances: Circumstances,
}

impl Watch {
    fn judge(&mut self) -> Result<()> {
        let circumstances = self.observer.observe()?;
        if !circumstances.are_those_of(&self.circumstances) {
            self.standing.judge(&self.expectations, &circumstances)?;
            self.circumstances = circumstances;
        }
        Ok(())
    }
}

/// Reads the rest of segment 0's envelope.
pub(crate) fn read_opening(beginning: Vec<u8>, input: &mut dyn Read) -> Result<Vec<u8>> {
    let mut opening = beginning;
    read_signature(input, &mut opening)?;
    Ok(opening)
}

enum Engine {
    /// In the caller's thread.
    Here(Source),
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
    /// Starts the threads. Where the system grants none, the work is done here.
    fn new(source: Source, threads: usize) -> Self {
        if threads < 2 {
            return Self::Here(source);
        }
        let Some((pool, checked)) = pool(threads, SegmentWork::check) else {
            return Self::Here(source);
        };
        let (give_back, spare) = channel();
        match spawn_with(source, move |source| read_all(source, &pool, &spare)) {
            Ok(_) => Self::Threads { checked, give_back },
            Err(source) => Self::Here(source),
        }
    }

    fn next(&mut self, used: Buffer) -> Result<Checked> {
        match self {
            Self::Here(source) => source.next(used)?.check(),
            Self::Threads { checked, give_back } => {
                // The source may have read everything and need no more buffers.
                let _ = give_back.send(used);
                checked.take()?.unwrap_or(Err(WorkerLost.into()))
            }
        }
    }
}

fn read_all(
    mut source: Source,
    pool: &Submitter<SegmentWork, Result<Checked>>,
    spare: &Receiver<Buffer>,
) {
    loop {
        let work = source.next(spare.try_recv().unwrap_or_default());
        let ends = work.as_ref().map_or(true, |work| work.link.last);
        let submitted = match work {
            Ok(work) => pool.submit(work),
            Err(error) => pool.submit_done(Err(error)),
        };
        // Nobody collects any more if the stream was given up.
        if ends || submitted.is_err() {
            return;
        }
    }
}

/// Reads segments one by one, each in its place, none checked yet.
struct Source {
    input: Box<dyn Read + Send>,
    /// Segment 0, until its turn comes.
    first: Option<Link>,
    chain: Arc<Chain>,
    index: u64,
}

impl Source {
    fn next(&mut self, buffer: Buffer) -> Result<SegmentWork> {
        let index = self.index;
        let work = self.read(buffer).map_err(|error| match error {
            Error::Stream(StreamError::Cut { .. }) => StreamError::Cut { segments: index }.into(),
            Error::System(SystemError::Input(_) | SystemError::OutOfMemory { .. }) => error,
            error => StreamError::in_segment(index, error),
        })?;
        self.index = index.checked_add(1).ok_or(StreamError::TooLong)?;
        Ok(work)
    }

    fn read(&mut self, buffer: Buffer) -> Result<SegmentWork> {
        let first = self.first.take();
        let signature_holds = first.is_some();
        let link = match first {
            Some(link) => link,
            None => self.read_link()?,
        };
        let content = read_content(&mut self.input, buffer)?;
        if link.last {
            refuse_more(&mut self.input)?;
        }
        let chain = Arc::clone(&self.chain);
        Ok(SegmentWork { chain, index: self.index, link, content, signature_holds })
    }

    fn read_link(&mut self) -> Result<Link> {
        let mut envelope = Vec::with_capacity(512);
        read_protected(&mut self.input, &mut envelope)?;
        read_signature(&mut self.input, &mut envelope)?;
        self.chain.judge(&UnverifiedEnvelope::parse(&envelope, Tagging::Required)?, self.index)
    }
}

/// A segment in its place, of which signature and digest are still to be verified.
#[derive(Debug)]
struct SegmentWork {
    chain: Arc<Chain>,
    index: u64,
    link: Link,
    content: Buffer,
    /// Whether the signature has been verified already, as that of segment 0.
    signature_holds: bool,
}

impl SegmentWork {
    fn check(self) -> Result<Checked> {
        let checked = if self.signature_holds {
            self.chain.verify_digest(&self.link, self.content.bytes())
        } else {
            self.chain.verify(&self.link, self.content.bytes())
        };
        checked.map_err(|error| StreamError::in_segment(self.index, error))?;
        Ok(Checked { content: self.content, last: self.link.last })
    }
}

/// A segment that may be released.
#[derive(Debug)]
struct Checked {
    content: Buffer,
    last: bool,
}
