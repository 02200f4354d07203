//! Signs records, one by one or in batches.

use std::fmt;
use std::sync::Arc;

use brine_core::batch::BatchSigner;
use brine_core::key::random;
use brine_core::{
    CHANNEL_BYTES, CTI_BYTES, Clock, Error, KeyError, Sequence, SigningBackend, Statement,
    Timestamp, Unique, sign,
};

use crate::framing::{BlockBounds, FrameBlock, Framing, RecordFrame};
use crate::pipeline::{BLOCK_RECORDS, RecordError};

/// Signs records, each as an envelope of its own, and frames the envelopes.
///
/// The records of one signer are one channel: they are numbered without gaps, in the order of their input. A
/// channel is drawn at random when the signer is made. A process that forks **must** make another signer.
///
/// It can be shared by threads: each signs whole blocks. The clock is read once for each block, when its
/// records have all arrived.
pub struct RecordSigner {
    key: Arc<dyn SigningBackend>,
    state: Box<StateAt>,
    clock: Arc<dyn Clock>,
    framing: Framing,
    batch: Option<usize>,
    channel: [u8; CHANNEL_BYTES],
}

/// Says what is stated at a moment, or why nothing may be.
type StateAt = dyn Fn(Timestamp) -> Result<Statement, Error> + Send + Sync;

impl RecordSigner {
    /// Signs with `key` what `statement` says of records that are signed at a given time. The envelopes are
    /// framed by `framing`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] if no channel can be drawn.
    pub fn new(
        key: Arc<dyn SigningBackend>,
        statement: impl Fn(Timestamp) -> Statement + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
        framing: Framing,
    ) -> Result<Self, KeyError> {
        Self::stating(key, move |now| Ok(statement(now)), clock, framing)
    }

    /// Does the same with a statement that can be refused, as one that would have expired. That ends the work.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] if no channel can be drawn.
    pub fn stating(
        key: Arc<dyn SigningBackend>,
        state: impl Fn(Timestamp) -> Result<Statement, Error> + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
        framing: Framing,
    ) -> Result<Self, KeyError> {
        let (state, channel) = (Box::new(state), random()?);
        Ok(Self { key, state, clock, framing, batch: None, channel })
    }

    /// Signs so many records at a time with one signature, instead of each alone.
    #[must_use]
    pub fn in_batches_of(self, records: usize) -> Self {
        Self { batch: Some(records.max(1)), ..self }
    }

    /// Returns the random name of this signer, under which it numbers its records.
    #[must_use]
    pub const fn channel(&self) -> [u8; CHANNEL_BYTES] {
        self.channel
    }

    /// Returns the bounds of blocks that make whole batches, with enough records to be worth a thread's
    /// while.
    #[must_use]
    pub fn bounds(&self) -> BlockBounds {
        let whole = |batch: usize| BLOCK_RECORDS.div_euclid(batch).max(1).saturating_mul(batch);
        let records = self.batch.map_or(BLOCK_RECORDS, whole);
        BlockBounds { records, ..BlockBounds::default() }
    }

    /// Signs the records of a block. One that cannot be framed is refused alone; anything else that fails ends
    /// the work.
    ///
    /// A record that is refused keeps its number, so that verifiers report it as missing.
    pub fn sign(&self, block: &FrameBlock) -> SignedBlock {
        let envelopes = Vec::with_capacity(block.len().saturating_mul(ENVELOPE_BYTES));
        let mut signed = SignedBlock { envelopes, ..SignedBlock::default() };
        signed.failed = self.sign_into(block, &mut signed).err();
        signed.refused.sort_unstable_by_key(|refused| refused.index);
        signed
    }

    fn sign_into(
        &self,
        block: &FrameBlock,
        signed: &mut SignedBlock,
    ) -> Result<(), UnsignedRecord> {
        let in_first = |error: Error| UnsignedRecord { index: 0, why: error.into() };
        let now = self.clock.now().map_err(|error| in_first(error.into()))?;
        signed.at = Some(now);
        let names = random_names(block.len()).map_err(|error| in_first(error.into()))?;
        let (names, _) = names.as_chunks();
        let statement = (self.state)(now).map_err(in_first)?;
        match self.batch {
            Some(most) => self.sign_together(block, names, &statement, most, signed),
            None => self.sign_alone(block, names, statement, signed),
        }
    }

    fn sign_alone(
        &self,
        block: &FrameBlock,
        names: &[[u8; CTI_BYTES]],
        mut statement: Statement,
        signed: &mut SignedBlock,
    ) -> Result<(), UnsignedRecord> {
        for (index, (frame, cti)) in block.frames().zip(names).enumerate() {
            let RecordFrame::Record(record) = signed.take(index, frame) else { continue };
            statement = statement.unique(self.unique(block.number(index), *cti));
            let envelope = sign(&statement, self.key.as_ref(), record);
            let failed = |error: Error| UnsignedRecord { index, why: error.into() };
            self.write(index, &envelope.map_err(failed)?.to_bytes(), signed);
        }
        Ok(())
    }

