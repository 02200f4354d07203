//! The bounds of a whole job, from its first process to its end.

use std::os::fd::OwnedFd;
use std::time::Instant;

use brine_job::Layer;
use rustix::process::Pid;

use super::JobWatch;
use crate::bounds::{JobBounds, JobGroup, MemoryCount, Shown};
use crate::init_report::ShownToBrine;
use crate::scratch::JobScratch;

impl JobWatch<'_> {
    /// Moves the first process of the job into a control group while it builds its root. A payload that it copies
    /// there is not the job's own, so a copied one is waited for.
    pub(super) fn forked(&mut self, process: Option<Pid>) {
        self.process = process;
        if let (Some(process), false, false) =
            (process, self.plan.delivery.is_file(), self.plan.waived.contains(&Layer::Limits))
        {
            self.group = Some(JobGroup::around(process, &self.plan.limits));
        }
    }

    /// Bounds the job, and lets it go on.
    pub(super) fn let_go(&mut self, shown: &[ShownToBrine], descriptors: Vec<OwnedFd>) {
        let mut given = Shown::default();
        for (what, descriptor) in shown.iter().zip(descriptors) {
            match what {
                ShownToBrine::Processes => given.processes = Some(descriptor),
                ShownToBrine::Scratch => {
                    self.state.scratch = JobScratch::within(&descriptor);
                    given.scratch = Some(descriptor);
                }
                ShownToBrine::Sockets => given.sockets = Some(descriptor),
                ShownToBrine::Time => given.time = Some(descriptor.into()),
            }
        }
        if let (Some(process), false) = (self.process, self.plan.waived.contains(&Layer::Limits)) {
            // Without a namespace, the init inherits those whose parents have ended.
            let ancestor = match self.plan.waived.contains(&Layer::Namespaces) {
                true => self.init.id().unwrap_or(process),
                false => process,
            };
            let group = self.group.take();
            let group = group.unwrap_or_else(|| JobGroup::around(process, &self.plan.limits));
            self.bounds = Some(JobBounds::begin(group, ancestor, given, &self.plan.limits));
        }
        // If the job is gone, its end is about to be reported.
        let count = self.bounds.as_ref().map_or(MemoryCount::Looks, JobBounds::memory_count);
        let _ = self.go.take().map(|go| rustix::io::write(go, &[count.byte()]));
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
