//! The bounds of a whole job, from its first process to its end.

use std::os::fd::OwnedFd;
use std::time::Instant;

use brine_job::Layer;
use rustix::process::Pid;

use super::JobWatch;
use crate::bounds::{GoOn, JobBounds, MemoryCount, Shown};
use crate::init_report::{Membership, ShownToBrine};
use crate::scratch::JobScratch;
use crate::syscalls;

impl JobWatch<'_> {
    /// Makes the system ready to count processor time, while the first process of the job builds its root.
    pub(super) fn forked(&mut self, process: Option<Pid>) {
        self.process = process;
        if self.group.as_ref().is_some_and(|group| !group.counts_time()) {
            // The first counter of the system waits until every processor knows of it, and each other goes with it.
            self.warm = syscalls::count_processor_time().ok();
        }
    }

    /// Bounds the job, and lets it go on.
    pub(super) fn let_go(
        &mut self,
        shown: &[ShownToBrine],
        descriptors: Vec<OwnedFd>,
        membership: Membership,
    ) {
        let mut given = Shown::default();
        for (what, descriptor) in shown.iter().zip(descriptors) {
            match what {
                ShownToBrine::Processes => given.processes = Some(descriptor),
                ShownToBrine::Scratch => {
                    self.state.scratch = JobScratch::within(&descriptor);
                    given.scratch = Some(descriptor);
                }
                ShownToBrine::Sockets => given.sockets = Some(descriptor),
            }
        }
        if let (Some(process), Some(mut group)) = (self.process, self.group.take()) {
            group.take(process, membership);
            // Without a namespace, the init inherits those whose parents have ended.
            let ancestor = match self.plan.waived.contains(&Layer::Namespaces) {
                true => self.init.id().unwrap_or(process),
                false => process,
            };
            self.bounds = Some(JobBounds::begin(group, ancestor, given, &self.plan.limits));
        }
        // If the job is gone, its end is about to be reported.
        let unbounded = GoOn { memory: MemoryCount::Looks, count_time: false };
        let byte = self.bounds.as_ref().map_or(unbounded, JobBounds::go_on).byte();
        let _ = self.go.take().map(|go| rustix::io::write(go, &[byte]));
    }

    /// Takes the counter that the first process of the job was asked for.
    pub(super) fn count_time(&mut self, descriptors: Vec<OwnedFd>) {
        self.warm = None;
        if let (Some(bounds), Some(counter)) = (&mut self.bounds, descriptors.into_iter().next()) {
            bounds.count_time(counter.into());
        }
    }

    /// Looks at what the whole job holds and uses, if it is time to.
    pub(super) fn look(&mut self) {
        // A job that was asked to end has no more than others while it does.
        if self.state.hung_up || self.state.end.is_some() {
            return;
        }
        let found = self.bounds.as_mut().and_then(|bounds| bounds.look(Instant::now()));
        if let Some(beyond) = found {
            self.hang_up(beyond);
        }
    }
}
