//! Reading files and standard input, within limits.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use brine_core::hash::ReadAt;
use brine_core::text::quoted;
use brine_core::{FormError, MAX_ARMORED_BYTES};
use zeroize::Zeroizing;

use super::descriptor::Descriptor;
use super::patient_file::PatientFile;
use crate::report::Failure;
use crate::report::console::remark;

/// The most that is read into memory where all of it must be there at once, in bytes: text, external
/// data, and what `inspect` shows.
pub(crate) const MAX_WHOLE_BYTES: u64 = MAX_ARMORED_BYTES;

/// Something to read: a file, or standard input.
#[derive(Debug)]
pub(crate) struct InputFile {
    name: String,
    /// Standard input too is read as a file: the library's reader takes a descriptor that cannot be
    /// read for an empty one.
    file: File,
}

impl InputFile {
    /// Opens `path`, or standard input for nothing and for `-`.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            Some(path) if path != Path::new("-") => Self::open_file(path),
            _ => {
                let input = Self::of_descriptor(Descriptor::STDIN)?;
                input.tell_if_terminal();
                Ok(input)
            }
        }
    }

    /// Opens `path` as a file.
    pub(crate) fn open_file(path: &Path) -> Result<Self, Failure> {
        let name = quoted(path).to_string();
        let file = open(path).map_err(|error| Failure::io(&name, error))?;
        Ok(Self { name, file })
    }

    fn of_descriptor(descriptor: Descriptor) -> Result<Self, Failure> {
        let name = descriptor.name();
        let file = descriptor.duplicate().map_err(|error| Failure::io(&name, error))?;
        Ok(Self { name, file })
    }

    /// Takes a file that is open already.
    pub(crate) const fn of(file: File, name: String) -> Self {
        Self { name, file }
    }

    /// Says, once, that a person has to type it.
    fn tell_if_terminal(&self) {
        static IS_TOLD: AtomicBool = AtomicBool::new(false);
        if rustix::termios::isatty(&self.file) && !IS_TOLD.swap(true, Ordering::Relaxed) {
            remark("reading from the terminal; Ctrl-D ends the input");
        }
    }

    /// Returns what to call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns how long it is, if it is a regular file.
    pub(crate) fn length(&self) -> Option<u64> {
        length_of(&self.file)
    }

    /// Returns the same open file, to wait until there is something to read.
    pub(crate) fn waited_for(&self) -> Result<File, Failure> {
        self.file.try_clone().map_err(|error| Failure::io(&self.name, error))
    }

    /// Returns the open file, for reading piece by piece, and what to call it.
    pub(crate) fn into_file(self) -> (PatientFile<File>, String) {
        grow_pipe(&self.file);
        (PatientFile::new(self.file), self.name)
    }

    /// Gives it to the front door of the library.
    pub(crate) fn into_envelope_input(self) -> Result<brine_core::Input, Failure> {
        grow_pipe(&self.file);
        let Some((offset, bytes)) = extent(&self.file, 0) else {
            return Ok(brine_core::Input::new(PatientFile::new(self.file)));
        };
        let again = self.file.try_clone().map_err(|error| Failure::io(&self.name, error))?;
        // What has an extent is a regular file, which nobody waits for.
        Ok(brine_core::Input::new(self.file).anywhere(Arc::new(FileAt::new(again)), offset, bytes))
    }

    /// Reads all of it, refusing more than `limit` bytes before there is memory for them.
    pub(crate) fn read(self, limit: u64) -> Result<Vec<u8>, Failure> {
        match self.read_up_to(limit)? {
            Arrived::All(bytes) => Ok(bytes),
            Arrived::Large(large) => Err(too_large(&large.name, limit)),
        }
    }

    /// Reads a secret of `limit` bytes or fewer; `None` if there are more.
    pub(crate) fn read_secret(self, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        read_wiped(&self.file, limit).map_err(|error| Failure::io(&self.name, error))
    }

    /// Reads all of it, if it is `most` bytes or fewer.
    pub(crate) fn read_up_to(self, most: u64) -> Result<Arrived, Failure> {
        let Self { file, name } = self;
        let mut bytes = Vec::new();
        let expected = length_of(&file).unwrap_or(0);
        // One byte more than expected, so that the end is seen without growing.
        let capacity = usize::try_from(expected).unwrap_or(usize::MAX).saturating_add(1);
        if expected <= most && bytes.try_reserve_exact(capacity).is_ok() {
            let read = PatientFile::new(&file).take(most.saturating_add(1)).read_to_end(&mut bytes);
            read.map_err(|error| Failure::io(&name, error))?;
            if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
                return Ok(Arrived::All(bytes));
            }
        }
        Ok(Arrived::Large(LargeInput { beginning: bytes, file, name }))
    }
}

/// The result of reading as much as there is room for.
pub(crate) enum Arrived {
    All(Vec<u8>),
    Large(LargeInput),
}

