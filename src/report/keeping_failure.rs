//! Why keys, and files that decide, cannot be used as they are kept.

use std::path::PathBuf;

use super::console::typeable_path;
use super::exit::Status;
use super::exposure::Exposures;

/// Why keys, or files that decide, cannot be used as they are kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepingFailure {
    #[error("{path:?} decides what is accepted, and {found}")]
    Exposed { path: PathBuf, found: Exposures },

    #[error("{path:?} is a private key, and others may read it (mode {mode:04o})")]
    KeyExposed { path: PathBuf, mode: u32, can_change: bool },

    #[error("passphrase: {0}")]
    Passphrase(String),

    /// Nobody is asked: a library was called.
    #[error("{key} is encrypted, and no passphrase was given")]
    PassphraseAbsent { key: String },

    #[error("{key} is encrypted, and there is no terminal to ask for the passphrase")]
    PassphraseNeeded { key: String },

    /// The terminal, which was asked because no source was configured.
    #[error("passphrase: {0}")]
    PassphraseUntyped(String),

    #[error("the two passphrases are not the same")]
    PassphrasesDiffer,

    #[error("the key {name:?} was kept: another name was typed")]
    RemovalRefused { name: String },

    #[error("there is no terminal to ask whether to remove the key {name:?}")]
    RemovalUnconfirmed { name: String },
}

impl KeepingFailure {
    /// Returns the exit status.
    pub(crate) const fn status(&self) -> Status {
        match self {
            Self::Exposed { .. }
            | Self::KeyExposed { .. }
            | Self::Passphrase(_)
            | Self::PassphraseAbsent { .. }
            | Self::PassphraseNeeded { .. }
            | Self::PassphraseUntyped(_)
            | Self::PassphrasesDiffer => Status::Key,
            Self::RemovalRefused { .. } | Self::RemovalUnconfirmed { .. } => Status::Usage,
        }
    }

    /// Returns the short name that stands in JSON verdicts.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Exposed { .. } => "insecure-permissions",
            Self::KeyExposed { .. } => "private-key-exposed",
            Self::Passphrase(_) | Self::PassphraseUntyped(_) => "passphrase-unreadable",
            Self::PassphraseAbsent { .. } | Self::PassphraseNeeded { .. } => "passphrase-needed",
            Self::PassphrasesDiffer => "passphrases-differ",
            Self::RemovalRefused { .. } => "removal-refused",
            Self::RemovalUnconfirmed { .. } => "removal-unconfirmed",
        }
    }

    /// Returns what to type next, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exposed { found, .. } => found.hint(),
            Self::KeyExposed { path, can_change: true, .. } => {
                format!("chmod 600 {}", typeable_path(path))
            }
            Self::KeyExposed { .. } => "provide it with the mode 0400".to_owned(),
            Self::Passphrase(_) => {
                "the source that was configured is the only one asked".to_owned()
            }
            Self::PassphraseAbsent { .. } => {
                "give passphrase, or set BRINE_PASSPHRASE_FILE to a file that has it".to_owned()
            }
            Self::PassphraseNeeded { .. } => {
                "give \"--passphrase-file FILE\" or \"--passphrase-fd N\", or \
                                       set BRINE_PASSPHRASE_FILE"
                    .to_owned()
            }
            Self::RemovalUnconfirmed { name } => {
                format!("\"brinekey remove --force {name}\" removes it without asking")
            }
            Self::PassphraseUntyped(_) | Self::PassphrasesDiffer | Self::RemovalRefused { .. } => {
                return None;
            }
        })
    }
}
