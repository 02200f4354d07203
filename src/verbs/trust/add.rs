//! `brinekey trust add`.

use brine_core::{Clock as _, Signer};
use brine_trust::{ContextGlob, Scope, TrustEntry};

use super::change::{Did, TrustChange};
use super::limits;
use crate::args::trust::TrustAdd;
use crate::report::console::{note, printable};
use crate::report::{Failure, SignerFailure};
use crate::verbs::fingerprint_lines;
use crate::verbs::trust_file::edit;
use crate::world::clock::Moment;
use crate::world::named_key::{self, trust_file};
use crate::world::named_signer::path_of;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: TrustAdd) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let mut guard = OverwriteGuard::default().and(Some(&path)).and_key(&args.key);
    let output = Output::stdout(&mut guard)?;
    let (json, is_expected) = (args.json, args.expect.is_some());
    let entry = entry(args)?;
    let change = edit(&path, |store| {
        let before = store.trust().map_err(|error| trust_file(&path, error))?;
        store.add(&entry).map_err(|error| trust_file(&path, error))?;
        let after = store.trust().map_err(|error| trust_file(&path, error))?;
        let (did, entries, now) = (Did::Added, vec![entry], Moment::System.now()?);
        Ok(TrustChange { did, entries, before, after, now })
    })?;
    if json {
        return change.print(&path, &output);
    }
    tell(&change, is_expected);
    Ok(())
}

/// Returns the entry that was described, if it is about the key that was expected.
fn entry(args: TrustAdd) -> Result<TrustEntry, Failure> {
    if let (Some(start), Some(end)) = (args.not_before, args.not_after)
        && end <= start
    {
        return Err(Failure::usage(format!("--not-after {end} is not after --not-before {start}")));
    }
    let key = named_key::verifying_key(&args.key, &SmallFiles::default())?;
    if let Some(expected) = args.expect.filter(|expected| !expected.is_of(&key)) {
        return Err(
            SignerFailure::OtherFingerprint { expected, found: expected.same_form(&key) }.into()
        );
    }
    let mut entry = TrustEntry::new(Signer::new(args.name, key))
        .with_not_before(args.not_before)
        .with_not_after(args.not_after);
    if !args.contexts.is_empty() {
        let globs = args.contexts.iter().map(|glob| ContextGlob::parse(glob));
        let globs = globs.collect::<Result<_, _>>().map_err(|e| Failure::usage(e.to_string()))?;
        entry = entry.with_scope(Scope::Globs(globs));
    }
    Ok(entry)
}

/// Tells a person whose key is trusted now, and how to be sure that it is the right one.
fn tell(change: &TrustChange, is_expected: bool) {
    for entry in &change.entries {
        let limits = limits(entry, change.now);
        let limits = if limits.is_empty() { limits } else { format!("  {limits}") };
        note(&format!("{} is trusted now{limits}", printable(entry.name())));
        fingerprint_lines::tell(entry.key());
        if !is_expected {
            note("compare it, all of it, with what \"brinekey show\" tells its owner");
        }
    }
    for other in change.others() {
        note(&format!("the same key is {}", change.standing(other)));
    }
    for other in change.namesakes() {
        note(&format!("another key is {}", change.standing(other)));
    }
}
