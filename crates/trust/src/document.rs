//! Reads trust.toml.
//!
//! ```toml
//! version = 1                         # optional
//! revoked = ["revoked.krl"]           # optional
//! [[signer]]
//! name = "alice"
//! key = "ssh-ed25519 AAAA… comment"
//! contexts = ["reports/*"]            # optional
//! may-issue = true                    # optional
//! not-before = 2026-01-01T00:00:00Z   # optional
//! not-after = 2027-01-01T00:00:00Z    # optional
//! revoked-at = 2026-06-01T00:00:00Z   # optional
//! revoked-reason = "laptop stolen"    # optional
//!
//! [groups]
//! release = ["alice", "bob"]
//!
//! [[rule]]
//! contexts = ["release/*"]            # optional
//! require = 2
//! of = ["@release", "carol"]          # optional
//! each-certified = true               # optional
//!
//! [[authority]]
//! name = "team"
//! key = "ssh-ed25519 AAAA… comment"
//! principals = ["*@example.com"]
//! contexts = ["reports/*"]            # optional, as the others of a signer are
//! needs-revocations = true            # optional
//! ```
//!
//! An unknown key is refused. It may be a restriction, misspelt or from a later version.

mod field;

use std::ops::Range;

use brine_core::cose::MAX_SIGNERS;
use brine_core::{Signer, Timestamp, VerifyingKey, Vouching};
use toml_edit::{ArrayOfTables, Document, Item, Table, TomlError};

use crate::authority::Authority;
use crate::entry::{Revocation, Scope, TrustEntry};
use crate::error::TrustError;
use crate::rule::Rule;
use crate::trust_file::check_size;

use self::field::{Field, line_of};

/// Where a table stands in the text.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Where its header begins, such as `[[signer]]`.
    pub(crate) header: usize,
    /// Where the last value ends.
    pub(crate) end: usize,
}

/// An entry, and where it stands in the text.
#[derive(Debug)]
pub(crate) struct PlacedEntry {
    pub(crate) entry: TrustEntry,
    pub(crate) place: Place,
    /// The value of `revoked-at`.
    pub(crate) revoked_at: Option<Range<usize>>,
    /// The value of `revoked-reason`.
    pub(crate) revoked_reason: Option<Range<usize>>,
}

/// An authority, and where it stands in the text.
#[derive(Debug)]
pub(crate) struct PlacedAuthority {
    pub(crate) authority: Authority,
    pub(crate) place: Place,
}

/// What a trust.toml says, each in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) signers: Vec<PlacedEntry>,
    pub(crate) authorities: Vec<PlacedAuthority>,
    /// The files of lists of what is revoked.
    pub(crate) revoked: Vec<String>,
    pub(crate) rules: Vec<Rule>,
}

/// Reads all of it.
pub(crate) fn read(text: &str) -> Result<Contents, TrustError> {
    check_size(text.as_bytes())?;
    let document = Document::parse(text).map_err(|error| syntax(text, &error))?;
    let mut contents = Contents::default();
    if let Some(item) = document.get("groups") {
        Field { text, table: document.as_table(), key: "groups", item }.groups()?;
    }
    for (key, item) in document.as_table() {
        let field = Field { text, table: document.as_table(), key, item };
        match key {
            "authority" => contents.authorities = authorities(&field)?,
            "groups" => {}
            "rule" => contents.rules = rules(&field, document.get("groups"))?,
            "revoked" => contents.revoked = field.strings("revoked")?,
            "signer" => contents.signers = signers(&field)?,
            "version" => version(&field)?,
            _ => return Err(field.unknown()),
        }
    }
    Ok(contents)
}

fn version(field: &Field<'_>) -> Result<(), TrustError> {
    match field.item.as_integer() {
        Some(1) => Ok(()),
        Some(found) => Err(TrustError::Version { line: field.line(), found }),
        None => Err(field.wrong_type("version", "integer")),
    }
}

fn signers(field: &Field<'_>) -> Result<Vec<PlacedEntry>, TrustError> {
    tables(field, "signer")?.iter().map(|table| signer(field.text, table)).collect()
}

fn authorities(field: &Field<'_>) -> Result<Vec<PlacedAuthority>, TrustError> {
    tables(field, "authority")?.iter().map(|table| authority(field.text, table)).collect()
}

fn tables<'a>(field: &Field<'a>, key: &'static str) -> Result<&'a ArrayOfTables, TrustError> {
    field.item.as_array_of_tables().ok_or_else(|| field.wrong_type(key, "array of tables"))
}

/// The values of an entry, of whatever sort it is.
#[derive(Default)]
struct Values<'a> {
    name: Option<&'a str>,
    key: Option<VerifyingKey>,
    scope: Option<Scope>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    revoked_reason: Option<String>,
}

