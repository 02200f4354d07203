//! Small files that are read once, or again when they have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::descriptor::Descriptor;
use super::input::{open, read_small};
use super::permissions::PermissionRule;
use crate::report::Failure;

/// Reads small files that decide, and may hold a secret. What cannot be read twice, such as a pipe, is kept.
#[derive(Default)]
pub(crate) struct SmallFiles {
    kept: Mutex<BTreeMap<PathBuf, Zeroizing<Vec<u8>>>>,
    asked: Mutex<BTreeSet<PathBuf>>,
    is_again: bool,
    rule: PermissionRule,
}

impl SmallFiles {
    /// Holds them to this rule, each time.
    pub(crate) fn new(rule: impl Into<PermissionRule>) -> Self {
        Self { rule: rule.into(), ..Self::default() }
    }

    /// Reads them again from here on: regular files as they are then, and pipes as they were.
    pub(crate) fn again(self) -> Self {
        Self { is_again: true, ..self }
    }

    /// Returns all files that were to be read, there or not.
    pub(crate) fn asked(&self) -> Vec<PathBuf> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Reads a file.
    ///
    /// When it reads again, it waits for nobody: what has become something else than a regular file is refused.
    pub(crate) fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let unreadable = |source| Failure::Unreadable { path: path.to_owned(), source };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = kept.get(path) {
            if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
                return Ok(bytes.clone());
            }
            kept.remove(path);
        }
        let file = self.rule.open(path, || {
            let opened = if self.is_again { open_again(path) } else { open(path) };
            opened.map_err(unreadable)
        })?;
        let is_regular = file.metadata().map_err(unreadable)?.is_file();
        if !is_regular && self.is_again {
            return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, NOT_REGULAR)));
        }
        if is_regular {
            return read_in_place(&file).map_err(unreadable);
        }
        let bytes = read_small(&file).map_err(unreadable)?;
        kept.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

/// Opens a file without waiting for anybody, as a FIFO waits for its writer.
fn open_again(path: &Path) -> io::Result<File> {
    let at_once = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    match Descriptor::named_by(path) {
        Some(descriptor) => descriptor.duplicate(),
        None => OpenOptions::new().read(true).custom_flags(at_once).open(path),
    }
}

/// Reads a regular file, and leaves a descriptor that was handed over open where it was.
fn read_in_place(mut file: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let start = file.stream_position()?;
    let bytes = read_small(file)?;
    file.seek(SeekFrom::Start(start))?;
    Ok(bytes)
}

const NOT_REGULAR: &str = "not a regular file, and so not read again";
