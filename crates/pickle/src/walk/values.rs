//! Values, containers and the memo.

use super::PickleWalk;
use crate::machine::{Depth, Value};
use crate::number_text;
use crate::opcode_reader::{OpcodeStep, little_endian};
use crate::rule::PickleRule;

impl PickleWalk<'_, '_> {
    pub(super) fn plain(&mut self) -> Result<(), PickleRule> {
        self.machine.push(Value::Plain)
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
        self.plain()
    }

    pub(super) fn unicode(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        if str::from_utf8(step.operand).is_err() {
            self.refuse(PickleRule::TextNotUtf8, step);
            return self.plain();
        }
        let length = step.operand.len();
        self.text(self.reader.offset().saturating_sub(length), length)
    }

    /// Pushes a text of protocol 0, which is Latin-1 with escapes. ASCII without escapes stands for itself.
    pub(super) fn unicode_line(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let known = step.operand.is_ascii() && !step.operand.contains(&b'\\');
        if known {
            self.text(step.offset.saturating_add(1), step.operand.len())
        } else {
            self.plain()
        }
    }

    pub(super) fn text(&mut self, start: usize, length: usize) -> Result<(), PickleRule> {
        match u32::try_from(length) {
            Ok(length) => self.machine.push(Value::Text { start, length }),
            Err(_) => self.plain(),
        }
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

    pub(super) fn tuple(&mut self, count: usize, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let depth = self.machine.pop_many(count)?;
        self.push_holder(Value::Tuple(depth), depth, step)
    }

    pub(super) fn gather(
        &mut self,
        holder: fn(Depth) -> Value,
        what: ItemSort,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let items = self.machine.pop_mark()?;
        if what == ItemSort::Pairs && items.count % 2 != 0 {
            return Err(PickleRule::OddItems);
        }
        self.push_holder(holder(items.depth), items.depth, step)
    }

    pub(super) fn push_holder(
        &mut self,
        value: Value,
        depth: Depth,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        if depth.is_too_deep() {
            self.refuse(PickleRule::TooDeep, step);
        }
        self.machine.push(value)
    }

    pub(super) fn add(
        &mut self,
        count: usize,
        what: ItemSort,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let depth = self.machine.pop_many(count)?;
        self.add_to_top(depth, what, step)
    }

    pub(super) fn add_marked(
        &mut self,
        what: ItemSort,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let items = self.machine.pop_mark()?;
        if what == ItemSort::Pairs && items.count % 2 != 0 {
            return Err(PickleRule::OddItems);
        }
        self.add_to_top(items.depth, what, step)
    }

    pub(super) fn add_to_top(
        &mut self,
        around: Depth,
        what: ItemSort,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let target = self.machine.top()?;
        if around.is_too_deep() {
            self.refuse(PickleRule::TooDeep, step);
        }
        let grown = match (target, what) {
            (Value::Global, _) => {
                self.refuse(PickleRule::ChangesAGlobal, step);
                return Ok(());
            }
            (Value::Result(depth), _) => Value::Result(depth.max(around)),
            (Value::List(depth), ItemSort::Any) => Value::List(depth.max(around)),
            (Value::Dict(depth), ItemSort::Pairs) => Value::Dict(depth.max(around)),
            (Value::Set(depth), ItemSort::Members) => Value::Set(depth.max(around)),
            _ => return Err(PickleRule::WrongTarget),
        };
        self.machine.set_top(grown)
    }
}

/// The items that a container takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemSort {
    Any,
    Members,
    Pairs,
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
