//! The strict reader.

mod skip;

use super::float::float_part;
use super::{Flaw, Head, HeadBytes, ItemType, Major, Malformed};

/// Reads strict CBOR from a slice, item by item.
///
/// ```
/// use brine_core::cbor::Decoder;
///
/// let mut decoder = Decoder::new(&[0x82, 0x01, 0x41, 0xff]);
/// decoder.array_of(2)?;
/// assert_eq!(decoder.int()?, 1);
/// assert_eq!(decoder.bytes()?, [0xff]);
/// decoder.finish()?;
/// # Ok::<(), brine_core::cbor::Malformed>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Decoder<'a> {
    /// Starts at the beginning of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// Returns how many bytes have been read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Returns what the next item is, without reading it.
    ///
    /// # Errors
    ///
    /// Those of [`Head::read_strict`].
    pub fn peek(&self) -> Result<ItemType, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        Ok(ItemType::of(&head))
    }

    /// Reads the head of an array and demands `expected` items.
    ///
    /// # Errors
    ///
    /// [`Flaw::ArrayLength`], [`Flaw::UnexpectedType`] and those of [`Head::read_strict`].
    pub fn array_of(&mut self, expected: u64) -> Result<(), Malformed> {
        let offset = self.position;
        let found = self.take(Major::Array, "an array")?;
        if found == expected {
            Ok(())
        } else {
            Err(Malformed::new(offset, Flaw::ArrayLength { expected, found }))
        }
    }

    /// Reads the head of an array and returns how many items follow.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedType`] and those of [`Head::read_strict`].
    pub fn array(&mut self) -> Result<u64, Malformed> {
        self.take(Major::Array, "an array")
    }

    /// Reads the head of a map and returns how many pairs follow.
    ///
    /// Keys are not compared here; [`skip`](Self::skip) over the whole map does that.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedType`] and those of [`Head::read_strict`].
    pub fn map(&mut self) -> Result<u64, Malformed> {
        self.take(Major::Map, "a map")
    }

    /// Reads the head of a tag and returns its number.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedType`] and those of [`Head::read_strict`].
    pub fn tag(&mut self) -> Result<u64, Malformed> {
        self.take(Major::Tag, "a tag")
    }

    /// Reads a byte string.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedEnd`] if it is longer than what is left, [`Flaw::UnexpectedType`] and
    /// those of [`Head::read_strict`].
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        self.string(Major::Bytes, "a byte string")
    }

    /// Reads a byte string of `N` bytes.
    ///
    /// # Errors
    ///
    /// [`Flaw::BytesLength`] if it has another length, and those of [`bytes`](Self::bytes).
    #[inline]
    pub fn sized<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (head, offset) = (HeadBytes::of_bytes(N), self.position);
        let content = self.rest().strip_prefix(head.as_bytes());
        if let Some(bytes) = content.and_then(<[u8]>::first_chunk) {
            self.position += head.as_bytes().len() + N;
            return Ok(bytes);
        }
        // No other head would do. What is wrong is found out as it is of any byte string.
        let bytes = self.bytes()?;
        let flaw = Flaw::BytesLength { expected: N, found: bytes.len() };
        bytes.try_into().map_err(|_| Malformed::new(offset, flaw))
    }

    /// Reads a byte string, or nil as `None`. `undefined` is neither.
    ///
    /// # Errors
    ///
    /// Those of [`bytes`](Self::bytes).
    pub fn bytes_or_nil(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        if self.takes_nil(&head) {
            return Ok(None);
        }
        self.string_of(&head, Major::Bytes, BYTES_OR_NIL).map(Some)
    }

    /// Reads the head of a byte string whose bytes need not be here, and returns how many there are.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedType`] and those of [`Head::read_strict`].
    pub fn bytes_head(&mut self) -> Result<u64, Malformed> {
        self.take(Major::Bytes, "a byte string")
    }

    /// Does what [`bytes_head`](Self::bytes_head) does, and takes nil as `None`.
    ///
    /// # Errors
    ///
    /// Those of [`bytes_head`](Self::bytes_head).
    pub fn bytes_head_or_nil(&mut self) -> Result<Option<u64>, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        if self.takes_nil(&head) {
            return Ok(None);
        }
        self.take(Major::Bytes, BYTES_OR_NIL).map(Some)
    }

    /// Reads a text string.
    ///
    /// # Errors
    ///
    /// [`Flaw::Utf8`] and those of [`bytes`](Self::bytes).
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        if head.major != Major::Text {
            return Err(self.unexpected("a text string"));
        }
        self.content_as_text(&head)
    }

    /// Reads an integer.
    ///
    /// # Errors
    ///
    /// [`Flaw::IntegerRange`] outside 64 bits, [`Flaw::UnexpectedType`] (bignums are tags) and
    /// those of [`Head::read_strict`].
    pub fn int(&mut self) -> Result<i64, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        self.int_of(&head)
    }

    /// Reads an integer or a text string, as a label is (RFC 9052, Section 1.5).
    ///
    /// # Errors
    ///
    /// Those of [`int`](Self::int) and [`text`](Self::text).
    #[inline]
    pub fn int_or_text(&mut self) -> Result<IntOrText<'a>, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        match head.major {
            Major::Text => self.text().map(IntOrText::Text),
            _ => self.int_of(&head).map(IntOrText::Int),
        }
    }

    /// Reads a number, an integer or a float of any width, and leaves off its fraction; `None` if it is below 0,
    /// beyond 63 bits, infinite or no number.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedType`] and those of [`Head::read_strict`].
    pub fn whole_number(&mut self) -> Result<Option<u64>, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        let whole = match (head.major, head.info) {
            (Major::Unsigned, _) => Some(head.argument),
            (Major::Negative, _) => None,
            (Major::Simple, 25) => float_part(head.argument, 10, 5),
            (Major::Simple, 26) => float_part(head.argument, 23, 8),
            (Major::Simple, 27) => float_part(head.argument, 52, 11),
            _ => return Err(self.unexpected("a number")),
        };
        self.position += head.size;
        Ok(whole.filter(|whole| i64::try_from(*whole).is_ok()))
    }

    /// Reads `false` or `true`.
    ///
    /// # Errors
    ///
    /// [`Flaw::UnexpectedType`] and those of [`Head::read_strict`].
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        if ItemType::of(&head) != ItemType::Boolean {
            return Err(self.unexpected("a boolean"));
        }
        self.position += head.size;
        Ok(head.info == 21)
    }

    /// Demands that nothing is left.
    ///
    /// # Errors
    ///
    /// [`Flaw::TrailingBytes`] and [`Flaw::TrailingLineEnd`].
    pub fn finish(self) -> Result<(), Malformed> {
        match self.rest() {
            [] => Ok(()),
            rest if rest.iter().all(|byte| b"\r\n".contains(byte)) => {
                Err(Malformed::new(self.position, Flaw::TrailingLineEnd))
            }
            rest => Err(Malformed::new(self.position, Flaw::TrailingBytes { count: rest.len() })),
        }
    }

    #[inline]
    fn string(&mut self, major: Major, expected: &'static str) -> Result<&'a [u8], Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        self.string_of(&head, major, expected)
    }

    /// Reads a string whose head is the next one.
    #[inline]
    fn string_of(
        &mut self,
        head: &Head,
        major: Major,
        expected: &'static str,
    ) -> Result<&'a [u8], Malformed> {
        if head.major == major { self.content(head) } else { Err(self.unexpected(expected)) }
    }

    #[inline]
    fn content(&mut self, head: &Head) -> Result<&'a [u8], Malformed> {
        let start = self.position + head.size;
        let end = usize::try_from(head.argument).ok().and_then(|length| start.checked_add(length));
        let bytes = end.and_then(|end| self.input.get(start..end));
        let bytes = bytes.ok_or(Malformed::new(self.position, Flaw::UnexpectedEnd))?;
        self.position = start + bytes.len();
        Ok(bytes)
    }

    /// Reads an integer whose head is the next one.
    #[inline]
    fn int_of(&mut self, head: &Head) -> Result<i64, Malformed> {
        let magnitude = i64::try_from(head.argument);
        let magnitude = magnitude.map_err(|_| Malformed::new(self.position, Flaw::IntegerRange));
        let value = match head.major {
            Major::Unsigned => magnitude?,
            Major::Negative => -1 - magnitude?,
            _ => return Err(self.unexpected("an integer")),
        };
        self.position += head.size;
        Ok(value)
    }

    /// Reads a nil whose head is the next one, if it is one.
    fn takes_nil(&mut self, head: &Head) -> bool {
        let is_nil = ItemType::of(head) == ItemType::Null;
        self.position += if is_nil { head.size } else { 0 };
        is_nil
    }

    #[inline]
    fn content_as_text(&mut self, head: &Head) -> Result<&'a str, Malformed> {
        let offset = self.position;
        let bytes = self.content(head)?;
        std::str::from_utf8(bytes).map_err(|_| Malformed::new(offset, Flaw::Utf8))
    }

    fn take(&mut self, major: Major, expected: &'static str) -> Result<u64, Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        if head.major != major {
            return Err(self.unexpected(expected));
        }
        self.position += head.size;
        Ok(head.argument)
    }

    /// Returns the next head; `None` if it is refused.
    #[inline]
    fn head(&self) -> Option<Head> {
        #[cfg(test)]
        HEADS_READ.set(HEADS_READ.get() + 1);
        Head::read_minimal(self.rest())
    }

    /// Says why the next head is refused.
    #[cold]
    fn refusal(&self) -> Malformed {
        Head::refusal(self.rest()).within(self.position)
    }

    /// Refuses the next item, which has a head.
    #[cold]
    fn unexpected(&self, expected: &'static str) -> Malformed {
        let found = self.head().map_or(ItemType::Undefined, |head| ItemType::of(&head));
        Malformed::new(self.position, Flaw::UnexpectedType { expected, found })
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.input.get(start..self.position).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }
}

/// A label, or the key of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOrText<'a> {
    /// An integer.
    Int(i64),
    /// Text.
    Text(&'a str),
}

const BYTES_OR_NIL: &str = "a byte string or nil";

#[cfg(test)]
std::thread_local! {
    /// How many heads this thread has read, so that tests can count what an input costs.
    pub(crate) static HEADS_READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests;
