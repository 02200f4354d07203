//! A control group for a job: the kernel itself counts all that its processes hold and use together.
//!
//! A group that can be made bounds what its controllers count. They can be of version 2, where they are delegated or
//! brine is root, or of version 1 for root. Each is taken where it is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_job::JobLimits;
use rustix::process::Pid;

use super::group_tree::{GroupTree, SystemTree};
use super::hierarchy::{GroupVersion, Hierarchy};
use super::read;
use crate::init_report::Membership;

/// A control group for one job, in each hierarchy that has a controller for it. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct ControlGroup<T: GroupTree = SystemTree> {
    tree: T,
    memory: Option<Group>,
    processor: Option<Group>,
    processes: Option<Group>,
    /// The group of its own that brine moved into, and the one it came from.
    moved: Option<(PathBuf, PathBuf)>,
}

/// The group of a job in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    version: GroupVersion,
    directory: PathBuf,
}

/// Which bounds of a job a control group holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) memory: Option<GroupVersion>,
    pub(super) processor: Option<GroupVersion>,
    pub(super) processes: Option<GroupVersion>,
}

impl ControlGroup<SystemTree> {
    /// Makes groups with these limits below those of this process. What cannot be had is left out.
    pub(super) fn make(limits: &JobLimits) -> Self {
        let text = |path| read(Path::new(path)).unwrap_or_default();
        let hierarchies = Hierarchy::all(&text("/proc/self/mountinfo"), &text("/proc/self/cgroup"));
        Self::make_in(SystemTree, &hierarchies, limits)
    }
}

impl<T: GroupTree> ControlGroup<T> {
    fn make_in(tree: T, hierarchies: &[Hierarchy], limits: &JobLimits) -> Self {
        let mut group = Self { tree, memory: None, processor: None, processes: None, moved: None };
        // The newer interface first: it kills a group as a whole, and counts swap by itself.
        let (newer, older): (Vec<_>, Vec<_>) =
            hierarchies.iter().partition(|one| one.version == GroupVersion::V2);
        for hierarchy in newer {
            group.make_v2(hierarchy, limits);
        }
        for hierarchy in older {
            group.make_v1(hierarchy, limits);
        }
        group
    }

    fn make_v2(&mut self, hierarchy: &Hierarchy, limits: &JobLimits) {
        let Some((made, moved)) = made_v2(&self.tree, hierarchy) else { return };
        self.moved = moved;
        let set =
            |name: &str, value: &str| self.tree.write(&made.directory.join(name), value).is_ok();
        if set("memory.max", &limits.memory.to_string()) {
            // A kernel without swap, or that does not count it, has no such file.
            set("memory.swap.max", "0");
            set("memory.oom.group", "1");
            self.memory = Some(made.clone());
        }
        if set("pids.max", &most_processes(limits)) {
            self.processes = Some(made.clone());
        }
        if made.processor_time(&self.tree).is_some() {
            self.processor = Some(made.clone());
        }
        if self.held() == Held::default() {
            made.remove(&self.tree);
        }
    }

    fn make_v1(&mut self, hierarchy: &Hierarchy, limits: &JobLimits) {
        let has = |name: &str| hierarchy.controllers.iter().any(|found| found == name);
        let wants_memory = self.memory.is_none() && has("memory");
        let wants_processor = self.processor.is_none() && has("cpuacct");
        let wants_processes = self.processes.is_none() && has("pids");
        if !(wants_memory || wants_processor || wants_processes) {
            return;
        }
        let Ok(made) = Group::below(&self.tree, &hierarchy.own, GroupVersion::V1) else { return };
        let set =
            |name: &str, value: &str| self.tree.write(&made.directory.join(name), value).is_ok();
        let mut used = false;
        if wants_memory && set("memory.limit_in_bytes", &limits.memory.to_string()) {
            // Only together with memory is swap counted; a kernel may count neither.
            set("memory.memsw.limit_in_bytes", &limits.memory.to_string());
            self.memory = Some(made.clone());
            used = true;
        }
        if wants_processes && set("pids.max", &most_processes(limits)) {
            self.processes = Some(made.clone());
            used = true;
        }
        if wants_processor && made.processor_time(&self.tree).is_some() {
            self.processor = Some(made.clone());
            used = true;
        }
        if !used {
            made.remove(&self.tree);
        }
    }

