//! A file that is made under a temporary name.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use brine_core::key::random;
use brine_core::text::hex;
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use crate::error::FileError;
use crate::file::{SIBLINGS, beside, failed};

/// A file under a temporary name, deleted when this is dropped.
#[derive(Debug)]
pub(crate) struct DraftFile(PathBuf);

impl DraftFile {
    pub(crate) fn new(path: &Path) -> Result<Self, FileError> {
        let name = random::<8>().map_err(|error| failed(path, io::Error::other(error)))?;
        let draft = beside(path, &format!(".{}.new", hex(&name)));
        // SQLite gives the files beside this one the same mode.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        // Nobody typed the other name.
        made.map_err(|error| failed(path, error))?;
        Ok(Self(draft))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the file the name `path`, unless that is taken.
    pub(crate) fn take_name(&self, path: &Path) -> io::Result<()> {
        match rustix::fs::renameat_with(CWD, &self.0, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(Errno::EXIST.into()),
            // Not every file system and not every system has it.
            Err(_) => {}
        }
        match fs::hard_link(&self.0, path) {
            // A database with two names is refused.
            Ok(()) => return fs::remove_file(&self.0),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
        // Without links either, an empty file holds the name. It is no database, and refused as such.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        fs::rename(&self.0, path).inspect_err(|_| drop(fs::remove_file(path)))
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        // A file that cannot be deleted is litter, and no reason to fail.
        drop(fs::remove_file(&self.0));
        for suffix in SIBLINGS {
            drop(fs::remove_file(beside(&self.0, suffix)));
        }
    }
}
