//! Reading of trust.toml.
//!
//! ```toml
//! version = 1                         # optional
//! [[signer]]
//! name = "alice"
//! key = "ssh-ed25519 AAAA… comment"
//! contexts = ["reports/*"]            # optional, as is all that follows
//! not-before = 2026-01-01T00:00:00Z
//! not-after = 2027-01-01T00:00:00Z
//! revoked-at = 2026-06-01T00:00:00Z
//! revoked-reason = "laptop stolen"
//! ```
//!
//! What is not known is refused: it may be a restriction, misspelt or from a later version.

use brine_core::{Signer, Timestamp, VerifyingKey};
use brine_keys::read_openssh_line;
use toml_edit::{Document, Item, Key, Table, TomlError};

use crate::entry::{Revocation, Scope, TrustEntry};
use crate::error::TrustError;
use crate::pattern::ContextGlob;
use crate::{MAX_NAME_BYTES, MAX_TRUST_FILE_BYTES};

/// An entry, and where it stands in the text.
#[derive(Debug)]
pub(crate) struct PlacedEntry {
    pub(crate) entry: TrustEntry,
    /// Where `[[signer]]` begins.
    pub(crate) header: usize,
    /// Where the last value ends.
    pub(crate) end: usize,
}

/// Reads all signers, in the order of the file.
pub(crate) fn read(text: &str) -> Result<Vec<PlacedEntry>, TrustError> {
    if text.len() > MAX_TRUST_FILE_BYTES {
        return Err(TrustError::TooLarge { found: text.len(), limit: MAX_TRUST_FILE_BYTES });
    }
    let document = Document::parse(text).map_err(|error| syntax(text, &error))?;
    let mut entries = Vec::new();
    for (key, item) in document.as_table() {
        let field = Field { text, table: document.as_table(), key, item };
        match key {
            "signer" => entries = signers(&field)?,
            "version" => version(&field)?,
            _ => return Err(field.unknown()),
        }
    }
    Ok(entries)
}

fn version(field: &Field<'_>) -> Result<(), TrustError> {
    match field.item.as_integer() {
        Some(1) => Ok(()),
        Some(found) => Err(TrustError::Version { line: field.line(), found }),
        None => Err(field.wrong_type("version", "integer")),
    }
}

fn signers(field: &Field<'_>) -> Result<Vec<PlacedEntry>, TrustError> {
    let tables = field.item.as_array_of_tables();
    let tables = tables.ok_or_else(|| field.wrong_type("signer", "array of tables"))?;
    tables.iter().map(|table| entry(field.text, table)).collect()
}

fn entry(text: &str, table: &Table) -> Result<PlacedEntry, TrustError> {
    let header = table.span().unwrap_or_default();
    let line = || line_of(text, header.start);
    let ends = table.iter().filter_map(|(_, item)| item.span()).map(|span| span.end);
    let end = ends.max().unwrap_or(header.end);

    let (mut name, mut key, mut scope) = (None, None, Scope::Any);
    let (mut not_before, mut not_after) = (None, None);
    let (mut revoked_at, mut revoked_reason) = (None, None);
    for (field_key, item) in table {
        let field = Field { text, table, key: field_key, item };
        match field_key {
            "contexts" => scope = Scope::Globs(field.globs("contexts")?),
            "key" => key = Some(field.verifying_key("key")?),
            "name" => name = Some(field.name("name")?),
            "not-after" => not_after = Some(field.time("not-after")?),
            "not-before" => not_before = Some(field.time("not-before")?),
            "revoked-at" => revoked_at = Some(field.time("revoked-at")?),
            "revoked-reason" => revoked_reason = Some(field.string("revoked-reason")?.to_owned()),
            _ => return Err(field.unknown()),
        }
    }
    let missing = |key| TrustError::Missing { line: line(), key };
    let name = name.ok_or_else(|| missing("name"))?;
    let key = key.ok_or_else(|| missing("key"))?;
    // Somebody who wrote a reason meant to revoke the key.
    if revoked_reason.is_some() && revoked_at.is_none() {
        return Err(missing("revoked-at"));
    }
    if not_before.zip(not_after).is_some_and(|(start, end)| end <= start) {
        return Err(TrustError::EmptyWindow { line: line() });
    }
    let revocation = revoked_at.map(|at| Revocation { at, reason: revoked_reason });
    let entry = TrustEntry::new(Signer::new(name, key))
        .with_scope(scope)
        .with_not_before(not_before)
        .with_not_after(not_after)
        .with_revocation(revocation);
    Ok(PlacedEntry { entry, header: header.start, end })
}

