//! Reads the values of a trust.toml.

use brine_core::text::all_harmless;
use brine_core::{Timestamp, VerifyingKey};
use brine_keys::read_openssh_line;
use toml_edit::{Item, Key, Table};

use crate::MAX_NAME_BYTES;
use crate::error::TrustError;
use crate::pattern::{ContextGlob, PatternList};

/// A key of a table and its value.
pub(super) struct Field<'a> {
    pub(super) text: &'a str,
    pub(super) table: &'a Table,
    pub(super) key: &'a str,
    pub(super) item: &'a Item,
}

impl<'a> Field<'a> {
    pub(super) fn string(&self, key: &'static str) -> Result<&'a str, TrustError> {
        let found = self.item.as_str().ok_or_else(|| self.wrong_type(key, "string"))?;
        match all_harmless(found) {
            true => Ok(found),
            false => Err(TrustError::ControlCharacter { line: self.line(), key }),
        }
    }

    pub(super) fn name(&self, key: &'static str) -> Result<&'a str, TrustError> {
        let name = self.string(key)?;
        match name.len() {
            1..=MAX_NAME_BYTES => Ok(name),
            found => {
                Err(TrustError::NameLength { line: self.line(), found, limit: MAX_NAME_BYTES })
            }
        }
    }

    pub(super) fn verifying_key(&self, key: &'static str) -> Result<VerifyingKey, TrustError> {
        match read_openssh_line(self.string(key)?.trim()) {
            Ok((key, _comment)) => Ok(key),
            Err(source) => Err(TrustError::Key { line: self.line(), source }),
        }
    }

    pub(super) fn boolean(&self, key: &'static str) -> Result<bool, TrustError> {
        self.item.as_bool().ok_or_else(|| self.wrong_type(key, "boolean"))
    }

    pub(super) fn integer(&self, key: &'static str) -> Result<i64, TrustError> {
        self.item.as_integer().ok_or_else(|| self.wrong_type(key, "integer"))
    }

    /// Holds groups of names to their form.
    pub(super) fn groups(&self) -> Result<(), TrustError> {
        let table = self.item.as_table_like();
        let table = table.ok_or_else(|| self.wrong_type("groups", "table"))?;
        for (_, item) in table.iter() {
            Field { item, ..*self }.strings("groups")?;
        }
        Ok(())
    }

    pub(super) fn strings(&self, key: &'static str) -> Result<Vec<String>, TrustError> {
        let wrong = || self.wrong_type(key, "array of strings");
        let array = self.item.as_array().ok_or_else(wrong)?;
        let texts = array.iter().map(|text| text.as_str().map(str::to_owned));
        let texts: Vec<_> = texts.collect::<Option<_>>().ok_or_else(wrong)?;
        match texts.iter().all(|text| all_harmless(text)) {
            true => Ok(texts),
            false => Err(TrustError::ControlCharacter { line: self.line(), key }),
        }
    }

    /// Reads patterns for names, none of which has a comma, which separates them in OpenSSH's lists.
    pub(super) fn patterns(&self, key: &'static str) -> Result<PatternList, TrustError> {
        let texts = self.strings(key)?;
        match texts.iter().find(|text| text.is_empty() || text.contains(',')) {
            Some(found) => {
                let (line, found) = (self.line(), found.clone());
                Err(TrustError::Principal { line, found })
            }
            None => Ok(PatternList::new(texts.join(","))),
        }
    }

    pub(super) fn globs(&self, key: &'static str) -> Result<Vec<ContextGlob>, TrustError> {
        let wrong = || self.wrong_type(key, "array of strings");
        let array = self.item.as_array().ok_or_else(wrong)?;
        let glob = |value: &toml_edit::Value| {
            let line = value.span().map_or_else(|| self.line(), |at| line_of(self.text, at.start));
            let text = value.as_str().ok_or(TrustError::WrongType {
                line,
                key,
                expected: "array of strings",
                found: value.type_name(),
            })?;
            if !all_harmless(text) {
                return Err(TrustError::ControlCharacter { line, key });
            }
            ContextGlob::parse(text).map_err(|source| TrustError::Glob { line, source })
        };
        array.iter().map(glob).collect()
    }

    /// Reads a TOML offset date-time, or an RFC 3339 string.
    pub(super) fn time(&self, key: &'static str) -> Result<Timestamp, TrustError> {
        let found = match (self.item.as_datetime(), self.item.as_str()) {
            (Some(moment), _) => moment.to_string(),
            (None, Some(text)) => text.to_owned(),
            (None, None) => return Err(self.wrong_type(key, "date-time")),
        };
        // Without an offset the file would mean another moment on another machine.
        let is_local = self.item.as_datetime().is_some_and(|moment| moment.offset.is_none())
            || Timestamp::parse_rfc3339(&format!("{found}Z")).is_some();
        if is_local {
            return Err(TrustError::LocalTime { line: self.line(), key });
        }
        let moment = Timestamp::parse_rfc3339(&found);
        moment.ok_or_else(|| TrustError::Time { line: self.line(), key, found })
    }

    pub(super) fn unknown(&self) -> TrustError {
        TrustError::UnknownKey { line: self.line(), key: self.key.to_owned() }
    }

    pub(super) fn wrong_type(&self, key: &'static str, expected: &'static str) -> TrustError {
        let found = self.item.type_name();
        TrustError::WrongType { line: self.line(), key, expected, found }
    }

    pub(super) fn line(&self) -> usize {
        let span = self.table.key(self.key).and_then(Key::span).or_else(|| self.item.span());
        line_of(self.text, span.unwrap_or_default().start)
    }
}

/// Returns the line of a byte. It reads all text before the byte, so it is called for errors only.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}
