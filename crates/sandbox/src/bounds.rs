//! What all processes of a job together may hold and use, and how that is known.
//!
//! Where a control group can be had, the kernel counts exactly, and refuses what is beyond. Elsewhere brine looks at
//! the processes of the job again and again, the more often the closer they are to a limit, and ends a job that it finds
//! beyond it. What a job can hold between two looks is bounded by how fast it can take memory.

mod census;
mod control_group;
mod group_tree;
mod hierarchy;
mod kernel_memory;
mod locks;
mod processor;

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use brine_job::{JobLimits, PayloadDelivery};
use rustix::process::Pid;

use self::census::{Census, ProcessFacts};
use self::control_group::ControlGroup;
use self::hierarchy::GroupVersion;
use self::kernel_memory::KernelMemory;
use self::locks::LockCount;
use self::processor::SeenTime;
use super::init_report::Membership;
use super::outcome::{BoundMeans, JobBoundMeans, JobEnd, ResourceUsage};
use super::prepare;

/// What brine is shown of a job that is about to start, as far as the system gives it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// A `/proc` of the job's process namespace.
    pub(super) processes: Option<OwnedFd>,
    /// The scratch directory.
    pub(super) scratch: Option<OwnedFd>,
    /// A `NETLINK_SOCK_DIAG` socket of the job's network namespace, if that is its own.
    pub(super) sockets: Option<OwnedFd>,
}

/// Who counts the memory of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryCount {
    /// The kernel, in a control group.
    Kernel,
    /// brine, which sees what lies in processes, in files of the scratch directory and in local sockets.
    Looks,
    /// brine, which sees the same without the sockets: the kernel or a filter does not let it list them.
    LooksPastSockets,
}

/// How a job that is about to start goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GoOn {
    pub(super) memory: MemoryCount,
    /// Whether its first process counts the processor time of all that descend from it.
    pub(super) count_time: bool,
}

impl GoOn {
    const ALL: [Self; 6] = {
        use MemoryCount::{Kernel, Looks, LooksPastSockets};
        [
            Self { memory: Kernel, count_time: false },
            Self { memory: Kernel, count_time: true },
            Self { memory: Looks, count_time: false },
            Self { memory: Looks, count_time: true },
            Self { memory: LooksPastSockets, count_time: false },
            Self { memory: LooksPastSockets, count_time: true },
        ]
    };

