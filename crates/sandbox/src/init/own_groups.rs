//! How the first process of a job gets into its control groups by itself.
//!
//! Whoever moves another process waits until every processor knows of it, often ten milliseconds. One that is born in a
//! group does not, nor one that moves its only thread (cgroups(7): `CLONE_INTO_CGROUP`, and `tasks` of version 1).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::init_channel::InitChannel;
use crate::orders::GroupsGiven;
use crate::syscalls::{self, Forked};

/// The control groups of the job that this init starts.
pub(super) struct OwnGroups {
    /// The directory of that of version 2, if the first process is to be born there.
    cradle: Option<OwnedFd>,
    /// The files `tasks` of those of version 1. brine opened them, and only that gives the right to write to them.
    tasks: Vec<OwnedFd>,
    /// Whether this process was born in the cradle.
    inside: bool,
}

impl OwnGroups {
    /// Receives what brine gives after all other descriptors.
    pub(super) fn receive(channel: &InitChannel, given: &GroupsGiven) -> io::Result<Self> {
        let mut received =
            channel.receive_descriptors(usize::from(given.cradle).saturating_add(given.tasks))?;
        let tasks = received.split_off(usize::from(given.cradle));
        Ok(Self { cradle: received.pop(), tasks, inside: false })
    }

    /// Forks this process, and the child is born in the cradle. Where that does not take it, brine tries to move it.
    pub(super) fn fork(&mut self) -> io::Result<Forked> {
        let born = self.cradle.take().map(|cradle| syscalls::fork_into(cradle.as_fd()));
        match born {
            Some(Ok(Forked::Child)) => {
                self.inside = true;
                Ok(Forked::Child)
            }
            Some(Ok(parent)) => Ok(parent),
            Some(Err(_)) | None => syscalls::fork(),
        }
    }

    /// Returns whether this process was born in the group of version 2.
    pub(super) const fn was_born_inside(&self) -> bool {
        self.inside
    }

    /// Joins the groups of version 1, and returns whether it is in all of them. An old kernel asks who writes, and not
    /// who opened the file; brine then moves it.
    pub(super) fn join(&mut self) -> bool {
        // This thread, which is the only one of its process.
        let joins = |tasks: OwnedFd| matches!(rustix::io::write(tasks, b"0"), Ok(1));
        let is_given_all = !self.tasks.is_empty();
        self.tasks.drain(..).fold(is_given_all, |all, tasks| joins(tasks) && all)
    }
}
