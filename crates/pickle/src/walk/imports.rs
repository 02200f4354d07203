//! Imports.

use super::PickleWalk;
use crate::MAX_NAME_BYTES;
use crate::import::ImportOpcode;
use crate::literal::Literal;
use crate::machine::{GlobalSort, Topmost, Value};
use crate::opcode_reader::OpcodeStep;
use crate::rule::PickleRule;

impl<'a> PickleWalk<'a, '_> {
    pub(super) fn global(&mut self, step: &OpcodeStep<'a>) -> Result<(), PickleRule> {
        let global = self.import((step.operand, step.second), ImportOpcode::Global, step)?;
        self.machine.push(global)
    }

    pub(super) fn stack_global(&mut self, step: &OpcodeStep<'a>) -> Result<(), PickleRule> {
        let both = self.machine.topmost(2)?;
        let names = match self.machine.values(both) {
            [module, name] => self.known(*module).zip(self.known(*name)),
            _ => None,
        };
        self.machine.drop(both);
        let global = match names {
            Some(names) => self.import(names, ImportOpcode::StackGlobal, step)?,
            None => {
                self.refuse(PickleRule::DynamicImport, step);
                Value::Unknown
            }
        };
        self.machine.push(global)
    }

    /// Returns a text that is in the file as it is.
    fn known(&self, value: Value) -> Option<&'a [u8]> {
        let Value::Literal(offset) = value else { return None };
        let step = self.reader.literal(offset)?;
        match Literal::read(&step)? {
            Literal::Text(_) => step.operand.filter(|_| !step.has_escapes()),
            _ => None,
        }
    }

    pub(super) fn import(
        &mut self,
        names: (&'a [u8], &'a [u8]),
        how: ImportOpcode,
        step: &OpcodeStep<'_>,
    ) -> Result<Value, PickleRule> {
        let import = self.findings.import(names, how, self.protocol, step.offset)?;
        Ok(self.findings.value(import))
    }

    /// Imports the attribute that `getattr` takes of an import, if that is what a call does.
    pub(super) fn attribute(
        &mut self,
        called: Value,
        both: Topmost,
        step: &OpcodeStep<'_>,
    ) -> Result<Option<Value>, PickleRule> {
        if !matches!(called, Value::Global { sort: GlobalSort::TakesAttributes, .. }) {
            return Ok(None);
        }
        let arguments = self.machine.values(both).last().copied();
        let pair = arguments.and_then(|arguments| self.machine.objects.tuple(arguments));
        let Some([Value::Global { import: holder, .. }, attribute]) = pair else { return Ok(None) };
        let (holder, attribute) = (*holder, *attribute);
        // A longer one is no name, and is not looked at: it can be used again and again.
        let text = self.known(attribute).filter(|text| text.len() <= MAX_NAME_BYTES);
        let text = text.and_then(|text| str::from_utf8(text).ok());
        let Some(text) = text else { return Ok(None) };
        let found = self.findings.import_attribute(holder, text, self.protocol, step.offset)?;
        Ok(found.map(|import| self.findings.value(import)))
    }
}
