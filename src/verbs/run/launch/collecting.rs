//! Collects the files of a job that has ended well.

use std::io::{self, Read as _, Write as _};

use brine_core::hash::{HashAlgorithm, Hasher};
use brine_core::text::hex;
use brine_job::{LogicalPath, Plan};
use brine_sandbox::{JobOutcome, ScratchError, ScratchItem, TreeKill};

use crate::report::Failure;
use crate::report::verdict::CollectedFacts;
use crate::verbs::run::collect::{Collecting, outer_name};
use crate::world::collected::{AppearedFiles, CollectedFiles};

/// Why files are not collected.
#[derive(Debug)]
pub(super) enum NotCollected {
    /// They cannot be written.
    Failed(Failure),
    /// They are not what a job may leave.
    Refused(ScratchError),
}

impl From<ScratchError> for NotCollected {
    fn from(error: ScratchError) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for NotCollected {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Lets the files of a job appear outside, and says what they are.
pub(super) fn collect(
    collecting: &Collecting,
    outcome: &JobOutcome,
    plan: &Plan,
) -> Result<(AppearedFiles, Vec<CollectedFacts>), NotCollected> {
    // Whatever still runs could change a file after it was looked at.
    let scratch = outcome.scratch.as_ref().filter(|_| outcome.tree == TreeKill::Certain);
    let scratch = scratch.ok_or(ScratchError::StillThere)?;
    let Collecting { paths, directory, existing } = collecting;
    let files = CollectedFiles::create(directory, *existing)?;
    let mut facts: Vec<CollectedFacts> = Vec::new();
    scratch.walk(paths, &plan.parts().limits, |item| {
        match item {
            ScratchItem::Directory { path } => files.directory(outside(paths, path))?,
            ScratchItem::File { path, content } => {
                facts.push(copy(&files, outside(paths, path), path, content)?);
            }
            ScratchItem::Name { path, first } => {
                files.name(outside(paths, path), outside(paths, first))?;
                let same = facts.iter().find(|facts| facts.name == first.as_str());
                facts.extend(same.map(|same| same.named(path.as_str())));
            }
        }
        Ok::<(), NotCollected>(())
    })?;
    let names: Vec<_> = paths.iter().map(|path| outer_name(path).to_owned()).collect();
    Ok((files.appear(&names)?, facts))
}

/// Returns what a path of the job is called outside.
fn outside<'p>(paths: &[LogicalPath], path: &'p LogicalPath) -> &'p str {
    let top = paths.iter().find(|top| path.is_within(top)).unwrap_or(path);
    let above = top.as_str().len() - outer_name(top).len();
    path.as_str().get(above..).unwrap_or_default()
}

/// Copies a file, and hashes what is written.
fn copy(
    files: &CollectedFiles,
    outside: &str,
    path: &LogicalPath,
    mut content: io::Take<std::fs::File>,
) -> Result<CollectedFacts, NotCollected> {
    let mut copy = files.file(outside)?;
    let mut hasher = Hasher::new(HashAlgorithm::Sha256);
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0_u64;
    loop {
        let read = match content.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => piece.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(ScratchError::Unreadable { path: path.to_string(), source }.into());
            }
        };
        hasher.update(read);
        copy.write_all(read).map_err(|error| files.failed(outside, error))?;
        bytes = bytes.saturating_add(u64::try_from(read.len()).unwrap_or(u64::MAX));
    }
    Ok(CollectedFacts { name: path.to_string(), bytes, sha256: hex(hasher.finish().as_ref()) })
}

const PIECE_BYTES: usize = 256 * 1024;
