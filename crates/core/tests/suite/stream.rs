//! Streams: every length around a border, every cut, every bit, and bad neighbours.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brine_core::cbor::{Decoder, Encoder};
use brine_core::cose::ToBeSigned;
use brine_core::hash::HashAlgorithm;
use brine_core::time::ClockBefore1970;
use brine_core::{
    Class, Classified as _, Clock, Error, Expectations, Input, Kind, KnownSigners, Question,
    Signer, SigningKey, Statement, StreamError, StreamOptions, StreamWriter, SystemError,
    Timestamp, Verified, open, sign as sign_alone,
};
use brine_testkit::{Arrival, Arriving, JudgedBy, key, now, signers, statement};

use crate::common::{Outcome, length_of, release};

/// As small as a segment can usefully be, so that borders are everywhere.
const SEGMENT: usize = 8;

fn options(threads: usize) -> StreamOptions {
    StreamOptions::new().segment_bytes(SEGMENT).stream_id([9; 16]).threads(threads)
}

fn signing_key() -> SigningKey {
    key(1)
}

fn writer<W: Write + Send + 'static>(output: W, threads: usize) -> StreamWriter<W> {
    StreamWriter::new(output, Arc::new(signing_key()), statement(), options(threads)).unwrap()
}

fn sign(content: &[u8], threads: usize) -> Vec<u8> {
    let mut writer = writer(Vec::new(), threads);
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn trust() -> KnownSigners {
    signers(&[1])
}

/// What comes out, and how it ends.
fn read(input: impl Read + Send + 'static, threads: usize) -> Outcome {
    let opening = open(Input::new(input)).map(|opening| opening.threads(threads));
    release(opening, &Expectations::new(), &trust(), &now())
}

/// Verifies the beginning of a stream.
fn begin(input: impl Read + Send + 'static, threads: usize) -> Verified {
    let opening = open(Input::new(input)).unwrap().threads(threads);
    assert!(opening.is_stream());
    opening.verify(&Expectations::new(), &trust(), &now()).unwrap()
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

#[test]
fn every_length_around_a_border_comes_back_with_any_number_of_threads() {
    let n = SEGMENT;
    for length in [0, 1, n - 1, n, n + 1, 2 * n - 1, 2 * n, 2 * n + 1, 5 * n, 5 * n + 3] {
        let expected = content(length);
        let streams: Vec<_> = [1, 2, 4].map(|threads| sign(&expected, threads)).into();
        assert!(streams.windows(2).all(|pair| pair[0] == pair[1]), "{length}: threads matter");
        for threads in [1, 2, 4] {
            let (released, outcome) = read(io::Cursor::new(streams[0].clone()), threads);
            assert!(outcome.is_ok(), "{length}: {outcome:?}");
            assert_eq!(released, expected, "{length}");
        }
    }
}

#[test]
fn a_stream_has_no_more_segments_than_its_content_needs() {
    for (length, segments) in [(0, 1), (1, 1), (SEGMENT, 1), (SEGMENT + 1, 2), (3 * SEGMENT, 3)] {
        let stream = sign(&content(length), 1);
        let heads = stream.windows(2).filter(|pair| *pair == [0xd2, 0x84]).count();
        assert_eq!(heads, segments, "{length}");
    }
}

#[test]
fn a_cut_anywhere_releases_whole_segments_only_and_is_noticed() {
    let expected = content(3 * SEGMENT - 2);
    let stream = sign(&expected, 1);
    let header = 4 + usize::from(stream[3]);
    for length in 0..stream.len() {
        for threads in [1, 2] {
            let (released, outcome) = read(io::Cursor::new(stream[..length].to_vec()), threads);
            assert!(expected.starts_with(&released), "cut to {length}");
            assert!(released.len() % SEGMENT == 0 && released.len() < expected.len(), "{length}");
            // Before its header is all there, nobody can tell that it is a stream.
            let reason = match length {
                0 => "not-an-envelope",
                _ if length < header => "cut-short",
                _ => "stream-cut",
            };
            assert_eq!(outcome.unwrap_err().reason(), reason, "{length}");
        }
    }
}

#[test]
fn every_bit_flipped_and_every_byte_dropped_or_doubled_is_refused() {
    let expected = content(2 * SEGMENT + 5);
    let stream = sign(&expected, 1);
    let mut reasons = BTreeSet::new();
    let mut judge = |altered: Vec<u8>, name: String| {
        let (released, outcome) = read(io::Cursor::new(altered), 1);
        let Err(error) = outcome else { panic!("{name} is accepted") };
        assert_ne!(error.class(), Class::System, "{name}: {error}");
        reasons.insert(error.reason());
        // Of what was signed, in order, a part.
        assert!(expected.starts_with(&released) && released.len() < expected.len(), "{name}");
    };
    for bit in 0..stream.len() * 8 {
        let mut altered = stream.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        judge(altered, format!("bit {bit}"));
    }
    for index in 0..stream.len() {
        let mut dropped = stream.clone();
        let byte = dropped.remove(index);
        if dropped != stream {
            judge(dropped, format!("byte {index} dropped"));
        }
        let mut doubled = stream.clone();
        doubled.insert(index, byte);
        judge(doubled, format!("byte {index} doubled"));
    }
    for reason in
        ["digest-mismatch", "segment-form", "signature-bad", "stream-cut", "trailing-bytes"]
    {
        assert!(reasons.contains(reason), "{reason} is not among {reasons:?}");
    }
}

#[test]
fn short_and_interrupted_reads_change_nothing() {
    let expected = content(3 * SEGMENT + 1);
    let reluctant = |bytes: &[u8]| Arriving::new(bytes, Arrival::Reluctant);
    for threads in [1, 3] {
        let mut writer = writer(Vec::new(), threads);
        let mut input = reluctant(&expected);
        while writer.read_from(&mut input).unwrap() > 0 {}
        let stream = writer.finish().unwrap();
        assert_eq!(stream, sign(&expected, 1));
        let (released, outcome) = read(reluctant(&stream), threads);
        assert!(outcome.is_ok() && released == expected, "{outcome:?}");
    }
}

/// An output with room for so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.0).min(3);
        self.0 -= count;
        if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_fails_is_an_error_with_any_number_of_threads() {
    let length = sign(&content(40 * SEGMENT), 1).len();
    for threads in [1, 3] {
        for room in [0, 1, length / 2, length - 1] {
            let mut writer = writer(Full(room), threads);
            let mut content = io::Cursor::new(content(40 * SEGMENT));
            let written = loop {
                match writer.read_from(&mut content) {
                    Ok(0) => break writer.finish().map(drop),
                    Ok(_) => {}
                    Err(error) => break Err(error),
                }
            };
            let error = written.unwrap_err();
            assert!(
                matches!(&error, Error::System(SystemError::Output(error))
                    if error.kind() == io::ErrorKind::StorageFull),
                "{error:?}"
            );
        }
        let mut writer = writer(Full(length), threads);
        writer.write_all(&content(40 * SEGMENT)).unwrap();
        writer.finish().unwrap();
    }
}

/// An output that somebody else looks into.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Vec<u8>>>);

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_flush_returns_when_the_output_has_everything() {
    for threads in [1, 3] {
        let seen = Watched::default();
        let buffered = io::BufWriter::with_capacity(1 << 20, seen.clone());
        let mut writer = writer(buffered, threads);
        for piece in [&b"a"[..], b"more than one segment of it", b"", b"z"] {
            writer.write_all(piece).unwrap();
            writer.flush().unwrap();
            let stream = seen.0.lock().unwrap().clone();
            assert!(stream.ends_with(piece.chunks(SEGMENT).next_back().unwrap_or(b"it")));
        }
        writer.finish().unwrap();
    }
}

#[test]
fn what_an_output_says_comes_through_write_and_flush_and_leaves_no_end() {
    for threads in [1, 3] {
        let mut writer = writer(Full(300), threads);
        writer.write_all(&content(SEGMENT)).unwrap();
        writer.flush().unwrap();
        writer.write_all(b"more").unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(writer.write_all(&content(3 * SEGMENT)).is_err(), "it goes on after a hole");
        assert_eq!(writer.finish().map(drop).unwrap_err().reason(), "worker-lost");
    }
}

#[test]
fn an_input_that_fails_is_an_error_and_no_end() {
    struct Failing(io::Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            match self.0.read(room)? {
                0 => Err(io::ErrorKind::ConnectionReset.into()),
                count => Ok(count),
            }
        }
    }
    let expected = content(3 * SEGMENT);
    let stream = sign(&expected, 1);
    for threads in [1, 2] {
        // After the whole stream, too: the end of the input was not seen.
        for length in [stream.len(), stream.len() - 1, 400] {
            let (released, outcome) =
                read(Failing(io::Cursor::new(stream[..length].to_vec())), threads);
            assert!(
                matches!(outcome, Err(Error::System(SystemError::Input(_)))),
                "{length}: {outcome:?}"
            );
            assert!(released.len() < expected.len());
        }
    }
}

#[test]
fn a_segment_closed_early_can_be_read_before_the_next_one_comes() {
    for threads in [1, 2] {
        let (mut sender, receiver) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let mut writer = writer(Vec::new(), 1);
        writer.write_all(b"abc").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"defgh").unwrap();
        let stream = writer.finish().unwrap();
        let second = stream.windows(2).rposition(|pair| pair == [0xd2, 0x84]).unwrap();

        sender.write_all(&stream[..second]).unwrap();
        let mut verified = begin(receiver, threads);
        assert_eq!(verified.next_piece().unwrap(), Some(&b"abc"[..]));
        sender.write_all(&stream[second..]).unwrap();
        drop(sender);
        assert_eq!(verified.next_piece().unwrap(), Some(&b"defgh"[..]));
        assert_eq!(verified.next_piece().unwrap(), None);
    }
}

