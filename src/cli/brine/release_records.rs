//! What becomes of records that were judged: written, kept, counted, or the end.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;
use std::sync::mpsc::Sender;

use super::once::{Admitted, Once, Then};
use super::reject::{RejectFile, Rejected};
use super::verify_records::{Judged, Verdict};
use crate::cli::counts::Counts;
use crate::cli::failure::Failure;
use crate::cli::output::{Opened, Output, is_printable};
use crate::record::Block;

/// Takes judged blocks in their order.
pub(super) struct Release<'a> {
    pub(super) output: Option<(&'a Output, Opened)>,
    pub(super) rejects: Option<RejectFile>,
    /// Whether the first refused record is the end.
    pub(super) stops: bool,
    pub(super) once: Option<Once>,
    pub(super) give_back: Sender<Block>,
    pub(super) counts: Counts,
}

impl Release<'_> {
    /// Writes what holds, keeps what does not, and ends the work if that is asked for.
    pub(super) fn take(&mut self, mut judged: Judged) -> Result<(), Failure> {
        let mut from = 0;
        while from < judged.verdicts.len() {
            let admitted = self.admit(&mut judged.verdicts, from)?;
            let now = from..admitted.until;
            if let Err(failure) = self.release(&judged, now.clone()) {
                // What was written may not have arrived. The first failure is the one to tell of.
                let _ = self.once.as_mut().map(|once| once.give_back(&admitted.leases));
                return Err(failure);
            }
            if let Some(once) = &mut self.once {
                once.commit(&admitted.leases)?;
            }
            if self.stops
                && let Some(last) = now.clone().last()
                && judged.verdicts.get(last).is_some_and(Verdict::is_refused)
                && let Verdict::Refused(failure) = judged.verdicts.swap_remove(last)
            {
                return Err(Failure::in_record(judged.block.number(last), failure));
            }
            from = now.end;
            match (admitted.then, &mut self.once) {
                (Then::Fail(error), _) => {
                    return Err(Failure::in_record(judged.block.number(from), error.into()));
                }
                (Then::Wait(until), Some(once)) => once.wait(until),
                (Then::GoOn | Then::Wait(_), _) => {}
            }
        }
        // The input may have ended, and need no more memory.
        let _ = self.give_back.send(judged.block);
        Ok(())
    }

    /// Says which records from the one at `from` on can be released together.
    fn admit(&mut self, verdicts: &mut [Verdict], from: usize) -> Result<Admitted, Failure> {
        if let Some(once) = &mut self.once {
            return once.admit(verdicts, from, self.stops);
        }
        let refused = verdicts.iter().skip(from).position(Verdict::is_refused);
        let until = match refused {
            Some(after) if self.stops => from.saturating_add(after).saturating_add(1),
            _ => verdicts.len(),
        };
        Ok(Admitted { until, leases: Vec::new(), then: Then::GoOn })
    }

    fn release(&mut self, judged: &Judged, records: Range<usize>) -> Result<(), Failure> {
        let verdicts = judged.verdicts.get(records.clone()).unwrap_or_default();
        let verified = verdicts.iter().filter(|verdict| !verdict.is_refused()).count();
        if verified > 0 {
            self.write(&payloads(verdicts, &judged.payloads))?;
        }
        self.counts.verified += u64::try_from(verified).unwrap_or(u64::MAX);
        if verified < verdicts.len() { self.refuse(judged, &records) } else { Ok(()) }
    }

    fn write(&self, payloads: &[u8]) -> Result<(), Failure> {
        let Some((output, opened)) = &self.output else { return Ok(()) };
        if output.is_terminal() && !is_printable(payloads) {
            output.refuse_terminal("binary data")?;
        }
        let mut file = opened.file();
        let written = file.write_all(payloads).and_then(|()| match &self.once {
            // What the database says was released is not lost with the power.
            Some(_) if file.metadata()?.is_file() => file.sync_data(),
            _ => Ok(()),
        });
        written.map_err(|error| output.failed(error))
    }

    fn refuse(&mut self, judged: &Judged, records: &Range<usize>) -> Result<(), Failure> {
        let frames = judged.verdicts.iter().zip(judged.block.frames()).enumerate();
        let frames = frames.take(records.end).skip(records.start);
        let refused = frames.filter_map(|(index, (verdict, frame))| match verdict {
            Verdict::Verified { .. } => None,
            Verdict::Refused(why) => {
                let number = judged.block.number(index);
                Some(Rejected { number, at: judged.now, why, frame })
            }
        });
        let refused: Vec<_> = refused.collect();
        for rejected in &refused {
            self.counts.refused += 1;
            *self.counts.reasons.entry(rejected.why.reason()).or_default() += 1;
        }
        match &mut self.rejects {
            None => Ok(()),
            Some(rejects) => {
                let count = u64::try_from(refused.len()).unwrap_or(u64::MAX);
                rejects.keep(refused.into_iter())?;
                self.counts.kept += count;
                Ok(())
            }
        }
    }
}

/// The payloads of those that hold; those of one that was seen before may stand in between.
fn payloads<'a>(verdicts: &[Verdict], all: &'a [u8]) -> Cow<'a, [u8]> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for verdict in verdicts {
        let Verdict::Verified { payload, .. } = verdict else { continue };
        match runs.last_mut() {
            Some(run) if run.end == payload.start => run.end = payload.end,
            _ => runs.push(payload.clone()),
        }
    }
    let bytes = |run: &Range<usize>| all.get(run.clone()).unwrap_or_default();
    match runs.as_slice() {
        [run] => Cow::Borrowed(bytes(run)),
        runs => Cow::Owned(runs.iter().flat_map(bytes).copied().collect()),
    }
}
