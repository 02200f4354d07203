//! Calls and states.

use super::PickleWalk;
use crate::entry::{Arguments, CallRule, StateRule};
use crate::facts::Facts;
use crate::import::ImportOpcode;
use crate::machine::{Topmost, Value};
use crate::objects::{Body, Depth, ObjectId, Taken, Traits};
use crate::opcode_reader::OpcodeStep;
use crate::rule::PickleRule;

/// How an object is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Making {
    /// By a call of any callable, which can give back what it is given.
    Call,
    /// By `__new__` of a class, which makes an instance.
    New,
}

/// What a call makes: the import whose rule holds for the result, and what is known of that.
type Made = (Option<u16>, Facts);

/// How a call was judged.
#[derive(Clone, Copy, Debug)]
enum Judgement {
    /// What is called has no rule that allows it: the result can be anything.
    Free,
    /// By a rule that allows it, which says whether the result holds the arguments.
    Ruled(Made, Arguments),
}

impl<'a> PickleWalk<'a, '_> {
    pub(super) fn inst(&mut self, step: &OpcodeStep<'a>) -> Result<(), PickleRule> {
        let class = self.import((step.operand, step.second), ImportOpcode::Inst, step)?;
        let arguments = self.machine.above_mark()?;
        self.machine.push_tuple(arguments)?;
        let arguments = self.machine.topmost(1)?;
        self.finish_call(class, arguments, Making::Call, step)
    }

    pub(super) fn obj(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let items = self.machine.above_mark()?;
        let class = *self.machine.values(items).first().ok_or(PickleRule::StackUnderflow)?;
        self.must_be_global(class, step)?;
        self.machine.push_tuple(items.after_first())?;
        self.finish_call(class, items, Making::Call, step)
    }

    pub(super) fn call(&mut self, making: Making, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let both = self.machine.topmost(2)?;
        let called = *self.machine.values(both).first().ok_or(PickleRule::StackUnderflow)?;
        self.must_be_global(called, step)?;
        if making == Making::Call
            && let Some(attribute) = self.attribute(called, both, step)?
        {
            self.machine.drop(both);
            return self.machine.push(attribute);
        }
        self.finish_call(called, both, making, step)
    }

    pub(super) fn call_with_names(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let all = self.machine.topmost(3)?;
        let [called, _, named] = *self.machine.values(all) else {
            return Err(PickleRule::StackUnderflow);
        };
        self.must_be_global(called, step)?;
        let object = self.machine.objects.of(named);
        let Some(object) = object.filter(|object| matches!(object.body, Body::Dict(_))) else {
            return Err(PickleRule::ArgumentsForm);
        };
        // No rule knows named arguments.
        if let Value::Global { import, .. } = called
            && self.findings.rule(import).is_some()
            && object.traits.has(Traits::FILLED)
            && !self.findings.is_lifted(import)
        {
            self.findings.refuse_about(import, PickleRule::CallNotAllowed, step.offset);
        }
        let named = self.machine.topmost(1)?;
        let taken = self.machine.take(named);
        self.machine.drop(named);
        let both = self.machine.topmost(2)?;
        self.finish_call(called, both, Making::New, step)?;
        if let Value::Object(id) = self.machine.top()? {
            self.machine.objects.grow(id, taken);
            self.check_depth(taken.depth, step);
        }
        Ok(())
    }

    /// Judges a call, and puts its result in the place of `all`, of which the last is the arguments.
    fn finish_call(
        &mut self,
        called: Value,
        all: Topmost,
        making: Making,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let arguments = *self.machine.values(all).last().ok_or(PickleRule::StackUnderflow)?;
        // The loader in Python would iterate over anything else, which can run code.
        let is_tuple = arguments == Value::EmptyTuple
            || self
                .machine
                .objects
                .of(arguments)
                .is_some_and(|object| matches!(object.body, Body::Tuple(_)));
        if !is_tuple {
            return Err(PickleRule::ArgumentsForm);
        }
        let judgement = self.judge_call(called, arguments, step);
        let mut taken = self.machine.objects.take(&[arguments]);
        let made = match judgement {
            Judgement::Free => {
                taken.traits = self.traits_of_anything(called, making, taken.traits);
                NOTHING_KNOWN
            }
            Judgement::Ruled(made, Arguments::Held) => made,
            Judgement::Ruled(made, Arguments::Dropped) => {
                taken.traits = Traits::NONE;
                made
            }
        };
        self.machine.drop(all);
        self.push_result(made, taken, step)
    }

    /// Judges a call by the rule of what is called, if it has one.
    fn judge_call(&mut self, called: Value, arguments: Value, step: &OpcodeStep<'_>) -> Judgement {
        let Value::Global { import, .. } = called else { return Judgement::Free };
        let Some(rule) = self.findings.rule(import) else { return Judgement::Free };
        let made = self.scene(step, |scene| match &rule.call {
            CallRule::Attribute | CallRule::Never => None,
            CallRule::With(forms) => {
                let admitted = forms.iter().any(|form| form.admits(scene, arguments));
                admitted.then_some((Some(import), Facts::None))
            }
            CallRule::Judged(judge) => judge(scene, arguments).map(|facts| (Some(import), facts)),
            CallRule::Instance(class) => {
                let class = class(scene, arguments)?;
                Some((
                    scene.import(class).filter(|class| scene.rule(*class).is_some()),
                    Facts::None,
                ))
            }
        });
        match made {
            Some(made) => Judgement::Ruled(made, rule.arguments),
            None => {
                if !self.findings.is_lifted(import) {
                    self.findings.refuse_about(import, PickleRule::CallNotAllowed, step.offset);
                }
                Judgement::Free
            }
        }
    }

    /// Returns what is known of the result of a name that has no rule.
    fn traits_of_anything(&self, called: Value, making: Making, shared: Traits) -> Traits {
        let mut traits = shared;
        // A function can give back what it is given, and what is in it.
        if making == Making::Call && !self.makes_anew(called) {
            if shared.has(Traits::HOLDS_GLOBAL) {
                traits = traits.and(Traits::MAY_BE_GLOBAL);
            }
            if shared.has(Traits::HOLDS_METHOD) {
                traits = traits.and(Traits::MAY_HAVE_METHOD);
            }
        }
        traits
    }

    /// Refuses a call of a result: it can be a class, a function or a module that is on no list.
    fn must_be_global(&mut self, called: Value, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        match called {
            Value::Global { .. } | Value::Unknown => Ok(()),
            Value::Object(id) if self.is_result(id) => {
                self.refuse(PickleRule::CallsAResult, step);
                Ok(())
            }
            _ => Err(PickleRule::CallsNoCallable),
        }
    }

    pub(super) fn is_result(&self, id: ObjectId) -> bool {
        self.machine.objects.get(id).is_some_and(|object| matches!(object.body, Body::Result(_)))
    }

    pub(super) fn build(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let top = self.machine.topmost(1)?;
        let target = self.machine.below(top)?;
        match target {
            Value::Global { .. } => self.refuse(PickleRule::ChangesAGlobal, step),
            Value::Unknown => {}
            Value::Object(id) if self.is_result(id) => return self.build_result(id, top, step),
            _ => return Err(PickleRule::WrongTarget),
        }
        self.machine.drop(top);
        Ok(())
    }

    fn build_result(
        &mut self,
        id: ObjectId,
        top: Topmost,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        let state = self.machine.top()?;
        self.judge_change(Value::Object(id), state, step);
        let (traits, facts) = self.judge_state(id, state, step);
        let mut taken = self.machine.take(top);
        taken.traits = taken.traits.and(traits);
        self.check_depth(taken.depth, step);
        self.machine.drop(top);
        self.machine.objects.grow(id, taken);
        self.machine.objects.set_facts(id, facts);
        match facts {
            Facts::RawArray { bytes } => self.raw_array(bytes, step),
            _ => Ok(()),
        }
    }

    /// Refuses to change a result that has its state, or that may be something that must not change.
    ///
    /// A state can give an object attributes that the loader calls: `append`, `extend`, `add` and
    /// `__setstate__`. Picklers write it last.
    pub(super) fn judge_change(&mut self, target: Value, with: Value, step: &OpcodeStep<'_>) {
        let Some(object) = self.machine.objects.of(target) else { return };
        let traits = object.traits;
        // A state of another form changes nothing that was imported: only `__setstate__` can take it.
        let tuple = self.machine.objects.tuple(with);
        let harmless =
            matches!(with, Value::Literal(_)) || tuple.is_some_and(|items| items.len() != 2);
        if traits.has(Traits::MAY_BE_GLOBAL) && !harmless {
            self.refuse(PickleRule::ChangesAGlobal, step);
        }
        if traits.has(Traits::BUILT) || traits.has(Traits::MAY_HAVE_METHOD) {
            self.refuse(PickleRule::AfterBuild, step);
        }
    }

    /// Judges a state, and returns what is known of the result then.
    fn judge_state(
        &mut self,
        id: ObjectId,
        state: Value,
        step: &OpcodeStep<'_>,
    ) -> (Traits, Facts) {
        let known = self.machine.objects.facts(Value::Object(id));
        let object = self.machine.objects.get(id).copied();
        let rule = object.and_then(|object| match object.body {
            Body::Result(origin) => origin.ruled_by,
            _ => None,
        });
        // A second state is refused already.
        if object.is_some_and(|object| object.traits.has(Traits::BUILT)) {
            return (Traits::BUILT, known);
        }
        if let Some(import) = rule {
            let facts = self.facts_of_state(Value::Object(id), import, state, step);
            if let Some(facts) = facts {
                return (Traits::BUILT, facts);
            }
            if !self.findings.is_lifted(import) {
                self.findings.refuse_about(import, PickleRule::StateNotAllowed, step.offset);
                return (Traits::BUILT, Facts::None);
            }
        }
        let method = match self.names_method(state) {
            Some(true) => {
                self.refuse(PickleRule::SetsAMethod, step);
                Traits::NONE
            }
            Some(false) => Traits::NONE,
            None => Traits::HOLDS_METHOD,
        };
        (Traits::BUILT.and(method), Facts::None)
    }

    /// Judges a state by the rule of an import, and returns what is known of the result if it is allowed.
    fn facts_of_state(
        &self,
        target: Value,
        import: u16,
        state: Value,
        step: &OpcodeStep<'_>,
    ) -> Option<Facts> {
        self.scene(step, |scene| match &scene.rule(import)?.state {
            StateRule::Never => None,
            StateRule::Of(form) => form.admits(scene, state).then(|| scene.facts(target)),
            StateRule::Judged(judge) => judge(scene, target, state),
        })
    }

    /// Returns whether a state gives an object a method that the loader calls, if that can be told.
    fn names_method(&self, state: Value) -> Option<bool> {
        let Some(object) = self.machine.objects.of(state) else {
            let is_literal = matches!(state, Value::EmptyTuple | Value::Literal(_));
            return is_literal.then_some(false);
        };
        match object.body {
            Body::Dict(_) => Some(object.traits.has(Traits::NAMES_METHOD)),
            Body::Frozenset | Body::List(_) | Body::Set => Some(false),
            Body::Result(_) => None,
            Body::Tuple(_) => match self.machine.objects.tuple(state)? {
                [attributes, slots] => {
                    let [attributes, slots] =
                        [*attributes, *slots].map(|part| match self.machine.objects.of(part) {
                            // A tuple in a tuple is no dict, so nothing is set by it.
                            Some(object) if matches!(object.body, Body::Tuple(_)) => Some(false),
                            _ => self.names_method(part),
                        });
                    match (attributes, slots) {
                        (Some(true), _) | (_, Some(true)) => Some(true),
                        (Some(false), Some(false)) => Some(false),
                        _ => None,
                    }
                }
                _ => Some(false),
            },
        }
    }

    pub(super) fn persistent_id(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        if !self.options.persistent_ids {
            self.refuse(PickleRule::PersistentId, step);
        }
        let traits = Traits::MAY_BE_GLOBAL
            .and(Traits::MAY_HAVE_METHOD)
            .and(Traits::HOLDS_GLOBAL)
            .and(Traits::HOLDS_METHOD);
        self.push_result(NOTHING_KNOWN, Taken { depth: Depth::EMPTY, traits }, step)
    }

    fn push_result(
        &mut self,
        made: Made,
        taken: Taken,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        self.check_depth(taken.depth, step);
        let result = self.machine.objects.add_result(made, taken)?;
        self.machine.push(result)
    }

    /// Returns whether what is called makes an instance of a class that it is given, as Cython's functions do.
    fn makes_anew(&self, called: Value) -> bool {
        let name = match called {
            Value::Global { import, .. } => self.findings.imports.get(usize::from(import)),
            _ => None,
        };
        name.is_some_and(|import| import.name.starts_with("__pyx_unpickle_"))
    }
}

const NOTHING_KNOWN: Made = (None, Facts::None);