    fn sign_together(
        &self,
        block: &FrameBlock,
        names: &[[u8; CTI_BYTES]],
        statement: &Statement,
        most: usize,
        signed: &mut SignedBlock,
    ) -> Result<(), UnsignedRecord> {
        let mut batch = BatchSigner::new(self.key.as_ref());
        let mut members = Vec::new();
        for (index, (frame, cti)) in block.frames().zip(names).enumerate() {
            let RecordFrame::Record(record) = signed.take(index, frame) else { continue };
            let unique = self.unique(block.number(index), *cti);
            if let Err(error) = batch.add(record, statement, unique) {
                self.close(&mut batch, &mut members, signed)?;
                return Err(UnsignedRecord { index, why: error.into() });
            }
            members.push(index);
            if batch.len() >= most || batch.is_full() {
                self.close(&mut batch, &mut members, signed)?;
            }
        }
        self.close(&mut batch, &mut members, signed)
    }

    /// Signs a batch of the records with these indexes.
    fn close(
        &self,
        batch: &mut BatchSigner<'_>,
        members: &mut Vec<usize>,
        signed: &mut SignedBlock,
    ) -> Result<(), UnsignedRecord> {
        let first = members.first().copied().unwrap_or_default();
        let failed = |error: Error| UnsignedRecord { index: first, why: error.into() };
        let envelopes = batch.finish_batch().map_err(failed)?;
        for (index, envelope) in members.drain(..).zip(envelopes.iter()) {
            self.write(index, envelope, signed);
        }
        Ok(())
    }

    /// Frames an envelope. If it is too long for a record, its record is refused.
    fn write(&self, index: usize, envelope: &[u8], signed: &mut SignedBlock) {
        match self.framing.write_envelope(&mut signed.envelopes, envelope) {
            Ok(()) => signed.ends.push((index, signed.envelopes.len())),
            Err(error) => signed.refused.push(UnsignedRecord { index, why: error.into() }),
        }
    }

    /// Returns what tells a record from all others. Records count from 1, and a channel from 0.
    fn unique(&self, number: u64, cti: [u8; CTI_BYTES]) -> Unique {
        let sequence = Sequence { channel: self.channel, seq: number.saturating_sub(1) };
        Unique { cti, sequence: Some(sequence) }
    }
}

impl fmt::Debug for RecordSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordSigner")
            .field("framing", &self.framing)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// The envelopes of a block.
#[derive(Debug, Default)]
#[must_use]
pub struct SignedBlock {
    /// When they were signed, if the clock could be read.
    pub(crate) at: Option<Timestamp>,
    /// The envelopes, framed.
    pub(crate) envelopes: Vec<u8>,
    /// The index of each record that was signed, and where its envelope ends.
    pub(crate) ends: Vec<(usize, usize)>,
    /// The records that were refused, in order.
    pub(crate) refused: Vec<UnsignedRecord>,
    /// The record at which signing failed, if it did. No record after it was signed.
    pub(crate) failed: Option<UnsignedRecord>,
}

/// A record that could not be signed.
#[derive(Debug)]
pub struct UnsignedRecord {
    /// The index of the record in its block.
    pub index: usize,
    /// The reason.
    pub why: RecordError,
}

impl SignedBlock {
    /// Returns the envelopes, framed, one after the other.
    #[must_use]
    pub fn envelopes(&self) -> &[u8] {
        &self.envelopes
    }

    /// Returns the records that were refused, in order.
    #[must_use]
    pub fn refused(&self) -> &[UnsignedRecord] {
        &self.refused
    }

    /// Returns the record at which signing failed, if it did. No record after it was signed.
    #[must_use]
    pub const fn failed(&self) -> Option<&UnsignedRecord> {
        self.failed.as_ref()
    }

    /// Refuses what is no record.
    fn take<'f>(&mut self, index: usize, frame: RecordFrame<'f>) -> RecordFrame<'f> {
        if let RecordFrame::Bad { error, .. } = frame {
            self.refused.push(UnsignedRecord { index, why: error.into() });
        }
        frame
    }
}

/// Draws a random name for each of so many records, with one call of the system.
fn random_names(records: usize) -> Result<Vec<u8>, KeyError> {
    let mut names = vec![0; records.saturating_mul(CTI_BYTES)];
    getrandom::fill(&mut names).map_err(|_| KeyError::Random)?;
    Ok(names)
}

/// What an envelope of a small record takes, about.
const ENVELOPE_BYTES: usize = 512;