impl<'a> Values<'a> {
    /// Takes a value. Returns whether entries of each sort have it.
    fn take(&mut self, field: &Field<'a>) -> Result<bool, TrustError> {
        match field.key {
            "contexts" => self.scope = Some(Scope::Globs(field.globs("contexts")?)),
            "key" => self.key = Some(field.verifying_key("key")?),
            "name" => self.name = Some(field.name("name")?),
            "not-after" => self.not_after = Some(field.time("not-after")?),
            "not-before" => self.not_before = Some(field.time("not-before")?),
            "revoked-at" => self.revoked_at = Some(field.time("revoked-at")?),
            "revoked-reason" => {
                self.revoked_reason = Some(field.string("revoked-reason")?.to_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn into_entry(self, line: impl Fn() -> usize) -> Result<TrustEntry, TrustError> {
        let missing = |key| TrustError::Missing { line: line(), key };
        let name = self.name.ok_or_else(|| missing("name"))?;
        let key = self.key.ok_or_else(|| missing("key"))?;
        // Whoever wrote a reason meant to revoke the key.
        if self.revoked_reason.is_some() && self.revoked_at.is_none() {
            return Err(missing("revoked-at"));
        }
        let window = self.not_before.zip(self.not_after);
        if window.is_some_and(|(start, end)| end <= start) {
            return Err(TrustError::EmptyWindow { line: line() });
        }
        let reason = self.revoked_reason;
        let revocation = self.revoked_at.map(|at| Revocation { at, reason });
        Ok(TrustEntry::new(Signer::new(name, key))
            .with_scope(self.scope.unwrap_or(Scope::Any))
            .with_not_before(self.not_before)
            .with_not_after(self.not_after)
            .with_revocation(revocation))
    }
}

fn place_of(table: &Table) -> Place {
    let header = table.span().unwrap_or_default();
    let ends = table.iter().filter_map(|(_, item)| item.span()).map(|span| span.end);
    Place { header: header.start, end: ends.max().unwrap_or(header.end) }
}

fn signer(text: &str, table: &Table) -> Result<PlacedEntry, TrustError> {
    let place = place_of(table);
    let (mut values, mut may_issue) = (Values::default(), false);
    for (key, item) in table {
        let field = Field { text, table, key, item };
        match key {
            "may-issue" => may_issue = field.boolean("may-issue")?,
            _ if values.take(&field)? => {}
            _ => return Err(field.unknown()),
        }
    }
    let entry = values.into_entry(|| line_of(text, place.header))?.with_delegation(may_issue);
    let value = |key| table.get(key).and_then(Item::span);
    let (revoked_at, revoked_reason) = (value("revoked-at"), value("revoked-reason"));
    Ok(PlacedEntry { entry, place, revoked_at, revoked_reason })
}

fn authority(text: &str, table: &Table) -> Result<PlacedAuthority, TrustError> {
    let place = place_of(table);
    let line = || line_of(text, place.header);
    let (mut values, mut principals, mut needs_revocations) = (Values::default(), None, false);
    for (key, item) in table {
        let field = Field { text, table, key, item };
        match key {
            "needs-revocations" => needs_revocations = field.boolean("needs-revocations")?,
            "principals" => principals = Some(field.patterns("principals")?),
            _ if values.take(&field)? => {}
            _ => return Err(field.unknown()),
        }
    }
    // Without them it would vouch for everybody, which has to be said.
    let principals =
        principals.ok_or_else(|| TrustError::Missing { line: line(), key: "principals" })?;
    let authority = Authority::new(values.into_entry(line)?, principals);
    let authority = authority.with_needed_revocations(needs_revocations);
    Ok(PlacedAuthority { authority, place })
}

fn rules(field: &Field<'_>, groups: Option<&Item>) -> Result<Vec<Rule>, TrustError> {
    tables(field, "rule")?.iter().map(|table| rule(field.text, table, groups)).collect()
}

fn rule(text: &str, table: &Table, groups: Option<&Item>) -> Result<Rule, TrustError> {
    let line = line_of(text, table.span().unwrap_or_default().start);
    let (mut scope, mut required, mut of) = (Scope::Any, None, None);
    let mut vouching = Vouching::OnePerson;
    for (key, item) in table {
        let field = Field { text, table, key, item };
        match key {
            "contexts" => {
                let globs = field.globs("contexts")?;
                if globs.is_empty() {
                    // It would hold for nothing, and look as if it held for everything.
                    return Err(TrustError::Rule { line, what: "it is for no context" });
                }
                scope = Scope::Globs(globs);
            }
            "each-certified" if field.boolean("each-certified")? => {
                vouching = Vouching::EachPerson;
            }
            "each-certified" => {}
            "of" => of = Some(members(&field, groups)?),
            "require" => required = Some(field.integer("require")?),
            _ => return Err(field.unknown()),
        }
    }
    let required = required.ok_or(TrustError::Missing { line, key: "require" })?;
    let wrong = |what| TrustError::Rule { line, what };
    let required = usize::try_from(required).ok().filter(|found| (1..=MAX_SIGNERS).contains(found));
    let required = required.ok_or(wrong("require is not a number from 1 to 16"))?;
    if of.as_ref().is_some_and(|names: &Vec<String>| names.len() < required) {
        return Err(wrong("it requires more signers than it names"));
    }
    Ok(Rule { scope, required, of, vouching })
}

/// Returns the names of a rule, those of its groups among them.
fn members(field: &Field<'_>, groups: Option<&Item>) -> Result<Vec<String>, TrustError> {
    let mut names = Vec::new();
    for name in field.strings("of")? {
        let Some(group) = name.strip_prefix('@') else {
            names.push(name);
            continue;
        };
        let members = groups.and_then(|groups| groups.get(group)).and_then(Item::as_array);
        let unknown =
            TrustError::Rule { line: field.line(), what: "it names a group that is not there" };
        let members = members.ok_or(unknown)?.iter().filter_map(toml_edit::Value::as_str);
        names.extend(members.map(str::to_owned));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn syntax(text: &str, error: &TomlError) -> TrustError {
    let line = line_of(text, error.span().unwrap_or_default().start);
    let what = error.message().lines().next().unwrap_or_default().to_owned();
    TrustError::Toml { line, what }
}

#[cfg(test)]
mod tests;