#[test]
fn after_a_refusal_nothing_more_comes_out() {
    let stream = sign(&content(4 * SEGMENT), 1);
    let mut altered = stream.clone();
    let second = stream.windows(2).enumerate().filter(|(_, pair)| *pair == [0xd2, 0x84]).nth(1);
    altered[second.unwrap().0 + 40] ^= 1;
    for threads in [1, 3] {
        let mut verified = begin(io::Cursor::new(altered.clone()), threads);
        assert_eq!(verified.next_piece().unwrap().map(<[u8]>::len), Some(SEGMENT));
        assert!(matches!(
            verified.next_piece(),
            Err(Error::Stream(StreamError::Segment { index: 1, .. }))
        ));
        // Whoever asks again, and takes `None` for the end, must not get one.
        for _ in 0..3 {
            assert!(matches!(verified.next_piece(), Err(Error::Stream(StreamError::Refused))));
        }
    }
}

#[test]
fn what_waits_is_what_no_segment_has_yet() {
    let mut writer = writer(Vec::new(), 1);
    let mut waiting = Vec::new();
    for length in [7, 1, 2, 6, 1] {
        writer.write_all(&content(length)).unwrap();
        waiting.push(writer.waiting());
    }
    // A full segment waits to know whether it is the last.
    assert_eq!(waiting, [7, 8, 2, 8, 1]);
    writer.flush().unwrap();
    assert_eq!(writer.waiting(), 0);
    writer.finish().unwrap();
}

