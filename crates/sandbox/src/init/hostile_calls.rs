//! Hears of the hostile calls of a job: those that end it.
//!
//! The kernel asks what to answer such a call (`SECCOMP_RET_USER_NOTIF`), and the process that made it waits. It never
//! gets an answer: whoever hears of it ends the job. So a call has a name in the verdict, and the end is certain. If
//! nobody hears of it, the process waits until the job is ended for another reason, and the call is not carried out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;

use crate::init_channel::InitChannel;
use crate::syscalls;

/// What tells of the hostile calls of a job.
pub(super) struct HostileCalls {
    source: Source,
}

enum Source {
    /// The process that becomes the job. Once it has set its filters, it sends the listener.
    Job(InitChannel),
    /// The kernel.
    Listener(OwnedFd),
    /// Nobody: the filter kills, or no process is left.
    Nobody,
}

/// The number of the call; `None` if the process that made it ended before it could be read.
pub(super) type HostileCall = Option<i32>;

impl HostileCalls {
    /// Returns it with the channel on which the job is to send its listener.
    pub(super) fn of_job() -> io::Result<(Self, InitChannel)> {
        let (ours, theirs) = InitChannel::pair()?;
        Ok((Self { source: Source::Job(ours) }, theirs))
    }

    /// Returns one that never hears of any.
    pub(super) const fn nobody() -> Self {
        Self { source: Source::Nobody }
    }

    /// Returns what can be read when there is something to hear.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Job(channel) => Some(channel.as_fd()),
            Source::Listener(listener) => Some(listener.as_fd()),
            Source::Nobody => None,
        }
    }

    /// Hears what there is; `None` if it is no hostile call.
    pub(super) fn hear(&mut self, events: PollFlags) -> Option<HostileCall> {
        match &self.source {
            _ if events.is_empty() => None,
            Source::Job(channel) => {
                let listener = channel.receive_descriptors(1).ok().and_then(|mut all| all.pop());
                self.source = listener.map_or(Source::Nobody, Source::Listener);
                None
            }
            Source::Listener(listener) if events.contains(PollFlags::IN) => {
                Some(syscalls::asked_call(listener.as_fd()).ok())
            }
            Source::Listener(_) | Source::Nobody => {
                self.source = Source::Nobody;
                None
            }
        }
    }
}
