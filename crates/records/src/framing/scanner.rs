//! Finds the end of a record that may not have arrived whole.

use brine_core::cbor::{Extent, ExtentFinder};

use super::{FrameSide, Framing, FramingError, KEPT_BYTES};

/// Finds one record after the other, and looks at no byte twice.
#[derive(Debug)]
pub(super) struct Scanner {
    rule: Rule,
    longest: usize,
}

#[derive(Debug)]
enum Rule {
    Cbor(ExtentFinder),
    Delimited(Delimited),
    Len32,
}

/// A frame at the start of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundFrame {
    /// How many bytes precede the record.
    pub(super) head: usize,
    /// How many bytes of the record there are, or were kept.
    pub(super) bytes: usize,
    /// How many bytes end the record, or were not kept.
    pub(super) tail: usize,
    /// Why this record alone is refused.
    pub(super) error: Option<FramingError>,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// The record has not ended, and only its first bytes are of use.
    Discard {
        /// How many to keep, from the start.
        keep: usize,
    },
    /// The next record cannot be found.
    Fatal(FramingError),
    /// A whole frame.
    Frame(FoundFrame),
    /// The record has not ended, or nothing is left.
    Incomplete,
    /// Blank lines, and behind them nothing that is whole. They are no records: the next call is about what follows
    /// them, or about them and more.
    Skip {
        /// How many bytes they take.
        bytes: usize,
    },
}

impl Scanner {
    pub(super) fn new(framing: Framing, side: FrameSide, longest: usize) -> Self {
        let rule = match (framing, framing.delimiter()) {
            (_, Some(delimiter)) => Rule::Delimited(Delimited::new(framing, side, delimiter)),
            (Framing::Cbor, None) => Rule::Cbor(ExtentFinder::default()),
            (_, None) => Rule::Len32,
        };
        let longest = if framing.is_text(side) { text_length(longest) } else { longest };
        Self { rule, longest }
    }

    /// Returns the most bytes that are kept of a frame.
    pub(super) const fn longest_frame(&self) -> usize {
        // A length of four bytes, or CR and LF.
        let frame = self.longest.saturating_add(4);
        if frame > KEPT_BYTES { frame } else { KEPT_BYTES }
    }

    /// Looks at `rest`, which begins where a frame begins. `ended` says that nothing follows it.
    ///
    /// On the next call about the same frame, `rest` **must** begin with the same bytes.
    #[inline]
    pub(super) fn find(&mut self, rest: &[u8], ended: bool) -> Found {
        match &mut self.rule {
            Rule::Cbor(finder) => find_item(finder, rest, self.longest, ended),
            Rule::Delimited(delimited) => delimited.find(rest, self.longest, ended),
            Rule::Len32 => find_len32(rest, self.longest, ended),
        }
    }
}

/// Returns the length of base64url text without padding (RFC 4648, Section 5).
fn text_length(bytes: usize) -> usize {
    let whole = bytes / 3 * 4;
    let rest = bytes % 3;
    whole.saturating_add(if rest == 0 { 0 } else { rest + 1 })
}

fn find_len32(rest: &[u8], longest: usize, ended: bool) -> Found {
    let Some((head, record)) = rest.split_first_chunk::<4>() else {
        return incomplete(rest, ended);
    };
    match usize::try_from(u32::from_be_bytes(*head)) {
        Ok(bytes) if bytes <= longest => {
            if record.len() < bytes {
                return incomplete(rest, ended);
            }
            Found::Frame(FoundFrame { head: head.len(), bytes, tail: 0, error: None })
        }
        _ => too_large(u32::from_be_bytes(*head).into(), longest),
    }
}

/// Bytes beyond the limit are not looked at, so the result does not depend on how many have arrived.
fn find_item(finder: &mut ExtentFinder, rest: &[u8], longest: usize, ended: bool) -> Found {
    let within = rest.get(..longest).unwrap_or(rest);
    match finder.find(within) {
        Extent::Complete(bytes) => {
            Found::Frame(FoundFrame { head: 0, bytes, tail: 0, error: None })
        }
        Extent::Malformed(malformed) => Found::Fatal(FramingError::Malformed(malformed)),
        Extent::NeedMore(missing) => {
            let bytes = within.len().saturating_add(missing);
            if bytes > longest {
                return too_large(number(bytes), longest);
            }
            incomplete(rest, ended)
        }
    }
}

const fn incomplete(rest: &[u8], ended: bool) -> Found {
    if ended && !rest.is_empty() { Found::Fatal(FramingError::Cut) } else { Found::Incomplete }
}

