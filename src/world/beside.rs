//! Content that lies beside its signature.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _};
use std::num::NonZero;
use std::os::unix::fs::{FileExt, MetadataExt as _};

use brine_core::hash::{HashAlgorithm, Hasher, ReadAt, digest_of};
use brine_core::{Beside, Hashed, MAX_MEMORY_BYTES, WholeContent};

use super::input::{Arrived, FileAt, InputFile};
use super::patient_file::PatientFile;
use super::progress::{Progress, Show};
use super::spool::Spool;
use super::threads;
use crate::report::Failure;

/// How content is hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashWork {
    pub(crate) threads: Option<NonZero<usize>>,
    pub(crate) show: Show,
}

/// A file, or standard input, whose signature is elsewhere.
pub(crate) struct ContentFile {
    file: PatientFile<File>,
    name: String,
    work: HashWork,
    kept: Option<KeptContent>,
}

/// What was given out of content that does not fit memory.
enum KeptContent {
    /// A regular file, as it was before.
    File(FileAt, Metadata),
    /// A copy, made because the length is signed before the content and known only at its end.
    Spool(Spool),
}

impl ContentFile {
    pub(crate) fn new(input: InputFile, work: HashWork) -> Self {
        let (file, name) = input.into_file();
        Self { file, name, work, kept: None }
    }

    /// Returns what to call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Beside for ContentFile {
    fn digest(&mut self, hash: HashAlgorithm) -> io::Result<Hashed> {
        digest(&mut self.file, Vec::new(), hash, self.work)
    }

    fn whole(&mut self) -> io::Result<WholeContent<'_>> {
        let input = InputFile::of(self.file.as_file().try_clone()?, self.name.clone());
        let large = match input.read_up_to(MAX_MEMORY_BYTES).map_err(io::Error::other)? {
            Arrived::All(bytes) => return Ok(WholeContent::Bytes(bytes)),
            Arrived::Large(large) => large,
        };
        let Some((offset, length)) = large.extent() else {
            let spool = large.into_spool().map_err(io::Error::other)?;
            let length = spool.length();
            let spool = self.kept.insert(KeptContent::Spool(spool)).source();
            return Ok(WholeContent::Large(spool, length));
        };
        let before = self.file.as_file().metadata()?;
        let file = FileAt::from(self.file.as_file().try_clone()?, offset);
        let file = self.kept.insert(KeptContent::File(file, before)).source();
        Ok(WholeContent::Large(file, length))
    }

    fn unchanged(&mut self) -> io::Result<()> {
        match &self.kept {
            Some(KeptContent::File(_, before)) => refuse_change(before, self.file.as_file()),
            Some(KeptContent::Spool(_)) | None => Ok(()),
        }
    }
}

impl KeptContent {
    fn source(&self) -> &dyn ReadAt {
        match self {
            Self::File(file, _) => file,
            Self::Spool(spool) => spool,
        }
    }
}

/// Content that is to be signed and left where it is.
pub(crate) enum SignedBeside {
    /// All of it, where that is not much.
    Bytes(Vec<u8>),
    /// The digest of anything larger.
    Digest(Hashed),
}

impl SignedBeside {
    /// Reads content of up to `most` bytes, and hashes larger content.
    pub(crate) fn read(
        input: InputFile,
        most: usize,
        hash: HashAlgorithm,
        work: HashWork,
    ) -> Result<Self, Failure> {
        let (mut file, name) = input.into_file();
        let failed = |error| Failure::io(&name, error);
        let mut beginning = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        file.by_ref().take(limit).read_to_end(&mut beginning).map_err(failed)?;
        if beginning.len() <= most {
            return Ok(Self::Bytes(beginning));
        }
        digest(&mut file, beginning, hash, work).map(Self::Digest).map_err(failed)
    }
}

/// Hashes a regular file on all threads, and anything else as it comes, after its `beginning`.
fn digest(
    input: &mut PatientFile<File>,
    beginning: Vec<u8>,
    hash: HashAlgorithm,
    work: HashWork,
) -> io::Result<Hashed> {
    let file = input.as_file();
    let before = file.metadata()?;
    let length = Some(before.len()).filter(|length| before.is_file() && *length > 0);
    let progress = Progress::start(length, work.show);
    let read = u64::try_from(beginning.len()).unwrap_or(u64::MAX);
    // A file that was handed over open may have been read in part by somebody else. A file that says that it
    // is empty may be a file of the system, which has no length before it is read.
    let is_at_start = { file }.stream_position().is_ok_and(|now| now == read);
    if let Some(bytes) = length.filter(|length| *length >= read && is_at_start) {
        let counted = CountedFile { file, progress: &progress };
        let digest = digest_of(hash, &counted, bytes, threads(work.threads))?;
        refuse_change(&before, file)?;
        return Ok(Hashed { digest, bytes });
    }
    let mut hasher = Hasher::new(hash);
    hasher.update(&beginning);
    let mut bytes = read;
    let mut piece = beginning;
    piece.resize(PIECE_BYTES, 0);
    loop {
        match input.read(&mut piece) {
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
fn refuse_change(before: &Metadata, file: &File) -> io::Result<()> {
    let after = file.metadata()?;
    let same = before.len() == after.len()
        && (before.mtime(), before.mtime_nsec()) == (after.mtime(), after.mtime_nsec())
        && FileExt::read_at(file, &mut [0], before.len())? == 0;
    if same { Ok(()) } else { Err(io::Error::other("it changed while it was read")) }
}

/// A file whose reads count as progress.
struct CountedFile<'a> {
    file: &'a File,
    progress: &'a Progress,
}

impl ReadAt for CountedFile<'_> {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = FileExt::read_at(self.file, room, offset)?;
        self.progress.advance(read);
        Ok(read)
    }
}

const PIECE_BYTES: usize = 1024 * 1024;
