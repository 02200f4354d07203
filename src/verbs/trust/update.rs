//! `brinekey trust update`.

mod incoming;
mod rotations;

use std::io::Write as _;
use std::path::Path;

use brine_core::{Clock as _, Timestamp};
use brine_trust::{
    KeptStatements, RevocationStatement, Said, Taken, Trust, TrustError, TrustStore,
    VerifiedStatement,
};

use self::incoming::{Incoming, find};
use self::rotations::Agreed;
use crate::args::trust::TrustUpdate;
use crate::report::Failure;
use crate::report::console::{json_line, note, printable, remark};
use crate::report::statement_facts::{StatementLine, revoked_phrase, until};
use crate::verbs::trust_file::edit;
use crate::world::clock::Moment;
use crate::world::named_key::{trust_file, trust_in};
use crate::world::named_signer::path_of;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;
use crate::world::statements;
use crate::world::whole_file::{Access, Existing, write_whole};

pub(super) fn run(args: &TrustUpdate) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and(Some(&path)))?;
    let mut incoming = find(&args.inputs)?;
    let files = SmallFiles::new(args.file.permissions);
    // A person thinks for a while: nobody else has to wait for the trust file as long.
    let agreed = Agreed::ask(args, &mut incoming, &super::read_from(&args.file, &files)?)?;
    let now = Moment::System.now()?;
    edit(&path, args.file.permissions, |store| {
        let mut update = Update { path: &path, files: &files, store, now };
        let mut kept = statements::kept(&path, &files)?;
        let before = kept.to_bytes();
        update.take_lists(&mut incoming, &mut kept)?;
        update.follow(&mut incoming, &mut kept, &agreed)?;
        let after = kept.to_bytes();
        // Before the trust file: a rotation that is remembered and not followed can be followed again.
        if after != before {
            let place = statements::place(&path);
            write_whole(&place, Access::Deciding, Existing::Replace, |file| {
                file.write_all(&after)?;
                file.sync_all()
            })?;
        }
        Ok(())
    })?;
    let mut refused = None;
    for one in incoming {
        if args.json {
            output.print(&json_line(&one.line()))?;
        }
        match one.result {
            Ok(done) if !args.json => done.tell(),
            Ok(_) => {}
            // The first is what the command ends with.
            Err(failure) if refused.is_none() => refused = Some(failure),
            Err(failure) if !args.json => remark(&format!("refused: {failure}")),
            Err(_) => {}
        }
    }
    refused.map_or(Ok(()), Err)
}

/// What became of a statement that was not refused.
#[derive(Debug)]
pub(super) enum Done {
    /// It was read, and not yet taken.
    Read,
    /// A newer one of the same signer came with it.
    Superseded,
    Known(VerifiedStatement),
    List(VerifiedStatement, Taken),
    Followed(VerifiedStatement),
}

/// A change of what is kept and of the trust file.
struct Update<'a> {
    path: &'a Path,
    files: &'a SmallFiles,
    store: &'a mut TrustStore,
    now: Timestamp,
}

impl Update<'_> {
    /// Returns who is trusted with all that was taken so far.
    fn trust(&self, kept: &KeptStatements) -> Result<Trust, Failure> {
        trust_in(self.store, self.path, kept, self.files)
    }

    /// Takes the newest list of each signer.
    fn take_lists(
        &mut self,
        incoming: &mut [Incoming],
        kept: &mut KeptStatements,
    ) -> Result<(), Failure> {
        let trust = self.trust(kept)?;
        incoming.iter_mut().filter(|one| one.list().is_some()).for_each(|one| {
            one.judge(&trust, self.now);
        });
        incoming::supersede(incoming);
        for one in incoming.iter_mut().filter(|one| one.list().is_some()) {
            one.take(kept);
        }
        Ok(())
    }

    /// Follows the rotations that were agreed to, by who is trusted now.
    fn follow(
        &mut self,
        incoming: &mut [Incoming],
        kept: &mut KeptStatements,
        agreed: &Agreed,
    ) -> Result<(), Failure> {
        for one in incoming.iter_mut() {
            let Some(rotation) = one.rotation().cloned() else { continue };
            let trust = self.trust(kept)?;
            one.judge(&trust, self.now);
            if one.result.is_err() {
                continue;
            }
            let successors = trust.successors(&rotation, self.now);
            let is_there = successors.are_in(&trust);
            if !(kept.has_followed(&rotation) && is_there) {
                agreed.judge(one, &rotation);
            }
            one.take(kept);
            if one.result.is_err() {
                continue;
            }
            let wrong = |error| trust_file(self.path, error);
            for entry in &successors.entries {
                unless_there(self.store.add(entry)).map_err(wrong)?;
            }
            for authority in &successors.authorities {
                unless_there(self.store.add_authority(authority)).map_err(wrong)?;
            }
            one.followed(is_there);
        }
        Ok(())
    }
}

