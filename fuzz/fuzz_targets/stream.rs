//! Whatever is done to a stream, what comes out is a beginning of what was signed, in order; the end
//! is reached only by the stream that was signed, to the byte; and one thread or three say the same.
//!
//! The input is a list of edits of the whole, five bytes each: flips, cuts, insertions, and blocks
//! moved or doubled, as long as a segment or not. An input that begins with the tag of an envelope is
//! read as it is.

#![no_main]

use std::io::{Cursor, Write as _};
use std::sync::{Arc, LazyLock};

use brine_core::{
    Classified as _, Error, Expectations, Input, KnownSigners, Signer, SigningKey, Statement,
    StreamOptions, StreamWriter, Timestamp, Unique, open,
};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

fuzz_target!(|input: &[u8]| {
    let mut stream = if input.first() == Some(&0xd2) { input.to_vec() } else { SIGNED.clone() };
    if input.first() != Some(&0xd2) {
        for &[what, at, more_at, length, with] in input.as_chunks().0 {
            let at = usize::from(u16::from_be_bytes([at, more_at])) % (stream.len() + 1);
            edit(&mut stream, what, at, length.into(), with);
        }
    }
    let (released, outcome) = read(&stream, 1);
    assert!(CONTENT.starts_with(&released), "released: {released:02x?}");
    assert_eq!(outcome.is_ok(), stream == *SIGNED, "{outcome:?}");
    let (again, same) = read(&stream, 3);
    assert_eq!(again, released);
    assert_eq!(same.map_err(|error| error.reason()), outcome.map_err(|error| error.reason()));
});

fn edit(stream: &mut Vec<u8>, what: u8, at: usize, length: usize, with: u8) {
    let end = (at + length).min(stream.len());
    match what % 6 {
        0 if at < stream.len() => stream[at] ^= 1 << (with % 8),
        1 => stream.truncate(at),
        2 => drop(stream.drain(at..end)),
        3 => {
            let block = stream[at..end].to_vec();
            stream.splice(at..at, block);
        }
        4 => {
            let block: Vec<_> = stream.drain(at..end).collect();
            let to = usize::from(with) * 7 % (stream.len() + 1);
            stream.splice(to..to, block);
        }
        _ => stream.insert(at, with),
    }
}

fn read(stream: &[u8], threads: usize) -> (Vec<u8>, Result<(), Error>) {
    let mut released = Vec::new();
    let outcome = release(stream, threads, &mut released);
    (released, outcome)
}

fn release(stream: &[u8], threads: usize, released: &mut Vec<u8>) -> Result<(), Error> {
    let trust = KnownSigners::new([Signer::new("alice", key().verifying_key().clone())]);
    let opening = open(Input::new(Cursor::new(stream.to_vec())))?.threads(threads);
    let mut verified = opening.verify(&Expectations::new(), &trust, &now())?;
    while let Some(content) = verified.next_piece()? {
        released.extend(content);
    }
    Ok(())
}

fn key() -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([7; 32]))
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).expect("a time in range")
}

/// Three segments and a bit, with the same bytes in two of them.
const CONTENT: &[u8] = b"sixteen bytes, asixteen bytes, aanother sixteen,the end";

static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let statement = Statement::at(now()).unique(Unique { cti: [7; 16], sequence: None });
    let options = StreamOptions::new().segment_bytes(16).stream_id([9; 16]);
    let mut writer = StreamWriter::new(Vec::new(), Arc::new(key()), statement, options)
        .expect("no randomness is needed");
    writer.write_all(CONTENT).expect("memory takes it");
    writer.finish().expect("memory takes it")
});
