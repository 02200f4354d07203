//! The deterministic writer (RFC 8949, Section 4.2.1).

use super::Major;

/// Writes CBOR with shortest heads and definite lengths.
///
/// Map keys are written in the order they are given: the caller gives them sorted.
///
/// ```
/// let mut encoder = brine_core::cbor::Encoder::new();
/// encoder.map(1).int(1).int(-8);
/// assert_eq!(encoder.into_bytes(), [0xa1, 0x01, 0x27]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    output: Vec<u8>,
}

impl Encoder {
    /// Starts with nothing written.
    #[must_use]
    pub const fn new() -> Self {
        Self { output: Vec::new() }
    }

    /// Returns what has been written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.output
    }

    /// Forgets what was written and keeps its memory.
    pub fn clear(&mut self) -> &mut Self {
        self.output.clear();
        self
    }

    /// Returns what was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.output
    }

    /// Writes the head of an array of `length` items.
    pub fn array(&mut self, length: u64) -> &mut Self {
        self.head(Major::Array, length)
    }

    /// Writes the head of a map of `pairs` pairs.
    pub fn map(&mut self, pairs: u64) -> &mut Self {
        self.head(Major::Map, pairs)
    }

    /// Writes the head of a tag.
    pub fn tag(&mut self, number: u64) -> &mut Self {
        self.head(Major::Tag, number)
    }

    /// Writes an integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        let major = if value < 0 { Major::Negative } else { Major::Unsigned };
        // `!value` is −1 − value, the argument of a negative integer (RFC 8949, Section 3.1).
        self.head(major, if value < 0 { !value } else { value }.unsigned_abs())
    }

    /// Writes an integer that has no sign.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(Major::Unsigned, value)
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes_head(bytes.len()).raw(bytes)
    }

    /// Writes the head of a byte string whose bytes follow by another way.
    pub fn bytes_head(&mut self, length: usize) -> &mut Self {
        self.long_bytes_head(length_of(length))
    }

    /// Does what [`bytes_head`](Self::bytes_head) does for what may be longer than memory.
    pub fn long_bytes_head(&mut self, length: u64) -> &mut Self {
        self.head(Major::Bytes, length)
    }

    /// Writes a text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(Major::Text, length_of(text.len())).raw(text.as_bytes())
    }

    /// Writes `false` or `true`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(&[if value { 0xf5 } else { 0xf4 }])
    }

    /// Writes nil.
    pub fn nil(&mut self) -> &mut Self {
        self.raw(&[0xf6])
    }

    /// Writes an item that is encoded already.
    pub fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.output.extend_from_slice(item);
        self
    }

    fn head(&mut self, major: Major, argument: u64) -> &mut Self {
        if let Ok(short @ 0..=23) = u8::try_from(argument) {
            self.output.push(major.bits() | short);
            return self;
        }
        let HeadBytes { bytes, length } = HeadBytes::new(major, argument);
        let end = self.output.len().saturating_add(length);
        // A copy of nine bytes costs less than one of as many as there are.
        self.output.extend_from_slice(&bytes);
        self.output.truncate(end);
        self
    }
}

/// The shortest head of an item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadBytes {
    bytes: [u8; 9],
    length: usize,
}

impl HeadBytes {
    /// No head, of nothing.
    pub(crate) const NONE: Self = Self { bytes: [0; 9], length: 0 };

    /// Encodes a major type and its argument.
    pub(crate) const fn new(major: Major, argument: u64) -> Self {
        let [.., low] = argument.to_be_bytes();
        let (info, bits, length) = match argument {
            0..=23 => (low, 0, 1),
            24..=0xff => (24, 8, 2),
            0x100..=0xffff => (25, 16, 3),
            0x1_0000..=0xffff_ffff => (26, 32, 5),
            _ => (27, 64, 9),
        };
        // As many bits as the argument takes come first.
        let [a, b, c, d, e, f, g, h] = argument.rotate_right(bits).to_be_bytes();
        let bytes = [major.bits() | info, a, b, c, d, e, f, g, h];
        Self { bytes, length }
    }

    /// Encodes the head of a byte string.
    pub(crate) fn of_bytes(length: usize) -> Self {
        Self::new(Major::Bytes, length_of(length))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A length in memory as a CBOR argument; no machine has more than 64 bits of it.
fn length_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_shortest_around_every_boundary() {
        let cases: &[(i64, &[u8])] = &[
            (0, b"\x00"),
            (23, b"\x17"),
            (24, b"\x18\x18"),
            (0xff, b"\x18\xff"),
            (0x100, b"\x19\x01\x00"),
            (0xffff, b"\x19\xff\xff"),
            (0x1_0000, b"\x1a\x00\x01\x00\x00"),
            (0xffff_ffff, b"\x1a\xff\xff\xff\xff"),
            (0x1_0000_0000, b"\x1b\x00\x00\x00\x01\x00\x00\x00\x00"),
            (i64::MAX, b"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff"),
            (-1, b"\x20"),
            (-24, b"\x37"),
            (-25, b"\x38\x18"),
            (i64::MIN, b"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"),
        ];
        for (value, expected) in cases {
            let mut encoder = Encoder::new();
            encoder.int(*value);
            assert_eq!(encoder.into_bytes(), *expected, "{value}");
        }
    }
}
