//! What goes wrong between a client and a server.

use std::io;

use brine_core::text::shown;
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

use crate::error::QueueError;

/// A failure of the server, or of the connection to it.
#[derive(Debug)]
pub(super) enum ServerFault {
    /// What the client says.
    Client(lapin::Error),
    /// What the queue says.
    Queue(QueueError),
}

impl ServerFault {
    /// Returns whether it can be otherwise if the same is done again.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Client(error) if !is_refusal(error))
    }

    /// Returns whether the server says that there is no such queue.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Client(error) if is_soft(error, &AMQPSoftError::NOTFOUND))
    }

    /// Returns whether a queue is there that was made in another way.
    pub(super) fn is_otherwise(&self) -> bool {
        matches!(self, Self::Client(error) if is_soft(error, &AMQPSoftError::PRECONDITIONFAILED))
    }

    /// Returns whether somebody else has what is for one alone.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::Client(error) if is_soft(error, &AMQPSoftError::RESOURCELOCKED))
    }

    /// Returns whether it is of one channel, and not of the whole connection.
    pub(super) fn is_of_channel(&self) -> bool {
        let Self::Client(error) = self else { return false };
        matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Soft(_)))
    }

    /// Returns whether the connection has no number left for a channel.
    pub(super) fn is_of_numbers(&self) -> bool {
        matches!(self, Self::Client(error) if matches!(error.kind(), ErrorKind::ChannelsLimitReached))
    }

    /// Says of a failure where it was.
    pub(super) fn at(self, server: &str) -> QueueError {
        let server = shown(server).to_string();
        match self {
            Self::Queue(error) => error,
            Self::Client(error) if is_refusal(&error) => {
                let what = shown(&error.to_string()).to_string();
                QueueError::Access { server, what }
            }
            Self::Client(error) => QueueError::Connection { server, source: error.into() },
        }
    }
}

/// An answer did not come.
pub(super) fn unanswered() -> ServerFault {
    ServerFault::Client(io::Error::new(io::ErrorKind::TimedOut, "it does not answer").into())
}

/// Returns whether the server refuses this user, or what it is asked to do.
fn is_refusal(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(
        error.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
    )
}

fn is_soft(error: &lapin::Error, kind: &AMQPSoftError) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(error.kind(), AMQPErrorKind::Soft(found) if found == kind)
}

impl From<lapin::Error> for ServerFault {
    fn from(error: lapin::Error) -> Self {
        Self::Client(error)
    }
}

impl From<QueueError> for ServerFault {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}
