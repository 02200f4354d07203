//! Records are signed in order, each once and with a number of its own.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brine_core::{
    Algorithm, Classified as _, Sequence, SigningBackend, SigningError, SigningKey, Statement,
    VerifyingKey,
};
use brine_records::{
    BlockBounds, DeadLetter, DeliveredBlock, Deliveries, FrameBlock, FrameReadError, FrameReader,
    FrameSide, FrameSource, Framing, HandlerFailure, MAX_RECORD_BYTES, PipelineError, RecordError,
    RecordFrame, RecordSigner, Source, sign_records,
};

use crate::common::{key, now, verified};

fn signer(key: impl SigningBackend + 'static, statement: fn() -> Statement) -> RecordSigner {
    let key = Arc::new(key);
    RecordSigner::new(
        key,
        move |at| {
            assert_eq!(at, now());
            statement()
        },
        Arc::new(now()),
        Framing::Len32,
    )
    .unwrap()
}

fn source(input: impl Read, records: usize) -> FrameSource<impl Read> {
    let reader = FrameReader::new(input, Framing::Lines, FrameSide::Content).with_longest(9);
    FrameSource::new(reader).with_bounds(BlockBounds { records, bytes: 1 << 20 })
}

/// The envelopes, and how the signing ended.
type Signed = (Vec<Vec<u8>>, Result<(), PipelineError<FrameReadError, Infallible, Infallible>>);

fn sign_lines(signer: RecordSigner, lines: &str, records: usize, threads: usize) -> Signed {
    let mut output = Vec::new();
    let source = source(Cursor::new(lines.to_owned().into_bytes()), records);
    let end = sign_records(signer, source, threads, |envelopes| {
        output.extend_from_slice(envelopes);
        Ok(())
    });
    let mut reader = FrameReader::new(&output[..], Framing::Len32, FrameSide::Envelope);
    let mut envelopes = Vec::new();
    while let Some(block) = reader.next_block(BlockBounds::default()).unwrap() {
        envelopes.extend(block.frames().map(|frame| match frame {
            RecordFrame::Record(envelope) => envelope.to_vec(),
            bad @ RecordFrame::Bad { .. } => panic!("{bad:?}"),
        }));
    }
    (envelopes, end)
}

fn at_now() -> Statement {
    Statement::at(now())
}

fn sequence(envelope: &[u8]) -> Sequence {
    verified(envelope.to_vec()).header().sequence().unwrap()
}

#[test]
fn records_of_a_signer_are_numbered_without_gaps_and_have_names_of_their_own() {
    let lines: String = (0..50).map(|number| format!("{number}\n")).collect();
    let mut channels = BTreeSet::new();
    for (batch, records, threads) in
        [(None, 7, 1), (None, 3, 4), (Some(5), 10, 3), (Some(64), 64, 1), (Some(1), 4, 2)]
    {
        let signer = signer(key(1), at_now);
        let signer = match batch {
            Some(batch) => signer.in_batches_of(batch),
            None => signer,
        };
        let (envelopes, end) = sign_lines(signer, &lines, records, threads);
        end.unwrap();
        let mut names = BTreeSet::new();
        for (number, envelope) in (0..).zip(&envelopes) {
            let verified = verified(envelope.clone());
            let Sequence { channel, seq } = verified.header().sequence().unwrap();
            assert_eq!(seq, number);
            channels.insert(channel);
            assert!(names.insert(verified.claims().cti.unwrap().to_vec()));
            let batched = batch.is_some_and(|batch| batch > 1);
            assert_eq!(verified.header().algorithm() == Algorithm::Batch, batched);
            assert_eq!(verified.into_bytes().unwrap(), number.to_string().as_bytes());
        }
        assert_eq!(envelopes.len(), 50);
    }
    assert_eq!(channels.len(), 5, "each signer has a channel");
}

#[test]
fn blocks_hold_whole_batches() {
    for (batch, records) in [(1, 1024), (64, 1024), (100, 1000), (1000, 1000), (5000, 5000)] {
        let signer = signer(key(1), at_now).in_batches_of(batch);
        assert_eq!(signer.bounds().records, records);
    }
    assert_eq!(signer(key(1), at_now).bounds().records, 1024);
    assert_eq!(signer(key(1), at_now).in_batches_of(0).bounds().records, 1024);
}

