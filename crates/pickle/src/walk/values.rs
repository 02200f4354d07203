//! Values, containers and the memo.

use super::PickleWalk;
use crate::entry::ItemRule;
use crate::machine::{Topmost, Value};
use crate::number_text;
use crate::objects::{Body, Depth, DictItems, ObjectId, Traits};
use crate::opcode_reader::{OpcodeStep, little_endian};
use crate::rule::PickleRule;

impl PickleWalk<'_, '_> {
    pub(super) fn literal(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        // A literal that is further away is known to nobody.
        let value = u32::try_from(step.offset).map_or(Value::Unknown, Value::Literal);
        self.machine.push(value)
    }

    /// Pushes a value that is written as text, and refuses it if it is not in the form that picklers write.
    pub(super) fn written(
        &mut self,
        checked: Result<(), PickleRule>,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        if let Err(rule) = checked {
            self.refuse(rule, step);
        }
        self.literal(step)
    }

    pub(super) fn unicode(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        if str::from_utf8(step.operand).is_err() {
            self.refuse(PickleRule::TextNotUtf8, step);
            return self.machine.push(Value::Unknown);
        }
        self.literal(step)
    }

    pub(super) fn written_index(&mut self, step: &OpcodeStep<'_>) -> Result<usize, PickleRule> {
        number_text::index(step.operand).or_else(|rule| {
            self.refuse(rule, step);
            number_text::index_as_read(step.operand).ok_or(rule)
        })
    }

    pub(super) fn put(&mut self, index: usize, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let put = self.machine.put(index, step.offset);
        self.check_put(put, step)
    }

    pub(super) fn check_put(
        &mut self,
        put: Result<bool, PickleRule>,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        if !put? {
            self.refuse(PickleRule::MemoIndex, step);
        }
        Ok(())
    }

    pub(super) fn check_depth(&mut self, depth: Depth, step: &OpcodeStep<'_>) {
        if depth.is_too_deep() {
            self.refuse(PickleRule::TooDeep, step);
        }
    }

    pub(super) fn tuple(&mut self, count: usize, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let items = self.machine.topmost(count)?;
        let depth = self.machine.push_tuple(items)?;
        self.check_depth(depth, step);
        Ok(())
    }

    pub(super) fn marked_tuple(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let items = self.machine.above_mark()?;
        let depth = self.machine.push_tuple(items)?;
        self.check_depth(depth, step);
        Ok(())
    }

    pub(super) fn empty_dict(&mut self) -> Result<(), PickleRule> {
        let contents = self.machine.new_dict();
        self.machine.push_empty(Body::Dict(contents))
    }

    /// Pushes a dict of the pairs above the mark.
    pub(super) fn marked_dict(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let pairs = self.machine.above_mark()?;
        if !self.machine.values(pairs).is_empty() {
            return self.gather(Body::Dict(DictItems::Unknown), ItemSort::Pairs, pairs, step);
        }
        self.empty_dict()
    }

    pub(super) fn marked(
        &mut self,
        body: fn(u32) -> Body,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let items = self.machine.above_mark()?;
        let body = body(count(self.machine.values(items)));
        self.gather(body, ItemSort::Any, items, step)
    }

    fn gather(
        &mut self,
        body: Body,
        what: ItemSort,
        items: Topmost,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let mut taken = self.machine.take(items);
        taken.traits = taken.traits.and(self.traits_of_items(what, items, step)?);
        self.machine.drop(items);
        self.check_depth(taken.depth, step);
        self.machine.push_container(body, taken)
    }

    /// Returns what items say about what they are put into.
    fn traits_of_items(
        &self,
        what: ItemSort,
        items: Topmost,
        step: &OpcodeStep<'_>,
    ) -> Result<Traits, PickleRule> {
        let items = self.machine.values(items);
        if items.is_empty() {
            return Ok(Traits::NONE);
        }
        if what != ItemSort::Pairs {
            let rows = items.iter().all(|item| self.machine.objects.is_row(*item));
            let beyond = if rows { Traits::NONE } else { Traits::BEYOND_ROWS };
            return Ok(Traits::FILLED.and(beyond));
        }
        if !items.len().is_multiple_of(2) {
            return Err(PickleRule::OddItems);
        }
        let names_method =
            items.chunks_exact(2).any(|pair| self.is_method(pair.first(), pair.last(), step));
        Ok(if names_method { Traits::FILLED.and(Traits::NAMES_METHOD) } else { Traits::FILLED })
    }

