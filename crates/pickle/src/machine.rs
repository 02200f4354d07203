//! The stack, the marks and the memo of CPython's loaders.

use std::collections::HashMap;

use super::objects::{Body, Depth, DictItems, Object, Objects, Taken, Traits};
use super::rule::PickleRule;
use super::{MAX_MEMO, MAX_STACK};

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// The empty tuple, of which there is only one.
    EmptyTuple,
    /// Something that was imported, by the index of the import. Nothing else may be called.
    Global { import: u16, sort: GlobalSort },
    /// A number, a text, bytes, a truth value or `None`: where its opcode is in the file.
    Literal(u32),
    /// A tuple, a container, or a result.
    Object(super::objects::ObjectId),
    /// A value of which nothing is known. The pickle is refused, or larger than 4 GiB.
    Unknown,
}

/// What may be done with something that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GlobalSort {
    /// Its attributes cannot be set.
    Fixed,
    /// Its attributes can be set.
    Open,
    /// It is called to import an attribute, and nothing else: nothing may keep it.
    TakesAttributes,
}

/// The state of a loader.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) objects: Objects,
    stack: Vec<Value>,
    /// The length of the stack at each mark. Values below the last mark are out of reach.
    marks: Vec<usize>,
    memo: Vec<Option<Value>>,
    /// The values that were stored under an index that no pickler writes.
    far_memo: HashMap<usize, Value>,
    /// How many values are in the memo. MEMOIZE uses it as the next index.
    memoized: usize,
}

/// Values that an opcode takes from the top of the stack: where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Topmost(usize);

impl Topmost {
    /// Returns all but the lowest.
    pub(super) const fn after_first(self) -> Self {
        Self(self.0.saturating_add(1))
    }
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

    /// Pushes a container, and returns its depth.
    pub(super) fn push_container(&mut self, body: Body, taken: Taken) -> Result<(), PickleRule> {
        let Taken { depth, traits } = taken;
        let object = self.objects.add(Object { body, depth, traits })?;
        self.push(object)
    }

    /// Pushes an empty container.
    pub(super) fn push_empty(&mut self, body: Body) -> Result<(), PickleRule> {
        self.push_container(body, Taken { depth: Depth::EMPTY, traits: Traits::NONE })
    }

    /// Takes values from the stack, and pushes a tuple of them.
    pub(super) fn push_tuple(&mut self, items: Topmost) -> Result<Depth, PickleRule> {
        let tuple = match self.stack.get(items.0..).unwrap_or_default() {
            [] => Value::EmptyTuple,
            items => self.objects.add_tuple(items)?,
        };
        self.stack.truncate(items.0);
        self.push(tuple)?;
        Ok(self.objects.depth(tuple))
    }

    pub(super) fn top(&self) -> Result<Value, PickleRule> {
        self.reachable().last().copied().ok_or(PickleRule::StackUnderflow)
    }

    /// Returns where the `count` topmost values begin.
    pub(super) fn topmost(&self, count: usize) -> Result<Topmost, PickleRule> {
        let fence = self.marks.last().copied().unwrap_or(0);
        let first = self.stack.len().checked_sub(count).filter(|first| *first >= fence);
        first.map(Topmost).ok_or(PickleRule::StackUnderflow)
    }

    /// Takes the last mark, and returns where the values above it begin.
    pub(super) fn above_mark(&mut self) -> Result<Topmost, PickleRule> {
        self.marks.pop().map(Topmost).ok_or(PickleRule::MarkMissing)
    }

    /// Returns the value below these.
    pub(super) fn below(&self, topmost: Topmost) -> Result<Value, PickleRule> {
        let fence = self.marks.last().copied().unwrap_or(0);
        let below = topmost.0.checked_sub(1).filter(|place| *place >= fence);
        let value = below.and_then(|place| self.stack.get(place).copied());
        value.ok_or(PickleRule::StackUnderflow)
    }

    pub(super) fn values(&self, topmost: Topmost) -> &[Value] {
        self.stack.get(topmost.0..).unwrap_or_default()
    }

    /// Notes that something holds these values from now on, and returns what it takes from them.
    pub(super) fn take(&mut self, topmost: Topmost) -> Taken {
        self.objects.take(self.stack.get(topmost.0..).unwrap_or_default())
    }

    /// Notes that values leave the machine.
    pub(super) fn hand_out(&mut self, topmost: Topmost) {
        self.objects.note_kept(self.stack.get(topmost.0..).unwrap_or_default());
        self.drop(topmost);
    }

    /// Drops values from the stack.
    pub(super) fn drop(&mut self, topmost: Topmost) {
        self.stack.truncate(topmost.0);
    }

    /// Moves values from the stack into a dict, which is below them or in the memo.
    pub(super) fn move_pairs(&mut self, topmost: Topmost, dict: super::objects::ObjectId) {
        let pairs = self.stack.get(topmost.0..).unwrap_or_default();
        self.objects.add_pairs(dict, pairs);
        self.stack.truncate(topmost.0);
    }