#[test]
fn the_first_record_that_cannot_be_signed_is_the_end() {
    let lines = "one\ntwo\nmuch too long\nfour\nmuch too long\n";
    for (batch, records, threads) in
        [(None, 8, 1), (None, 1, 3), (Some(64), 8, 1), (Some(2), 8, 3), (Some(1), 2, 2)]
    {
        let signer = signer(key(1), at_now);
        let signer = match batch {
            Some(batch) => signer.in_batches_of(batch),
            None => signer,
        };
        let (envelopes, end) = sign_lines(signer, lines, records, threads);
        let Err(PipelineError::Record { number, why }) = end else { panic!("{end:?}") };
        assert_eq!((number, why.reason()), (3, "too-large"));
        let numbers: Vec<_> = envelopes.iter().map(|envelope| sequence(envelope).seq).collect();
        assert_eq!(numbers, [0, 1], "{batch:?} {records}");
    }
}

/// A key that refuses after so many signatures.
struct Tired(SigningKey, AtomicU32);

impl SigningBackend for Tired {
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }

    fn sign(&self, algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        if self.1.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(SigningError::Refused { why: "tired".to_owned() });
        }
        SigningBackend::sign(&self.0, algorithm, parts)
    }
}

#[test]
fn a_key_that_refuses_ends_the_work_behind_what_it_signed() {
    let lines = "1\n2\n3\n4\n5\n6\n";
    // Two signatures: two records alone, and two batches of two.
    for (batch, signed) in [(None, 2), (Some(2), 4)] {
        let signer = signer(Tired(key(1), AtomicU32::new(2)), at_now);
        let signer = match batch {
            Some(batch) => signer.in_batches_of(batch),
            None => signer,
        };
        let (envelopes, end) = sign_lines(signer, lines, 64, 1);
        let Err(PipelineError::Record { number, why }) = end else { panic!("{end:?}") };
        assert_eq!((number, why.reason()), (signed + 1, "signing-refused"));
        assert_eq!(envelopes.len(), usize::try_from(signed).unwrap());
    }
}

/// A key that signs no long message, as an agent does not.
struct Brief(SigningKey);

impl SigningBackend for Brief {
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }

    fn sign(&self, algorithm: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        match parts.contains(&b"333333333".as_slice()) {
            false => SigningBackend::sign(&self.0, algorithm, parts),
            true => Err(SigningError::TooLarge),
        }
    }
}

/// The third is signed by its digest where it is not alone in its batch.
#[test]
fn a_record_that_is_too_large_for_the_key_is_refused_alone() {
    let lines = format!("1\n2\n{}\n4\n5\n6\n7\n", "3".repeat(9));
    for (batch, refused) in [(None, Some(3)), (Some(2), None), (Some(4), None)] {
        let signer = signer(Brief(key(1)), at_now);
        let signer = match batch {
            Some(batch) => signer.in_batches_of(batch),
            None => signer,
        };
        let (envelopes, end) = sign_lines(signer, &lines, 64, 1);
        let found = end.map_err(|end| match end {
            PipelineError::Record { number, why } => (number, why.reason()),
            other => panic!("{other}"),
        });
        assert_eq!(found.err(), refused.map(|number| (number, "signing-too-large")));
        assert_eq!(envelopes.len(), if refused.is_some() { 2 } else { 7 }, "{batch:?}");
    }
    let lines = format!("1\n2\n{}\n", "3".repeat(9));
    let (envelopes, end) =
        sign_lines(signer(Brief(key(1)), at_now).in_batches_of(2), &lines, 64, 1);
    let Err(PipelineError::Record { number: 3, why }) = end else { panic!("{end:?}") };
    assert_eq!((why.reason(), envelopes.len()), ("signing-too-large", 2));
}

#[test]
fn plain_records_have_no_numbers_and_no_batches() {
    let (envelopes, end) = sign_lines(signer(key(1), Statement::plain), "a\na\n", 8, 1);
    end.unwrap();
    assert_eq!(verified(envelopes[0].clone()).header().sequence(), None);
    assert_eq!(envelopes[0], envelopes[1], "the same key and payload give the same envelope");
    let signer = signer(key(1), Statement::plain).in_batches_of(2);
    let (envelopes, end) = sign_lines(signer, "a\n", 8, 1);
    let Err(PipelineError::Record { number: 1, why }) = end else { panic!("{end:?}") };
    assert_eq!((why.reason(), envelopes.len()), ("batch-plain", 0));
}