/// One key of a table, with its value.
struct Field<'a> {
    text: &'a str,
    table: &'a Table,
    key: &'a str,
    item: &'a Item,
}

impl<'a> Field<'a> {
    fn string(&self, key: &'static str) -> Result<&'a str, TrustError> {
        let found = self.item.as_str().ok_or_else(|| self.wrong_type(key, "string"))?;
        match found.contains(char::is_control) {
            true => Err(TrustError::ControlCharacter { line: self.line(), key }),
            false => Ok(found),
        }
    }

    fn name(&self, key: &'static str) -> Result<&'a str, TrustError> {
        let name = self.string(key)?;
        match name.len() {
            1..=MAX_NAME_BYTES => Ok(name),
            found => {
                Err(TrustError::NameLength { line: self.line(), found, limit: MAX_NAME_BYTES })
            }
        }
    }

    fn verifying_key(&self, key: &'static str) -> Result<VerifyingKey, TrustError> {
        match read_openssh_line(self.string(key)?.trim()) {
            Ok((key, _comment)) => Ok(key),
            Err(source) => Err(TrustError::Key { line: self.line(), source }),
        }
    }

    fn globs(&self, key: &'static str) -> Result<Vec<ContextGlob>, TrustError> {
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
            if text.contains(char::is_control) {
                return Err(TrustError::ControlCharacter { line, key });
            }
            ContextGlob::parse(text).map_err(|source| TrustError::Glob { line, source })
        };
        array.iter().map(glob).collect()
    }

    /// Reads a TOML offset date-time, or an RFC 3339 string.
    fn time(&self, key: &'static str) -> Result<Timestamp, TrustError> {
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

    fn unknown(&self) -> TrustError {
        TrustError::UnknownKey { line: self.line(), key: self.key.to_owned() }
    }

    fn wrong_type(&self, key: &'static str, expected: &'static str) -> TrustError {
        let found = self.item.type_name();
        TrustError::WrongType { line: self.line(), key, expected, found }
    }

    fn line(&self) -> usize {
        let span = self.table.key(self.key).and_then(Key::span).or_else(|| self.item.span());
        line_of(self.text, span.unwrap_or_default().start)
    }
}

fn syntax(text: &str, error: &TomlError) -> TrustError {
    let line = line_of(text, error.span().unwrap_or_default().start);
    let what = error.message().lines().next().unwrap_or_default().to_owned();
    TrustError::Toml { line, what }
}

/// Returns the line of a byte. Called for errors only: it reads everything before.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use brine_core::Classified as _;
    use brine_keys::KeyFileError;

    use crate::tests::{ALICE, BOB, at, key};

    use super::*;

    /// Reads one entry with these lines after name (line 2) and key (line 3).
    fn with(lines: &str) -> Result<TrustEntry, TrustError> {
        let text = format!("[[signer]]\nname = \"alice\"\nkey = \"{ALICE}\"\n{lines}\n");
        Ok(read(&text)?.remove(0).entry)
    }

    #[test]
    fn an_entry_needs_only_name_and_key() {
        assert_eq!(with(""), Ok(Signer::new("alice", key(ALICE)).into()));
    }

    #[test]
    fn an_entry_is_read_in_full() {
        let found = with(
            "contexts = [\"reports/*\", \"x\"]\nnot-before = 2026-01-01T00:00:00Z\n\
             not-after = \"2027-01-01T01:00:00+01:00\"\nrevoked-at = 2026-06-01 00:00:00Z\n\
             revoked-reason = \"laptop stolen\"",
        );
        let globs = ["reports/*", "x"].map(|glob| ContextGlob::parse(glob).unwrap());
        let expected = TrustEntry::new(Signer::new("alice", key(ALICE)))
            .with_scope(Scope::Globs(globs.into()))
            .with_not_before(at("2026-01-01T00:00:00Z"))
            .with_not_after(at("2027-01-01T00:00:00Z"))
            .with_revocation(Revocation {
                at: at("2026-06-01T00:00:00Z"),
                reason: Some("laptop stolen".to_owned()),
            });
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn files_are_read_in_order() {
        let text = format!(
            "version = 1\n\n[[signer]]\nkey = '{BOB} bob@laptop'\nname = 'bob'\n\
             [[signer]]\nname = 'alice'\nkey = '{ALICE}'\n"
        );
        let found: Vec<_> = read(&text).unwrap().into_iter().map(|placed| placed.entry).collect();
        assert_eq!(
            found,
            [("bob", BOB), ("alice", ALICE)]
                .map(|(name, text)| Signer::new(name, key(text)).into())
        );
        for empty in ["", "# nobody\n", "version = 1"] {
            assert!(read(empty).unwrap().is_empty());
        }
    }

    #[test]
    fn an_empty_list_of_contexts_matches_nothing() {
        assert_eq!(with("contexts = []").unwrap().scope(), &Scope::Globs(Vec::new()));
    }

    #[test]
    fn what_is_unknown_is_refused_by_name() {
        let unknown = |line, key: &str| Err(TrustError::UnknownKey { line, key: key.to_owned() });
        assert_eq!(with("context = []"), unknown(4, "context"));
        assert_eq!(with("\nnot_after = 2027-01-01T00:00:00Z"), unknown(5, "not_after"));
        assert_eq!(with("Revoked-at = 1"), unknown(4, "Revoked-at"));
        assert_eq!(with("[signer.extra]\na = 1"), unknown(4, "extra"));
        assert_eq!(with("[[signers]]"), unknown(4, "signers"));
        assert_eq!(with("[extra]"), unknown(4, "extra"));
        let found = read("# a\n\nextra.a = 1").unwrap_err();
        assert_eq!(found, TrustError::UnknownKey { line: 3, key: "extra".to_owned() });
    }

    #[test]
    fn versions_other_than_1_are_refused() {
        let version = |text: &str| read(text).unwrap_err();
        assert_eq!(version("version = 2"), TrustError::Version { line: 1, found: 2 });
        assert_eq!(version("\nversion = 0"), TrustError::Version { line: 2, found: 0 });
        let (key, expected) = ("version", "integer");
        for (text, found) in [("version = '1'", "string"), ("version = 1.0", "float")] {
            assert_eq!(version(text), TrustError::WrongType { line: 1, key, expected, found });
        }
    }

    #[test]
    fn required_keys_are_required() {
        let missing = |text: &str| read(text).unwrap_err();
        let no_key = "\n[[signer]]\nname = 'a'";
        assert_eq!(missing(no_key), TrustError::Missing { line: 2, key: "key" });
        let no_name = format!("[[signer]]\nkey = '{ALICE}'");
        assert_eq!(missing(&no_name), TrustError::Missing { line: 1, key: "name" });
        assert_eq!(missing("[[signer]]"), TrustError::Missing { line: 1, key: "name" });
        let no_date = TrustError::Missing { line: 1, key: "revoked-at" };
        assert_eq!(with("revoked-reason = 'lost'"), Err(no_date));
    }

    #[test]
    fn wrong_types_are_refused() {
        for (lines, key, expected, found) in [
            ("contexts = 'a'", "contexts", "array of strings", "string"),
            ("contexts = [\n1]", "contexts", "array of strings", "integer"),
            ("contexts.a = 1", "contexts", "array of strings", "table"),
            ("not-before = 2026", "not-before", "date-time", "integer"),
            ("not-after = []", "not-after", "date-time", "array"),
            ("revoked-at = true", "revoked-at", "date-time", "boolean"),
            ("revoked-reason = 1.5", "revoked-reason", "string", "float"),
        ] {
            let line = if found == "integer" && key == "contexts" { 5 } else { 4 };
            assert_eq!(with(lines), Err(TrustError::WrongType { line, key, expected, found }));
        }
        for (text, key, expected, found) in [
            ("signer = []", "signer", "array of tables", "array"),
            ("[signer]", "signer", "array of tables", "table"),
            ("signer.name = 'a'", "signer", "array of tables", "table"),
            ("[[signer]]\nname = 1", "name", "string", "integer"),
            ("[[signer]]\nkey = {}", "key", "string", "inline table"),
        ] {
            let line = text.lines().count();
            let error = TrustError::WrongType { line, key, expected, found };
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn duplicate_keys_are_refused() {
        let what = "duplicate key".to_owned();
        assert_eq!(with("name = 'bob'"), Err(TrustError::Toml { line: 4, what: what.clone() }));
        assert_eq!(with("[signer]"), Err(TrustError::Toml { line: 4, what }));
    }

    #[test]
    fn names_are_short_and_printable() {
        let named = |name: &str| read(&format!("\n[[signer]]\nname = \"{name}\"")).unwrap_err();
        let limit = MAX_NAME_BYTES;
        for found in [0, 256, 1000] {
            let error = TrustError::NameLength { line: 3, found, limit };
            assert_eq!(named(&"a".repeat(found)), error);
        }
        for bytes in [1, 255] {
            let fits = TrustError::Missing { line: 2, key: "key" };
            assert_eq!(named(&"a".repeat(bytes)), fits);
        }
        for escape in ["\\u0000", "\\n", "\\u001b[2J", "\\u007f", "\\u009b"] {
            let error = TrustError::ControlCharacter { line: 3, key: "name" };
            assert_eq!(named(escape), error, "{escape}");
        }
        for (lines, key) in [
            ("revoked-reason = \"\\u001b\"", "revoked-reason"),
            ("contexts = [\"a\\n\"]", "contexts"),
        ] {
            assert_eq!(with(lines), Err(TrustError::ControlCharacter { line: 4, key }));
        }
    }

    #[test]
    fn keys_other_than_ed25519_are_refused() {
        for text in ["ssh-ed25519", "ssh-ed25519 AAAA", "alice", &ALICE[..60]] {
            let found = read(&format!("[[signer]]\nkey = '{text}'")).unwrap_err();
            let TrustError::Key { line: 2, source } = found else { panic!("{found:?}") };
            assert!(!matches!(source, KeyFileError::NotEd25519 { .. }), "{source:?}");
        }
    }

    #[test]
    fn times_need_an_offset() {
        for text in ["2026-01-01T00:00:00", "2026-01-01 00:00:00", "2026-01-01"] {
            let error = TrustError::LocalTime { line: 4, key: "not-before" };
            assert_eq!(with(&format!("not-before = {text}")), Err(error));
        }
        let error = TrustError::LocalTime { line: 4, key: "revoked-at" };
        assert_eq!(with("revoked-at = '2026-01-01T00:00:00'"), Err(error.clone()));
        assert_eq!(with("revoked-at = 07:32:00"), Err(error));
    }

    #[test]
    fn times_out_of_range_are_refused() {
        for text in ["1969-12-31T23:59:59Z", "tomorrow", "", "2026-01-01"] {
            let found = text.to_owned();
            let error = TrustError::Time { line: 4, key: "not-after", found };
            assert_eq!(with(&format!("not-after = '{text}'")), Err(error));
        }
    }

    #[test]
    fn windows_that_are_never_open_are_refused() {
        for end in ["2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"] {
            let lines = format!("not-before = 2026-01-01T00:00:00Z\nnot-after = {end}");
            assert_eq!(with(&lines), Err(TrustError::EmptyWindow { line: 1 }));
        }
    }

    #[test]
    fn reserved_globs_are_refused_with_their_line() {
        let source = ContextGlob::parse("b/**").unwrap_err();
        let error = TrustError::Glob { line: 6, source };
        assert_eq!(with("contexts = [\n\"a\",\n\"b/**\"]"), Err(error));
    }

    #[test]
    fn deep_nesting_is_refused() {
        for text in ["a.".repeat(20_000) + "a=1", "a=".to_owned() + &"[".repeat(20_000)] {
            assert_eq!(read(&text).unwrap_err().reason(), "trust-toml");
        }
    }
}
