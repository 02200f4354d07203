//! Finding the end of a record that may not be all there yet.

use super::{Framing, FramingError, KEPT_BYTES, Side};
use crate::cbor::{Extent, ExtentFinder};

/// Finds records, one after the other, and looks at no byte of them twice.
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

/// A frame at the start of what was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundFrame {
    /// How many bytes stand before the record.
    pub(super) head: usize,
    /// How long the record is, or what was kept of it.
    pub(super) bytes: usize,
    /// How many bytes end it, or were not kept.
    pub(super) tail: usize,
    /// Why this record is refused, and no other.
    pub(super) error: Option<FramingError>,
}

/// What there is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// No end yet, and of what there is only so many bytes are of use.
    Discard {
        /// How many to keep, from the start.
        keep: usize,
    },
    /// Nothing more can be found from here on.
    Fatal(FramingError),
    /// A whole frame.
    Frame(FoundFrame),
    /// The end of it has not come, or nothing is left.
    Incomplete,
}

impl Scanner {
    pub(super) fn new(framing: Framing, side: Side, longest: usize) -> Self {
        let rule = match (framing, framing.delimiter()) {
            (_, Some(delimiter)) => Rule::Delimited(Delimited::new(framing, side, delimiter)),
            (Framing::Cbor, None) => Rule::Cbor(ExtentFinder::default()),
            (_, None) => Rule::Len32,
        };
        let longest = if framing.is_text(side) { text_length(longest) } else { longest };
        Self { rule, longest }
    }

    /// Returns how many bytes a frame takes at most, as far as it is kept.
    pub(super) const fn longest_frame(&self) -> usize {
        // A length of four bytes, or CR and LF.
        let frame = self.longest.saturating_add(4);
        if frame > KEPT_BYTES { frame } else { KEPT_BYTES }
    }

    /// Looks at `rest`, which begins where a frame does. `ended`: nothing comes after it.
    ///
    /// Asked again about the same frame, `rest` begins with what it was.
    #[inline]
    pub(super) fn find(&mut self, rest: &[u8], ended: bool) -> Found {
        match &mut self.rule {
            Rule::Cbor(finder) => find_item(finder, rest, self.longest, ended),
            Rule::Delimited(delimited) => delimited.find(rest, self.longest, ended),
            Rule::Len32 => find_len32(rest, self.longest, ended),
        }
    }
}

/// Returns how long base64url text without padding is (RFC 4648, Section 5).
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

/// What lies beyond the limit is not looked at, so that it makes no difference how much of it came.
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

/// Records that a byte ends.
#[derive(Debug)]
struct Delimited {
    delimiter: u8,
    /// Whether a CR before the delimiter belongs to it.
    strips_cr: bool,
    /// How much of the record holds no delimiter for certain.
    looked: usize,
    /// How much of it was discarded, behind the first [`KEPT_BYTES`].
    discarded: u64,
}

impl Delimited {
    fn new(framing: Framing, side: Side, delimiter: u8) -> Self {
        let strips_cr = framing == Framing::Lines && side == Side::Envelope;
        Self { delimiter, strips_cr, looked: 0, discarded: 0 }
    }

    #[inline]
    fn find(&mut self, rest: &[u8], longest: usize, ended: bool) -> Found {
        let new = rest.get(self.looked..).unwrap_or_default();
        if let Some(distance) = memchr::memchr(self.delimiter, new) {
            return self.frame(rest, self.looked.saturating_add(distance), longest);
        }
        self.looked = rest.len();
        if ended {
            return if rest.is_empty() { Found::Incomplete } else { self.unended(rest, longest) };
        }
        // One byte more may be the CR of a line that is just short enough.
        let too_large = self.length(rest.len()) > number(longest).saturating_add(1);
        if !too_large || rest.len() <= KEPT_BYTES {
            return Found::Incomplete;
        }
        self.discarded = self.length(rest.len()).saturating_sub(number(KEPT_BYTES));
        self.looked = KEPT_BYTES;
        Found::Discard { keep: KEPT_BYTES }
    }

    /// The record that ends at the delimiter at `end`.
    fn frame(&mut self, rest: &[u8], end: usize, longest: usize) -> Found {
        let before = rest.get(..end).unwrap_or_default();
        let bytes = match before.split_last() {
            // Too large with its CR and without, it keeps it: that may be among what was discarded.
            Some((b'\r', line)) if self.takes_cr(line.len(), longest) => line.len(),
            _ => end,
        };
        let tail = end.saturating_sub(bytes).saturating_add(1);
        self.checked(FoundFrame { head: 0, bytes, tail, error: None }, longest)
    }

    const fn takes_cr(&self, line: usize, longest: usize) -> bool {
        self.strips_cr && self.discarded == 0 && line <= longest
    }

    /// The record at the end of the input, which nothing ends.
    fn unended(&mut self, rest: &[u8], longest: usize) -> Found {
        self.checked(FoundFrame { head: 0, bytes: rest.len(), tail: 0, error: None }, longest)
    }

    fn checked(&mut self, frame: FoundFrame, longest: usize) -> Found {
        let bytes = self.length(frame.bytes);
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

    /// Returns how long the record is of which so much is here.
    fn length(&self, here: usize) -> u64 {
        self.discarded.saturating_add(number(here))
    }
}
