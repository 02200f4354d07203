//! JSON (RFC 8259) that arrives in pieces, without a tree in memory.

mod number;

use std::collections::BTreeSet;

use brine_core::hash::{HashAlgorithm, Hasher};

use self::number::JsonNumber;
use super::text::Utf8Pieces;
use super::{FormatCheck, FormatError, MAX_JSON_DEPTH, MAX_JSON_NAMES};

/// Checks for one JSON text.
#[derive(Debug, Default)]
pub(super) struct JsonCheck {
    utf8: Utf8Pieces,
    text: JsonText,
}

impl FormatCheck for JsonCheck {
    fn piece(&mut self, piece: &[u8], offset: u64) -> Result<(), FormatError> {
        let text = &mut self.text;
        self.utf8.piece(piece, offset, |character, offset| text.take(character, offset))
    }

    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        self.utf8.end(offset)?;
        self.text.end(offset)
    }
}

/// Checks for one JSON text on each line.
#[derive(Debug, Default)]
pub(super) struct JsonLinesCheck {
    utf8: Utf8Pieces,
    line: JsonText,
    /// Whether the line has a character.
    has_begun: bool,
}

impl FormatCheck for JsonLinesCheck {
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

/// A position in a JSON text, with the objects and arrays around it.
#[derive(Debug, Default)]
struct JsonText {
    state: JsonState,
    open: Vec<OpenHolder>,
    /// How many names all open objects have.
    names: usize,
    name: Option<JsonName>,
    /// The number that is being read.
    number: JsonNumber,
    /// The first half of an escaped character beyond U+FFFF.
    high: Option<u32>,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum JsonState {
    After,
    Colon,
    Escape,
    Literal(&'static str),
    NameFirst,
    NameNext,
    Number(NumberPart),
    String,
    Unicode {
        left: u8,
        unit: u32,
    },
    #[default]
    Value,
    ValueOrEnd,
}

/// A position in a number (RFC 8259, Section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberPart {
    Exponent,
    ExponentFirst,
    ExponentSign,
    Fraction,
    FractionFirst,
    Integer,
    IntegerFirst,
    Zero,
}

/// An array or object that has not ended.
#[derive(Debug)]
enum OpenHolder {
    Array,
    /// Its names so far, each as the beginning of its digest.
    Object(BTreeSet<[u8; NAME_BYTES]>),
}

/// Enough that two names never collide by accident. A job that makes two collide spoils its own output.
const NAME_BYTES: usize = 16;

impl JsonText {
    fn restart(&mut self) {
        self.state = JsonState::Value;
    }

    fn end(&mut self, offset: u64) -> Result<(), FormatError> {
        let is_number = matches!(self.state, JsonState::Number(part) if part.may_end());
        if is_number {
            self.number.end().map_err(|what| wrong(offset, what))?;
        }
        if self.open.is_empty() && (self.state == JsonState::After || is_number) {
            return Ok(());
        }
        Err(wrong(offset, "it ends too early"))
    }

    fn take(&mut self, character: char, offset: u64) -> Result<(), FormatError> {
        self.step(character).map_err(|what| wrong(offset, what))
    }

    fn step(&mut self, character: char) -> Result<(), &'static str> {
        if let JsonState::Number(part) = self.state {
            if let Some(next) = part.continued_by(character) {
                self.state = JsonState::Number(next);
                self.number.take(next, character);
                return Ok(());
            }
            if !part.may_end() {
                return Err("a number is malformed");
            }
            self.number.end()?;
            self.state = JsonState::After;
        }
        let is_space = matches!(character, ' ' | '\t' | '\n' | '\r');
        match self.state {
            JsonState::Escape => self.escape(character),
            JsonState::Literal(rest) => self.literal(rest, character),
            JsonState::String => self.string(character),
            JsonState::Unicode { left, unit } => self.unicode(left, unit, character),
            _ if is_space => Ok(()),
            JsonState::After => self.after(character),
            JsonState::Colon if character == ':' => self.expect(JsonState::Value),
            JsonState::Colon => Err("a colon is missing"),
            JsonState::NameFirst if character == '}' => self.close(),
            JsonState::NameFirst | JsonState::NameNext if character == '"' => {
                self.name = Some(JsonName::begin());
                self.expect(JsonState::String)
            }
            JsonState::NameFirst | JsonState::NameNext => Err("a name is missing"),
            JsonState::ValueOrEnd if character == ']' => self.close(),
            JsonState::Value | JsonState::ValueOrEnd => self.value(character),
            JsonState::Number(_) => Err("a number is malformed"),
        }
    }

