//! Writing results: to standard output, a file or a device.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::stdio;

use super::failure::Failure;
use super::input::{Identity, refuse_closed};
use super::whole_file::{Access, Existing, WholeFile};

/// Where a result goes. Nothing is opened or written before there is a result.
#[derive(Debug)]
pub(super) struct Output {
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A device or FIFO, which is written in place.
    Device(PathBuf),
    /// A regular file, or what will be one.
    File(PathBuf, Existing),
    /// Standard output; `insisted` on with `-o -`, even a terminal takes anything.
    Stdout { insisted: bool },
}

impl Output {
    /// Takes what `-o` says, and refuses a file that the command also reads.
    pub(super) fn plan(path: Option<&Path>, reads: &[Option<Identity>]) -> Result<Self, Failure> {
        let (target, identity) = match path {
            None => (Target::Stdout { insisted: false }, Identity::of_stdout()),
            Some(path) if path == Path::new("-") => {
                (Target::Stdout { insisted: true }, Identity::of_stdout())
            }
            Some(path) => {
                let other = fs::metadata(path).is_ok_and(|found| !found.is_file());
                let path = path.to_owned();
                let identity = Identity::of_path(&path);
                if other {
                    (Target::Device(path), identity)
                } else {
                    (Target::File(path, Existing::Replace), identity)
                }
            }
        };
        if identity.is_some() && reads.contains(&identity) {
            return Err(Failure::SameFile);
        }
        if matches!(target, Target::Stdout { .. }) {
            refuse_closed(&stdio::stdout(), "standard output")?;
        }
        Ok(Self { target })
    }

    /// Plans a new file that must not exist.
    pub(super) fn beside(path: PathBuf) -> Result<Self, Failure> {
        if fs::symlink_metadata(&path).is_ok() {
            return Err(Failure::Exists { path });
        }
        Ok(Self { target: Target::File(path, Existing::Keep) })
    }

    /// Refuses to write what is not text to a terminal.
    pub(super) fn refuse_terminal(&self, what: &'static str) -> Result<(), Failure> {
        let terminal = match &self.target {
            Target::Stdout { insisted: false } => rustix::termios::isatty(stdio::stdout()),
            Target::Stdout { insisted: true } | Target::Device(_) | Target::File(..) => false,
        };
        if terminal { Err(Failure::BinaryToTerminal { what }) } else { Ok(()) }
    }

    /// Writes the result.
    pub(super) fn write(
        &self,
        access: Access,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let opened = self.open(access)?;
        let written = content(&mut opened.file()).map_err(|error| self.failed(error));
        written.and_then(|()| self.finish(opened))
    }

    /// Opens it, for a result that comes piece by piece. [`finish`](Self::finish) makes it appear.
    pub(super) fn open(&self, access: Access) -> Result<Opened, Failure> {
        let opened = match &self.target {
            // Past the line buffer of `io::stdout`, which would scan and copy everything.
            Target::Stdout { .. } => rustix::io::dup(stdio::stdout())
                .map(|stdout| Opened::InPlace(File::from(stdout)))
                .map_err(io::Error::from),
            Target::Device(path) => OpenOptions::new().write(true).open(path).map(Opened::InPlace),
            Target::File(path, existing) => {
                WholeFile::create(path, access, *existing).map(Opened::Whole)
            }
        };
        opened.map_err(|error| self.failed(error))
    }

    /// Lets a file appear under its name.
    pub(super) fn finish(&self, opened: Opened) -> Result<(), Failure> {
        match opened {
            Opened::InPlace(_) => Ok(()),
            Opened::Whole(file) => file.finish().map_err(|error| self.failed(error)),
        }
    }

    /// Says what could not be written.
    pub(super) fn failed(&self, error: io::Error) -> Failure {
        match &self.target {
            Target::File(path, _) if error.kind() == io::ErrorKind::AlreadyExists => {
                Failure::Exists { path: path.clone() }
            }
            _ => Failure::io(self.name(), error),
        }
    }

    fn name(&self) -> String {
        match &self.target {
            Target::Stdout { .. } => "standard output".to_owned(),
            Target::Device(path) | Target::File(path, _) => format!("{path:?}"),
        }
    }
}

/// An output that is being written.
#[derive(Debug)]
pub(super) enum Opened {
    InPlace(File),
    Whole(WholeFile),
}

impl Opened {
    /// Returns the open file.
    pub(super) fn file(&self) -> &File {
        match self {
            Self::InPlace(file) => file,
            Self::Whole(file) => file.file(),
        }
    }
}

/// Returns whether a terminal would show `bytes` as they are and do nothing else with them.
pub(super) fn is_printable(bytes: &[u8]) -> bool {
    let harmless = |c: char| matches!(c, '\n' | '\t') || !c.is_control();
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(harmless))
}
