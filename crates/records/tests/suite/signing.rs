//! What cannot be signed is refused alone, kept, and counted.

use std::convert::Infallible;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use brine_core::{Classified as _, Statement};
use brine_records::{
    BlockBounds, FrameReadError, FrameReader, FrameSide, FrameSource, Framing, MAX_RECORD_BYTES,
    OnBadRecord, PipelineError, RecordFrame, RecordSigner, RejectedRecord, Rejects, SigningCounts,
    SigningPipeline, SigningRun, WriteFailure,
};

use crate::common::{key, now, verified};

/// Keeps numbers, reasons and the beginnings of records.
#[derive(Default)]
struct Kept(Vec<(u64, &'static str, Vec<u8>)>);

impl Rejects for Kept {
    type Error = Infallible;

    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), Infallible> {
        self.0.extend(rejected.iter().map(|one| {
            let (RecordFrame::Bad { kept: bytes, .. } | RecordFrame::Record(bytes)) = one.frame;
            (one.number, one.why.reason(), bytes[..bytes.len().min(4)].to_vec())
        }));
        Ok(())
    }
}

fn signer(batch: Option<usize>) -> RecordSigner {
    let signer =
        RecordSigner::new(Arc::new(key(1)), Statement::at, Arc::new(now()), Framing::Len32);
    let signer = signer.unwrap();
    match batch {
        None => signer,
        Some(records) => signer.in_batches_of(records),
    }
}

/// Blocks of three lines, of which those over nine bytes are too large.
fn source(input: impl Read) -> FrameSource<impl Read> {
    let reader = FrameReader::new(input, Framing::Lines, FrameSide::Content).with_longest(9);
    FrameSource::new(reader).with_bounds(BlockBounds { records: 3, bytes: 1 << 20 })
}

/// The payloads, each with its number in the channel.
fn payloads(output: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut reader = FrameReader::new(output, Framing::Len32, FrameSide::Envelope);
    let mut payloads = Vec::new();
    while let Some(block) = reader.next_block(BlockBounds::default()).unwrap() {
        payloads.extend(block.frames().map(|frame| {
            let RecordFrame::Record(envelope) = frame else { panic!("{frame:?}") };
            let verified = verified(envelope.to_vec());
            (verified.header().sequence().unwrap().seq, verified.into_bytes().unwrap())
        }));
    }
    payloads
}

type Ended = PipelineError<FrameReadError, &'static str, Infallible>;

/// Signs, and returns what was written and kept.
fn sign(
    signer: RecordSigner,
    source: FrameSource<impl Read + Send + 'static>,
    (threads, on_bad): (usize, OnBadRecord),
) -> (SigningRun<Ended>, Vec<u8>, Kept) {
    let (mut output, mut kept) = (Vec::new(), Kept::default());
    let pipeline = SigningPipeline::new(signer).threads(threads).on_bad(on_bad);
    let run = pipeline.rejects(&mut kept).run(source, |envelopes, lengths| {
        assert_eq!(lengths.iter().sum::<usize>(), envelopes.len());
        output.extend_from_slice(envelopes);
        Ok(())
    });
    (run, output, kept)
}

const LINES: &[u8] =
    b"one\ntoo long a line\nthree\nfour\nfive\nanother long line\nseven\nlast and too long";

#[test]
fn a_record_that_is_too_long_is_refused_alone() {
    for batch in [None, Some(2), Some(64)] {
        for threads in [1, 3] {
            let (run, output, kept) =
                sign(signer(batch), source(Cursor::new(LINES)), (threads, OnBadRecord::Skip));
            run.end.unwrap();
            // They keep their numbers: a verifier tells of what is missing.
            let expected: Vec<(u64, Vec<u8>)> =
                [(0, "one"), (2, "three"), (3, "four"), (4, "five"), (6, "seven")]
                    .map(|(seq, text)| (seq, text.into()))
                    .into();
            assert_eq!(payloads(&output), expected);
            let SigningCounts { signed, refused, kept: count, ref reasons, .. } = run.counts;
            assert_eq!((signed, refused, count, reasons["too-large"]), (5, 3, 3, 3));
            let expected = [(2, b"too "), (6, b"anot"), (8, b"last")];
            let expected = expected.map(|(number, text)| (number, "too-large", text.to_vec()));
            assert_eq!(kept.0, expected);
        }
    }
}

#[test]
fn the_first_refused_record_ends_the_work_if_that_is_asked_for() {
    for (batch, threads) in [(None, 1), (Some(64), 1), (None, 3), (Some(2), 3)] {
        let (run, output, kept) =
            sign(signer(batch), source(Cursor::new(LINES)), (threads, OnBadRecord::Stop));
        match run.end {
            Err(PipelineError::Record { number: 2, why }) => assert_eq!(why.reason(), "too-large"),
            other => panic!("{other:?}"),
        }
        assert_eq!(payloads(&output), [(0, b"one".to_vec())]);
        assert_eq!((run.counts.signed, run.counts.refused, kept.0.len()), (1, 1, 1));
    }
}

/// The record is as long as one may be, and its envelope is longer.
#[test]
fn a_record_whose_envelope_is_too_long_is_refused_alone() {
    let mut input = b"one\n".to_vec();
    input.resize(4 + MAX_RECORD_BYTES, b'x');
    input.extend(b"\nthree\n");
    for batch in [None, Some(8)] {
        let reader =
            FrameReader::new(Cursor::new(input.clone()), Framing::Lines, FrameSide::Content);
        let (run, output, kept) =
            sign(signer(batch), FrameSource::new(reader), (1, OnBadRecord::Skip));
        run.end.unwrap();
        assert_eq!(payloads(&output), [(0, b"one".to_vec()), (2, b"three".to_vec())]);
        assert_eq!(kept.0, [(2, "too-large", b"xxxx".to_vec())]);
    }
}

#[test]
fn what_was_written_before_an_output_failed_is_counted() {
    for written in 0..4_usize {
        let input = Cursor::new(&b"1\n2\n3\n4\n5\n6\n"[..]);
        let run: SigningRun<PipelineError<_, &str, Infallible>> =
            SigningPipeline::new(signer(None))
                .run(source(input), |_, _| Err(WriteFailure { records: written, error: "full" }));
        assert!(matches!(run.end, Err(PipelineError::Sink("full"))), "{run:?}");
        assert_eq!(run.counts.signed, u64::try_from(written).unwrap());
    }
}

/// Gives some records, and then fails.
struct Failing(Cursor<&'static [u8]>);

impl Read for Failing {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.0.read(room)? {
            0 => Err(io::Error::other("gone")),
            read => Ok(read),
        }
    }
}

/// Records that wait for others are signed when the input fails, and half a record is not.
#[test]
fn records_that_were_read_before_the_input_failed_are_signed() {
    for linger in [None, Some(Duration::from_secs(3600))] {
        let mut source = source(Failing(Cursor::new(b"one\ntwo\nhal")));
        if let Some(most) = linger {
            source = source.with_linger(most, |_| true);
        }
        let (run, output, _) = sign(signer(Some(64)), source, (1, OnBadRecord::Stop));
        assert!(matches!(run.end, Err(PipelineError::Source(FrameReadError::Input(_)))));
        assert_eq!(payloads(&output), [(0, b"one".to_vec()), (1, b"two".to_vec())]);
    }
}
