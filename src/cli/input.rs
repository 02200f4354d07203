//! Reading files and standard input, within limits.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};
use rustix::stdio;

use super::failure::Failure;
use crate::error::Error;

/// Something to read: a file, or standard input.
#[derive(Debug)]
pub(super) struct Input {
    name: String,
    /// Standard input too is read as a file: the library's reader takes a descriptor that cannot be
    /// read for an empty one.
    file: File,
}

impl Input {
    /// Opens `path`, or standard input for nothing and for `-`.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            Some(path) if path != Path::new("-") => Self::open_file(path),
            _ => {
                let name = "standard input".to_owned();
                let file = rustix::io::dup(stdio::stdin()).map(File::from);
                let file = file.map_err(|error| Failure::io(&name, error.into()))?;
                Ok(Self { name, file })
            }
        }
    }

    /// Opens `path` as a file.
    pub(super) fn open_file(path: &Path) -> Result<Self, Failure> {
        let name = format!("{path:?}");
        let file = File::open(path).map_err(|error| Failure::io(&name, error))?;
        Ok(Self { name, file })
    }

    /// Returns whether a person has to type it.
    pub(super) fn is_terminal(&self) -> bool {
        rustix::termios::isatty(&self.file)
    }

    /// Returns how long it is, if it is a regular file.
    pub(super) fn length(&self) -> Option<usize> {
        usize::try_from(length_of(&self.file)?).ok()
    }

    /// Returns the open file, for reading piece by piece, and what to call it.
    pub(super) fn into_file(self) -> (File, String) {
        grow_pipe(&self.file);
        (self.file, self.name)
    }

    /// Reads all of it, refusing what is over `limit` bytes before there is memory for it.
    pub(super) fn read(self, limit: u64) -> Result<Vec<u8>, Failure> {
        read_rest(Vec::new(), self.file, &self.name, limit)
    }
}

/// Returns how long a file is, if it is a regular one.
pub(super) fn length_of(file: &File) -> Option<u64> {
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len())
}

/// Reads what follows `start` in a file, refusing what is over `limit` bytes in all before there is
/// memory for it.
pub(super) fn read_rest(
    start: Vec<u8>,
    file: File,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::Brine(Error::TooLarge { limit });
    let stat = rustix::fs::fstat(&file).ok().filter(is_regular);
    let expected = stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
    if expected > limit {
        return Err(too_large());
    }
    let mut bytes = start;
    // One byte more than expected, so that the end is seen without growing.
    let capacity = usize::try_from(expected).unwrap_or(0).saturating_add(1);
    bytes.try_reserve_exact(capacity.saturating_sub(bytes.len())).map_err(|_| too_large())?;
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Failure::io(name, error))?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit);
    if fits { Ok(bytes) } else { Err(too_large()) }
}

/// Reads a small file that the command line names, such as a key or a trust file.
pub(super) fn read_small(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |source| Failure::Unreadable { path: PathBuf::from(path), source };
    let file = File::open(path).map_err(unreadable)?;
    let expected = file.metadata().map_or(0, |found| found.len().min(MAX_SMALL_BYTES));
    // One byte more than expected, so that the end is seen without growing.
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).saturating_add(1));
    file.take(MAX_SMALL_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_SMALL_BYTES) {
        Ok(bytes)
    } else {
        Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "over 4 MiB")))
    }
}

/// Lets a pipe hold as much as an unprivileged process may ask for, so that both ends work at once.
///
/// It is a pipe or it is not, and the system grants it or does not: neither changes what is done.
pub(super) fn grow_pipe(file: &File) {
    let _ = rustix::pipe::fcntl_setpipe_size(file, PIPE_BYTES);
}

/// Linux's default for `fs.pipe-max-size`.
const PIPE_BYTES: usize = 1024 * 1024;

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// The largest key, trust or passphrase file, in bytes.
const MAX_SMALL_BYTES: u64 = 4 * 1024 * 1024;
