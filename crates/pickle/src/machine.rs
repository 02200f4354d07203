//! The stack, the marks and the memo of CPython's loaders.
//!
//! Of each value only its sort is known, how deep it nests, and of a text where it is in the file.

use std::collections::HashMap;

use super::rule::PickleRule;
use super::{MAX_MEMO, MAX_NESTING, MAX_STACK};

/// What is known of a value. Those that hold others know how deep they nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Dict(Depth),
    Frozenset(Depth),
    /// Something that was imported. Nothing else may be called.
    Global,
    List(Depth),
    /// A value that holds no others: a number, bytes, or a text that is not in the file as it is.
    Plain,
    /// The result of a call, or of the loader's `persistent_load`. It can be anything.
    Result(Depth),
    Set(Depth),
    /// A `str` that is in the file as it is.
    Text {
        start: usize,
        length: u32,
    },
    Tuple(Depth),
}

impl Value {
    const fn depth(self) -> Depth {
        match self {
            Self::Dict(depth)
            | Self::Frozenset(depth)
            | Self::List(depth)
            | Self::Result(depth)
            | Self::Set(depth)
            | Self::Tuple(depth) => depth,
            Self::Global | Self::Plain | Self::Text { .. } => Depth(0),
        }
    }
}

/// How many levels of values nest in a value, itself included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Depth(u16);

impl Depth {
    /// The depth of an empty container.
    pub(super) const EMPTY: Self = Self(1);

    /// Returns the depth of a container that holds `items`.
    pub(super) fn around(items: &[Value]) -> Self {
        let deepest = items.iter().map(|item| item.depth()).max().unwrap_or_default();
        Self(deepest.0.saturating_add(1))
    }

    /// Returns whether it is over [`MAX_NESTING`].
    pub(super) const fn is_too_deep(self) -> bool {
        self.0 > MAX_NESTING
    }
}

/// The state of a loader.
#[derive(Debug, Default)]
pub(super) struct Machine {
    stack: Vec<Value>,
    /// The length of the stack at each mark. Values below the last mark are out of reach.
    marks: Vec<usize>,
    memo: Vec<Option<Value>>,
    /// The values that were stored under an index that no pickler writes.
    far_memo: HashMap<usize, Value>,
    /// How many values are in the memo. MEMOIZE uses it as the next index.
    memoized: usize,
}

impl Machine {
    /// Prepares for another pickle, and keeps the memo, as an Unpickler does.
    pub(super) fn restart(&mut self) {
        self.stack.clear();
        self.marks.clear();
    }

