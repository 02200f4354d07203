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
    #[inline]
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
        Self::read_minimal(input).ok_or_else(|| Self::refusal(input))
    }

    /// Does what [`read_strict`](Self::read_strict) does, and does not say why it refuses: to carry that about costs
    /// more than to read a head.
    #[inline]
    pub(super) fn read_minimal(input: &[u8]) -> Option<Self> {
        let head = Self::read(input).ok()?;
        (head.is_minimal() && !head.is_indefinite()).then_some(head)
    }

    /// Says why [`read_minimal`](Self::read_minimal) refuses a head.
    #[cold]
    pub(super) fn refusal(input: &[u8]) -> Malformed {
        match Self::read(input) {
            Ok(head) if head.is_indefinite() => Malformed::new(0, Flaw::IndefiniteLength),
            Ok(_) => Malformed::new(0, Flaw::NonMinimal),
            Err(malformed) => malformed,
        }
    }

    #[inline]
    const fn is_minimal(&self) -> bool {
        let least = match self.info {
            24 => 24,
            25 => 1 << 8,
            26 => 1 << 16,
            27 => 1 << 32,
            _ => 0,
        };
        match (self.major, self.info) {
            // A simple value below 32 in two bytes is not well-formed, and floats are as long as their type says
            // (RFC 8949, Section 3.3).
            (Major::Simple, 24) => self.argument >= 32,
            (Major::Simple, _) => true,
            _ => self.argument >= least,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::HeadBytes;
    use super::*;

    #[test]
    fn strict_heads_are_those_that_are_written() {
        let mut strict = 0;
        for start in 0..=u16::MAX {
            for rest in [0x00, 0xff] {
                let input = [start.to_be_bytes().as_slice(), &[rest; 7]].concat();
                let read = Head::read(&input);
                let is_written = |head: &Head| {
                    let written = HeadBytes::new(head.major, head.argument);
                    written.as_bytes() == &input[..head.size]
                };
                match read {
                    // Floats, and simple values that are not well-formed, are written by nobody here.
                    Ok(head) if head.major == Major::Simple && head.info > 23 => {}
                    Ok(_) => {
                        let found = Head::read_strict(&input).ok();
                        assert_eq!(found, read.ok().filter(is_written), "{input:02x?}");
                        strict += usize::from(found.is_some());
                    }
                    Err(_) => assert_eq!(Head::read_strict(&input), read, "{input:02x?}"),
                }
            }
        }
        assert!(strict > 0);
    }
}
