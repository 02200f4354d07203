//! The signing of records from a source: sign, keep what is refused, write, acknowledge.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use brine_core::Classified as _;

use crate::framing::FrameBlock;
use crate::pipeline::{
    DeadLetter, DeliveredBlock, Deliveries, NoRejects, OnBadRecord, PipelineError, RejectedRecord,
    Rejects, Source, WriteFailure, fmt_reasons, in_order,
};
use crate::record_signer::{RecordSigner, SignedBlock, UnsignedRecord};

/// Signs all records of a source, and passes framed envelopes on, in the order of the records.
///
/// - A record that is too long, or cannot be framed, is refused alone. With [rejects](Rejects), it is kept before
///   others are written.
/// - A record is acknowledged only after its envelope was written, or after it was kept.
#[derive(Debug)]
pub struct SigningPipeline<R = NoRejects> {
    signer: RecordSigner,
    rejects: R,
    on_bad: OnBadRecord,
    threads: usize,
}

/// How many records there were, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigningCounts {
    /// How many were signed and written.
    pub signed: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many of the refused were kept.
    pub kept: u64,
    /// How many were refused for each reason.
    pub reasons: BTreeMap<&'static str, u64>,
}

impl SigningCounts {
    /// Adds what became of others.
    pub fn add(&mut self, other: Self) {
        self.signed = self.signed.saturating_add(other.signed);
        self.refused = self.refused.saturating_add(other.refused);
        self.kept = self.kept.saturating_add(other.kept);
        for (reason, count) in other.reasons {
            let sum = self.reasons.entry(reason).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

/// How signing ended.
#[derive(Debug)]
#[must_use = "the work may have ended before the source did"]
pub struct SigningRun<E> {
    /// What became of the records, up to the end.
    pub counts: SigningCounts,
    /// The reason why the work ended before the source did, if it did.
    pub end: Result<(), E>,
}

impl SigningPipeline {
    /// Signs on one thread, up to the first record that is refused.
    #[must_use]
    pub fn new(signer: RecordSigner) -> Self {
        Self { signer, rejects: NoRejects, on_bad: OnBadRecord::default(), threads: 1 }
    }
}

impl<R: Rejects> SigningPipeline<R> {
    /// Keeps refused records.
    #[must_use]
    pub fn rejects<Q: Rejects>(self, rejects: Q) -> SigningPipeline<Q> {
        let Self { signer, on_bad, threads, .. } = self;
        SigningPipeline { signer, rejects, on_bad, threads }
    }

    /// Says what to do at a refused record.
    #[must_use]
    pub fn on_bad(self, on_bad: OnBadRecord) -> Self {
        Self { on_bad, ..self }
    }

    /// Signs on so many threads.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Works until the source ends, or until something ends the work before.
    ///
    /// The envelopes of a block are passed to `write` together, with the length of each. The records of a source
    /// that leases them are acknowledged when `write` has returned, so their envelopes **must** be durable then.
    pub fn run<S, E>(
        self,
        mut source: S,
        write: impl FnMut(&[u8], &[usize]) -> Result<(), WriteFailure<E>>,
    ) -> SigningRun<PipelineError<S::Error, E, R::Error>>
    where
        S: Source + Send + 'static,
        S::Deliveries: Send + 'static,
        S::Error: Send + 'static,
    {
        let Self { signer, rejects, on_bad, threads } = self;
        let signer = Arc::new(signer);
        let mut release = SignedRelease {
            rejects,
            on_bad,
            write,
            signer: Arc::clone(&signer),
            counts: SigningCounts::default(),
        };
        let sign_block = move |delivered: DeliveredBlock<S::Deliveries>| {
            let signed = signer.sign(&delivered.block);
            (delivered, signed)
        };
        let pass_on = |(delivered, signed)| release.take(delivered, signed);
        let weigh = |delivered: &DeliveredBlock<S::Deliveries>| delivered.block.weight();
        let done = in_order(threads, weigh, move || source.next_block(), sign_block, pass_on);
        SigningRun { counts: release.counts, end: done.map_err(PipelineError::from) }
    }
}

/// Signs all records of a source on so many threads, and passes framed envelopes to `write`, in order.
///
/// # Errors
///
/// - [`PipelineError::Record`] for the first record that cannot be signed. All envelopes before it were
///   passed on.
/// - [`PipelineError::Source`], [`PipelineError::Sink`], [`PipelineError::Thread`],
///   [`PipelineError::WorkerLost`].
pub fn sign_records<S, E>(
    signer: RecordSigner,
    source: S,
    threads: usize,
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), PipelineError<S::Error, E, Infallible>>
where
    S: Source + Send + 'static,
    S::Deliveries: Send + 'static,
    S::Error: Send + 'static,
{
    let write = move |envelopes: &[u8], _: &[usize]| write(envelopes).map_err(WriteFailure::from);
    SigningPipeline::new(signer).threads(threads).run(source, write).end
}

/// Takes signed blocks in order.
struct SignedRelease<R, W> {
    rejects: R,
    on_bad: OnBadRecord,
    write: W,
    /// Gets used blocks back.
    signer: Arc<RecordSigner>,
    counts: SigningCounts,
}

impl<R: Rejects, W> SignedRelease<R, W> {
    /// Keeps what is refused, writes what was signed, and ends the work if that is asked for.
    fn take<D: Deliveries, E>(
        &mut self,
        delivered: DeliveredBlock<D>,
        mut signed: SignedBlock,
    ) -> Result<(), PipelineError<D::Error, E, R::Error>>
    where
        W: FnMut(&[u8], &[usize]) -> Result<(), WriteFailure<E>>,
    {
        let DeliveredBlock { block, mut deliveries } = delivered;
        let stops = self.on_bad == OnBadRecord::Stop && !signed.refused.is_empty();
        let end = match signed.refused.first() {
            Some(first) if stops => first.index.saturating_add(1),
            _ => signed.failed.as_ref().map_or(block.len(), |failed| failed.index),
        };
        signed.refused.retain(|refused| refused.index < end);
        signed.ends.retain(|(index, _)| *index < end);
        self.keep(&block, &signed)?;
        if let Err((written, error)) = self.write(&signed) {
            self.settle(&mut deliveries, 0..written, &signed.refused)?;
            return Err(PipelineError::Sink(error));
        }
        self.settle(&mut deliveries, 0..end, &signed.refused)?;
        let last = if stops { signed.refused.pop() } else { signed.failed.take() };
        let last = last.map(|last| (block.number(last.index), last.why));
        deliveries.finish(block);
        self.signer.give_back(signed);
        last.map_or(Ok(()), |(number, why)| Err(PipelineError::Record { number, why }))
    }

    fn keep<S, E>(
        &mut self,
        block: &FrameBlock,
        signed: &SignedBlock,
    ) -> Result<(), PipelineError<S, E, R::Error>> {
        let SignedBlock { at, refused, .. } = signed;
        for UnsignedRecord { why, .. } in refused {
            self.counts.refused += 1;
            *self.counts.reasons.entry(why.reason()).or_default() += 1;
        }
        let rejected = refused.iter().filter_map(|UnsignedRecord { index, why }| {
            let (number, frame) = (block.number(*index), block.get(*index)?);
            Some(RejectedRecord { number, at: (*at)?, why, frame })
        });
        let rejected: Vec<_> = rejected.collect();
        if !rejected.is_empty() && self.rejects.are_kept() {
            self.rejects.keep(&rejected).map_err(PipelineError::Rejects)?;
            self.counts.kept += count(rejected.len());
        }
        Ok(())
    }

    /// Writes the envelopes. If that fails, returns the index of the first record that was not written.
    fn write<E>(&mut self, signed: &SignedBlock) -> Result<(), (usize, E)>
    where
        W: FnMut(&[u8], &[usize]) -> Result<(), WriteFailure<E>>,
    {
        let starts = std::iter::once(0).chain(signed.ends.iter().map(|(_, end)| *end));
        let lengths =
            signed.ends.iter().zip(starts).map(|((_, end), start)| end.saturating_sub(start));
        let lengths: Vec<usize> = lengths.collect();
        let end = signed.ends.last().map_or(0, |(_, end)| *end);
        let envelopes = signed.envelopes.get(..end).unwrap_or_default();
        if lengths.is_empty() {
            return Ok(());
        }
        let written = (self.write)(envelopes, &lengths);
        let records = written.as_ref().map_or_else(|failed| failed.records, |()| lengths.len());
        self.counts.signed += count(records);
        let next = || signed.ends.get(records).map_or(0, |(index, _)| *index);
        written.map_err(|failed| (next(), failed.error))
    }

    /// Acknowledges what was written or kept. What was refused and not kept becomes a dead letter, unless it ends
    /// the work.
    fn settle<D: Deliveries, E>(
        &mut self,
        deliveries: &mut D,
        records: Range<usize>,
        refused: &[UnsignedRecord],
    ) -> Result<(), PipelineError<D::Error, E, R::Error>> {
        if !deliveries.are_leased() {
            return Ok(());
        }
        let mut next = records.start;
        let kept = self.rejects.are_kept();
        for UnsignedRecord { index, why } in refused.iter().filter(|_| !kept) {
            if *index >= records.end {
                break;
            }
            acknowledge(deliveries, next..*index)?;
            next = index.saturating_add(1);
            if self.on_bad == OnBadRecord::Skip {
                let letter = deliveries.dead_letter(*index, why).map_err(PipelineError::Source)?;
                self.counts.kept += u64::from(letter == DeadLetter::Kept);
            }
        }
        acknowledge(deliveries, next..records.end)
    }
}

fn acknowledge<D: Deliveries, E, R>(
    deliveries: &mut D,
    records: Range<usize>,
) -> Result<(), PipelineError<D::Error, E, R>> {
    match records.is_empty() {
        true => Ok(()),
        false => deliveries.acknowledge(records).map_err(PipelineError::Source),
    }
}

fn count(records: usize) -> u64 {
    u64::try_from(records).unwrap_or(u64::MAX)
}

impl fmt::Display for SigningCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} signed, {} refused", self.signed, self.refused)?;
        fmt_reasons(f, &self.reasons)
    }
}
