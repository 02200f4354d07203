//! Judges records, each by itself, on whatever thread.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use brine_core::{
    Circumstances, Clock, EnvelopeVerifier, Expectations, Observer, Standing, Timestamp,
    TrustSource,
};

use super::error::{RecordError, StepError};
use super::recheck::Recheck;
use crate::framing::{FrameBlock, Framing, RecordFrame};
use crate::ledger::Subject;
use crate::spare::Spare;

/// Verifies records, and frames the payloads of those that hold.
///
/// It can be shared by threads: each verifies whole blocks. The clock is read, and the source of trust asked, for
/// each block when its records have all arrived, and again before they are released.
pub struct RecordJudge {
    clock: Arc<dyn Clock>,
    expectations: Arc<Expectations>,
    framing: Framing,
    /// Whether a ledger needs to know each record.
    identifies: bool,
    observer: Observer,
    /// One for each thread that judges, taken while it does.
    verifiers: Spare<EnvelopeVerifier>,
    spare: SpareJudgements,
}

impl RecordJudge {
    /// Judges records by `expectations` and `trust`, at the time of `clock`. The payloads are framed by
    /// `framing`.
    #[must_use]
    pub fn new(
        expectations: Expectations,
        trust: impl TrustSource + 'static,
        clock: impl Clock + 'static,
        framing: Framing,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let observer = Observer::new(trust, Arc::clone(&clock));
        Self {
            clock,
            expectations: Arc::new(expectations),
            framing,
            identifies: false,
            observer,
            verifiers: Spare::default(),
            spare: SpareJudgements::default(),
        }
    }

    /// Identifies each record for a ledger, and refuses those that have no identity.
    pub(super) fn identifying(self, identifies: bool) -> Self {
        Self { identifies, ..self }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Returns what judges records again when they are released.
    pub(super) fn recheck(&self) -> Recheck {
        Recheck::new(self.observer.clone(), Arc::clone(&self.expectations))
    }

    /// Returns where used judgements go.
    pub(super) fn spare(&self) -> SpareJudgements {
        self.spare.clone()
    }

    /// Judges the records of a block, which decodes them.
    pub(super) fn judge(&self, block: &mut FrameBlock) -> Result<Judgement, StepError> {
        block.decode().map_err(StepError::Decode)?;
        let circumstances = self.observer.observe()?;
        let mut verifier = self.take_verifier(&circumstances);
        let (mut payloads, mut verdicts) = self.spare.take();
        payloads.reserve(block.len().saturating_mul(PAYLOAD_BYTES));
        verdicts.reserve(block.len());
        for frame in block.frames() {
            let start = payloads.len();
            let judged = self.judge_frame(frame, circumstances.now(), &mut verifier, &mut payloads);
            verdicts.push(match judged {
                Ok((standing, subject)) => {
                    let payload = start..payloads.len();
                    RecordVerdict::Verified { payload, standing, subject }
                }
                Err(error) => RecordVerdict::Refused(error),
            });
        }
        self.verifiers.give_back(verifier);
        Ok(Judgement { at: circumstances.now(), circumstances, payloads, verdicts })
    }

    /// Appends the payload if the record holds. What is appended of one that is refused is never looked at.
    fn judge_frame(
        &self,
        frame: RecordFrame<'_>,
        at: Timestamp,
        verifier: &mut EnvelopeVerifier,
        payloads: &mut Vec<u8>,
    ) -> Result<(Standing, Option<Subject>), RecordError> {
        let envelope = match frame {
            RecordFrame::Record(envelope) => envelope,
            RecordFrame::Bad { error, .. } => return Err(error.into()),
        };
        let (verified, payload) = verifier.verify_in_place(envelope, at)?;
        let subject = self.identifies.then(|| Subject::of(verified)).transpose()?;
        self.framing.write_content(payloads, payload)?;
        Ok((verified.standing(), subject))
    }

    fn take_verifier(&self, circumstances: &Circumstances) -> EnvelopeVerifier {
        let trust = Arc::clone(circumstances.trust());
        match self.verifiers.take() {
            Some(mut idle) => {
                idle.set_trust(trust);
                idle
            }
            None => EnvelopeVerifier::new(Arc::clone(&self.expectations), trust),
        }
    }
}

impl fmt::Debug for RecordJudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordJudge")
            .field("expectations", &self.expectations)
            .field("framing", &self.framing)
            .finish_non_exhaustive()
    }
}

