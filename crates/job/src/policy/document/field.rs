//! A key of a table, with its value and its line.

use brine_core::text::all_harmless;
use toml_edit::{Item, Key, Table, TableLike, Value};

use crate::names::NameError;
use crate::policy::error::PolicyFileError;

/// A key of a table, with its value.
pub(super) struct PolicyField<'a> {
    pub(super) text: &'a str,
    within: &'a dyn TableLike,
    pub(super) key: &'a str,
    pub(super) item: &'a Item,
}

impl<'a> PolicyField<'a> {
    /// Returns all keys of a table, in the order of the file.
    pub(super) fn each(text: &'a str, within: &'a dyn TableLike) -> impl Iterator<Item = Self> {
        within.iter().map(move |(key, item)| Self { text, within, key, item })
    }

    /// Returns the value as a table, inline or not.
    pub(super) fn table(&self) -> Result<&'a dyn TableLike, PolicyFileError> {
        self.item.as_table_like().ok_or_else(|| self.wrong("a table"))
    }

    pub(super) fn integer(&self) -> Result<i64, PolicyFileError> {
        self.item.as_integer().ok_or_else(|| self.wrong("a number"))
    }

    pub(super) fn boolean(&self) -> Result<bool, PolicyFileError> {
        self.item.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// Returns the value as text without control characters and characters that cannot be seen.
    pub(super) fn string(&self) -> Result<&'a str, PolicyFileError> {
        let text = self.item.as_str().ok_or_else(|| self.wrong("text"))?;
        self.without_controls(text, self.line())
    }

    /// Reads the value as an array of texts. `read` gets each with its line.
    pub(super) fn texts<T>(
        &self,
        read: impl Fn(&'a str, usize) -> Result<T, PolicyFileError>,
    ) -> Result<Vec<T>, PolicyFileError> {
        let array = self.item.as_array().ok_or_else(|| self.wrong("an array of texts"))?;
        array
            .iter()
            .map(|value| self.element(value).and_then(|text| read(text, self.line_of(value))))
            .collect()
    }

    /// Returns the value as an array of arrays of texts.
    pub(super) fn lists(&self) -> Result<Vec<Vec<String>>, PolicyFileError> {
        let wrong = || self.wrong("an array of arrays of texts, like [[\"-I\", \"-\"]]");
        let lists = self.item.as_array().ok_or_else(wrong)?.iter().map(|list| {
            let list = list.as_array().ok_or_else(wrong)?;
            list.iter().map(|value| self.element(value).map(str::to_owned)).collect()
        });
        lists.collect()
    }

    fn element(&self, value: &'a Value) -> Result<&'a str, PolicyFileError> {
        let line = self.line_of(value);
        let found = || self.error(line, "an array of texts", value.type_name());
        self.without_controls(value.as_str().ok_or_else(found)?, line)
    }

    fn without_controls(&self, text: &'a str, line: usize) -> Result<&'a str, PolicyFileError> {
        match all_harmless(text) {
            true => Ok(text),
            false => Err(PolicyFileError::ControlCharacter { line, key: self.key.to_owned() }),
        }
    }

    pub(super) fn unknown(&self) -> PolicyFileError {
        PolicyFileError::UnknownKey { line: self.line(), key: self.key.to_owned() }
    }

    pub(super) fn bad_name(&self, what: NameError) -> PolicyFileError {
        PolicyFileError::Name { line: self.line(), name: self.key.to_owned(), what }
    }

    /// Returns the error that the whole value is not what the key takes.
    pub(super) fn wrong(&self, expected: &str) -> PolicyFileError {
        let found = match self.item.as_str() {
            Some(text) => format!("{text:?}"),
            None => match self.item.as_integer() {
                Some(number) => number.to_string(),
                None => self.item.type_name().to_owned(),
            },
        };
        self.error(self.line(), expected, &found)
    }

    /// Returns the error that one text in the value is not what the key takes.
    pub(super) fn wrong_text(&self, line: usize, text: &str, expected: &str) -> PolicyFileError {
        self.error(line, expected, &format!("{text:?}"))
    }

    fn error(&self, line: usize, expected: &str, found: &str) -> PolicyFileError {
        let (expected, found) = (expected.to_owned(), found.to_owned());
        PolicyFileError::Value { line, key: self.key.to_owned(), expected, found }
    }

    pub(super) fn line(&self) -> usize {
        let span = self.within.key(self.key).and_then(Key::span).or_else(|| self.item.span());
        line_of(self.text, span.unwrap_or_default().start)
    }

    fn line_of(&self, value: &Value) -> usize {
        value.span().map_or_else(|| self.line(), |at| line_of(self.text, at.start))
    }
}

/// Returns the line in which a table begins.
pub(super) fn table_line(text: &str, table: &Table) -> usize {
    line_of(text, table.span().unwrap_or_default().start)
}

/// Returns the line of a byte. It reads everything before, so it is called only for entries and errors.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}
