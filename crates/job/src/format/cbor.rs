//! One valid CBOR item that arrives in pieces.

mod key;

use brine_core::cbor::{Flaw, Head, ItemType, MAX_EXTENT_DEPTH, Major, Malformed};

use self::key::{ItemDigest, ItemHasher, MapKeys};
use super::text::Utf8Pieces;
use super::{FormatCheck, FormatError, MAX_CBOR_KEYS};

/// Checks that an item is valid (RFC 8949, Section 5.3.1).
#[derive(Debug, Default)]
pub(super) struct CborCheck {
    /// What has arrived of a head.
    head: Vec<u8>,
    /// The string whose bytes are arriving.
    string: Option<OpenString>,
    /// What has begun and not ended, from the outside in.
    open: Vec<Level>,
    /// How many keys the open maps have.
    keys: usize,
    /// The offset at which the item ended.
    ended: Option<usize>,
}

/// A string, or a chunk of one, that has not arrived whole.
#[derive(Debug)]
struct OpenString {
    left: u64,
    /// Of text: each chunk is UTF-8 by itself (RFC 8949, Section 3.2.3).
    utf8: Option<Utf8Pieces>,
    hasher: Option<ItemHasher>,
}

/// What is open. What is part of a key is hashed.
#[derive(Debug)]
enum Level {
    /// Strings of one type, until a break.
    Chunks(Major, Option<ItemHasher>),
    /// An array or a tag; until a break if no number of items is left.
    Items(Option<u64>, Option<ItemHasher>),
    /// A map; until a break if no number of pairs is left.
    Pairs(Option<u64>, MapKeys),
}

impl FormatCheck for CborCheck {
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError> {
        let (mut piece, mut offset) = (piece, offset);
        while self.ended.is_none() && !piece.is_empty() {
            let taken = match &mut self.string {
                Some(string) => string.take(piece, offset)?,
                None => {
                    self.head.extend(piece.first());
                    1
                }
            };
            piece = piece.get(taken..).unwrap_or_default();
            offset = offset.saturating_add(wide(taken));
            match &self.string {
                Some(string) if string.left == 0 => self.end_string(offset)?,
                Some(_) => {}
                None if self.missing_from_head() => {}
                None => self.take_head(offset)?,
            }
        }
        Ok(())
    }

    /// Counts the bytes after the item here, so that the count does not depend on the pieces.
    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        let all = saturated(offset);
        let (offset, flaw) = match self.ended {
            None => (all, Flaw::UnexpectedEnd),
            Some(end) if end == all => return Ok(()),
            Some(end) => (end, Flaw::TrailingBytes { count: all.saturating_sub(end) }),
        };
        Err(FormatError::Cbor(Malformed { offset, flaw }))
    }
}

impl CborCheck {
    fn missing_from_head(&self) -> bool {
        let size = match self.head.first().map(|initial| initial & 0x1f) {
            Some(24) => 2,
            Some(25) => 3,
            Some(26) => 5,
            Some(27) => 9,
            Some(_) | None => 1,
        };
        self.head.len() < size
    }

    /// Takes a head, which ends at this offset.
    fn take_head(&mut self, offset: u64) -> Result<(), FormatError> {
        let start = saturated(offset).saturating_sub(self.head.len());
        let malformed = |flaw| FormatError::Cbor(Malformed { offset: start, flaw });
        let head = Head::read(&self.head).map_err(|error| malformed(error.flaw))?;
        self.head.clear();
        if head.major == Major::Simple && head.is_indefinite() {
            return self.end_with_break(start, offset);
        }
        if let Some(Level::Chunks(major, _)) = self.open.last() {
            refuse_other_chunk(*major, &head).map_err(malformed)?;
        }
        let nests = matches!(head.major, Major::Array | Major::Map | Major::Tag);
        if nests && self.open.len() >= MAX_EXTENT_DEPTH {
            return Err(malformed(Flaw::TooDeep));
        }
        let hasher = self.begins_hashed(start).then(|| ItemHasher::of(&head));
        let length = (!head.is_indefinite()).then_some(head.argument);
        match (head.major, length) {
            (Major::Unsigned | Major::Negative | Major::Tag, None) => {
                return Err(malformed(Flaw::IndefiniteLength));
            }
            // RFC 8949, Section 3.3.
            (Major::Simple, _) if head.info == 24 && head.argument < 32 => {
                return Err(malformed(Flaw::NonMinimal));
            }
            (Major::Unsigned | Major::Negative | Major::Simple, _) => {
                return self.close(hasher.map(ItemHasher::finish), offset);
            }
            (Major::Bytes | Major::Text, Some(left)) => {
                return self.begin_string(head.major, left, hasher, offset);
            }
            // Nothing nests in it, so that it may stand at the deepest.
            (Major::Bytes | Major::Text, None) => self.open.push(Level::Chunks(head.major, hasher)),
            (Major::Tag, Some(_)) => self.open.push(Level::Items(Some(1), hasher)),
            (Major::Array, Some(0)) => return self.close(hasher.map(ItemHasher::finish), offset),
            (Major::Array, left) => self.open.push(Level::Items(left, hasher)),
            (Major::Map, Some(0)) => {
                return self.close(MapKeys::new(hasher).finish(), offset);
            }
            (Major::Map, left) => self.open.push(Level::Pairs(left, MapKeys::new(hasher))),
        }
        Ok(())
    }

