//! Entries of the built-in lists: names, and the rule of each.

use super::facts::Facts;
use super::machine::Value;
use super::scene::Scene;
use super::shape::Shape;

/// A name that brine knows, under every module that picklers have written for it, and its rule: with which
/// arguments it may be called, which state and items its results may take, and why that is harmless.
///
/// The rule holds wherever the name is listed.
#[derive(Debug)]
pub(super) struct Entry {
    /// The module and the name, first as they are today.
    pub(super) names: &'static [(&'static str, &'static str)],
    /// Why what the rule allows is harmless.
    pub(super) why: &'static str,
    pub(super) call: CallRule,
    /// What its results are, for the rules that take them.
    pub(super) makes: Kind,
    pub(super) state: StateRule,
    pub(super) items: ItemRule,
    pub(super) arguments: Arguments,
    pub(super) attributes: Attributes,
    /// Whether a pickle could be followed without the rule.
    pub(super) can_be_lifted: bool,
}

/// With what a name may be called.
#[derive(Debug)]
pub(super) enum CallRule {
    /// With a listed name and the name of an attribute, as `getattr` is: it imports the attribute.
    Attribute,
    /// Never: it is only named.
    Never,
    /// With a tuple of arguments that one of these admits.
    With(&'static [Shape]),
    /// With the arguments for which this gives facts about the result.
    Judged(fn(&Scene<'_, '_>, Value) -> Option<Facts>),
    /// With the arguments for which this gives the class whose instance is made. The rule of that class then
    /// holds for the result, if it has one.
    Instance(fn(&Scene<'_, '_>, Value) -> Option<Value>),
}

/// Which state a result may be given, once.
#[derive(Debug)]
pub(super) enum StateRule {
    Never,
    Of(Shape),
    /// The state for which this gives facts about the result, which comes before it.
    Judged(fn(&Scene<'_, '_>, Value, Value) -> Option<Facts>),
}

/// Which items a result may be given before its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "a vocabulary; not every word is used by the lists of today")]
pub(super) enum ItemRule {
    /// By APPEND and APPENDS.
    List,
    /// By ADDITEMS.
    Members,
    None,
    /// By SETITEM and SETITEMS.
    Pairs,
}

/// Whether a result holds its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    Dropped,
    Held,
}

/// Whether the attributes of the name itself can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attributes {
    /// It is written in C, and refuses it.
    Fixed,
    /// It is written in Python.
    Open,
}

/// What a result is, for the rules that take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    BitGenerator,
    Bytes,
    Complex,
    Container,
    Dtype,
    Instance,
    Scalar,
    SeedSequence,
    Timedelta,
    Timezone,
    /// Anything else, which no rule takes.
    Other,
}

impl Entry {
    /// An entry that is only named.
    pub(super) const fn named(
        names: &'static [(&'static str, &'static str)],
        why: &'static str,
    ) -> Self {
        Self {
            names,
            why,
            call: CallRule::Never,
            makes: Kind::Other,
            state: StateRule::Never,
            items: ItemRule::None,
            arguments: Arguments::Held,
            attributes: Attributes::Open,
            can_be_lifted: true,
        }
    }

    /// Allows calls that take an attribute of a listed name.
    pub(super) const fn takes_attributes(mut self) -> Self {
        self.call = CallRule::Attribute;
        self
    }

    /// Allows calls with a tuple of arguments that one of these shapes admits.
    pub(super) const fn called(mut self, with: &'static [Shape]) -> Self {
        self.call = CallRule::With(with);
        self
    }

    /// Allows the calls for whose arguments a function gives facts about the result.
    pub(super) const fn judged(
        mut self,
        judge: fn(&Scene<'_, '_>, Value) -> Option<Facts>,
    ) -> Self {
        self.call = CallRule::Judged(judge);
        self
    }

    /// Allows the calls for whose arguments a function gives the class of the result.
    pub(super) const fn instantiates(
        mut self,
        class: fn(&Scene<'_, '_>, Value) -> Option<Value>,
    ) -> Self {
        self.call = CallRule::Instance(class);
        self
    }

    /// Says what results are.
    pub(super) const fn makes(mut self, kind: Kind) -> Self {
        self.makes = kind;
        self
    }

    /// Allows a state of this form.
    pub(super) const fn state(mut self, shape: Shape) -> Self {
        self.state = StateRule::Of(shape);
        self
    }

    /// Allows the states for which a function gives facts about the result.
    pub(super) const fn judged_state(
        mut self,
        judge: fn(&Scene<'_, '_>, Value, Value) -> Option<Facts>,
    ) -> Self {
        self.state = StateRule::Judged(judge);
        self
    }

    /// Allows items.
    pub(super) const fn items(mut self, items: ItemRule) -> Self {
        self.items = items;
        self
    }

    /// Says that results do not hold the arguments.
    pub(super) const fn drops_arguments(mut self) -> Self {
        self.arguments = Arguments::Dropped;
        self
    }

    /// Says that a pickle cannot be followed without the rule, so that nobody is told to lift it.
    pub(super) const fn needed(mut self) -> Self {
        self.can_be_lifted = false;
        self
    }

    /// Says that the name is written in C, so that its attributes cannot be set.
    pub(super) const fn native(mut self) -> Self {
        self.attributes = Attributes::Fixed;
        self
    }

    /// Returns whether it is called to take an attribute.
    pub(super) const fn takes_attribute(&self) -> bool {
        matches!(self.call, CallRule::Attribute)
    }

    /// Returns whether the entry has one of these names.
    pub(super) fn is_one_of(&self, names: &[(&str, &str)]) -> bool {
        self.names.iter().any(|name| names.contains(name))
    }
}
