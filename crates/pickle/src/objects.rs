//! The objects that a pickle makes: tuples, containers, and the results of calls.
//!
//! A value on the stack, in the memo or in another object names its object by a number, so that what happens to
//! an object holds for all its places. The contents of tuples are kept, and those of dicts that a rule may ask for.
//!
//! Nothing is ever dropped, so a number means one object to the end of the file, whatever still refers to it. An
//! opcode makes at most one object, of 16 bytes and up to 24 more for its facts, and there are at most
//! [`MAX_OBJECTS`]; each item that is known takes 8 bytes, and there are at most [`MAX_ITEMS`] and a few.

mod traits;

pub(super) use self::traits::{Depth, Traits};

use super::MAX_OBJECTS;
use super::facts::Facts;
use super::machine::{GlobalSort, Value};
use super::rule::PickleRule;

/// An object, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectId(u32);

/// An object that a pickle has made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    pub(super) body: Body,
    pub(super) depth: Depth,
    pub(super) traits: Traits,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Dict(DictItems),
    Frozenset,
    /// With so many items, or more than can be counted.
    List(u32),
    /// The result of a call, or of the loader's `persistent_load`.
    Result(Origin),
    Set,
    Tuple(TupleItems),
}

/// The items of a tuple, if they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TupleItems {
    Known { start: u32, length: u32 },
    Unknown,
}

/// The pairs of a dict, if they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DictItems {
    Empty,
    /// The last of the chunks in which they were added.
    Known {
        last: u32,
    },
    Unknown,
}

/// Which import made a result, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The index of the import, if its rule was kept. Without one, the result can be anything.
    pub(super) ruled_by: Option<u16>,
    /// The index of its facts, if it has any.
    facts: u32,
}

/// What a container takes from its items.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// The depth of a container that holds them.
    pub(super) depth: Depth,
    /// What they share with what holds them.
    pub(super) traits: Traits,
}

/// The objects of a pickle, oldest first.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: Vec<Object>,
    /// Items of tuples, and keys and values of dicts, in turn.
    items: Vec<Value>,
    chunks: Vec<Chunk>,
    facts: Vec<Facts>,
    /// What objects took that others held already.
    shared_late: Traits,
    /// How many levels results gained with items while others held them already: what holds them may be deeper by as
    /// many. CPython frees a deque in a deque by recursion in C, which ends the process.
    sunk: Depth,
    /// An import that nothing may keep, and something does.
    kept_wrongly: Option<u16>,
}

/// Some pairs of a dict, and where those that were added before them are.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    start: u32,
    length: u32,
    previous: Option<u32>,
}

impl Objects {
    /// Adds an object.
    pub(super) fn add(&mut self, object: Object) -> Result<Value, PickleRule> {
        let number = u32::try_from(self.all.len()).map_err(|_| PickleRule::StackTooLarge)?;
        if self.all.len() >= MAX_OBJECTS {
            return Err(PickleRule::StackTooLarge);
        }
        self.all.push(object);
        Ok(Value::Object(ObjectId(number)))
    }

    /// Adds a tuple of these items.
    pub(super) fn add_tuple(&mut self, items: &[Value]) -> Result<Value, PickleRule> {
        let taken = self.take(items);
        let literals = items.iter().all(|item| matches!(item, Value::Literal(_)));
        let rows = if literals { Traits::NONE } else { Traits::BEYOND_ROWS };
        let traits = taken.traits.and(Traits::FILLED).and(rows);
        let known = self.store(items);
        let items = known
            .map_or(TupleItems::Unknown, |(start, length)| TupleItems::Known { start, length });
        self.add(Object { body: Body::Tuple(items), depth: taken.depth, traits })
    }

    /// Adds the result of a call.
    pub(super) fn add_result(
        &mut self,
        (ruled_by, facts): (Option<u16>, Facts),
        taken: Taken,
    ) -> Result<Value, PickleRule> {
        let facts = if ruled_by.is_none() { NO_FACTS } else { self.add_facts(facts) };
        let body = Body::Result(Origin { ruled_by, facts });
        self.add(Object { body, depth: taken.depth, traits: taken.traits })
    }

