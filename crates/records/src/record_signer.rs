//! Signs records, one by one or in batches.

use std::fmt;
use std::sync::Arc;

use brine_core::batch::BatchSigner;
use brine_core::key::random;
use brine_core::{
    CHANNEL_BYTES, CTI_BYTES, Clock, Error, KeyError, Sequence, SigningBackend, SigningError,
    Statement, Timestamp, Unique, sign,
};

use crate::framing::{BlockBounds, FrameBlock, Framing, RecordFrame};
use crate::pipeline::{BLOCK_RECORDS, RecordError};
use crate::spare::Spare;

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
    /// One for each thread that signs batches, taken while it does.
    batch_signers: Spare<BatchSigner>,
    spare: Spare<SignedBlock>,
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
        let (batch_signers, spare) = (Spare::default(), Spare::default());
        Ok(Self { key, state, clock, framing, batch: None, channel, batch_signers, spare })
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

    /// Signs the records of a block. One that cannot be framed, or is larger than what the key signs, is refused alone;
    /// anything else that fails ends the work.
    ///
    /// A record that is refused keeps its number, so that verifiers report it as missing.
    pub fn sign(&self, block: &FrameBlock) -> SignedBlock {
        let mut signed = self.spare.take().unwrap_or_default();
        signed.envelopes.reserve(block.len().saturating_mul(ENVELOPE_BYTES));
        signed.failed = self.sign_into(block, &mut signed).err();
        signed.refused.sort_unstable_by_key(|refused| refused.index);
        signed
    }

    /// Takes a used block back, for its memory.
    pub fn give_back(&self, used: SignedBlock) {
        if let Some(empty) = used.emptied() {
            self.spare.give_back(empty);
        }
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
            match sign(&statement, self.key.as_ref(), record) {
                Ok(envelope) => self.write(index, &envelope.to_bytes(), signed),
                Err(error) => refuse_large(UnsignedRecord { index, why: error.into() }, signed)?,
            }
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
        let idle = self.batch_signers.take();
        let mut batch = idle.unwrap_or_else(|| BatchSigner::new(Arc::clone(&self.key)));
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
        self.close(&mut batch, &mut members, signed)?;
        if block.weight() <= KEPT_BLOCK_BYTES {
            self.batch_signers.give_back(batch);
        }
        Ok(())
    }

    /// Signs a batch of the records with these indexes.
    fn close(
        &self,
        batch: &mut BatchSigner,
        members: &mut Vec<usize>,
        signed: &mut SignedBlock,
    ) -> Result<(), UnsignedRecord> {
        let first = members.first().copied().unwrap_or_default();
        let failed = |error: Error| UnsignedRecord { index: first, why: error.into() };
        let envelopes = match batch.finish_batch() {
            // Only a record that is alone is signed itself.
            Err(error) if members.len() == 1 => {
                members.clear();
                return refuse_large(failed(error), signed);
            }
            envelopes => envelopes.map_err(failed)?,
        };
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

/// Refuses a record alone, if the key signs none of its length; the next one may be shorter. Anything else ends the work.
fn refuse_large(unsigned: UnsignedRecord, signed: &mut SignedBlock) -> Result<(), UnsignedRecord> {
    match unsigned.why {
        RecordError::Envelope(Error::Signing(SigningError::TooLarge)) => {
            signed.refused.push(unsigned);
            Ok(())
        }
        _ => Err(unsigned),
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

    /// Returns an empty block in the same memory, unless it is of records that are much larger than most.
    fn emptied(self) -> Option<Self> {
        if self.envelopes.capacity() > KEPT_BLOCK_BYTES {
            return None;
        }
        let Self { mut envelopes, mut ends, .. } = self;
        envelopes.clear();
        ends.clear();
        Some(Self { envelopes, ends, ..Self::default() })
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

/// The most memory that is kept of a block, and of its envelopes, for the next.
const KEPT_BLOCK_BYTES: usize = 2 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use brine_core::SigningKey;

    use super::*;
    use crate::framing::MAX_RECORD_BYTES;

    fn signer() -> RecordSigner {
        let key = Arc::new(SigningKey::generate().unwrap());
        let clock = Arc::new(Timestamp::from_unix(0).unwrap());
        RecordSigner::new(key, Statement::at, clock, Framing::Len32).unwrap().in_batches_of(2)
    }

    fn block(records: &[&[u8]]) -> FrameBlock {
        let mut block = FrameBlock::new(1);
        records.iter().for_each(|record| block.push(record));
        block
    }

    #[test]
    fn the_memory_of_a_block_is_used_again_and_nothing_of_what_was_in_it() {
        let signer = signer();
        let long = vec![0; MAX_RECORD_BYTES + 1];
        let used = signer.sign(&block(&[b"one", &long, b"two", b"three"]));
        let place = used.envelopes.as_ptr();
        assert_eq!((used.ends.len(), used.refused.len()), (3, 1));
        let first = used.ends[0].1;
        signer.give_back(used);
        let next = signer.sign(&block(&[b"one", b"two"]));
        assert_eq!(next.envelopes.as_ptr(), place);
        let shown = (next.ends.len(), next.refused.len(), next.ends[0].1);
        assert_eq!((shown, next.envelopes.len()), ((2, 0, first), next.ends[1].1));
    }

    #[test]
    fn the_memory_of_long_records_is_not_kept() {
        let signer = signer();
        let long = vec![0; KEPT_BLOCK_BYTES];
        let used = signer.sign(&block(&[&long, b"short"]));
        assert!(used.envelopes.capacity() > KEPT_BLOCK_BYTES);
        signer.give_back(used);
        assert!(signer.spare.take().is_none() && signer.batch_signers.take().is_none());
        let used = signer.sign(&block(&[b"short", b"short"]));
        signer.give_back(used);
        assert!(signer.spare.take().is_some() && signer.batch_signers.take().is_some());
    }
}
