//! `brinekey trust update`.

mod incoming;
mod rotations;
mod told;

use std::path::Path;

use brine_core::{Clock as _, Timestamp};
use brine_trust::{KeptStatements, Successors, Trust, TrustStore};

use self::incoming::{Done, Incoming, find, find_still_believed, take_lists, undo};
use self::rotations::Agreed;
use crate::args::trust::TrustUpdate;
use crate::report::Failure;
use crate::report::console::{json_line, remark};
use crate::verbs::trust_file::edit;
use crate::world::clock::Moment;
use crate::world::named_key::{trust_file, trust_in};
use crate::world::named_signer::{path_of, trust_option};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;
use crate::world::statements;

pub(super) fn run(args: &TrustUpdate) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and(Some(&path)))?;
    let mut incoming = find(&args.inputs)?;
    let file = KeptBeside { path: &path, rule: args.file.permissions.into() };
    // What is revoked does not wait until somebody has answered.
    let done = take(&file, &mut incoming).and_then(|()| follow(args, &file, &mut incoming));
    let told = tell(args, &output, incoming);
    done.and(told)
}

/// Takes the newest list of each signer.
fn take(file: &KeptBeside<'_>, incoming: &mut [Incoming]) -> Result<(), Failure> {
    if !incoming.iter().any(|one| one.list().is_some()) {
        return Ok(());
    }
    file.edit(|store, kept, files, now| {
        let trust = trust_in(store, file.path, kept, files)?;
        take_lists(incoming, kept, &trust, now);
        find_still_believed(incoming, &trust_in(store, file.path, kept, files)?, now);
        Ok(())
    })
    .inspect_err(|_| undo(incoming))
}

/// Follows the rotations to which a person agrees.
fn follow(
    args: &TrustUpdate,
    file: &KeptBeside<'_>,
    incoming: &mut [Incoming],
) -> Result<(), Failure> {
    if !incoming.iter().any(|one| one.rotation().is_some()) {
        return Ok(());
    }
    let files = SmallFiles::new(file.rule);
    let (trust, kept) =
        (super::read_from(&args.file, &files)?, statements::read_kept(file.path, &files)?);
    // A person thinks for a while, and nobody else has to wait for the trust file as long.
    let agreed = Agreed::ask(args, incoming, &trust, &kept)?;
    file.edit(|store, kept, files, now| {
        for one in incoming.iter_mut().filter(|one| one.is_open()) {
            let Some(rotation) = one.rotation().cloned() else { continue };
            let trust = trust_in(store, file.path, kept, files)?;
            one.judge(&trust, now);
            let successors = trust.successors(&rotation, now);
            agreed.judge(one, &rotation, &successors);
            if one.is_open() {
                let both = (&mut *store, &mut *kept);
                let followed = follow_one(file.path, both, one, &successors, &trust, now);
                one.end(followed);
            }
        }
        Ok(())
    })
    .inspect_err(|_| undo(incoming))
}

/// Follows a rotation, all of it or nothing.
fn follow_one(
    path: &Path,
    (store, kept): (&mut TrustStore, &mut KeptStatements),
    one: &Incoming,
    successors: &Successors,
    trust: &Trust,
    now: Timestamp,
) -> Result<Done, Failure> {
    let (mut new_store, mut new_kept) = (store.clone(), kept.clone());
    one.keep(&mut new_kept, trust, now)?;
    new_store.add_successors(successors).map_err(|error| trust_file(path, error))?;
    (*store, *kept) = (new_store, new_kept);
    if successors.are_in(trust) {
        return Ok(Done::Known);
    }
    let entries = successors.entries.iter().map(|entry| entry.name().to_owned());
    let authorities = successors.authorities.iter().map(|one| one.name().to_owned());
    let mut names: Vec<_> = entries.chain(authorities).collect();
    names.dedup();
    Ok(Done::Followed(names))
}

/// A trust file, with the statements beside it.
struct KeptBeside<'a> {
    path: &'a Path,
    rule: PermissionRule,
}

impl KeptBeside<'_> {
    /// Changes both, while nobody else does.
    fn edit(
        &self,
        change: impl FnOnce(
            &mut TrustStore,
            &mut KeptStatements,
            &SmallFiles,
            Timestamp,
        ) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let files = SmallFiles::new(self.rule);
        edit(self.path, self.rule, |store| {
            let mut kept = statements::read_kept(self.path, &files)?;
            let before = kept.to_bytes();
            change(store, &mut kept, &files, Moment::System.now()?)?;
            if kept.to_bytes() == before {
                return Ok(());
            }
            // Nothing is written by which nobody could be believed any more.
            trust_in(store, self.path, &kept, &files)?;
            // Before the trust file: a rotation that is remembered and not yet followed can be followed again.
            statements::write_kept(self.path, &kept)
        })
    }
}

/// Says what became of each. The first that was refused is what the command ends with.
fn tell(args: &TrustUpdate, output: &Output, incoming: Vec<Incoming>) -> Result<(), Failure> {
    let mut refused = None;
    for one in incoming {
        if args.json {
            output.print(&json_line(&one.line()))?;
        } else {
            one.tell(&trust_option(&args.file));
        }
        match one.into_failure() {
            Some(failure) if refused.is_none() => refused = Some(failure),
            Some(failure) if !args.json => remark(&format!("refused: {failure}")),
            _ => {}
        }
    }
    refused.map_or(Ok(()), Err)
}
