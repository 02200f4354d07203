//! What a job left in its scratch directory, read when all of its processes are gone.
//!
//! The directory lies on a tmpfs in the mount namespace of the job. The init shows it to brine, whose descriptor outlives
//! the namespace. A job wrote what is there, so nothing of it is trusted: neither types, names, sizes nor numbers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Take};
use std::os::fd::OwnedFd;
use std::path::Path;

use brine_core::text::{in_words, quoted};
use brine_core::{Class, Classified};
use brine_job::{JobLimits, LogicalPath, SCRATCH_PATH};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// The scratch directory of a job.
#[derive(Debug)]
pub struct JobScratch {
    directory: OwnedFd,
}

/// Something that a job left.
#[derive(Debug)]
pub enum ScratchItem<'a> {
    /// A directory, before everything in it.
    Directory {
        /// Its path below the scratch directory.
        path: &'a LogicalPath,
    },
    /// A regular file.
    File {
        /// Its path below the scratch directory.
        path: &'a LogicalPath,
        /// Its content, which ends at the size that was checked.
        content: Take<File>,
    },
    /// Another name of a file that came before (a hard link).
    Name {
        /// Its path below the scratch directory.
        path: &'a LogicalPath,
        /// The path that came before.
        first: &'a LogicalPath,
    },
}

/// Why files that a job left are not collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScratchError {
    /// There is nothing of this name.
    #[error("{} was to be collected, and is not there", quoted(.path))]
    Missing {
        /// The path below the scratch directory.
        path: String,
    },
    /// It has a name that people cannot read, or that is too long.
    #[error("{} is not collected: its name is {what}", quoted(.path))]
    Name {
        /// The path below the scratch directory.
        path: String,
        /// What the name is.
        what: &'static str,
    },
    /// It is neither a regular file nor a directory.
    #[error("{} is not collected: it is {what}", quoted(.path))]
    NotPlain {
        /// The path below the scratch directory.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Processes of the job may still be there, and change it.
    #[error("nothing is collected: killed processes of the job may still be there")]
    StillThere,
    /// A file is larger than the plan lets a job write.
    #[error("{} is not collected: it is {found} bytes, limit is {limit}", quoted(.path))]
    TooLarge {
        /// The path below the scratch directory.
        path: String,
        /// Its size in bytes.
        found: u64,
        /// The limit in bytes (`file-size`).
        limit: u64,
    },
    /// There are more files and directories than are collected.
    #[error("nothing is collected: there are over {MAX_COLLECTED} files and directories")]
    TooMany,
    /// All files together are larger than the scratch directory may be.
    #[error("nothing is collected: the files are over {limit} bytes together")]
    TooMuch {
        /// The limit in bytes (`scratch`).
        limit: u64,
    },
    /// The system refuses to read it.
    #[error("{} is not collected: it cannot be read: {}", quoted(.path), in_words(.source))]
    Unreadable {
        /// The path below the scratch directory.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
}

impl Classified for ScratchError {
    fn class(&self) -> Class {
        Class::Altered
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "collected-missing",
            Self::Name { .. } => "collected-name",
            Self::NotPlain { .. } => "collected-not-plain",
            Self::StillThere => "collected-still-there",
            Self::TooLarge { .. } | Self::TooMuch { .. } => "collected-too-large",
            Self::TooMany => "collected-too-many",
            Self::Unreadable { .. } => "collected-unreadable",
        }
    }
}

/// The most files and directories that are collected from one job.
pub const MAX_COLLECTED: usize = 10_000;

impl JobScratch {
    /// Finds the directory in the file system of all scratch places, before the program of the job has started.
    pub(super) fn within(whole: &OwnedFd) -> Option<Self> {
        let name = Path::new(SCRATCH_PATH).file_name()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(whole, name, flags, Mode::empty()).ok()?;
        Some(Self { directory })
    }

    /// Visits everything at these paths, directories with all that is in them, in the order of their names.
    ///
    /// Everything is checked before it is visited. An error ends it: what was visited before **must** then not be
    /// released either.
    ///
    /// # Errors
    ///
    /// [`ScratchError`], or what `visit` returns.
    pub fn walk<E: From<ScratchError>>(
        &self,
        paths: &[LogicalPath],
        limits: &JobLimits,
        mut visit: impl FnMut(ScratchItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut walk =
            ScratchWalk { scratch: self, limits, bytes: 0, items: 0, files: HashMap::new() };
        let mut ahead: Vec<LogicalPath> = paths.iter().rev().cloned().collect();
        while let Some(path) = ahead.pop() {
            walk.count(1)?;
            let found = self.look_at(&path)?;
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => {
                    visit(ScratchItem::Directory { path: &path })?;
                    ahead.extend(walk.below(&path)?.into_iter().rev());
                }
                FileType::RegularFile => match walk.files.get(&identity(&found)) {
                    Some(first) => visit(ScratchItem::Name { path: &path, first })?,
                    None => {
                        let content = walk.content(&path, &found)?;
                        visit(ScratchItem::File { path: &path, content })?;
                        walk.files.insert(identity(&found), path);
                    }
                },
                other => return Err(not_plain(&path, kind(other)).into()),
            }
        }
        Ok(())
    }