    fn expect(&mut self, state: JsonState) -> Result<(), &'static str> {
        self.state = state;
        Ok(())
    }

    fn value(&mut self, first: char) -> Result<(), &'static str> {
        let state = match first {
            '{' => return self.open(OpenHolder::Object(BTreeSet::new()), JsonState::NameFirst),
            '[' => return self.open(OpenHolder::Array, JsonState::ValueOrEnd),
            '"' => JsonState::String,
            't' => JsonState::Literal("rue"),
            'f' => JsonState::Literal("alse"),
            'n' => JsonState::Literal("ull"),
            '-' => self.begin_number(NumberPart::IntegerFirst, first),
            '0' => self.begin_number(NumberPart::Zero, first),
            '1'..='9' => self.begin_number(NumberPart::Integer, first),
            '\u{feff}' => return Err("there is a byte order mark"),
            _ => return Err("a value is missing"),
        };
        self.expect(state)
    }

    fn begin_number(&mut self, part: NumberPart, first: char) -> JsonState {
        self.number = JsonNumber::default();
        self.number.take(part, first);
        JsonState::Number(part)
    }

    fn open(&mut self, open: OpenHolder, state: JsonState) -> Result<(), &'static str> {
        if self.open.len() >= MAX_JSON_DEPTH {
            return Err("it nests too deep");
        }
        self.open.push(open);
        self.expect(state)
    }

    fn close(&mut self) -> Result<(), &'static str> {
        if let Some(OpenHolder::Object(names)) = self.open.pop() {
            self.names = self.names.saturating_sub(names.len());
        }
        self.expect(JsonState::After)
    }

    fn after(&mut self, character: char) -> Result<(), &'static str> {
        match (character, self.open.last()) {
            (',', Some(OpenHolder::Array)) => self.expect(JsonState::Value),
            (',', Some(OpenHolder::Object(_))) => self.expect(JsonState::NameNext),
            (']', Some(OpenHolder::Array)) | ('}', Some(OpenHolder::Object(_))) => self.close(),
            (_, None) => Err("something follows the end"),
            (_, Some(_)) => Err("a comma or the end is missing"),
        }
    }

    fn literal(&mut self, rest: &'static str, character: char) -> Result<(), &'static str> {
        let rest = rest.strip_prefix(character).ok_or("a literal is malformed")?;
        self.expect(if rest.is_empty() { JsonState::After } else { JsonState::Literal(rest) })
    }

    fn string(&mut self, character: char) -> Result<(), &'static str> {
        if self.high.is_some() && character != '\\' {
            return Err(HALF);
        }
        match character {
            '"' => match self.name.take() {
                None => self.expect(JsonState::After),
                Some(name) => self.end_name(name),
            },
            '\\' => self.expect(JsonState::Escape),
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
            'u' => return self.expect(JsonState::Unicode { left: 4, unit: 0 }),
            _ => return Err("an escape is malformed"),
        };
        self.push(meant)
    }

    fn unicode(&mut self, left: u8, unit: u32, digit: char) -> Result<(), &'static str> {
        let digit = digit.to_digit(16).ok_or("an escape is malformed")?;
        let unit = unit << 4 | digit;
        if left > 1 {
            return self.expect(JsonState::Unicode { left: left - 1, unit });
        }
        match (self.high.take(), unit) {
            (None, 0xd800..=0xdbff) => {
                self.high = Some(unit);
                self.expect(JsonState::String)
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
        self.expect(JsonState::String)
    }

    fn end_name(&mut self, name: JsonName) -> Result<(), &'static str> {
        let name = name.finish();
        self.names = self.names.saturating_add(1);
        if self.names > MAX_JSON_NAMES {
            return Err("it has too many names");
        }
        let is_new = match self.open.last_mut() {
            Some(OpenHolder::Object(names)) => names.insert(name),
            Some(OpenHolder::Array) | None => true,
        };
        if is_new { self.expect(JsonState::Colon) } else { Err("a name is there twice") }
    }
}

impl NumberPart {
    /// Returns the position after a character; `None` if the character is not part of the number.
    const fn continued_by(self, character: char) -> Option<Self> {
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

/// A name that is being read, without its escapes.
#[derive(Debug)]
struct JsonName {
    buffer: String,
    hasher: Hasher,
}

impl JsonName {
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
