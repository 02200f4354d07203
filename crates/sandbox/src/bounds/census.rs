//! What the processes of a job hold and have used, as `/proc` shows it.
//!
//! Sources: proc_pid_status(5), proc_pid_stat(5), proc_pid_smaps(5).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Dir, Mode, OFlags};

/// Where the processes of a job are listed.
#[derive(Debug)]
pub(super) struct Census {
    directory: OwnedFd,
    scope: Scope,
}

/// Which processes of a `/proc` belong to the job.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// All but process 1: it is that of the job's own namespace.
    All,
    /// This one and all that descend from it.
    Below(u32),
}

/// A process, at the moment when it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessFacts {
    pub(super) id: u32,
    /// When it started, in ticks since the system did: with the number, it is the identity of a process.
    pub(super) started: u64,
    /// Bytes of address space.
    pub(super) size: u64,
    /// Bytes of memory that are its own, or shared with those that it forked, in memory and swapped out, and of page
    /// tables. Pages of files are not among them: the kernel takes those back when it needs them.
    pub(super) held: u64,
    /// Processor time of its threads, also of those that have ended.
    pub(super) used: Duration,
    /// Whether it ran, or waited only for a processor.
    pub(super) runs: bool,
}

/// What some processes hold together.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedCount {
    pub(super) held: u64,
    /// Whether all of them were there until the last was asked. Else it may be too much.
    pub(super) is_certain: bool,
}

impl Census {
    /// Counts the processes of the namespace that this `/proc` belongs to.
    pub(super) fn of_namespace(directory: OwnedFd) -> Self {
        Self { directory, scope: Scope::All }
    }

    /// Counts a process, by its number for brine, and what descends from it.
    pub(super) fn below(process: u32) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open("/proc", flags, Mode::empty())?;
        Ok(Self { directory, scope: Scope::Below(process) })
    }

    /// Looks at every process that is there.
    pub(super) fn take(&self) -> Vec<ProcessFacts> {
        self.numbers().into_iter().filter_map(|id| self.facts(id)).collect()
    }

    /// Counts what all of them hold together, pages that several share once: each is divided among its owners. This takes
    /// 16 ms for each GiB, so it ends where there is more than `enough`.
    ///
    /// When a process ends, its part of the pages that it shared falls to the others. Whoever was asked after that
    /// counts it again: eight that share 30 MiB and end one after another seem to hold 80. So everybody is counted again
    /// if one ended meanwhile, a few times.
    pub(super) fn count_shared_once(&self, processes: &[ProcessFacts], enough: u64) -> SharedCount {
        let mut count = self.count_once(processes, enough);
        for _ in 1..MOST_COUNTS {
            if count.is_certain {
                break;
            }
            count = self.count_once(&self.take(), enough);
        }
        count
    }

    fn count_once(&self, processes: &[ProcessFacts], enough: u64) -> SharedCount {
        let mut held = 0_u64;
        for process in processes {
            let own = match self.proportional(*process) {
                Some(own) => own.min(process.held),
                None if self.has_ended(*process) => 0,
                None => process.held,
            };
            held = held.saturating_add(own);
            if held > enough {
                break;
            }
        }
        SharedCount { held, is_certain: !processes.iter().any(|process| self.has_ended(*process)) }
    }

    /// Returns whether a process that held memory has none any more.
    fn has_ended(&self, process: ProcessFacts) -> bool {
        let now = self.facts(process.id).filter(|now| now.started == process.started);
        process.held > 0 && now.is_none_or(|now| now.held == 0)
    }

    /// Returns the part of what a process holds that is its own by right. `None` if it cannot be read.
    fn proportional(&self, process: ProcessFacts) -> Option<u64> {
        let (thread, status) = self.memory(process.id)?;
        let rollup = self.text(process.id, &format!("task/{thread}/smaps_rollup"))?;
        let own = ["Pss_Anon:", "SwapPss:"].map(|name| kibibytes(&rollup, name));
        let whole = ["VmPTE:", "HugetlbPages:"].map(|name| kibibytes(&status, name));
        own.into_iter()
            .try_fold(0_u64, |sum, own| Some(sum.saturating_add(own?)))
            .map(|own| whole.into_iter().flatten().fold(own, u64::saturating_add))
    }

    fn numbers(&self) -> Vec<u32> {
        match self.scope {
            Scope::All => self.listed().unwrap_or_default(),
            Scope::Below(process) => {
                let mut found = vec![process];
                let mut next = 0;
                while let Some(parent) = found.get(next).copied() {
                    next += 1;
                    if found.len() < MOST_PROCESSES {
                        found.extend(self.children(parent));
                    }
                }
                found
            }
        }
    }

    fn listed(&self) -> io::Result<Vec<u32>> {
        let mut found = Vec::new();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        for entry in Dir::new(rustix::fs::openat(&self.directory, c".", flags, Mode::empty())?)? {
            let number = entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok());
            // Process 1 is brine's.
            found.extend(number.filter(|number| *number != 1));
        }
        Ok(found)
    }

    /// Returns the children of all threads of a process.
    fn children(&self, process: u32) -> Vec<u32> {
        let mut found = Vec::new();
        for thread in self.threads(process) {
            let text = self.text(process, &format!("task/{thread}/children")).unwrap_or_default();
            found.extend(
                text.split_ascii_whitespace().filter_map(|number| number.parse::<u32>().ok()),
            );
        }
        found
    }

    fn threads(&self, process: u32) -> Vec<u32> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let tasks = format!("{process}/task");
        let Ok(tasks) = rustix::fs::openat(&self.directory, tasks, flags, Mode::empty()) else {
            return Vec::new();
        };
        let entries = Dir::new(tasks).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok()).collect()
    }

    /// Returns `None` for a process that has ended.
    fn facts(&self, id: u32) -> Option<ProcessFacts> {
        let stat = ProcessStat::read(&self.text(id, "stat")?)?;
        let memory = self.memory(id);
        let member =
            |name| memory.as_ref().and_then(|(_, status)| kibibytes(status, name)).unwrap_or(0);
        let counted = ["RssAnon:", "VmSwap:", "VmPTE:", "HugetlbPages:"];
        Some(ProcessFacts {
            id,
            started: stat.started,
            size: member("VmSize:"),
            held: counted.into_iter().map(member).fold(0, u64::saturating_add),
            used: stat.used,
            runs: stat.runs,
        })
    }

    /// Returns what a process says of its memory, and the thread that says it. If its first thread has ended, another
    /// one still has the memory, and `/proc/PID/status` shows none.
    fn memory(&self, id: u32) -> Option<(u32, String)> {
        let has_memory = |status: &String| kibibytes(status, "VmSize:").is_some();
        let first = self.text(id, "status").filter(has_memory).map(|status| (id, status));
        first.or_else(|| {
            self.threads(id).into_iter().find_map(|thread| {
                let status = self.text(id, &format!("task/{thread}/status"))?;
                has_memory(&status).then_some((thread, status))
            })
        })
    }

    fn text(&self, process: u32, name: &str) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let path = format!("{process}/{name}");
        let file = rustix::fs::openat(&self.directory, path, flags, Mode::empty()).ok()?;
        let mut text = Vec::with_capacity(USUAL_BYTES);
        File::from(file).take(MOST_BYTES).read_to_end(&mut text).ok()?;
        // The name of a process can be any bytes.
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct ProcessStat {
    runs: bool,
    used: Duration,
    started: u64,
}

