//! Writing results: to standard output, a file or a device.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use brine_core::text::{is_harmless, quoted};
use brine_keys::{MAX_KEY_FILE_BYTES, is_private_key};

use super::descriptor::{Descriptor, is_of_another_process};
use super::input::read_small;
use super::overwrite_guard::{GuardedPlace, OverwriteGuard};
use super::patient_file::PatientFile;
use super::trail::{LinkRule, Trail, followed};
use super::whole_file::{Access, Existing, WholeFile};
use crate::report::Failure;

/// Where a result goes. Nothing is opened or written before there is a result.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    target: Target,
    rule: LinkRule,
}

#[derive(Clone, Debug)]
enum Target {
    /// A descriptor that is open already, as standard output is; `insisted` on with `-o -`, even a terminal takes
    /// anything.
    Descriptor { descriptor: Descriptor, insisted: bool },
    /// A device or FIFO, which is written in place.
    Device(PathBuf),
    /// A regular file, or what will be one.
    File(PathBuf, Existing),
}

impl Target {
    /// Plans what is written in place, which no regular file is.
    fn device(path: &Path) -> Result<Self, Failure> {
        match fs::metadata(path).is_ok_and(|found| found.is_file()) {
            true => Err(Failure::WrittenInPlace { path: path.to_owned() }),
            false => Ok(Self::Device(path.to_owned())),
        }
    }

    /// Plans a file. The way to it is looked at now, before there is anything to lose, and again when it is opened.
    fn file(path: &Path, existing: Existing) -> Result<Self, Failure> {
        followed(path, LinkRule::Protected)?;
        Ok(Self::File(path.to_owned(), existing))
    }
}

impl Output {
    /// Takes what `-o` says, and refuses what the command reads or writes already, and what keeps keys or trust.
    /// `what` is what the result is called.
    pub(crate) fn plan(
        what: &'static str,
        path: Option<&Path>,
        guard: &mut OverwriteGuard,
    ) -> Result<Self, Failure> {
        let descriptor = |descriptor, insisted| Target::Descriptor { descriptor, insisted };
        let target = match path {
            None => descriptor(Descriptor::STDOUT, false),
            Some(path) if path == Path::new("-") => descriptor(Descriptor::STDOUT, true),
            Some(path) => match Descriptor::named_by(path) {
                Some(named) => descriptor(named, false),
                None if !becomes_a_file(path) => Target::device(path)?,
                None => Target::file(path, Existing::Replace)?,
            },
        };
        Self { target, rule: LinkRule::Protected }.claimed(what, guard)
    }

    /// Plans standard output.
    pub(crate) fn stdout(guard: &mut OverwriteGuard) -> Result<Self, Failure> {
        Self::plan("output", None, guard)
    }

    /// Plans a new file that must not exist.
    pub(crate) fn new_file(
        what: &'static str,
        path: PathBuf,
        guard: &mut OverwriteGuard,
    ) -> Result<Self, Failure> {
        if fs::symlink_metadata(&path).is_ok() {
            return Err(Failure::Exists { path });
        }
        let target = Target::file(&path, Existing::Keep)?;
        Self { target, rule: LinkRule::Protected }.claimed(what, guard)
    }

    /// Plans a file under a name that nobody typed. What is there is replaced only if that was asked for, and only if
    /// it is a file itself, and no link.
    pub(crate) fn derived(
        what: &'static str,
        path: PathBuf,
        existing: Existing,
        guard: &mut OverwriteGuard,
    ) -> Result<Self, Failure> {
        match fs::symlink_metadata(&path) {
            Ok(found) if existing == Existing::Replace && found.is_file() => {
                Self::plan(what, Some(&path), guard)
            }
            Ok(_) if existing == Existing::Replace => Err(Failure::NotReplaced { path }),
            _ => Self::new_file(what, path, guard),
        }
    }

    /// Follows no link of another user, wherever that is, when it is opened: a job may run for long before that.
    pub(crate) fn by_own_links(self) -> Self {
        Self { rule: LinkRule::Own, ..self }
    }

    fn claimed(self, what: &'static str, guard: &mut OverwriteGuard) -> Result<Self, Failure> {
        match &self.target {
            // What is not open is an error when it is written.
            Target::Descriptor { descriptor, .. } => {
                if let Ok(file) = descriptor.duplicate() {
                    guard.claim(what, GuardedPlace::of_descriptor(file))?;
                }
            }
            Target::Device(path) => guard.claim(what, GuardedPlace::of_path(path))?,
            Target::File(path, existing) => {
                guard.claim_replaced(what, GuardedPlace::of_path(path))?;
                if *existing == Existing::Replace && holds_private_key(path) {
                    return Err(Failure::PrivateKey { path: path.clone() });
                }
            }
        }
        Ok(self)
    }

