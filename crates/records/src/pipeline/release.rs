//! What becomes of judged records: reserved, kept or written, committed, acknowledged.

use std::ops::Range;

use super::counts::RecordCounts;
use super::delivery::{DeadLetter, Deliveries};
use super::error::{PipelineError, StepError};
use super::judge::{Judgement, RecordVerdict, SpareJudgements};
use super::lease_hold::LeaseHold;
use super::listener::{self, RecordListener};
use super::patience::Patience;
use super::recheck::Recheck;
use super::rejects::{RejectedRecord, Rejects};
use super::replay_gate::{Admitted, NextStep, ReplayGate};
use super::sink::{Handed, ReleasedRun, Room, Sink, WriteFailure};
use super::written::Written;
use super::{OnBadRecord, RecordRules, RecordRun};
use crate::framing::FrameBlock;
use crate::ledger::Ledger;

/// Takes judged blocks in order. The ends of the pipeline are used on this thread alone.
///
/// For each run of records, in this order: wait for the sink, reserve, keep what is refused, judge again, look at
/// the leases, write what holds, commit, acknowledge. Records are kept before others are written, because keeping a
/// record twice does no harm, and writing one twice does. Where keeping can take long, a run has only records to be
/// kept, or only others, so that nothing is reserved meanwhile. Records are judged again late, because all that
/// comes before can take long, and leases are looked at last, because reading trust can take longer than they last.
pub(super) struct Release<'k, K, R, L: Ledger, P> {
    pub(super) sink: K,
    pub(super) rejects: R,
    pub(super) gate: ReplayGate<'k, L, P>,
    pub(super) recheck: Recheck,
    pub(super) rules: RecordRules,
    pub(super) counts: RecordCounts,
    pub(super) spare: SpareJudgements,
    pub(super) listener: Option<Box<dyn RecordListener>>,
}

/// A block that was judged.
#[derive(Debug)]
pub(super) struct JudgedBlock<D> {
    pub(super) block: FrameBlock,
    pub(super) deliveries: D,
    pub(super) judgement: Judgement,
}

/// Why a pipeline with these ends ended.
type Ended<D, K, R> =
    PipelineError<<D as Deliveries>::Error, <K as Sink>::Error, <R as Rejects>::Error>;

