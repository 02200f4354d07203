//! Imports and calls.

use super::PickleWalk;
use crate::import::ImportOpcode;
use crate::machine::{Depth, Value};
use crate::opcode_reader::OpcodeStep;
use crate::rule::PickleRule;

impl<'a> PickleWalk<'a, '_> {
    pub(super) fn global(&mut self, step: &OpcodeStep<'a>) -> Result<(), PickleRule> {
        self.import((step.operand, step.second), ImportOpcode::Global, step)?;
        self.machine.push(Value::Global)
    }

    pub(super) fn stack_global(&mut self, step: &OpcodeStep<'a>) -> Result<(), PickleRule> {
        let (name, module) = (self.machine.pop()?, self.machine.pop()?);
        match (self.known(module), self.known(name)) {
            (Some(module), Some(name)) => {
                self.import((module, name), ImportOpcode::StackGlobal, step)?
            }
            _ => self.refuse(PickleRule::DynamicImport, step),
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
        how: ImportOpcode,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        self.findings.import(names, how, self.protocol, step.offset)
    }

    pub(super) fn inst(&mut self, step: &OpcodeStep<'a>) -> Result<(), PickleRule> {
        self.import((step.operand, step.second), ImportOpcode::Inst, step)?;
        let arguments = self.machine.pop_mark()?;
        self.push_result(arguments.depth, step)
    }

    pub(super) fn obj(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let items = self.machine.pop_mark()?;
        self.must_be_global(items.first.ok_or(PickleRule::StackUnderflow)?, step)?;
        self.push_result(items.depth, step)
    }

    pub(super) fn call(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let arguments = self.machine.top()?;
        let depth = self.machine.pop_many(1)?;
        let called = self.machine.pop()?;
        self.must_be_global(called, step)?;
        self.finish_call(arguments, depth, step)
    }

    pub(super) fn call_with_names(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let named = self.machine.pop()?;
        let arguments = self.machine.top()?;
        let depth = self.machine.pop_many(1)?;
        let called = self.machine.pop()?;
        self.must_be_global(called, step)?;
        if !matches!(named, Value::Dict(_)) {
            return Err(PickleRule::ArgumentsForm);
        }
        let depth = depth.max(Depth::around(&[named]));
        self.finish_call(arguments, depth, step)
    }

    pub(super) fn finish_call(
        &mut self,
        arguments: Value,
        depth: Depth,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        // The loader in Python would iterate over anything else, which can run code.
        if !matches!(arguments, Value::Tuple(_)) {
            return Err(PickleRule::ArgumentsForm);
        }
        self.push_result(depth, step)
    }

    /// Refuses a call of a result: it can be a class, a function or a module that is on no list.
    pub(super) fn must_be_global(
        &mut self,
        called: Value,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        match called {
            Value::Global => Ok(()),
            Value::Result(_) => {
                self.refuse(PickleRule::CallsAResult, step);
                Ok(())
            }
            _ => Err(PickleRule::CallsNoCallable),
        }
    }

    pub(super) fn build(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let around = self.machine.pop_many(1)?;
        match self.machine.top()? {
            Value::Global => {
                self.refuse(PickleRule::ChangesAGlobal, step);
                Ok(())
            }
            Value::Result(depth) => {
                if around.is_too_deep() {
                    self.refuse(PickleRule::TooDeep, step);
                }
                self.machine.set_top(Value::Result(depth.max(around)))
            }
            _ => Err(PickleRule::WrongTarget),
        }
    }

    pub(super) fn persistent_id(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        if !self.options.persistent_ids {
            self.refuse(PickleRule::PersistentId, step);
        }
        self.machine.push(Value::Result(Depth::EMPTY))
    }

    pub(super) fn push_result(
        &mut self,
        depth: Depth,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        self.push_holder(Value::Result(depth), depth, step)
    }
}