/// An input that does not fit memory.
pub(crate) struct LargeInput {
    /// What was read of it already, which can be nothing.
    pub(crate) beginning: Vec<u8>,
    /// Where the rest is.
    pub(crate) file: File,
    /// What to call that.
    pub(crate) name: String,
}

impl LargeInput {
    /// Returns where in a regular file it begins, and how long it is.
    pub(crate) fn extent(&self) -> Option<(u64, u64)> {
        extent(&self.file, self.beginning.len())
    }
}

/// Says that an input is larger than what is taken.
pub(crate) fn too_large(name: &str, limit: u64) -> Failure {
    Failure::reading(name, FormError::TooLarge { limit }.into())
}

/// Returns where in a regular file an input begins of which `read` bytes have been read, and how long it is.
pub(crate) fn extent(file: &File, read: usize) -> Option<(u64, u64)> {
    let length = length_of(file)?;
    // A file that was handed over open may have been read in part by somebody else.
    let now = { file }.stream_position().ok()?;
    let offset = now.checked_sub(u64::try_from(read).ok()?)?;
    // Bytes that were read and are not there were never counted: a file of the system says that it is empty.
    let left = length.checked_sub(now)?;
    if left == 0 && read == 0 { None } else { Some((offset, left.checked_add(now - offset)?)) }
}

/// Returns how long a file is, if it is a regular one.
pub(crate) fn length_of(file: &File) -> Option<u64> {
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len())
}

/// A file that is read from anywhere, from an offset on.
#[derive(Debug)]
pub(crate) struct FileAt {
    file: File,
    offset: u64,
}

impl FileAt {
    pub(crate) const fn new(file: File) -> Self {
        Self { file, offset: 0 }
    }

    /// Counts offsets from `offset` on.
    pub(crate) const fn from(file: File, offset: u64) -> Self {
        Self { file, offset }
    }
}

impl ReadAt for FileAt {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.file, room, self.offset.saturating_add(offset))
    }
}

/// Opens a file for reading, or the descriptor that a path stands for.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    match Descriptor::named_by(path) {
        Some(descriptor) => descriptor.duplicate(),
        None => File::open(path),
    }
}

/// Reads a small file that may hold a secret, such as a key or a passphrase.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let unreadable = |source| Failure::Unreadable { path: PathBuf::from(path), source };
    let file = open(path).map_err(unreadable)?;
    read_small(&file).map_err(unreadable)
}

/// Reads a small file, which may hold a secret, to its end.
pub(crate) fn read_small(file: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "over 4 MiB");
    read_wiped(file, MAX_SMALL_BYTES)?.ok_or_else(too_large)
}

/// Reads all of a file that is `most` bytes or fewer into memory that is wiped. A vector that grows leaves copies
/// behind: this one is replaced, and wiped, instead.
fn read_wiped(file: &File, most: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let expected = length_of(file).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut source = PatientFile::new(file);
    let mut room =
        Zeroizing::new(vec![0; expected.max(MIN_SECRET_ROOM).min(most).saturating_add(1)]);
    let mut filled = 0;
    loop {
        match source.read(room.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled > most {
            return Ok(None);
        }
        if filled == room.len() {
            let mut larger = Zeroizing::new(vec![0; room.len().saturating_mul(2)]);
            larger.get_mut(..filled).unwrap_or_default().copy_from_slice(&room);
            room = larger;
        }
    }
    room.truncate(filled);
    Ok(Some(room))
}

/// Lets a pipe hold as much as an unprivileged process may ask for, so that both ends work at once.
///
/// It is a pipe or it is not, and the system grants it or does not: neither changes what is done.
pub(crate) fn grow_pipe(file: &File) {
    let _ = rustix::pipe::fcntl_setpipe_size(file, PIPE_BYTES);
}

/// Linux's default for `fs.pipe-max-size`.
const PIPE_BYTES: usize = 1024 * 1024;

/// The largest key, trust or passphrase file, in bytes.
const MAX_SMALL_BYTES: u64 = 4 * 1024 * 1024;

/// How much room there is for a secret whose length is not known, in bytes.
const MIN_SECRET_ROOM: usize = 1023;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// From a pipe, whose length nobody knows.
    #[test]
    fn a_secret_is_read_to_its_end_or_its_limit() {
        for length in [0, 1, 1023, 1024, 1025, 4096, 65_535, 65_536] {
            let secret: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let (read, write) = rustix::pipe::pipe().unwrap();
            let writer = std::thread::spawn({
                let secret = secret.clone();
                move || File::from(write).write_all(&secret).unwrap()
            });
            let found = read_wiped(&File::from(read), 65_535).unwrap();
            writer.join().unwrap();
            let expected = (length <= 65_535).then_some(secret);
            assert!(found.as_deref() == expected.as_ref(), "{length}");
        }
    }
}
