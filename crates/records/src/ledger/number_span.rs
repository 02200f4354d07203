//! Spans of numbers of a channel.

/// The numbers from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberSpan {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

impl NumberSpan {
    /// Returns how many numbers there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Returns whether `seq` is one of the numbers.
    #[must_use]
    pub const fn contains(&self, seq: u64) -> bool {
        self.first <= seq && seq <= self.last
    }

    /// Returns the numbers that both spans have.
    pub(crate) fn overlap(&self, other: &Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { first, last })
    }

    /// Returns the span with one number more at each end.
    pub(crate) const fn widened(&self) -> Self {
        let last = if self.last < MAX_SEQ { self.last.saturating_add(1) } else { self.last };
        Self { first: self.first.saturating_sub(1), last }
    }

    /// Returns whether one span ends where the other begins.
    pub(crate) const fn touches(&self, other: &Self) -> bool {
        let (own, others) = (self.widened(), other.widened());
        own.last == other.first || others.last == self.first
    }

    /// Returns what is left without `hole`: the numbers before it, and those after it.
    pub(crate) fn without(&self, hole: &Self) -> [Option<Self>; 2] {
        let before = hole.first.checked_sub(1).filter(|last| self.first <= *last);
        let after = hole.last.checked_add(1).filter(|first| *first <= self.last);
        [
            before.map(|last| Self { first: self.first, last: last.min(self.last) }),
            after.map(|first| Self { first: first.max(self.first), last: self.last }),
        ]
    }
}

/// The largest number of a record, by SPEC.md.
pub(crate) const MAX_SEQ: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(first: u64, last: u64) -> NumberSpan {
        NumberSpan { first, last }
    }

    #[test]
    fn a_hole_leaves_what_is_on_its_sides() {
        let cases = [
            (span(3, 5), [None, None]),
            (span(0, 9), [None, None]),
            (span(3, 3), [None, Some(span(4, 5))]),
            (span(5, 5), [Some(span(3, 4)), None]),
            (span(4, 4), [Some(span(3, 3)), Some(span(5, 5))]),
            (span(0, 3), [None, Some(span(4, 5))]),
        ];
        for (hole, left) in cases {
            assert_eq!(span(3, 5).without(&hole), left, "{hole:?}");
        }
    }

    #[test]
    fn spans_touch_only_where_nothing_is_between() {
        assert!(span(0, 4).touches(&span(5, 9)) && span(5, 9).touches(&span(0, 4)));
        assert!(!span(0, 4).touches(&span(6, 9)) && !span(6, 9).touches(&span(0, 4)));
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_special_case() {
        assert_eq!(span(0, 0).widened(), span(0, 1));
        assert_eq!(span(MAX_SEQ, MAX_SEQ).widened(), span(MAX_SEQ - 1, MAX_SEQ));
        assert_eq!(
            span(0, MAX_SEQ).without(&span(MAX_SEQ, MAX_SEQ)),
            [Some(span(0, MAX_SEQ - 1)), None]
        );
    }
}
