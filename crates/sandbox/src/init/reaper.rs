//! Process 1 of the namespace of a job: it confines itself, starts the job, and reaps every process.

use std::os::fd::OwnedFd;

use brine_job::Layer;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use super::Init;
use super::hostile_calls::HostileCalls;
use crate::init_report::{InitFault, InitReport};
use crate::namespaces::Arrival;
use crate::syscalls::{self, Forked};

impl Init {
    /// Acts as process 1 of the namespace: it settles there, starts the job and reaps, and the namespace ends with it.
    /// The init holds the other end of `init` as long as the job may run, and is told the user of the job.
    pub(super) fn act_as_process_1(
        &mut self,
        arrival: Arrival,
        init: &OwnedFd,
        user: OwnedFd,
    ) -> ! {
        let chosen = matches!(arrival, Arrival::Root(_));
        let built = match self.die_with_parent().and_then(|()| self.settle(arrival)) {
            Ok(built) => built,
            Err(fault) => {
                self.report(&InitReport::Failed(fault));
                syscalls::end_now(125)
            }
        };
        if let (Some(built), true) = (&built, chosen) {
            // If the init is gone, the next read says so.
            let _ = rustix::io::write(&user, &built.user.to_ne_bytes());
        }
        drop(user);
        // The init may have died before this process was tied to it; then nothing comes through the pipe.
        if !matches!(rustix::io::read(init, &mut [0]), Ok(1)) {
            syscalls::end_now(125);
        }
        self.wait_to_go_on(built);
        let forked = HostileCalls::of_job().and_then(|(calls, told)| {
            Ok((syscalls::ends_of_children()?, calls, told, syscalls::fork()?))
        });
        match forked {
            Ok((_, calls, told, Forked::Child)) => {
                drop(calls);
                self.become_job(&told)
            }
            Ok((ends, mut calls, told, Forked::Parent(job))) => {
                drop(told);
                self.reap_until(job, &ends, init, &mut calls);
                // Whoever waits for an answer to a hostile call goes on when nobody is left to give one: so all are
                // killed first.
                reap_all();
            }
            Err(error) => {
                let fault = InitFault::new(Some(Layer::Namespaces), "forking the job", &error);
                self.report(&InitReport::Failed(fault));
                reap_all();
            }
        }
        syscalls::end_now(0)
    }

    /// Reaps every process that ends, until the job does, one makes a hostile call or the init hangs up.
    fn reap_until(&self, job: Pid, ends: &OwnedFd, init: &OwnedFd, calls: &mut HostileCalls) {
        loop {
            // Before the processes, so that the end of one that comes in between is seen the next time.
            let _ = rustix::io::read(ends, &mut [0; SIGNAL_BYTES]);
            let timeout = match self.reap_some(job) {
                Reaped::Job => return,
                Reaped::Some => Some(&Timespec { tv_sec: 0, tv_nsec: 0 }),
                Reaped::All => None,
            };
            let mut polled =
                vec![PollFd::new(ends, PollFlags::IN), PollFd::new(init, PollFlags::IN)];
            polled.extend(calls.source().map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN)));
            match rustix::event::poll(&mut polled, timeout) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let mut found = polled.iter().map(PollFd::revents).skip(1);
            let mut next = || found.next().unwrap_or(PollFlags::empty());
            let (told, call) = (next(), next());
            if let Some(call) = calls.hear(call) {
                self.report(&InitReport::Violated(call));
                return;
            }
            if !told.is_empty() {
                if !matches!(rustix::io::read(init, &mut [0]), Ok(1)) {
                    return;
                }
                syscalls::ask_all_others_to_end();
            }
        }
    }

    /// Reaps what has ended. A job that ends processes faster than they are reaped does not keep this process from
    /// hearing of the init.
    fn reap_some(&self, job: Pid) -> Reaped {
        for _ in 0..MOST_AT_ONCE {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((child, status))) if child == job => {
                    self.report_end(status);
                    return Reaped::Job;
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Reaped::All,
                // There is no child any more, so that the job is gone, too.
                Err(_) => return Reaped::Job,
            }
        }
        Reaped::Some
    }
}

/// What was reaped.
enum Reaped {
    All,
    Job,
    Some,
}

/// Kills all other processes of the namespace, and reaps them.
///
/// The kernel would kill them, too, but counts what they used only if somebody waits for them. One signal to all is
/// enough: a process to which it was sent cannot fork any more.
fn reap_all() {
    syscalls::kill_all_others();
    while let Ok(_) | Err(Errno::INTR) = rustix::process::wait(WaitOptions::empty()) {}
}

/// The size of what one signal leaves to be read (`struct signalfd_siginfo`).
const SIGNAL_BYTES: usize = 128;

/// How many processes are reaped before the init is heard.
const MOST_AT_ONCE: usize = 256;
