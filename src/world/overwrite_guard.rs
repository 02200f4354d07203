//! Keeps a command from writing over the files that it reads.

use std::fs;
use std::path::Path;

use rustix::fs::{FileType, Stat};
use rustix::stdio;

use super::home::Home;
use super::named_key::Named;
use crate::report::Failure;

/// The regular files that a command reads, whatever their names. It writes over none of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct OverwriteGuard {
    files: Vec<Identity>,
}

/// Which file something is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl OverwriteGuard {
    /// Adds a file; `-`, and nothing, is standard input.
    pub(crate) fn and_input(self, path: Option<&Path>) -> Self {
        match path {
            Some(path) if path != Path::new("-") => self.and(Some(path)),
            _ => self
                .with(rustix::fs::fstat(stdio::stdin()).ok().and_then(|stat| Identity::of(&stat))),
        }
    }

    /// Adds a file, if one is named.
    pub(crate) fn and(self, path: Option<&Path>) -> Self {
        self.with(path.and_then(Identity::of_path))
    }

    /// Adds the file that a key's name stands for, if it stands for one.
    pub(crate) fn and_key(self, text: &str) -> Self {
        match Named::parse(text) {
            Ok(Named::File(path)) => self.and(Some(&path)),
            // Names stand for files in the home, which are never written over.
            Ok(Named::Name(_) | Named::OpenSsh(_)) | Err(_) => self,
        }
    }

    fn with(mut self, file: Option<Identity>) -> Self {
        self.files.extend(file);
        self
    }

    /// Refuses to write to a file that is read, or to one of the home's keys, its trust file or policy.
    pub(crate) fn refuse(&self, target: Option<Identity>) -> Result<(), Failure> {
        let Some(target) = target else { return Ok(()) };
        if self.files.contains(&target) {
            return Err(Failure::SameFile);
        }
        match Home::find().ok().and_then(|home| kept_by(&home, target)) {
            Some(path) => Err(Failure::Precious { path }),
            None => Ok(()),
        }
    }
}

impl Identity {
    fn of(stat: &Stat) -> Option<Self> {
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        regular.then_some(Self { device: stat.st_dev, inode: stat.st_ino })
    }

    /// Returns which file is at `path`, if there is a regular one.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        Self::of(&rustix::fs::stat(path).ok()?)
    }

    /// Returns which file standard output is, if it is a regular one.
    pub(crate) fn of_stdout() -> Option<Self> {
        Self::of(&rustix::fs::fstat(stdio::stdout()).ok()?)
    }
}

/// Returns the path of the key, trust file or policy that `target` is.
fn kept_by(home: &Home, target: Identity) -> Option<std::path::PathBuf> {
    let keys = fs::read_dir(home.keys()).into_iter().flatten();
    keys.filter_map(|entry| Some(entry.ok()?.path()))
        .chain([home.trust_file(), home.policy_file()])
        .find(|path| Identity::of_path(path) == Some(target))
}
