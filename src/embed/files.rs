//! Files that are verified, and files that are signed into.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brine_core::Input;
use brine_core::hash::ReadAt;
use brine_core::text::quoted;

use super::Refused;
use crate::report::Failure;
use crate::world::input::{self, FileAt, InputFile, extent};
use crate::world::output::{Opened, Output};
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::patient_file::PatientFile;
use crate::world::signature_name;
use crate::world::whole_file::Access;

/// Is called by long work between two pieces of it, on any thread. Its error ends the work.
pub type Heed = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// Returns how many threads to work with: as many as were asked for, else one for each processor.
#[must_use]
pub fn threads(asked: Option<NonZero<usize>>) -> usize {
    crate::world::threads(asked)
}

/// Returns where the signature of a file lies unless another place is named.
#[must_use]
pub fn signature_of(file: &Path) -> PathBuf {
    signature_name::signature_of(file)
}

/// A file that is read.
#[derive(Debug)]
pub struct InFile(InputFile);

impl InFile {
    /// Opens `path`, which may stand for an open descriptor, as `/dev/fd/3` does. It is called `name`.
    ///
    /// # Errors
    ///
    /// `io`.
    pub fn open(path: &Path, name: &Path) -> Result<Self, Refused> {
        let name = quoted(name).to_string();
        let file = input::open(path).map_err(|error| Failure::io(&name, error))?;
        Ok(Self(InputFile::of(file, name)))
    }

    /// Returns what to call it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Returns how long it is, if it is a regular file.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.0.length()
    }

    /// Gives it to the front door of the library.
    ///
    /// # Errors
    ///
    /// `io`.
    pub fn into_input(self, heed: &Heed) -> Result<Input, Refused> {
        let (file, name) = self.0.into_file();
        let Some((offset, bytes)) = extent(file.as_file(), 0) else {
            return Ok(Input::new(Heeding::new(file, heed)));
        };
        let again = file.as_file().try_clone().map_err(|error| Failure::io(name, error))?;
        let anywhere = Heeding::new(FileAt::new(again), heed);
        Ok(Input::new(Heeding::new(file, heed)).anywhere(Arc::new(anywhere), offset, bytes))
    }

    /// Returns what reads it, from its position on.
    #[must_use]
    pub fn into_reader(self, heed: &Heed) -> impl Read + Send + 'static {
        Heeding::new(self.0.into_file().0, heed)
    }
}

/// A source that asks between two pieces whether to go on.
struct Heeding<S> {
    source: S,
    heed: Heed,
}

impl<S> Heeding<S> {
    fn new(source: S, heed: &Heed) -> Self {
        Self { source, heed: Arc::clone(heed) }
    }
}

impl<S: Read> Read for Heeding<S> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        // Heads of a few bytes are no pieces.
        if room.len() > HEEDED_BYTES {
            (self.heed)()?;
        }
        self.source.read(room)
    }
}

impl<S: ReadAt> ReadAt for Heeding<S> {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.heed)()?;
        self.source.read_at(room, offset)
    }
}

/// A file that appears under its name, whole, when it is finished. If it is dropped, nothing appears.
#[derive(Debug)]
pub struct NewFile {
    output: Output,
    opened: Opened,
}

impl NewFile {
    /// Makes one that is to be called `path`. It may take the place of a file there, or, with `is_new`, of none.
    ///
    /// # Errors
    ///
    /// What the programs say of an output: `usage`, `io`, and that it would replace a key or what decides.
    pub fn create(path: &Path, is_new: bool) -> Result<Self, Refused> {
        let path = std::path::absolute(path).map_err(|error| Failure::io("directory", error))?;
        let mut guard = OverwriteGuard::default();
        let output = match is_new {
            true => Output::new_file("output", path, &mut guard)?,
            false => Output::plan("output", Some(&path), &mut guard)?,
        };
        let opened = output.open(Access::Ordinary)?;
        Ok(Self { output, opened })
    }

    /// Returns what writes to it.
    ///
    /// # Errors
    ///
    /// `io`.
    pub fn writer(&self) -> Result<impl Write + Send + 'static, Refused> {
        let file: File =
            self.opened.file().try_clone().map_err(|error| self.output.failed(error))?;
        Ok(PatientFile::new(file))
    }

    /// Says what could not be written.
    #[must_use]
    pub fn failed(&self, error: io::Error) -> Refused {
        self.output.failed(error).into()
    }

    /// Gives it its name.
    ///
    /// # Errors
    ///
    /// `io`.
    pub fn finish(self) -> Result<(), Refused> {
        let Self { output, opened } = self;
        Ok(output.finish(opened)?)
    }
}

/// Reads of this many bytes and fewer are not worth a question.
const HEEDED_BYTES: usize = 4096;
