//! Passphrases: from the terminal, or from the source that was configured. Never from argv.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

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
    OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| Failure::Passphrase(format!("terminal: {error}")))
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |why: &str| Failure::Passphrase(format!("{path:?}: {why}"));
    let bytes = match input::read_small(path) {
        Ok(bytes) => Zeroizing::new(bytes),
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
