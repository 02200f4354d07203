//! An envelope with everything in it, and every small change of some bytes.

use std::time::Duration;

use brine_core::{Sequence, Unique, sign};

use crate::{key, now, statement, unique};

/// Returns an envelope with every field that brine writes, numbered as records are.
#[must_use]
pub fn full_envelope() -> Vec<u8> {
    let sequence = Some(Sequence { channel: [9; 16], seq: 70_000 });
    let statement = statement()
        .content_type("application/json")
        .context("orders")
        .expires(now().plus(Duration::from_secs(600)))
        .not_before(now())
        .unique(Unique { sequence, ..unique(7) });
    sign(&statement, &key(1), b"{\"amount\": 1000}").unwrap().to_bytes()
}

/// Returns each small change of `original`, with a name: every bit flipped, every byte dropped or doubled, every
/// cut, and bytes added in every place. Some leave the bytes as they are.
pub fn mutations(original: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    let flips = (0..original.len() * 8).map(|bit| {
        let mut altered = original.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} flipped"), altered)
    });
    let drops = (0..original.len()).map(|index| {
        let mut altered = original.to_vec();
        altered.remove(index);
        (format!("byte {index} dropped"), altered)
    });
    let doubles = (0..original.len()).map(|index| {
        let mut altered = original.to_vec();
        altered.insert(index, original[index]);
        (format!("byte {index} doubled"), altered)
    });
    let cuts = (0..original.len())
        .map(|length| (format!("cut to {length} bytes"), original[..length].to_vec()));
    let additions = (0..=original.len()).flat_map(|index| {
        [0x00, 0x0a, 0x40, 0xa0, 0xd2, 0xf6, 0xff].map(|byte| {
            let mut altered = original.to_vec();
            altered.insert(index, byte);
            (format!("{byte:#04x} added at {index}"), altered)
        })
    });
    flips.chain(drops).chain(doubles).chain(cuts).chain(additions)
}
