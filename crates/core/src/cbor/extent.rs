//! How far an item reaches that may be anybody's CBOR, and may not be all there yet.
//!
//! Payloads are not brine's to judge: any well-formed item of RFC 8949 will do, also with indefinite
//! lengths, long heads, repeated keys and text that is not UTF-8. What is not well-formed is refused,
//! for where it ends is anybody's guess.

use super::{Flaw, Head, ItemType, Major, Malformed};

/// How deep arrays, maps and tags may nest in an item that is only measured.
pub const MAX_EXTENT_DEPTH: usize = 64;

/// How far an item reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Extent {
    /// It is all there, and this many bytes long.
    Complete(usize),
    /// At least this many bytes are missing; never 0.
    NeedMore(usize),
    /// It is not well-formed, whatever comes.
    Malformed(Malformed),
}

/// Returns how far the item at the start of `input` reaches.
///
/// ```
/// use brine_core::cbor::{Extent, extent};
///
/// assert_eq!(extent(&[0x82, 0x01, 0x41, 0xff, 0x00]), Extent::Complete(4));
/// assert_eq!(extent(&[0x82, 0x01, 0x44, 0xff]), Extent::NeedMore(3));
/// ```
pub fn extent(input: &[u8]) -> Extent {
    ExtentFinder::default().find(input)
}

/// Finds how far an item reaches while it arrives, and reads no byte twice.
///
/// It holds as much memory as [`MAX_EXTENT_DEPTH`] allows, whatever lengths are claimed.
#[derive(Clone, Debug, Default)]
pub struct ExtentFinder {
    /// Where the next head begins; behind the end of the input while a string is arriving.
    position: usize,
    /// What has begun and not ended, from the outside in.
    open: Vec<Level>,
    /// Whether the item ends at `position`.
    closed: bool,
}

/// What is open, and when it closes.
#[derive(Clone, Copy, Debug)]
enum Level {
    /// With a break; strings of one type until then.
    Chunks(Major),
    /// After this many more items.
    Items(u64),
    /// With a break.
    Many,
    /// With a break where a key may begin.
    Pairs { at_key: bool },
}

impl ExtentFinder {
    /// Returns how far the item reaches that `item` begins with.
    ///
    /// Asked again, `item` must begin with what it was the last time, and may be longer. After
    /// [`Extent::Complete`] it is ready for another item; after [`Extent::Malformed`] there is none.
    pub fn find(&mut self, item: &[u8]) -> Extent {
        loop {
            let Some(rest) = item.get(self.position..) else {
                return Extent::NeedMore(self.position.saturating_sub(item.len()));
            };
            if self.closed {
                let length = self.position;
                self.reset();
                return Extent::Complete(length);
            }
            let missing = missing_from_head(rest);
            if missing > 0 {
                return Extent::NeedMore(missing);
            }
            let advanced = Head::read(rest)
                .map_err(|malformed| malformed.flaw)
                .and_then(|head| self.advance(&head));
            if let Err(flaw) = advanced {
                return Extent::Malformed(Malformed::new(self.position, flaw));
            }
        }
    }

    /// Forgets as much of an item as was read, of the `length` bytes that are there, and returns how much.
    ///
    /// Asked again, `item` must begin behind that; lengths and offsets count from there.
    pub fn forget(&mut self, length: usize) -> usize {
        let read = self.position.min(length);
        self.position -= read;
        read
    }

    fn reset(&mut self) {
        self.position = 0;
        self.open.clear();
        self.closed = false;
    }

