//! `brinekey trust add`.

use std::path::Path;

use brine_core::{Clock as _, Signer, Timestamp};
use brine_keys::{Fingerprint, ssh_fingerprint};
use brine_trust::{Authority, ContextGlob, PatternList, Scope, Trust, TrustEntry};

use super::authority_line::AuthorityLine;
use super::change::{Did, TrustChange};
use super::limits;
use crate::args::trust::TrustAdd;
use crate::args::when::When;
use crate::report::console::{json_line, note, printable, remark, typeable};
use crate::report::{Failure, SignerFailure};
use crate::verbs::fingerprint_lines;
use crate::verbs::trust_file::edit;
use crate::world::clock::Moment;
use crate::world::local_time::TimePoint;
use crate::world::named_key::{self, Named, trust_file, trust_in};
use crate::world::named_signer::path_of;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;
use crate::world::statements;

pub(super) fn run(args: TrustAdd) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let mut guard = OverwriteGuard::default().and(Some(&path)).and_key(&args.key);
    let output = Output::stdout(&mut guard)?;
    let rule = args.file.permissions;
    let (json, is_expected) = (args.json, args.expect.is_some());
    let (patterns, needs_revocations) = (args.authority.clone(), args.needs_revocations);
    let entry = entry(args)?;
    if !patterns.is_empty() {
        let authority = authority(entry, &patterns, needs_revocations)?;
        return add_authority(&path, rule, &authority, (json, &output));
    }
    let files = SmallFiles::new(rule);
    let mut is_listed = false;
    let change = edit(&path, rule, |store| {
        let kept = statements::read_kept(&path, &files)?;
        let before = trust_in(store, &path, &kept, &files)?;
        store.add(&entry).map_err(|error| trust_file(&path, error))?;
        let after = trust_in(store, &path, &kept, &files)?;
        let (did, entries, now) = (Did::Added, vec![entry], Moment::System.now()?);
        refuse_revoked(&after, &entries, now)?;
        is_listed = entries.iter().any(|entry| after.is_listed(entry.key().id()));
        Ok(TrustChange { did, entries, before, after, now })
    })?;
    if is_listed {
        remark(
            "warning: somebody has revoked this key under a name for which they may not vouch here",
        );
    }
    if json {
        return change.print(&path, &output);
    }
    tell(&change, is_expected);
    Ok(())
}

/// Refuses to add a key that something beside the trust file revokes: it would be trusted for nothing.
fn refuse_revoked(trust: &Trust, entries: &[TrustEntry], now: Timestamp) -> Result<(), Failure> {
    let revoked = entries.iter().find_map(|entry| trust.revocation_of(entry.key(), now));
    revoked.map_or(Ok(()), |why| Err(why.into()))
}

/// Returns the entry that was described, if it is about the key that was expected.
fn entry(args: TrustAdd) -> Result<TrustEntry, Failure> {
    if Fingerprint::parse(&args.name).is_ok() {
        let usage = "a fingerprint is no name: whoever typed it would mean the key that it is of; \
                     \"--expect FINGERPRINT\" compares it";
        return Err(Failure::usage(usage));
    }
    let (not_before, not_after) = window(&args)?;
    let key = named_key::verifying_key(&args.key, &SmallFiles::new(args.file.permissions));
    let key = key.map_err(|failure| swapped(&args).unwrap_or(failure))?;
    if let Some(expected) = args.expect.filter(|expected| !expected.is_of(&key)) {
        return Err(
            SignerFailure::OtherFingerprint { expected, found: expected.same_form(&key) }.into()
        );
    }
    let mut entry = TrustEntry::new(Signer::new(args.name, key))
        .with_delegation(args.may_issue)
        .with_not_before(not_before)
        .with_not_after(not_after);
    if !args.contexts.is_empty() {
        let globs = args.contexts.iter().map(|glob| ContextGlob::parse(glob));
        let globs = globs.collect::<Result<_, _>>().map_err(|e| Failure::usage(e.to_string()))?;
        entry = entry.with_scope(Scope::Globs(globs));
    }
    Ok(entry)
}

