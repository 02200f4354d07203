//! Signs records, one by one or in batches.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use brine_core::batch::BatchSigner;
use brine_core::key::random;
use brine_core::{
    CHANNEL_BYTES, CTI_BYTES, Clock, Error, KeyError, Sequence, SigningBackend, Statement,
    Timestamp, Unique, sign,
};

use crate::framing::{BlockBounds, FrameBlock, Framing, RecordFrame};
use crate::pipeline::{
    BLOCK_RECORDS, DeliveredBlock, Deliveries, PipelineError, RecordError, Source, in_order,
};

/// Signs records, each as an envelope of its own, and frames the envelopes.
///
/// The records of one signer are one channel: they are numbered without gaps, in the order of their input. A
/// channel is drawn at random when the signer is made. A process that forks **must** make another signer.
///
/// It can be shared by threads: each signs whole blocks. The clock is read once for each block, when its
/// records have all arrived.
pub struct RecordSigner {
    key: Arc<dyn SigningBackend>,
    statement: Box<dyn Fn(Timestamp) -> Statement + Send + Sync>,
    clock: Arc<dyn Clock>,
    framing: Framing,
    batch: Option<usize>,
    channel: [u8; CHANNEL_BYTES],
}

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
        let (statement, channel) = (Box::new(statement), random()?);
        Ok(Self { key, statement, clock, framing, batch: None, channel })
    }

    /// Signs so many records at a time with one signature, instead of each alone.
    #[must_use]
    pub fn in_batches_of(self, records: usize) -> Self {
        Self { batch: Some(records.max(1)), ..self }
    }

    /// Returns the bounds of blocks that make whole batches, with enough records to be worth a thread's
    /// while.
    #[must_use]
    pub fn bounds(&self) -> BlockBounds {
        let whole = |batch: usize| BLOCK_RECORDS.div_euclid(batch).max(1).saturating_mul(batch);
        let records = self.batch.map_or(BLOCK_RECORDS, whole);
        BlockBounds { records, ..BlockBounds::default() }
    }

    /// Signs the records of a block, up to the first that cannot be signed.
    pub fn sign(&self, block: &FrameBlock) -> SignedBlock {
        let mut envelopes = Vec::with_capacity(block.len().saturating_mul(ENVELOPE_BYTES));
        let failed = self.sign_into(block, &mut envelopes).err();
        SignedBlock { envelopes, failed }
    }

    fn sign_into(&self, block: &FrameBlock, output: &mut Vec<u8>) -> Result<(), UnsignedRecord> {
        let in_first = |error: Error| UnsignedRecord { index: 0, why: error.into() };
        let now = self.clock.now().map_err(|error| in_first(error.into()))?;
        let names = random_names(block.len()).map_err(|error| in_first(error.into()))?;
        let (names, _) = names.as_chunks();
        let statement = (self.statement)(now);
        match self.batch {
            Some(most) => self.sign_together(block, names, &statement, most, output),
            None => self.sign_alone(block, names, statement, output),
        }
    }

    fn sign_alone(
        &self,
        block: &FrameBlock,
        names: &[[u8; CTI_BYTES]],
        mut statement: Statement,
        output: &mut Vec<u8>,
    ) -> Result<(), UnsignedRecord> {
        for (index, (frame, cti)) in block.frames().zip(names).enumerate() {
            let at = |why| UnsignedRecord { index, why };
            statement = statement.unique(self.unique(block.number(index), *cti));
            let envelope = sign(&statement, self.key.as_ref(), content(frame).map_err(at)?);
            let envelope = envelope.map_err(|error| at(error.into()))?.to_bytes();
            self.write(&envelope, output).map_err(at)?;
        }
        Ok(())
    }

    fn sign_together(
        &self,
        block: &FrameBlock,
        names: &[[u8; CTI_BYTES]],
        statement: &Statement,
        most: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), UnsignedRecord> {
        let mut batch = BatchSigner::new(self.key.as_ref());
        let mut first = 0;
        for (index, (frame, cti)) in block.frames().zip(names).enumerate() {
            let unique = self.unique(block.number(index), *cti);
            let added = content(frame).and_then(|record| Ok(batch.add(record, statement, unique)?));
            if let Err(why) = added {
                self.close(&mut batch, first, output)?;
                return Err(UnsignedRecord { index, why });
            }
            if batch.len() >= most || batch.is_full() {
                self.close(&mut batch, first, output)?;
                first = index.saturating_add(1);
            }
        }
        self.close(&mut batch, first, output)
    }

    /// Signs a batch, whose first record has the index `first`.
    fn close(
        &self,
        batch: &mut BatchSigner<'_>,
        first: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), UnsignedRecord> {
        let at = |index: usize, why| UnsignedRecord { index, why };
        let signed = batch.finish_batch().map_err(|error| at(first, error.into()))?;
        for (index, envelope) in (first..).zip(signed.iter()) {
            self.write(envelope, output).map_err(|why| at(index, why))?;
        }
        Ok(())
    }

    fn write(&self, envelope: &[u8], output: &mut Vec<u8>) -> Result<(), RecordError> {
        Ok(self.framing.write_envelope(output, envelope)?)
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
#[derive(Debug)]
#[must_use]
pub struct SignedBlock {
    /// The envelopes of the records before the one that failed, framed.
    pub envelopes: Vec<u8>,
    /// The record that could not be signed, if there is one. No record after it was signed.
    pub failed: Option<UnsignedRecord>,
}

/// A record that could not be signed.
#[derive(Debug)]
pub struct UnsignedRecord {
    /// The index of the record in its block.
    pub index: usize,
    /// The reason.
    pub why: RecordError,
}

/// Signs all records of a source on so many threads, and passes framed envelopes to `write`, in order.
///
/// The envelopes of a block are passed together. The records of a source that leases them are acknowledged
/// when `write` has returned, so their envelopes **must** be durable then.
///
/// # Errors
///
/// - [`PipelineError::Record`] for the first record that cannot be signed. All envelopes before it were
///   passed on.
/// - [`PipelineError::Source`], [`PipelineError::Sink`], [`PipelineError::Thread`],
///   [`PipelineError::WorkerLost`].
pub fn sign_records<S, E>(
    signer: RecordSigner,
    mut source: S,
    threads: usize,
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), PipelineError<S::Error, E, Infallible>>
where
    S: Source + Send + 'static,
    S::Deliveries: Send + 'static,
    S::Error: Send + 'static,
{
    let signer = Arc::new(signer);
    let sign_block = move |delivered: DeliveredBlock<S::Deliveries>| {
        let signed = signer.sign(&delivered.block);
        (delivered, signed)
    };
    let pass_on = |(delivered, signed): (DeliveredBlock<S::Deliveries>, SignedBlock)| {
        let DeliveredBlock { block, mut deliveries } = delivered;
        let SignedBlock { envelopes, failed } = signed;
        let signed = failed.as_ref().map_or(block.len(), |failed| failed.index);
        if signed > 0 {
            write(&envelopes).map_err(PipelineError::Sink)?;
        }
        if signed > 0 && deliveries.are_leased() {
            deliveries.acknowledge(0..signed).map_err(PipelineError::Source)?;
        }
        let failed = failed.map(|failed| (block.number(failed.index), failed.why));
        deliveries.finish(block);
        failed.map_or(Ok(()), |(number, why)| Err(PipelineError::Record { number, why }))
    };
    let weigh = |delivered: &DeliveredBlock<S::Deliveries>| delivered.block.weight();
    let next = move || source.next_block();
    in_order(threads, weigh, next, sign_block, pass_on).map_err(PipelineError::from)
}

fn content(frame: RecordFrame<'_>) -> Result<&[u8], RecordError> {
    match frame {
        RecordFrame::Record(record) => Ok(record),
        RecordFrame::Bad { error, .. } => Err(error.into()),
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
