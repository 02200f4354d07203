//! The statements that are to be taken.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use brine_core::Timestamp;
use brine_core::text::quoted;
use brine_trust::{
    Authority, EntryState, KeptStatements, MAX_TRUST_FILE_BYTES, RevocationStatement, RevokedKey,
    RotationStatement, Said, StatementError, Taken, Trust, UnverifiedStatement, VerifiedStatement,
};

use crate::report::Failure;
use crate::world::input::InputFile;

/// A statement that is to be taken.
pub(super) struct Incoming {
    pub(super) path: PathBuf,
    /// As it was read; `None` if it could not be.
    pub(super) statement: Option<UnverifiedStatement>,
    /// Once it is judged.
    pub(super) verified: Option<VerifiedStatement>,
    /// Whoever signed what is not judged again.
    known_signer: Option<String>,
    /// What became of it; `None` until then.
    pub(super) result: Result<Option<Done>, Failure>,
    /// The names of keys on it that are believed nevertheless: its signer may not vouch for them.
    pub(super) still_believed: Vec<String>,
}

/// What became of a statement that was not refused.
#[derive(Debug)]
pub(super) enum Done {
    Followed(Vec<String>),
    /// It was taken before.
    Known,
    /// A newer one of the same signer came with it.
    Superseded,
    Taken(Taken),
}

impl Incoming {
    fn read(path: PathBuf) -> Self {
        let most = u64::try_from(MAX_TRUST_FILE_BYTES).unwrap_or(u64::MAX);
        let bytes = InputFile::open(Some(&path)).and_then(|file| file.read(most));
        let read = bytes.and_then(|bytes| {
            UnverifiedStatement::parse(bytes).map_err(|source| failure(&path, source))
        });
        let (statement, result) = match read {
            Ok(statement) => (Some(statement), Ok(None)),
            Err(failure) => (None, Err(failure)),
        };
        let (verified, known_signer, still_believed) = (None, None, Vec::new());
        Self { path, statement, verified, known_signer, result, still_believed }
    }

    pub(super) fn list(&self) -> Option<&RevocationStatement> {
        match self.statement.as_ref()?.said() {
            Said::Revocation(list) => Some(list),
            Said::Rotation(_) => None,
        }
    }

    pub(super) fn rotation(&self) -> Option<&RotationStatement> {
        match self.statement.as_ref()?.said() {
            Said::Rotation(rotation) => Some(rotation),
            Said::Revocation(_) => None,
        }
    }

    /// Returns the name of whoever signed it, once it is judged or was known.
    pub(super) fn signer(&self) -> Option<&str> {
        let verified = self.verified.as_ref().map(VerifiedStatement::signer);
        verified.or(self.known_signer.as_deref())
    }

    /// Returns whether nothing has become of it yet.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.result, Ok(None))
    }

    /// Judges whether its signer may say that.
    pub(super) fn judge(&mut self, trust: &Trust, now: Timestamp) {
        let (Some(statement), true) = (&self.statement, self.is_open()) else { return };
        match trust.judge_statement(statement.clone(), now) {
            Ok(verified) => self.verified = Some(verified),
            Err(source) => self.refuse(source),
        }
    }

    /// Passes over what was taken before. It held then.
    pub(super) fn end_known(&mut self, trust: &Trust) {
        self.known_signer = self.statement.as_ref().map(|statement| trust.signer_name(statement));
        self.end(Ok(Done::Known));
    }

    pub(super) fn refuse(&mut self, source: StatementError) {
        self.end(Err(failure(&self.path, source)));
    }

    pub(super) fn end(&mut self, result: Result<Done, Failure>) {
        self.result = result.map(Some);
    }

    /// Keeps it among others, if it was judged to hold.
    pub(super) fn keep(
        &self,
        kept: &mut KeptStatements,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<Taken, Failure> {
        match &self.verified {
            Some(verified) => {
                let taken = kept.take(verified.clone(), trust, now);
                taken.map_err(|source| failure(&self.path, source))
            }
            None => Ok(Taken::Known),
        }
    }

    pub(super) fn into_failure(self) -> Option<Failure> {
        self.result.err()
    }
}

