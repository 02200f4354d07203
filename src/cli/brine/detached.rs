//! Signatures beside the files that they are for.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::cli::input::Input;
use crate::cli::progress::{Progress, Show};
use crate::error::Error;
use crate::hash::{Digest, HashAlgorithm, Hasher, ReadAt, digest_of};

/// What a detached signature is made over.
pub(super) enum Content {
    /// All of it, where that is not much.
    Bytes(Vec<u8>),
    /// The digest of what is larger.
    Digest(Digest),
}

impl Content {
    /// Reads what fits `most` bytes, and hashes what does not.
    pub(super) fn read(
        input: Input,
        most: usize,
        hash: HashAlgorithm,
        threads: usize,
        show: Show,
    ) -> Result<Self, Failure> {
        let (file, name) = input.into_file();
        let failed = |error| Failure::io(&name, error);
        let mut beginning = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        (&file).take(limit).read_to_end(&mut beginning).map_err(failed)?;
        if beginning.len() <= most {
            return Ok(Self::Bytes(beginning));
        }
        let hashed = digest(file, beginning, hash, threads, show).map_err(failed)?;
        Ok(Self::Digest(hashed.digest))
    }
}

/// Hashes an input of any size, of which nothing has been read yet.
pub(super) fn digest_input(
    input: Input,
    hash: HashAlgorithm,
    threads: usize,
    show: Show,
) -> Result<Hashed, Failure> {
    let (file, name) = input.into_file();
    digest(file, Vec::new(), hash, threads, show).map_err(|error| Failure::io(name, error))
}

/// A digest, and of how many bytes it is.
pub(super) struct Hashed {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

/// Hashes a regular file on all threads, and anything else as it comes, after its `beginning`.
fn digest(
    mut file: File,
    beginning: Vec<u8>,
    hash: HashAlgorithm,
    threads: usize,
    show: Show,
) -> io::Result<Hashed> {
    let before = file.metadata()?;
    let length = Some(before.len()).filter(|length| before.is_file() && *length > 0);
    let progress = Progress::start(length, show);
    let read = u64::try_from(beginning.len()).unwrap_or(u64::MAX);
    // A file that was handed over open may have been read in part by somebody else. What says that it
    // is empty may be a file of the system, which has no length before it is read.
    let is_at_start = || io::Seek::stream_position(&mut &file).is_ok_and(|now| now == read);
    if let Some(bytes) = length.filter(|length| *length >= read && is_at_start()) {
        let counted = Counted { file: &file, progress: &progress };
        let digest = digest_of(hash, &counted, bytes, threads)?;
        refuse_change(&before, &file)?;
        return Ok(Hashed { digest, bytes });
    }
    let mut hasher = Hasher::new(hash);
    hasher.update(&beginning);
    let mut bytes = read;
    let mut piece = beginning;
    piece.resize(PIECE_BYTES, 0);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Hashed { digest: hasher.finish(), bytes }),
            Ok(count) => {
                hasher.update(piece.get(..count).unwrap_or_default());
                progress.advance(count);
                bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Fails if a regular file is not what it was, or is longer than it says.
pub(super) fn refuse_change(before: &Metadata, file: &File) -> io::Result<()> {
    let after = file.metadata()?;
    let same = before.len() == after.len()
        && (before.mtime(), before.mtime_nsec()) == (after.mtime(), after.mtime_nsec())
        && FileExt::read_at(file, &mut [0], before.len())? == 0;
    if same { Ok(()) } else { Err(io::Error::other("it changed while it was read")) }
}

impl ReadAt for File {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, room, offset)
    }
}

/// A file of which what is read is counted.
struct Counted<'a> {
    file: &'a File,
    progress: &'a Progress,
}

impl ReadAt for Counted<'_> {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = FileExt::read_at(self.file, room, offset)?;
        self.progress.advance(read);
        Ok(read)
    }
}

/// Where the signature of a file lies if nothing is said: `FILE.brine`.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".brine");
    PathBuf::from(name)
}

/// Compares a file with the digest that was signed.
pub(super) fn compare(digest: &Digest, signed: &[u8]) -> Result<(), Error> {
    if digest.as_ref() == signed { Ok(()) } else { Err(Error::DigestMismatch) }
}

const PIECE_BYTES: usize = 1024 * 1024;
