//! `brine sign`, record by record.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::blocks::Blocks;
use super::in_order::in_order;
use crate::batch::BatchSigner;
use crate::claims::Timestamp;
use crate::cli::args::When;
use crate::cli::args::brine::Sign;
use crate::cli::clock;
use crate::cli::failure::Failure;
use crate::cli::input::{Input, grow_pipe};
use crate::cli::output::Output;
use crate::cli::threads;
use crate::cli::whole_file::Access;
use crate::cose::{Algorithm, CHANNEL_BYTES, ContentType, Sequence};
use crate::error::Error;
use crate::key::{KeyError, SigningKey};
use crate::record::{Block, Bounds, Frame, FrameReader, Framing, Side};
use crate::sign::{CTI_BYTES, Statement, Template, sign};

/// Signs each record of the input, and writes the envelopes in the same order.
pub(super) fn sign_records(
    args: &Sign,
    key: SigningKey,
    aad: Vec<u8>,
    (framing, framed): (Framing, Framing),
    input: Input,
    output: &Output,
) -> Result<(), Failure> {
    let signer = Arc::new(Signer::new(args, key, aad, framed)?);
    let bounds = signer.bounds();
    let (file, name) = input.into_file();
    let waits_for = file.try_clone().map_err(|error| Failure::io(&name, error))?;
    let reader = FrameReader::new(file, framing, Side::Content);
    let (mut blocks, give_back) = Blocks::new(reader, name, bounds);
    if signer.batch.is_some() {
        blocks = blocks.with_linger(args.batch.linger.unwrap_or(LINGER), waits_for);
    }
    let opened = output.open(Access::Ordinary)?;
    grow_pipe(opened.file());
    in_order(
        threads(args.threads),
        move || blocks.next(),
        move |block| signer.sign(block),
        |signed| write(signed, &give_back, opened.file(), output),
    )?;
    output.finish(opened)
}

fn write(
    signed: Signed,
    give_back: &Sender<Block>,
    mut file: &File,
    output: &Output,
) -> Result<(), Failure> {
    file.write_all(&signed.envelopes).map_err(|error| output.failed(error))?;
    // The input may have ended, and need no more memory.
    let _ = give_back.send(signed.block);
    match signed.failed {
        None => Ok(()),
        Some((number, failure)) => Err(Failure::in_record(number, failure)),
    }
}

/// Envelopes of a block, framed.
struct Signed {
    block: Block,
    envelopes: Vec<u8>,
    /// The record that could not be signed, if one could not; none after it was.
    failed: Option<(u64, Failure)>,
}

/// What every record is signed with.
struct Signer {
    key: SigningKey,
    algorithm: Algorithm,
    batch: Option<usize>,
    /// Drawn when the process began, so that no other ever gives its numbers again.
    channel: [u8; CHANNEL_BYTES],
    content_type: Option<String>,
    context: Option<String>,
    expires: Option<When>,
    external_aad: Vec<u8>,
    framed: Framing,
    not_before: Option<When>,
    plain: bool,
}

impl Signer {
    fn new(
        args: &Sign,
        key: SigningKey,
        external_aad: Vec<u8>,
        framed: Framing,
    ) -> Result<Self, Failure> {
        let mut channel = [0; CHANNEL_BYTES];
        getrandom::fill(&mut channel).map_err(|_| KeyError::Random)?;
        Ok(Self {
            key,
            algorithm: args.alg.into(),
            batch: args.batch.batch.map(usize::from),
            channel,
            content_type: args.content_type.clone(),
            context: args.context.clone(),
            expires: args.expires,
            external_aad,
            framed,
            not_before: args.not_before,
            plain: args.plain,
        })
    }

    /// As many records as make whole batches, and enough of them for a thread to be worth it.
    fn bounds(&self) -> Bounds {
        let whole = |batch: usize| BLOCK_RECORDS.div_euclid(batch).max(1).saturating_mul(batch);
        Bounds { records: self.batch.map_or(BLOCK_RECORDS, whole), ..Bounds::default() }
    }

    fn sign(&self, block: Block) -> Signed {
        let mut envelopes = Vec::with_capacity(block.len().saturating_mul(RECORD_BYTES));
        let failed = self.sign_into(&block, &mut envelopes).err();
        Signed { block, envelopes, failed }
    }

    fn sign_into(&self, block: &Block, out: &mut Vec<u8>) -> Result<(), (u64, Failure)> {
        let at = |index: usize| block.number(index);
        let whole = |failure: Failure| (at(0), failure);
        let now = clock::read().map_err(|error| whole(error.into()))?;
        let mut ctis = vec![0; block.len().saturating_mul(CTI_BYTES)];
        getrandom::fill(&mut ctis).map_err(|_| whole(KeyError::Random.into()))?;
        let (ctis, _) = ctis.as_chunks::<CTI_BYTES>();
        let mut batch = BatchSigner::new(&self.key);
        let mut first = 0;
        for (index, (frame, cti)) in block.frames().zip(ctis).enumerate() {
            let record = match frame {
                Frame::Record(record) => Ok(record),
                Frame::Bad { error, .. } => Err(error.into()),
            };
            let signed = record.and_then(|record| {
                let template = self.template(at(index), *cti, now);
                if self.batch.is_some() {
                    return batch.add(record, &template);
                }
                let envelope = sign(&self.key, record, &template).to_bytes();
                Ok(self.framed.write_envelope(out, &envelope)?)
            });
            if let Err(error) = signed {
                self.close(&mut batch, out).map_err(|error| (at(first), error))?;
                return Err((at(index), error.into()));
            }
            if self.batch.is_some_and(|most| batch.len() >= most) || batch.is_full() {
                self.close(&mut batch, out).map_err(|error| (at(first), error))?;
                first = index.saturating_add(1);
            }
        }
        self.close(&mut batch, out).map_err(|error| (at(first), error))
    }

    fn close(&self, batch: &mut BatchSigner<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        for envelope in batch.finish_batch().iter() {
            self.framed.write_envelope(out, envelope).map_err(Error::from)?;
        }
        Ok(())
    }

    fn template(&self, number: u64, cti: [u8; CTI_BYTES], now: Timestamp) -> Template<'_> {
        let statement = if self.plain {
            Statement::Plain
        } else {
            Statement::Full {
                context: self.context.as_deref(),
                cti,
                expires: self.expires.map(|when| when.from(now)),
                issued_at: now,
                not_before: self.not_before.map(|when| when.from(now)),
            }
        };
        // Records count from 1, and a channel from 0.
        let seq = number.saturating_sub(1);
        let sequence = (!self.plain).then_some(Sequence { channel: self.channel, seq });
        Template {
            algorithm: self.algorithm,
            content_type: self.content_type.as_deref().and_then(ContentType::parse),
            external_aad: &self.external_aad,
            sequence,
            statement,
        }
    }
}

/// How many records a thread signs or verifies at once.
const BLOCK_RECORDS: usize = 1024;

/// What an envelope of a small record takes, about.
const RECORD_BYTES: usize = 512;

/// How long the first record of a batch waits for others, if nothing else is said.
const LINGER: Duration = Duration::from_millis(5);
