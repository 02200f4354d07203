//! Imports, and what is done with them.

use super::Walk;
use crate::pickle::import::How;
use crate::pickle::machine::{Depth, Value};
use crate::pickle::reader::Step;
use crate::pickle::reason::Reason;

impl<'a> Walk<'a, '_> {
    pub(super) fn global(&mut self, step: &Step<'a>) -> Result<(), Reason> {
        self.import((step.operand, step.second), How::Global, step)?;
        self.machine.push(Value::Global)
    }

    pub(super) fn stack_global(&mut self, step: &Step<'a>) -> Result<(), Reason> {
        let (name, module) = (self.machine.pop()?, self.machine.pop()?);
        match (self.known(module), self.known(name)) {
            (Some(module), Some(name)) => self.import((module, name), How::StackGlobal, step)?,
            _ => self.refuse(Reason::DynamicImport, step),
        }
        self.machine.push(Value::Global)
    }

    pub(super) fn known(&self, value: Value) -> Option<&'a [u8]> {
        match value {
            Value::Text { start, length } => {
                Some(self.reader.part(start, usize::try_from(length).ok()?))
            }
            _ => None,
        }
    }

    pub(super) fn import(
        &mut self,
        names: (&'a [u8], &'a [u8]),
        how: How,
        step: &Step<'_>,
    ) -> Result<(), Reason> {
        self.findings.import(names, how, self.protocol, step.offset)
    }

    pub(super) fn inst(&mut self, step: &Step<'a>) -> Result<(), Reason> {
        self.import((step.operand, step.second), How::Inst, step)?;
        let arguments = self.machine.pop_mark()?;
        self.push_result(arguments.depth, step)
    }

    pub(super) fn obj(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        let items = self.machine.pop_mark()?;
        self.must_be_global(items.first.ok_or(Reason::StackUnderflow)?, step)?;
        self.push_result(items.depth, step)
    }

    pub(super) fn call(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        let arguments = self.machine.top()?;
        let depth = self.machine.pop_many(1)?;
        let called = self.machine.pop()?;
        self.must_be_global(called, step)?;
        self.finish_call(arguments, depth, step)
    }

    pub(super) fn call_with_names(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        let named = self.machine.pop()?;
        let arguments = self.machine.top()?;
        let depth = self.machine.pop_many(1)?;
        let called = self.machine.pop()?;
        self.must_be_global(called, step)?;
        if !matches!(named, Value::Dict(_)) {
            return Err(Reason::ArgumentsForm);
        }
        let depth = depth.max(Depth::around(&[named]));
        self.finish_call(arguments, depth, step)
    }

    pub(super) fn finish_call(
        &mut self,
        arguments: Value,
        depth: Depth,
        step: &Step<'_>,
    ) -> Result<(), Reason> {
        // The loader in Python would iterate over anything, and so run code of it.
        if !matches!(arguments, Value::Tuple(_)) {
            return Err(Reason::ArgumentsForm);
        }
        self.push_result(depth, step)
    }

    /// What a call gives may be a class, a function or a module that is on no list.
    pub(super) fn must_be_global(&mut self, called: Value, step: &Step<'_>) -> Result<(), Reason> {
        match called {
            Value::Global => Ok(()),
            Value::Result(_) => {
                self.refuse(Reason::CallsAResult, step);
                Ok(())
            }
            _ => Err(Reason::CallsNoCallable),
        }
    }

    pub(super) fn build(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        let around = self.machine.pop_many(1)?;
        match self.machine.top()? {
            Value::Global => {
                self.refuse(Reason::ChangesAGlobal, step);
                Ok(())
            }
            Value::Result(depth) => {
                if around.is_too_deep() {
                    self.refuse(Reason::TooDeep, step);
                }
                self.machine.set_top(Value::Result(depth.max(around)))
            }
            _ => Err(Reason::WrongTarget),
        }
    }

    pub(super) fn persistent_id(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        if !self.options.persistent_ids {
            self.refuse(Reason::PersistentId, step);
        }
        self.machine.push(Value::Result(Depth::EMPTY))
    }

    pub(super) fn push_result(&mut self, depth: Depth, step: &Step<'_>) -> Result<(), Reason> {
        self.push_holder(Value::Result(depth), depth, step)
    }
}