    /// Returns which bounds it holds.
    pub(super) fn held(&self) -> Held {
        let version = |group: &Option<Group>| group.as_ref().map(|group| group.version);
        Held {
            memory: version(&self.memory),
            processor: version(&self.processor),
            processes: version(&self.processes),
        }
    }

    /// Returns the directories of its groups of a version, each once. There is at most one of version 2.
    pub(super) fn directories(&self, version: GroupVersion) -> impl Iterator<Item = &Path> {
        let groups = self.groups().into_iter().filter(move |group| group.version == version);
        groups.map(|group| &*group.directory)
    }

    /// Moves a process into it, and all that descend from it later, except where it is already. A group that does not
    /// take it holds nothing.
    pub(super) fn take(&mut self, process: Pid, membership: Membership) {
        let number = process.as_raw_pid().to_string();
        let tree = &self.tree;
        for slot in [&mut self.memory, &mut self.processor, &mut self.processes] {
            let takes = |group: &Group| {
                let is_there = match group.version {
                    GroupVersion::V1 => membership.of_version_1,
                    GroupVersion::V2 => membership.of_version_2,
                };
                is_there || tree.write(&group.directory.join("cgroup.procs"), &number).is_ok()
            };
            if let Some(group) = slot.take_if(|group| !takes(group)) {
                // If it holds another bound, it has the process, and stays.
                group.remove(tree);
            }
        }
    }

    /// Returns the processor time that was used in the programs and in the kernel, also by processes that are gone.
    pub(super) fn processor_time(&self) -> Option<(Duration, Duration)> {
        self.processor.as_ref()?.processor_time(&self.tree)
    }

    /// Returns the most memory that was held, in bytes.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        let group = self.memory.as_ref()?;
        match group.version {
            GroupVersion::V2 => group.number(&self.tree, "memory.peak"),
            // With swap where that is counted.
            GroupVersion::V1 => group
                .number(&self.tree, "memory.memsw.max_usage_in_bytes")
                .or_else(|| group.number(&self.tree, "memory.max_usage_in_bytes")),
        }
    }

    /// Returns whether memory was at its limit and something was refused or killed for it.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let Some(group) = &self.memory else { return false };
        let file = match group.version {
            GroupVersion::V2 => "memory.events",
            GroupVersion::V1 => "memory.oom_control",
        };
        group.member(&self.tree, file, "oom_kill").is_some_and(|count| count > 0)
    }

    /// Returns its groups, each once.
    fn groups(&self) -> Vec<&Group> {
        let mut groups = Vec::new();
        for group in [&self.memory, &self.processor, &self.processes].into_iter().flatten() {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }
}

impl<T: GroupTree> Drop for ControlGroup<T> {
    fn drop(&mut self) {
        for group in self.groups() {
            group.remove(&self.tree);
        }
        if let Some((supervisor, own)) = &self.moved {
            // The way back is as it came: without controllers below it, the group takes processes again.
            let _ = self.tree.write(&own.join("cgroup.subtree_control"), "-memory -pids");
            let _ = self.tree.write(&own.join("cgroup.procs"), "0");
            let _ = self.tree.remove(supervisor);
        }
    }
}

