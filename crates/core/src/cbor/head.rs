//! The first bytes of an item: its major type and its argument (RFC 8949, Section 3).

use super::{Flaw, Malformed};

/// A major type (RFC 8949, Section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    /// Unsigned integer.
    Unsigned,
    /// Negative integer: −1 − argument.
    Negative,
    /// Byte string.
    Bytes,
    /// Text string.
    Text,
    /// Array.
    Array,
    /// Map.
    Map,
    /// Tag.
    Tag,
    /// Simple value or float.
    Simple,
}

impl Major {
    #[inline]
    const fn of(initial: u8) -> Self {
        match initial >> 5 {
            0 => Self::Unsigned,
            1 => Self::Negative,
            2 => Self::Bytes,
            3 => Self::Text,
            4 => Self::Array,
            5 => Self::Map,
            6 => Self::Tag,
            _ => Self::Simple,
        }
    }

    /// Returns the three bits that stand for it, shifted into place.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Unsigned => 0x00,
            Self::Negative => 0x20,
            Self::Bytes => 0x40,
            Self::Text => 0x60,
            Self::Array => 0x80,
            Self::Map => 0xa0,
            Self::Tag => 0xc0,
            Self::Simple => 0xe0,
        }
    }
}

/// The head of an item as it stands in the input, strict or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The major type.
    pub major: Major,
    /// The five low bits of the initial byte.
    pub info: u8,
    /// The argument; 0 where `info` is 31.
    pub argument: u64,
    /// How many bytes the head takes: 1, 2, 3, 5 or 9.
    pub size: usize,
}

impl Head {
    /// Reads the head at the start of `input` and holds it to no rule but that it is one.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedEnd`] and [`Flaw::ReservedHead`], at offset 0.
    pub fn read(input: &[u8]) -> Result<Self, Malformed> {
        const CUT: Malformed = Malformed::new(0, Flaw::UnexpectedEnd);
        let (&initial, rest) = input.split_first().ok_or(CUT)?;
        let info = initial & 0x1f;
        let (argument, extra) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(u8::from_be_bytes(*rest.first_chunk().ok_or(CUT)?)), 1),
            25 => (u64::from(u16::from_be_bytes(*rest.first_chunk().ok_or(CUT)?)), 2),
            26 => (u64::from(u32::from_be_bytes(*rest.first_chunk().ok_or(CUT)?)), 4),
            27 => (u64::from_be_bytes(*rest.first_chunk().ok_or(CUT)?), 8),
            31 => (0, 0),
            _ => return Err(Malformed::new(0, Flaw::ReservedHead)),
        };
        Ok(Self { major: Major::of(initial), info, argument, size: 1 + extra })
    }

    /// Returns whether it announces no length, or is a break.
    #[must_use]
    pub const fn is_indefinite(&self) -> bool {
        self.info == 31
    }

    /// Reads the head at the start of `input` and demands the shortest form (RFC 8949, Section 4.2.1).
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read), [`Flaw::IndefiniteLength`] and [`Flaw::NonMinimal`].
    pub fn read_strict(input: &[u8]) -> Result<Self, Malformed> {
        let head = Self::read(input)?;
        if head.is_indefinite() {
            return Err(Malformed::new(0, Flaw::IndefiniteLength));
        }
        if head.is_minimal() { Ok(head) } else { Err(Malformed::new(0, Flaw::NonMinimal)) }
    }

    /// Does what [`read_strict`](Self::read_strict) does for a head of one byte, or of two if it is no
    /// simple value: nearly all are. `None` for any other.
    #[inline]
    pub(super) fn read_short(input: &[u8]) -> Option<Self> {
        let &initial = input.first()?;
        let (info, major) = (initial & 0x1f, Major::of(initial));
        if info < 24 {
            return Some(Self { major, info, argument: info.into(), size: 1 });
        }
        let &next = input.get(1)?;
        let two = info == 24 && next >= 24 && major != Major::Simple;
        two.then(|| Self { major, info, argument: next.into(), size: 2 })
    }

    const fn is_minimal(&self) -> bool {
        let least = match (self.major, self.info) {
            // Floats are as long as their type says; a simple value below 32 in two bytes is not
            // well-formed (RFC 8949, Section 3.3).
            (Major::Simple, 25..=27) => 0,
            (Major::Simple, 24) => 32,
            (_, 24) => 24,
            (_, 25) => 1 << 8,
            (_, 26) => 1 << 16,
            (_, 27) => 1 << 32,
            _ => 0,
        };
        self.argument >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the short way takes, the strict way takes too, and as the same.
    #[test]
    fn short_heads_are_strict_ones() {
        let mut taken = 0;
        for bytes in 0..=u16::MAX {
            let input = [bytes.to_be_bytes().as_slice(), &[0xff; 8]].concat();
            if let Some(short) = Head::read_short(&input) {
                assert_eq!(Head::read_strict(&input), Ok(short), "{bytes:04x}");
                taken += 1;
            }
            let one = &input[..1];
            if let Some(short) = Head::read_short(one) {
                assert_eq!(Head::read_strict(one), Ok(short), "{bytes:04x}");
            }
        }
        // Eight types with 24 short arguments each, and seven with those of the second byte.
        assert_eq!(taken, 8 * 24 * 256 + 7 * (256 - 24));
    }
}