    /// Returns whether a pair would be a method that the loader calls, if it were an attribute.
    fn is_method(&self, key: Option<&Value>, value: Option<&Value>, step: &OpcodeStep<'_>) -> bool {
        let (Some(key), Some(value)) = (key, value) else { return false };
        let callable = match value {
            Value::Global { .. } | Value::Unknown => true,
            // A dict with a method can replace all attributes, by the name `__dict__`.
            Value::Object(id) => self.machine.objects.get(*id).is_some_and(|object| {
                matches!(object.body, Body::Result(_)) || object.traits.has(Traits::NAMES_METHOD)
            }),
            Value::EmptyTuple | Value::Literal(_) => false,
        };
        callable
            && match key {
                Value::Literal(_) => self.scene(step, |scene| scene.may_be_word(*key, CALLED)),
                Value::Object(id) => self.is_result(*id),
                Value::Unknown => true,
                Value::EmptyTuple | Value::Global { .. } => false,
            }
    }

    pub(super) fn add(
        &mut self,
        count: usize,
        what: ItemSort,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let items = self.machine.topmost(count)?;
        self.add_to_below(items, what, step)
    }

    pub(super) fn add_marked(
        &mut self,
        what: ItemSort,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let items = self.machine.above_mark()?;
        self.add_to_below(items, what, step)
    }

    fn add_to_below(
        &mut self,
        items: Topmost,
        what: ItemSort,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let mut taken = self.machine.take(items);
        taken.traits = taken.traits.and(self.traits_of_items(what, items, step)?);
        let target = self.machine.below(items)?;
        self.check_depth(taken.depth, step);
        let id = match target {
            Value::Object(id) => {
                let depth = self.machine.objects.sink(id, taken.depth);
                self.check_depth(depth, step);
                id
            }
            Value::Global { .. } => {
                self.refuse(PickleRule::ChangesAGlobal, step);
                self.machine.drop(items);
                return Ok(());
            }
            Value::Unknown => {
                self.machine.drop(items);
                return Ok(());
            }
            Value::EmptyTuple | Value::Literal(_) => return Err(PickleRule::WrongTarget),
        };
        match (self.machine.objects.of(target).map(|object| object.body), what) {
            (Some(Body::Result(_)), _) => self.judge_items(id, what, step),
            (Some(Body::Dict(pairs)), ItemSort::Pairs) => {
                // Its contents were known, and may have been judged. NumPy's types keep the dict itself.
                let held = self
                    .machine
                    .objects
                    .get(id)
                    .is_some_and(|object| object.traits.has(Traits::INSIDE));
                if held && pairs != DictItems::Unknown && taken.traits.has(Traits::FILLED) {
                    self.refuse(PickleRule::AfterBuild, step);
                }
            }
            (Some(Body::List(length)), ItemSort::Any) => {
                let length = length.saturating_add(count(self.machine.values(items)));
                if let Some(object) = self.machine.objects.get_mut(id) {
                    object.body = Body::List(length);
                }
            }
            (Some(Body::Set), ItemSort::Members) => {}
            _ => return Err(PickleRule::WrongTarget),
        }
        self.machine.objects.grow(id, taken);
        if what == ItemSort::Pairs {
            self.machine.move_pairs(items, id);
        } else {
            self.machine.drop(items);
        }
        Ok(())
    }

    /// Judges items for a result.
    fn judge_items(&mut self, id: ObjectId, what: ItemSort, step: &OpcodeStep<'_>) {
        self.judge_change(Value::Object(id), Value::Unknown, step);
        let takes = match what {
            ItemSort::Any => ItemRule::List,
            ItemSort::Members => ItemRule::Members,
            ItemSort::Pairs => ItemRule::Pairs,
        };
        let Some(Body::Result(origin)) = self.machine.objects.get(id).map(|object| object.body)
        else {
            return;
        };
        if let Some(import) = origin.ruled_by
            && self.findings.rule(import).is_some_and(|rule| rule.items != takes)
            && !self.findings.is_lifted(import)
        {
            self.findings.refuse_about(import, PickleRule::ItemsNotAllowed, step.offset);
        }
    }
}

/// The items that a container takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemSort {
    Any,
    Members,
    Pairs,
}

fn count(items: &[Value]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

pub(super) fn check_quotes(line: &[u8]) -> Result<(), PickleRule> {
    match line {
        [b'\'', .., b'\''] | [b'"', .., b'"'] => Ok(()),
        _ => Err(PickleRule::StringForm),
    }
}

pub(super) fn index(step: &OpcodeStep<'_>) -> usize {
    little_endian(step.operand).unwrap_or(usize::MAX)
}

/// The attributes that a loader calls, or that say what is called.
const CALLED: &[&str] = &["__class__", "__dict__", "__setstate__", "add", "append", "extend"];