fn too_large(bytes: u64, longest: usize) -> Found {
    Found::Fatal(FramingError::TooLarge { bytes, limit: number(longest) })
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Records that end with a delimiter.
#[derive(Debug)]
struct Delimited {
    delimiter: u8,
    /// Whether records are text. A CR before an LF then belongs to the line end, and blank text is no record.
    is_text: bool,
    /// How many bytes of blank text there are before the record.
    blank: usize,
    /// How many bytes are known to hold no delimiter.
    looked: usize,
    /// How many bytes were discarded behind the first [`KEPT_BYTES`].
    discarded: u64,
}

impl Delimited {
    fn new(framing: Framing, side: FrameSide, delimiter: u8) -> Self {
        Self { delimiter, is_text: framing.is_text(side), blank: 0, looked: 0, discarded: 0 }
    }

    #[inline]
    fn find(&mut self, rest: &[u8], longest: usize, ended: bool) -> Found {
        while let Some(end) = self.delimiter_in(rest) {
            if !self.is_blank(rest, end, longest) {
                return self.frame(rest, end, longest);
            }
            self.blank = end.saturating_add(1);
            self.looked = self.blank;
        }
        if ended && self.is_blank(rest, rest.len(), longest) {
            return Found::Incomplete;
        }
        if self.blank > 0 && !ended {
            self.looked = 0;
            return Found::Skip { bytes: std::mem::take(&mut self.blank) };
        }
        self.looked = rest.len();
        if ended {
            return if rest.is_empty() { Found::Incomplete } else { self.unended(rest, longest) };
        }
        // One byte more may be the CR of a line that is within the limit.
        let too_large = self.length(rest.len()) > number(longest).saturating_add(1);
        if !too_large || rest.len() <= KEPT_BYTES {
            return Found::Incomplete;
        }
        self.discarded = self.length(rest.len()).saturating_sub(number(KEPT_BYTES));
        self.looked = KEPT_BYTES;
        Found::Discard { keep: KEPT_BYTES }
    }

    fn delimiter_in(&self, rest: &[u8]) -> Option<usize> {
        let distance = memchr::memchr(self.delimiter, rest.get(self.looked..)?)?;
        Some(self.looked.saturating_add(distance))
    }

    /// Returns whether the record up to `end` is blank text.
    #[inline]
    fn is_blank(&self, rest: &[u8], end: usize, longest: usize) -> bool {
        let text = rest.get(self.blank..end).unwrap_or_default();
        // A record that is too large is not blank, whatever it holds: some of it may have been discarded.
        self.is_text
            && self.discarded == 0
            && text.len() <= longest
            && text.trim_ascii_start().is_empty()
    }

    /// The record that ends at the delimiter at `end`.
    fn frame(&mut self, rest: &[u8], end: usize, longest: usize) -> Found {
        let before = rest.get(self.blank..end).unwrap_or_default();
        let bytes = match before.split_last() {
            // A line that is too large without its CR keeps it: the CR may have been discarded.
            Some((b'\r', line)) if self.takes_cr(line.len(), longest) => line.len(),
            _ => before.len(),
        };
        let tail = before.len().saturating_sub(bytes).saturating_add(1);
        self.checked(FoundFrame { head: self.blank, bytes, tail, error: None }, longest)
    }

    const fn takes_cr(&self, line: usize, longest: usize) -> bool {
        self.is_text && self.delimiter == b'\n' && self.discarded == 0 && line <= longest
    }

    /// The last record of the input, without a delimiter.
    fn unended(&mut self, rest: &[u8], longest: usize) -> Found {
        let bytes = rest.len().saturating_sub(self.blank);
        self.checked(FoundFrame { head: self.blank, bytes, tail: 0, error: None }, longest)
    }

    fn checked(&mut self, frame: FoundFrame, longest: usize) -> Found {
        let bytes = self.length(frame.bytes);
        self.blank = 0;
        self.looked = 0;
        self.discarded = 0;
        if bytes <= number(longest) {
            return Found::Frame(frame);
        }
        let kept = frame.bytes.min(KEPT_BYTES);
        let tail = frame.tail.saturating_add(frame.bytes.saturating_sub(kept));
        let error = Some(FramingError::TooLarge { bytes, limit: number(longest) });
        Found::Frame(FoundFrame { bytes: kept, tail, error, ..frame })
    }

    /// Returns the length of the record, including what was discarded.
    fn length(&self, here: usize) -> u64 {
        self.discarded.saturating_add(number(here))
    }
}
