//! The record pipeline: judge, reserve, keep or write, commit, acknowledge.

mod counts;
mod delivery;
mod error;
mod frame_source;
mod judge;
mod lease_hold;
mod lease_keeper;
mod listener;
mod ordered_pool;
mod patience;
mod recheck;
mod rejects;
mod release;
mod replay_gate;
mod sink;
#[cfg(test)]
mod tests;
mod written;

use std::fmt;
use std::sync::Arc;

use self::judge::Judgement;
use self::lease_keeper::LeaseKeeper;
use self::release::{JudgedBlock, Release};
use self::replay_gate::ReplayGate;
use crate::framing::FrameBlock;
use crate::ledger::{Ledger, NoLedger};

pub(crate) use self::counts::fmt_reasons;
pub use self::counts::{MissingRecords, RecordCounts};
pub use self::delivery::{DeadLetter, DeliveredBlock, Deliveries, Source};
use self::error::StepError;
pub use self::error::{HandlerFailure, PipelineError, RecordError};
pub use self::frame_source::{BLOCK_RECORDS, FrameSource, PipedRecords};
pub use self::judge::RecordJudge;
pub use self::listener::{RecordFate, RecordListener, SettledRecord};
pub use self::ordered_pool::MAX_BYTES_IN_FLIGHT;
pub(crate) use self::ordered_pool::in_order;
pub use self::patience::{LongWait, Patience, QuietPatience};
pub use self::rejects::{NoRejects, RejectedRecord, Rejects};
pub use self::sink::{
    Handed, Hold, HoldLost, ReleasedRecord, ReleasedRun, Room, Sink, WriteFailure,
};

/// Verifies records from a source, and releases the payloads of those that hold.
///
/// - A payload reaches the [sink](Sink) only after its record was judged, and in the order of the source. Trust and
///   time hold when the record has arrived, and again when it is written.
/// - With a [ledger](Ledger), each record is released once. Only a process that dies between writing a record
///   and committing it can release that record again.
/// - A record is reserved in the ledger only when the sink takes it, and its lease is renewed until it is
///   committed. So what a live process has reserved, no other process releases, however slow the sink is.
/// - With [rejects](Rejects), refused records are kept before other records are written.
/// - A record is acknowledged only after it was written and committed, or kept.
///
/// [`run`](Self::run) uses the sink and the rejects on the calling thread alone, reads and judges on others, and
/// renews leases on one more. With `n` threads, at most `n` + 3 blocks are in memory, and together they take
/// [`MAX_BYTES_IN_FLIGHT`] at most, beside the one that is being read.
pub struct RecordPipeline<K, R = NoRejects, L = NoLedger, P = QuietPatience> {
    judge: RecordJudge,
    sink: K,
    rejects: R,
    ledger: L,
    patience: P,
    listener: Option<Box<dyn RecordListener>>,
    threads: usize,
    rules: RecordRules,
}

/// What to do with records that are not released.
#[derive(Clone, Copy, Debug, Default)]
struct RecordRules {
    on_bad: OnBadRecord,
    on_repeated: OnRepeated,
}

/// What to do at a refused record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRecord {
    /// Go on with the next one.
    Skip,
    /// End the work. No record after it is released.
    #[default]
    Stop,
}

/// What to do with a record that the ledger knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRepeated {
    /// Acknowledge and drop it. This is for sources that deliver records again.
    Drop,
    /// Refuse it. This is for sources that deliver each record once.
    #[default]
    Refuse,
}

/// How a pipeline ended.
#[derive(Debug)]
#[must_use = "the work may have ended before the source did"]
pub struct RecordRun<E> {
    /// What became of the records, up to the end.
    pub counts: RecordCounts,
    /// The reason why the work ended before the source did, if it did.
    pub end: Result<(), E>,
}

impl<K: Sink> RecordPipeline<K> {
    /// Releases the payloads of records that `judge` accepts to `sink`, on one thread, up to the first bad
    /// record.
    #[must_use]
    pub fn new(judge: RecordJudge, sink: K) -> Self {
        Self {
            judge,
            sink,
            rejects: NoRejects,
            ledger: NoLedger,
            patience: QuietPatience,
            listener: None,
            threads: 1,
            rules: RecordRules::default(),
        }
    }
}

