//! `brinekey trust remove`.

use std::path::Path;

use brine_core::{Clock as _, Signer, Timestamp, VerifyingKey};
use brine_keys::ssh_fingerprint;
use brine_trust::{EntryState, KeptStatements, Revocations, RevokedKey, Said, Trust, TrustEntry};

use super::change::{Did, TrustChange};
use crate::args::trust::TrustRemove;
use crate::report::console::note;
use crate::report::{Failure, SignerFailure};
use crate::verbs::trust_file::edit;
use crate::world::clock::Moment;
use crate::world::named_key::{trust_file, trust_in};
use crate::world::named_signer::{NamedSigner, path_of, trust_option};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;
use crate::world::statements;

pub(super) fn run(args: &TrustRemove) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and(Some(&path)))?;
    let change = remove(args, &path)?;
    if args.json {
        return change.print(&path, &output);
    }
    for entry in &change.entries {
        note(&format!("removed {:?} with the key {}", entry.name(), ssh_fingerprint(entry.key())));
    }
    for other in change.others() {
        note(&format!("the same key is still {}", change.standing(other)));
    }
    if let Some(key) = change.others().into_iter().find(|other| change.can_speak(other)) {
        let (key, file) = (ssh_fingerprint(key.key()), trust_option(&args.file));
        note(&format!("\"brinekey trust revoke {key}{file}\" refuses it under every name"));
    }
    for other in change.namesakes() {
        let key = ssh_fingerprint(other.key());
        note(&format!("another key, {key}, is still {}", change.standing(other)));
    }
    Ok(())
}

fn remove(args: &TrustRemove, path: &Path) -> Result<TrustChange, Failure> {
    let file = (&args.file, path);
    let named = NamedSigner::new("brinekey trust remove", &args.signer, Some(&args.which), file);
    let revocations = if args.force { Revocations::Drop } else { Revocations::Keep };
    let files = SmallFiles::new(args.file.permissions);
    edit(path, args.file.permissions, |store| {
        let refused = |error| trust_file(path, error);
        let (mut kept, now) = (statements::read_kept(path, &files)?, Moment::System.now()?);
        let before = trust_in(store, path, &kept, &files)?;
        let (meant, authorities) = named.entries(&before, now)?;
        let signers: Vec<&Signer> = meant.iter().map(TrustEntry::signer).collect();
        let removed = store.remove(|entry| signers.contains(&entry.signer()), revocations);
        let mut entries = removed.map_err(refused)?;
        let removed = store.remove_authorities(|one| authorities.contains(one), revocations);
        entries.extend(removed.map_err(refused)?.into_iter().map(|one| one.entry().clone()));
        let after = trust_in(store, path, &kept, &files)?;
        if !args.force {
            refuse_to_believe_again(&before, &after, (&kept, now), args)?;
        }
        for key in entries.iter().map(TrustEntry::key) {
            forget(&mut kept, key, &after);
        }
        statements::write_kept(path, &kept)?;
        Ok(TrustChange { did: Did::Removed, entries, before, after, now })
    })
}

/// Refuses to take out whoever revokes a key that would be believed again: by an entry, or by the certificate of somebody else.
fn refuse_to_believe_again(
    before: &Trust,
    after: &Trust,
    (kept, now): (&KeptStatements, Timestamp),
    args: &TrustRemove,
) -> Result<(), Failure> {
    let is_believed = |entry: &TrustEntry| {
        matches!(after.state(entry, now), EntryState::Trusted | EntryState::NotYet)
    };
    let is_revived = |entry: &&TrustEntry| {
        before.revocation_of(entry.key(), now).is_some() && is_believed(entry)
    };
    let mut revived = after.entries().iter().find(is_revived).map(|entry| entry.key().clone());
    if after.authorities().iter().any(|one| is_believed(one.entry()))
        || after.entries().iter().any(|entry| entry.may_issue() && is_believed(entry))
    {
        let lists = kept.iter().filter_map(|kept| match kept.said() {
            Said::Revocation(list) => Some(list.keys()),
            Said::Rotation(_) => None,
        });
        let is_lost = |key: &&RevokedKey| before.is_listed(key.id()) && !after.is_listed(key.id());
        let lost = lists.flatten().filter(is_lost).filter_map(RevokedKey::key);
        let mut lost = lost.filter(|key| after.revocation_of(key, now).is_none());
        revived = revived.or_else(|| lost.next());
    }
    revived.map_or(Ok(()), |key| {
        let (key, option) = (ssh_fingerprint(&key), trust_option(&args.file));
        Err(SignerFailure::BelievedAgain { key, option }.into())
    })
}

/// Forgets what was kept of a key that is not in the file any more.
fn forget(kept: &mut KeptStatements, key: &VerifyingKey, after: &Trust) {
    let mut authorities = after.authorities().iter();
    if after.entries_of(key.id()).next().is_none() && !authorities.any(|one| one.key() == key) {
        // Whoever takes out a wrong successor can be followed to the right one.
        kept.forget_rotations_to(key);
        kept.forget_lists_of(key.id());
    }
}
