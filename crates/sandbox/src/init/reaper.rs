//! Process 1 of the namespace of a job: it starts the job, and reaps every process.

use std::os::fd::OwnedFd;

use brine_job::Layer;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitOptions};

use super::Init;
use crate::init_report::{InitFault, InitReport};
use crate::syscalls::{self, Forked};

impl Init {
    /// Acts as process 1 of the namespace: it reaps, and the namespace ends with it. The init holds the other end
    /// of the pipe as long as the job may run.
    pub(super) fn act_as_process_1(&self, init: &OwnedFd) -> ! {
        // The init may have died before this process was tied to it; then nothing comes through the pipe.
        let tied = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
        if !tied || !matches!(rustix::io::read(init, &mut [0]), Ok(1)) {
            syscalls::end_now(125);
        }
        let forked = syscalls::ends_of_children().and_then(|ends| Ok((ends, syscalls::fork()?)));
        match forked {
            Ok((_, Forked::Child)) => self.become_job(),
            Ok((ends, Forked::Parent(job))) => self.reap_until(job, &ends, init),
            Err(error) => {
                let fault = InitFault::new(Some(Layer::Namespaces), "forking the job", &error);
                self.report(&InitReport::Failed(fault));
            }
        }
        reap_all();
        syscalls::end_now(0)
    }

    /// Reaps every process that ends, until the job does or the init hangs up.
    fn reap_until(&self, job: Pid, ends: &OwnedFd, init: &OwnedFd) {
        loop {
            // Before the processes, so that the end of one that comes in between is seen the next time.
            while rustix::io::read(ends, &mut [0; SIGNAL_BYTES]).is_ok() {}
            loop {
                match rustix::process::wait(WaitOptions::NOHANG) {
                    Ok(Some((child, status))) if child == job => return self.report_end(status),
                    Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
            let mut both = [PollFd::new(ends, PollFlags::IN), PollFd::new(init, PollFlags::IN)];
            match rustix::event::poll(&mut both, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            let [_, init] = both.map(|polled| polled.revents());
            if !init.is_empty() {
                return;
            }
        }
    }
}

/// Kills all other processes of the namespace, and reaps them.
///
/// The kernel would kill them, too, but counts what they used only if somebody waits for them. One signal to all is
/// enough: a process to which it was sent cannot fork any more.
fn reap_all() {
    syscalls::kill_all_others();
    while let Ok(_) | Err(rustix::io::Errno::INTR) = rustix::process::wait(WaitOptions::empty()) {}
}

/// The size of what one signal leaves to be read (`struct signalfd_siginfo`).
const SIGNAL_BYTES: usize = 128;
