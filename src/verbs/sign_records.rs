//! `brine sign`, record by record.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use brine_core::{SigningKey, Statement, Timestamp};
use brine_records::{FrameReader, FrameSide, FrameSource, Framing, RecordSigner};

use crate::args::sign::Sign;
use crate::report::Failure;
use crate::world::clock::Moment;
use crate::world::input::{InputFile, grow_pipe};
use crate::world::output::Output;
use crate::world::whole_file::Access;
use crate::world::{is_ready_within, threads};

/// Signs each record of the input, and writes the envelopes in the same order.
pub(super) fn sign_records(
    args: &Sign,
    key: SigningKey,
    statement: impl Fn(Timestamp) -> Statement + Send + Sync + 'static,
    (framing, framed): (Framing, Framing),
    input: InputFile,
    output: &Output,
) -> Result<(), Failure> {
    let mut signer = RecordSigner::new(Arc::new(key), statement, Arc::new(Moment::System), framed)?;
    if let Some(records) = args.batch.batch {
        signer = signer.in_batches_of(usize::from(records));
    }
    let (source, name) = source(args, &signer, framing, input)?;
    let opened = output.open(Access::Ordinary)?;
    grow_pipe(opened.file());
    let write =
        |envelopes: &[u8]| opened.file().write_all(envelopes).map_err(|error| output.failed(error));
    let signed = brine_records::sign_records(signer, source, threads(args.threads), write);
    signed.map_err(|error| Failure::of_pipeline(error, &name))?;
    output.finish(opened)
}

/// Returns the records of the input, and what to call it.
fn source(
    args: &Sign,
    signer: &RecordSigner,
    framing: Framing,
    input: InputFile,
) -> Result<(FrameSource<File>, String), Failure> {
    let (file, name) = input.into_file();
    let waited_for = file.try_clone().map_err(|error| Failure::io(&name, error))?;
    let reader = FrameReader::new(file, framing, FrameSide::Content);
    let source = FrameSource::new(reader).with_bounds(signer.bounds());
    Ok(match args.batch.batch {
        None => (source, name),
        Some(_) => {
            let linger = args.batch.linger.unwrap_or(LINGER);
            (source.with_linger(linger, move |most| is_ready_within(&waited_for, most)), name)
        }
    })
}

/// How long the first record of a batch waits for others, by default.
const LINGER: Duration = Duration::from_millis(5);