    /// Goes behind a head, and behind the string that it announces.
    fn advance(&mut self, head: &Head) -> Result<(), Flaw> {
        if head.major == Major::Simple && head.is_indefinite() {
            return self.end_with_break();
        }
        if let Some(Level::Chunks(major)) = self.open.last() {
            refuse_other_chunk(*major, head)?;
        }
        let mut string = 0;
        match Contents::of(head)? {
            Contents::Level(_) if self.open.len() >= MAX_EXTENT_DEPTH => return Err(Flaw::TooDeep),
            Contents::Level(Level::Items(0)) | Contents::None => self.close(),
            Contents::Level(level) => self.open.push(level),
            // Nothing nests in it, so that it may stand at the deepest.
            Contents::Chunks => self.open.push(Level::Chunks(head.major)),
            Contents::String(length) => {
                string = length;
                self.close();
            }
        }
        self.position = self.position.saturating_add(head.size).saturating_add(string);
        Ok(())
    }

    /// Counts an item that is whole, and closes what it was the last of.
    fn close(&mut self) {
        while let Some(level) = self.open.last_mut() {
            match level {
                Level::Items(left) if *left > 1 => *left -= 1,
                Level::Items(_) => {
                    self.open.pop();
                    continue;
                }
                Level::Chunks(_) | Level::Many => {}
                Level::Pairs { at_key } => *at_key = !*at_key,
            }
            return;
        }
        self.closed = true;
    }

    fn end_with_break(&mut self) -> Result<(), Flaw> {
        match self.open.last() {
            Some(Level::Chunks(_) | Level::Many | Level::Pairs { at_key: true }) => {
                self.open.pop();
                self.close();
                self.position = self.position.saturating_add(1);
                Ok(())
            }
            Some(Level::Items(_) | Level::Pairs { at_key: false }) | None => {
                Err(Flaw::IndefiniteLength)
            }
        }
    }
}

/// Refuses what is not a chunk of its string (RFC 8949, Section 3.2.3).
fn refuse_other_chunk(major: Major, head: &Head) -> Result<(), Flaw> {
    if head.major != major {
        let expected = if major == Major::Text { "a text string" } else { "a byte string" };
        return Err(Flaw::UnexpectedType { expected, found: ItemType::of(head) });
    }
    if head.is_indefinite() { Err(Flaw::IndefiniteLength) } else { Ok(()) }
}

/// What comes after a head and belongs to it.
#[derive(Clone, Copy)]
enum Contents {
    Chunks,
    Level(Level),
    None,
    String(usize),
}

impl Contents {
    fn of(head: &Head) -> Result<Self, Flaw> {
        Ok(match (head.major, head.is_indefinite()) {
            (Major::Unsigned | Major::Negative | Major::Tag, true) => {
                return Err(Flaw::IndefiniteLength);
            }
            // RFC 8949, Section 3.3.
            (Major::Simple, _) if head.info == 24 && head.argument < 32 => {
                return Err(Flaw::NonMinimal);
            }
            (Major::Unsigned | Major::Negative | Major::Simple, _) => Self::None,
            (Major::Bytes | Major::Text, true) => Self::Chunks,
            // More than there can be is still to come, for ever.
            (Major::Bytes | Major::Text, false) => {
                Self::String(usize::try_from(head.argument).unwrap_or(usize::MAX))
            }
            (Major::Array, true) => Self::Level(Level::Many),
            (Major::Array, false) => Self::Level(Level::Items(head.argument)),
            (Major::Map, true) => Self::Level(Level::Pairs { at_key: true }),
            (Major::Map, false) => Self::Level(Level::Items(head.argument.saturating_mul(2))),
            (Major::Tag, false) => Self::Level(Level::Items(1)),
        })
    }
}

