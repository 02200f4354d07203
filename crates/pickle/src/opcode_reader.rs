//! Reads opcodes with their operands.

use std::io::BufRead as _;

use super::literal::MAX_WORD_BYTES;
use super::opcode::{Opcode, Operand};
use super::rule::PickleRule;

/// Reads a file from its start, opcode by opcode. It relies on no length that the file claims.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpcodeReader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// An opcode with its operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpcodeStep<'a> {
    pub(super) opcode: Opcode,
    /// Where the opcode begins.
    pub(super) offset: usize,
    /// The operand, without a count before it or a line end after it.
    pub(super) operand: &'a [u8],
    /// The second line of an operand of two lines.
    pub(super) second: &'a [u8],
}

/// An opcode that pushes a literal, read again.
#[derive(Clone, Copy, Debug)]
pub(super) struct LiteralStep<'a> {
    pub(super) opcode: Opcode,
    /// The operand; none if it is a line that is too long to be read again and again.
    pub(super) operand: Option<&'a [u8]>,
}

impl LiteralStep<'_> {
    /// Returns whether it is a line that stands for another text than its bytes.
    pub(super) fn has_escapes(&self) -> bool {
        self.opcode == Opcode::Unicode
            && self.operand.is_none_or(|line| !line.is_ascii() || line.contains(&b'\\'))
    }
}

impl<'a> OpcodeReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Returns where the next opcode begins.
    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.offset >= self.bytes.len()
    }

    /// Returns how many bytes are left.
    pub(super) const fn rest(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    /// Reads the opcode of a literal again. It takes no longer for a long operand.
    pub(super) fn literal(&self, offset: u32) -> Option<LiteralStep<'a>> {
        let offset = usize::try_from(offset).ok()?;
        let opcode = Opcode::from_byte(*self.bytes.get(offset)?)?;
        let bytes = match opcode.operand() {
            Operand::Line | Operand::Lines => {
                let end = offset.saturating_add(MAX_WORD_BYTES);
                self.bytes.get(..end).unwrap_or(self.bytes)
            }
            _ => self.bytes,
        };
        let operand = Self { bytes, offset }.step().ok().map(|step| step.operand);
        Some(LiteralStep { opcode, operand })
    }

    /// Reads the next opcode.
    ///
    /// # Errors
    ///
    /// - [`PickleRule::LengthNegative`] if a length is below zero;
    /// - [`PickleRule::Truncated`] if the file ends inside the opcode;
    /// - [`PickleRule::UnknownOpcode`] if there is no such opcode.
    pub(super) fn step(&mut self) -> Result<OpcodeStep<'a>, PickleRule> {
        let offset = self.offset;
        let [byte] = self.array()?;
        let opcode = Opcode::from_byte(byte).ok_or(PickleRule::UnknownOpcode)?;
        let mut step = OpcodeStep { opcode, offset, operand: &[], second: &[] };
        match opcode.operand() {
            Operand::Counted(width) => {
                let count = self.take(width)?;
                step.operand = self.take(little_endian(count).ok_or(PickleRule::Truncated)?)?;
            }
            Operand::CountedSigned => {
                let count = i32::from_le_bytes(self.array()?);
                let count = usize::try_from(count).map_err(|_| PickleRule::LengthNegative)?;
                step.operand = self.take(count)?;
            }
            Operand::Fixed(length) => step.operand = self.take(length)?,
            Operand::Line => step.operand = self.line()?,
            Operand::Lines => {
                step.operand = self.line()?;
                step.second = self.line()?;
            }
        }
        Ok(step)
    }

    /// Takes bytes that are no opcode.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], PickleRule> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(PickleRule::Truncated)?;
        self.offset = self.offset.saturating_add(length);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleRule> {
        self.take(N)?.try_into().map_err(|_| PickleRule::Truncated)
    }

    /// Reads a line. It must end in a line feed: CPython's loaders disagree about a line that the end of the
    /// file cuts short.
    fn line(&mut self) -> Result<&'a [u8], PickleRule> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        // Of long lines, this is several times as fast as `position`.
        let length = { rest }.skip_until(b'\n').map_err(|_| PickleRule::Truncated)?;
        self.take(length)?.strip_suffix(b"\n").ok_or(PickleRule::Truncated)
    }
}

/// Reads a number of up to eight bytes in little-endian order; `None` if it is larger than any length.
pub(super) fn little_endian(bytes: &[u8]) -> Option<usize> {
    let number = bytes.iter().rev().try_fold(0_u64, |number, byte| {
        Some(number.checked_mul(1 << 8)?.saturating_add(u64::from(*byte)))
    });
    number.and_then(|number| usize::try_from(number).ok())
}
