//! Reads trust.toml.
//!
//! ```toml
//! version = 1                         # optional
//! [[signer]]
//! name = "alice"
//! key = "ssh-ed25519 AAAA… comment"
//! contexts = ["reports/*"]            # optional
//! not-before = 2026-01-01T00:00:00Z   # optional
//! not-after = 2027-01-01T00:00:00Z    # optional
//! revoked-at = 2026-06-01T00:00:00Z   # optional
//! revoked-reason = "laptop stolen"    # optional
//! ```
//!
//! An unknown key is refused. It may be a restriction, misspelt or from a later version.

mod field;

use std::ops::Range;

use brine_core::Signer;
use toml_edit::{Document, Item, Table, TomlError};

use crate::MAX_TRUST_FILE_BYTES;
use crate::entry::{Revocation, Scope, TrustEntry};
use crate::error::TrustError;

use self::field::{Field, line_of};

/// An entry, and where it stands in the text.
#[derive(Debug)]
pub(crate) struct PlacedEntry {
    pub(crate) entry: TrustEntry,
    /// Where `[[signer]]` begins.
    pub(crate) header: usize,
    /// Where the last value ends.
    pub(crate) end: usize,
    /// The value of `revoked-at`.
    pub(crate) revoked_at: Option<Range<usize>>,
    /// The value of `revoked-reason`.
    pub(crate) revoked_reason: Option<Range<usize>>,
}

/// Reads all entries, in the order of the file.
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
    // Whoever wrote a reason meant to revoke the key.
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
    let place = |key| table.get(key).and_then(Item::span);
    let (revoked_at, revoked_reason) = (place("revoked-at"), place("revoked-reason"));
    Ok(PlacedEntry { entry, header: header.start, end, revoked_at, revoked_reason })
}

fn syntax(text: &str, error: &TomlError) -> TrustError {
    let line = line_of(text, error.span().unwrap_or_default().start);
    let what = error.message().lines().next().unwrap_or_default().to_owned();
    TrustError::Toml { line, what }
}

#[cfg(test)]
mod tests;
