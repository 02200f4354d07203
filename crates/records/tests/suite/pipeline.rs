//! Records through the pipeline, from real envelopes.

use std::convert::Infallible;
use std::io::Cursor;
use std::sync::Arc;

use brine_core::time::ClockBefore1970;
use brine_core::{
    Class, Classified as _, Clock, Expectations, KnownSigners, Signer, Statement, Timestamp,
};
use brine_records::{
    BlockBounds, FrameReadError, FrameReader, FrameSide, FrameSource, Framing, Handed,
    HandlerFailure, Hold, OnBadRecord, PipelineError, RecordCounts, RecordFrame, RecordJudge,
    RecordPipeline, RecordSigner, RejectedRecord, Rejects, ReleasedRun, Sink, WriteFailure,
    sign_records,
};

use crate::common::{key, now, signed, statement, verified};

const FRAMINGS: [Framing; 4] = [Framing::Lines, Framing::Null, Framing::Len32, Framing::Cbor];

/// Payloads that every framing can hold, of many sizes.
fn payloads(count: usize) -> Vec<Vec<u8>> {
    let payload = |number: usize| {
        let text = format!("{number}{}", "x".repeat(number * 37 % 500));
        let head = [0x79, 0, 0]; // text with a length of two bytes
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        match text.len() {
            ..24 => [&[0x60 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat(),
            24..256 => [&[0x78, length[1]], text.as_bytes()].concat(),
            _ => [&[head[0], length[0], length[1]], text.as_bytes()].concat(),
        }
    };
    let fits = |payload: &Vec<u8>| !payload.contains(&b'\n') && !payload.contains(&0);
    (0..count).map(payload).filter(fits).collect()
}

fn framed(framing: Framing, payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut output = Vec::new();
    payloads.iter().for_each(|payload| framing.write_content(&mut output, payload).unwrap());
    output
}

fn enveloped(framing: Framing, envelopes: &[Vec<u8>]) -> Vec<u8> {
    let mut output = Vec::new();
    envelopes.iter().for_each(|envelope| framing.write_envelope(&mut output, envelope).unwrap());
    output
}

fn source(framing: Framing, side: FrameSide, input: &[u8]) -> FrameSource<Cursor<Vec<u8>>> {
    FrameSource::new(FrameReader::new(Cursor::new(input.to_vec()), framing, side))
}

fn signer(framing: Framing) -> RecordSigner {
    RecordSigner::new(Arc::new(key(1)), Statement::at, Arc::new(now()), framing).unwrap()
}

fn sign_all(signer: RecordSigner, framing: Framing, input: &[u8], threads: usize) -> Vec<u8> {
    let mut output = Vec::new();
    let source = source(framing, FrameSide::Content, input).with_bounds(signer.bounds());
    let done = sign_records(signer, source, threads, |envelopes| {
        output.extend_from_slice(envelopes);
        Ok::<_, Infallible>(())
    });
    done.unwrap();
    output
}

/// Trusts the first key alone.
fn judge(framing: Framing) -> RecordJudge {
    judge_at(framing, now())
}

fn judge_at(framing: Framing, clock: impl Clock + 'static) -> RecordJudge {
    judge_by(Expectations::new(), framing, clock)
}

fn judge_by(
    expectations: Expectations,
    framing: Framing,
    clock: impl Clock + 'static,
) -> RecordJudge {
    let trust = KnownSigners::new([Signer::new("k", key(1).verifying_key().clone())]);
    RecordJudge::new(expectations, Arc::new(trust), Arc::new(clock), framing)
}

/// The reasons for refusing records, and how often.
fn reasons(counts: &RecordCounts) -> Vec<(&'static str, u64)> {
    counts.reasons.iter().map(|(reason, count)| (*reason, *count)).collect()
}

/// Keeps refused records in memory.
#[derive(Default)]
struct KeptRecords(Vec<(u64, &'static str, Vec<u8>)>);

impl Rejects for KeptRecords {
    type Error = Infallible;

    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), Infallible> {
        for RejectedRecord { number, at, why, frame } in rejected {
            assert_eq!(*at, now());
            let (RecordFrame::Record(bytes) | RecordFrame::Bad { kept: bytes, .. }) = *frame;
            self.0.push((*number, why.reason(), bytes.to_vec()));
        }
        Ok(())
    }
}

#[test]
fn records_come_back_in_order_from_every_framing_into_every_other() {
    let payloads = payloads(1200);
    for (index, from) in FRAMINGS.into_iter().enumerate() {
        for (batch, threads) in
            [(None, 1), (None, 4), (Some(1), 1), (Some(100), 4), (Some(1200), 2)]
        {
            let to = FRAMINGS[(index + threads) % 4];
            let signer = signer(to);
            let signer = match batch {
                Some(records) => signer.in_batches_of(records),
                None => signer,
            };
            let signed = sign_all(signer, from, &framed(from, &payloads), threads);
            let mut released = Vec::new();
            let pipeline = RecordPipeline::new(judge(from), &mut released).threads(threads);
            let run = pipeline.run(source(to, FrameSide::Envelope, &signed));
            run.end.unwrap();
            assert_eq!(run.counts.verified, u64::try_from(payloads.len()).unwrap());
            assert!(released == framed(from, &payloads), "{from} {to} {batch:?}");
        }
    }
}

/// Records that each break one rule, between good ones.
fn mixed() -> (Vec<Vec<u8>>, [&'static str; 4]) {
    let good = signed(&statement(), 1);
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    let stranger = signed(&statement(), 2);
    let other_context = signed(&statement().context("other"), 1);
    let garbage = b"no envelope".to_vec();
    let records = [&good, &altered, &good, &stranger, &other_context, &garbage, &good];
    let reasons = ["signature-bad", "unknown-signer", "context-unexpected", "not-an-envelope"];
    (records.map(Clone::clone).to_vec(), reasons)
}

#[test]
fn bad_records_are_refused_alone_and_kept_whole() {
    let (records, expected) = mixed();
    for (framing, threads) in FRAMINGS.into_iter().flat_map(|framing| [(framing, 1), (framing, 3)])
    {
        // What is no CBOR at all ends a CBOR sequence.
        let records = if framing == Framing::Cbor { &records[..5] } else { &records[..] };
        let expected = if framing == Framing::Cbor { &expected[..3] } else { &expected[..] };
        let input = source(framing, FrameSide::Envelope, &enveloped(framing, records));
        let (mut released, mut kept) = (Vec::new(), KeptRecords::default());
        let pipeline = RecordPipeline::new(judge(Framing::Lines), &mut released)
            .rejects(&mut kept)
            .on_bad(OnBadRecord::Skip)
            .threads(threads);
        let run = pipeline.run(input.with_bounds(BlockBounds { records: 2, bytes: 1 << 20 }));
        run.end.unwrap();
        let good = records.len() - expected.len();
        assert_eq!(released, b"payload\n".repeat(good));
        let counts = (run.counts.verified, run.counts.refused, run.counts.kept);
        let [good, bad] = [good, expected.len()].map(|count| u64::try_from(count).unwrap());
        assert_eq!(counts, (good, bad, bad));
        let told: Vec<_> = kept.0.iter().map(|(_, reason, _)| *reason).collect();
        assert_eq!(told, expected);
        for (number, _, bytes) in &kept.0 {
            assert_eq!(bytes, &records[usize::try_from(*number).unwrap() - 1]);
        }
    }
}

#[test]
fn the_first_bad_record_is_the_end_and_nothing_after_it_is_released() {
    let (records, expected) = mixed();
    for threads in [1, 4] {
        for (start, reason) in [(1, expected[0]), (3, expected[1]), (4, expected[2])] {
            let input = [&records[..1], &records[start..]].concat();
            let input =
                source(Framing::Lines, FrameSide::Envelope, &enveloped(Framing::Lines, &input));
            let mut released = Vec::new();
            let pipeline =
                RecordPipeline::new(judge(Framing::Lines), &mut released).threads(threads);
            let run = pipeline.run(input.with_bounds(BlockBounds { records: 3, bytes: 1 << 20 }));
            let Err(PipelineError::Record { number, why }) = run.end else { panic!("{run:?}") };
            assert_eq!((number, why.reason()), (2, reason));
            assert_eq!(released, b"payload\n");
            assert_eq!(reasons(&run.counts), [(reason, 1)]);
            assert_eq!((run.counts.verified, run.counts.kept), (1, 0));
        }
    }
}

#[test]
fn a_payload_that_does_not_fit_the_framing_is_refused_alone() {
    let payloads = [b"one".to_vec(), b"two\nlines".to_vec(), b"three".to_vec()];
    let input = framed(Framing::Len32, &payloads);
    let signed = sign_all(signer(Framing::Len32), Framing::Len32, &input, 1);
    let mut released = Vec::new();
    let pipeline = RecordPipeline::new(judge(Framing::Lines), &mut released);
    let run = pipeline.on_bad(OnBadRecord::Skip).run(source(
        Framing::Len32,
        FrameSide::Envelope,
        &signed,
    ));
    run.end.unwrap();
    assert_eq!(released, b"one\nthree\n");
    assert_eq!(reasons(&run.counts), [("unframeable", 1)]);
}

#[test]
fn what_is_cut_ends_the_work_after_what_came_before() {
    let whole = enveloped(Framing::Len32, &[signed(&statement(), 1), signed(&statement(), 1)]);
    for threads in [1, 3] {
        for cut in [whole.len() - 1, whole.len() / 2 + 2] {
            let mut released = Vec::new();
            let pipeline =
                RecordPipeline::new(judge(Framing::Len32), &mut released).threads(threads);
            let run = pipeline.run(source(Framing::Len32, FrameSide::Envelope, &whole[..cut]));
            let Err(PipelineError::Source(FrameReadError::Framing(error))) = run.end else {
                panic!("{run:?}");
            };
            assert_eq!(error.reason(), "record-cut");
            assert_eq!((run.counts.verified, &released[..]), (1, &b"\0\0\0\x07payload"[..]));
        }
    }
}

/// The clock is read for each block, and records are held to what it says then.
#[test]
fn each_block_is_judged_at_its_own_time() {
    struct BrokenClock;
    impl Clock for BrokenClock {
        fn now(&self) -> Result<Timestamp, ClockBefore1970> {
            Err(ClockBefore1970)
        }
    }
    let envelopes = [signed(&statement().expires(now()), 1)];
    let input =
        || source(Framing::Lines, FrameSide::Envelope, &enveloped(Framing::Lines, &envelopes));
    let later = Timestamp::from_unix(now().unix() + 60).unwrap();
    for (at, expected) in [(now(), None), (later, Some("expired"))] {
        let run = RecordPipeline::new(judge_at(Framing::Lines, at), Vec::new()).run(input());
        assert_eq!(run.end.err().map(|error| error.to_string()).is_some(), expected.is_some());
        assert_eq!(reasons(&run.counts).first().map(|(reason, _)| *reason), expected);
    }
    let run = RecordPipeline::new(judge_at(Framing::Lines, BrokenClock), Vec::new()).run(input());
    assert!(matches!(run.end, Err(PipelineError::Clock(_))), "{run:?}");
}

/// A sink that fails, or refuses, takes nothing more.
struct Picky {
    released: Vec<u8>,
    takes: usize,
    refuses: bool,
}

impl Sink for Picky {
    type Error = &'static str;

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<&'static str>> {
        assert!(!hold.is_relied_on());
        if self.takes == 0 {
            let failure = HandlerFailure::new(Class::Unsupported, "too-odd", "not this one");
            // A pipe cannot deliver a record again.
            return if self.refuses { Ok(Handed::Retry(failure)) } else { Err("full".into()) };
        }
        self.takes -= 1;
        for record in run.records() {
            let payload = verified(record.envelope.to_vec()).into_bytes().unwrap();
            assert_eq!(record.payload, [&payload, &b"\n"[..]].concat());
            self.released.extend_from_slice(record.payload);
        }
        Ok(Handed::Done)
    }
}

#[test]
fn nothing_reaches_a_sink_that_has_failed() {
    let envelopes = vec![signed(&statement(), 1); 5];
    let input = enveloped(Framing::Lines, &envelopes);
    for (threads, refuses) in [(1, false), (4, false), (1, true), (4, true)] {
        let mut sink = Picky { released: Vec::new(), takes: 2, refuses };
        let source = source(Framing::Lines, FrameSide::Envelope, &input);
        let source = source.with_bounds(BlockBounds { records: 1, bytes: 1 });
        let pipeline = RecordPipeline::new(judge(Framing::Lines), &mut sink).threads(threads);
        let run = pipeline.run(source);
        match run.end.unwrap_err() {
            PipelineError::Sink(error) => assert_eq!((error, refuses), ("full", false)),
            PipelineError::Record { number, why } => {
                assert_eq!((number, why.reason(), refuses), (3, "too-odd", true));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(run.counts.verified, 2);
        assert_eq!(sink.released, b"payload\npayload\n");
    }
}

#[cfg(feature = "replay")]
mod once {
    use std::time::Duration;

    use brine_records::OnRepeated;
    use brine_records::replay::{DatabaseBirth, ReplayDatabase, ReplayOptions};
    use tempfile::TempDir;

    use super::*;

    fn database(directory: &TempDir) -> ReplayDatabase {
        let options = ReplayOptions {
            birth: DatabaseBirth::AcceptOlder,
            busy_timeout: Duration::from_secs(1),
            ..ReplayOptions::default()
        };
        ReplayDatabase::open(&directory.path().join("replay"), &options, now()).unwrap()
    }

    fn thousand() -> Vec<u8> {
        let lines: String = (0..1000).map(|number| format!("{number}\n")).collect();
        sign_all(signer(Framing::Lines).in_batches_of(50), Framing::Lines, lines.as_bytes(), 2)
    }

    #[test]
    fn each_record_is_released_once() {
        let directory = TempDir::new().unwrap();
        let signed = thousand();
        let twice = [&signed[..], &signed].concat();
        let mut released = Vec::new();
        let pipeline = RecordPipeline::new(judge(Framing::Lines), &mut released)
            .ledger(Some(database(&directory)))
            .on_bad(OnBadRecord::Skip)
            .threads(2);
        let run = pipeline.run(source(Framing::Lines, FrameSide::Envelope, &twice));
        run.end.unwrap();
        assert_eq!((run.counts.verified, reasons(&run.counts)), (1000, vec![("replayed", 1000)]));
        assert_eq!(released.split(|byte| *byte == b'\n').count(), 1001);
        assert_eq!(run.counts.missing.records, 0);
        // Nor by a pipeline that comes later, which drops what it has seen.
        let mut again = Vec::new();
        let pipeline = RecordPipeline::new(judge(Framing::Lines), &mut again)
            .ledger(database(&directory))
            .on_repeated(OnRepeated::Drop);
        let run = pipeline.run(source(Framing::Lines, FrameSide::Envelope, &signed));
        run.end.unwrap();
        assert_eq!((run.counts.repeated, run.counts.refused, again.len()), (1000, 0, 0));
    }

    #[test]
    fn missing_records_are_counted() {
        let directory = TempDir::new().unwrap();
        let signed = thousand();
        let lines: Vec<_> = signed.split_inclusive(|byte| *byte == b'\n').collect();
        let some = [&lines[5..10], &lines[20..30]].concat().concat();
        let pipeline = RecordPipeline::new(judge(Framing::Lines), Vec::new());
        let run = pipeline.ledger(database(&directory)).run(source(
            Framing::Lines,
            FrameSide::Envelope,
            &some,
        ));
        run.end.unwrap();
        assert_eq!((run.counts.missing.records, run.counts.missing.channels), (15, 1));
    }

    #[test]
    fn a_record_without_an_identity_is_refused() {
        let directory = TempDir::new().unwrap();
        let envelopes = [signed(&Statement::plain(), 1), signed(&statement(), 1)];
        let judge = judge_by(Expectations::new().untyped(), Framing::Lines, now());
        let pipeline = RecordPipeline::new(judge, Vec::new());
        let input = enveloped(Framing::Lines, &envelopes);
        let run = pipeline.ledger(database(&directory)).on_bad(OnBadRecord::Skip).run(source(
            Framing::Lines,
            FrameSide::Envelope,
            &input,
        ));
        run.end.unwrap();
        let expected = [("replay-expiry-missing", 1), ("replay-identity-missing", 1)];
        assert_eq!(reasons(&run.counts), expected);
    }

    /// Several pipelines at once, each with the same records in another order.
    #[test]
    fn pipelines_that_share_a_database_release_each_record_once() {
        let directory = TempDir::new().unwrap();
        drop(database(&directory));
        let signed = thousand();
        let lines: Vec<Vec<u8>> =
            signed.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let one = |turn: usize| {
            let mut lines = lines.clone();
            lines.rotate_left(turn * 300);
            let mut released = Vec::new();
            let pipeline = RecordPipeline::new(judge(Framing::Lines), &mut released)
                .ledger(database(&directory))
                .on_bad(OnBadRecord::Skip)
                .threads(2);
            let source = source(Framing::Lines, FrameSide::Envelope, &lines.concat());
            let run = pipeline.run(source.with_bounds(BlockBounds { records: 64, bytes: 1 << 20 }));
            run.end.unwrap();
            released
        };
        let all: Vec<u8> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|turn| scope.spawn(move || one(turn))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let mut numbers: Vec<u32> =
            String::from_utf8(all).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..1000));
    }
}