    /// Returns whether it is a file that appears when everything is written.
    pub(crate) const fn appears_at_the_end(&self) -> bool {
        matches!(self.target, Target::File(..))
    }

    /// Returns whether a person may see it as it comes.
    pub(crate) fn is_seen(&self) -> bool {
        match &self.target {
            Target::Descriptor { descriptor, .. } => descriptor.is_terminal(),
            Target::Device(_) => true,
            Target::File(..) => false,
        }
    }

    /// Returns whether it is a terminal that takes text only.
    pub(crate) fn is_terminal(&self) -> bool {
        match &self.target {
            Target::Descriptor { descriptor, insisted } => !insisted && descriptor.is_terminal(),
            Target::Device(_) | Target::File(..) => false,
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
        let written = content(&mut opened.writer()).map_err(|error| self.failed(error));
        written.and_then(|()| self.finish(opened))
    }

    /// Writes text.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.write(Access::Ordinary, |output| output.write_all(text.as_bytes()))
    }

    /// Opens it, for a result that comes piece by piece. [`finish`](Self::finish) makes it appear.
    pub(crate) fn open(&self, access: Access) -> Result<Opened, Failure> {
        let in_place = match &self.target {
            // Past the line buffer of `io::stdout`, which would scan and copy everything.
            Target::Descriptor { descriptor, .. } => descriptor.duplicate(),
            Target::Device(path) => return self.open_device(path).map(Opened::InPlace),
            Target::File(path, existing) => {
                return WholeFile::create(path, access, *existing, self.rule).map(Opened::Whole);
            }
        };
        in_place.map(Opened::InPlace).map_err(|error| self.failed(error))
    }

    /// Opens what is no regular file, not even by now: it would be written over from its beginning.
    fn open_device(&self, path: &Path) -> Result<File, Failure> {
        let place = followed_in_place(path, self.rule)?;
        let opened = OpenOptions::new().write(true).open(place);
        let file = opened.map_err(|error| self.failed(error))?;
        match file.metadata().is_ok_and(|found| found.is_file()) {
            true => Err(Failure::WrittenInPlace { path: path.to_owned() }),
            false => Ok(file),
        }
    }

    /// Opens it for what has not been judged yet, if nobody can see that before it is finished.
    pub(crate) fn open_unseen(&self, access: Access) -> Option<Opened> {
        match &self.target {
            Target::File(path, existing) => {
                WholeFile::create_unnamed(path, access, *existing, self.rule).map(Opened::Whole)
            }
            Target::Descriptor { .. } | Target::Device(_) => None,
        }
    }

    /// Lets a file appear under its name.
    pub(crate) fn finish(&self, opened: Opened) -> Result<(), Failure> {
        match opened {
            Opened::InPlace(_) => Ok(()),
            Opened::Whole(file) => file.finish(),
        }
    }

    /// Says what could not be written.
    pub(crate) fn failed(&self, error: io::Error) -> Failure {
        Failure::unwritten(self.name(), error)
    }

    fn name(&self) -> String {
        match &self.target {
            Target::Descriptor { descriptor, .. } => descriptor.name(),
            Target::Device(path) | Target::File(path, _) => quoted(path).to_string(),
        }
    }
}

/// Returns whether what is written to a path becomes a file of that name. Nothing may take the place of a device, or of
/// what is open already.
pub(crate) fn becomes_a_file(path: &Path) -> bool {
    let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
    let is_open = Descriptor::named_by(path).is_some() || is_of_another_process(path);
    !is_special && !is_open
}

/// Returns whether a file is that of a private key, which nothing is written over.
fn holds_private_key(path: &Path) -> bool {
    let most = u64::try_from(MAX_KEY_FILE_BYTES).unwrap_or(u64::MAX);
    let is_small = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= most);
    let content = is_small.then(|| File::open(path).and_then(|file| read_small(&file)));
    content.is_some_and(|content| content.is_ok_and(|bytes| is_private_key(&bytes)))
}

/// Returns where to open what is written in place. The link to an open file of another process has no end to follow
/// by its name; any other way is followed by the rule, and has no links left.
pub(crate) fn followed_in_place(path: &Path, rule: LinkRule) -> Result<PathBuf, Failure> {
    if !is_of_another_process(path) {
        return followed(path, rule);
    }
    Trail::of(path).refuse_foreign_link(rule)?;
    Ok(path.to_owned())
}

/// An output that is being written.
#[derive(Debug)]
pub(crate) enum Opened {
    InPlace(File),
    Whole(WholeFile),
}

impl Opened {
    /// Returns the open file, for everything but writing.
    pub(crate) fn file(&self) -> &File {
        match self {
            Self::InPlace(file) => file,
            Self::Whole(file) => file.file(),
        }
    }

    /// Returns what writes to it.
    pub(crate) fn writer(&self) -> PatientFile<&File> {
        PatientFile::new(self.file())
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
