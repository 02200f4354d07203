//! The command after `--` of `brine verify`: what was typed wrongly, and what became of it.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use serde::Serialize;

use super::byte_name::{all_exact, shown};
use super::exit::Status;

/// Why a command line with a command makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandMisuse {
    #[error("--check does not go with a command, which reads the payload")]
    Check,

    #[error("a signature beside FILE does not go with a command, which could read another FILE")]
    Detached,

    #[error("--json with a command needs --report, because standard error is the command's")]
    Json,

    #[error("no command after \"--\"")]
    NoCommand,

    #[error("what follows \"--\" is a command, and FILE must stand before it")]
    NoInput,

    #[error("-o does not go with a command, which has its own output")]
    Output,

    #[error("records do not go with a command, which reads one payload")]
    Records,

    #[error("--retry does not go with a command, which reads one payload")]
    Retry,

    #[error("a command reads the payload of one FILE")]
    SeveralInputs,
}

impl CommandMisuse {
    /// Returns what to type instead.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Check => "leave out the command: brine verify --check FILE",
            Self::Detached => {
                "\"brine sign FILE\" makes an envelope with the payload in it: brine verify FILE.brine -- CMD"
            }
            Self::Json => "brine verify --json --report VERDICT FILE -- CMD",
            Self::NoCommand => "brine verify FILE -- CMD; to write the payload, leave out \"--\"",
            Self::NoInput => {
                "brine verify FILE -- CMD; \"-\" is standard input: brine verify - -- CMD; a FILE that begins \
                 with a hyphen is ./-NAME"
            }
            Self::Output => "brine verify FILE -- CMD > OUTPUT",
            Self::Records | Self::Retry => {
                "pipe them: set -o pipefail; brine verify --lines FILE | CMD"
            }
            Self::SeveralInputs => {
                "for FILE in ...; do brine verify \"$FILE\" -- CMD || break; done"
            }
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CommandEnd {
    exit_code: Option<u8>,
    signal: Option<u8>,
}

impl CommandEnd {
    /// Takes what the system says.
    pub(crate) fn of(status: ExitStatus) -> Self {
        let small = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
        Self { exit_code: small(status.code()), signal: small(status.signal()) }
    }

    /// Says how it ended, after "the command".
    pub(crate) fn in_words(self) -> String {
        match (self.exit_code, self.signal) {
            (Some(code), _) => format!("ended with status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in a way that the system does not tell".to_owned(),
        }
    }

    /// Returns how the program ends: as the command did.
    pub(super) const fn status(self) -> Status {
        match (self.exit_code, self.signal) {
            (Some(0), _) => Status::Done,
            (Some(code), _) => Status::Command(code),
            (None, Some(signal)) => Status::Signalled(signal),
            // The system tells of no other end.
            (None, None) => Status::Io,
        }
    }
}

/// The command that was typed, and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct CommandFacts {
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_hex: Option<Vec<String>>,
    started: bool,
    #[serde(flatten)]
    end: Option<CommandEnd>,
}

impl CommandFacts {
    /// Describes a command, which was started if it has an end.
    pub(super) fn new(command: &[OsString], end: Option<CommandEnd>) -> Self {
        Self {
            command: command.iter().map(shown).collect(),
            command_hex: all_exact(command),
            started: end.is_some(),
            end,
        }
    }
}