    /// Returns what is at a path, without opening it.
    fn look_at(&self, path: &LogicalPath) -> Result<Stat, ScratchError> {
        let opened = self.open(path, OFlags::PATH)?;
        rustix::fs::fstat(&opened).map_err(|error| unreadable(path, error))
    }

    /// Opens what is at a path. No link is followed, and nothing outside the directory is reached, whatever is there.
    fn open(&self, path: &LogicalPath, flags: OFlags) -> Result<OwnedFd, ScratchError> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let opened = rustix::fs::openat2(
            &self.directory,
            Path::new(path.as_str()),
            flags,
            Mode::empty(),
            resolve,
        );
        opened.map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR => ScratchError::Missing { path: path.to_string() },
            Errno::LOOP => not_plain(path, "behind a symbolic link"),
            Errno::XDEV => not_plain(path, "outside the scratch directory"),
            error => unreadable(path, error),
        })
    }
}

/// What was met so far.
struct ScratchWalk<'a> {
    scratch: &'a JobScratch,
    limits: &'a JobLimits,
    bytes: u64,
    items: usize,
    /// Each file by its first name.
    files: HashMap<(u64, u64), LogicalPath>,
}

impl ScratchWalk<'_> {
    fn count(&mut self, more: usize) -> Result<(), ScratchError> {
        self.items = self.items.saturating_add(more);
        if self.items > MAX_COLLECTED { Err(ScratchError::TooMany) } else { Ok(()) }
    }

    /// Opens a regular file whose size is within the limits. A sparse file counts as what would be read of it.
    fn content(&mut self, path: &LogicalPath, found: &Stat) -> Result<Take<File>, ScratchError> {
        let size = u64::try_from(found.st_size).unwrap_or(u64::MAX);
        let limit = self.limits.file_size;
        if size > limit {
            return Err(ScratchError::TooLarge { path: path.to_string(), found: size, limit });
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.scratch {
            return Err(ScratchError::TooMuch { limit: self.limits.scratch });
        }
        // Nothing waits for the other end of a FIFO, should there be one by now.
        let file = File::from(self.scratch.open(path, OFlags::RDONLY | OFlags::NONBLOCK)?);
        let opened = rustix::fs::fstat(&file).map_err(|error| unreadable(path, error))?;
        if identity(&opened) != identity(found) {
            return Err(not_plain(path, "another file by now"));
        }
        Ok(file.take(size))
    }

    /// Returns everything that lies in a directory, in order.
    fn below(&self, directory: &LogicalPath) -> Result<Vec<LogicalPath>, ScratchError> {
        let opened = self.scratch.open(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let entries = Dir::read_from(opened).map_err(|error| unreadable(directory, error))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(directory, error))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if self.items.saturating_add(found.len()) >= MAX_COLLECTED {
                return Err(ScratchError::TooMany);
            }
            found.push(named(directory, name)?);
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Returns the path of a name in a directory, if people can read it.
fn named(directory: &LogicalPath, name: &[u8]) -> Result<LogicalPath, ScratchError> {
    let path = format!("{directory}/{}", String::from_utf8_lossy(name));
    if std::str::from_utf8(name).is_err() {
        return Err(ScratchError::Name { path, what: "not UTF-8" });
    }
    // The parts of a path that a system has are neither empty nor dots.
    let what = "too long, or has characters that cannot be seen";
    LogicalPath::parse(&path).map_err(|_| ScratchError::Name { path, what })
}

fn identity(found: &Stat) -> (u64, u64) {
    (found.st_dev, found.st_ino)
}

const fn kind(of: FileType) -> &'static str {
    match of {
        FileType::BlockDevice | FileType::CharacterDevice => "a device",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::Symlink => "a symbolic link",
        FileType::Directory | FileType::RegularFile | FileType::Unknown => "no regular file",
    }
}

fn not_plain(path: &LogicalPath, what: &'static str) -> ScratchError {
    ScratchError::NotPlain { path: path.to_string(), what }
}

fn unreadable(path: &LogicalPath, error: Errno) -> ScratchError {
    ScratchError::Unreadable { path: path.to_string(), source: error.into() }
}

#[cfg(test)]
mod tests;
