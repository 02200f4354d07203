//! The process of the init of a job.

use std::process::Child;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::PATIENCE;
use crate::init_channel::InitChannel;

/// The process of the init. It does not outlive the watch.
pub(super) struct RunningInit {
    pub(super) process: Child,
    pub(super) channel: InitChannel,
}

impl RunningInit {
    /// Returns whether it has ended, or ends in time.
    fn ends_within(&self, most: Duration) -> bool {
        let process = self.id().and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok());
        let (Some(process), Ok(most)) = (process, Timespec::try_from(most)) else { return false };
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        matches!(rustix::event::poll(&mut polled, Some(&most)), Ok(1..))
    }

    /// Returns its number.
    pub(super) fn id(&self) -> Option<Pid> {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
    }

    pub(super) fn kill(&mut self) {
        // It fails if the process has ended already.
        let _ = self.process.kill();
    }
}

impl Drop for RunningInit {
    fn drop(&mut self) {
        self.channel.hang_up();
        // It has reported its end, or is about to. Otherwise it is killed, and its namespace with it.
        if !self.ends_within(PATIENCE) {
            self.kill();
        }
        // A failure to wait leaves nothing to be done.
        let _ = self.process.wait();
    }
}