    fn add_facts(&mut self, facts: Facts) -> u32 {
        let Ok(number) = u32::try_from(self.facts.len()) else { return NO_FACTS };
        self.facts.push(facts);
        number
    }

    pub(super) fn get(&self, id: ObjectId) -> Option<&Object> {
        self.all.get(index(id.0))
    }

    pub(super) fn get_mut(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.all.get_mut(index(id.0))
    }

    /// Returns the object of a value, if it is one.
    pub(super) fn of(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Object(id) => self.get(id),
            _ => None,
        }
    }

    pub(super) fn depth(&self, value: Value) -> Depth {
        match value {
            Value::EmptyTuple => Depth::EMPTY,
            _ => self.of(value).map(|object| object.depth).unwrap_or_default(),
        }
    }

    /// Returns whether a value is a literal, or a tuple of literals.
    pub(super) fn is_row(&self, value: Value) -> bool {
        match value {
            Value::EmptyTuple | Value::Literal(_) => true,
            Value::Object(id) => self.get(id).is_some_and(|object| {
                matches!(object.body, Body::Tuple(_)) && !object.traits.has(Traits::BEYOND_ROWS)
            }),
            Value::Global { .. } | Value::Unknown => false,
        }
    }

    /// Returns what a value shares with what holds it.
    pub(super) fn shared(&self, value: Value) -> Traits {
        match value {
            Value::Global { sort: GlobalSort::Open, .. } => Traits::HOLDS_GLOBAL,
            Value::Object(id) => {
                let own = self.get(id).map(|object| object.traits).unwrap_or_default();
                own.only(Traits::SHARED).and(self.shared_late)
            }
            _ => Traits::NONE,
        }
    }

    /// Notes that something holds these values from now on, and returns what that takes from them.
    pub(super) fn take(&mut self, values: &[Value]) -> Taken {
        let mut taken = Taken { depth: Depth::default(), traits: Traits::NONE };
        self.note_kept(values);
        for value in values {
            taken.depth = taken.depth.max(self.depth(*value));
            taken.traits = taken.traits.and(self.shared(*value));
            if let Value::Object(id) = value
                && let Some(object) = self.get_mut(*id)
            {
                object.traits = object.traits.and(Traits::INSIDE);
            }
        }
        taken.depth = taken.depth.around();
        taken
    }

    /// Notes if one of these values is one that nothing may keep.
    pub(super) fn note_kept(&mut self, values: &[Value]) {
        self.kept_wrongly = self.kept_wrongly.or_else(|| {
            values.iter().find_map(|value| match value {
                Value::Global { import, sort: GlobalSort::TakesAttributes } => Some(*import),
                _ => None,
            })
        });
    }

    /// Returns an import that something keeps and nothing may, once.
    pub(super) const fn take_kept_wrongly(&mut self) -> Option<u16> {
        self.kept_wrongly.take()
    }

    /// Adds what an object takes from new items or from its state.
    pub(super) fn grow(&mut self, id: ObjectId, taken: Taken) {
        let Some(object) = self.get_mut(id) else { return };
        object.depth = object.depth.max(taken.depth);
        object.traits = object.traits.and(taken.traits);
        if object.traits.has(Traits::INSIDE) {
            self.shared_late = self.shared_late.and(taken.traits.only(Traits::SHARED));
        }
    }

    /// Notes that items are added to an object, and returns how deep anything may be now that holds them.
    pub(super) fn sink(&mut self, id: ObjectId, items: Depth) -> Depth {
        if let Some(object) = self.get(id).copied()
            && matches!(object.body, Body::Result(_))
            && object.traits.has(Traits::INSIDE)
        {
            self.sunk = self.sunk.below(items.beyond(object.depth));
        }
        self.sunk.below(items)
    }

    /// Adds pairs to a dict whose contents are known. Afterwards they may not be.
    pub(super) fn add_pairs(&mut self, id: ObjectId, pairs: &[Value]) {
        let previous = match self.get(id).map(|object| object.body) {
            Some(Body::Dict(DictItems::Empty)) => None,
            Some(Body::Dict(DictItems::Known { last })) => Some(last),
            _ => return,
        };
        // A chunk of no pairs would take memory that no items bound.
        if pairs.is_empty() {
            return;
        }
        let new = self.store(pairs).and_then(|(start, length)| {
            let number = u32::try_from(self.chunks.len()).ok()?;
            self.chunks.push(Chunk { start, length, previous });
            Some(DictItems::Known { last: number })
        });
        if let Some(object) = self.get_mut(id) {
            object.body = Body::Dict(new.unwrap_or(DictItems::Unknown));
        }
    }

    /// Stores values, and returns where; `None` if they are too many.
    fn store(&mut self, values: &[Value]) -> Option<(u32, u32)> {
        if values.len() > MAX_CONTENTS || self.items.len() >= MAX_ITEMS {
            return None;
        }
        let start = u32::try_from(self.items.len()).ok()?;
        self.items.extend_from_slice(values);
        Some((start, u32::try_from(values.len()).ok()?))
    }

    /// Returns the items of a tuple, if they are known.
    pub(super) fn tuple(&self, value: Value) -> Option<&[Value]> {
        if value == Value::EmptyTuple {
            return Some(&[]);
        }
        match self.of(value)?.body {
            Body::Tuple(TupleItems::Known { start, length }) => self.stored(start, length),
            _ => None,
        }
    }

    /// Returns the pairs of a dict in some order, if they are known.
    pub(super) fn pairs(&self, value: Value) -> Option<impl Iterator<Item = (Value, Value)>> {
        let last = match self.of(value)?.body {
            Body::Dict(DictItems::Empty) => None,
            Body::Dict(DictItems::Known { last }) => Some(last),
            _ => return None,
        };
        let chunk = |number: u32| self.chunks.get(index(number));
        let chunks = std::iter::successors(last.and_then(chunk), move |found| {
            found.previous.and_then(chunk)
        });
        Some(chunks.flat_map(|found| {
            let items = self.stored(found.start, found.length).unwrap_or_default();
            items.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?)))
        }))
    }

    fn stored(&self, start: u32, length: u32) -> Option<&[Value]> {
        let start = index(start);
        self.items.get(start..start.saturating_add(index(length)))
    }

    /// Returns what is known of a result.
    pub(super) fn facts(&self, value: Value) -> Facts {
        match self.of(value).map(|object| object.body) {
            Some(Body::Result(origin)) => {
                self.facts.get(index(origin.facts)).copied().unwrap_or_default()
            }
            _ => Facts::None,
        }
    }

    /// Replaces what is known of a result that a rule made.
    pub(super) fn set_facts(&mut self, id: ObjectId, facts: Facts) {
        let Some(Object { body: Body::Result(origin), .. }) = self.get(id).copied() else { return };
        if let Some(known) = self.facts.get_mut(index(origin.facts)) {
            *known = facts;
        }
    }
}

