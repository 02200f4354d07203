//! Records come out as they went in, in order, however their bytes arrive.

use std::io::{self, Cursor, Read};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use brine_core::{Class, Classified as _};
use brine_records::{
    BlockBounds, Filled, FrameBlock, FrameReadError, FrameReader, FrameSide, Framing, KEPT_BYTES,
    MAX_RECORD_BYTES, RecordFrame,
};
use proptest::collection::vec;
use proptest::prelude::*;

const FRAMINGS: [Framing; 4] = [Framing::Lines, Framing::Null, Framing::Len32, Framing::Cbor];
const SIDES: [FrameSide; 2] = [FrameSide::Content, FrameSide::Envelope];

/// A record, or why it is none and what was kept of it.
type Outcome = Result<Vec<u8>, (&'static str, Vec<u8>)>;

/// What was read, and how that ended: `ok` or the reason.
#[derive(Debug, PartialEq)]
struct Reading {
    records: Vec<Outcome>,
    end: &'static str,
}

impl Reading {
    fn of<R: Read>(mut reader: FrameReader<R>, bounds: BlockBounds) -> Self {
        let mut records = Vec::new();
        let end = loop {
            match reader.next_block(bounds) {
                Ok(None) => break "ok",
                Err(error) => break error.reason(),
                Ok(Some(mut block)) => {
                    assert!(!block.is_empty());
                    assert_eq!(block.number(0), count(&records) + 1);
                    block.decode().unwrap();
                    records.extend(outcomes(&block));
                    assert_eq!(reader.records(), count(&records));
                    reader.give_back(block);
                }
            }
        };
        // Asked again, it says the same.
        let again = reader.next_block(bounds);
        assert_eq!(again.map_or_else(|error| error.reason(), |_| "ok"), end);
        Self { records, end }
    }

    fn whole(framing: Framing, side: FrameSide, input: &[u8]) -> Self {
        Self::of(FrameReader::new(input, framing, side), BlockBounds::default())
    }
}

fn count(records: &[Outcome]) -> u64 {
    records.len().try_into().unwrap()
}

fn outcomes(block: &FrameBlock) -> Vec<Outcome> {
    let outcome = |frame| match frame {
        RecordFrame::Bad { error, kept } => Err((error.reason(), kept.to_vec())),
        RecordFrame::Record(record) => Ok(record.to_vec()),
    };
    let outcomes: Vec<_> = block.frames().map(outcome).collect();
    let by_index = (0..block.len()).map(|index| outcome(block.get(index).unwrap()));
    assert!(by_index.eq(outcomes.iter().cloned()));
    assert_eq!(block.get(block.len()), None);
    outcomes
}

/// Gives out so many bytes at a time, over and over, and is interrupted in between.
struct Chunks<'a> {
    bytes: Cursor<&'a [u8]>,
    sizes: Vec<usize>,
    turn: usize,
    longest_room: usize,
}

impl<'a> Chunks<'a> {
    fn new(bytes: &'a [u8], sizes: &[usize]) -> Self {
        Self { bytes: Cursor::new(bytes), sizes: sizes.to_vec(), turn: 0, longest_room: 0 }
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.longest_room = self.longest_room.max(room.len());
        self.turn += 1;
        if self.turn.is_multiple_of(2) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let size = self.sizes[self.turn / 2 % self.sizes.len()].min(room.len());
        self.bytes.read(&mut room[..size])
    }
}

/// Gives out its parts one a read, and fails the test if it is read once more.
struct Parts(Vec<&'static [u8]>);

impl Read for Parts {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        assert!(!self.0.is_empty(), "it was read again though a frame was complete");
        let part = self.0.remove(0);
        room[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }
}

fn write(
    framing: Framing,
    side: FrameSide,
    output: &mut Vec<u8>,
    record: &[u8],
) -> Result<(), FrameReadError> {
    let written = match side {
        FrameSide::Content => framing.write_content(output, record),
        FrameSide::Envelope => framing.write_envelope(output, record),
    };
    Ok(written?)
}

fn framed(framing: Framing, side: FrameSide, records: &[Vec<u8>]) -> Vec<u8> {
    let mut output = Vec::new();
    for record in records {
        write(framing, side, &mut output, record).unwrap();
    }
    output
}

/// A CBOR item that takes `bytes`, two or more, and has no delimiter in it.
fn item(bytes: usize) -> Vec<u8> {
    let mut item = vec![0x5f];
    while item.len() + 24 < bytes {
        item.push(0x57);
        item.extend([b'x'; 23]);
    }
    item.resize(bytes - 1, 0x40);
    item.push(0xff);
    item
}

fn ok(records: &[&[u8]]) -> Vec<Outcome> {
    records.iter().map(|record| Ok(record.to_vec())).collect()
}

/// What is read, the records in it, and how it ends.
type Case<'a> = (Framing, FrameSide, &'a [u8], &'a [&'a [u8]], &'static str);

