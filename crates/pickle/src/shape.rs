//! The forms of values that rules ask for.

use super::entry::Kind;
use super::literal::Literal;
use super::machine::Value;
use super::scene::Scene;

/// A form of values. Each admits literals and objects that the pickle shows whole, unless it says otherwise.
#[derive(Debug)]
#[allow(dead_code, reason = "a vocabulary; not every word is used by the lists of today")]
pub(super) enum Shape {
    /// Any value. The callee must only keep it.
    Any,
    /// `True`, `False`, 1 or 0.
    Boolean,
    /// Bytes: a literal, a string of Python 2, or what `_codecs.encode` and `bytes` make of literals.
    Bytes,
    /// A dict, with whatever is in it.
    Dict,
    /// A dict of no keys but these texts, each with a value of its form.
    DictOf(&'static [(&'static str, Self)]),
    /// A literal `float`.
    Float,
    /// Any listed name.
    Global,
    /// A literal integer.
    Integer,
    /// A literal integer from the first to the second.
    IntegerIn(i64, i64),
    /// A list, with whatever is in it.
    List,
    /// The result of a listed name by its rule, of this kind.
    Made(Kind),
    /// A listed name: one of these, by the first of its names.
    Named(&'static [(&'static str, &'static str)]),
    /// `None`.
    None,
    /// What any of these admits.
    OneOf(&'static [Self]),
    /// What a function admits.
    Passes(fn(&Scene<'_, '_>, Value) -> bool),
    /// The result of a name that has no rule, which somebody listed.
    Result,
    /// A literal integer with which reckoning takes no time to speak of.
    ShortInteger,
    /// A literal `str`, or a string of Python 2, that takes no time to speak of to be read.
    ShortText,
    /// A literal `str`, or a string of Python 2.
    Text,
    /// A tuple of these.
    Tuple(&'static [Self]),
    /// A tuple of any length of these.
    TupleOf(&'static Self),
    /// One of these words, as text or bytes. The callee takes either sort for the same, or refuses it.
    Word(&'static [&'static str]),
}

impl Shape {
    /// Returns whether a value has this form.
    pub(super) fn admits(&self, scene: &Scene<'_, '_>, value: Value) -> bool {
        if !scene.spend() {
            return false;
        }
        let literal = || scene.literal(value);
        match self {
            Self::Any => value != Value::Unknown,
            Self::Boolean => matches!(scene.number(value), Some(0 | 1)),
            Self::Bytes => scene.is_bytes(value),
            Self::Dict => scene.is_dict(value),
            Self::DictOf(pairs) => admits_pairs(pairs, scene, value),
            Self::Float => literal() == Some(Literal::Float),
            Self::Global => matches!(value, Value::Global { .. }),
            Self::Integer => matches!(literal(), Some(Literal::Integer(_))),
            Self::IntegerIn(first, last) => {
                scene.number(value).is_some_and(|number| (*first..=*last).contains(&number))
            }
            Self::List => scene.list_length(value).is_some(),
            Self::Made(kind) => scene.kind(value) == Some(*kind),
            Self::Named(names) => scene.named(value).is_some_and(|entry| entry.is_one_of(names)),
            Self::None => literal() == Some(Literal::None),
            Self::OneOf(shapes) => shapes.iter().any(|shape| shape.admits(scene, value)),
            Self::Passes(passes) => passes(scene, value),
            Self::Result => scene.is_free_result(value),
            Self::ShortInteger => {
                matches!(literal(), Some(Literal::Integer(_))) && scene.is_short(value)
            }
            Self::ShortText => is_text(literal()) && scene.is_short(value),
            Self::Text => is_text(literal()),
            Self::Tuple(shapes) => scene.tuple(value).is_some_and(|items| {
                items.len() == shapes.len()
                    && items.iter().zip(*shapes).all(|(item, shape)| shape.admits(scene, *item))
            }),
            Self::TupleOf(shape) => scene
                .tuple(value)
                .is_some_and(|items| items.iter().all(|item| shape.admits(scene, *item))),
            Self::Word(words) => {
                scene.word(value).is_some_and(|word| words.contains(&word.as_ref()))
            }
        }
    }
}

const fn is_text(literal: Option<Literal<'_>>) -> bool {
    matches!(literal, Some(Literal::Text(_) | Literal::EightBit(_)))
}

fn admits_pairs(
    known: &'static [(&'static str, Shape)],
    scene: &Scene<'_, '_>,
    value: Value,
) -> bool {
    let admits = |(key, value): (Value, Value)| {
        let key = scene.name(key);
        let form = known.iter().find(|(name, _)| key.is_some_and(|key| key.text == *name));
        form.is_some_and(|(_, shape)| shape.admits(scene, value))
    };
    scene.objects.pairs(value).is_some_and(|mut pairs| pairs.all(admits))
}