/// What is read before each step: the header of segment 0, its envelope, and one segment after the other.
#[test]
fn one_thread_reads_nothing_ahead() {
    let stream = sign(&content(2 * SEGMENT + 1), 1);
    let starts: Vec<_> =
        stream.windows(2).enumerate().filter(|(_, pair)| *pair == [0xd2, 0x84]).collect();
    let starts: Vec<_> = starts.iter().map(|(at, _)| u64::try_from(*at).unwrap()).collect();
    let counter = Counter::default();
    let input =
        Counted { bytes: Arriving::new(stream.clone(), Arrival::Whole), counter: counter.clone() };
    let opening = open(Input::new(input)).unwrap();
    assert_eq!(counter.get(), 4 + u64::from(stream[3]));
    let mut verified = opening.verify(&Expectations::new(), &trust(), &now()).unwrap();
    assert_eq!(counter.get() + 1 + u64::try_from(SEGMENT).unwrap(), starts[1]);
    for end in [starts[1], starts[2], u64::try_from(stream.len()).unwrap()] {
        assert!(verified.next_piece().unwrap().is_some());
        assert_eq!(counter.get(), end);
    }
    assert!(verified.next_piece().unwrap().is_none());
}

/// How much of an input was read.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicU64>);

impl Counter {
    fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct Counted {
    bytes: Arriving,
    counter: Counter,
}

impl Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(room)?;
        self.counter.0.fetch_add(count.try_into().unwrap(), Ordering::SeqCst);
        Ok(count)
    }
}

