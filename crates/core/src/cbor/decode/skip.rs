//! Whole items, checked at every depth and passed over.

use super::super::map_keys::KeyPlaces;
use super::super::{Flaw, Head, MAX_DEPTH, Major, Malformed};
use super::{Decoder, IntOrText};

impl<'a> Decoder<'a> {
    /// Reads one whole item of any type, checks it at every depth, and returns its bytes.
    ///
    /// # Errors
    ///
    /// [`Flaw::DuplicateKey`], [`Flaw::TooDeep`], [`Flaw::UnexpectedEnd`], [`Flaw::Utf8`] and those
    /// of [`Head::read_strict`].
    pub fn skip(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.position;
        self.skip_nested(MAX_DEPTH)?;
        Ok(self.since(start))
    }

    /// Does what [`skip`](Self::skip) does for a map, but reads no more than `limit` bytes; `None` if it
    /// is longer.
    ///
    /// Each pair is shown to `visit` as soon as both have been checked: the key, or the error of one that is neither
    /// integer nor text, and the value. What it learns is worth something only where all of the map is, in the end.
    ///
    /// # Errors
    ///
    /// Those of [`skip`](Self::skip), [`Flaw::UnexpectedType`] if it is no map, and those of `visit`.
    pub(crate) fn map_within(
        &mut self,
        limit: usize,
        mut visit: impl FnMut(Result<IntOrText<'a>, Malformed>, &'a [u8]) -> Result<(), Malformed>,
    ) -> Result<Option<&'a [u8]>, Malformed> {
        let start = self.position;
        let within = self.input.get(..start.saturating_add(limit));
        let mut limited = Self { input: within.unwrap_or(self.input), position: start };
        match limited.skip_map(MAX_DEPTH - 1, &mut visit) {
            Err(Malformed { flaw: Flaw::UnexpectedEnd, .. }) if within.is_some() => Ok(None),
            Err(malformed) => Err(malformed),
            Ok(()) => {
                self.position = limited.position;
                Ok(Some(limited.since(start)))
            }
        }
    }

    #[inline]
    fn skip_nested(&mut self, depth_left: usize) -> Result<(), Malformed> {
        let Some(head) = self.head() else { return Err(self.refusal()) };
        match head.major {
            Major::Unsigned | Major::Negative | Major::Simple => self.position += head.size,
            Major::Bytes => drop(self.content(&head)?),
            Major::Text => drop(self.content_as_text(&head)?),
            Major::Array | Major::Map | Major::Tag => self.skip_around(&head, depth_left)?,
        }
        Ok(())
    }

    /// Skips an item that has others in it.
    fn skip_around(&mut self, head: &Head, depth_left: usize) -> Result<(), Malformed> {
        let too_deep = Malformed::new(self.position, Flaw::TooDeep);
        let depth_left = depth_left.checked_sub(1).ok_or(too_deep)?;
        if head.major == Major::Map {
            return self.skip_map(depth_left, &mut |_, _| Ok(()));
        }
        self.position += head.size;
        let items = if head.major == Major::Tag { 1 } else { head.argument };
        (0..items).try_for_each(|_| self.skip_nested(depth_left))
    }

    /// Skips a map and refuses a repeated key.
    ///
    /// Every value has one encoding here (but for the order of inner maps and the width of floats,
    /// which COSE does not use as labels), so keys are equal when their bytes are. Keys in ascending order
    /// are distinct; others are sorted. Where they are is remembered, so that nothing is read twice: reading
    /// each level of nested maps again would multiply the work.
    fn skip_map(
        &mut self,
        depth_left: usize,
        visit: &mut impl FnMut(Result<IntOrText<'a>, Malformed>, &'a [u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let pairs = self.map()?;
        let mut keys = KeyPlaces::default();
        let mut last: Option<&[u8]> = None;
        let mut ascending = true;
        for _ in 0..pairs {
            let key_start = self.position;
            let read = self.int_or_text();
            if read.is_err() {
                // Another type of key is checked as values are.
                self.position = key_start;
                self.skip_nested(depth_left)?;
            }
            let key = self.since(key_start);
            keys.push((key_start, self.position));
            ascending &= last.is_none_or(|last| last < key);
            last = Some(key);
            let value_start = self.position;
            self.skip_nested(depth_left)?;
            visit(read, self.since(value_start))?;
        }
        if ascending { Ok(()) } else { keys.refuse_duplicates(self.input) }
    }
}
