//! The statements that are kept beside a trust file.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use brine_trust::{KeptStatements, Trust};

use super::small_files::SmallFiles;
use super::trail::Trail;
use super::whole_file::{Access, Existing, write_whole};
use crate::report::Failure;

/// Reads the statements beside a trust file. Where there is no file, none was taken.
pub(crate) fn read_kept(trust_file: &Path, files: &SmallFiles) -> Result<KeptStatements, Failure> {
    let path = statements_path(trust_file);
    let unreadable = |kind, what: &str| Failure::Unreadable {
        path: path.clone(),
        source: io::Error::new(kind, what),
    };
    match path.symlink_metadata() {
        // Whoever watches the trust file watches for this one, too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(KeptStatements::default());
        }
        // Nobody named it, so nothing is waited for, as a FIFO waits for its writer. A link that leads nowhere is something
        // that was there, which reading it says.
        _ if path.metadata().is_ok_and(|found| !found.is_file()) => {
            return Err(unreadable(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        _ => {}
    }
    let bytes = files.read(&path)?;
    if bytes.is_empty() {
        // None is written without anything in it.
        return Err(unreadable(io::ErrorKind::UnexpectedEof, "it is empty"));
    }
    KeptStatements::parse(&bytes).map_err(|source| Failure::KeptStatements { path, source })
}

/// Writes the statements beside a trust file, or removes the file if there are none.
pub(crate) fn write_kept(trust_file: &Path, kept: &KeptStatements) -> Result<(), Failure> {
    let (path, bytes) = (statements_path(trust_file), kept.to_bytes());
    if bytes.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::unwritten(quoted(&path).to_string(), error))
            }
            _ => Ok(()),
        };
    }
    write_whole(&path, Access::Deciding, Existing::Replace, |file| {
        file.write_all(&bytes)?;
        file.sync_all()
    })
}

/// Has what these revoke count.
pub(crate) fn apply(
    kept: &KeptStatements,
    trust: Trust,
    trust_file: &Path,
) -> Result<Trust, Failure> {
    let path = || statements_path(trust_file);
    trust.with_statements(kept).map_err(|source| Failure::KeptStatements { path: path(), source })
}

/// Returns where they are: beside the file itself, also where the trust file is known by a link.
pub(crate) fn statements_path(trust_file: &Path) -> PathBuf {
    let file = match fs::read_link(trust_file) {
        Ok(_) => Trail::of(trust_file).into_end(),
        Err(_) => trust_file.to_owned(),
    };
    file.with_added_extension("statements")
}