impl<K: Sink, R: Rejects, L: Ledger, P: Patience> Release<'_, K, R, L, P> {
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
        self.spare.give_back(judged.judgement);
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
        let Admitted { until, next } = self.admit(judged, from)?;
        let written = match self.hand_over(judged, &(from..until)) {
            Ok(written) => written,
            Err(error) => {
                // None of it was handled. That error is the one to tell of.
                let _ = self.gate.give_back();
                return Err(error);
            }
        };
        let end = match &written {
            Written::All | Written::Refused(_) | Written::Returned(_) => until,
            Written::First(records, _) => {
                RecordVerdict::behind(&judged.judgement.verdicts, &(from..until), *records)
            }
            Written::Stale => from,
        };
        let run = from..end;
        self.end_leases(judged, &run, &written)?;
        self.refuse(judged, &run)?;
        if let Some(listener) = &mut self.listener {
            let JudgedBlock { block, judgement: Judgement { verdicts, .. }, .. } = &*judged;
            listener::tell(listener.as_mut(), block, verdicts, &run, written.returned());
        }
        self.settle(judged, &run, &written)?;
        if let Written::First(_, Some(error)) = written {
            return Err(PipelineError::Sink(error));
        }
        self.stop_at_refused(judged, &run)?;
        if end == until {
            self.go_on(judged, until, next)?;
        }
        Ok(end)
    }

    /// Says which records from `from` on can be released together, and reserves them.
    ///
    /// It waits for the sink before anything is reserved.
    fn admit<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        from: usize,
    ) -> Result<Admitted, Ended<D, K, R>> {
        let rest = from..judged.judgement.verdicts.len();
        let verdicts = &mut judged.judgement.verdicts;
        let next = verdicts.get(rest.clone()).unwrap_or_default();
        let next = next.iter().find_map(RecordVerdict::payload).map(ExactSizeIterator::len);
        let mut hold = LeaseHold::of(&mut judged.deliveries, rest, self.gate.is_kept());
        let room = next.map_or(Ok(Room::ANY), |next| self.sink.room(next, &mut hold));
        let until = self.reach(verdicts, from, room.map_err(PipelineError::Sink)?);
        let until = self.alike(verdicts, from..until);
        let verdicts = verdicts.get_mut(..until).unwrap_or_default();
        let admitted = self.gate.admit(verdicts, from, self.rules)?;
        let alike = self.alike(verdicts, from..admitted.until);
        if alike == admitted.until {
            return Ok(admitted);
        }
        let verified = verdicts.iter().take(alike).skip(from);
        self.gate.hold_first(verified.filter(|one| one.payload().is_some()).count())?;
        Ok(Admitted { until: alike, next: NextStep::GoOn })
    }

    /// Returns where records to be kept and records to be written meet, if keeping can take long.
    fn alike(&self, verdicts: &[RecordVerdict], run: Range<usize>) -> usize {
        if !self.gate.is_kept() || !self.rejects.are_kept() || !self.rejects.may_wait() {
            return run.end;
        }
        let mut are_refused = None;
        for (index, verdict) in verdicts.iter().enumerate().take(run.end).skip(run.start) {
            let is_refused = match verdict {
                RecordVerdict::Refused(_) => true,
                RecordVerdict::Verified { .. } => false,
                RecordVerdict::Postponed | RecordVerdict::Repeated | RecordVerdict::SetAside(_) => {
                    continue;
                }
            };
            if *are_refused.get_or_insert(is_refused) != is_refused {
                return index;
            }
        }
        run.end
    }

    /// Returns where the run ends: behind the first refused record if that is the end of the work, or where
    /// there is no more room. A payload for which there is never room is written alone.
    fn reach(&self, verdicts: &[RecordVerdict], from: usize, room: Room) -> usize {
        let (mut bytes, mut records) = (0_usize, 0_usize);
        for (index, verdict) in verdicts.iter().enumerate().skip(from) {
            match verdict {
                RecordVerdict::Refused(_) | RecordVerdict::SetAside(_)
                    if self.rules.on_bad == OnBadRecord::Stop =>
                {
                    return index.saturating_add(1);
                }
                RecordVerdict::Refused(_)
                | RecordVerdict::SetAside(_)
                | RecordVerdict::Postponed
                | RecordVerdict::Repeated => {}
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

    /// Keeps what is refused, and then gives the records that hold to the sink, if this process still has them and
    /// they hold still.
    fn hand_over<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
    ) -> Result<Written<K::Error>, Ended<D, K, R>> {
        // One that ends the work is the last of its run, and kept at the end of it: the ledger may yet find one
        // before it that does.
        if self.rules.on_bad == OnBadRecord::Skip {
            self.refuse(judged, run)?;
        }
        let verdicts = judged.judgement.verdicts.get(run.clone()).unwrap_or_default();
        let all = RecordVerdict::count_payloads(verdicts);
        if all == 0 {
            return Ok(Written::All);
        }
        // Leases that are due are renewed first, which can mean to wait for another process.
        if !self.gate.are_held()?
            || self.recheck.refuses(&mut judged.judgement, run.clone())?
            || !self.gate.are_held()?
        {
            return Ok(Written::Stale);
        }
        let JudgedBlock { block, deliveries, judgement: Judgement { payloads, verdicts, .. } } =
            judged;
        let released = ReleasedRun::new(block, payloads, verdicts, run.clone());
        let mut hold = LeaseHold::of(deliveries, run.clone(), self.gate.is_kept());
        let written = match self.sink.write(&released, &mut hold) {
            Ok(Handed::Done) => Written::All,
            Ok(Handed::First(records)) => Written::First(records.min(all), None),
            Ok(Handed::Retry(failure)) if deliveries.are_leased() => Written::Returned(failure),
            // A pipe does not deliver a record again.
            Ok(Handed::Refused(failure) | Handed::Retry(failure)) => Written::Refused(failure),
            Err(WriteFailure { records, error }) => Written::First(records.min(all), Some(error)),
        };
        let verdicts = judged.judgement.verdicts.get(run.clone()).unwrap_or_default();
        match &written {
            Written::All => self.counts.release(verdicts, all),
            Written::First(records, _) => self.counts.release(verdicts, *records),
            Written::Returned(_) => {
                self.counts.retried += u64::try_from(all).unwrap_or(u64::MAX);
            }
            Written::Refused(_) | Written::Stale => {}
        }
        Ok(written)
    }

    /// Commits what was written, and gives back the rest. What the sink refused is refused.
    ///
    /// If committing fails, it is not known whether the records are committed: they are neither given back nor
    /// acknowledged.
    fn end_leases<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
        written: &Written<K::Error>,
    ) -> Result<(), Ended<D, K, R>> {
        let verdicts = judged.judgement.verdicts.get_mut(run.clone()).unwrap_or_default();
        match written {
            Written::All => {
                self.gate.commit(RecordVerdict::count_payloads(verdicts))?;
            }
            Written::First(records, _) => self.gate.commit(*records)?,
            Written::Refused(failure) => {
                for verdict in verdicts.iter_mut().filter(|one| one.payload().is_some()) {
                    *verdict = RecordVerdict::Refused(failure.clone().into());
                }
            }
            Written::Returned(_) | Written::Stale => {}
        }
        Ok(self.gate.give_back()?)
    }

    /// Counts the refused records of a run that are not set aside yet, and keeps them in the rejects.
    fn refuse<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
    ) -> Result<(), Ended<D, K, R>> {
        let JudgedBlock { block, judgement: Judgement { at, verdicts, .. }, .. } = judged;
        let refused = verdicts.iter().enumerate().take(run.end).skip(run.start);
        let refused = refused.filter_map(|(index, verdict)| {
            let RecordVerdict::Refused(why) = verdict else { return None };
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
        let verdicts = verdicts.get_mut(run.clone()).unwrap_or_default();
        verdicts.iter_mut().for_each(RecordVerdict::set_aside);
        Ok(())
    }

    /// Settles a run with its source: what was handled or kept is acknowledged, what is refused and not kept
    /// becomes a dead letter, and the rest goes back.
    fn settle<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        run: &Range<usize>,
        written: &Written<K::Error>,
    ) -> Result<(), Ended<D, K, R>> {
        let JudgedBlock { deliveries, judgement: Judgement { verdicts, .. }, .. } = judged;
        let verdicts = verdicts.get(run.clone()).unwrap_or_default();
        let returned = written.returned();
        if returned.is_none() {
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
            let settled = match (alike.first().is_some_and(RecordVerdict::is_refused), returned) {
                (true, _) if !is_kept => self.bury(deliveries, records, alike),
                (true, _) | (false, None) => deliveries.acknowledge(records),
                // Among them are copies of a record that was not handled.
                (false, Some(why)) => deliveries.retry(records, why),
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
            if let RecordVerdict::Refused(why) | RecordVerdict::SetAside(why) = verdict {
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
        let verdicts = judged.judgement.verdicts.get_mut(run.clone()).unwrap_or_default();
        let first = verdicts.iter().position(RecordVerdict::is_refused);
        let Some(verdict) = first.and_then(|first| verdicts.get_mut(first)) else { return Ok(()) };
        match std::mem::replace(verdict, RecordVerdict::Repeated) {
            RecordVerdict::Refused(why) | RecordVerdict::SetAside(why) => {
                let index = run.start.saturating_add(first.unwrap_or_default());
                Err(PipelineError::Record { number: judged.block.number(index), why })
            }
            RecordVerdict::Postponed | RecordVerdict::Repeated | RecordVerdict::Verified { .. } => {
                Ok(())
            }
        }
    }

    /// Does what comes before the next record.
    fn go_on<D: Deliveries>(
        &mut self,
        judged: &mut JudgedBlock<D>,
        from: usize,
        next: NextStep,
    ) -> Result<(), Ended<D, K, R>> {
        match next {
            NextStep::Fail(error) => {
                let number = judged.block.number(from);
                Err(PipelineError::Record { number, why: error.into() })
            }
            NextStep::GoOn => Ok(()),
            NextStep::Wait(at) => {
                let verdicts = &mut judged.judgement.verdicts;
                if judged.deliveries.postpone(from).map_err(PipelineError::Source)? {
                    if let Some(verdict) = verdicts.get_mut(from) {
                        *verdict = RecordVerdict::Postponed;
                    }
                    return Ok(());
                }
                let rest = from..verdicts.len();
                if judged.deliveries.are_leased() {
                    judged.deliveries.extend(rest).map_err(PipelineError::Source)?;
                }
                self.gate.wait(at);
                Ok(())
            }
        }
    }
}
