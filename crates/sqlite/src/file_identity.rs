//! Which file a path leads to, and whether that is its only name.
//!
//! SQLite keeps its log and its locks beside the name by which a file was opened. A file with two names has two
//! logs, and neither process sees what the other has released.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::FileError;
use crate::file::failed;

/// Device and inode of a file that has one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// Returns which file is at `path`.
    ///
    /// # Errors
    ///
    /// [`FileError::Linked`] and [`FileError::Mounted`] if it has another name; [`FileError::File`] if there
    /// is none.
    pub(crate) fn of(path: &Path) -> Result<Self, FileError> {
        let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
        // A directory has a link for each in it. It is no database, as SQLite will say.
        if metadata.is_file() && metadata.nlink() > 1 {
            return Err(FileError::Linked { path: path.to_owned(), links: metadata.nlink() });
        }
        if metadata.is_file() && is_mount_point(path).map_err(|error| failed(path, error))? {
            return Err(FileError::Mounted { path: path.to_owned() });
        }
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

#[cfg(target_os = "linux")]
fn is_mount_point(path: &Path) -> io::Result<bool> {
    use std::io::BufReader;

    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

    let root = StatxAttributes::MOUNT_ROOT;
    match statx(CWD, path, AtFlags::empty(), StatxFlags::empty()) {
        Ok(found) if found.stx_attributes_mask.contains(root) => {
            Ok(found.stx_attributes.contains(root))
        }
        // Linux before 5.8 does not say so. The table of mounts does.
        _ => is_listed(&fs::canonicalize(path)?, BufReader::new(fs::File::open(MOUNTS)?)),
    }
}

/// Files are not mounted on other systems.
#[cfg(not(target_os = "linux"))]
fn is_mount_point(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Returns whether a path is the mount point in one of the lines of `/proc/self/mountinfo`.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the table is Linux's"))]
fn is_listed(path: &Path, mounts: impl io::BufRead) -> io::Result<bool> {
    for line in mounts.split(b'\n') {
        let line = line?;
        let point = line.split(|byte| *byte == b' ').nth(4).unwrap_or_default();
        if unescaped(point).as_os_str().as_bytes() == path.as_os_str().as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads a path in which blanks and backslashes are three octal digits after a backslash (`proc(5)`).
fn unescaped(text: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) if *first == b'\\' => {
                path.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                path.push(*first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(path).into()
}

#[cfg(target_os = "linux")]
const MOUNTS: &str = "/proc/self/mountinfo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_mounts_names_mount_points() {
        let table = b"22 28 0:21 / /proc rw - proc proc rw\n\
            36 28 8:1 /srv/seen /data/a\\040b\\134c rw,noatime - ext4 /dev/sda1 rw\n";
        let is_listed = |path: &str| is_listed(Path::new(path), &table[..]).unwrap();
        assert!(is_listed("/proc"));
        assert!(is_listed("/data/a b\\c"));
        // The other fields say nothing about it.
        for other in ["/srv/seen", "/", "/data", "/data/a", "/dev/sda1", "8:1"] {
            assert!(!is_listed(other), "{other}");
        }
    }

    #[test]
    fn a_mount_point_is_known_and_other_files_are_not() {
        assert!(is_mount_point(Path::new("/proc")).unwrap() || !cfg!(target_os = "linux"));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_mount_point(file.path()).unwrap());
    }
}
