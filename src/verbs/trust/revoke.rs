//! `brinekey trust revoke`.

use std::path::Path;

use brine_core::{Clock as _, Signer, VerifyingKey};
use brine_keys::{openssh_line, ssh_fingerprint};
use brine_trust::{Revocation, TrustEntry, TrustError, TrustStore};

use super::change::{Did, TrustChange};
use crate::args::trust::TrustRevoke;
use crate::report::Failure;
use crate::report::console::{note, printable, typeable};
use crate::verbs::trust_file::edit;
use crate::world::clock::Moment;
use crate::world::home::Home;
use crate::world::local_time::TimePoint;
use crate::world::named_key::{self, trust_file, trust_in};
use crate::world::named_signer::{NamedSigner, path_of};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;
use crate::world::statements;

pub(super) fn run(args: &TrustRevoke) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let mut guard = OverwriteGuard::default().and(Some(&path)).and_key(&args.signer);
    let output = Output::stdout(&mut guard)?;
    let change = revoke(args, &path)?;
    if args.json {
        return change.print(&path, &output);
    }
    tell(&change);
    Ok(())
}

fn revoke(args: &TrustRevoke, path: &Path) -> Result<TrustChange, Failure> {
    let file = (&args.file, path);
    let asked = args.at.as_ref().map(TimePoint::resolve).transpose()?;
    let named = NamedSigner::new("brinekey trust revoke", &args.signer, Some(&args.which), file);
    let files = SmallFiles::new(args.file.permissions);
    edit(path, args.file.permissions, |store| {
        let refused = |error| trust_file(path, error);
        // What is beside the file is told, and keeps nobody from revoking a key.
        let kept = statements::read_kept(path, &files).unwrap_or_default();
        let trust = |store: &TrustStore| {
            trust_in(store, path, &kept, &files).or_else(|_| store.trust().map_err(refused))
        };
        let (before, now) = (trust(store)?, Moment::System.now()?);
        let at = asked.map_or(now, |asked| asked.from(now));
        let revocation = Revocation { at, reason: args.reason.clone() };
        let (mut did, mut entries) = (Did::Nothing, Vec::new());
        for signer in named.signers(&before, now)? {
            match store.revoke(&signer, &revocation) {
                Err(TrustError::AlreadyRevoked { .. }) => {
                    entries.extend(before.entries_of(signer.key().id()).cloned());
                }
                revoked => {
                    entries.extend(revoked.map_err(refused)?);
                    did = Did::Revoked;
                }
            }
        }
        // A time that was asked for, and is not what the file says, is not passed over.
        if asked.is_some()
            && let Some((name, at)) = earlier(&entries, &revocation)
        {
            return Err(refused(TrustError::AlreadyRevoked { name, at }));
        }
        let after = trust(store)?;
        Ok(TrustChange { did, entries, before, after, now })
    })
}

/// Returns an entry that revokes its key before the moment that was asked for.
fn earlier(
    entries: &[TrustEntry],
    revocation: &Revocation,
) -> Option<(String, brine_core::Timestamp)> {
    entries.iter().find_map(|entry| {
        let at = entry.revocation()?.at;
        (at < revocation.at).then(|| (entry.name().to_owned(), at))
    })
}

/// Tells a person what is refused now, and what there is still to do.
fn tell(change: &TrustChange) {
    for signer in one_of_each_key(&change.entries) {
        let key = signer.key();
        let of_key: Vec<_> = change.entries.iter().filter(|entry| entry.key() == key).collect();
        let names: Vec<_> = of_key.iter().map(|entry| format!("{:?}", entry.name())).collect();
        let names = names.join(" and ");
        if change.did == Did::Nothing {
            note(&format!("nothing was changed: {names} was revoked before"));
        }
        if change.before.entries_of(key.id()).next().is_none() {
            note(&format!("no signer had this key; {names} was added to them, to refuse it"));
        }
        note(&format!("key {} of {names} {}", ssh_fingerprint(key), refusal(&of_key, change)));
        note(&format!("others revoke it with: {}", line_for_others(key, &of_key, change)));
        tell_of_private_halves(key);
    }
    for other in change.namesakes() {
        let key = ssh_fingerprint(other.key());
        note(&format!("another key, {key}, is still {}", change.standing(other)));
    }
}

/// Says from when on a key is refused, and why.
fn refusal(entries: &[&TrustEntry], change: &TrustChange) -> String {
    let Some(first) = first_revocation(entries) else {
        return "is not refused".to_owned();
    };
    let why = first.reason.as_deref().map(|why| format!(": {}", printable(why)));
    let why = why.unwrap_or_default();
    match first.at <= change.now {
        true => format!("is refused, as of {}{why}", first.at),
        false => format!("is refused from {} on, and believed until then{why}", first.at),
    }
}

/// Returns what others type to refuse the key from the same time on, for the same reason.
fn line_for_others(key: &VerifyingKey, entries: &[&TrustEntry], change: &TrustChange) -> String {
    let mut line = format!("brinekey trust revoke \"{}\"", openssh_line(key, ""));
    if let Some(first) = first_revocation(entries) {
        if let Some(why) = &first.reason {
            line += &format!(" --reason {}", typeable(why));
        }
        if first.at != change.now {
            line += &format!(" --at {}", first.at);
        }
    }
    line
}

fn first_revocation<'a>(entries: &[&'a TrustEntry]) -> Option<&'a Revocation> {
    let revocations = entries.iter().filter_map(|entry| entry.revocation());
    revocations.min_by_key(|revocation| revocation.at)
}

/// Names the keys of the store that sign with a revoked key.
fn tell_of_private_halves(key: &VerifyingKey) {
    let Ok(home) = Home::find() else { return };
    // This is said, and decides nothing.
    let files = SmallFiles::new(PermissionRule::Waived);
    let mut names = named_key::names_in_store(&home).unwrap_or_default();
    names.retain(|name| {
        let public = named_key::read_public(&home.public_key(name), &files);
        public.is_ok_and(|public| public == *key)
    });
    let names: Vec<_> = names.iter().map(|name| format!("{:?}", name.as_str())).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    if !names.is_empty() {
        let names = names.join(" and ");
        note(&format!(
            "{names} in your key store {are} this key; \"brinekey gen NAME\" makes another"
        ));
    }
}

fn one_of_each_key(entries: &[TrustEntry]) -> Vec<&Signer> {
    let mut signers: Vec<&Signer> = Vec::new();
    for signer in entries.iter().map(TrustEntry::signer) {
        if !signers.iter().any(|known| known.key() == signer.key()) {
            signers.push(signer);
        }
    }
    signers
}