/// Whoever holds back the end of a signature until it has expired must not have it judged at the time at which it
/// began to arrive.
#[test]
fn the_time_is_that_at_which_all_that_is_judged_has_arrived() {
    #[derive(Clone)]
    struct Ticking(Counter);
    impl Clock for Ticking {
        fn now(&self) -> Result<Timestamp, ClockBefore1970> {
            Ok(now().plus(Duration::from_secs(self.0.get())))
        }
    }
    let stream = |statement: Statement| {
        let key = Arc::new(signing_key());
        let mut writer = StreamWriter::new(Vec::new(), key, statement, options(1)).unwrap();
        writer.write_all(b"content").unwrap();
        writer.finish().unwrap()
    };
    let single = |statement: Statement| {
        sign_alone(&statement, &signing_key(), b"content").unwrap().to_bytes()
    };
    for make in [&stream as &dyn Fn(_) -> Vec<u8>, &single] {
        let expiring = |seconds| statement().expires(now().plus(Duration::from_secs(seconds)));
        let judged = length_of(&make(expiring(0)));
        // Another second or byte, and it has expired by more than the leeway.
        for (seconds, verdict) in [(judged - 60, Err("expired")), (judged - 59, Ok(()))] {
            let counter = Counter::default();
            let bytes = Arriving::new(make(expiring(seconds)), Arrival::AtOnce(1));
            let input = Input::new(Counted { bytes, counter: counter.clone() });
            let (released, outcome) =
                release(open(input), &Expectations::new(), &trust(), &Ticking(counter));
            assert_eq!(outcome.map_err(|error| error.reason()), verdict);
            assert_eq!(released.is_empty(), verdict.is_err());
        }
    }
}

/// In this trust, somebody speaks whose own key is another: a group, or an authority.
#[test]
fn later_segments_are_verified_with_the_key_of_the_first_whoever_speaks_for_it() {
    let expected = content(3 * SEGMENT);
    let group =
        |_: &Signer, _: &Question<'_>| Ok(Signer::new("group", key(2).verifying_key().clone()));
    let trust = Arc::new(JudgedBy::new(trust(), group));
    let stream = sign(&expected, 1);
    let verified =
        open(stream.clone()).unwrap().verify(&Expectations::new(), &trust, &now()).unwrap();
    assert_eq!(verified.signer().name(), "group");
    assert_eq!(verified.into_bytes().unwrap(), expected);
    // Signed again by the key of the group: it is not the key of segment 0.
    let resigned = with_segment(&stream, 1, &expected[SEGMENT..2 * SEGMENT], &key(2));
    let (released, outcome) = release(open(resigned), &Expectations::new(), &trust, &now());
    assert_eq!(outcome.unwrap_err().reason(), "signature-bad");
    assert_eq!(released, expected[..SEGMENT]);
}

