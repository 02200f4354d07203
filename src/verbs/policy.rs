//! `brine policy`, and where a policy comes from.

mod check;

use std::io;
use std::path::Path;

use brine_job::{Policy, PolicyEntry};

use self::check::PolicyCheck;
use crate::args::run::{CheckPolicy, PolicyVerb};
use crate::report::Failure;
use crate::report::console::printable;
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
    let lines: String = policy.entries().iter().map(line).collect();
    output.print(&lines)
}

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
