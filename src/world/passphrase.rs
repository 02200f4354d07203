//! Passphrases: from the terminal, or from the source that was configured. Never from argv.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use brine_core::text::{in_words, quoted};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::{home, input};
use crate::args::PassphraseArgs;
use crate::report::{Failure, KeepingFailure};

/// Where passphrases come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(PathBuf),
    /// What the caller has, if anything. Nobody is asked.
    Given(Option<Zeroizing<String>>),
    Terminal,
}

impl Source {
    /// Flags beat the environment, which beats the terminal.
    pub(crate) fn find(args: &PassphraseArgs) -> Self {
        let descriptor = args.passphrase_fd.map(|fd| PathBuf::from(format!("/dev/fd/{fd}")));
        args.passphrase_file
            .clone()
            .or(descriptor)
            .or_else(home::passphrase_file)
            .map_or(Self::Terminal, Self::File)
    }

    /// What a caller gives beats the environment, and a person is never asked.
    pub(crate) fn without_terminal(given: Option<Zeroizing<String>>) -> Self {
        match (given, home::passphrase_file()) {
            (None, Some(path)) => Self::File(path),
            (given, _) => Self::Given(given),
        }
    }

    /// Returns the file that passphrases are read from.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Given(_) | Self::Terminal => None,
        }
    }

    /// Asks for the passphrase of a key that has one. A person may mistype it.
    pub(crate) const fn tries<'a>(&'a self, what: &'a str) -> PassphraseTries<'a> {
        PassphraseTries { source: self, what, asked: 0 }
    }

    /// Returns a passphrase for a new key; `None` if a person left it empty, or cannot be asked.
    pub(crate) fn choose(&self, what: &str) -> Result<Option<Zeroizing<String>>, Failure> {
        match self {
            Self::File(path) => read(path).map(Some),
            Self::Given(given) => Ok(given.clone()),
            Self::Terminal if has_terminal() => choose_at_terminal(what),
            Self::Terminal => Ok(None),
        }
    }
}

/// The passphrase of one key, as often as it is asked for.
#[derive(Debug)]
pub(crate) struct PassphraseTries<'a> {
    source: &'a Source,
    what: &'a str,
    asked: u32,
}

impl PassphraseTries<'_> {
    /// Returns the passphrase, and says that the last one does not fit, if there was one.
    pub(crate) fn passphrase(&mut self) -> Result<Zeroizing<String>, Failure> {
        self.asked += 1;
        match self.source {
            Source::File(path) => read(path),
            Source::Terminal if has_terminal() => {
                let again = again("that passphrase does not fit", self.asked);
                ask(&format!("{again}Passphrase for {}: ", self.what))
            }
            Source::Given(Some(passphrase)) => Ok(passphrase.clone()),
            Source::Given(None) => {
                Err(KeepingFailure::PassphraseAbsent { key: self.what.to_owned() }.into())
            }
            Source::Terminal => {
                Err(KeepingFailure::PassphraseNeeded { key: self.what.to_owned() }.into())
            }
        }
    }

    /// Returns whether it is worth asking again. A file says the same each time.
    pub(crate) const fn has_another(&self) -> bool {
        matches!(self.source, Source::Terminal) && self.asked < MOST_TRIES
    }
}

/// Asks for a new passphrase until it was typed twice; `None` if it is empty.
fn choose_at_terminal(what: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    for asked in 1..=MOST_TRIES {
        let again = again("the two are not the same", asked);
        let first = ask(&format!("{again}New passphrase for {what} (empty for none): "))?;
        if first.is_empty() {
            return Ok(None);
        }
        if *ask("The same again: ")? == *first {
            return Ok(Some(first));
        }
    }
    Err(KeepingFailure::PassphrasesDiffer.into())
}

/// Says why a passphrase is asked for again, if it is.
fn again(why: &str, asked: u32) -> String {
    match asked {
        0 | 1 => String::new(),
        _ => format!("{why}, try again ({asked} of {MOST_TRIES})\n"),
    }
}

/// Returns whether there is a person to ask.
pub(crate) fn has_terminal() -> bool {
    File::options().read(true).write(true).open("/dev/tty").is_ok()
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            KeepingFailure::PassphraseUntyped("none was typed".to_owned())
        }
        _ => KeepingFailure::PassphraseUntyped(format!("terminal: {}", in_words(&error))),
    };
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    (&terminal).write_all(prompt.as_bytes()).map_err(failed)?;
    let hidden = HiddenInput::start(&terminal).map_err(failed)?;
    let line = read_line(&terminal).map_err(failed)?;
    drop(hidden);
    let text = std::str::from_utf8(&line);
    let text = text
        .map_err(|_| KeepingFailure::PassphraseUntyped("terminal: it is not UTF-8".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Asks a person something that is no secret.
pub(crate) fn ask_openly(prompt: &str) -> Result<String, Failure> {
    let failed = |error| Failure::io("terminal", error);
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    (&terminal).write_all(prompt.as_bytes()).map_err(failed)?;
    let line = read_line(&terminal).map_err(failed)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Reads a line without its end, into memory that does not move and is wiped.
fn read_line(mut terminal: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(vec![0; MAX_TYPED_BYTES]);
    let mut filled = 0;
    loop {
        match terminal.read(line.get_mut(filled..).unwrap_or_default()) {
            Ok(0) if filled == line.len() => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if let Some(end) = line.iter().take(filled).position(|byte| matches!(byte, b'\n' | b'\r')) {
            line.truncate(end);
            return Ok(line);
        }
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct HiddenInput<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> HiddenInput<'a> {
    fn start(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown.
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(terminal, OptionalActions::Now, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for HiddenInput<'_> {
    fn drop(&mut self) {
        // If this fails, nothing else can be done about the terminal either.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let unreadable =
        |why: &str| Failure::from(KeepingFailure::Passphrase(format!("{}: {why}", quoted(path))));
    let bytes = match input::read_secret(path) {
        Ok(bytes) => bytes,
        Err(Failure::Unreadable { source, .. }) => return Err(unreadable(&in_words(&source))),
        Err(other) => return Err(other),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(unreadable("is empty"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// How often a person is asked.
const MOST_TRIES: u32 = 3;

/// The longest line that a terminal gives, in bytes (`termios(3)`).
const MAX_TYPED_BYTES: usize = 4096;
