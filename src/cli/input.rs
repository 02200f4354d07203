//! Reading files and standard input, within limits.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};
use rustix::stdio;

use super::failure::Failure;
use super::spool::Spool;
use crate::armor;
use crate::cose::MAX_PAYLOAD_BYTES;
use crate::error::Error;

/// The most that is read into memory where all of it must be there at once, in bytes: text, external
/// data, and what `inspect` shows.
pub(super) const MAX_WHOLE_BYTES: u64 = 256 * 1024 * 1024;

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

    /// Returns the open file, for reading piece by piece, and what to call it.
    pub(super) fn into_file(self) -> (File, String) {
        grow_pipe(&self.file);
        (self.file, self.name)
    }

    /// Reads all of it, refusing what is over `limit` bytes before there is memory for it.
    pub(super) fn read(self, limit: u64) -> Result<Vec<u8>, Failure> {
        read_rest(Vec::new(), self.file, self.name, limit)
    }

    /// Reads all of it, if it is `most` bytes or fewer.
    pub(super) fn read_up_to(self, most: u64) -> Result<Arrived, Failure> {
        read_up_to(Vec::new(), self.file, self.name, most)
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
    name: String,
    limit: u64,
) -> Result<Vec<u8>, Failure> {
    match read_up_to(start, file, name, limit)? {
        Arrived::All(bytes) => Ok(bytes),
        Arrived::Large(_) => Err(Error::TooLarge { limit }.into()),
    }
}

/// Reads what follows `start` in a file, as long as it is `most` bytes in all or fewer.
pub(super) fn read_up_to(
    start: Vec<u8>,
    file: File,
    name: String,
    most: u64,
) -> Result<Arrived, Failure> {
    let mut bytes = start;
    let stat = rustix::fs::fstat(&file).ok().filter(is_regular);
    let expected = stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
    // One byte more than expected, so that the end is seen without growing.
    let capacity = usize::try_from(expected).unwrap_or(usize::MAX).saturating_add(1);
    let fits =
        expected <= most && bytes.try_reserve_exact(capacity.saturating_sub(bytes.len())).is_ok();
    if fits {
        let read = (&file).take(most.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| Failure::io(&name, error))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
            return Ok(Arrived::All(bytes));
        }
    }
    Ok(Arrived::Large(Large { beginning: bytes, file, name }))
}

/// What came of reading as much as there is room for.
pub(super) enum Arrived {
    /// Everything.
    All(Vec<u8>),
    /// There is more.
    Large(Large),
}

/// An input that is too large for memory.
pub(super) struct Large {
    /// What was read of it already: none of it need have been.
    pub(super) beginning: Vec<u8>,
    /// Where the rest is.
    pub(super) file: File,
    /// What to call that.
    pub(super) name: String,
}

impl Large {
    /// Returns where in a regular file it begins, and how long it is.
    pub(super) fn extent(&self) -> Option<(u64, u64)> {
        let found = self.file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        // A file that was handed over open may have been read in part by somebody else.
        let now = io::Seek::stream_position(&mut &self.file).ok()?;
        let offset = now.checked_sub(u64::try_from(self.beginning.len()).ok()?)?;
        // What was read and is not there was never counted: a file of the system says that it is empty.
        Some((offset, found.len().checked_sub(now)?.checked_add(now - offset)?))
    }

    /// Returns whether it is text, having read as much as shows that.
    pub(super) fn is_armored(&mut self) -> Result<bool, Failure> {
        let missing = armor::MARK.len().saturating_sub(self.beginning.len());
        let most = u64::try_from(missing).unwrap_or(u64::MAX);
        let read = (&self.file).take(most).read_to_end(&mut self.beginning);
        read.map_err(|error| Failure::io(&self.name, error))?;
        Ok(armor::is_armored(&self.beginning))
    }

    /// Copies it, once, to where nobody else can change it.
    pub(super) fn into_spool(self) -> Result<Spool, Failure> {
        let too_large = Error::TooLarge { limit: MAX_PAYLOAD_BYTES };
        if self.extent().is_some_and(|(_, length)| length > MAX_PAYLOAD_BYTES) {
            return Err(too_large.into());
        }
        let Self { beginning, mut file, name } = self;
        Spool::copy_of(&beginning, &mut file, &name)
    }
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