fn unless_there(added: Result<(), TrustError>) -> Result<(), TrustError> {
    match added {
        Err(TrustError::AlreadyThere { .. }) => Ok(()),
        added => added,
    }
}

impl Done {
    /// Returns what it is called for programs.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Read | Self::Known(_) | Self::List(_, Taken::Known) => "known",
            Self::Superseded => "superseded",
            Self::List(..) => "taken",
            Self::Followed(_) => "followed",
        }
    }

    pub(super) const fn statement(&self) -> Option<&VerifiedStatement> {
        match self {
            Self::Read | Self::Superseded => None,
            Self::Known(found) | Self::List(found, _) | Self::Followed(found) => Some(found),
        }
    }

    /// Says what is refused or believed now.
    fn tell(&self) {
        let Some(verified) = self.statement() else { return };
        let (statement, signer) = (verified.statement(), printable(verified.signer()));
        match (self, statement.said()) {
            (Self::List(_, Taken::Known) | Self::Known(_), Said::Revocation(list)) => {
                note(&format!("list {} of {signer} is known already", list.number()));
            }
            (Self::List(_, taken), Said::Revocation(list)) => {
                let count = list.keys().len();
                let keys = if count == 1 { "key" } else { "keys" };
                let end = until(statement.expires());
                note(&format!(
                    "list {} of {signer} is in force{end}: {count} {keys}",
                    list.number()
                ));
                new_keys(list, taken).for_each(|phrase| note(&format!("  refused now: {phrase}")));
                if matches!(taken, Taken::First) {
                    note(
                        "it is the first that this machine has seen, which cannot know whether there is a newer one",
                    );
                }
            }
            (Self::Followed(_), Said::Rotation(rotation)) => {
                let (old, new) = (&rotation.from, &rotation.to);
                let (old, new) =
                    (brine_keys::ssh_fingerprint(old), brine_keys::ssh_fingerprint(new));
                note(&format!("{new} is trusted now as {signer}, beside {old}"));
                note(&format!(
                    "when nothing signed by the old key is on its way any more: brinekey trust remove {signer} --key {old}"
                ));
            }
            (_, Said::Rotation(_)) => note(&format!("{signer} was followed to that key already")),
            (_, Said::Revocation(_)) => {}
        }
    }
}

/// Returns the keys that were not on the list before, as they are told: no more than a person reads.
fn new_keys(list: &RevocationStatement, taken: &Taken) -> impl Iterator<Item = String> {
    let before: std::collections::HashSet<_> = match taken {
        Taken::Replaced(before) => before.keys().iter().map(brine_trust::RevokedKey::id).collect(),
        Taken::First | Taken::Known => std::collections::HashSet::new(),
    };
    let new = list.keys().iter().filter(move |key| !before.contains(&key.id()));
    new.take(MOST_TOLD).map(|key| printable(&revoked_phrase(key)))
}

/// How many revoked keys are told one by one.
const MOST_TOLD: usize = 20;

impl Incoming {
    /// Describes it for programs.
    fn line(&self) -> StatementLine {
        let file = Some(self.path.as_path());
        match &self.result {
            Ok(done) => {
                let verified = done.statement();
                let signer = verified.map(VerifiedStatement::signer);
                StatementLine::new(done.outcome(), self.statement.as_ref(), signer, file)
            }
            Err(failure) => StatementLine::new("refused", self.statement.as_ref(), None, file)
                .because(failure.reason(), failure.to_string()),
        }
    }
}
