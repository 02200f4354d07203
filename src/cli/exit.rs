//! The exit statuses: one table, for the code, the help and the man pages.

use std::process::ExitCode;

use crate::error::Class;

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
        (Self::Io, "Input, output or the system failed."),
        (
            Self::Untrusted,
            "Refused by trust or policy: unknown or revoked signer, outside its time, for another \
             context.",
        ),
        (Self::Key, "Key trouble: unreadable, of a wrong form, wrong passphrase, weak."),
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
        }
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

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}