/// A stream in which this segment has another content, signed by this key under the same header.
fn with_segment(stream: &[u8], index: usize, content: &[u8], key: &SigningKey) -> Vec<u8> {
    let starts = stream.windows(2).enumerate().filter(|(_, pair)| *pair == [0xd2, 0x84]);
    let starts: Vec<_> = starts.map(|(at, _)| at).chain([stream.len()]).collect();
    let mut segment = Decoder::new(&stream[starts[index]..]);
    segment.tag().unwrap();
    segment.array_of(4).unwrap();
    let protected = segment.bytes().unwrap();
    let digest = HashAlgorithm::Blake3.digest(content);
    let signature = key.sign(&ToBeSigned::new(protected, &[], digest.as_ref()).parts());
    let mut other = Encoder::new();
    other.tag(18).array(4).bytes(protected).map(0).bytes(digest.as_ref()).bytes(&signature);
    other.bytes(content);
    [&stream[..starts[index]], other.as_bytes(), &stream[starts[index + 1]..]].concat()
}

/// Another writer may close a segment before anything is in it.
#[test]
fn empty_segments_are_no_end_and_are_counted_once() {
    let stream = sign(&content(4 * SEGMENT), 1);
    let mut stream = with_segment(&stream, 1, b"", &signing_key());
    stream = with_segment(&stream, 2, b"", &signing_key());
    let expected =
        [&content(4 * SEGMENT)[..SEGMENT], &content(4 * SEGMENT)[3 * SEGMENT..]].concat();
    for threads in [1, 3] {
        // The length is compared there.
        let (released, outcome) = read(io::Cursor::new(stream.clone()), threads);
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(released, expected);
        let mut verified = begin(io::Cursor::new(stream.clone()), threads);
        let mut read = Vec::new();
        verified.read_to_end(&mut read).unwrap();
        assert_eq!((read.len(), verified.payload_bytes()), (expected.len(), 2 * 8));
    }
    let mut flushed = writer(Vec::new(), 1);
    flushed.write_all(b"abc").unwrap();
    flushed.flush().unwrap();
    let (released, outcome) = read(io::Cursor::new(flushed.finish().unwrap()), 1);
    assert!(outcome.is_ok() && released == b"abc", "{outcome:?}");
}

/// What is read in small parts is counted as it is read.
#[test]
fn a_stream_is_read_as_any_reader_is() {
    let expected = content(2 * SEGMENT + 3);
    let mut verified = begin(io::Cursor::new(sign(&expected, 1)), 2);
    let mut read = Vec::new();
    let mut room = [0; 3];
    loop {
        let count = verified.read(&mut room).unwrap();
        if count == 0 {
            break;
        }
        read.extend(&room[..count]);
        assert_eq!(verified.payload_bytes(), length_of(&read));
    }
    assert_eq!(read, expected);
    assert_eq!(verified.in_memory(), None);
    let cut = sign(&expected, 1);
    let mut verified = begin(io::Cursor::new(cut[..cut.len() - 1].to_vec()), 1);
    let mut read = Vec::new();
    let error = verified.read_to_end(&mut read).unwrap_err();
    assert_eq!(read, expected[..2 * SEGMENT]);
    let error: Error = error.downcast().unwrap();
    assert!(matches!(error, Error::Stream(StreamError::Cut { segments: 2 })), "{error:?}");
    assert!(verified.read(&mut [0]).is_err(), "a refused stream has an end");
}

/// A stream is data, or a segment to whoever asks for that, and nothing else.
#[test]
fn a_stream_is_taken_for_what_it_is() {
    let stream = sign(b"content", 1);
    for kind in Kind::all() {
        let expectations = Expectations::new().kind(kind);
        let (released, outcome) = release(open(stream.as_slice()), &expectations, &trust(), &now());
        match kind {
            Kind::Data | Kind::Segment => assert_eq!(released, b"content", "{outcome:?}"),
            _ => assert_eq!(outcome.unwrap_err().reason(), "wrong-kind", "{kind}"),
        }
    }
}