#[expect(clippy::as_conversions, reason = "no target has a usize of fewer than 32 bits")]
const fn index(number: u32) -> usize {
    number as usize
}

/// The number of the facts of a result that has none.
const NO_FACTS: u32 = u32::MAX;

/// The most items of a tuple, or keys and values in one step, that are known.
const MAX_CONTENTS: usize = 4096;

/// The most items and pairs that are known. Later tuples and dicts have contents that nobody knows.
const MAX_ITEMS: usize = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// The memory of the scanner follows from these, since nothing is dropped.
    #[test]
    fn what_is_kept_has_the_size_that_is_stated() {
        assert_eq!((size_of::<Object>(), size_of::<Value>()), (16, 8));
        assert!(size_of::<Facts>() <= 24 && size_of::<Chunk>() <= 16);
        let mut objects = Objects::default();
        let dict = Object {
            body: Body::Dict(DictItems::Empty),
            depth: Depth::EMPTY,
            traits: Traits::NONE,
        };
        let Ok(Value::Object(id)) = objects.add(dict) else { panic!("no object") };
        for _ in 0..3 {
            objects.add_pairs(id, &[]);
        }
        assert!(objects.chunks.is_empty());
        objects.add_pairs(id, &[Value::EmptyTuple; 2]);
        assert_eq!((objects.chunks.len(), objects.items.len()), (1, 2));
    }
}
