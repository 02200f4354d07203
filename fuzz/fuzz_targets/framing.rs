//! Any bytes give the same records however they arrive, and what was read as a record can be written
//! and is read as the same one again.
//!
//! The first byte says which framing and side, the next two how much arrives at once and how much
//! memory there is; the rest is the input.

#![no_main]

use std::io::{self, Read};

use brine_core::Classified as _;
use brine_core::cbor::{Extent, ExtentFinder, extent};
use brine_records::{BlockBounds, FrameReader, FrameSide, Framing, FramingError, RecordFrame};
use libfuzzer_sys::fuzz_target;

/// No record is longer, so that short inputs can have one that is.
const LONGEST: usize = 64;

/// Memory for any input at once; to clear more of it would take most of the time.
const ENOUGH: usize = 8192;

fuzz_target!(|input: &[u8]| {
    let Some((&[first, chunk, buffer], input)) = input.split_first_chunk() else { return };
    let framing =
        [Framing::Lines, Framing::Null, Framing::Len32, Framing::Cbor][usize::from(first) % 4];
    let side = if first & 0x80 == 0 { FrameSide::Content } else { FrameSide::Envelope };
    let all = BlockBounds { records: usize::MAX, bytes: usize::MAX };
    let at_once = read(FrameReader::new(input, framing, side).with_buffer(ENOUGH), all);

    let trickle = Trickle { rest: input, chunk: usize::from(chunk) % 32 + 1 };
    let reader = FrameReader::new(trickle, framing, side).with_buffer(buffer.into());
    let few = BlockBounds { records: usize::from(first >> 2) % 8, bytes: buffer.into() };
    assert_eq!(read(reader, few), at_once);

    again(framing, side, &at_once.0);
    measured_alike(input, usize::from(chunk) % 32 + 1);
});

type Records = Vec<Result<Vec<u8>, (FramingError, Vec<u8>)>>;

fn read(reader: FrameReader<impl Read>, bounds: BlockBounds) -> (Records, &'static str) {
    let mut reader = reader.with_longest(LONGEST);
    let mut records = Vec::new();
    loop {
        let mut block = match reader.next_block(bounds) {
            Ok(Some(block)) => block,
            Ok(None) => return (records, "ok"),
            Err(error) => return (records, error.reason()),
        };
        assert_eq!(block.number(0), records.len() as u64 + 1);
        block.decode().expect("there is memory");
        records.extend(block.frames().map(|frame| match frame {
            RecordFrame::Bad { error, kept } => Err((error, kept.to_vec())),
            RecordFrame::Record(record) => Ok(record.to_vec()),
        }));
        reader.give_back(block);
    }
}

fn again(framing: Framing, side: FrameSide, records: &Records) {
    let good: Vec<_> = records.iter().filter_map(|record| record.as_ref().ok()).collect();
    let mut output = Vec::new();
    for record in &good {
        match side {
            FrameSide::Content => framing.write_content(&mut output, record),
            FrameSide::Envelope => framing.write_envelope(&mut output, record),
        }
        .expect("what was read can be written");
    }
    let reader = FrameReader::new(&output[..], framing, side).with_buffer(ENOUGH);
    let (read_again, end) = read(reader, BlockBounds::default());
    assert_eq!(end, "ok");
    assert!(read_again.iter().map(|record| record.as_ref().expect("it was good")).eq(good));
}

/// An item is as long as it is, at once or bit by bit.
fn measured_alike(input: &[u8], chunk: usize) {
    let mut finder = ExtentFinder::default();
    let mut end = 0;
    let found = loop {
        match finder.find(&input[..end]) {
            Extent::NeedMore(missing) if end < input.len() => {
                assert!(missing > 0);
                end = (end + chunk).min(input.len());
            }
            found => break found,
        }
    };
    assert_eq!(found, extent(input));
}

struct Trickle<'a> {
    rest: &'a [u8],
    chunk: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let size = self.chunk.min(room.len());
        (&mut self.rest).take(size as u64).read(room)
    }
}
