//! The older format of LZMA has no number at its beginning. liblzma goes by whether the header makes sense, and so
//! do weights and texts now and then.

use crate::opcode::Opcode;

/// Returns whether liblzma would get something out of bytes that a loader of pickles takes, from the first stream
/// or from one after empty ones.
pub(super) fn is_lzma(mut bytes: &[u8]) -> bool {
    loop {
        if is_usual(bytes) {
            return true;
        }
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return false;
        };
        let Some(length) = length_of(header) else { return false };
        let Some((&[0, code @ ..], after)) = rest.split_first_chunk::<5>() else {
            return false;
        };
        let code = u32::from_be_bytes(code);
        match first_symbol(code, after) {
            // It has to end the stream, and begins as the symbol that does.
            FirstSymbol::Match if code >> 24 == 0x83 => return true,
            FirstSymbol::Byte(byte) if length != 0 => return begins_something(byte),
            FirstSymbol::Match | FirstSymbol::Missing if length != 0 => return false,
            // Nothing is in it. Python goes on with the next stream.
            _ if is_xz(after) => return true,
            _ => {}
        }
        bytes = after;
    }
}

/// The usual properties, the size of a dictionary, and no length.
fn is_usual(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return false };
    header.starts_with(&[0x5d, 0, 0]) && header.ends_with(&[0xff; 8])
}

/// Returns the length that a header states if liblzma takes it: all ones if it states none.
///
/// Where it chooses the format itself, it takes only dictionaries of a size that LZMA's own program wrote, and
/// lengths below 256 GiB. With the usual properties, any is taken here.
fn length_of(header: &[u8; HEADER_BYTES]) -> Option<u64> {
    let [properties, dictionary @ .., l0, l1, l2, l3, l4, l5, l6, l7] = *header;
    let length = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    let literal_bits = properties % 9 + properties / 9 % 5;
    let is_good = properties <= MAX_PROPERTIES
        && literal_bits <= 4
        && has_usual_size(u32::from_le_bytes(dictionary))
        && (length == u64::MAX || length < MAX_LENGTH);
    (is_good || properties == 0x5d).then_some(length)
}

/// Returns whether a size is 2^n, 2^n + 2^(n-1), 0, or the largest.
const fn has_usual_size(size: u32) -> bool {
    let ones = size.count_ones();
    let neighbours = ones == 2 && (size & (size << 1)) != 0;
    ones <= 1 || neighbours || size == u32::MAX
}

/// Returns whether a pickle or something else that is compressed can begin with a byte.
const fn begins_something(byte: u8) -> bool {
    Opcode::from_byte(byte).is_some() || matches!(byte, 0x1f | 0x78 | 0xfd)
}

/// The first symbol of a stream.
enum FirstSymbol {
    Byte(u8),
    /// It copies from before the stream, which is an error, or ends it.
    Match,
    Missing,
}

/// Decodes the first symbol. Nothing is known yet, so that each of the nine bits has a probability of a half.
fn first_symbol(mut code: u32, after: &[u8]) -> FirstSymbol {
    let mut after = after.iter();
    let mut range = u32::MAX;
    let mut symbol = 0_u8;
    for number in 0..=u8::BITS {
        if range < 1 << 24 {
            range <<= 8;
            let Some(next) = after.next() else { return FirstSymbol::Missing };
            code = (code << 8) | u32::from(*next);
        }
        let half = (range >> 11).saturating_mul(1 << 10);
        let bit = code >= half;
        if bit {
            range = range.saturating_sub(half);
            code = code.saturating_sub(half);
        } else {
            range = half;
        }
        match (number, bit) {
            (0, true) => return FirstSymbol::Match,
            (0, false) => {}
            _ => symbol = (symbol << 1) | u8::from(bit),
        }
    }
    FirstSymbol::Byte(symbol)
}

const HEADER_BYTES: usize = 13;
const MAX_PROPERTIES: u8 = (4 * 5 + 4) * 9 + 8;
const MAX_LENGTH: u64 = 1 << 38;

fn is_xz(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xfd7zXZ\0") || bytes.starts_with(b"LZIP")
}
