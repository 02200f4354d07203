//! What fails with a queue, and with those who take messages from it.

use std::time::Duration;

use brine_core::Classified as _;
use brine_queue::QueueError;

use super::exit::Status;
use super::retyped::length;

/// Why work on a queue ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueFailure {
    /// It may have ended well for some messages.
    #[error(
        "the command failed {}; the messages are delivered again later, or are dead letters by now",
        if *.failed == 1 { "once".to_owned() } else { format!("{failed} times") }
    )]
    CommandFailed { failed: u64 },

    #[error(
        "queue {name:?} had {}",
        match (found, wanted) {
            (0, _) => "no message".to_owned(),
            (found, wanted) => format!("{found} of {wanted} messages"),
        }
    )]
    Empty { name: String, found: u64, wanted: u64 },

    #[error("{name} has more than {limit} bytes, which is the limit for a message")]
    TooLarge { name: String, limit: usize },

    #[error("it was delivered {attempts} times, and no consumer settled it")]
    Exhausted { attempts: u64 },

    /// Nothing is wrong: a signal asked to end.
    #[error("a signal asked to end")]
    Interrupted,

    #[error("queue {name:?} gave no result within {}", length(*.wait))]
    NoAnswer { name: String, wait: Duration, is_taken_back: bool },

    #[error("queue {name:?} has no dead letter {number}")]
    NoDeadLetter { name: String, number: u64 },

    #[error("{0}")]
    Queue(#[from] QueueError),
}

impl QueueFailure {
    /// Says that the job was taken back, too.
    pub(crate) fn taken_back(self) -> Self {
        match self {
            Self::NoAnswer { name, wait, .. } => Self::NoAnswer { name, wait, is_taken_back: true },
            other => other,
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::Queue(error) => error.class().into(),
            Self::NoAnswer { .. } => Status::TimedOut,
            Self::TooLarge { .. } => Status::Unsupported,
            Self::CommandFailed { .. }
            | Self::Empty { .. }
            | Self::Exhausted { .. }
            | Self::Interrupted
            | Self::NoDeadLetter { .. } => Status::Io,
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::CommandFailed { .. } => "command-failed",
            Self::Empty { .. } => "queue-empty",
            Self::Exhausted { .. } => "attempts-exhausted",
            Self::Interrupted => "interrupted",
            Self::NoAnswer { .. } => "no-answer",
            Self::NoDeadLetter { .. } => "no-dead-letter",
            Self::Queue(error) => error.reason(),
            Self::TooLarge { .. } => "too-large",
        }
    }

    /// Returns what to do next.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::CommandFailed { .. } => {
                Some("\"brine dead list URL\" shows those that failed too often")
            }
            Self::Empty { .. } => Some("\"--wait 1m\" waits for one"),
            Self::Exhausted { .. } | Self::Interrupted => None,
            Self::NoAnswer { is_taken_back: true, .. } => Some(
                "no worker had begun the job, and it was taken back: \"brine work\" must be at work; \"--wait\" waits longer",
            ),
            Self::NoAnswer { .. } => Some(
                "the job may still run: \"brine work\" must be at work, and its policy let replies go to reply/*; \
                 \"--wait\" waits longer",
            ),
            Self::NoDeadLetter { .. } => Some("\"brine dead list URL\" shows those that there are"),
            Self::Queue(_) | Self::TooLarge { .. } => of_queue(self.reason()),
        }
    }
}

/// Returns what to do about a failure of a queue, by its short name.
fn of_queue(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "queue-connection" | "replay-connection" => {
            "nothing was lost: the host and the port of the URL must lead to a server that runs"
        }
        "queue-access" => {
            "the user of the URL and the password, of password-file=FILE or BRINE_QUEUE_PASSWORD, must be those that \
             the server knows"
        }
        "queue-unsupported" => {
            "\"cargo install brine-cli --features brokers\" builds one that does"
        }
        "queue-damaged" | "replay-damaged" => {
            "somebody else has written to the file: keep it, and start with another name; \"sqlite3\" shows its tables, which \
             SPEC.md describes"
        }
        "queue-database" | "queue-file" => {
            "it takes a directory that can be written, for the files beside it"
        }
        "queue-dead-letters-full" => {
            "\"brine dead list URL\" shows what failed; \"brine dead retry\" and \"brine dead drop\" make room"
        }
        "queue-disk-full" => "nothing was lost: make room, and start again",
        "queue-gone" => {
            "if only a link was turned or a directory renamed, nothing is lost: start again with the name that leads \
             to it; if the file is gone, end what uses it, and remove FILE-wal and FILE-shm"
        }
        "queue-leftover" => {
            "end every process that uses the old queue, then remove FILE-wal, FILE-shm and FILE-journal"
        }
        "queue-linked" => {
            "\"find -samefile FILE\" shows its names; remove all but one, and have every process use that"
        }
        "queue-missing" => "\"brine send URL\" makes it",
        "queue-mounted" => "mount the directory that it lies in, not the file",
        "queue-network" => "put it on a disk of this machine",
        "queue-not-a-queue" => "name a file that \"brine send\" made, or one that is not there",
        "replay-clock" => "set the clock, and its messages are as good",
        "replay-full" => "what is older than its maximum age makes room by itself",
        "queue-version" => "a newer brine may know it",
        "too-large" => {
            "put it where the receiver can get it, sign it there with \"brine sign\", and send where it is"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use brine_records::{PipelineError, ReplayError};

    use crate::report::Failure;

    /// It is made with the queue, and not by `brine replay init`.
    #[test]
    fn the_ledger_of_a_queue_has_hints_of_its_own() {
        for (error, hint) in [
            (ReplayError::Damaged { what: "it is".to_owned() }, Some("start with another name")),
            (ReplayError::IdentityMissing, None),
        ] {
            let failure = Failure::of_queue(PipelineError::Ledger(error), "work");
            match (failure.hint(), hint) {
                (None, None) => {}
                (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{found:?}, and not {expected:?}"),
            }
        }
    }
}
