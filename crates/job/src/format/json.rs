//! JSON that comes in pieces (RFC 8259), without a tree of it in memory.

use std::collections::BTreeSet;

use super::text::Utf8;
use super::{Check, FormatError, MAX_JSON_DEPTH, MAX_NAMES};
use crate::hash::{HashAlgorithm, Hasher};

/// One JSON text.
#[derive(Debug, Default)]
pub(super) struct Json {
    utf8: Utf8,
    text: Text,
}

impl Check for Json {
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError> {
        let text = &mut self.text;
        self.utf8.piece(piece, offset, |character, offset| text.take(character, offset))
    }

    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        self.utf8.end(offset)?;
        self.text.end(offset)
    }
}

/// A JSON text on each line.
#[derive(Debug, Default)]
pub(super) struct JsonLines {
    utf8: Utf8,
    line: Text,
    /// Whether anything stands in this line.
    has_begun: bool,
}

impl Check for JsonLines {
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError> {
        let Self { utf8, line, has_begun } = self;
        utf8.piece(piece, offset, |character, offset| {
            if character == '\n' {
                line.end(offset)?;
                line.restart();
            } else {
                line.take(character, offset)?;
            }
            *has_begun = character != '\n';
            Ok(())
        })
    }

    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        self.utf8.end(offset)?;
        if self.has_begun { self.line.end(offset) } else { Ok(()) }
    }
}

/// Where in a JSON text we are, and what is open around it.
#[derive(Debug, Default)]
struct Text {
    state: State,
    open: Vec<Open>,
    /// The names that all open objects have together.
    names: usize,
    name: Option<Name>,
    /// The first half of a character beyond U+FFFF, as an escape.
    high: Option<u32>,
}

/// What may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    After,
    Colon,
    Escape,
    Literal(&'static str),
    NameFirst,
    NameNext,
    Number(Digits),
    String,
    Unicode {
        left: u8,
        unit: u32,
    },
    #[default]
    Value,
    ValueOrEnd,
}

/// Where in a number (RFC 8259, Section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digits {
    Exponent,
    ExponentFirst,
    ExponentSign,
    Fraction,
    FractionFirst,
    Integer,
    IntegerFirst,
    Zero,
}

#[derive(Debug)]
enum Open {
    Array,
    /// The names that it has so far, each by the beginning of its digest.
    Object(BTreeSet<[u8; NAME_BYTES]>),
}

/// Enough that no two names have the same by accident; who makes it happen spoils their own output.
const NAME_BYTES: usize = 16;

