//! Streams in the library: every length around a border, every cut, every bit, and bad neighbours.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use brine::stream::{Start, StreamReader, StreamTemplate, StreamWriter};
use brine::{Error, Request, Signer, SigningKey, Trust};

use crate::common::{key, now, template};

/// As small as a segment can usefully be, so that borders are everywhere.
const SEGMENT: usize = 8;

fn stream_template(threads: usize) -> StreamTemplate<'static> {
    StreamTemplate { segment_bytes: SEGMENT, threads, ..StreamTemplate::new(template(), [9; 16]) }
}

fn signing_key() -> SigningKey {
    key(1)
}

fn sign(content: &[u8], threads: usize) -> Vec<u8> {
    let mut writer = StreamWriter::new(Vec::new(), signing_key(), &stream_template(threads));
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

/// What comes out, and how it ends.
fn read(input: impl Read + Send + 'static, threads: usize) -> (Vec<u8>, Result<(), Error>) {
    let mut released = Vec::new();
    let outcome = release(input, threads, &mut released);
    (released, outcome)
}

fn release(
    mut input: impl Read + Send + 'static,
    threads: usize,
    released: &mut Vec<u8>,
) -> Result<(), Error> {
    let trust = Trust::new(vec![Signer::new("a", signing_key().verifying_key().clone())]);
    let start = Start::read(&mut input)?;
    if !start.is_segment() {
        return Err(Error::NotAnEnvelope { found: "no stream" });
    }
    let mut reader = StreamReader::open(start, input, &Request::at(now()), &trust, threads)?;
    while let Some(content) = reader.next_segment()? {
        released.extend(content);
    }
    Ok(())
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
    for length in 0..stream.len() {
        for threads in [1, 2] {
            let (released, outcome) = read(io::Cursor::new(stream[..length].to_vec()), threads);
            assert!(expected.starts_with(&released), "cut to {length}");
            assert!(released.len() % SEGMENT == 0 && released.len() < expected.len(), "{length}");
            let reason = outcome.unwrap_err().reason();
            let first = ["not-an-envelope", "stream-cut"].contains(&reason);
            assert!(reason == "stream-cut" || (released.is_empty() && first), "{length}: {reason}");
        }
    }
}

#[test]
fn every_bit_flipped_and_every_byte_dropped_or_doubled_is_refused() {
    let expected = content(2 * SEGMENT + 5);
    let stream = sign(&expected, 1);
    let judge = |altered: Vec<u8>, name: String| {
        let (released, outcome) = read(io::Cursor::new(altered), 1);
        assert!(outcome.is_err(), "{name} is accepted");
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
}

/// Gives one byte at a time, and is interrupted before each.
struct Reluctant {
    bytes: io::Cursor<Vec<u8>>,
    interrupted: bool,
}

impl Read for Reluctant {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = room.get_mut(..1).unwrap_or_default();
        self.bytes.read(room)
    }
}

#[test]
fn short_and_interrupted_reads_change_nothing() {
    let expected = content(3 * SEGMENT + 1);
    let reluctant =
        |bytes: &[u8]| Reluctant { bytes: io::Cursor::new(bytes.to_vec()), interrupted: false };
    for threads in [1, 3] {
        let mut writer = StreamWriter::new(Vec::new(), signing_key(), &stream_template(threads));
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
            let mut writer =
                StreamWriter::new(Full(room), signing_key(), &stream_template(threads));
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
                matches!(&error, Error::Output(error) if error.kind() == io::ErrorKind::StorageFull),
                "{error:?}"
            );
        }
        let writer = StreamWriter::new(Full(length), signing_key(), &stream_template(threads));
        let mut writer = writer;
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
        let mut writer = StreamWriter::new(buffered, signing_key(), &stream_template(threads));
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
        let mut writer = StreamWriter::new(Full(300), signing_key(), &stream_template(threads));
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
            assert!(matches!(outcome, Err(Error::Input(_))), "{length}: {outcome:?}");
            assert!(released.len() < expected.len());
        }
    }
}

#[test]
fn a_segment_closed_early_can_be_read_before_the_next_one_comes() {
    for threads in [1, 2] {
        let (mut sender, receiver) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
        let mut writer = StreamWriter::new(Vec::new(), signing_key(), &stream_template(1));
        writer.write_all(b"abc").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"defgh").unwrap();
        let stream = writer.finish().unwrap();
        let second = stream.windows(2).rposition(|pair| pair == [0xd2, 0x84]).unwrap();

        sender.write_all(&stream[..second]).unwrap();
        let trust = Trust::new(vec![Signer::new("a", signing_key().verifying_key().clone())]);
        let mut receiver = receiver;
        let start = Start::read(&mut receiver).unwrap();
        let mut reader =
            StreamReader::open(start, receiver, &Request::at(now()), &trust, threads).unwrap();
        assert_eq!(reader.next_segment().unwrap(), Some(&b"abc"[..]));
        sender.write_all(&stream[second..]).unwrap();
        drop(sender);
        assert_eq!(reader.next_segment().unwrap(), Some(&b"defgh"[..]));
        assert_eq!(reader.next_segment().unwrap(), None);
    }
}

#[test]
fn after_a_refusal_nothing_more_comes_out() {
    let stream = sign(&content(4 * SEGMENT), 1);
    let mut altered = stream.clone();
    let second = stream.windows(2).enumerate().filter(|(_, pair)| *pair == [0xd2, 0x84]).nth(1);
    altered[second.unwrap().0 + 40] ^= 1;
    let trust = Trust::new(vec![Signer::new("a", signing_key().verifying_key().clone())]);
    for threads in [1, 3] {
        let mut input = io::Cursor::new(altered.clone());
        let start = Start::read(&mut input).unwrap();
        let mut reader =
            StreamReader::open(start, input, &Request::at(now()), &trust, threads).unwrap();
        assert_eq!(reader.next_segment().unwrap().map(<[u8]>::len), Some(SEGMENT));
        assert!(matches!(reader.next_segment(), Err(Error::Segment { index: 1, .. })));
        // Whoever asks again, and takes `None` for the end, must not get one.
        for _ in 0..3 {
            assert!(matches!(reader.next_segment(), Err(Error::StreamRefused)));
        }
    }
}

#[test]
fn what_waits_is_what_no_segment_has_yet() {
    let mut writer = StreamWriter::new(Vec::new(), signing_key(), &stream_template(1));
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