/// Takes the lists that hold, one after the other as their signers made them.
pub(super) fn take_lists(
    incoming: &mut [Incoming],
    kept: &mut KeptStatements,
    trust: &Trust,
    now: Timestamp,
) {
    for one in incoming.iter_mut().filter(|one| one.list().is_some()) {
        match one.statement.as_ref().is_some_and(|statement| kept.contains(statement)) {
            true => one.end_known(trust),
            false => one.judge(trust, now),
        }
    }
    let mut lists: Vec<_> = incoming.iter_mut().filter(|one| one.list().is_some()).collect();
    lists.retain(|one| one.is_open());
    lists.sort_by_key(|one| one.list().map(RevocationStatement::number));
    for one in &mut lists {
        let taken = one.keep(kept, trust, now).map(|taken| match taken {
            Taken::Known => Done::Known,
            taken => Done::Taken(taken),
        });
        one.end(taken);
    }
    supersede(incoming);
}

/// Finds out which keys on the lists that were taken are believed nevertheless.
pub(super) fn find_still_believed(incoming: &mut [Incoming], trust: &Trust, now: Timestamp) {
    for one in incoming {
        let (Some(list), Ok(Some(Done::Taken(_)))) = (one.list(), &one.result) else { continue };
        let listed: HashSet<_> = list.keys().iter().map(RevokedKey::id).collect();
        let authorities = trust.authorities().iter().map(Authority::entry);
        let entries = trust.entries().iter().chain(authorities);
        let entries = entries.filter(|entry| listed.contains(&entry.key().id()));
        let believed = entries.filter(|entry| trust.state(entry, now) == EntryState::Trusted);
        one.still_believed = believed.map(|entry| entry.name().to_owned()).collect();
    }
}

/// Takes back that statements were taken, where they could not be written.
pub(super) fn undo(incoming: &mut [Incoming]) {
    for one in incoming {
        if matches!(one.result, Ok(Some(Done::Taken(_) | Done::Followed(_)))) {
            one.result = Ok(None);
        }
    }
}

/// Passes over lists in whose place a newer one of the same signer is, which came with them.
fn supersede(incoming: &mut [Incoming]) {
    let key = |one: &Incoming| {
        let statement = one.statement.as_ref().filter(|statement| !statement.is_about_itself())?;
        Some((statement.signer(), one.list()?.number()))
    };
    let mut newest = HashMap::new();
    for (signer, number) in incoming.iter().filter(|one| one.result.is_ok()).filter_map(key) {
        let highest = newest.entry(signer).or_insert(number);
        *highest = number.max(*highest);
    }
    for one in incoming {
        let Some((signer, number)) = key(one) else { continue };
        let is_older = newest.get(&signer).is_some_and(|newest| *newest > number);
        // What is judged last, after the signature, is that it is old.
        let is_passed_over = match &one.result {
            Ok(_) => true,
            Err(failure) => ["statement-older", "expired"].contains(&failure.reason()),
        };
        if is_older && is_passed_over {
            one.end(Ok(Done::Superseded));
        }
    }
}

/// Reads all statements that the arguments name.
pub(super) fn find(inputs: &[PathBuf]) -> Result<Vec<Incoming>, Failure> {
    let mut paths = Vec::new();
    for input in inputs {
        if input != Path::new("-") && input.is_dir() {
            paths.extend(in_directory(input)?);
        } else {
            paths.push(input.clone());
        }
    }
    Ok(paths.into_iter().map(Incoming::read).collect())
}

/// Returns the statements in a directory, by name.
fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |source| Failure::Unreadable { path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().and_then(OsStr::to_str);
        // A FIFO would be waited for.
        if matches!(extension, Some("revocation" | "rotation")) && path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Failure::usage(format!(
            "{} has no file NAME.revocation or NAME.rotation",
            quoted(directory)
        )));
    }
    paths.sort();
    Ok(paths)
}

fn failure(path: &Path, source: StatementError) -> Failure {
    let name = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => quoted(path).to_string(),
    };
    Failure::Statement { name, source }
}
