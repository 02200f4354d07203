//! Reads opcodes with what follows them.

use super::opcode::{Opcode, Operand};
use super::reason::Reason;

/// Reads a file from its start, opcode by opcode. No length that is claimed is believed.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// An opcode and what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) opcode: Opcode,
    /// Where the opcode is.
    pub(super) offset: usize,
    /// What follows it, without the count before and the line end after.
    pub(super) operand: &'a [u8],
    /// The second line, if it takes two.
    pub(super) second: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Returns where the next opcode is.
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

    /// Returns the part of the file from `start` on.
    pub(super) fn part(&self, start: usize, length: usize) -> &'a [u8] {
        let end = start.saturating_add(length);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Reads the next opcode.
    ///
    /// # Errors
    ///
    /// - [`Reason::LengthNegative`] if a length is below zero.
    /// - [`Reason::Truncated`] if the file ends before it does.
    /// - [`Reason::UnknownOpcode`] if there is no such opcode.
    pub(super) fn step(&mut self) -> Result<Step<'a>, Reason> {
        let offset = self.offset;
        let [byte] = self.array()?;
        let opcode = Opcode::from_byte(byte).ok_or(Reason::UnknownOpcode)?;
        let mut step = Step { opcode, offset, operand: &[], second: &[] };
        match opcode.operand() {
            Operand::Counted(width) => {
                let count = self.take(width)?;
                step.operand = self.take(little_endian(count).ok_or(Reason::Truncated)?)?;
            }
            Operand::CountedSigned => {
                let count = i32::from_le_bytes(self.array()?);
                let count = usize::try_from(count).map_err(|_| Reason::LengthNegative)?;
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

    fn take(&mut self, length: usize) -> Result<&'a [u8], Reason> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(Reason::Truncated)?;
        self.offset = self.offset.saturating_add(length);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        self.take(N)?.try_into().map_err(|_| Reason::Truncated)
    }

    /// Reads a line. CPython's loaders differ over one that the end of the file ends.
    fn line(&mut self) -> Result<&'a [u8], Reason> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).ok_or(Reason::Truncated)?;
        let line = self.take(length)?;
        self.take(1)?;
        Ok(line)
    }
}

/// Reads a number of up to eight bytes, the least significant first; `None` if it is beyond any length.
pub(super) fn little_endian(bytes: &[u8]) -> Option<usize> {
    let number = bytes.iter().rev().try_fold(0_u64, |number, byte| {
        Some(number.checked_mul(1 << 8)?.saturating_add(u64::from(*byte)))
    });
    number.and_then(|number| usize::try_from(number).ok())
}