/// Returns the authority that was described.
fn authority(
    entry: TrustEntry,
    patterns: &[String],
    needs_revocations: bool,
) -> Result<Authority, Failure> {
    if let Some(wrong) = patterns.iter().find(|text| text.is_empty() || text.contains(',')) {
        return Err(Failure::usage(format!("--authority {wrong:?} is not one pattern")));
    }
    let authority = Authority::new(entry, PatternList::new(patterns.join(",")));
    Ok(authority.with_needed_revocations(needs_revocations))
}

fn add_authority(
    path: &Path,
    rule: impl Into<PermissionRule>,
    authority: &Authority,
    (json, output): (bool, &Output),
) -> Result<(), Failure> {
    let now = Moment::System.now()?;
    let (rule, entry) = (rule.into(), [authority.entry().clone()]);
    let files = SmallFiles::new(rule);
    let trust = edit(path, rule, |store| {
        store.add_authority(authority).map_err(|error| trust_file(path, error))?;
        let trust = trust_in(store, path, &statements::read_kept(path, &files)?, &files)?;
        refuse_revoked(&trust, &entry, now)?;
        Ok(trust)
    })?;
    if json {
        return output.print(&json_line(&AuthorityLine::of(authority, &trust, now)));
    }
    let limits = limits(authority.entry(), now);
    let limits = if limits.is_empty() { limits } else { format!("  {limits}") };
    let names = printable(authority.principals().as_str());
    note(&format!("{} is trusted now to certify {names}{limits}", printable(authority.name())));
    fingerprint_lines::tell(authority.key());
    Ok(())
}

/// Says so if the key was typed before the name.
fn swapped(args: &TrustAdd) -> Option<Failure> {
    let is_file = matches!(Named::parse(&args.name), Ok(Named::File(_)));
    let is_name = matches!(Named::parse(&args.key), Ok(Named::Name(_)));
    let (name, key) = (typeable(&args.key), typeable(&args.name));
    (is_file && is_name).then(|| {
        Failure::usage(format!("the name comes before the key: brinekey trust add {name} {key}"))
    })
}

/// Finds out which times were meant, and refuses a window that no moment is in.
fn window(args: &TrustAdd) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
    let now = Moment::System.now()?;
    let moment = |when: &Option<When>| {
        let point = when.as_ref().map(TimePoint::resolve).transpose()?;
        Ok::<_, Failure>(point.map(|point| point.from(now)))
    };
    match (moment(&args.not_before)?, moment(&args.not_after)?) {
        (Some(start), Some(end)) if end <= start => {
            Err(Failure::usage(format!("--not-after {end} is not after --not-before {start}")))
        }
        window => Ok(window),
    }
}

/// Tells a person whose key is trusted now, and how to be sure that it is the right one.
fn tell(change: &TrustChange, is_expected: bool) {
    // Whoever expects the one key should not read of the other last.
    for other in change.namesakes() {
        let key = ssh_fingerprint(other.key());
        remark(&format!("warning: another key, {key}, is {}", change.standing(other)));
    }
    for entry in &change.entries {
        let limits = limits(entry, change.now);
        let limits = if limits.is_empty() { limits } else { format!("  {limits}") };
        let end = entry.not_after().filter(|end| *end <= change.now);
        let is_trusted = if end.is_some() { "was added" } else { "is trusted now" };
        note(&format!("{} {is_trusted}{limits}", printable(entry.name())));
        // Somebody may have meant another year.
        if let Some(end) = end {
            remark(&format!(
                "warning: --not-after {end} has passed, so this entry has no effect now"
            ));
        }
        fingerprint_lines::tell(entry.key());
        if !is_expected {
            note("compare it, all of it, with what \"brinekey show\" tells its owner");
        }
    }
    for other in change.others() {
        note(&format!("the same key is {}", change.standing(other)));
    }
}
