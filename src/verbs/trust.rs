//! `brinekey trust`: whom to believe.

use std::path::PathBuf;

use brine_core::{Clock as _, Evidence, Question, Timestamp};
use brine_keys::openssh_line;
use brine_trust::{ContextGlob, Scope, Trust, TrustEntry};
use serde::Serialize;

use super::trust_file::edit;
use crate::args::trust::{TrustAdd, TrustCheck, TrustFile, TrustList, TrustRemove, TrustVerb};
use crate::report::Failure;
use crate::report::console::{json_line, note, printable};
use crate::world::clock::Moment;
use crate::world::home::Home;
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;

pub(super) fn run(verb: TrustVerb) -> Result<(), Failure> {
    match verb {
        TrustVerb::Add(args) => add(args),
        TrustVerb::List(args) => list(&args),
        TrustVerb::Remove(args) => remove(&args),
        TrustVerb::Check(args) => check(&args),
    }
}

fn add(args: TrustAdd) -> Result<(), Failure> {
    if let (Some(start), Some(end)) = (args.not_before, args.not_after)
        && end <= start
    {
        return Err(Failure::usage(format!("--not-after {end} is not after --not-before {start}")));
    }
    let key = named_key::verifying_key(&args.key, &SmallFiles::default())?;
    let mut entry = TrustEntry::new(brine_core::Signer::new(args.name, key))
        .with_not_before(args.not_before)
        .with_not_after(args.not_after);
    if !args.contexts.is_empty() {
        let globs = args.contexts.iter().map(|glob| ContextGlob::parse(glob));
        let globs = globs.collect::<Result<_, _>>().map_err(|e| Failure::usage(e.to_string()))?;
        entry = entry.with_scope(Scope::Globs(globs));
    }
    edit(&path_of(&args.file)?, |store| store.add(&entry))?;
    note(&format!("{} is trusted with key {}", entry.name(), entry.key().id().short()));
    Ok(())
}

fn remove(args: &TrustRemove) -> Result<(), Failure> {
    let mut removed = 0;
    edit(&path_of(&args.file)?, |store| {
        removed = store.remove(&args.signer)?;
        Ok(())
    })?;
    note(&format!("removed {removed} of {}", printable(&args.signer)));
    Ok(())
}

fn list(args: &TrustList) -> Result<(), Failure> {
    let mut guard = OverwriteGuard::default().and(Some(&path_of(&args.file)?));
    let output = Output::stdout(&mut guard)?;
    let trust = read(&args.file)?;
    let line = |entry: &TrustEntry| match args.json {
        true => json_line(&EntryLine::of(entry)),
        false => {
            let id = entry.key().id().short();
            format!("{}  {id}{}\n", printable(entry.name()), limits(entry))
        }
    };
    output.print(&trust.entries().iter().map(line).collect::<String>())
}

/// An entry, as it is shown to programs.
#[derive(Serialize)]
struct EntryLine<'a> {
    schema: &'static str,
    name: &'a str,
    key_id: String,
    public_key: String,
    contexts: Option<Vec<&'a str>>,
    not_before: Option<String>,
    not_after: Option<String>,
    revoked_at: Option<String>,
    revoked_reason: Option<&'a str>,
}

impl<'a> EntryLine<'a> {
    fn of(entry: &'a TrustEntry) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let revocation = entry.revocation();
        Self {
            schema: SCHEMA,
            name: entry.name(),
            key_id: entry.key().id().to_string(),
            public_key: openssh_line(entry.key(), ""),
            contexts: contexts(entry),
            not_before: time(entry.not_before()),
            not_after: time(entry.not_after()),
            revoked_at: time(revocation.map(|revoked| revoked.at)),
            revoked_reason: revocation.and_then(|revoked| revoked.reason.as_deref()),
        }
    }
}

fn check(args: &TrustCheck) -> Result<(), Failure> {
    let guard = OverwriteGuard::default().and(Some(&path_of(&args.file)?));
    let mut guard = guard.and(args.revoked.as_deref()).and_key(&args.key);
    let output = Output::stdout(&mut guard)?;
    let mut trust = read(&args.file)?;
    let named = trust.entries().iter().find(|entry| entry.name() == args.key);
    let key = match named {
        Some(entry) => entry.key().clone(),
        None => named_key::verifying_key(&args.key, &SmallFiles::default())?,
    };
    if let Some(path) = &args.revoked {
        trust.revoke(named_key::read_revoked(path, &SmallFiles::default())?);
    }
    let now = Moment::new(args.now).now()?;
    let context = args.context.as_deref();
    let question = Question { context, signer: None, now };
    let entry = trust.judge_entry(&Evidence::Key(key.id()), &question)?;
    let about = match context {
        Some(context) => format!("for context {context:?}"),
        None => "for signatures without a context".to_owned(),
    };
    let name = printable(entry.name());
    output.print(&format!("believed: {name} {about} at {now}{}\n", limits(entry)))
}

/// Returns what an entry allows, where that is not everything.
fn limits(entry: &TrustEntry) -> String {
    let at = |word: &str, at: Option<Timestamp>| at.map(|at| format!("  {word} {at}"));
    let revoked = entry.revocation().map(|revoked| {
        let why = revoked.reason.as_ref().map(|why| format!(": {}", printable(why)));
        format!("  revoked at {}{}", revoked.at, why.unwrap_or_default())
    });
    let contexts = contexts(entry).map(|list| format!("  only {}", printable(&list.join(", "))));
    [contexts, at("from", entry.not_before()), at("until", entry.not_after()), revoked]
        .into_iter()
        .flatten()
        .collect()
}

fn contexts(entry: &TrustEntry) -> Option<Vec<&str>> {
    match entry.scope() {
        Scope::Globs(globs) => Some(globs.iter().map(ContextGlob::as_str).collect()),
        Scope::Namespaces(list) => Some(vec![list.as_str()]),
        _ => None,
    }
}

fn path_of(file: &TrustFile) -> Result<PathBuf, Failure> {
    file.trust.clone().map_or_else(|| Home::find().map(|home| home.trust_file()), Ok)
}

fn read(file: &TrustFile) -> Result<Trust, Failure> {
    let files = SmallFiles::default();
    match &file.trust {
        Some(path) => named_key::read_trust(path, &files),
        None => named_key::default_trust(&files),
    }
}

const SCHEMA: &str = "brine.signer/1";