impl Group {
    /// Makes a group with a name of its own.
    fn below(tree: &impl GroupTree, parent: &Path, version: GroupVersion) -> io::Result<Self> {
        remove_abandoned(tree, parent);
        let own = std::process::id();
        for number in 0..MOST_TRIES {
            let directory = parent.join(format!("{NAME}{own}-{number}"));
            match tree.make(&directory) {
                Ok(()) => return Ok(Self { version, directory }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes it. A group in which a process is left stays, until a later job finds it abandoned.
    fn remove(&self, tree: &impl GroupTree) {
        let _ = tree.remove(&self.directory);
    }

    fn processor_time(&self, tree: &impl GroupTree) -> Option<(Duration, Duration)> {
        match self.version {
            GroupVersion::V2 => {
                let micros = |name| self.member(tree, "cpu.stat", name).map(Duration::from_micros);
                Some((micros("user_usec")?, micros("system_usec")?))
            }
            GroupVersion::V1 => {
                let nanos = |name| self.number(tree, name).map(Duration::from_nanos);
                Some((nanos("cpuacct.usage_user")?, nanos("cpuacct.usage_sys")?))
            }
        }
    }

    fn number(&self, tree: &impl GroupTree, name: &str) -> Option<u64> {
        tree.read(&self.directory.join(name))?.trim_end().parse().ok()
    }

    /// Returns a number out of a file of names and numbers.
    fn member(&self, tree: &impl GroupTree, file: &str, name: &str) -> Option<u64> {
        tree.read(&self.directory.join(file))?.lines().find_map(|line| {
            let (found, value) = line.split_once(' ')?;
            (found == name).then(|| value.parse().ok()).flatten()
        })
    }
}

/// A new group of version 2, and where brine moved to make room for it.
type MadeV2 = (Group, Option<(PathBuf, PathBuf)>);

/// Makes a group that has the controllers of memory and processes, or at least counts processor time.
///
/// A group that has processes gives no controllers to groups in it ("no internal processes"). Where brine is alone in
/// its group, as in a scope that was delegated to it, it moves down into one; otherwise the group above may do.
fn made_v2(tree: &impl GroupTree, hierarchy: &Hierarchy) -> Option<MadeV2> {
    let Hierarchy { own, top, .. } = hierarchy;
    if enable(tree, own) {
        return Group::below(tree, own, GroupVersion::V2).ok().map(|made| (made, None));
    }
    if let Some(moved) = moved_down(tree, own) {
        match enable(tree, own).then(|| Group::below(tree, own, GroupVersion::V2).ok()).flatten() {
            Some(made) => return Some((made, Some(moved))),
            None => {
                let _ = tree.write(&own.join("cgroup.procs"), "0");
                let _ = tree.remove(&moved.0);
            }
        }
    }
    let above = own.parent().filter(|above| above.starts_with(top) && enabled(tree, above));
    let above = above.and_then(|above| Group::below(tree, above, GroupVersion::V2).ok());
    above.or_else(|| Group::below(tree, own, GroupVersion::V2).ok()).map(|made| (made, None))
}

/// Returns whether groups below this one have the controllers of memory and processes.
fn enabled(tree: &impl GroupTree, group: &Path) -> bool {
    let controllers = tree.read(&group.join("cgroup.subtree_control")).unwrap_or_default();
    let has = |name| controllers.split_ascii_whitespace().any(|found| found == name);
    has("memory") && has("pids")
}

fn enable(tree: &impl GroupTree, group: &Path) -> bool {
    enabled(tree, group)
        || tree.write(&group.join("cgroup.subtree_control"), "+memory +pids").is_ok()
            && enabled(tree, group)
}

/// Moves brine into a group below its own if it is alone there. Returns both.
fn moved_down(tree: &impl GroupTree, own: &Path) -> Option<(PathBuf, PathBuf)> {
    let processes = tree.read(&own.join("cgroup.procs"))?;
    if processes.trim_end() != std::process::id().to_string() {
        return None;
    }
    let down = own.join(format!("{NAME}{}-supervisor", std::process::id()));
    tree.make(&down).ok()?;
    match tree.write(&down.join("cgroup.procs"), "0") {
        Ok(()) => Some((down, own.to_owned())),
        Err(_) => {
            let _ = tree.remove(&down);
            None
        }
    }
}

/// Removes groups of programs that were killed before they could. A group with processes cannot be removed.
fn remove_abandoned(tree: &impl GroupTree, parent: &Path) {
    for path in tree.groups_in(parent) {
        let number = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_prefix(NAME));
        let number = number.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if number.is_some_and(|number| !Path::new(&format!("/proc/{number}")).exists()) {
            let _ = tree.remove(&path);
        }
    }
}

/// The processes of the job, and process 1 of its namespace.
fn most_processes(limits: &JobLimits) -> String {
    limits.processes.saturating_add(1).to_string()
}

/// What the names of groups begin with; the number of brine follows.
const NAME: &str = "brine-";

/// More jobs than one process runs at a time.
const MOST_TRIES: u32 = 1 << 16;

#[cfg(test)]
mod tests;