    /// Returns the byte that says so.
    pub(super) fn byte(self) -> u8 {
        let place = Self::ALL.iter().position(|go| *go == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// Returns what a byte says; `None` if it says nothing.
    pub(super) fn of(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// The control group of a job, which may hold nothing.
#[derive(Debug)]
pub(super) struct JobGroup {
    group: ControlGroup,
}

impl JobGroup {
    /// Makes one, without any process in it.
    pub(super) fn make(limits: &JobLimits) -> Self {
        Self { group: ControlGroup::make(limits) }
    }

    /// Returns where the first process of the job is to be born; `None` if it joins later. A payload that it copies
    /// first is not what the job holds.
    pub(super) fn cradle(&self, delivery: PayloadDelivery) -> Option<OwnedFd> {
        let path = self.group.directories(GroupVersion::V2).next();
        prepare::open_path(path.filter(|_| !delivery.is_file())?).ok()
    }

    /// Returns the files through which a thread moves itself into all groups of version 1; none if one cannot be opened.
    pub(super) fn tasks(&self) -> Vec<OwnedFd> {
        let open = |directory: &Path| File::options().write(true).open(directory.join("tasks"));
        let directories = self.group.directories(GroupVersion::V1);
        let tasks = directories.map(|directory| open(directory).map(OwnedFd::from));
        tasks.collect::<io::Result<_>>().unwrap_or_default()
    }

    /// Moves the first process of the job into it, except where it is already. That may take several milliseconds.
    pub(super) fn take(&mut self, process: Pid, membership: Membership) {
        self.group.take(process, membership);
    }

    /// Returns whether the kernel counts the processor time of all that is in it.
    pub(super) fn counts_time(&self) -> bool {
        self.group.held().processor.is_some()
    }
}

/// The bounds of a job, while it runs.
#[derive(Debug)]
pub(super) struct JobBounds {
    limits: JobLimits,
    group: ControlGroup,
    census: Option<Census>,
    kernel: KernelMemory,
    locks: LockCount,
    counter: Option<File>,
    seen: SeenTime,
    processors: usize,
    memory: u64,
    peak_memory: u64,
    /// How often in a row the job seemed to hold too much, and may not.
    doubtful: u32,
    last: Instant,
    next: Instant,
}

impl JobBounds {
    /// Bounds a job that has not started yet. `ancestor` is the process, by its number for brine, that all of the job
    /// descend from, also those whose parents have ended.
    pub(super) fn begin(group: JobGroup, ancestor: Pid, shown: Shown, limits: &JobLimits) -> Self {
        let number = u32::try_from(ancestor.as_raw_pid()).unwrap_or(0);
        let Shown { processes, scratch, sockets } = shown;
        let sockets = sockets.filter(|_| group.group.held().memory.is_none());
        let census = match processes.as_ref().and_then(|processes| processes.try_clone().ok()) {
            Some(processes) => Some(Census::of_namespace(processes)),
            None => Census::below(number).ok(),
        };
        let now = Instant::now();
        Self {
            limits: *limits,
            group: group.group,
            census,
            kernel: KernelMemory::of(scratch, sockets),
            locks: LockCount::of_namespace(processes, now),
            counter: None,
            seen: SeenTime::default(),
            processors: std::thread::available_parallelism().map_or(1, NonZero::get),
            memory: 0,
            peak_memory: 0,
            doubtful: 0,
            last: now,
            next: now + SHORTEST,
        }
    }

    /// Returns how each bound is held.
    pub(super) fn means(&self) -> JobBoundMeans {
        let held = self.group.held();
        let group = |version| match version {
            GroupVersion::V1 => BoundMeans::ControlGroupV1,
            GroupVersion::V2 => BoundMeans::ControlGroupV2,
        };
        let looks = if self.census.is_some() { BoundMeans::Looks } else { BoundMeans::None };
        let counter = if self.counter.is_some() { BoundMeans::Counter } else { looks };
        JobBoundMeans {
            memory: held.memory.map_or(looks, group),
            processor_time: held.processor.map_or(counter, group),
            processes: held.processes.map_or(BoundMeans::ResourceLimit, group),
        }
    }

    /// Returns who counts the memory.
    pub(super) fn memory_count(&self) -> MemoryCount {
        match self.group.held().memory {
            Some(_) => MemoryCount::Kernel,
            None if self.kernel.sees_sockets() => MemoryCount::Looks,
            None => MemoryCount::LooksPastSockets,
        }
    }

    /// Returns how the job goes on.
    pub(super) fn go_on(&self) -> GoOn {
        GoOn { memory: self.memory_count(), count_time: self.group.held().processor.is_none() }
    }

    /// Takes the counter of the processor time of the first process and all that descend from it, in nanoseconds.
    pub(super) fn count_time(&mut self, counter: File) {
        self.counter = Some(counter);
    }

    /// Returns when to look again.
    pub(super) const fn next_look(&self) -> Instant {
        self.next
    }

    /// Looks at the job if it is time to. Returns the bound that it is found beyond.
    pub(super) fn look(&mut self, now: Instant) -> Option<JobEnd> {
        if now < self.next {
            return None;
        }
        let beyond_memory = self.is_beyond_memory(now);
        let used = self.processor_time();
        let rest = now.elapsed().saturating_mul(SHARE).min(LONGEST_REST);
        self.next = Instant::now() + self.interval(now, used).max(rest);
        if beyond_memory {
            return Some(JobEnd::OutOfMemory);
        }
        (used > self.limits.cpu).then_some(JobEnd::OutOfProcessorTime)
    }

    /// Looks at everything, and returns whether the job holds more than it may.
    fn is_beyond_memory(&mut self, now: Instant) -> bool {
        let held = self.group.held();
        let watches_memory = held.memory.is_none();
        let watches_time = held.processor.is_none() && self.counter.is_none();
        let processes = match &self.census {
            Some(census) if watches_memory || watches_time => census.take(),
            _ => Vec::new(),
        };
        if watches_time {
            self.seen.look(&processes, now.saturating_duration_since(self.last), self.processors);
        }
        self.last = now;
        let locks = self.locks.look(now);
        if watches_memory {
            self.holds_too_much(&processes, locks)
        } else {
            // The kernel counts locks for no control group.
            self.group.ran_out_of_memory() || locks == u64::MAX
        }
    }

    /// Returns whether a job without a control group holds more than it may.
    fn holds_too_much(&mut self, processes: &[ProcessFacts], locks: u64) -> bool {
        let kernel = self.kernel.bytes().saturating_add(locks);
        let limit = self.limits.memory;
        let mut held =
            processes.iter().fold(kernel, |all, process| all.saturating_add(process.held));
        let mut is_doubtful = may_share_memory(processes);
        if let (true, Some(census)) = (held > limit, &self.census) {
            // Pages that were shared by a fork were counted for each that shares them.
            let enough = limit.saturating_mul(2).saturating_sub(kernel);
            let count = census.count_shared_once(processes, enough);
            held = kernel.saturating_add(count.held);
            is_doubtful |= !count.is_certain;
        }
        // Two that share a memory are counted for twice as much as they have.
        is_doubtful &= held / 2 <= limit;
        if held <= limit {
            self.doubtful = 0;
        } else if self.doubtful < MOST_DOUBTFUL && is_doubtful {
            // Not for long: the child of a vfork becomes another program, processes end, or the job is ended all the same.
            self.doubtful += 1;
            return false;
        }
        self.memory = held;
        self.peak_memory = self.peak_memory.max(held);
        held > limit
    }

    /// Returns how long the job cannot reach a limit, as far as is known.
    fn interval(&self, now: Instant, used: Duration) -> Duration {
        let processors = u64::try_from(self.processors).unwrap_or(1);
        let mut interval = self.locks.ready_in(LONGEST);
        if self.group.held().memory.is_none() {
            let room = self.limits.memory.saturating_sub(self.memory);
            let nanos =
                room.saturating_mul(1_000) / BYTES_PER_MICROSECOND.saturating_mul(processors);
            interval = interval.min(Duration::from_nanos(nanos));
        }
        let left = self.limits.cpu.saturating_sub(used);
        interval = interval.min(left / u32::try_from(processors).unwrap_or(1));
        // At a moment that the job cannot know.
        let chance = u32::from(now.elapsed().subsec_nanos().to_ne_bytes()[0]);
        (interval / 2 + interval / 512 * chance).max(SHORTEST)
    }

    fn processor_time(&self) -> Duration {
        match self.group.processor_time() {
            Some((user, system)) => user.saturating_add(system),
            None => self.counted_time().unwrap_or_else(|| self.seen.total()),
        }
    }

    fn counted_time(&self) -> Option<Duration> {
        let mut counter = self.counter.as_ref()?;
        let mut nanos = [0; 8];
        counter.read_exact(&mut nanos).ok()?;
        Some(Duration::from_nanos(u64::from_ne_bytes(nanos)))
    }

    /// Returns the bound that a job that has ended was beyond, whatever ended it.
    pub(super) fn exceeded(&self) -> Option<JobEnd> {
        self.group.ran_out_of_memory().then_some(JobEnd::OutOfMemory)
    }

    /// Returns what the job used: what was counted for all its processes, and where nothing was, what its init reaped.
    pub(super) fn usage(&self, reaped: ResourceUsage) -> ResourceUsage {
        let seen = Some(self.peak_memory).filter(|bytes| *bytes > 0);
        let peak_memory = self.group.peak_memory().or(seen).unwrap_or(reaped.peak_memory);
        let counted = self.group.processor_time();
        let (user, system) = counted.unwrap_or_else(|| {
            // Nobody says how the rest was divided.
            let more =
                self.processor_time().saturating_sub(reaped.user.saturating_add(reaped.system));
            (reaped.user.saturating_add(more), reaped.system)
        });
        ResourceUsage { user, system, peak_memory }
    }
}

/// Returns whether two processes may have one memory, which was counted twice: as a process and the child of its vfork
/// do until the child becomes another program.
fn may_share_memory(processes: &[ProcessFacts]) -> bool {
    let same = |one: &ProcessFacts, other: &ProcessFacts| {
        one.size == other.size && one.held.abs_diff(other.held) <= AT_ONCE
    };
    let mut sorted: Vec<&ProcessFacts> =
        processes.iter().filter(|one| one.held > AT_ONCE).collect();
    sorted.sort_unstable_by_key(|process| (process.size, process.held));
    sorted.iter().zip(sorted.iter().skip(1)).any(|(one, other)| same(one, other))
}

/// Reads a file of the kernel's; `None` if it cannot be read.
fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let read: io::Result<_> =
        File::open(path).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    read.ok().map(|_| text)
}

/// How fast a processor can take memory: writing to large pages, measured, and doubled.
const BYTES_PER_MICROSECOND: u64 = 8_192;

/// The least time between two looks.
const SHORTEST: Duration = Duration::from_millis(1);

/// The most time between two looks.
const LONGEST: Duration = Duration::from_millis(100);

/// How many looks in a row a job is given whose processes may have one memory, or end while they are counted.
const MOST_DOUBTFUL: u32 = 5;

/// How much a process can take while it is looked at, in bytes.
const AT_ONCE: u64 = 1 << 20;

/// A look takes at most one part in this many of the time of a processor,
const SHARE: u32 = 20;

/// unless there would be no look for longer than this.
const LONGEST_REST: Duration = Duration::from_secs(1);