/// Returns how many bytes are missing from the head at the start of `rest`.
fn missing_from_head(rest: &[u8]) -> usize {
    let size: usize = match rest.first().map(|initial| initial & 0x1f) {
        Some(24) => 2,
        Some(25) => 3,
        Some(26) => 5,
        Some(27) => 9,
        Some(_) | None => 1,
    };
    size.saturating_sub(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(bytes: &[u8]) -> (usize, Flaw) {
        match extent(bytes) {
            Extent::Malformed(malformed) => (malformed.offset, malformed.flaw),
            other => panic!("{other:?}: {bytes:02x?}"),
        }
    }

    const WELL_FORMED: &[&[u8]] = &[
        b"\x00",
        b"\x18\x01",                             // longer than needed
        b"\x1b\x00\x00\x00\x00\x00\x00\x00\x01", // much longer
        b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x40",
        b"\x58\x02ab",
        b"\x5a\x00\x00\x00\x02ab",
        b"\x62\xc3\x28", // not UTF-8, which is valid or not, but well-formed
        b"\x5f\xff",
        b"\x5f\x42\x01\x02\x58\x01\x03\x40\xff",
        b"\x7f\x65strea\x64ming\xff",
        b"\x80",
        b"\x9f\xff",
        b"\x9f\x01\x82\x02\x03\x9f\x04\x05\xff\xff",
        b"\x83\x01\x82\x02\x03\x9f\x04\x05\xff",
        b"\x98\x01\x00",
        b"\xa0",
        b"\xa2\x01\x02\x01\x02", // a key twice
        b"\xbf\xff",
        b"\xbf\x61a\x01\x61b\x9f\x02\x03\xff\xff",
        b"\xbf\xbf\x01\x02\xff\xbf\xff\xff",
        b"\xc1\x1a\x51\x4b\x67\xb0",
        b"\xd8\x18\x45\x64IETF",
        b"\xc1\xc2\x5f\x41\x00\xff",
        b"\xe0",
        b"\xf7",
        b"\xf8\x20",
        b"\xf8\xff",
        b"\xf9\x00\x00",
        b"\xfa\x7f\xc0\x00\x00",
        b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    ];

    #[test]
    fn measures_whatever_is_well_formed() {
        for item in WELL_FORMED {
            assert_eq!(extent(item), Extent::Complete(item.len()), "{item:02x?}");
            let followed = [*item, b"\x1c\xff"].concat();
            assert_eq!(extent(&followed), Extent::Complete(item.len()), "{item:02x?}");
        }
    }

    /// RFC 8949, Appendix F.
    #[test]
    fn refuses_what_is_not_well_formed_where_it_is_not() {
        let bytes = |found| Flaw::UnexpectedType { expected: "a byte string", found };
        let text = |found| Flaw::UnexpectedType { expected: "a text string", found };
        let cases: &[(&[u8], usize, Flaw)] = &[
            (b"\x1c", 0, Flaw::ReservedHead),
            (b"\x3d", 0, Flaw::ReservedHead),
            (b"\x5e", 0, Flaw::ReservedHead),
            (b"\x81\x9c", 1, Flaw::ReservedHead),
            (b"\xfe", 0, Flaw::ReservedHead),
            (b"\xf8\x00", 0, Flaw::NonMinimal),
            (b"\xf8\x18", 0, Flaw::NonMinimal),
            (b"\xf8\x1f", 0, Flaw::NonMinimal),
            (b"\x1f", 0, Flaw::IndefiniteLength),
            (b"\x3f", 0, Flaw::IndefiniteLength),
            (b"\xdf\x00", 0, Flaw::IndefiniteLength),
            (b"\xff", 0, Flaw::IndefiniteLength),
            (b"\x81\xff", 1, Flaw::IndefiniteLength),
            (b"\x82\x00\xff", 2, Flaw::IndefiniteLength),
            (b"\xa1\xff", 1, Flaw::IndefiniteLength),
            (b"\xa1\x00\xff", 2, Flaw::IndefiniteLength),
            (b"\xc1\xff", 1, Flaw::IndefiniteLength),
            (b"\x9f\x81\xff", 2, Flaw::IndefiniteLength),
            (b"\x9f\xc1\xff", 2, Flaw::IndefiniteLength),
            (b"\xbf\x00\xff", 2, Flaw::IndefiniteLength),
            (b"\xbf\x00\x00\x00\xff", 4, Flaw::IndefiniteLength),
            (b"\x5f\x5f\x41\x00\xff\xff", 1, Flaw::IndefiniteLength),
            (b"\x7f\x7f\x61a\xff\xff", 1, Flaw::IndefiniteLength),
            (b"\x5f\x00\xff", 1, bytes(ItemType::Integer)),
            (b"\x5f\x41\x00\x61a\xff", 3, bytes(ItemType::Text)),
            (b"\x5f\x80\xff", 1, bytes(ItemType::Array)),
            (b"\x5f\xc1\x40\xff", 1, bytes(ItemType::Tag(1))),
            (b"\x5f\xf6\xff", 1, bytes(ItemType::Null)),
            (b"\x7f\x41\x00\xff", 1, text(ItemType::Bytes)),
            (b"\x7f\x5f\xff\xff", 1, text(ItemType::Bytes)),
        ];
        for (item, offset, expected) in cases {
            assert_eq!(flaw(item), (*offset, *expected), "{item:02x?}");
        }
    }

    /// However it arrives, and whatever is asked before it is all there.
    #[test]
    fn says_how_much_is_missing_and_never_too_much() {
        for item in WELL_FORMED {
            let mut finder = ExtentFinder::default();
            for end in 0..item.len() {
                let Extent::NeedMore(missing) = finder.find(&item[..end]) else {
                    panic!("{end} of {item:02x?}")
                };
                assert!(0 < missing && missing <= item.len() - end, "{end} of {item:02x?}");
                assert_eq!(extent(&item[..end]), Extent::NeedMore(missing));
            }
            assert_eq!(finder.find(item), Extent::Complete(item.len()), "{item:02x?}");
            // It is as good as new.
            assert_eq!(finder.find(b"\x82\x00\x00"), Extent::Complete(3));
        }
        assert_eq!(extent(b"\x1b\x00\x00"), Extent::NeedMore(6));
        assert_eq!(extent(b"\x82\x45abc"), Extent::NeedMore(2));
    }

    #[test]
    fn believes_no_claimed_length() {
        for (claim, missing) in [
            (&b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff"[..], usize::MAX - 9),
            (b"\x81\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", usize::MAX / 2),
            (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 1),
            (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", 1),
            (b"\xbb\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00", 1),
        ] {
            assert_eq!(extent(claim), Extent::NeedMore(missing), "{claim:02x?}");
        }
    }

    #[test]
    fn nests_to_the_limit_and_not_beyond() {
        for (opening, close) in [
            (&b"\x81"[..], &b""[..]),
            (b"\xa1\x00", b""),
            (b"\xc1", b""),
            (b"\x9f", b"\xff"),
            (b"\xbf\x00", b"\xff"),
        ] {
            for inner in [&b"\x00"[..], b"\x5f\x40\xff"] {
                let nested =
                    |depth| [opening.repeat(depth), inner.to_vec(), close.repeat(depth)].concat();
                let deepest = nested(MAX_EXTENT_DEPTH);
                assert_eq!(extent(&deepest), Extent::Complete(deepest.len()), "{opening:02x?}");
                let offset = MAX_EXTENT_DEPTH * opening.len();
                assert_eq!(flaw(&nested(MAX_EXTENT_DEPTH + 1)), (offset, Flaw::TooDeep));
                assert_eq!(flaw(&nested(100_000)), (offset, Flaw::TooDeep));
            }
        }
        let empty = [b"\x81".repeat(MAX_EXTENT_DEPTH), b"\x80".to_vec()].concat();
        assert_eq!(flaw(&empty), (MAX_EXTENT_DEPTH, Flaw::TooDeep));
    }

    /// Asked after each byte, a finder that began anew would read a tera of bytes.
    #[test]
    fn an_item_that_trickles_in_is_read_once() {
        let mut item = b"\x9f".to_vec();
        item.resize(1_000_000, 0x20);
        let mut finder = ExtentFinder::default();
        for end in 0..item.len() {
            assert_eq!(finder.find(&item[..end]), Extent::NeedMore(1));
        }
        item.push(0xff);
        assert_eq!(finder.find(&item), Extent::Complete(item.len()));
    }
}