impl<K: Sink, R: Rejects, L: Ledger, P: Patience> RecordPipeline<K, R, L, P> {
    /// Keeps refused records.
    #[must_use]
    pub fn rejects<Q: Rejects>(self, rejects: Q) -> RecordPipeline<K, Q, L, P> {
        let Self { judge, sink, ledger, patience, listener, threads, rules, .. } = self;
        RecordPipeline { judge, sink, rejects, ledger, patience, listener, threads, rules }
    }

    /// Releases each record once, by this ledger.
    #[must_use]
    pub fn ledger<M: Ledger>(self, ledger: M) -> RecordPipeline<K, R, M, P> {
        let Self { judge, sink, rejects, patience, listener, threads, rules, .. } = self;
        RecordPipeline { judge, sink, rejects, ledger, patience, listener, threads, rules }
    }

    /// Waits for other processes in this way.
    #[must_use]
    pub fn patience<Q: Patience>(self, patience: Q) -> RecordPipeline<K, R, L, Q> {
        let Self { judge, sink, rejects, ledger, listener, threads, rules, .. } = self;
        RecordPipeline { judge, sink, rejects, ledger, patience, listener, threads, rules }
    }

    /// Tells this listener what became of each record.
    #[must_use]
    pub fn listener(self, listener: impl RecordListener + 'static) -> Self {
        Self { listener: Some(Box::new(listener)), ..self }
    }

    /// Judges on so many threads.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Says what to do at a refused record.
    #[must_use]
    pub fn on_bad(self, on_bad: OnBadRecord) -> Self {
        Self { rules: RecordRules { on_bad, ..self.rules }, ..self }
    }

    /// Says what to do with a record that the ledger knows.
    #[must_use]
    pub fn on_repeated(self, on_repeated: OnRepeated) -> Self {
        Self { rules: RecordRules { on_repeated, ..self.rules }, ..self }
    }

    /// Works until the source ends, or until something ends the work before.
    pub fn run<S>(self, source: S) -> RecordRun<PipelineError<S::Error, K::Error, R::Error>>
    where
        S: Source + Send + 'static,
        S::Deliveries: Send + 'static,
        S::Error: Send + 'static,
        L: Send,
        L::Lease: Send,
    {
        let Self { judge, sink, rejects, ledger, patience, listener, threads, rules } = self;
        let (clock, recheck, spare) = (judge.clock(), judge.recheck(), judge.spare());
        let judge = Arc::new(judge.identifying(ledger.is_kept()));
        let keeper = LeaseKeeper::new(ledger, clock);
        let gate = ReplayGate::new(&keeper, patience);
        let counts = RecordCounts::default();
        let release = Release { sink, rejects, gate, recheck, rules, counts, spare, listener };
        keeper.while_renewing(|| drive(source, threads, move |block| judge.judge(block), release))
    }
}

impl<K: fmt::Debug, R: fmt::Debug, L: fmt::Debug, P: fmt::Debug> fmt::Debug
    for RecordPipeline<K, R, L, P>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordPipeline")
            .field("sink", &self.sink)
            .field("rejects", &self.rejects)
            .field("ledger", &self.ledger)
            .field("patience", &self.patience)
            .field("threads", &self.threads)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Connects source, judge and release.
fn drive<S, K, R, L, P>(
    mut source: S,
    threads: usize,
    judge: impl Fn(&mut FrameBlock) -> Result<Judgement, StepError> + Clone + Send + Sync + 'static,
    mut release: Release<'_, K, R, L, P>,
) -> RecordRun<PipelineError<S::Error, K::Error, R::Error>>
where
    S: Source + Send + 'static,
    S::Deliveries: Send + 'static,
    S::Error: Send + 'static,
    K: Sink,
    R: Rejects,
    L: Ledger,
    P: Patience,
{
    let judge_block = move |delivered: DeliveredBlock<S::Deliveries>| {
        let DeliveredBlock { mut block, deliveries } = delivered;
        let judgement = judge(&mut block)?;
        Ok::<_, StepError>(JudgedBlock { block, deliveries, judgement })
    };
    let weigh = |delivered: &DeliveredBlock<S::Deliveries>| delivered.block.weight();
    let next = move || source.next_block();
    let done = in_order(threads, weigh, next, judge_block, |judged| release.take(judged?));
    release.finish(done.map_err(PipelineError::from))
}
