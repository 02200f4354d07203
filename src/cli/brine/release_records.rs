//! What becomes of records that were judged: written, kept, counted, or the end.

use std::io::Write as _;
use std::sync::mpsc::Sender;

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
    pub(super) give_back: Sender<Block>,
    pub(super) counts: Counts,
}

impl Release<'_> {
    /// Writes what holds, keeps what does not, and ends the work if that is asked for.
    pub(super) fn take(&mut self, mut judged: Judged) -> Result<(), Failure> {
        let refused = judged.verdicts.iter().position(|v| matches!(v, Verdict::Refused(_)));
        if let (true, Some(first)) = (self.stops, refused) {
            judged.verdicts.truncate(first.saturating_add(1));
        }
        self.write(&judged)?;
        if refused.is_some() {
            self.refuse(&judged)?;
        }
        let ends = if self.stops { refused } else { None };
        if let Some(index) = ends
            && let Verdict::Refused(failure) = judged.verdicts.swap_remove(index)
        {
            return Err(Failure::in_record(judged.block.number(index), failure));
        }
        // The input may have ended, and need no more memory.
        let _ = self.give_back.send(judged.block);
        Ok(())
    }

    fn write(&mut self, judged: &Judged) -> Result<(), Failure> {
        let verified = judged.verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Verified(range) => Some(range.end),
            Verdict::Refused(_) => None,
        });
        let (count, end) = verified.fold((0, 0), |(count, _), end| (count + 1, end));
        let payloads = judged.payloads.get(..end).unwrap_or_default();
        if let Some((output, opened)) = &self.output {
            if output.is_terminal() && !is_printable(payloads) {
                output.refuse_terminal("binary data")?;
            }
            opened.file().write_all(payloads).map_err(|error| output.failed(error))?;
        }
        self.counts.verified += count;
        Ok(())
    }

    fn refuse(&mut self, judged: &Judged) -> Result<(), Failure> {
        let frames = judged.verdicts.iter().zip(judged.block.frames()).enumerate();
        let refused = frames.filter_map(|(index, (verdict, frame))| match verdict {
            Verdict::Verified(_) => None,
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