    /// Returns whether the item that begins here is a key, or part of one.
    fn begins_hashed(&mut self, start: usize) -> bool {
        match self.open.last_mut() {
            Some(Level::Pairs(_, keys)) => keys.begins_hashed(start),
            Some(Level::Items(_, hasher)) => hasher.is_some(),
            Some(Level::Chunks(..)) | None => false,
        }
    }

    fn begin_string(
        &mut self,
        major: Major,
        left: u64,
        hasher: Option<ItemHasher>,
        offset: u64,
    ) -> Result<(), FormatError> {
        let hasher = match self.open.last_mut() {
            // The chunks of a string are hashed as one.
            Some(Level::Chunks(_, whole)) => whole.take(),
            _ => hasher,
        };
        let utf8 = (major == Major::Text).then(Utf8Pieces::default);
        self.string = Some(OpenString { left, utf8, hasher });
        if left == 0 { self.end_string(offset) } else { Ok(()) }
    }

    fn end_string(&mut self, offset: u64) -> Result<(), FormatError> {
        let Some(OpenString { utf8, hasher, .. }) = self.string.take() else { return Ok(()) };
        if let Some(utf8) = utf8 {
            utf8.end(offset).map_err(not_utf8)?;
        }
        match self.open.last_mut() {
            Some(Level::Chunks(_, whole)) => {
                *whole = hasher;
                Ok(())
            }
            _ => self.close(hasher.map(ItemHasher::finish), offset),
        }
    }

    /// Counts an item that has ended at this offset, and closes what it was the last of.
    fn close(&mut self, digest: Option<ItemDigest>, offset: u64) -> Result<(), FormatError> {
        let mut digest = digest;
        while let Some(level) = self.open.last_mut() {
            let left = match level {
                Level::Chunks(..) => return Ok(()),
                Level::Items(left, hasher) => {
                    if let (Some(hasher), Some(digest)) = (hasher, digest) {
                        hasher.add(&digest);
                    }
                    left
                }
                Level::Pairs(left, keys) => {
                    if !keys.close(digest).map_err(FormatError::Cbor)? {
                        self.keys = self.keys.saturating_add(1);
                        let too_many = self.keys > MAX_CBOR_KEYS;
                        return if too_many {
                            Err(FormatError::TooManyKeys { offset })
                        } else {
                            Ok(())
                        };
                    }
                    left
                }
            };
            let Some(left) = left else { return Ok(()) };
            *left = left.saturating_sub(1);
            if *left > 0 {
                return Ok(());
            }
            digest = self.pop();
        }
        self.ended = Some(saturated(offset));
        Ok(())
    }

    /// Ends the innermost level, and returns its digest if it is part of a key.
    fn pop(&mut self) -> Option<ItemDigest> {
        match self.open.pop()? {
            Level::Chunks(_, hasher) | Level::Items(_, hasher) => hasher.map(ItemHasher::finish),
            Level::Pairs(_, keys) => {
                self.keys = self.keys.saturating_sub(keys.count());
                keys.finish()
            }
        }
    }

    fn end_with_break(&mut self, start: usize, offset: u64) -> Result<(), FormatError> {
        let may_end = match self.open.last() {
            Some(Level::Chunks(..) | Level::Items(None, _)) => true,
            Some(Level::Pairs(None, keys)) => keys.at_key(),
            Some(Level::Items(Some(_), _) | Level::Pairs(Some(_), _)) | None => false,
        };
        if !may_end {
            let flaw = Flaw::IndefiniteLength;
            return Err(FormatError::Cbor(Malformed { offset: start, flaw }));
        }
        let digest = self.pop();
        self.close(digest, offset)
    }
}

impl OpenString {
    /// Takes what belongs to the string, and returns how much that is.
    fn take(&mut self, piece: &[u8], offset: u64) -> Result<usize, FormatError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
        let own = piece.get(..most).unwrap_or_default();
        if let Some(utf8) = &mut self.utf8 {
            utf8.piece(own, offset, |_, _| Ok(())).map_err(not_utf8)?;
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.add(own);
        }
        self.left = self.left.saturating_sub(wide(most));
        Ok(most)
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

fn not_utf8(error: FormatError) -> FormatError {
    match error {
        FormatError::Utf8 { offset } => {
            FormatError::Cbor(Malformed { offset: saturated(offset), flaw: Flaw::Utf8 })
        }
        other => other,
    }
}

fn saturated(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
