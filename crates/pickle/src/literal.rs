//! Values that are in the file as they are, read again where a rule asks for them.

use std::borrow::Cow;

use super::opcode::Opcode;
use super::opcode_reader::LiteralStep;

/// A number, a text, bytes, a truth value or `None`, as its opcode states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literal<'a> {
    Boolean(bool),
    /// A `bytearray`, which the program and NumPy's arrays over it can change.
    Bytearray(&'a [u8]),
    Bytes(&'a [u8]),
    /// A string of Python 2, which a loader of Python 3 takes for text or for bytes; none if it has escapes.
    EightBit(Option<&'a [u8]>),
    Float,
    /// An integer; none if it is large.
    Integer(Option<i64>),
    None,
    /// A text; none if it has escapes or is a long line.
    Text(Option<&'a str>),
}

impl<'a> Literal<'a> {
    /// Reads a literal again. Of a long operand it says where it is, and looks at no byte of it: any number of
    /// opcodes can ask for the same literal.
    pub(super) fn read(step: &LiteralStep<'a>) -> Option<Self> {
        use Opcode as Op;
        let operand = step.operand;
        let whole = |operand: Option<&'a [u8]>| {
            short(operand).filter(|bytes| bytes.is_ascii() && !bytes.contains(&b'\\'))
        };
        Some(match step.opcode {
            Op::None => Self::None,
            Op::NewTrue => Self::Boolean(true),
            Op::NewFalse => Self::Boolean(false),
            Op::Int => match operand {
                Some(b"00") => Self::Boolean(false),
                Some(b"01") => Self::Boolean(true),
                line => Self::Integer(short(line).and_then(written)),
            },
            Op::Long => {
                let line = short(operand).map(|line| line.strip_suffix(b"L").unwrap_or(line));
                Self::Integer(line.and_then(written))
            }
            Op::BinInt => Self::Integer(short(operand).and_then(signed)),
            Op::BinInt1 | Op::BinInt2 => Self::Integer(short(operand).and_then(unsigned)),
            Op::Long1 | Op::Long4 => Self::Integer(short(operand).and_then(signed)),
            Op::Float | Op::BinFloat => Self::Float,
            Op::BinBytes | Op::BinBytes8 | Op::ShortBinBytes => Self::Bytes(operand?),
            Op::ByteArray8 => Self::Bytearray(operand?),
            Op::BinString | Op::ShortBinString => Self::EightBit(operand),
            Op::String => {
                let inside =
                    whole(operand).and_then(|line| line.get(1..line.len().saturating_sub(1)));
                Self::EightBit(inside)
            }
            Op::Unicode => Self::Text(whole(operand).and_then(|line| str::from_utf8(line).ok())),
            Op::BinUnicode | Op::BinUnicode8 | Op::ShortBinUnicode => Self::Text(
                // It was found to be UTF-8 when it was pushed. A long one is no word that a rule knows.
                short(operand).and_then(|bytes| str::from_utf8(bytes).ok()),
            ),
            _ => return None,
        })
    }
}

/// Returns the bytes that a text stands for, or that a string of Python 2 is, if it is short.
///
/// It undoes the escapes of protocol 0: `\uXXXX` in texts, and those that `repr` writes in strings.
pub(super) fn short_bytes<'a>(step: &LiteralStep<'a>) -> Option<Cow<'a, [u8]>> {
    use Opcode as Op;
    let operand = short(step.operand)?;
    match step.opcode {
        Op::BinUnicode | Op::BinUnicode8 | Op::ShortBinUnicode => {
            let latin1 = |character| u8::try_from(u32::from(character)).ok();
            str::from_utf8(operand)
                .ok()?
                .chars()
                .map(latin1)
                .collect::<Option<Vec<u8>>>()
                .map(Cow::Owned)
        }
        Op::Unicode => unescaped(operand, |escape| match escape {
            [b'u', b'0', b'0', high, low, ..] => Some((hex(*high, *low)?, 5)),
            [b'U', b'0', b'0', b'0', b'0', b'0', b'0', high, low, ..] => {
                Some((hex(*high, *low)?, 9))
            }
            _ => None,
        }),
        Op::String => {
            let inside = operand.get(1..operand.len().saturating_sub(1))?;
            unescaped(inside, |escape| match escape {
                [b'x', high, low, ..] => Some((hex(*high, *low)?, 3)),
                [b'n', ..] => Some((b'\n', 1)),
                [b'r', ..] => Some((b'\r', 1)),
                [b't', ..] => Some((b'\t', 1)),
                [quoted @ (b'\\' | b'\'' | b'"'), ..] => Some((*quoted, 1)),
                _ => None,
            })
        }
        _ => Some(Cow::Borrowed(operand)),
    }
}

