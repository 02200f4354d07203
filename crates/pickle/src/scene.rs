//! What a rule on values sees: the values of a call or state, and the literals and objects behind them.

use std::borrow::Cow;
use std::cell::Cell;

use super::entry::{Entry, Kind};
use super::facts::Facts;
use super::literal::{Literal, MAX_WORD_BYTES, short_bytes};
use super::machine::Value;
use super::objects::{Body, Objects, Traits};
use super::opcode_reader::OpcodeReader;

/// A pickle up to a call or state, as a rule sees it.
#[derive(Debug)]
pub(super) struct Scene<'s, 'a> {
    pub(super) objects: &'s Objects,
    pub(super) reader: &'s OpcodeReader<'a>,
    /// The rule of each import, where there is one.
    pub(super) rules: &'s [Option<&'static Entry>],
    /// How many values rules may still look at. It grows with the file, so that their work is in proportion to
    /// it, however often the same values are used.
    pub(super) work: &'s Cell<usize>,
}

/// A text that is a key or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name<'a> {
    pub(super) sort: NameSort,
    pub(super) text: &'a str,
}

/// How a name is written, which loaders can take for different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameSort {
    Text,
    /// A string of Python 2.
    EightBit,
}

impl<'a> Scene<'_, 'a> {
    /// Takes a step of work, and returns whether there was one left.
    pub(super) fn spend(&self) -> bool {
        let left = self.work.get().checked_sub(1);
        self.work.set(left.unwrap_or(0));
        left.is_some()
    }

    pub(super) fn literal(&self, value: Value) -> Option<Literal<'a>> {
        match value {
            Value::Literal(offset) => Literal::read(&self.reader.literal(offset)?),
            _ => None,
        }
    }

    /// Returns a text that stands for something by its value: a key, an attribute, or the name of a field.
    ///
    /// Bytes of the same letters are another key. A string of Python 2 is one in ASCII only, which every loader
    /// takes for the same text, or for bytes if it is told to.
    pub(super) fn name(&self, value: Value) -> Option<Name<'a>> {
        match self.literal(value)? {
            Literal::Text(text) => Some(Name { sort: NameSort::Text, text: text? }),
            Literal::EightBit(bytes) => {
                let bytes = bytes.filter(|bytes| bytes.len() <= MAX_WORD_BYTES && bytes.is_ascii());
                Some(Name { sort: NameSort::EightBit, text: str::from_utf8(bytes?).ok()? })
            }
            _ => None,
        }
    }

    /// Returns a word, whatever sort of string the pickler made it: for what a callee takes as either sort or
    /// refuses. It does not compare keys, of which text and bytes are different ones.
    pub(super) fn word(&self, value: Value) -> Option<Cow<'a, str>> {
        let bytes = match self.literal(value) {
            Some(Literal::Text(text)) => return text.map(Cow::Borrowed),
            Some(Literal::Bytes(bytes)) => Cow::Borrowed(bytes),
            Some(Literal::EightBit(bytes)) => Cow::Borrowed(bytes?),
            Some(_) => return None,
            // That of `_codecs.encode`.
            None => self.short_bytes(value)?,
        };
        if bytes.len() > MAX_WORD_BYTES {
            return None;
        }
        match bytes {
            Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }

    /// Returns whether a key can be one of these words: it is, or it is a text that is not known.
    pub(super) fn may_be_word(&self, key: Value, words: &[&str]) -> bool {
        match self.literal(key) {
            Some(Literal::Text(_) | Literal::EightBit(_) | Literal::Bytes(_)) => {}
            _ => return false,
        }
        self.word(key).is_none_or(|word| words.contains(&word.as_ref()))
    }

    /// Returns whether a value is a short literal, with which reckoning takes no time to speak of.
    pub(super) fn is_short(&self, value: Value) -> bool {
        let Value::Literal(offset) = value else { return false };
        let operand = self.reader.literal(offset).and_then(|step| step.operand);
        operand.is_some_and(|operand| operand.len() <= MAX_WORD_BYTES)
    }

    /// Returns an integer that fits 64 bits, or a truth value as 0 or 1, as picklers of Python 2 write it.
    pub(super) fn number(&self, value: Value) -> Option<i64> {
        match self.literal(value)? {
            Literal::Integer(number) => number,
            Literal::Boolean(truth) => Some(i64::from(truth)),
            _ => None,
        }
    }

    /// Returns the bytes of a value that is bytes, by whichever opcode or call, if they are few.
    pub(super) fn short_bytes(&self, value: Value) -> Option<Cow<'a, [u8]>> {
        let offset = match (self.literal(value), self.facts(value), value) {
            (Some(Literal::Bytes(_) | Literal::EightBit(_)), _, Value::Literal(offset)) => offset,
            (_, Facts::Bytes(offset), _) => offset,
            _ => return None,
        };
        short_bytes(&self.reader.literal(offset)?)
    }

    /// Returns whether a value is bytes, by whichever opcode or call.
    pub(super) fn is_bytes(&self, value: Value) -> bool {
        matches!(self.literal(value), Some(Literal::Bytes(_) | Literal::EightBit(_)))
            || self.kind(value) == Some(Kind::Bytes)
    }

    /// Returns the length of bytes, if it is known without reading them.
    pub(super) fn length(&self, value: Value) -> Option<usize> {
        match self.literal(value)? {
            Literal::Bytes(bytes) | Literal::Bytearray(bytes) => Some(bytes.len()),
            _ => None,
        }
    }

    /// Returns the entry of a name that is imported.
    pub(super) fn named(&self, value: Value) -> Option<&'static Entry> {
        self.rule(self.import(value)?)
    }

    /// Returns the index of what is imported.
    pub(super) const fn import(&self, value: Value) -> Option<u16> {
        match value {
            Value::Global { import, .. } => Some(import),
            _ => None,
        }
    }

    pub(super) fn rule(&self, import: u16) -> Option<&'static Entry> {
        self.rules.get(usize::from(import)).copied().flatten()
    }

    /// Returns the entry that made a result by its rule.
    pub(super) fn maker(&self, value: Value) -> Option<&'static Entry> {
        match self.objects.of(value)?.body {
            Body::Result(origin) => self.rule(origin.ruled_by?),
            _ => None,
        }
    }

    /// Returns of which kind a result is, if a rule made it.
    pub(super) fn kind(&self, value: Value) -> Option<Kind> {
        self.maker(value).map(|entry| entry.makes)
    }

    /// Returns whether a value is the result of something that has no rule.
    pub(super) fn is_free_result(&self, value: Value) -> bool {
        matches!(
            self.objects.of(value).map(|object| object.body),
            Some(Body::Result(origin)) if origin.ruled_by.is_none()
        )
    }

    pub(super) fn facts(&self, value: Value) -> Facts {
        self.objects.facts(value)
    }

    /// Returns whether another object holds this one.
    pub(super) fn is_held(&self, value: Value) -> bool {
        self.objects.of(value).is_some_and(|object| object.traits.has(Traits::INSIDE))
    }

    /// Returns the items of a tuple.
    pub(super) fn tuple(&self, value: Value) -> Option<&[Value]> {
        self.objects.tuple(value)
    }

    /// Returns the items of a tuple of so many.
    pub(super) fn tuple_of<const COUNT: usize>(&self, value: Value) -> Option<[Value; COUNT]> {
        self.tuple(value)?.try_into().ok()
    }

    /// Returns the length of a list, or of one that cannot be counted, the largest number.
    pub(super) fn list_length(&self, value: Value) -> Option<u32> {
        match self.objects.of(value)?.body {
            Body::List(length) => Some(length),
            _ => None,
        }
    }

    /// Returns whether a list has nothing but literals and tuples of literals.
    pub(super) fn has_rows_only(&self, value: Value) -> bool {
        self.objects.of(value).is_some_and(|object| {
            matches!(object.body, Body::List(_)) && !object.traits.has(Traits::BEYOND_ROWS)
        })
    }

    pub(super) fn is_dict(&self, value: Value) -> bool {
        self.objects.of(value).is_some_and(|object| matches!(object.body, Body::Dict(_)))
    }
}