#[test]
fn records_end_where_their_framing_says() {
    use Framing::{Cbor, Len32, Lines, Null};
    let cases: &[Case<'_>] = &[
        (Lines, FrameSide::Content, b"", &[], "ok"),
        (Lines, FrameSide::Content, b"\n", &[b""], "ok"),
        (Lines, FrameSide::Content, b"\n\na\n", &[b"", b"", b"a"], "ok"),
        (Lines, FrameSide::Content, b"a\nb", &[b"a", b"b"], "ok"),
        (Lines, FrameSide::Content, b"a\r\n\r\n\r", &[b"a\r", b"\r", b"\r"], "ok"),
        (Lines, FrameSide::Content, b"\xff\x00\n", &[b"\xff\x00"], "ok"),
        (
            Lines,
            FrameSide::Envelope,
            b"0oQ\n0oQ\r\n0oQ",
            &[b"\xd2\x84", b"\xd2\x84", b"\xd2\x84"],
            "ok",
        ),
        (Null, FrameSide::Content, b"", &[], "ok"),
        (Null, FrameSide::Content, b"\0a\nb\0", &[b"", b"a\nb"], "ok"),
        (Null, FrameSide::Content, b"a\0b", &[b"a", b"b"], "ok"),
        (Null, FrameSide::Envelope, b"0oQ\0AA", &[b"\xd2\x84", b"\x00"], "ok"),
        (Len32, FrameSide::Content, b"", &[], "ok"),
        (Len32, FrameSide::Content, b"\0\0\0\0\0\0\0\x02ab", &[b"", b"ab"], "ok"),
        (Len32, FrameSide::Envelope, b"\0\0\0\x01\xd2\0\0\0\0", &[b"\xd2", b""], "ok"),
        (Len32, FrameSide::Content, b"\0\0\0\x01a\0\0\0", &[b"a"], "record-cut"),
        (Len32, FrameSide::Content, b"\0\0\0\x01a\0\0\0\x02b", &[b"a"], "record-cut"),
        (Cbor, FrameSide::Content, b"", &[], "ok"),
        (
            Cbor,
            FrameSide::Content,
            b"\x01\x41a\x9f\x18\x01\xff",
            &[b"\x01", b"\x41a", b"\x9f\x18\x01\xff"],
            "ok",
        ),
        (Cbor, FrameSide::Envelope, b"\xd2\x80\x81\xf6", &[b"\xd2\x80", b"\x81\xf6"], "ok"),
        (Cbor, FrameSide::Content, b"\x01\x42a", &[b"\x01"], "record-cut"),
        (Cbor, FrameSide::Content, b"\x01\xff\x01", &[b"\x01"], "indefinite-length"),
        (Cbor, FrameSide::Content, b"\x01\x82\x00\x1c", &[b"\x01"], "reserved-head"),
        (Cbor, FrameSide::Content, b"\x01\xf8\x14", &[b"\x01"], "non-minimal"),
        (Cbor, FrameSide::Content, b"\x01\x5f\x61a\xff", &[b"\x01"], "unexpected-type"),
        (Cbor, FrameSide::Content, &[0x81; 100], &[], "too-deep"),
    ];
    for (framing, side, input, records, end) in cases {
        let expected = Reading { records: ok(records), end };
        assert_eq!(Reading::whole(*framing, *side, input), expected, "{framing} {input:02x?}");
        for size in [1, 2, 3] {
            let reader = FrameReader::new(Chunks::new(input, &[size]), *framing, *side);
            let read = Reading::of(reader.with_buffer(size), BlockBounds::default());
            assert_eq!(read, expected, "{framing} {input:02x?}");
        }
    }
}

