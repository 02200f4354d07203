//! Values, what holds them, and the memo.

use super::Walk;
use crate::pickle::machine::{Depth, Value};
use crate::pickle::number;
use crate::pickle::reader::{Step, little_endian};
use crate::pickle::reason::Reason;

impl Walk<'_, '_> {
    pub(super) fn plain(&mut self) -> Result<(), Reason> {
        self.machine.push(Value::Plain)
    }

    /// A value that is written as text, whatever it is.
    pub(super) fn written(
        &mut self,
        checked: Result<(), Reason>,
        step: &Step<'_>,
    ) -> Result<(), Reason> {
        if let Err(reason) = checked {
            self.refuse(reason, step);
        }
        self.plain()
    }

    pub(super) fn unicode(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        if str::from_utf8(step.operand).is_err() {
            self.refuse(Reason::TextNotUtf8, step);
            return self.plain();
        }
        let length = step.operand.len();
        self.text(self.reader.offset().saturating_sub(length), length)
    }

    /// Protocol 0 writes text in Latin-1 with escapes. What is ASCII without any is what it is.
    pub(super) fn unicode_line(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        let known = step.operand.is_ascii() && !step.operand.contains(&b'\\');
        if known {
            self.text(step.offset.saturating_add(1), step.operand.len())
        } else {
            self.plain()
        }
    }

    pub(super) fn text(&mut self, start: usize, length: usize) -> Result<(), Reason> {
        match u32::try_from(length) {
            Ok(length) => self.machine.push(Value::Text { start, length }),
            Err(_) => self.plain(),
        }
    }

    pub(super) fn written_index(&mut self, step: &Step<'_>) -> Result<usize, Reason> {
        number::index(step.operand).or_else(|reason| {
            self.refuse(reason, step);
            number::index_as_read(step.operand).ok_or(reason)
        })
    }

    pub(super) fn put(&mut self, index: usize, step: &Step<'_>) -> Result<(), Reason> {
        let put = self.machine.put(index, step.offset);
        self.check_put(put, step)
    }

    pub(super) fn check_put(
        &mut self,
        put: Result<bool, Reason>,
        step: &Step<'_>,
    ) -> Result<(), Reason> {
        if !put? {
            self.refuse(Reason::MemoIndex, step);
        }
        Ok(())
    }

    pub(super) fn tuple(&mut self, count: usize, step: &Step<'_>) -> Result<(), Reason> {
        let depth = self.machine.pop_many(count)?;
        self.push_holder(Value::Tuple(depth), depth, step)
    }

    pub(super) fn gather(
        &mut self,
        holder: fn(Depth) -> Value,
        what: Items,
        step: &Step<'_>,
    ) -> Result<(), Reason> {
        let items = self.machine.pop_mark()?;
        if what == Items::Pairs && items.count % 2 != 0 {
            return Err(Reason::OddItems);
        }
        self.push_holder(holder(items.depth), items.depth, step)
    }

    pub(super) fn push_holder(
        &mut self,
        value: Value,
        depth: Depth,
        step: &Step<'_>,
    ) -> Result<(), Reason> {
        if depth.is_too_deep() {
            self.refuse(Reason::TooDeep, step);
        }
        self.machine.push(value)
    }

    pub(super) fn add(&mut self, count: usize, what: Items, step: &Step<'_>) -> Result<(), Reason> {
        let depth = self.machine.pop_many(count)?;
        self.add_to_top(depth, what, step)
    }

    pub(super) fn add_marked(&mut self, what: Items, step: &Step<'_>) -> Result<(), Reason> {
        let items = self.machine.pop_mark()?;
        if what == Items::Pairs && items.count % 2 != 0 {
            return Err(Reason::OddItems);
        }
        self.add_to_top(items.depth, what, step)
    }

    pub(super) fn add_to_top(
        &mut self,
        around: Depth,
        what: Items,
        step: &Step<'_>,
    ) -> Result<(), Reason> {
        let target = self.machine.top()?;
        if around.is_too_deep() {
            self.refuse(Reason::TooDeep, step);
        }
        let grown = match (target, what) {
            (Value::Global, _) => {
                self.refuse(Reason::ChangesAGlobal, step);
                return Ok(());
            }
            (Value::Result(depth), _) => Value::Result(depth.max(around)),
            (Value::List(depth), Items::Any) => Value::List(depth.max(around)),
            (Value::Dict(depth), Items::Pairs) => Value::Dict(depth.max(around)),
            (Value::Set(depth), Items::Members) => Value::Set(depth.max(around)),
            _ => return Err(Reason::WrongTarget),
        };
        self.machine.set_top(grown)
    }
}

/// What a container takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    Any,
    Members,
    Pairs,
}

pub(super) fn check_quotes(line: &[u8]) -> Result<(), Reason> {
    match line {
        [b'\'', .., b'\''] | [b'"', .., b'"'] => Ok(()),
        _ => Err(Reason::StringForm),
    }
}

pub(super) fn index(step: &Step<'_>) -> usize {
    little_endian(step.operand).unwrap_or(usize::MAX)
}
