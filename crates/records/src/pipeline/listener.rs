//! Who hears what became of each record.

use std::ops::Range;

use brine_core::KeyId;

use super::error::{HandlerFailure, RecordError};
use super::judge::RecordVerdict;
use crate::framing::{FrameBlock, RecordFrame};
use crate::ledger::Subject;

/// Hears what became of each record, on the thread that releases records.
///
/// It is told in the order of the source, after a record was written and committed, or kept, and before it is
/// acknowledged. A record that goes back to its source is told of each time.
pub trait RecordListener {
    /// Hears of one record.
    fn settled(&mut self, record: &SettledRecord<'_>);
}

/// A record, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct SettledRecord<'a> {
    /// The number of the record, counted from 1.
    pub number: u64,
    /// The size of the envelope in bytes; 0 if its frame was damaged.
    pub bytes: usize,
    /// Its identity, if it verified and a ledger asked for it.
    pub subject: Option<&'a Subject>,
    /// What became of it.
    pub fate: RecordFate<'a>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug)]
pub enum RecordFate<'a> {
    /// It verified by this key, and its payload was released.
    Released(KeyId),
    /// It was released before, and was dropped.
    Repeated,
    /// It was refused.
    Refused(&'a RecordError),
    /// It verified by this key, and could not be handled. It goes back to the source.
    Retried(KeyId, &'a HandlerFailure),
}

impl<'a> RecordFate<'a> {
    /// Says what became of a record of a run, which was released or `returned` for this reason. `None` for what
    /// comes again without having been tried: what another process handles, and copies of a record that goes back.
    fn of(verdict: &'a RecordVerdict, returned: Option<&'a HandlerFailure>) -> Option<Self> {
        match (verdict, returned) {
            (RecordVerdict::Refused(why) | RecordVerdict::SetAside(why), _) => {
                Some(Self::Refused(why))
            }
            (RecordVerdict::Verified { standing, .. }, None) => {
                Some(Self::Released(standing.key_id()))
            }
            (RecordVerdict::Verified { standing, .. }, Some(why)) => {
                Some(Self::Retried(standing.key_id(), why))
            }
            (RecordVerdict::Repeated, None) => Some(Self::Repeated),
            (RecordVerdict::Repeated, Some(_)) | (RecordVerdict::Postponed, _) => None,
        }
    }
}

/// Tells a listener of a run of the records of a block.
pub(super) fn tell(
    listener: &mut dyn RecordListener,
    block: &FrameBlock,
    verdicts: &[RecordVerdict],
    run: &Range<usize>,
    returned: Option<&HandlerFailure>,
) {
    for (index, verdict) in verdicts.iter().enumerate().take(run.end).skip(run.start) {
        let Some(fate) = RecordFate::of(verdict, returned) else { continue };
        let bytes = match block.get(index) {
            Some(RecordFrame::Record(envelope)) => envelope.len(),
            Some(RecordFrame::Bad { .. }) | None => 0,
        };
        let subject = match verdict {
            RecordVerdict::Verified { subject, .. } => subject.as_ref(),
            RecordVerdict::Postponed
            | RecordVerdict::Refused(_)
            | RecordVerdict::Repeated
            | RecordVerdict::SetAside(_) => None,
        };
        listener.settled(&SettledRecord { number: block.number(index), bytes, subject, fate });
    }
}
