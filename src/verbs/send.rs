//! `brine send`.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brine_core::text::hex;
use brine_core::{Algorithm, SigningBackend};
use brine_job::Grants;
use brine_queue::{AnyQueue, Queue as _};
use brine_records::{
    FrameReader, FrameSide, FrameSource, Framing, PipelineError, RecordSigner, SigningPipeline,
    WriteFailure,
};

use super::sign_records::{lingering, record_source};
use super::signed_job::SignedJob;
use super::stated::Stated;
use crate::args::queue::SendArgs;
use crate::report::{Failure, Outcome, SignatureFacts, SignedInput, SignedRecords};
use crate::world::clock::Moment;
use crate::world::end_signals::EndSignals;
use crate::world::input::InputFile;
use crate::world::key_place::{self, SharedSigner};
use crate::world::passphrase::Source;
use crate::world::{queue, threads};

/// How envelopes follow one another between the signer and the queue: each as it is.
const ENVELOPES: Framing = Framing::Cbor;

pub(super) fn run(args: &SendArgs) -> Result<Outcome, Failure> {
    let path = args.input.as_deref().unwrap_or(Path::new("-"));
    super::sign::refuse_missing(path)?;
    let passphrases = Source::find(&args.passphrase);
    let key = key_place::open_named(&args.key, &passphrases, args.permissions)?;
    let stated = Stated::on_queue(&args.statement, &args.url)?;
    // Its ledger takes what is signed from now on.
    let queue = queue::open(&args.url, queue::made())?;
    let input = InputFile::open(Some(path))?;
    let signed = signed_input(args, key.as_ref(), path);
    if args.job.job || !args.job.grants.is_empty() {
        return publish_job(args, key.as_ref(), &stated, input, queue, signed);
    }
    publish(args, key, stated, input, queue, signed)
}

fn signed_input(args: &SendArgs, key: &dyn SigningBackend, file: &Path) -> SignedInput {
    SignedInput {
        file: file.to_owned(),
        output: PathBuf::from(args.url.to_string()),
        key: args.key.clone(),
        key_id: key.verifying_key().id(),
        detached: false,
        facts: SignatureFacts::default(),
        records: None,
    }
}

/// Signs the input as a job, and publishes it.
fn publish_job(
    args: &SendArgs,
    key: &dyn SigningBackend,
    stated: &Stated,
    input: InputFile,
    mut queue: AnyQueue,
    signed: SignedInput,
) -> Result<Outcome, Failure> {
    let grants = Grants::collect(args.job.grants.iter().cloned());
    let grants = grants.map_err(|error| Failure::usage(error.to_string()))?;
    let SignedJob { envelope, facts } = SignedJob::of(input, &grants, stated, None, key)?;
    queue::patiently(|| queue.publish(&[&envelope]))?;
    Ok(Outcome::signed(SignedInput { facts, ..signed }))
}

/// Signs the messages of the input, and publishes them in the same order.
///
/// A signal that asks to end ends the input: what was read before is signed and published first.
fn publish(
    args: &SendArgs,
    key: SharedSigner,
    stated: Stated,
    input: InputFile,
    mut queue: AnyQueue,
    signed: SignedInput,
) -> Result<Outcome, Failure> {
    let mut facts = stated.facts();
    let state = move |now| stated.at_called_back(now);
    let clock = Arc::new(Moment::System);
    let mut signer = RecordSigner::stating(key, state, clock, ENVELOPES)?;
    if let Some(records) = args.batch.batch {
        signer = signer.in_batches_of(usize::from(records));
        facts.algorithm = Algorithm::Batch.id();
    }
    let channel = hex(&signer.channel());
    let publish = |envelopes: &[u8], lengths: &[usize]| {
        let messages = each(envelopes, lengths);
        queue::patiently(|| queue.publish(&messages)).map_err(Failure::from)?;
        Ok::<_, WriteFailure<Failure>>(())
    };
    let pipeline = |signer| SigningPipeline::new(signer).threads(threads(None));
    let (run, name, signals) = match args.framing.name() {
        None => {
            let (source, name) = whole(input)?;
            (pipeline(signer).run(source, publish), name, None)
        }
        Some(framing) => {
            let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
            let waited_for = input.waited_for()?;
            let (source, name) = record_source(input, framing.into(), &signer, &signals);
            let source = match args.batch.batch {
                None => source,
                Some(_) => lingering(source, args.batch.linger, waited_for, &signals),
            };
            (pipeline(signer).run(source, publish), name, Some(signals))
        }
    };
    let failure = match (run.end, signals) {
        (Ok(()), _) => None,
        (Err(PipelineError::Source(_)), Some(signals)) if signals.have_arrived() => {
            signals.end_process();
            None
        }
        (Err(error), _) => Some(Failure::of_pipeline(error, &name)),
    };
    let records = Some(SignedRecords { channel, counts: run.counts });
    let signed = SignedInput { facts, records, ..signed };
    Ok(Outcome::Signed { signed: Box::new(signed), failure })
}

/// Returns each of these envelopes.
pub(super) fn each<'a>(mut envelopes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let split = |length: &usize| {
        let (one, rest) = envelopes.split_at_checked(*length)?;
        envelopes = rest;
        Some(one)
    };
    lengths.iter().map_while(split).collect()
}

/// Reads all of an input as one record. One that is too long is refused as a record is.
fn whole(input: InputFile) -> Result<(FrameSource<impl Read + Send>, String), Failure> {
    let name = input.name().to_owned();
    let content = queue::read_message(input)?;
    let mut record = Vec::new();
    let framed = Framing::Len32.write_content(&mut record, &content);
    framed.map_err(|source| Failure::Framing { name: name.clone(), source })?;
    let reader = FrameReader::new(Cursor::new(record), Framing::Len32, FrameSide::Content);
    Ok((FrameSource::new(reader), name))
}
