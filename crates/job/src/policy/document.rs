//! Reading of policy.toml. docs/policy.md is its reference.
//!
//! What is not known is refused: it may be a restriction, misspelt or from a later version.

mod field;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use toml_edit::{Document, Table};

use self::field::{Field, line_of, table_line};
use super::error::PolicyFileError;
use super::terms::{Allowed, Entry, ImportList, Interpreter, Terms};
use super::{MAX_POLICY_BYTES, MAX_POLICY_ENTRIES};
use crate::job::format::Format;
use crate::job::limits::{Bounds, Limit};
use crate::job::names::{Alias, LogicalPath, VariableName};
use crate::trust::ContextGlob;

/// Reads all entries, in the order of the file, each with what the defaults give it.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Entry>, PolicyFileError> {
    let text = decode(bytes)?;
    let document = Document::parse(text).map_err(|error| PolicyFileError::Toml {
        line: line_of(text, error.span().unwrap_or_default().start),
        what: error.message().lines().next().unwrap_or_default().to_owned(),
    })?;
    let mut defaults = Terms::default();
    let mut tables: Vec<&Table> = Vec::new();
    for field in Field::each(text, document.as_table()) {
        match field.key {
            "allow" => {
                let found = field.item.as_array_of_tables();
                let wrong = || field.wrong("tables, each begun by [[allow]]");
                let found = found.ok_or_else(wrong)?;
                // Each is compared with all others.
                if found.len() > MAX_POLICY_ENTRIES {
                    return Err(field.wrong("up to 1000 tables"));
                }
                tables.extend(found.iter());
            }
            "defaults" => {
                let table = field.table()?;
                Field::each(text, table).try_for_each(|field| defaults.read(&field))?;
                refuse_root_twice(&defaults, field.line())?;
            }
            "version" => version(&field)?,
            _ => return Err(field.unknown()),
        }
    }
    let entries: Result<Vec<_>, _> =
        tables.iter().map(|table| entry(text, table, &defaults)).collect();
    let entries = entries?;
    refuse_overlaps(&entries)?;
    Ok(entries)
}