    pub(super) fn mark(&mut self) -> Result<(), PickleRule> {
        if self.marks.len() >= MAX_STACK {
            return Err(PickleRule::StackTooLarge);
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Takes the topmost value, or the mark if there is no value above it.
    pub(super) fn pop_value_or_mark(&mut self) -> Result<(), PickleRule> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        let top = self.topmost(1)?;
        self.drop(top);
        Ok(())
    }

    /// Pushes the topmost value again.
    pub(super) fn duplicate(&mut self) -> Result<(), PickleRule> {
        let top = self.top()?;
        self.push(top)
    }

    /// Returns the contents that a new dict has: unknown, unless a rule may ask for them.
    ///
    /// A rule asks for the state of a result, which lies on the result at once or in a tuple that is being built
    /// there, and for the dicts in it. All other dicts would cost memory for nothing.
    pub(super) fn new_dict(&self) -> DictItems {
        let reachable = self.reachable();
        let fence = self.stack.len().saturating_sub(reachable.len());
        let below = |place: usize| place.checked_sub(1).and_then(|place| self.stack.get(place));
        let near =
            [below(self.stack.len()), below(self.stack.len().saturating_sub(1)), below(fence)];
        if near.into_iter().flatten().any(|value| self.asks_for_contents(*value)) {
            DictItems::Empty
        } else {
            DictItems::Unknown
        }
    }

    fn asks_for_contents(&self, value: Value) -> bool {
        let Some(object) = self.objects.of(value) else { return false };
        match object.body {
            Body::Result(origin) => origin.ruled_by.is_some() && !object.traits.has(Traits::BUILT),
            Body::Dict(items) => items != DictItems::Unknown,
            _ => false,
        }
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

/// The most values in the far memo. A pickle that has one is refused already, and is followed only to list its
/// imports.
const MAX_FAR_MEMO: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_the_marks_and_the_memo_are_full_at_their_limits() {
        let mut machine =
            Machine { stack: vec![Value::Unknown; MAX_STACK - 1], ..Machine::default() };
        assert_eq!(machine.push(Value::Unknown), Ok(()));
        assert_eq!(machine.push(Value::Unknown), Err(PickleRule::StackTooLarge));
        let mut machine = Machine { marks: vec![0; MAX_STACK - 1], ..Machine::default() };
        assert_eq!(machine.mark(), Ok(()));
        assert_eq!(machine.mark(), Err(PickleRule::StackTooLarge));
        let mut machine = Machine { stack: vec![Value::Unknown], ..Machine::default() };
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
        let mut machine = Machine { stack: vec![Value::EmptyTuple], ..Machine::default() };
        // Offsets grow, so an index that is too large at first need not stay so.
        for (index, offset) in [(2, 9), (2, 9), (30, 10), (30, 11), (30, 40)] {
            machine.put(index, offset).unwrap();
        }
        assert_eq!(machine.memoized, 2);
        machine.pop_value_or_mark().unwrap();
        machine.push(Value::Unknown).unwrap();
        assert_eq!(machine.memoize(41), Ok(true));
        machine.get(2).unwrap();
        assert_eq!(machine.top(), Ok(Value::Unknown));
    }

    /// Whatever refers to an object, its number means this object to the end of the file, also in later pickles.
    #[test]
    fn the_number_of_an_object_is_never_used_again() {
        let mut machine = Machine::default();
        let mut seen = std::collections::BTreeSet::new();
        let mut note = |machine: &Machine| match machine.top() {
            Ok(Value::Object(id)) => assert!(seen.insert(id), "{id:?}"),
            other => panic!("{other:?}"),
        };
        for round in 0..4 {
            machine.push_empty(Body::List(0)).unwrap();
            note(&machine);
            machine.push_empty(Body::Dict(DictItems::Empty)).unwrap();
            note(&machine);
            let Ok(Value::Object(dict)) = machine.top() else { panic!() };
            if round % 2 == 0 {
                machine.put(round, usize::MAX).unwrap();
            }
            machine.push(Value::Literal(0)).unwrap();
            machine.push(Value::Literal(7)).unwrap();
            machine.push_tuple(machine.topmost(1).unwrap()).unwrap();
            note(&machine);
            let held = machine.top().unwrap();
            machine.move_pairs(machine.topmost(2).unwrap(), dict);
            machine.drop(machine.topmost(2).unwrap());
            machine.push(Value::Literal(9)).unwrap();
            machine.push_tuple(machine.topmost(1).unwrap()).unwrap();
            note(&machine);
            assert_eq!(machine.objects.tuple(held), Some(&[Value::Literal(7)][..]));
            machine.pop_value_or_mark().unwrap();
            machine.restart();
            let pairs: Vec<_> = machine.objects.pairs(Value::Object(dict)).unwrap().collect();
            assert_eq!(pairs, [(Value::Literal(0), held)]);
        }
    }
}
