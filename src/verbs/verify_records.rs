//! `brine verify`, record by record: each is judged alone, on whatever thread.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::batch::Memory;
use crate::claims::Timestamp;
use crate::cli::clock;
use crate::cli::failure::Failure;
use crate::cose::{Sign1, Tagging};
use crate::record::replay::Subject;
use crate::record::{Block, Frame, Framing};
use crate::trust::Trust;
use crate::verify::{PayloadSource, Request, verify_with};

/// What every record is held to.
#[derive(Debug)]
pub(super) struct RecordJudge {
    pub(super) context: Option<String>,
    pub(super) external_aad: Vec<u8>,
    pub(super) foreign_typ: Option<String>,
    pub(super) framed: Framing,
    pub(super) max_age: Option<Duration>,
    /// What `--now` gives; otherwise each block is judged when it is.
    pub(super) now: Option<Timestamp>,
    /// Whether there is a replay database, so that a record needs something to be held by.
    pub(super) numbered: bool,
    pub(super) signer: Option<String>,
    pub(super) tagging: Tagging,
    pub(super) trust: Trust,
    /// One for each thread that judges, taken while it does.
    pub(super) memories: Mutex<Vec<Memory>>,
}

/// A block that was judged.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) block: Block,
    pub(super) now: Timestamp,
    /// The payloads of the records that hold, framed.
    pub(super) payloads: Vec<u8>,
    pub(super) verdicts: Vec<Verdict>,
}

/// What becomes of one record.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Where in the payloads its own is.
    Verified {
        payload: Range<usize>,
        /// What a replay database holds it by, where there is one.
        subject: Option<Subject>,
    },
    Refused(Failure),
}

impl Verdict {
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl RecordJudge {
    pub(super) fn judge(&self, mut block: Block) -> Result<Judged, Failure> {
        block.decode()?;
        let now = self.now.map_or_else(clock::read, Ok)?;
        let mut memory = self.memories().pop().unwrap_or_default();
        let mut payloads = Vec::with_capacity(block.len().saturating_mul(PAYLOAD_BYTES));
        let mut verdicts = Vec::with_capacity(block.len());
        for frame in block.frames() {
            let start = payloads.len();
            let judged = self.judge_frame(frame, now, &mut memory, &mut payloads);
            verdicts.push(match judged {
                Ok(subject) => Verdict::Verified { payload: start..payloads.len(), subject },
                Err(error) => Verdict::Refused(error.into()),
            });
        }
        self.memories().push(memory);
        Ok(Judged { block, now, payloads, verdicts })
    }

    fn judge_frame(
        &self,
        frame: Frame<'_>,
        now: Timestamp,
        memory: &mut Memory,
        payloads: &mut Vec<u8>,
    ) -> crate::error::Result<Option<Subject>> {
        let envelope = match frame {
            Frame::Record(envelope) => envelope,
            Frame::Bad { error, .. } => return Err(error.into()),
        };
        let request = Request {
            context: self.context.as_deref(),
            external_aad: &self.external_aad,
            foreign_typ: self.foreign_typ.as_deref(),
            max_age: self.max_age,
            now,
            payload: PayloadSource::Embedded,
            signer: self.signer.as_deref(),
        };
        let sign1 = Sign1::parse(envelope, self.tagging)?;
        let verified = verify_with(&sign1, &request, &self.trust, memory)?;
        let subject = self.numbered.then(|| Subject::of(&verified)).transpose()?;
        self.framed.write_content(payloads, verified.payload())?;
        Ok(subject)
    }

    fn memories(&self) -> std::sync::MutexGuard<'_, Vec<Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a small payload takes, about.
const PAYLOAD_BYTES: usize = 256;
