//! The exit statuses: one table, for the code, the help and the man pages.

use std::process::ExitCode;

use brine_core::Class;
use brine_pickle::PickleFault;

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0.
    Done,
    /// 1.
    Altered,
    /// 2.
    Usage,
    /// 3.
    Unsupported,
    /// 4.
    Io,
    /// 5.
    Untrusted,
    /// 6.
    Key,
    /// 123, of `run`.
    NotReleased,
    /// 124, of `run`.
    TimedOut,
    /// 125, of `run`.
    NotConfined,
    /// 126, of `run`.
    NotExecutable,
    /// 127, of `run`.
    NotFound,
    /// 137, of `run`.
    Killed,
    /// That of the command which `run` or `verify` ran.
    Command(u8),
    /// The signal that ended the command which `verify` ran: the program ends by it, too.
    Signalled(u8),
}

impl Status {
    /// Every status with its meaning.
    pub const TABLE: [(Self, &str); 7] = [
        (Self::Done, "Done: everything asked for was verified, to the end of the input."),
        (
            Self::Altered,
            "Not to be believed: recognised as an envelope, then altered, cut, malformed or wrongly \
             signed.",
        ),
        (Self::Usage, "Wrong usage."),
        (
            Self::Unsupported,
            "Not an envelope, or of a kind, algorithm or form that this command does not take.",
        ),
        (
            Self::Io,
            "Input, output or the system failed. Without a message: the output was closed by its reader, as \
             \"head\" does.",
        ),
        (
            Self::Untrusted,
            "Refused by trust or policy: unknown or revoked signer, outside its time, for another \
             context.",
        ),
        (
            Self::Key,
            "Key trouble: unreadable, of a wrong form, wrong passphrase, weak; the same goes for trust \
             and policy files.",
        ),
    ];

    /// What `run` ends with besides, once the job was found good.
    pub const OF_RUN: [(Self, &str); 6] = [
        (
            Self::NotReleased,
            "The command did what its confinement forbids, or its output is too large or not of the \
             format that was declared.",
        ),
        (Self::TimedOut, "The command took longer than it might."),
        (Self::NotConfined, "The confinement could not be set up; nothing was run."),
        (Self::NotExecutable, "The command is there and cannot be executed."),
        (Self::NotFound, "There is no such command."),
        (Self::Killed, "A limit killed the command."),
    ];

    /// What `verify` ends with besides, if a command was to read the payload.
    pub const OF_COMMAND: [(Self, &str); 2] = [
        (Self::NotExecutable, "The command after \"--\" is there and cannot be executed."),
        (Self::NotFound, "There is no such command."),
    ];

    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Altered => 1,
            Self::Usage => 2,
            Self::Unsupported => 3,
            Self::Io => 4,
            Self::Untrusted => 5,
            Self::Key => 6,
            Self::NotReleased => 123,
            Self::TimedOut => 124,
            Self::NotConfined => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
            Self::Killed => 137,
            Self::Command(code) => code,
            // As shells show it.
            Self::Signalled(signal) => signal.saturating_add(128),
        }
    }
}

impl Status {
    /// Returns the status of this number.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        let known = Self::TABLE.iter().chain(&Self::OF_RUN).map(|(status, _)| *status);
        known.into_iter().find(|status| status.code() == code).unwrap_or(Self::Command(code))
    }
}

impl From<Class> for Status {
    fn from(class: Class) -> Self {
        match class {
            Class::Altered => Self::Altered,
            Class::Key => Self::Key,
            Class::System => Self::Io,
            Class::Unsupported => Self::Unsupported,
            Class::Untrusted => Self::Untrusted,
        }
    }
}

impl From<PickleFault> for Status {
    fn from(fault: PickleFault) -> Self {
        match fault {
            PickleFault::Forbidden => Self::Untrusted,
            PickleFault::Malformed => Self::Altered,
            PickleFault::Unsupported => Self::Unsupported,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}
