//! What reading and writing records costs, in nanoseconds a record, beside copying the bytes once.
//!
//! Each row is the best of several runs over the same records in memory.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops where it fails"
)]

use std::hint::black_box;
use std::time::Instant;

use brine_records::{BlockBounds, FrameReader, FrameSide, Framing, RecordFrame};

const RECORD_BYTES: usize = 300;
const RECORDS: usize = 100_000;
const RUNS: usize = 9;

fn main() {
    println!("{RECORDS} records of {RECORD_BYTES} bytes, nanoseconds a record");
    println!("{:<28} {:>8} {:>8} {:>8}", "", "write", "read", "decode");
    let mut output = Vec::new();
    let copied = best(|| {
        let record = record(Framing::Cbor);
        output.clear();
        for _ in 0..RECORDS {
            output.extend_from_slice(black_box(&record));
        }
    });
    println!("{:<28} {copied:>8.1}", "copying");
    for framing in [Framing::Lines, Framing::Null, Framing::Len32, Framing::Cbor] {
        for side in [FrameSide::Content, FrameSide::Envelope] {
            measure(framing, side);
        }
    }
}

fn measure(framing: Framing, side: FrameSide) {
    let record = record(framing);
    let mut framed = Vec::new();
    let write = best(|| {
        framed.clear();
        for _ in 0..RECORDS {
            write(framing, side, &mut framed, &record);
        }
    });
    let read = best(|| read(framing, side, &framed, false));
    let decoded = best(|| read_and_decode(framing, side, &framed));
    let decode = (decoded - read).max(0.0);
    println!("{:<28} {write:>8.1} {read:>8.1} {decode:>8.1}", format!("{framing} {side:?}"));
}

/// One CBOR byte string, without the bytes that end lines and texts.
fn record(framing: Framing) -> Vec<u8> {
    let mut record = vec![0x5a; RECORD_BYTES];
    if framing == Framing::Cbor {
        record.splice(..3, [0x59, 0x01, 0x29]);
    }
    record
}

fn write(framing: Framing, side: FrameSide, output: &mut Vec<u8>, record: &[u8]) {
    match side {
        FrameSide::Content => framing.write_content(output, record).unwrap(),
        FrameSide::Envelope => framing.write_envelope(output, record).unwrap(),
    }
}

fn read_and_decode(framing: Framing, side: FrameSide, framed: &[u8]) {
    read(framing, side, framed, true);
}

fn read(framing: Framing, side: FrameSide, framed: &[u8], decode: bool) {
    let mut reader = FrameReader::new(framed, framing, side);
    let mut records = 0;
    while let Some(mut block) = reader.next_block(BlockBounds::default()).unwrap() {
        if decode {
            block.decode().unwrap();
        }
        records += block.frames().filter(|frame| matches!(frame, RecordFrame::Record(_))).count();
        reader.give_back(block);
    }
    assert_eq!(records, RECORDS);
}

fn best(mut work: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9 / f64::from(u32::try_from(RECORDS).unwrap())
}