#[test]
fn an_envelope_that_is_not_canonical_base64url_is_refused_alone() {
    let bad: &[&[u8]] = &[
        b"0oQ=",     // padded
        b"0oR",      // bits behind the last byte
        b"0",        // no byte
        b"0oQAA",    // six bits too many
        b"+A",       // the alphabet of RFC 4648, Section 4
        b"/A",       //
        b" 0oQ",     //
        b"0oQ ",     //
        b"0oQ\t",    //
        b"0o\rQ",    //
        b"0oQ\r",    // followed by the one CR that is taken off
        b"\xff\xff", //
        b"0\xc3\xb6Q",
    ];
    for text in bad {
        for (framing, end) in [(Framing::Lines, &b"\r\n"[..]), (Framing::Null, b"\0")] {
            let input = [b"0oQ", end, text, end, b"0oQ", end].concat();
            let read = Reading::whole(framing, FrameSide::Envelope, &input);
            let good = || Ok(vec![0xd2, 0x84]);
            let refused = Err(("framing-base64", text.to_vec()));
            assert_eq!(read, Reading { records: vec![good(), refused, good()], end: "ok" });
        }
    }
    // Before nothing or a NUL, a CR is not taken off; nor is a line feed before a NUL.
    let read = Reading::whole(Framing::Lines, FrameSide::Envelope, b"0oQ\r");
    assert_eq!(read.records, [Err(("framing-base64", b"0oQ\r".to_vec()))]);
    let read = Reading::whole(Framing::Null, FrameSide::Envelope, b"0oQ\r\x000oQ\n");
    let refused = |text: &[u8]| Err(("framing-base64", text.to_vec()));
    assert_eq!(read.records, [refused(b"0oQ\r"), refused(b"0oQ\n")]);
}

