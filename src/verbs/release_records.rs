//! What becomes of records that were judged: written, kept, counted, or the end.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::sync::mpsc::Sender;

use rustix::event::{PollFd, PollFlags, poll};

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
                // None of it was written, or not all. The first failure is the one to tell of.
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
        // Waiting for whoever reads comes first: what is held meanwhile would be held for long.
        let room = match (&self.once, &self.output) {
            (Some(_), Some((_, opened))) => room_in(opened.file()),
            _ => usize::MAX,
        };
        let until = self.reach(verdicts, from, room);
        let verdicts = verdicts.get_mut(..until).unwrap_or_default();
        match &mut self.once {
            Some(once) => once.admit(verdicts, from, self.stops),
            None => Ok(Admitted { until, leases: Vec::new(), then: Then::GoOn }),
        }
    }

    /// Returns where to end: behind the first refused record, if that is the end of the work, and where
    /// the payloads are more than `room`, but for one that is more by itself.
    fn reach(&self, verdicts: &[Verdict], from: usize, room: usize) -> usize {
        let mut bytes = 0_usize;
        for (index, verdict) in verdicts.iter().enumerate().skip(from) {
            match verdict {
                Verdict::Refused(_) if self.stops => return index.saturating_add(1),
                Verdict::Refused(_) => {}
                Verdict::Verified { payload, .. } => {
                    bytes = bytes.saturating_add(payload.len());
                    if bytes > room && index > from {
                        return index;
                    }
                }
            }
        }
        verdicts.len()
    }

    /// Keeps what is refused, and then writes what holds: kept twice is no harm, and written twice is.
    fn release(&mut self, judged: &Judged, records: Range<usize>) -> Result<(), Failure> {
        let verdicts = judged.verdicts.get(records.clone()).unwrap_or_default();
        let verified = verdicts.iter().filter(|verdict| !verdict.is_refused()).count();
        if verified < verdicts.len() {
            self.refuse(judged, &records)?;
        }
        if verified > 0 {
            self.write(&payloads(verdicts, &judged.payloads))?;
        }
        self.counts.verified += u64::try_from(verified).unwrap_or(u64::MAX);
        Ok(())
    }

    fn write(&self, payloads: &[u8]) -> Result<(), Failure> {
        let Some((output, opened)) = &self.output else { return Ok(()) };
        if output.is_terminal() && !is_printable(payloads) {
            output.refuse_terminal("binary data")?;
        }
        let mut file = opened.file();
        let written = match &self.once {
            None => file.write_all(payloads),
            Some(_) => write_whole(file, payloads),
        };
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

/// Writes to the end, and with a regular file to the disk: what the database says was released is not lost
/// with the power. If that fails, a regular file is left as it was, without half a record.
fn write_whole(mut file: &File, payloads: &[u8]) -> io::Result<()> {
    let found = file.metadata()?;
    if !found.is_file() {
        return file.write_all(payloads);
    }
    let position = file.stream_position()?;
    let written = file.write_all(payloads).and_then(|()| file.sync_data());
    if written.is_err() && position >= found.len() {
        file.set_len(found.len())?;
        file.seek(SeekFrom::Start(position))?;
    }
    written
}

/// Waits until an output takes something, and returns how many bytes it takes without waiting again.
fn room_in(file: &File) -> usize {
    let Ok(size) = rustix::pipe::fcntl_getpipe_size(file) else { return usize::MAX };
    // What goes wrong here will go wrong in writing, too.
    let _ = poll(&mut [PollFd::new(file, PollFlags::OUT)], None);
    let queued = rustix::io::ioctl_fionread(file).unwrap_or_default();
    let queued = usize::try_from(queued).unwrap_or(usize::MAX);
    // The pages at both ends may be partly full.
    size.saturating_sub(queued).saturating_sub(2 * PAGE_BYTES)
}

const PAGE_BYTES: usize = 4096;
