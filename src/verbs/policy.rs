//! `brine policy`, and where a policy comes from.

mod check;

use std::io;
use std::path::Path;

use brine_job::{Policy, PolicyEntry};
use serde::Serialize;

use self::check::PolicyCheck;
use crate::args::run::{CheckPolicy, PolicyVerb};
use crate::report::Failure;
use crate::report::byte_name::{exact, shown};
use crate::report::console::{json_line, printable};
use crate::world::home::Home;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;
use crate::world::trail::settled;
use crate::world::watched::Watched;

pub(super) fn run(verb: &PolicyVerb) -> Result<(), Failure> {
    match verb {
        PolicyVerb::Check(args) => check(args),
    }
}

/// Reads the policy that was named, else the default one, and does so again when it changes.
pub(super) fn watch(
    named: Option<&Path>,
    rule: PermissionRule,
) -> Result<Watched<Policy>, Failure> {
    let default = || Home::find().ok().map(|home| home.policy_file());
    let named = named.map(Path::to_owned);
    let files = named.clone().or_else(default);
    Watched::new(files.into_iter().collect(), rule, move |files| find(named.as_deref(), files))
}

/// Reads the policy that was named, else the default one; without that there is none.
fn find(named: Option<&Path>, files: &SmallFiles) -> Result<Policy, Failure> {
    if let Some(path) = named {
        return read(path, files);
    }
    match Home::find().and_then(|home| read(&home.policy_file(), files)) {
        Err(Failure::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Policy::none())
        }
        Err(Failure::NoHome) => Ok(Policy::none()),
        other => other,
    }
}

fn read(path: &Path, files: &SmallFiles) -> Result<Policy, Failure> {
    let bytes = files.read(path)?;
    Policy::parse(&bytes).map_err(|source| Failure::PolicyFile { path: path.to_owned(), source })
}

fn check(args: &CheckPolicy) -> Result<(), Failure> {
    let named = args.file.as_deref().map(settled);
    let path = named.map_or_else(|| Home::find().map(|home| home.policy_file()), Ok)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and(Some(&path)))?;
    let rule = args.permissions.into();
    let policy = read(&path, &SmallFiles::new(rule))?;
    PolicyCheck::new(&path, &policy, rule).run()?;
    if args.json {
        return output.print(&json_line(&PolicyLine::of(&path, &policy)));
    }
    let lines: String = policy.entries().iter().map(line).collect();
    output.print(&lines)
}

/// A policy that can be used, as it is shown to programs. docs/json.md describes it.
#[derive(Serialize)]
struct PolicyLine {
    schema: &'static str,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    allow: Vec<EntryLine>,
}

#[derive(Serialize)]
struct EntryLine {
    line: usize,
    signers: Vec<String>,
    contexts: Option<Vec<String>>,
    content_types: Option<Vec<String>>,
}

impl PolicyLine {
    fn of(path: &Path, policy: &Policy) -> Self {
        let entry = |entry: &PolicyEntry| EntryLine {
            line: entry.line(),
            signers: entry.signers().iter().cloned().collect(),
            contexts: entry
                .contexts()
                .map(|globs| globs.iter().map(|glob| glob.as_str().to_owned()).collect()),
            content_types: entry.content_types().map(|types| types.iter().cloned().collect()),
        };
        let allow = policy.entries().iter().map(entry).collect();
        Self { schema: SCHEMA, file: shown(path), file_hex: exact(path), allow }
    }
}

const SCHEMA: &str = "brine.policy/1";

/// For whom an entry is.
fn line(entry: &PolicyEntry) -> String {
    let list = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(", ");
    let mut line =
        format!("line {}: {}", entry.line(), list(&mut entry.signers().iter().map(String::as_str)));
    if let Some(contexts) = entry.contexts() {
        line += &format!("  only {}", list(&mut contexts.iter().map(|glob| glob.as_str())));
    }
    if let Some(types) = entry.content_types() {
        line += &format!("  of type {}", list(&mut types.iter().map(String::as_str)));
    }
    printable(&line) + "\n"
}
