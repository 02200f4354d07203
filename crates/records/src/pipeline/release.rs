//! What becomes of judged records: reserved, kept or written, committed, acknowledged.

use std::ops::Range;

use super::counts::RecordCounts;
use super::delivery::{DeadLetter, Deliveries};
use super::error::{HandlerFailure, PipelineError, RecordError, StepError};
use super::judge::{Judgement, RecordVerdict};
use super::patience::Patience;
use super::rejects::{RejectedRecord, Rejects};
use super::replay_gate::{Admitted, NextStep, ReplayGate};
use super::sink::{Handed, Hold, HoldLost, ReleasedRun, Room, Sink};
use super::{OnBadRecord, RecordRules, RecordRun};
use crate::framing::FrameBlock;
use crate::ledger::Ledger;

/// Takes judged blocks in order. The ends of the pipeline are used on this thread alone.
///
/// For each run of records, in this order: wait for the sink, reserve, keep what is refused, write what
/// holds, commit, acknowledge. Records are kept before others are written, because keeping a record twice
/// does no harm, and writing one twice does.
pub(super) struct Release<K, R, L, P> {
    pub(super) sink: K,
    pub(super) rejects: R,
    pub(super) gate: ReplayGate<L, P>,
    pub(super) rules: RecordRules,
    pub(super) counts: RecordCounts,
}

/// A block that was judged.
#[derive(Debug)]
pub(super) struct JudgedBlock<D> {
    pub(super) block: FrameBlock,
    pub(super) deliveries: D,
    pub(super) judgement: Judgement,
}

/// How a run of records left the pipeline.
enum RunOutcome {
    /// It is committed next.
    Handled,
    /// The sink refused the records, which were then refused.
    Refused(HandlerFailure),
    /// The records go back to the source.
    Returned(HandlerFailure),
}

/// Why a pipeline with these ends ended.
type Ended<D, K, R> =
    PipelineError<<D as Deliveries>::Error, <K as Sink>::Error, <R as Rejects>::Error>;

impl<K: Sink, R: Rejects, L: Ledger, P: Patience> Release<K, R, L, P> {
    /// Releases what holds, keeps what does not, and ends the work if that is asked for.
    pub(super) fn take<D: Deliveries>(
        &mut self,
        mut judged: JudgedBlock<D>,
    ) -> Result<(), Ended<D, K, R>> {
        let mut from = 0;
        while from < judged.judgement.verdicts.len() {
            from = self.take_run(&mut judged, from)?;
        }
        judged.deliveries.finish(judged.block);
        Ok(())
    }

    /// Ends the work: looks for missing records, whatever the end is.
    pub(super) fn finish<E: From<StepError>>(mut self, done: Result<(), E>) -> RecordRun<E> {
        let looked = self.gate.missing();
        let looked = looked.map(|missing| self.counts.missing = missing);
        let end = done.and(looked.map_err(|error| StepError::from(error).into()));
        RecordRun { counts: self.counts, end }
    }

