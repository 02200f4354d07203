//! Writing results: to standard output, a file or a device.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use brine_core::text::is_harmless;
use rustix::stdio;

use super::overwrite_guard::{Identity, OverwriteGuard};
use super::whole_file::{self, Access, Existing, WholeFile};
use crate::report::Failure;

/// Where a result goes. Nothing is opened or written before there is a result.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    target: Target,
}

#[derive(Clone, Debug)]
enum Target {
    /// A device or FIFO, which is written in place.
    Device(PathBuf),
    /// A regular file, or what will be one.
    File(PathBuf, Existing),
    /// Standard output; `insisted` on with `-o -`, even a terminal takes anything.
    Stdout { insisted: bool },
}

impl Output {
    /// Takes what `-o` says, and refuses a file that the command reads, or that keeps keys or trust.
    pub(crate) fn plan(path: Option<&Path>, guard: &OverwriteGuard) -> Result<Self, Failure> {
        let target = match path {
            None => Target::Stdout { insisted: false },
            Some(path) if path == Path::new("-") => Target::Stdout { insisted: true },
            Some(path) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
                Target::Device(path.to_owned())
            }
            Some(path) => Target::File(path.to_owned(), Existing::Replace),
        };
        let output = Self { target };
        guard.refuse(output.identity())?;
        Ok(output)
    }

    /// Plans standard output for a command that reads nothing it could write over.
    pub(crate) const fn stdout() -> Self {
        Self { target: Target::Stdout { insisted: false } }
    }

    /// Returns whether both write to the same file, or will.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let place = |output: &Self| match &output.target {
            Target::File(path, _) => Some(whole_file::resolved(path)),
            Target::Device(_) | Target::Stdout { .. } => None,
        };
        let same_file = self.identity().is_some() && self.identity() == other.identity();
        same_file || (place(self).is_some() && place(self) == place(other))
    }

    fn identity(&self) -> Option<Identity> {
        match &self.target {
            Target::Stdout { .. } => Identity::of_stdout(),
            Target::Device(path) | Target::File(path, _) => Identity::of_path(path),
        }
    }

    /// Plans a new file that must not exist.
    pub(crate) fn new_file(path: PathBuf) -> Result<Self, Failure> {
        if fs::symlink_metadata(&path).is_ok() {
            return Err(Failure::Exists { path });
        }
        Ok(Self { target: Target::File(path, Existing::Keep) })
    }

    /// Returns whether a person may see it as it comes.
    pub(crate) fn is_seen(&self) -> bool {
        match &self.target {
            Target::Stdout { .. } => rustix::termios::isatty(stdio::stdout()),
            Target::Device(_) => true,
            Target::File(..) => false,
        }
    }

    /// Returns whether it is a terminal that takes text only.
    pub(crate) fn is_terminal(&self) -> bool {
        match &self.target {
            Target::Stdout { insisted: false } => rustix::termios::isatty(stdio::stdout()),
            Target::Stdout { insisted: true } | Target::Device(_) | Target::File(..) => false,
        }
    }

    /// Refuses to write what is not text to a terminal.
    pub(crate) fn refuse_terminal(&self, what: &'static str) -> Result<(), Failure> {
        if self.is_terminal() { Err(Failure::BinaryToTerminal { what }) } else { Ok(()) }
    }

    /// Writes the result.
    pub(crate) fn write(
        &self,
        access: Access,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let opened = self.open(access)?;
        let written = content(&mut opened.file()).map_err(|error| self.failed(error));
        written.and_then(|()| self.finish(opened))
    }

    /// Writes text.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.write(Access::Ordinary, |output| output.write_all(text.as_bytes()))
    }

    /// Opens it, for a result that comes piece by piece. [`finish`](Self::finish) makes it appear.
    pub(crate) fn open(&self, access: Access) -> Result<Opened, Failure> {
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

    /// Opens it for what has not been judged yet, if nobody can see that before it is finished.
    pub(crate) fn open_unseen(&self, access: Access) -> Option<Opened> {
        match &self.target {
            Target::File(path, existing) => {
                WholeFile::create_unnamed(path, access, *existing).map(Opened::Whole)
            }
            Target::Device(_) | Target::Stdout { .. } => None,
        }
    }

    /// Lets a file appear under its name.
    pub(crate) fn finish(&self, opened: Opened) -> Result<(), Failure> {
        match opened {
            Opened::InPlace(_) => Ok(()),
            Opened::Whole(file) => file.finish().map_err(|error| self.failed(error)),
        }
    }

    /// Says what could not be written.
    pub(crate) fn failed(&self, error: io::Error) -> Failure {
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
pub(crate) enum Opened {
    InPlace(File),
    Whole(WholeFile),
}

impl Opened {
    /// Returns the open file.
    pub(crate) fn file(&self) -> &File {
        match self {
            Self::InPlace(file) => file,
            Self::Whole(file) => file.file(),
        }
    }
}

/// Text that comes in pieces, which may end inside a character.
#[derive(Debug, Default)]
pub(crate) struct TextPieces {
    rest: Vec<u8>,
}

impl TextPieces {
    /// Adds a piece and returns all complete characters that were not returned yet; `None` if they
    /// are not for a terminal.
    pub(crate) fn add(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let mut text = std::mem::take(&mut self.rest);
        text.extend_from_slice(piece);
        if let Err(error) = std::str::from_utf8(&text) {
            if error.error_len().is_some() {
                return None;
            }
            self.rest = text.split_off(error.valid_up_to());
        }
        is_printable(&text).then_some(text)
    }

    /// Returns whether the beginning of a character waits for more.
    pub(crate) const fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }
}

/// Returns whether a terminal would show `bytes` as they are and do nothing else with them.
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    // Variation selectors choose the shape of the character before them, as many an emoji needs.
    let shown = |c: char| matches!(c, '\n' | '\t' | '\u{fe00}'..='\u{fe0f}');
    let harmless = |c: char| shown(c) || is_harmless(c);
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(harmless))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_pieces_is_shown_character_by_character_and_controls_are_not() {
        let show = |pieces: &[&[u8]]| {
            let mut text = TextPieces::default();
            let shown: Option<Vec<_>> = pieces.iter().map(|piece| text.add(piece)).collect();
            (shown.map(|pieces| pieces.concat()), text.has_rest())
        };
        let euro = "€".as_bytes();
        for cut in 0..=euro.len() {
            assert_eq!(show(&[&euro[..cut], &euro[cut..]]), (Some(euro.to_vec()), false));
        }
        assert_eq!(show(&[b"a\xe2\x82"]), (Some(b"a".to_vec()), true));
        assert_eq!(show(&[b"a\xe2\x82", b"b"]).0, None);
        assert_eq!(show(&[b"a", b"\x1b[2J"]).0, None);
        let heart = "\u{2764}\u{fe0f}".as_bytes();
        assert_eq!(show(&[heart]).0, Some(heart.to_vec()));
        assert_eq!(show(&["a\u{202e}b".as_bytes()]).0, None);
        // U+009B, a control character, in two pieces.
        assert_eq!(show(&[b"\xc2", b"\x9b2J"]).0, None);
    }
}