    /// Returns whether no values and no marks are left.
    pub(super) const fn is_empty(&self) -> bool {
        self.stack.is_empty() && self.marks.is_empty()
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), PickleRule> {
        if self.stack.len() >= MAX_STACK {
            return Err(PickleRule::StackTooLarge);
        }
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Value, PickleRule> {
        self.top()?;
        self.stack.pop().ok_or(PickleRule::StackUnderflow)
    }

    pub(super) fn top(&self) -> Result<Value, PickleRule> {
        self.reachable().last().copied().ok_or(PickleRule::StackUnderflow)
    }

    /// Replaces the topmost value.
    pub(super) fn set_top(&mut self, value: Value) -> Result<(), PickleRule> {
        self.pop()?;
        self.push(value)
    }

    /// Takes the `count` topmost values, and returns the depth of a container that holds them.
    pub(super) fn pop_many(&mut self, count: usize) -> Result<Depth, PickleRule> {
        let reachable = self.reachable();
        let first = reachable.len().checked_sub(count).ok_or(PickleRule::StackUnderflow)?;
        let depth = Depth::around(reachable.get(first..).unwrap_or_default());
        self.stack.truncate(self.stack.len().saturating_sub(count));
        Ok(depth)
    }

    pub(super) fn mark(&mut self) -> Result<(), PickleRule> {
        if self.marks.len() >= MAX_STACK {
            return Err(PickleRule::StackTooLarge);
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Takes the values above the last mark, and the mark.
    pub(super) fn pop_mark(&mut self) -> Result<MarkedItems, PickleRule> {
        let start = self.marks.pop().ok_or(PickleRule::MarkMissing)?;
        let items = self.stack.get(start..).unwrap_or_default();
        let found = MarkedItems {
            count: items.len(),
            depth: Depth::around(items),
            first: items.first().copied(),
        };
        self.stack.truncate(start);
        Ok(found)
    }

    /// Takes the topmost value, or the mark if there is no value above it.
    pub(super) fn pop_value_or_mark(&mut self) -> Result<(), PickleRule> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(|_| ())
    }

    pub(super) fn get(&mut self, index: usize) -> Result<(), PickleRule> {
        let near = self.memo.get(index).copied().flatten();
        let value = near.or_else(|| self.far_memo.get(&index).copied());
        self.push(value.ok_or(PickleRule::MemoMissing)?)
    }

    /// Stores the topmost value in the memo, and returns whether a pickler can have written this index there.
    ///
    /// CPython's C loader allocates twice as much as the largest index needs. No pickler writes an index that
    /// is larger than the number of bytes before it, so a larger one is refused: this bounds memory in the
    /// loader and here.
    pub(super) fn put(&mut self, index: usize, offset: usize) -> Result<bool, PickleRule> {
        let value = self.top()?;
        let near = index <= offset;
        let new = if near {
            if index >= MAX_MEMO {
                return Err(PickleRule::MemoTooLarge);
            }
            if index >= self.memo.len() {
                self.memo.resize(index.saturating_add(1), None);
            }
            // The same index may have been too large earlier in the file.
            let old = self.far_memo.remove(&index);
            let slot = self.memo.get_mut(index);
            slot.and_then(|slot| slot.replace(value)).or(old).is_none()
        } else {
            if self.far_memo.len() >= MAX_FAR_MEMO {
                return Err(PickleRule::MemoTooLarge);
            }
            self.far_memo.insert(index, value).is_none()
        };
        self.memoized = self.memoized.saturating_add(usize::from(new));
        Ok(near)
    }

    /// Stores the topmost value under the number of values in the memo.
    pub(super) fn memoize(&mut self, offset: usize) -> Result<bool, PickleRule> {
        self.put(self.memoized, offset)
    }

    fn reachable(&self) -> &[Value] {
        let fence = self.marks.last().copied().unwrap_or(0);
        self.stack.get(fence..).unwrap_or_default()
    }
}

/// The values above a mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct MarkedItems {
    pub(super) count: usize,
    /// The depth of a container that holds them.
    pub(super) depth: Depth,
    pub(super) first: Option<Value>,
}

/// The most values in the far memo. A pickle that has one is refused already, and is followed only to list its
/// imports.
const MAX_FAR_MEMO: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_the_marks_and_the_memo_are_full_at_their_limits() {
        let mut machine =
            Machine { stack: vec![Value::Plain; MAX_STACK - 1], ..Machine::default() };
        assert_eq!(machine.push(Value::Plain), Ok(()));
        assert_eq!(machine.push(Value::Plain), Err(PickleRule::StackTooLarge));
        let mut machine = Machine { marks: vec![0; MAX_STACK - 1], ..Machine::default() };
        assert_eq!(machine.mark(), Ok(()));
        assert_eq!(machine.mark(), Err(PickleRule::StackTooLarge));
        let mut machine = Machine { stack: vec![Value::Plain], ..Machine::default() };
        assert_eq!(machine.put(MAX_MEMO - 1, usize::MAX), Ok(true));
        assert_eq!(machine.put(MAX_MEMO, usize::MAX), Err(PickleRule::MemoTooLarge));
        for index in 1..=MAX_FAR_MEMO {
            assert_eq!(machine.put(index, 0), Ok(false));
        }
        assert_eq!(machine.put(0, 0), Ok(true));
        assert_eq!(machine.put(MAX_FAR_MEMO + 1, 0), Err(PickleRule::MemoTooLarge));
    }

    #[test]
    fn memoize_numbers_by_how_many_there_are() {
        let mut machine = Machine { stack: vec![Value::Global], ..Machine::default() };
        // Offsets grow, so an index that is too large at first need not stay so.
        for (index, offset) in [(2, 9), (2, 9), (30, 10), (30, 11), (30, 40)] {
            machine.put(index, offset).unwrap();
        }
        assert_eq!(machine.memoized, 2);
        machine.set_top(Value::Plain).unwrap();
        assert_eq!(machine.memoize(41), Ok(true));
        machine.get(2).unwrap();
        assert_eq!(machine.pop(), Ok(Value::Plain));
    }
}