fn decode(bytes: &[u8]) -> Result<&str, PolicyFileError> {
    if bytes.len() > MAX_POLICY_BYTES {
        return Err(PolicyFileError::TooLarge { found: bytes.len(), limit: MAX_POLICY_BYTES });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    let text = text.and_then(|text| text.find('\0').map_or(Ok(text), Err));
    text.map_err(|offset| {
        let newlines = bytes.iter().take(offset).filter(|&&byte| byte == b'\n');
        PolicyFileError::NotText { line: newlines.count() + 1 }
    })
}

fn version(field: &Field<'_>) -> Result<(), PolicyFileError> {
    match field.integer()? {
        1 => Ok(()),
        found => Err(PolicyFileError::Version { line: field.line(), found }),
    }
}

fn entry(text: &str, table: &Table, defaults: &Terms) -> Result<Entry, PolicyFileError> {
    let line = table_line(text, table);
    let (mut signers, mut contexts, mut content_types) = (None, None, None);
    let mut terms = Terms::default();
    for field in Field::each(text, table) {
        match field.key {
            "signers" => signers = Some(field.texts(|name, _| Ok(name.to_owned()))?),
            "contexts" => {
                contexts = Some(field.texts(|glob, line| {
                    ContextGlob::parse(glob)
                        .map_err(|source| PolicyFileError::Glob { line, source })
                })?);
            }
            "content-types" => {
                let types = field.texts(|name, _| Ok(name.to_owned()))?;
                content_types = Some(types.into_iter().collect());
            }
            _ => terms.read(&field)?,
        }
    }
    let signers = signers.ok_or(PolicyFileError::Missing { line, key: "signers" })?;
    let signers = signers.into_iter().collect();
    let terms = terms.over(defaults);
    refuse_root_twice(&terms, line)?;
    Ok(Entry { line, signers, contexts, content_types, terms })
}

fn refuse_root_twice(terms: &Terms, line: usize) -> Result<(), PolicyFileError> {
    let twice = terms.root_twice().map(str::to_owned);
    twice.map_or(Ok(()), |root| Err(PolicyFileError::RootTwice { line, root }))
}

/// What would be refused for every job is a mistake that shows at once.
fn refuse_overlaps(entries: &[Entry]) -> Result<(), PolicyFileError> {
    for (index, entry) in entries.iter().enumerate() {
        let before = entries.iter().take(index).find(|before| before.clearly_overlaps(entry));
        if let Some(before) = before {
            return Err(PolicyFileError::Overlap { line: entry.line, other: before.line });
        }
    }
    Ok(())
}

impl Terms {
    /// Reads a key that stands in an entry, or in the defaults.
    fn read(&mut self, field: &Field<'_>) -> Result<(), PolicyFileError> {
        match field.key {
            "environment" => self.environment = Some(environment(field)?),
            "formats" => {
                let formats = field.texts(|name, line| {
                    let wrong = || field.wrong_text(line, name, Format::NAMES);
                    Format::from_name(name).ok_or_else(wrong)
                })?;
                if formats.is_empty() {
                    return Err(field.wrong(Format::NAMES));
                }
                self.formats = Some(formats);
            }
            "interpreters" => self.interpreters = Some(interpreters(field)?),
            "limits" => self.limits = limits(field)?,
            "pickle-imports" => self.pickle_imports = Some(field.texts(import_list(field))?),
            "ports" => self.ports = Some(ports(field)?),
            "read" => self.read = Some(roots(field)?),
            "system" => {
                let paths = field.texts(|path, line| {
                    let path = absolute(path, line)?;
                    let root = || field.wrong_text(line, "/", "a directory below it");
                    if path == Path::new("/") { Err(root()) } else { Ok(path) }
                })?;
                self.system = Some(paths.into_iter().collect());
            }
            "write" => self.write = Some(roots(field)?),
            _ => return Err(field.unknown()),
        }
        Ok(())
    }
}

fn environment(field: &Field<'_>) -> Result<BTreeMap<VariableName, String>, PolicyFileError> {
    let variables = Field::each(field.text, field.table()?).map(|variable| {
        let name = VariableName::parse(variable.key).map_err(|what| variable.bad_name(what))?;
        Ok((name, variable.string()?.to_owned()))
    });
    variables.collect()
}

fn interpreters(field: &Field<'_>) -> Result<BTreeMap<Alias, Interpreter>, PolicyFileError> {
    let interpreters = Field::each(field.text, field.table()?).map(|found| {
        let alias = Alias::parse(found.key).map_err(|what| found.bad_name(what))?;
        Ok((alias, interpreter(&found)?))
    });
    interpreters.collect()
}

fn interpreter(field: &Field<'_>) -> Result<Interpreter, PolicyFileError> {
    let (mut path, mut sha256) = (None, None);
    // Without any.
    let mut arguments = vec![Allowed { first: Vec::new(), and_any: false }];
    for field in Field::each(field.text, field.table()?) {
        match field.key {
            "arguments" => arguments = field.lists()?.into_iter().map(allowed).collect(),
            "path" => path = Some(absolute(field.string()?, field.line())?),
            "sha256" => sha256 = Some(digest(&field)?),
            _ => return Err(field.unknown()),
        }
    }
    let path = path.ok_or(PolicyFileError::Missing { line: field.line(), key: "path" })?;
    Ok(Interpreter { path, sha256, arguments })
}

/// `...` at the end stands for any more.
fn allowed(mut arguments: Vec<String>) -> Allowed {
    let and_any = arguments.pop_if(|last| last == "...").is_some();
    Allowed { first: arguments, and_any }
}

fn digest(field: &Field<'_>) -> Result<[u8; 32], PolicyFileError> {
    let text = field.string()?;
    let mut digest = [0; 32];
    let wrong = || field.wrong("64 hex digits");
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    for (byte, at) in digest.iter_mut().zip((0..64_usize).step_by(2)) {
        let digits = text.get(at..at.saturating_add(2)).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

fn limits(field: &Field<'_>) -> Result<Bounds, PolicyFileError> {
    let limits = Field::each(field.text, field.table()?).map(|field| {
        let limit = Limit::from_name(field.key).ok_or_else(|| field.unknown())?;
        let value = match field.item.as_integer() {
            // A bare number is one of bytes or things; a time says its unit.
            Some(number) => limit.parse_value(&number.to_string()),
            None => limit.parse_value(field.string()?),
        };
        Ok((limit, value.map_err(|expected| field.wrong(expected))?))
    });
    limits.collect()
}

fn ports(field: &Field<'_>) -> Result<BTreeSet<u16>, PolicyFileError> {
    let wrong = || field.wrong("an array of ports from 1 to 65535");
    let ports = field.item.as_array().ok_or_else(wrong)?.iter().map(|port| {
        let port = port.as_integer().and_then(|port| u16::try_from(port).ok());
        port.filter(|port| *port > 0).ok_or_else(wrong)
    });
    ports.collect()
}

fn roots(field: &Field<'_>) -> Result<BTreeMap<String, PathBuf>, PolicyFileError> {
    let roots = Field::each(field.text, field.table()?).map(|root| {
        let name = LogicalPath::parse(root.key).map_err(|what| root.bad_name(what))?;
        if !name.split_root().1.is_empty() {
            return Err(root.bad_name(crate::job::NameError("a root has no / in its name")));
        }
        Ok((root.key.to_owned(), absolute(root.string()?, root.line())?))
    });
    roots.collect()
}

fn import_list<'f>(
    field: &'f Field<'_>,
) -> impl Fn(&str, usize) -> Result<ImportList, PolicyFileError> + 'f {
    move |text, line| {
        if text.contains('/') {
            return absolute(text, line).map(ImportList::File);
        }
        let named = matches!(text, "std" | "numpy");
        let wrong = || field.wrong_text(line, text, "std, numpy, or an absolute path");
        named.then(|| ImportList::BuiltIn(text.to_owned())).ok_or_else(wrong)
    }
}

/// Takes a path in its shortest form only: what it names is plain to see.
fn absolute(text: &str, line: usize) -> Result<PathBuf, PolicyFileError> {
    let path = Path::new(text);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    // Its parts put together again are it, but for a dot or a slash that means nothing.
    let again: PathBuf = path.components().collect();
    if path.is_absolute() && path.components().all(plain) && again.as_os_str() == text {
        return Ok(again);
    }
    Err(PolicyFileError::Path { line, path: text.to_owned() })
}

#[cfg(test)]
mod tests;
