//! The reader of policy.toml, which docs/policy.md describes.
//!
//! Unknown keys are refused: one can be a restriction that is misspelt, or from a later version.

mod field;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use brine_core::ContextGlob;
use toml_edit::{Document, Table};

use self::field::{PolicyField, line_of, table_line};
use super::entry::{AllowedArguments, ImportList, Interpreter, PolicyEntry, PolicyTerms};
use super::error::PolicyFileError;
use super::{MAX_POLICY_BYTES, MAX_POLICY_ENTRIES};
use crate::format::OutputFormat;
use crate::limits::{Limit, LimitValues};
use crate::names::{InterpreterAlias, LogicalPath, NameError, PowerName, VariableName};

/// Reads all entries, in the order of the file, and fills them with the defaults.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<PolicyEntry>, PolicyFileError> {
    let text = decode(bytes)?;
    let document = Document::parse(text).map_err(|error| PolicyFileError::Toml {
        line: line_of(text, error.span().unwrap_or_default().start),
        what: error.message().lines().next().unwrap_or_default().to_owned(),
    })?;
    let mut defaults = PolicyTerms::default();
    let mut tables: Vec<&Table> = Vec::new();
    for field in PolicyField::each(text, document.as_table()) {
        match field.key {
            "allow" => tables.extend(allow_tables(&field)?),
            "defaults" => {
                let table = field.table()?;
                PolicyField::each(text, table).try_for_each(|field| defaults.read(&field))?;
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

fn allow_tables<'a>(
    field: &PolicyField<'a>,
) -> Result<impl Iterator<Item = &'a Table>, PolicyFileError> {
    let tables = field.item.as_array_of_tables();
    let tables = tables.ok_or_else(|| field.wrong("tables, each begun by [[allow]]"))?;
    // Each entry is compared with all others.
    if tables.len() > MAX_POLICY_ENTRIES {
        return Err(field.wrong("up to 1000 tables"));
    }
    Ok(tables.iter())
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

fn version(field: &PolicyField<'_>) -> Result<(), PolicyFileError> {
    match field.integer()? {
        1 => Ok(()),
        found => Err(PolicyFileError::Version { line: field.line(), found }),
    }
}

fn entry(
    text: &str,
    table: &Table,
    defaults: &PolicyTerms,
) -> Result<PolicyEntry, PolicyFileError> {
    let line = table_line(text, table);
    let (mut signers, mut contexts, mut content_types) = (None, None, None);
    let mut terms = PolicyTerms::default();
    for field in PolicyField::each(text, table) {
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
    Ok(PolicyEntry { line, signers, contexts, content_types, terms })
}

fn refuse_root_twice(terms: &PolicyTerms, line: usize) -> Result<(), PolicyFileError> {
    let twice = terms.root_twice().map(str::to_owned);
    twice.map_or(Ok(()), |root| Err(PolicyFileError::RootTwice { line, root }))
}

/// Refuses entries that would refuse each other's jobs, so that the mistake shows at once.
fn refuse_overlaps(entries: &[PolicyEntry]) -> Result<(), PolicyFileError> {
    for (index, entry) in entries.iter().enumerate() {
        let before = entries.iter().take(index).find(|before| before.clearly_overlaps(entry));
        if let Some(before) = before {
            return Err(PolicyFileError::Overlap { line: entry.line, other: before.line });
        }
    }
    Ok(())
}

impl PolicyTerms {
    /// Reads a key of an entry, or of the defaults.
    fn read(&mut self, field: &PolicyField<'_>) -> Result<(), PolicyFileError> {
        match field.key {
            "environment" => self.environment = Some(environment(field)?),
            "exec-scratch" => self.exec_scratch = Some(field.boolean()?),
            "formats" => self.formats = Some(formats(field)?),
            "interpreters" => self.interpreters = Some(interpreters(field)?),
            "json-schema" => {
                self.json_schema = Some(absolute(field.string()?, field.line())?);
            }
            "limits" => self.limits = limits(field)?,
            "pickle-imports" => self.pickle_imports = Some(field.texts(import_list(field))?),
            "ports" => self.ports = Some(ports(field)?),
            "powers" => self.powers = Some(powers(field)?),
            "read" => self.read = Some(roots(field)?),
            "replies" => {
                self.replies = Some(field.texts(|glob, line| {
                    ContextGlob::parse(glob)
                        .map_err(|source| PolicyFileError::Glob { line, source })
                })?);
            }
            "system" => self.system = Some(system(field)?),
            "write" => self.write = Some(roots(field)?),
            _ => return Err(field.unknown()),
        }
        Ok(())
    }
}

fn environment(field: &PolicyField<'_>) -> Result<BTreeMap<VariableName, String>, PolicyFileError> {
    let variables = PolicyField::each(field.text, field.table()?).map(|variable| {
        let name = VariableName::parse(variable.key).map_err(|what| variable.bad_name(what))?;
        Ok((name, variable.string()?.to_owned()))
    });
    variables.collect()
}

fn powers(field: &PolicyField<'_>) -> Result<BTreeSet<PowerName>, PolicyFileError> {
    let names = field.texts(|name, line| {
        let wrong = |what: NameError| field.wrong_text(line, name, &what.to_string());
        PowerName::parse(name).map_err(wrong)
    })?;
    Ok(names.into_iter().collect())
}

fn formats(field: &PolicyField<'_>) -> Result<Vec<OutputFormat>, PolicyFileError> {
    let formats = field.texts(|name, line| {
        let wrong = || field.wrong_text(line, name, OutputFormat::NAMES);
        OutputFormat::from_name(name).ok_or_else(wrong)
    })?;
    if formats.is_empty() { Err(field.wrong(OutputFormat::NAMES)) } else { Ok(formats) }
}

fn interpreters(
    field: &PolicyField<'_>,
) -> Result<BTreeMap<InterpreterAlias, Interpreter>, PolicyFileError> {
    let interpreters = PolicyField::each(field.text, field.table()?).map(|found| {
        let alias = InterpreterAlias::parse(found.key).map_err(|what| found.bad_name(what))?;
        Ok((alias, interpreter(&found)?))
    });
    interpreters.collect()
}

fn interpreter(field: &PolicyField<'_>) -> Result<Interpreter, PolicyFileError> {
    let (mut path, mut sha256) = (None, None);
    // Without the key, no arguments are allowed.
    let mut arguments = vec![AllowedArguments { first: Vec::new(), and_any: false }];
    for field in PolicyField::each(field.text, field.table()?) {
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

/// Reads a list of arguments. `...` at its end stands for any others.
fn allowed(mut arguments: Vec<String>) -> AllowedArguments {
    let and_any = arguments.pop_if(|last| last == "...").is_some();
    AllowedArguments { first: arguments, and_any }
}

fn digest(field: &PolicyField<'_>) -> Result<[u8; 32], PolicyFileError> {
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

fn limits(field: &PolicyField<'_>) -> Result<LimitValues, PolicyFileError> {
    let limits = PolicyField::each(field.text, field.table()?).map(|field| {
        let limit = Limit::from_name(field.key).ok_or_else(|| field.unknown())?;
        let value = match field.item.as_integer() {
            // A bare number is a size or a count. A time needs its unit.
            Some(number) => limit.parse_value(&number.to_string()),
            None => limit.parse_value(field.string()?),
        };
        Ok((limit, value.map_err(|expected| field.wrong(expected))?))
    });
    limits.collect()
}

fn ports(field: &PolicyField<'_>) -> Result<BTreeSet<u16>, PolicyFileError> {
    let wrong = || field.wrong("an array of ports from 1 to 65535");
    let ports = field.item.as_array().ok_or_else(wrong)?.iter().map(|port| {
        let port = port.as_integer().and_then(|port| u16::try_from(port).ok());
        port.filter(|port| *port > 0).ok_or_else(wrong)
    });
    ports.collect()
}

fn roots(field: &PolicyField<'_>) -> Result<BTreeMap<String, PathBuf>, PolicyFileError> {
    let roots = PolicyField::each(field.text, field.table()?).map(|root| {
        let name = LogicalPath::parse(root.key).map_err(|what| root.bad_name(what))?;
        if !name.split_root().1.is_empty() {
            return Err(root.bad_name(NameError("a root has no / in its name")));
        }
        Ok((root.key.to_owned(), absolute(root.string()?, root.line())?))
    });
    roots.collect()
}

fn system(field: &PolicyField<'_>) -> Result<BTreeSet<PathBuf>, PolicyFileError> {
    let paths = field.texts(|path, line| {
        let path = absolute(path, line)?;
        let root = || field.wrong_text(line, "/", "a directory below it");
        if path == Path::new("/") { Err(root()) } else { Ok(path) }
    })?;
    Ok(paths.into_iter().collect())
}

fn import_list<'f>(
    field: &'f PolicyField<'_>,
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

/// Reads an absolute path. It must be in its shortest form, so that a reader sees what it names.
fn absolute(text: &str, line: usize) -> Result<PathBuf, PolicyFileError> {
    let path = Path::new(text);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    // Joining the parts again drops every dot and slash that means nothing.
    let again: PathBuf = path.components().collect();
    if path.is_absolute() && path.components().all(plain) && again.as_os_str() == text {
        return Ok(again);
    }
    Err(PolicyFileError::Path { line, path: text.to_owned() })
}

#[cfg(test)]
mod tests;