/// There is one text for each envelope: all texts of up to two characters, and all last ones of three.
#[test]
fn a_text_is_taken_only_if_it_is_what_is_written() {
    let pairs = (0..=u8::MAX).flat_map(|first| (0..=u8::MAX).map(move |second| [first, second]));
    let texts: Vec<_> = pairs
        .flat_map(|[first, second]| [vec![first, second], vec![b'A', first, second]])
        .filter(|text| !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')))
        .filter(|text| !text.trim_ascii().is_empty())
        .collect();
    let read = Reading::whole(Framing::Lines, FrameSide::Envelope, &texts.join(&b'\n'));
    assert_eq!(read.records.len(), texts.len());
    let mut taken = 0;
    for (text, outcome) in texts.iter().zip(&read.records) {
        if let Ok(envelope) = outcome {
            assert_eq!(Base64UrlUnpadded::encode_string(envelope).as_bytes(), text);
            taken += 1;
        }
    }
    // One byte in two characters, and the last of two bytes in three that begin with one.
    assert_eq!(taken, 256 + 16 * 64);
}

#[test]
fn records_up_to_the_limit_are_taken_and_longer_ones_are_not() {
    for longest in [8, 9, 10, KEPT_BYTES - 1, KEPT_BYTES, KEPT_BYTES + 1, 100_000] {
        for framing in FRAMINGS {
            for side in SIDES {
                for bytes in [longest - 1, longest, longest + 1, longest + 2, 3 * longest] {
                    limit(framing, side, longest, bytes);
                }
            }
        }
    }
}

fn limit(framing: Framing, side: FrameSide, longest: usize, bytes: usize) {
    let long = item(bytes);
    let small = vec![0x20];
    let input = framed(framing, side, &[small.clone(), long.clone(), small.clone()]);
    let resumes = matches!(framing, Framing::Lines | Framing::Null);
    let expected = if bytes <= longest {
        Reading { records: vec![Ok(small.clone()), Ok(long), Ok(small)], end: "ok" }
    } else if resumes {
        let mut kept = match side {
            FrameSide::Content => long,
            FrameSide::Envelope => Base64UrlUnpadded::encode_string(&long).into_bytes(),
        };
        kept.truncate(KEPT_BYTES);
        let refused = Err(("too-large", kept));
        Reading { records: vec![Ok(small.clone()), refused, Ok(small)], end: "ok" }
    } else {
        Reading { records: vec![Ok(small)], end: "too-large" }
    };
    for sizes in [&[usize::MAX][..], &[1000], &[4096, 1], &[1, 7, 5000]] {
        let reader = FrameReader::new(Chunks::new(&input, sizes), framing, side);
        let reader = reader.with_longest(longest).with_buffer(512);
        let read = Reading::of(reader, BlockBounds::default());
        assert!(read == expected, "{framing} {side:?} {longest} {bytes} {sizes:?}");
    }
}

#[test]
fn the_limit_is_what_spec_says() {
    let longest = item(MAX_RECORD_BYTES);
    let longer = item(MAX_RECORD_BYTES + 1);
    for framing in FRAMINGS {
        for side in SIDES {
            let mut output = vec![7];
            write(framing, side, &mut output, &longest).unwrap();
            let read = Reading::whole(framing, side, &output[1..]);
            assert!(read == Reading { records: ok(&[&longest]), end: "ok" }, "{framing} {side:?}");
            output.truncate(1);
            let refused = write(framing, side, &mut output, &longer).unwrap_err();
            assert_eq!((refused.reason(), refused.class()), ("too-large", Class::Unsupported));
            assert_eq!(output, [7], "{framing} {side:?}");
        }
    }
}

/// With its CR, the text is one byte longer than any may be; without it, it is not.
#[test]
fn a_line_end_does_not_count() {
    for longest in [30, 3 * KEPT_BYTES] {
        let envelope = vec![0xd2; longest];
        let text = Base64UrlUnpadded::encode_string(&envelope);
        for size in [1, text.len(), text.len() + 1, usize::MAX] {
            let read = |end: &str| {
                let line = [&text, end].concat();
                let input = Chunks::new(line.as_bytes(), &[size]);
                let reader = FrameReader::new(input, Framing::Lines, FrameSide::Envelope);
                let reader = reader.with_longest(longest).with_buffer(2 * text.len());
                Reading::of(reader, BlockBounds::default()).records
            };
            for end in ["\r\n", "\n", ""] {
                assert_eq!(read(end), ok(&[&envelope]), "{longest} {size} {end:?}");
            }
            for end in ["\r\r\n", "\r", "A\r\n", "A\n", "A"] {
                let mut kept = [&text, end.trim_end_matches('\n')].concat().into_bytes();
                kept.truncate(KEPT_BYTES);
                assert_eq!(read(end), [Err(("too-large", kept))], "{longest} {size} {end:?}");
            }
        }
    }
}

/// The CR stands at the end of what is kept while the rest is discarded.
#[test]
fn what_is_kept_of_a_long_line_does_not_depend_on_how_it_arrives() {
    let mut line = vec![b'A'; 3 * KEPT_BYTES];
    line[KEPT_BYTES - 1] = b'\r';
    line.extend(b"\r\nAA\n");
    for size in [1, KEPT_BYTES, KEPT_BYTES + 1, 2 * KEPT_BYTES, 3 * KEPT_BYTES, usize::MAX] {
        let input = Chunks::new(&line, &[size, 1]);
        let mut reader = FrameReader::new(input, Framing::Lines, FrameSide::Envelope)
            .with_longest(KEPT_BYTES)
            .with_buffer(KEPT_BYTES);
        let mut block = reader.next_block(BlockBounds { records: 1, bytes: 1 }).unwrap().unwrap();
        block.decode().unwrap();
        let Some(RecordFrame::Bad { error, kept }) = block.get(0) else { panic!("{block:?}") };
        assert_eq!(kept, &line[..KEPT_BYTES]);
        let (bytes, limit) = (3 * KEPT_BYTES + 1, (KEPT_BYTES * 4).div_ceil(3));
        assert_eq!(error.to_string(), format!("record takes {bytes} bytes, limit is {limit}"));
    }
}

/// Whatever a record claims to be, and however long a line goes on.
#[test]
fn memory_is_bounded_by_the_limit() {
    const LONGEST: usize = 100_000;
    const BUFFER: usize = 1000;
    let endless = vec![b'a'; 20 * LONGEST];
    let mut many = vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    many.resize(20 * LONGEST, 0x00);
    let cases: &[(Framing, &[u8], &str)] = &[
        (Framing::Lines, &endless, "ok"),
        (Framing::Null, &endless, "ok"),
        (Framing::Len32, b"\xff\xff\xff\xff", "too-large"),
        (Framing::Len32, b"\x00\x01\x86\xa1", "too-large"),
        (Framing::Len32, b"\x00\x01\x86\xa0", "record-cut"),
        (Framing::Cbor, b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "too-large"),
        (Framing::Cbor, b"\x5a\x00\x01\x86\x9c", "too-large"),
        (Framing::Cbor, b"\x5a\x00\x01\x86\x9b", "record-cut"),
        (Framing::Cbor, b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "record-cut"),
        (Framing::Cbor, &many, "too-large"),
    ];
    for (framing, input, end) in cases {
        let chunks = Chunks::new(input, &[usize::MAX]);
        let mut reader = FrameReader::new(chunks, *framing, FrameSide::Content)
            .with_longest(LONGEST)
            .with_buffer(BUFFER);
        let outcome = reader.next_block(BlockBounds::default());
        let reason = outcome.map_or_else(|error| error.reason(), |_| "ok");
        assert_eq!(reason, *end, "{framing} {:02x?}", &input[..4]);
        let claimed_only = if input.len() < BUFFER { BUFFER } else { LONGEST + 2 * BUFFER };
        let room = reader.input().longest_room;
        assert!(room <= claimed_only, "{framing}: {room}");
    }
}

#[test]
fn delimiters_alone_are_records_and_come_in_bounds() {
    let flood = vec![b'\n'; 100_000];
    let mut reader = FrameReader::new(&flood[..], Framing::Lines, FrameSide::Content);
    let mut seen = 0;
    while let Some(block) = reader.next_block(BlockBounds { records: 999, bytes: 1 << 20 }).unwrap()
    {
        assert!(block.len() <= 999);
        assert!(block.frames().all(|frame| frame == RecordFrame::Record(b"")));
        seen += block.len();
        reader.give_back(block);
    }
    assert_eq!(seen, flood.len());
}

/// Blank text between envelopes is no record, however it arrives.
#[test]
fn blank_lines_between_envelopes_are_no_records() {
    let good = || Ok(vec![0xd2, 0x84]);
    for (framing, input) in [
        (Framing::Lines, &b"\n\r\n0oQ\n\n \t\r\n0oQ\r\n\n0oQ\n\n"[..]),
        (Framing::Lines, b"0oQ\n0oQ\n \n\n0oQ"),
        (Framing::Lines, b"  \n0oQ\n0oQ\n0oQ\n  "),
        (Framing::Null, b"\x000oQ\0\0\n\x000oQ\x000oQ\0\r\n"),
    ] {
        let read = Reading::whole(framing, FrameSide::Envelope, input);
        assert_eq!(read, Reading { records: vec![good(), good(), good()], end: "ok" }, "{input:?}");
        for size in 1..=input.len() {
            let chunks = Chunks::new(input, &[size]);
            let reader = FrameReader::new(chunks, framing, FrameSide::Envelope);
            let bounds = BlockBounds { records: size.div_ceil(8), bytes: 1 << 20 };
            let again = Reading::of(reader.with_buffer(size.max(4)), bounds);
            assert_eq!(again, read, "{input:?} in pieces of {size}");
        }
    }
    let read = Reading::whole(Framing::Lines, FrameSide::Envelope, b"\n0oQ\n\nx\n");
    assert_eq!(read.records, [good(), Err(("framing-base64", b"x".to_vec()))]);
}

/// An input of nothing but blank lines takes no memory, and a blank line that is too large is a record that is.
#[test]
fn floods_of_blank_lines_are_passed_over_in_bounds() {
    let flood = vec![b'\n'; 10_000_000];
    let mut reader = FrameReader::new(&flood[..], Framing::Lines, FrameSide::Envelope);
    assert!(reader.next_block(BlockBounds::default()).unwrap().is_none());
    assert_eq!(reader.records(), 0);
    for (spaces, expected) in [(8, vec![]), (9, vec!["too-large"]), (100_000, vec!["too-large"])] {
        for size in [1, 7, 4096, 200_000] {
            let input = [vec![b' '; spaces], b"\n".to_vec()].concat();
            let chunks = Chunks::new(&input, &[size]);
            let reader = FrameReader::new(chunks, Framing::Lines, FrameSide::Envelope);
            let read = Reading::of(reader.with_longest(6), BlockBounds::default());
            let found: Vec<_> =
                read.records.into_iter().map(|found| found.unwrap_err().0).collect();
            assert_eq!(found, expected, "{spaces} spaces in pieces of {size}");
        }
    }
}

/// What is cut is never taken for a whole record where its framing can tell.
#[test]
fn an_input_that_is_cut_anywhere_gives_whole_records_and_says_so() {
    let records = [item(10), item(5), item(30), item(7)];
    for framing in FRAMINGS {
        for side in SIDES {
            let input = framed(framing, side, &records);
            let ends: Vec<_> =
                (0..=4).map(|count| framed(framing, side, &records[..count]).len()).collect();
            for cut in 0..=input.len() {
                let read = Reading::whole(framing, side, &input[..cut]);
                let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
                let (before, rest) = read.records.split_at(whole);
                assert!(
                    before.iter().eq(records[..whole]
                        .iter()
                        .cloned()
                        .map(Ok)
                        .collect::<Vec<_>>()
                        .iter())
                );
                let is_between = ends.contains(&cut);
                match framing {
                    Framing::Lines | Framing::Null => {
                        assert_eq!((read.end, rest.len()), ("ok", usize::from(!is_between)));
                    }
                    _ => {
                        let end = if is_between { "ok" } else { "record-cut" };
                        assert_eq!((read.end, rest.len()), (end, 0), "{framing} {cut}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_complete_is_given_out_before_anything_more_is_read() {
    let cases: [(Framing, Vec<&[u8]>); 4] = [
        (Framing::Lines, vec![b"a\nb\nha", b"lf\nc\n"]),
        (Framing::Null, vec![b"a\0b\0ha", b"lf\0c\0"]),
        (Framing::Len32, vec![b"\0\0\0\x01a\0\0\0\x01b\0\0\0\x04ha", b"lf\0\0\0\x01c"]),
        (Framing::Cbor, vec![b"\x41a\x41b\x44ha", b"lf\x41c"]),
    ];
    for (framing, parts) in cases {
        let mut reader = FrameReader::new(Parts(parts), framing, FrameSide::Content);
        // What is left of a read comes without another, and the last one does not wait for more.
        for (records, expected) in [(1, 1), (1, 1), (9, 2)] {
            let block = reader.next_block(BlockBounds { records, bytes: 100 }).unwrap().unwrap();
            assert_eq!(block.len(), expected, "{framing}");
        }
        assert!(reader.input().0.is_empty());
        assert!(!reader.has_complete_frame());
        assert!(reader.take_block(BlockBounds::default()).unwrap().is_none());
    }
}

#[test]
fn a_block_holds_no_more_than_was_asked_for_and_one_record_at_least() {
    let input = b"a\nbb\nccc\n\ndddddddddd\ne\n";
    let blocks = |records, bytes| {
        let mut reader = FrameReader::new(&input[..], Framing::Lines, FrameSide::Content);
        let mut lengths = Vec::new();
        let mut first = 1;
        while let Some(block) = reader.next_block(BlockBounds { records, bytes }).unwrap() {
            assert_eq!(block.number(0), first);
            first = block.number(block.len());
            lengths.push(block.len());
        }
        lengths
    };
    assert_eq!(blocks(100, 100), [6]);
    assert_eq!(blocks(4, 100), [4, 2]);
    assert_eq!(blocks(0, 0), [1; 6]);
    assert_eq!(blocks(100, 5), [2, 2, 1, 1]);
    assert_eq!(blocks(100, 9), [3, 1, 1, 1]);
    assert_eq!(blocks(100, 10), [4, 1, 1]);
}

/// For whoever lingers: reading step by step, and never more than there is memory for.
#[test]
fn reading_step_by_step_stops_where_a_block_must_be_taken() {
    let input = b"one\ntwo\n".repeat(100);
    let chunks = Chunks::new(&input, &[3]);
    let mut reader = FrameReader::new(chunks, Framing::Lines, FrameSide::Content).with_buffer(64);
    assert!(!reader.has_complete_frame());
    assert_eq!(reader.fill_once().unwrap(), Filled::More);
    assert!(!reader.has_complete_frame());
    assert_eq!(reader.fill_once().unwrap(), Filled::More);
    assert!(reader.has_complete_frame());
    while reader.fill_once().unwrap() == Filled::More {}
    assert_eq!(reader.fill_once().unwrap(), Filled::Full);
    let mut seen = Vec::new();
    loop {
        // One at a time, which leaves most of the memory taken.
        if let Some(block) = reader.take_block(BlockBounds { records: 1, bytes: 1 }).unwrap() {
            seen.extend(outcomes(&block));
            reader.give_back(block);
        } else if reader.fill_once().unwrap() == Filled::End {
            break;
        }
        let _ = reader.fill_once().unwrap();
    }
    assert_eq!(seen, ok(&[&b"one"[..], b"two"].repeat(100)));
    assert!(reader.input().longest_room <= 64);
}

#[test]
fn a_read_that_fails_comes_after_what_was_read() {
    struct Fails(bool);
    impl Read for Fails {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("gone"));
            }
            room[..5].copy_from_slice(b"a\nb\nc");
            Ok(5)
        }
    }
    let mut reader = FrameReader::new(Fails(false), Framing::Lines, FrameSide::Content);
    assert_eq!(reader.next_block(BlockBounds::default()).unwrap().unwrap().len(), 2);
    // The third is not whole as far as anybody knows.
    let error = reader.next_block(BlockBounds::default()).unwrap_err();
    assert_eq!((error.reason(), error.class()), ("io", Class::System));
}

#[test]
fn what_a_framing_cannot_hold_is_not_written() {
    let cases: &[(Framing, FrameSide, &[u8], &str)] = &[
        (Framing::Lines, FrameSide::Content, b"a\nb", "lines: it has a line feed"),
        (Framing::Lines, FrameSide::Content, b"\n", "lines: it has a line feed"),
        (Framing::Null, FrameSide::Content, b"a\0", "null: it has a NUL"),
        (Framing::Cbor, FrameSide::Content, b"", "cbor: it is not one CBOR item"),
        (Framing::Cbor, FrameSide::Content, b"\x01\x02", "cbor: it is not one CBOR item"),
        (Framing::Cbor, FrameSide::Content, b"\x42a", "cbor: it is not one CBOR item"),
        (Framing::Cbor, FrameSide::Content, b"\xff", "cbor: it is not one CBOR item"),
        (Framing::Cbor, FrameSide::Envelope, b"\xd2", "cbor: it is not one CBOR item"),
        (Framing::Lines, FrameSide::Envelope, b"", "lines: an envelope is never empty"),
        (Framing::Null, FrameSide::Envelope, b"", "null: an envelope is never empty"),
    ];
    for (framing, side, record, why) in cases {
        let mut output = b"before".to_vec();
        let error = write(*framing, *side, &mut output, record).unwrap_err();
        assert_eq!((error.reason(), error.class()), ("unframeable", Class::Unsupported));
        assert_eq!(error.to_string(), format!("record cannot be written as {why}"));
        assert_eq!(output, b"before", "{record:02x?}");
    }
}

#[test]
fn errors_are_of_the_class_that_their_status_needs() {
    let class = |framing, input: &[u8]| {
        let mut reader = FrameReader::new(input, framing, FrameSide::Content);
        reader.next_block(BlockBounds::default()).unwrap_err().class()
    };
    assert_eq!(class(Framing::Len32, b"\0"), Class::Altered);
    assert_eq!(class(Framing::Cbor, b"\xff"), Class::Altered);
    assert_eq!(class(Framing::Len32, b"\xff\xff\xff\xff"), Class::Unsupported);
}

fn framing() -> impl Strategy<Value = Framing> {
    prop::sample::select(&FRAMINGS)
}

fn side() -> impl Strategy<Value = FrameSide> {
    prop::sample::select(&SIDES)
}

/// Bytes, most of them such that framings mean something by them.
fn telling_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(&b"\n\r\0\x01\x02\x05AQ0o=-_\xff"[..]),
        2 => prop::sample::select(&b"\x18\x41\x5f\x61\x7f\x81\x82\x9f\xa1\xbf\xc1\xd2\xf6\xff"[..]),
        1 => any::<u8>(),
    ];
    vec(byte, 0..200)
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(1..40_usize, 1..8)
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        framing in framing(), side in side(), sizes in sizes(), buffer in 1..100_usize,
        count in 1..20_usize, bytes in 1..400_usize,
        records in vec(vec(any::<u8>(), 0..300), 0..30),
    ) {
        let mut input = Vec::new();
        let mut written = Vec::new();
        for record in records {
            let before = input.len();
            match write(framing, side, &mut input, &record) {
                Ok(()) => written.push(Ok(record)),
                Err(error) => {
                    prop_assert_eq!(error.reason(), "unframeable");
                    prop_assert_eq!(input.len(), before);
                }
            }
        }
        let reader = FrameReader::new(Chunks::new(&input, &sizes), framing, side);
        let read = Reading::of(reader.with_buffer(buffer), BlockBounds { records: count, bytes });
        prop_assert_eq!(read, Reading { records: written, end: "ok" });
    }

    /// Blank text is passed over wherever it is, also where it is too large, is cut by a read or ends the input.
    #[test]
    fn blank_text_gives_the_same_records_however_it_arrives(
        delimiter in prop::sample::select(vec![(Framing::Lines, "\n"), (Framing::Null, "\0")]),
        sizes in sizes(), buffer in 1..40_usize, count in 1..5_usize, bytes in 1..40_usize,
        parts in vec("[ \t\r]{0,14}|0oQ|0oQ\r|x", 0..20), end in any::<bool>(),
    ) {
        let (framing, delimiter) = delimiter;
        let mut input = parts.join(delimiter);
        input.push_str(if end { delimiter } else { "" });
        let reader = |reader: FrameReader<_>| reader.with_longest(6);
        let chunks = Chunks::new(input.as_bytes(), &[usize::MAX]);
        let whole = FrameReader::new(chunks, framing, FrameSide::Envelope);
        let whole = Reading::of(reader(whole), BlockBounds::default());
        // Of 8 characters and fewer, only those that show something are records.
        let seen = parts.iter().filter(|part| part.len() > 8 || !part.trim_ascii().is_empty());
        prop_assert_eq!(whole.records.len(), seen.count());
        let chunks = Chunks::new(input.as_bytes(), &sizes);
        let pieces = FrameReader::new(chunks, framing, FrameSide::Envelope).with_buffer(buffer);
        prop_assert_eq!(Reading::of(reader(pieces), BlockBounds { records: count, bytes }), whole);
    }

    /// One piece of CBOR for a record, so that this framing has something to hold.
    #[test]
    fn items_of_a_sequence_are_read_again(
        sizes in sizes(), side in side(), lengths in vec(2..100_usize, 0..30),
    ) {
        let records: Vec<_> = lengths.into_iter().map(item).collect();
        let input = framed(Framing::Cbor, side, &records);
        let reader = FrameReader::new(Chunks::new(&input, &sizes), Framing::Cbor, side);
        let read = Reading::of(reader.with_buffer(16), BlockBounds::default());
        prop_assert_eq!(read.records, records.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_give_the_same_records_however_they_arrive(
        framing in framing(), side in side(), input in telling_bytes(), sizes in sizes(),
        buffer in 1..100_usize, longest in 0..60_usize, count in 1..20_usize, bytes in 1..100_usize,
    ) {
        let at_once = FrameReader::new(&input[..], framing, side).with_longest(longest);
        let at_once = Reading::of(at_once, BlockBounds::default());
        let reader = FrameReader::new(Chunks::new(&input, &sizes), framing, side);
        let reader = reader.with_longest(longest).with_buffer(buffer);
        prop_assert_eq!(Reading::of(reader, BlockBounds { records: count, bytes }), at_once);
    }
}