    /// Takes as many records from `from` on as can be released together, and returns where the next run
    /// begins.
    fn take_run<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        from: usize,
    ) -> Result<usize, Ended<D, K, R>> {
        let Admitted { until, leases, next } = self.admit(judged, from)?;
        let run = from..until;
        let outcome = match self.hand_over(judged, &run) {
            Ok(outcome) => outcome,
            Err(error) => {
                // None of it was handled, or not all. That error is the one to tell of.
                let _ = self.gate.give_back(&leases);
                return Err(error);
            }
        };
        match &outcome {
            // If that fails, it is not known whether it is committed: the records are neither given back nor
            // acknowledged.
            RunOutcome::Handled => self.gate.commit(&leases)?,
            RunOutcome::Refused(_) | RunOutcome::Returned(_) => self.gate.give_back(&leases)?,
        }
        self.settle(judged, &run, &outcome)?;
        self.stop_at_refused(judged, &run)?;
        match next {
            NextStep::Fail(error) => {
                let number = judged.block.number(until);
                return Err(PipelineError::Record { number, why: error.into() });
            }
            NextStep::Wait(at) => {
                extend(judged, until..judged.judgement.verdicts.len())?;
                self.gate.wait(at);
            }
            NextStep::GoOn => {}
        }
        Ok(until)
    }

    /// Says which records from `from` on can be released together, and reserves them.
    ///
    /// It waits for the sink before anything is reserved. What is judged at the moment of release is judged
    /// here.
    fn admit<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        from: usize,
    ) -> Result<Admitted<L::Lease>, Ended<D, K, R>> {
        let rest = from..judged.judgement.verdicts.len();
        let mut hold = LeaseHold::of(&mut judged.deliveries, rest, self.gate.is_kept());
        let room = self.sink.room(&mut hold).map_err(PipelineError::Sink)?;
        let verdicts = &mut judged.judgement.verdicts;
        let until = self.reach(verdicts, from, room);
        let verdicts = verdicts.get_mut(..until).unwrap_or_default();
        Ok(self.gate.admit(verdicts, from, self.rules)?)
    }

    /// Returns where the run ends: behind the first refused record if that is the end of the work, or where
    /// there is no more room. A payload for which there is never room is written alone.
    fn reach(&self, verdicts: &[RecordVerdict], from: usize, room: Room) -> usize {
        let (mut bytes, mut records) = (0_usize, 0_usize);
        for (index, verdict) in verdicts.iter().enumerate().skip(from) {
            match verdict {
                RecordVerdict::Refused(_) if self.rules.on_bad == OnBadRecord::Stop => {
                    return index.saturating_add(1);
                }
                RecordVerdict::Refused(_) | RecordVerdict::Repeated => {}
                RecordVerdict::Verified { payload, .. } => {
                    bytes = bytes.saturating_add(payload.len());
                    records = records.saturating_add(1);
                    if (bytes > room.bytes || records > room.records) && index > from {
                        return index;
                    }
                }
            }
        }
        verdicts.len()
    }

    /// Keeps what is refused, and then writes what holds.
    fn hand_over<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
    ) -> Result<RunOutcome, Ended<D, K, R>> {
        self.refuse(judged, run)?;
        let failure = match self.write(judged, run)? {
            Handed::Done => return Ok(RunOutcome::Handled),
            Handed::Retry(failure) if judged.deliveries.are_leased() => {
                return Ok(RunOutcome::Returned(failure));
            }
            // A pipe does not deliver a record again.
            Handed::Refused(failure) | Handed::Retry(failure) => failure,
        };
        for index in run.clone() {
            let verdict = judged.judgement.verdicts.get_mut(index);
            let Some(verdict @ RecordVerdict::Verified { .. }) = verdict else { continue };
            *verdict = RecordVerdict::Refused(failure.clone().into());
            self.refuse(judged, &(index..index.saturating_add(1)))?;
        }
        Ok(RunOutcome::Refused(failure))
    }

    fn write<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
    ) -> Result<Handed, Ended<D, K, R>> {
        let JudgedBlock { block, deliveries, judgement: Judgement { payloads, verdicts, .. } } =
            judged;
        let released = ReleasedRun::new(block, payloads, verdicts, run.clone());
        let count = u64::try_from(released.count()).unwrap_or(u64::MAX);
        if count == 0 {
            return Ok(Handed::Done);
        }
        let mut hold = LeaseHold::of(deliveries, run.clone(), self.gate.is_kept());
        let handed = self.sink.write(&released, &mut hold).map_err(PipelineError::Sink)?;
        match handed {
            Handed::Done => self.counts.verified += count,
            Handed::Retry(_) if deliveries.are_leased() => self.counts.retried += count,
            Handed::Refused(_) | Handed::Retry(_) => {}
        }
        Ok(handed)
    }

    /// Counts the refused records of a run, and keeps them in the rejects.
    fn refuse<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
    ) -> Result<(), Ended<D, K, R>> {
        let JudgedBlock { block, judgement: Judgement { at, verdicts, .. }, .. } = judged;
        let refused = refused(verdicts, run).filter_map(|(index, why)| {
            let (number, frame) = (block.number(index), block.get(index)?);
            Some(RejectedRecord { number, at: *at, why, frame })
        });
        let refused: Vec<_> = refused.collect();
        for rejected in &refused {
            self.counts.refuse(rejected.why);
        }
        if !refused.is_empty() && self.rejects.are_kept() {
            self.rejects.keep(&refused).map_err(PipelineError::Rejects)?;
            self.counts.kept += u64::try_from(refused.len()).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// Settles a run with its source: what was handled or kept is acknowledged, what is refused and not kept
    /// becomes a dead letter, and the rest goes back.
    fn settle<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
        outcome: &RunOutcome,
    ) -> Result<(), Ended<D, K, R>> {
        let JudgedBlock { deliveries, judgement: Judgement { verdicts, .. }, .. } = judged;
        let verdicts = verdicts.get(run.clone()).unwrap_or_default();
        if matches!(outcome, RunOutcome::Handled) {
            let repeated =
                verdicts.iter().filter(|verdict| matches!(verdict, RecordVerdict::Repeated));
            self.counts.repeated += u64::try_from(repeated.count()).unwrap_or(u64::MAX);
        }
        if !deliveries.are_leased() {
            return Ok(());
        }
        let is_kept = self.rejects.are_kept();
        let mut start = run.start;
        for alike in verdicts.chunk_by(|one, next| one.is_refused() == next.is_refused()) {
            let records = start..start.saturating_add(alike.len());
            start = records.end;
            let settled = match (alike.first().is_some_and(RecordVerdict::is_refused), outcome) {
                (true, _) if !is_kept => self.bury(deliveries, records, alike),
                (true, _) | (false, RunOutcome::Handled) => deliveries.acknowledge(records),
                // Among them are copies of a record that was not handled.
                (false, RunOutcome::Refused(why) | RunOutcome::Returned(why)) => {
                    deliveries.retry(records, why)
                }
            };
            settled.map_err(PipelineError::Source)?;
        }
        Ok(())
    }

    /// Makes refused records dead letters. One that ends the work stays where it is.
    fn bury<D: Deliveries>(
        &mut self,
        deliveries: &mut D,
        records: Range<usize>,
        verdicts: &[RecordVerdict],
    ) -> Result<(), D::Error> {
        if self.rules.on_bad == OnBadRecord::Stop {
            return Ok(());
        }
        for (index, verdict) in records.zip(verdicts) {
            if let RecordVerdict::Refused(why) = verdict {
                let letter = deliveries.dead_letter(index, why)?;
                self.counts.kept += u64::from(letter == DeadLetter::Kept);
            }
        }
        Ok(())
    }

    /// Ends the work at the first refused record of a run, if that is asked for.
    fn stop_at_refused<D: Deliveries>(
        &self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
    ) -> Result<(), Ended<D, K, R>> {
        if self.rules.on_bad == OnBadRecord::Skip {
            return Ok(());
        }
        let verdicts = &mut judged.judgement.verdicts;
        let first = refused(verdicts, run).next().map(|(index, _)| index);
        let Some(index) = first else { return Ok(()) };
        match verdicts.swap_remove(index) {
            RecordVerdict::Refused(why) => {
                Err(PipelineError::Record { number: judged.block.number(index), why })
            }
            RecordVerdict::Repeated | RecordVerdict::Verified { .. } => Ok(()),
        }
    }
}