/// What was found of the records of a block.
#[derive(Debug)]
pub(super) struct Judgement {
    /// When they were judged last.
    pub(super) at: Timestamp,
    /// Who was trusted, and what time it was, when they had arrived.
    pub(super) circumstances: Circumstances,
    /// The payloads of the records that hold, framed.
    pub(super) payloads: Vec<u8>,
    /// One for each record.
    pub(super) verdicts: Vec<RecordVerdict>,
}

/// Judgements that were used, kept for their memory.
#[derive(Clone, Debug, Default)]
pub(super) struct SpareJudgements(Arc<Spare<Judgement>>);

impl SpareJudgements {
    /// Takes a used judgement, unless it is of records that are much larger than most.
    pub(super) fn give_back(&self, used: Judgement) {
        if used.payloads.capacity() <= KEPT_BLOCK_BYTES {
            self.0.give_back(used);
        }
    }

    /// Returns memory for payloads and verdicts, both empty.
    fn take(&self) -> (Vec<u8>, Vec<RecordVerdict>) {
        let Some(Judgement { mut payloads, mut verdicts, .. }) = self.0.take() else {
            return (Vec::new(), Vec::new());
        };
        payloads.clear();
        verdicts.clear();
        (payloads, verdicts)
    }
}

/// What was found of one record.
#[derive(Debug)]
pub(super) enum RecordVerdict {
    /// Another process handles it, and the source delivers it again later.
    Postponed,
    /// It is not believed, or not released.
    Refused(RecordError),
    /// It was released before, and is dropped.
    Repeated,
    /// It was refused, counted and, if there are rejects, kept.
    SetAside(RecordError),
    /// It holds.
    Verified {
        /// Where its payload is.
        payload: Range<usize>,
        /// What of it can stop holding before it is released.
        standing: Standing,
        /// Its identity, where a ledger asks for it.
        subject: Option<Subject>,
    },
}

impl RecordVerdict {
    /// Returns where the payload is, if the record is to be released.
    pub(super) const fn payload(&self) -> Option<&Range<usize>> {
        match self {
            Self::Postponed | Self::Refused(_) | Self::Repeated | Self::SetAside(_) => None,
            Self::Verified { payload, .. } => Some(payload),
        }
    }

    /// Returns how many of them are of records to be released.
    pub(super) fn count_payloads(verdicts: &[Self]) -> usize {
        verdicts.iter().filter(|verdict| verdict.payload().is_some()).count()
    }

    /// Returns the index behind so many verified records of a run, and behind all that are not released after them.
    pub(super) fn behind(verdicts: &[Self], run: &Range<usize>, records: usize) -> usize {
        let verified = verdicts.iter().enumerate().take(run.end).skip(run.start);
        let mut verified = verified.filter(|(_, verdict)| verdict.payload().is_some());
        verified.nth(records).map_or(run.end, |(index, _)| index)
    }

    /// Returns whether the record was refused, set aside or not.
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::SetAside(_))
    }

    /// Turns a refused record into one that is set aside.
    pub(super) fn set_aside(&mut self) {
        *self = match std::mem::replace(self, Self::Repeated) {
            Self::Refused(why) => Self::SetAside(why),
            other => other,
        };
    }
}

/// What a small payload takes, about.
const PAYLOAD_BYTES: usize = 256;

/// The most memory that is kept of the payloads of a block, for the next.
const KEPT_BLOCK_BYTES: usize = 1024 * 1024;
