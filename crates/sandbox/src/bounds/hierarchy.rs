//! Where the control groups of this process are.
//!
//! Sources: cgroups(7), proc_pid_mountinfo(5), and the kernel's `admin-guide/cgroup-v1` and `admin-guide/cgroup-v2`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A hierarchy of control groups that is mounted here, and the group of this process in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: GroupVersion,
    /// The controllers of a hierarchy of version 1. Those of version 2 are found in each group.
    pub(super) controllers: Vec<String>,
    /// The group of this process, as a directory.
    pub(super) own: PathBuf,
    /// Where the hierarchy is mounted: no group above it can be reached.
    pub(super) top: PathBuf,
}

/// The version of the interface of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupVersion {
    V1,
    V2,
}

impl Hierarchy {
    /// Reads the hierarchies out of `/proc/self/mountinfo` and `/proc/self/cgroup`. What cannot be read is left out: a
    /// hierarchy that is mounted several times is taken once, where the group of this process is below the mount.
    pub(super) fn all(mounts: &str, groups: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for mount in mounts.lines().filter_map(Mount::read) {
            let Some(hierarchy) = mount.hierarchy(groups) else { continue };
            let is_new = found.iter().all(|other| {
                (other.version, &other.controllers) != (hierarchy.version, &hierarchy.controllers)
            });
            if is_new {
                found.push(hierarchy);
            }
        }
        found
    }
}

/// A line of `/proc/self/mountinfo` that is about control groups.
struct Mount {
    version: GroupVersion,
    /// The directory of the hierarchy that is mounted.
    root: PathBuf,
    point: PathBuf,
    options: Vec<String>,
}

impl Mount {
    fn read(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (unescaped(mount.next()?), unescaped(mount.next()?));
        let mut file_system = file_system.split(' ');
        let version = match file_system.next()? {
            "cgroup" => GroupVersion::V1,
            "cgroup2" => GroupVersion::V2,
            _ => return None,
        };
        let options = file_system.nth(1)?.split(',').map(str::to_owned).collect();
        Some(Self { version, root, point, options })
    }

    fn hierarchy(self, groups: &str) -> Option<Hierarchy> {
        let (controllers, own) = groups.lines().find_map(|line| {
            let (number, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let controllers: Vec<String> =
                controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            let is_this = match self.version {
                GroupVersion::V2 => number == "0" && controllers.is_empty(),
                GroupVersion::V1 => {
                    !controllers.is_empty()
                        && controllers.iter().all(|name| self.options.contains(name))
                }
            };
            is_this.then(|| (controllers, PathBuf::from(path)))
        })?;
        let below = own.strip_prefix(&self.root).ok()?;
        let own = if below == Path::new("") { self.point.clone() } else { self.point.join(below) };
        Some(Hierarchy { version: self.version, controllers, own, top: self.point })
    }
}

/// Undoes the escapes of blanks and backslashes: `\` and three octal digits.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (first, value) {
            (b'\\', Some(value)) => {
                bytes.push(value);
                rest = behind.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(mounts: &str, groups: &str) -> Hierarchy {
        let mut found = Hierarchy::all(mounts, groups);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn a_group_lies_below_the_mount_of_its_hierarchy() {
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                      22 1 0:20 / / rw - ext4 /dev/vda rw\n";
        let found = one(mounts, "5:cpuset:/\n4:memory:/user/job\n0::/elsewhere\n");
        assert_eq!(found.version, GroupVersion::V1);
        assert_eq!(found.controllers, ["memory"]);
        assert_eq!(found.own, Path::new("/sys/fs/cgroup/memory/user/job"));
        assert_eq!(found.top, Path::new("/sys/fs/cgroup/memory"));

        let mounts = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = one(mounts, "0::/\n");
        assert_eq!((found.version, found.own.to_str()), (GroupVersion::V2, Some("/sys/fs/cgroup")));
    }

    /// As in a container that shows its own group as the top.
    #[test]
    fn what_is_above_the_mounted_directory_is_left_out() {
        let mounts = r"41 31 0:38 /docker/a\040b /sys/fs/cgroup rw - cgroup2 cgroup rw";
        let found = one(mounts, "0::/docker/a b/c\n");
        assert_eq!(found.own, Path::new("/sys/fs/cgroup/c"));
        assert_eq!(Hierarchy::all(mounts, "0::/other\n"), []);
    }

    #[test]
    fn controllers_that_are_mounted_together_are_one_hierarchy() {
        let mounts = "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      34 31 0:30 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct\n";
        let found = one(mounts, "3:cpu,cpuacct:/x\n");
        assert_eq!(found.own, Path::new("/sys/fs/cgroup/cpu,cpuacct/x"));
    }

    #[test]
    fn named_hierarchies_without_controllers_are_told_by_their_name() {
        let mounts = "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
        assert_eq!(one(mounts, "9:name=systemd:/\n").controllers, ["name=systemd"]);
        for groups in ["9:memory:/\n", "no colons", "", "0::/\n"] {
            assert_eq!(Hierarchy::all(mounts, groups), [], "{groups}");
        }
        for mounts in ["", "1 2 3", "41 31 0:38 / /x rw - cgroup2", "- - - - - - cgroup c"] {
            assert_eq!(Hierarchy::all(mounts, "0::/\n"), [], "{mounts}");
        }
    }
}