/// Gives out its parts one a read.
struct Parts(Vec<&'static [u8]>);

impl Read for Parts {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let part = self.0.remove(0);
        room[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }
}

/// The lengths of the blocks, where waiting for more has these outcomes.
fn blocks(parts: &[&'static [u8]], linger: Duration, in_time: &[bool]) -> (Vec<usize>, usize) {
    let waits = Arc::new(Mutex::new(in_time.to_vec()));
    let left = Arc::clone(&waits);
    let wait = move |most: Duration| {
        assert!(most <= linger && !most.is_zero());
        let mut left = left.lock().unwrap();
        if left.is_empty() { false } else { left.remove(0) }
    };
    let mut source = source(Parts(parts.to_vec()), 8).with_linger(linger, wait);
    let mut lengths = Vec::new();
    while let Some(delivered) = source.next_block().unwrap() {
        lengths.push(delivered.block.len());
    }
    let left = waits.lock().unwrap().len();
    (lengths, left)
}

#[test]
fn a_first_record_waits_for_others_that_come_in_time() {
    let long = Duration::from_secs(3600);
    let parts: &[&[u8]] = &[b"a\n", b"b\nc\n", b"d\n"];
    assert_eq!(blocks(parts, long, &[true, true, false]), (vec![4], 0));
    assert_eq!(blocks(parts, long, &[true, false]), (vec![3, 1], 0));
    assert_eq!(blocks(parts, long, &[false, false, false]), (vec![1, 2, 1], 0));
    // The end of the input is waited for as well.
    assert_eq!(blocks(parts, long, &[true, true, true, true]), (vec![4], 1));
    // Half a record waits for its other half, and for nothing else.
    assert_eq!(blocks(&[b"hal", b"f\n", b"x\n"], long, &[false]), (vec![1, 1], 0));
    assert_eq!(blocks(parts, Duration::ZERO, &[true]), (vec![1, 2, 1], 1));
}

/// Records of a queue, which notes what is acknowledged.
struct Queue {
    records: Vec<&'static [u8]>,
    acknowledged: Arc<Mutex<Vec<u64>>>,
    number: u64,
}

struct QueuedRecords(u64, Arc<Mutex<Vec<u64>>>);

impl Source for Queue {
    type Deliveries = QueuedRecords;
    type Error = Infallible;

    fn next_block(&mut self) -> Result<Option<DeliveredBlock<QueuedRecords>>, Infallible> {
        let mut block = FrameBlock::new(self.number);
        let count = self.records.len().min(2);
        self.records.drain(..count).for_each(|record| block.push(record));
        let deliveries = QueuedRecords(self.number, Arc::clone(&self.acknowledged));
        self.number += 2;
        Ok((!block.is_empty()).then_some(DeliveredBlock { block, deliveries }))
    }
}

impl Deliveries for QueuedRecords {
    type Error = Infallible;

    fn are_leased(&self) -> bool {
        true
    }

    fn acknowledge(&mut self, records: Range<usize>) -> Result<(), Infallible> {
        let numbers = records.map(|index| self.0 + u64::try_from(index).unwrap());
        self.1.lock().unwrap().extend(numbers);
        Ok(())
    }

    fn extend(&mut self, _: Range<usize>) -> Result<(), Infallible> {
        Ok(())
    }

    fn retry(&mut self, _: Range<usize>, why: &HandlerFailure) -> Result<(), Infallible> {
        panic!("{why}")
    }

    fn dead_letter(&mut self, _: usize, why: &RecordError) -> Result<DeadLetter, Infallible> {
        panic!("{why}")
    }

    fn finish(self, _: FrameBlock) {}
}

/// What was not written, or not signed, stays in the queue.
#[test]
fn records_of_a_queue_are_acknowledged_after_their_envelopes_were_written() {
    let long: &[u8] = Box::leak(vec![0; MAX_RECORD_BYTES + 1].into_boxed_slice());
    for (third, writes, acknowledged, reason) in [
        (&b"three"[..], 3, vec![1, 2, 3, 4, 5], None),
        (b"three", 1, vec![1, 2], Some("io")),
        (b"three", 0, vec![], Some("io")),
        (long, 3, vec![1, 2], Some("too-large")),
    ] {
        let records = vec![&b"one"[..], b"two", third, b"four", b"five"];
        let noted = Arc::new(Mutex::new(Vec::new()));
        let queue = Queue { records, acknowledged: Arc::clone(&noted), number: 1 };
        let mut written = 0;
        let end = sign_records(signer(key(1), at_now), queue, 1, |_| {
            assert_eq!(noted.lock().unwrap().len(), 2 * written, "acknowledged too early");
            if written == writes {
                return Err(FrameReadError::Input(io::Error::other("full")));
            }
            written += 1;
            Ok(())
        });
        assert_eq!(end.err().map(|error| error.reason()), reason);
        assert_eq!(*noted.lock().unwrap(), acknowledged);
    }
}
