//! Passphrases: from the terminal, or from the source that was configured. Never from argv.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::{home, input};
use crate::args::PassphraseArgs;
use crate::report::Failure;

/// Where passphrases come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(PathBuf),
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

    /// Returns the file that passphrases are read from.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Terminal => None,
        }
    }

    /// Returns the passphrase of a key that has one.
    pub(crate) fn open(&self, what: &str) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::File(path) => read(path),
            Self::Terminal if has_terminal() => ask(&format!("Passphrase for {what}: ")),
            Self::Terminal => Err(Failure::PassphraseNeeded),
        }
    }

    /// Returns a passphrase for a new key; `None` if a person left it empty, or cannot be asked.
    pub(crate) fn choose(&self, what: &str) -> Result<Option<Zeroizing<String>>, Failure> {
        match self {
            Self::File(path) => read(path).map(Some),
            Self::Terminal if has_terminal() => {
                let first = ask(&format!("New passphrase for {what} (empty for none): "))?;
                if first.is_empty() {
                    return Ok(None);
                }
                if *ask("The same again: ")? != *first {
                    return Err(Failure::Passphrase("the two are not the same".to_owned()));
                }
                Ok(Some(first))
            }
            Self::Terminal => Ok(None),
        }
    }
}

/// Returns whether there is a person to ask.
pub(crate) fn has_terminal() -> bool {
    File::options().read(true).write(true).open("/dev/tty").is_ok()
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |error| Failure::Passphrase(format!("terminal: {error}"));
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    (&terminal).write_all(prompt.as_bytes()).map_err(failed)?;
    let hidden = HiddenInput::start(&terminal).map_err(failed)?;
    let line = read_line(&terminal).map_err(failed)?;
    drop(hidden);
    let text = std::str::from_utf8(&line);
    let text = text.map_err(|_| Failure::Passphrase("terminal: it is not UTF-8".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
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
    let unreadable = |why: &str| Failure::Passphrase(format!("{path:?}: {why}"));
    let bytes = match input::read_secret(path) {
        Ok(bytes) => bytes,
        Err(Failure::Unreadable { source, .. }) => return Err(unreadable(&source.to_string())),
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

/// The longest line that a terminal gives, in bytes (`termios(3)`).
const MAX_TYPED_BYTES: usize = 4096;