/// Returns the refused records of a run, with their indexes in the block.
fn refused<'v>(
    verdicts: &'v [RecordVerdict],
    run: &Range<usize>,
) -> impl Iterator<Item = (usize, &'v RecordError)> {
    let records = verdicts.iter().enumerate().take(run.end).skip(run.start);
    records.filter_map(|(index, verdict)| match verdict {
        RecordVerdict::Refused(why) => Some((index, why)),
        RecordVerdict::Repeated | RecordVerdict::Verified { .. } => None,
    })
}

fn extend<D: Deliveries, K, R>(
    judged: &mut JudgedBlock<D>,
    records: Range<usize>,
) -> Result<(), PipelineError<D::Error, K, R>> {
    match judged.deliveries.are_leased() {
        true => judged.deliveries.extend(records).map_err(PipelineError::Source),
        false => Ok(()),
    }
}

/// The leases that are held while the sink works.
struct LeaseHold<'d, D> {
    deliveries: &'d mut D,
    records: Range<usize>,
    is_relied_on: bool,
}

impl<'d, D: Deliveries> LeaseHold<'d, D> {
    fn of(deliveries: &'d mut D, records: Range<usize>, has_ledger: bool) -> Self {
        let is_relied_on = has_ledger || deliveries.are_leased();
        Self { deliveries, records, is_relied_on }
    }
}

impl<D: Deliveries> Hold for LeaseHold<'_, D> {
    fn is_relied_on(&self) -> bool {
        self.is_relied_on
    }

    fn extend(&mut self) -> Result<(), HoldLost> {
        if !self.deliveries.are_leased() {
            return Ok(());
        }
        self.deliveries.extend(self.records.clone()).map_err(|_| HoldLost)
    }
}
