//! `brine sign`, record by record.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use brine_core::Algorithm;
use brine_core::text::hex;
use brine_records::{
    FrameReader, FrameSide, FrameSource, Framing, PipelineError, RecordSigner, SigningPipeline,
};

use super::reject_file::RejectFile;
use super::stated::Stated;
use crate::args::sign::Sign;
use crate::report::{Failure, Outcome, SignedInput, SignedRecords, console};
use crate::world::clock::Moment;
use crate::world::end_signals::{EndSignals, EndableInput};
use crate::world::input::InputFile;
use crate::world::key_place::SharedSigner;
use crate::world::output::Output;
use crate::world::record_output::{Payloads, RecordOutput};
use crate::world::threads;

/// Signs each record of the input, and writes the envelopes in the same order.
///
/// A signal that asks to end ends the input: what was read before is signed and written first.
pub(super) fn sign_records(
    args: &Sign,
    key: SharedSigner,
    stated: Stated,
    (framing, framed): (Framing, Framing),
    input: InputFile,
    (output, rejects): (&Output, Option<RejectFile>),
    signed: SignedInput,
) -> Result<Outcome, Failure> {
    let mut facts = stated.facts();
    let state = move |now| stated.at_called_back(now);
    let mut signer = RecordSigner::stating(key, state, Arc::new(Moment::System), framed)?;
    if let Some(records) = args.batch.batch {
        signer = signer.in_batches_of(usize::from(records));
        facts.algorithm = Algorithm::Batch.id();
    }
    let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
    let channel = hex(&signer.channel());
    let waited_for = input.waited_for()?;
    let (source, name) = record_source(input, framing, &signer, &signals);
    let source = match args.batch.batch {
        None => source,
        Some(_) => lingering(source, args.batch.linger, waited_for, &signals),
    };
    let mut records = RecordOutput::open(output, Payloads::Framed(framed), false)?;
    let run = SigningPipeline::new(signer)
        .on_bad(args.refusals.on_bad())
        .threads(threads(args.threads))
        .rejects(rejects)
        .run(source, |envelopes, lengths| records.write_all(envelopes, lengths.iter().copied()));
    if run.counts.refused > 0 {
        console::note(&run.counts.to_string());
    }
    let failure = match run.end {
        Ok(()) => records.finish().err(),
        Err(error) => {
            if matches!(error, PipelineError::Source(_)) && signals.have_arrived() {
                // Each record is whole, and says nothing of how many there are.
                records.finish()?;
                signals.end_process();
            }
            Some(Failure::of_pipeline(error, &name))
        }
    };
    let records = Some(SignedRecords { channel, counts: run.counts });
    let signed = SignedInput { facts, records, ..signed };
    Ok(Outcome::Signed { signed: Box::new(signed), failure })
}

/// Returns the records of the input, and what to call it.
pub(super) fn record_source(
    input: InputFile,
    framing: Framing,
    signer: &RecordSigner,
    signals: &EndSignals,
) -> (FrameSource<EndableInput>, String) {
    let (file, name) = input.into_file();
    let input = EndableInput { file, signals: signals.clone() };
    let reader = FrameReader::new(input, framing, FrameSide::Content);
    (FrameSource::new(reader).with_bounds(signer.bounds()), name)
}

/// Lets the first record of a batch wait for others.
pub(super) fn lingering<R: Read>(
    source: FrameSource<R>,
    linger: Option<Duration>,
    waited_for: File,
    signals: &EndSignals,
) -> FrameSource<R> {
    let signals = signals.clone();
    let wait = move |most| signals.is_ready_within(&waited_for, Some(most));
    source.with_linger(linger.unwrap_or(LINGER), wait)
}

/// How long the first record of a batch waits for others, by default.
const LINGER: Duration = Duration::from_millis(5);
