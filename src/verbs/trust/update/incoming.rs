//! The statements that are to be taken.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use brine_core::{Timestamp, text::quoted};
use brine_trust::{
    KeptStatements, RevocationStatement, RotationStatement, Said, Trust, UnverifiedStatement,
    VerifiedStatement,
};

use super::Done;
use crate::report::Failure;
use crate::world::input::{InputFile, MAX_WHOLE_BYTES};

/// A statement that is to be taken.
pub(super) struct Incoming {
    pub(super) path: PathBuf,
    /// As it was read; `None` if it could not be.
    pub(super) statement: Option<UnverifiedStatement>,
    verified: Option<VerifiedStatement>,
    pub(super) result: Result<Done, Failure>,
}

impl Incoming {
    fn read(path: PathBuf) -> Result<Self, Failure> {
        let bytes = InputFile::open(Some(&path))?.read(MAX_WHOLE_BYTES)?;
        let (statement, result) = match UnverifiedStatement::parse(bytes) {
            Ok(statement) => (Some(statement), Ok(Done::Read)),
            Err(source) => (None, Err(Failure::Statement { name: shown(&path), source })),
        };
        Ok(Self { path, statement, verified: None, result })
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

    /// Returns the name that it is signed with, once it is judged.
    pub(super) fn signer(&self) -> Option<&str> {
        self.verified.as_ref().map(VerifiedStatement::signer)
    }

    /// Judges whether its signer may say that.
    pub(super) fn judge(&mut self, trust: &Trust, now: Timestamp) {
        let (Some(statement), true) = (&self.statement, self.result.is_ok()) else { return };
        match trust.judge_statement(statement.clone(), now) {
            Ok(verified) => self.verified = Some(verified),
            Err(source) => self.refuse(source),
        }
    }

    pub(super) fn refuse(&mut self, source: brine_trust::StatementError) {
        self.fail(Failure::Statement { name: shown(&self.path), source });
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.result = Err(failure);
    }

    /// Keeps it, if it was judged to hold.
    pub(super) fn take(&mut self, kept: &mut KeptStatements) {
        let (Some(verified), Ok(Done::Read)) = (&self.verified, &self.result) else { return };
        match kept.take(verified.clone()) {
            Ok(taken) => self.result = Ok(Done::List(verified.clone(), taken)),
            Err(source) => self.refuse(source),
        }
    }

    /// Notes that a rotation is followed, now or before.
    pub(super) fn followed(&mut self, before: bool) {
        if let Some(verified) = &self.verified {
            let verified = verified.clone();
            self.result = Ok(if before { Done::Known(verified) } else { Done::Followed(verified) });
        }
    }
}

/// Passes over lists of which a newer one by the same signer came with them. Only what is verified counts.
pub(super) fn supersede(incoming: &mut [Incoming]) {
    let verified = incoming.iter().filter(|one| one.verified.is_some());
    let numbers =
        verified.filter_map(|one| Some((one.statement.as_ref()?.signer(), one.list()?.number())));
    let numbers: Vec<_> = numbers.collect();
    for one in incoming.iter_mut().filter(|one| one.verified.is_some()) {
        let (Some(statement), Some(list)) = (&one.statement, one.list()) else { continue };
        let signer = statement.signer();
        if numbers.iter().any(|(other, number)| *other == signer && *number > list.number()) {
            one.result = Ok(Done::Superseded);
        }
    }
}

/// Reads all statements that the arguments name.
pub(super) fn find(inputs: &[PathBuf]) -> Result<Vec<Incoming>, Failure> {
    let mut incoming = Vec::new();
    for input in inputs {
        if input != Path::new("-") && input.is_dir() {
            for path in in_directory(input)? {
                incoming.push(Incoming::read(path)?);
            }
        } else {
            incoming.push(Incoming::read(input.clone())?);
        }
    }
    Ok(incoming)
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

fn shown(path: &Path) -> String {
    match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => quoted(path).to_string(),
    }
}