impl Text {
    fn restart(&mut self) {
        self.state = State::Value;
    }

    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        let is_number = matches!(self.state, State::Number(digits) if digits.may_end());
        if self.open.is_empty() && (self.state == State::After || is_number) {
            return Ok(());
        }
        Err(wrong(offset, "it ends too early"))
    }

    fn take(&mut self, character: char, offset: u64) -> Result<(), FormatError> {
        self.step(character).map_err(|what| wrong(offset, what))
    }

    fn step(&mut self, character: char) -> Result<(), &'static str> {
        if let State::Number(digits) = self.state {
            if let Some(next) = digits.next(character) {
                self.state = State::Number(next);
                return Ok(());
            }
            if !digits.may_end() {
                return Err("a number is malformed");
            }
            self.state = State::After;
        }
        let is_space = matches!(character, ' ' | '\t' | '\n' | '\r');
        match self.state {
            State::Escape => self.escape(character),
            State::Literal(rest) => self.literal(rest, character),
            State::String => self.string(character),
            State::Unicode { left, unit } => self.unicode(left, unit, character),
            _ if is_space => Ok(()),
            State::After => self.after(character),
            State::Colon if character == ':' => self.expect(State::Value),
            State::Colon => Err("a colon is missing"),
            State::NameFirst if character == '}' => self.close(),
            State::NameFirst | State::NameNext if character == '"' => {
                self.name = Some(Name::begin());
                self.expect(State::String)
            }
            State::NameFirst | State::NameNext => Err("a name is missing"),
            State::ValueOrEnd if character == ']' => self.close(),
            State::Value | State::ValueOrEnd => self.value(character),
            State::Number(_) => Err("a number is malformed"),
        }
    }

    fn expect(&mut self, state: State) -> Result<(), &'static str> {
        self.state = state;
        Ok(())
    }

    fn value(&mut self, first: char) -> Result<(), &'static str> {
        let state = match first {
            '{' => return self.open(Open::Object(BTreeSet::new()), State::NameFirst),
            '[' => return self.open(Open::Array, State::ValueOrEnd),
            '"' => State::String,
            't' => State::Literal("rue"),
            'f' => State::Literal("alse"),
            'n' => State::Literal("ull"),
            '-' => State::Number(Digits::IntegerFirst),
            '0' => State::Number(Digits::Zero),
            '1'..='9' => State::Number(Digits::Integer),
            '\u{feff}' => return Err("there is a byte order mark"),
            _ => return Err("a value is missing"),
        };
        self.expect(state)
    }

    fn open(&mut self, open: Open, state: State) -> Result<(), &'static str> {
        if self.open.len() >= MAX_JSON_DEPTH {
            return Err("it nests too deep");
        }
        self.open.push(open);
        self.expect(state)
    }

    fn close(&mut self) -> Result<(), &'static str> {
        if let Some(Open::Object(names)) = self.open.pop() {
            self.names = self.names.saturating_sub(names.len());
        }
        self.expect(State::After)
    }

    fn after(&mut self, character: char) -> Result<(), &'static str> {
        match (character, self.open.last()) {
            (',', Some(Open::Array)) => self.expect(State::Value),
            (',', Some(Open::Object(_))) => self.expect(State::NameNext),
            (']', Some(Open::Array)) | ('}', Some(Open::Object(_))) => self.close(),
            (_, None) => Err("something follows the end"),
            (_, Some(_)) => Err("a comma or the end is missing"),
        }
    }

    fn literal(&mut self, rest: &'static str, character: char) -> Result<(), &'static str> {
        let rest = rest.strip_prefix(character).ok_or("a literal is malformed")?;
        self.expect(if rest.is_empty() { State::After } else { State::Literal(rest) })
    }

    fn string(&mut self, character: char) -> Result<(), &'static str> {
        if self.high.is_some() && character != '\\' {
            return Err(HALF);
        }
        match character {
            '"' => match self.name.take() {
                None => self.expect(State::After),
                Some(name) => self.end_name(name),
            },
            '\\' => self.expect(State::Escape),
            '\0'..='\u{1f}' => Err("a control character is not escaped"),
            other => self.push(other),
        }
    }

    fn escape(&mut self, character: char) -> Result<(), &'static str> {
        if self.high.is_some() && character != 'u' {
            return Err(HALF);
        }
        let meant = match character {
            '"' | '\\' | '/' => character,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.expect(State::Unicode { left: 4, unit: 0 }),
            _ => return Err("an escape is malformed"),
        };
        self.push(meant)
    }

    fn unicode(&mut self, left: u8, unit: u32, digit: char) -> Result<(), &'static str> {
        let digit = digit.to_digit(16).ok_or("an escape is malformed")?;
        let unit = unit << 4 | digit;
        if left > 1 {
            return self.expect(State::Unicode { left: left - 1, unit });
        }
        match (self.high.take(), unit) {
            (None, 0xd800..=0xdbff) => {
                self.high = Some(unit);
                self.expect(State::String)
            }
            (Some(high), 0xdc00..=0xdfff) => {
                let scalar = 0x1_0000 + ((high - 0xd800) << 10 | (unit - 0xdc00));
                self.push(char::from_u32(scalar).ok_or(HALF)?)
            }
            (None, unit) => self.push(char::from_u32(unit).ok_or(HALF)?),
            (Some(_), _) => Err(HALF),
        }
    }

    /// Adds a character to the string that is open.
    fn push(&mut self, character: char) -> Result<(), &'static str> {
        if let Some(name) = &mut self.name {
            name.push(character);
        }
        self.expect(State::String)
    }

    fn end_name(&mut self, name: Name) -> Result<(), &'static str> {
        let name = name.finish();
        self.names = self.names.saturating_add(1);
        if self.names > MAX_NAMES {
            return Err("it has too many names");
        }
        let is_new = match self.open.last_mut() {
            Some(Open::Object(names)) => names.insert(name),
            Some(Open::Array) | None => true,
        };
        if is_new { self.expect(State::Colon) } else { Err("a name is there twice") }
    }
}

impl Digits {
    /// Goes on with a character of the number; `None` if it is none.
    const fn next(self, character: char) -> Option<Self> {
        Some(match (self, character) {
            (Self::IntegerFirst, '0') => Self::Zero,
            (Self::IntegerFirst, '1'..='9') | (Self::Integer, '0'..='9') => Self::Integer,
            (Self::Zero | Self::Integer, '.') => Self::FractionFirst,
            (Self::FractionFirst | Self::Fraction, '0'..='9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, 'e' | 'E') => Self::ExponentFirst,
            (Self::ExponentFirst, '+' | '-') => Self::ExponentSign,
            (Self::ExponentFirst | Self::ExponentSign | Self::Exponent, '0'..='9') => {
                Self::Exponent
            }
            _ => return None,
        })
    }

    const fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Exponent)
    }
}

/// A name that is being read: what is meant, whatever way it is escaped.
#[derive(Debug)]
struct Name {
    buffer: String,
    hasher: Hasher,
}

impl Name {
    fn begin() -> Self {
        Self { buffer: String::new(), hasher: Hasher::new(HashAlgorithm::Sha256) }
    }

    fn push(&mut self, character: char) {
        self.buffer.push(character);
        if self.buffer.len() >= 1024 {
            self.hasher.update(self.buffer.as_bytes());
            self.buffer.clear();
        }
    }

    fn finish(mut self) -> [u8; NAME_BYTES] {
        self.hasher.update(self.buffer.as_bytes());
        let digest = self.hasher.finish();
        let beginning = digest.as_ref().first_chunk().copied();
        beginning.unwrap_or_default()
    }
}

const fn wrong(offset: u64, what: &'static str) -> FormatError {
    FormatError::Json { offset, what }
}

const HALF: &str = "an escape is half a character";
