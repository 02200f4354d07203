//! Where verified payloads go.

use std::borrow::Cow;
use std::ops::Range;

use super::error::HandlerFailure;
use super::judge::RecordVerdict;
use crate::framing::{FrameBlock, RecordFrame};

/// Where verified payloads go: a pipe, a file, or a handler of each record.
pub trait Sink {
    /// Why the sink fails.
    type Error;

    /// Waits until the sink takes the next payload, and returns how much it takes without making the caller
    /// wait again. With its framing, the next payload has `next` bytes.
    ///
    /// Nothing is reserved in a ledger meanwhile, so a slow reader never blocks records for other processes.
    /// A sink that waits for long [extends](Hold::extend) the leases of the source.
    ///
    /// # Errors
    ///
    /// If the sink fails. Nothing is reserved then.
    fn room(&mut self, next: usize, hold: &mut dyn Hold) -> Result<Room, Self::Error> {
        let _ = (next, hold);
        Ok(Room::ANY)
    }

    /// Writes the payloads of consecutive records: all, or the first few of them. None is written in part.
    ///
    /// If somebody [relies](Hold::is_relied_on) on what was written, it **must** be flushed, and on the disk
    /// where there is one, before this returns: the records are committed and acknowledged next. Such a sink
    /// does not wait between two records: where it would have to, it says which were
    /// [the first](Handed::First) that it wrote.
    ///
    /// A sink that works for long [extends](Hold::extend) the leases now and then.
    ///
    /// # Errors
    ///
    /// If a payload cannot be written. The work ends. The records before it, which the error counts, are
    /// committed and acknowledged, and no others.
    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Self::Error>>;
}

/// A sink failed after it had written some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteFailure<E> {
    /// How many it had written, from the first on, each of them whole.
    pub records: usize,
    /// Why it failed.
    pub error: E,
}

/// A failure before anything was written.
impl<E> From<E> for WriteFailure<E> {
    fn from(error: E) -> Self {
        Self { records: 0, error }
    }
}

/// How much a sink takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The most bytes of payloads, with their framing. A longer payload is written alone.
    pub bytes: usize,
    /// The most records, at least one.
    pub records: usize,
}

impl Room {
    /// Room for everything.
    pub const ANY: Self = Self { bytes: usize::MAX, records: usize::MAX };

    /// Room for one record, for sinks that handle each by itself.
    pub const ONE_RECORD: Self = Self { bytes: usize::MAX, records: 1 };

    /// Returns room for so many bytes.
    #[must_use]
    pub const fn of_bytes(bytes: usize) -> Self {
        Self { bytes, ..Self::ANY }
    }
}

/// What the sink did with payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It handled them.
    Done,
    /// It handled the first so many, and would have to wait for the others. They are handed over again when
    /// there is [room](Sink::room).
    First(usize),
    /// It cannot handle them, now or later. They become refused records.
    Refused(HandlerFailure),
    /// It failed, and may succeed later. They go back to the source.
    Retry(HandlerFailure),
}

/// The leases of the source that are held while a sink works. Those of a ledger are renewed without it.
pub trait Hold {
    /// Returns whether a ledger or the source relies on what the sink has written.
    fn is_relied_on(&self) -> bool;

    /// Extends the leases. It can be called often.
    ///
    /// # Errors
    ///
    /// [`HoldLost`] if the source may deliver the records again, so that handling them further is in vain.
    fn extend(&mut self) -> Result<(), HoldLost>;
}

/// The source may deliver the records again: their leases could not be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leases of the records could not be extended")]
pub struct HoldLost;

/// Consecutive records whose verified payloads are released together.
///
/// Only the pipeline makes one, from records that a [`RecordJudge`](crate::RecordJudge) has verified.
#[derive(Clone, Copy, Debug)]
pub struct ReleasedRun<'a> {
    block: &'a FrameBlock,
    payloads: &'a [u8],
    verdicts: &'a [RecordVerdict],
    /// The index of the first in the block.
    first: usize,
}

/// A record whose payload is released.
#[derive(Clone, Copy, Debug)]
pub struct ReleasedRecord<'a> {
    /// The number of the record, counted from 1.
    pub number: u64,
    /// The envelope, which was verified.
    pub envelope: &'a [u8],
    /// The payload, framed for the output.
    pub payload: &'a [u8],
}

impl<'a> ReleasedRun<'a> {
    pub(super) fn new(
        block: &'a FrameBlock,
        payloads: &'a [u8],
        verdicts: &'a [RecordVerdict],
        records: Range<usize>,
    ) -> Self {
        let verdicts = verdicts.get(records.clone()).unwrap_or_default();
        Self { block, payloads, verdicts, first: records.start }
    }

    /// Returns the length of each payload, with its framing.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.verdicts.iter().filter_map(RecordVerdict::payload).map(ExactSizeIterator::len)
    }

    /// Returns all payloads, framed, one after the other.
    ///
    /// They are copied only if a record between them is not released.
    #[must_use]
    pub fn payloads(&self) -> Cow<'a, [u8]> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for payload in self.verdicts.iter().filter_map(RecordVerdict::payload) {
            match runs.last_mut() {
                Some(run) if run.end == payload.start => run.end = payload.end,
                _ => runs.push(payload.clone()),
            }
        }
        match runs.as_slice() {
            [run] => Cow::Borrowed(self.bytes(run)),
            runs => Cow::Owned(runs.iter().flat_map(|run| self.bytes(run)).copied().collect()),
        }
    }

    /// Returns the records in order.
    pub fn records(&self) -> impl Iterator<Item = ReleasedRecord<'a>> {
        let run = *self;
        run.verdicts.iter().enumerate().filter_map(move |(offset, verdict)| {
            let payload = run.bytes(verdict.payload()?);
            let index = run.first.saturating_add(offset);
            let RecordFrame::Record(envelope) = run.block.get(index)? else { return None };
            Some(ReleasedRecord { number: run.block.number(index), envelope, payload })
        })
    }

    fn bytes(&self, payload: &Range<usize>) -> &'a [u8] {
        self.payloads.get(payload.clone()).unwrap_or_default()
    }
}

/// A sink, or none: payloads are then only verified.
impl<K: Sink> Sink for Option<K> {
    type Error = K::Error;

    fn room(&mut self, next: usize, hold: &mut dyn Hold) -> Result<Room, K::Error> {
        self.as_mut().map_or(Ok(Room::ANY), |sink| sink.room(next, hold))
    }

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<K::Error>> {
        self.as_mut().map_or(Ok(Handed::Done), |sink| sink.write(run, hold))
    }
}

impl<K: Sink> Sink for &mut K {
    type Error = K::Error;

    fn room(&mut self, next: usize, hold: &mut dyn Hold) -> Result<Room, K::Error> {
        (**self).room(next, hold)
    }

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<K::Error>> {
        (**self).write(run, hold)
    }
}

/// Collects payloads in memory.
impl Sink for Vec<u8> {
    type Error = std::convert::Infallible;

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        _: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Self::Error>> {
        self.extend_from_slice(&run.payloads());
        Ok(Handed::Done)
    }
}