/// Returns an operand that may be looked at byte by byte: one that is short.
fn short(operand: Option<&[u8]>) -> Option<&[u8]> {
    let operand = operand.filter(|bytes| bytes.len() <= MAX_WORD_BYTES);
    #[cfg(test)]
    LOOKED_AT.set(LOOKED_AT.get().saturating_add(operand.map_or(0, <[u8]>::len)));
    operand
}

#[cfg(test)]
thread_local! {
    /// How many bytes of literals were read again.
    static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Replaces what follows each backslash by the byte that it stands for.
fn unescaped(
    mut rest: &[u8],
    escape: impl Fn(&[u8]) -> Option<(u8, usize)>,
) -> Option<Cow<'static, [u8]>> {
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        if *first == b'\\' {
            let (byte, length) = escape(after)?;
            bytes.push(byte);
            rest = after.get(length..)?;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Some(Cow::Owned(bytes))
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?).ok()
}

fn written(line: &[u8]) -> Option<i64> {
    str::from_utf8(line).ok()?.parse().ok()
}

fn unsigned(bytes: &[u8]) -> Option<i64> {
    i64::try_from(super::opcode_reader::little_endian(bytes)?).ok()
}

/// Reads a number in two's complement, the least significant byte first.
fn signed(bytes: &[u8]) -> Option<i64> {
    let Some(last) = bytes.last() else { return Some(0) };
    let fill = if last & 0x80 == 0 { 0 } else { 0xff };
    let mut number = [fill; 8];
    number.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(number))
}

/// The longest text or line that a rule reads, in bytes. Any rule may read the same value again and again.
pub(super) const MAX_WORD_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AllowList, ScanOptions, scan};

    /// Calls with one long literal again and again, or as many with none.
    fn looked_at(literal: &[u8], calls: usize) -> (usize, bool) {
        let mut pickle = b"\x80\x04(c__builtin__\nbytearray\nq\x02".to_vec();
        pickle.extend(literal);
        pickle.extend(b"q\x00\x85q\x01");
        pickle.extend(b"h\x02h\x01R0h\x00}h\x00h\x00s0h\x02h\x00\x85R0".repeat(calls));
        pickle.extend(b"t.");
        LOOKED_AT.set(0);
        let report = scan(&pickle, &ScanOptions::new(&AllowList::std()));
        (LOOKED_AT.get(), report.complete)
    }

    #[test]
    fn a_long_literal_is_not_looked_at_for_each_opcode_that_uses_it() {
        const LENGTH: usize = 1 << 16;
        let text = "A".repeat(LENGTH);
        let counted = |opcode: u8| {
            let length = u32::try_from(LENGTH).unwrap().to_le_bytes();
            [&[opcode][..], &length, text.as_bytes()].concat()
        };
        let line = |opcode: &str, end: &str| format!("{opcode}{text}{end}\n").into_bytes();
        let number = format!("L{}L\n", "1".repeat(4000)).into_bytes();
        let literals = [
            counted(b'B'),
            counted(b'T'),
            counted(b'X'),
            counted(0x8b),
            line("S'", "'"),
            line("V", ""),
            number,
        ];
        for literal in literals {
            for calls in [1, 1000] {
                let (looked_at, complete) = looked_at(&literal, calls);
                let opcode = literal.first().copied().map(char::from);
                assert!(complete && looked_at <= 64 * calls, "{opcode:?} {calls} {looked_at}");
            }
        }
        // What is short is read, but never for more than a bound.
        let (looked_at, _) = looked_at(b"X\x02\0\0\0ab", 1000);
        assert!((1000..=64_000).contains(&looked_at), "{looked_at}");
    }
}
