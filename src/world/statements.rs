//! The statements that are kept beside a trust file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use brine_trust::{KeptStatements, Trust};

use super::small_files::SmallFiles;
use super::trail::Trail;
use crate::report::Failure;

/// Reads the statements beside a trust file. Where there is no file, none was taken.
pub(crate) fn kept(trust_file: &Path, files: &SmallFiles) -> Result<KeptStatements, Failure> {
    let path = place(trust_file);
    let bytes = match files.read(&path) {
        Err(Failure::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(KeptStatements::default());
        }
        read => read?,
    };
    KeptStatements::parse(&bytes).map_err(|source| Failure::KeptStatements { path, source })
}

/// Has those beside a trust file count.
pub(crate) fn with_kept(
    trust: Trust,
    trust_file: &Path,
    files: &SmallFiles,
) -> Result<Trust, Failure> {
    let kept = kept(trust_file, files)?;
    with(trust, trust_file, &kept)
}

/// Has these count.
pub(crate) fn with(
    trust: Trust,
    trust_file: &Path,
    kept: &KeptStatements,
) -> Result<Trust, Failure> {
    let wrong = |source| Failure::KeptStatements { path: place(trust_file), source };
    trust.with_statements(kept).map_err(wrong)
}

/// Returns where they are: beside the file itself, also where the trust file is known by a link.
pub(crate) fn place(trust_file: &Path) -> PathBuf {
    let file = match fs::read_link(trust_file) {
        Ok(_) => Trail::of(trust_file).into_end(),
        Err(_) => trust_file.to_owned(),
    };
    file.with_added_extension("statements")
}
