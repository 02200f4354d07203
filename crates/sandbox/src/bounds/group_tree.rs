//! The files of control groups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is done with the files of control groups.
pub(super) trait GroupTree {
    /// Makes a group, with files that the kernel puts there.
    fn make(&self, group: &Path) -> io::Result<()>;

    /// Removes a group in which there are no processes.
    fn remove(&self, group: &Path) -> io::Result<()>;

    /// Returns the groups in a group.
    fn groups_in(&self, group: &Path) -> Vec<PathBuf>;

    /// Writes a value to a file that is there.
    fn write(&self, file: &Path, value: &str) -> io::Result<()>;

    /// Reads a file; `None` if it cannot be read.
    fn read(&self, file: &Path) -> Option<String>;
}

/// The files of this system.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemTree;

impl GroupTree for SystemTree {
    fn make(&self, group: &Path) -> io::Result<()> {
        fs::create_dir(group)
    }

    fn remove(&self, group: &Path) -> io::Result<()> {
        fs::remove_dir(group)
    }

    fn groups_in(&self, group: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(group) else { return Vec::new() };
        let directories =
            entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        directories.map(|entry| entry.path()).collect()
    }

    fn write(&self, file: &Path, value: &str) -> io::Result<()> {
        use std::io::Write as _;
        // The kernel takes a value in one call.
        fs::OpenOptions::new().write(true).open(file)?.write_all(value.as_bytes())
    }

    fn read(&self, file: &Path) -> Option<String> {
        super::read(file)
    }
}