impl ProcessStat {
    fn read(text: &str) -> Option<Self> {
        // The second field is the name, in parentheses, which it may have itself.
        let mut fields = text.get(text.rfind(')')?.saturating_add(2)..)?.split(' ');
        let state = fields.next()?;
        let mut after_state = |skip| fields.nth(skip)?.parse::<u64>().ok();
        // Fields 14, 15 and 22.
        let (user, system) = (after_state(10)?, after_state(0)?);
        let started = after_state(6)?;
        let ticks = user.saturating_add(system);
        Some(Self {
            runs: state == "R",
            used: Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND)),
            started,
        })
    }
}

/// Returns the bytes of a line like `VmPTE:       44 kB`. A process that is ending has no such line.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(number.saturating_mul(1024))
}

/// `USER_HZ`, which is 100 on every architecture that the sandbox is for.
const TICKS_PER_SECOND: u64 = 100;

/// How often processes are counted of which one ends meanwhile.
const MOST_COUNTS: usize = 4;

const USUAL_BYTES: usize = 2048;

const MOST_BYTES: u64 = 1 << 16;

/// As many as Linux has at most (`PID_MAX_LIMIT`).
const MOST_PROCESSES: usize = 1 << 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_moves_no_field() {
        let text = "7 (a) R 1 ) S 1 7 7 0 -1 4194304 90 0 0 0 150 25 900 800 20 0 1 0 4711 8 9";
        let read = ProcessStat::read(text).unwrap();
        assert_eq!(
            read,
            ProcessStat { runs: false, used: Duration::from_millis(1750), started: 4711 }
        );
        assert!(ProcessStat::read(&text.replace(") S", ") R")).unwrap().runs);
        for cut in ["", "7 (a", "7 (a)", "7 (a) S 1 2 3"] {
            assert_eq!(ProcessStat::read(cut), None, "{cut}");
        }
    }

    #[test]
    fn a_process_finds_itself_and_its_child() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let census = Census::below(std::process::id()).unwrap();
        let found = census.take();
        let own = found.iter().find(|process| process.id == std::process::id()).unwrap();
        assert!(own.held > 4096, "{own:?}");
        let proportional = census.proportional(*own).unwrap();
        assert!((4096..=own.held.saturating_mul(2)).contains(&proportional), "{proportional}");
        let sleeper = found.iter().find(|process| process.id == child.id()).unwrap();
        assert!(sleeper.started >= own.started);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(census.take().iter().all(|process| process.id != child.id()));
    }
}
