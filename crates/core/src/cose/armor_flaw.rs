//! What is wrong with the text of an armored envelope.

use std::fmt;

/// What is wrong with armor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArmorFlaw {
    /// A character that base64 does not have, or bits that it does not use.
    Base64,
    /// The BEGIN line does not end as it must, or is not the first.
    Begin,
    /// A line without text between BEGIN and END.
    BlankLine,
    /// The text ends before an END line.
    Cut,
    /// Lines that are not 64 characters long.
    LineLength,
    /// Equals signs with which mail programs escape characters and line ends (RFC 2045, Section 6.7).
    QuotedPrintable,
    /// Spaces, tabs or carriage returns at the beginning, at the end or inside of a line.
    Space,
    /// Something follows the END line.
    TextAfter,
    /// The text would not fit in memory.
    TooLarge,
}

impl fmt::Display for ArmorFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "a line is not base64",
            Self::Begin => "the BEGIN line is broken",
            Self::BlankLine => "a line is blank",
            Self::Cut => "there is no END line",
            Self::LineLength => "a line has not 64 characters",
            Self::QuotedPrintable => "it is escaped as quoted-printable",
            Self::Space => "there is white space in a line",
            Self::TextAfter => "text follows the END line",
            Self::TooLarge => "it does not fit in memory",
        })
    }
}

impl ArmorFlaw {
    /// Finds what is wrong with a text that was refused, and that begins with a BEGIN line. `end` is its END line.
    pub(crate) fn of(text: &[u8], end: &[u8]) -> Self {
        let mut lines =
            text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let begin = lines.next().unwrap_or_default();
        if begin.trim_ascii_end() != begin || begin.contains(&b'\r') {
            return Self::Space;
        }
        let body: Vec<_> = lines.by_ref().take_while(|line| line.trim_ascii() != end).collect();
        let has_end = body.len() + 1 < text.split(|&byte| byte == b'\n').count();
        if !has_end {
            return Self::Cut;
        }
        Self::of_body(&body).unwrap_or(if lines.next().is_some() {
            Self::TextAfter
        } else {
            Self::Base64
        })
    }

    fn of_body(lines: &[&[u8]]) -> Option<Self> {
        let any = |is_so: fn(&[u8]) -> bool| lines.iter().any(|line| is_so(line));
        let (_, full) = lines.split_last()?;
        if any(|line| line.trim_ascii().is_empty()) {
            Some(Self::BlankLine)
        } else if any(|line| line.iter().any(u8::is_ascii_whitespace)) {
            Some(Self::Space)
        } else if full.iter().any(|line| line.contains(&b'=')) || any(is_escaped) {
            Some(Self::QuotedPrintable)
        } else if any(|line| line.iter().any(|byte| !is_base64(*byte))) {
            Some(Self::Base64)
        } else {
            let is_full = |line: &&[u8]| line.len() == LINE_CHARACTERS;
            (!full.iter().all(is_full)).then_some(Self::LineLength)
        }
    }
}

/// Returns whether `=3D` stands for an equals sign.
fn is_escaped(line: &[u8]) -> bool {
    line.windows(3).any(|three| three == b"=3D")
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// How long every line but the last is.
const LINE_CHARACTERS: usize = 64;
