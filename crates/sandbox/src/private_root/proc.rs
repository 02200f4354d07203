//! `/proc`: the processes of the job, and what programs ask of the machine.
//!
//! It is a file system of the job's own process namespace. Other processes of the system are not in it, and `hidepid`
//! takes out those that the job may not look into: process 1 of its namespace, which is brine's. It is read-only, to
//! the last file. A process names itself with `prctl`, and a job **must not** lower its own `oom_score_adj`.
//!
//! Besides processes there are files about the machine. Those of a list are shown. An empty file or directory hides
//! each other that is not for root alone, also those that only a later kernel has.
//!
//! A container can hide parts of its own `/proc`, as Docker does. The kernel then lets nobody in a user namespace mount
//! one that shows them (`mount_too_revealing`). A job then gets the files of the list, and no processes.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::{PrivateRoot, attach_at, copied};
use crate::orders::PlaceNode;
use crate::outcome::ProcView;
use crate::prepare;

/// Where it is mounted.
pub(crate) const PROC: &str = "/proc";

/// What a job is shown of the machine in its `/proc`. Nothing in it is of other users, but how busy the machine is.
pub const SHOWN_IN_PROC: [&str; 11] = [
    "cgroups",
    "cpuinfo",
    "filesystems",
    "loadavg",
    "meminfo",
    "stat",
    "sys",
    "sysvipc",
    "uptime",
    "version",
    "vmstat",
];

/// A file in what is shown that tells one machine from all others.
const BOOT_ID: &str = "sys/kernel/random/boot_id";

/// Processes into which who looks may not look (`hidepid`).
const NOT_LOOKED_INTO: &str = "2";

/// What is shown of the machine, and what hides the rest, is read and nothing else.
const RESTRICTED: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;

/// The `/proc` of a job, before it is mounted.
pub(super) enum ProcTree {
    /// One of its own process namespace.
    Own(OwnedFd),
    /// Files of that of this system.
    Files(Vec<ShownFile>),
}

/// A file or directory of the `/proc` of this system.
pub(super) struct ShownFile {
    path: PathBuf,
    node: PlaceNode,
    tree: OwnedFd,
}

impl ProcTree {
    /// Makes it. This process **must** be in the process namespace of the job, and still see the system.
    pub(super) fn make() -> io::Result<Self> {
        match mounted(Some(NOT_LOOKED_INTO)) {
            Err(Errno::PERM) => {
                let files =
                    SHOWN_IN_PROC.iter().filter_map(|name| ShownFile::of_system(name).transpose());
                Ok(Self::Files(files.collect::<io::Result<_>>()?))
            }
            own => Ok(Self::Own(own?)),
        }
    }

    pub(super) const fn view(&self) -> ProcView {
        match self {
            Self::Own(_) => ProcView::Own,
            Self::Files(_) => ProcView::Missing,
        }
    }
}

/// Mounts a `/proc` with all processes of the process namespace of this process, over that of the system. Only while a
/// whole `/proc` is mounted may a process that is not root of the system do so.
///
/// It goes with the old root. The kernel takes milliseconds to free a mount that was never at a place when it is closed.
pub(super) fn of_all_processes() -> io::Result<OwnedFd> {
    let tree = mounted(None)?;
    attach_at(&tree, &prepare::open_path(Path::new(PROC))?)?;
    Ok(tree)
}

/// Makes a `/proc` of the process namespace of this process, at no place yet, which may hide processes (`hidepid`).
fn mounted(hidden: Option<&str>) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    if let Some(hidden) = hidden {
        rustix::mount::fsconfig_set_string(&context, "hidepid", hidden)?;
    }
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

impl ShownFile {
    /// Returns a file of the `/proc` of this system; `None` if it has no such file, or shows it to nobody.
    fn of_system(name: &str) -> io::Result<Option<Self>> {
        let path = Path::new(PROC).join(name);
        let opened = match prepare::open_path(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let node = match FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode) {
            FileType::Directory => PlaceNode::Directory,
            FileType::RegularFile => PlaceNode::File,
            // What hides a file of a container is a device.
            _ => return Ok(None),
        };
        Ok(Some(Self { path, node, tree: copied(&opened, RESTRICTED, None)? }))
    }
}

impl PrivateRoot {
    /// Mounts it, and hides what is not on the list.
    pub(super) fn proc(&self, tree: &ProcTree) -> io::Result<()> {
        let tree = match tree {
            ProcTree::Own(tree) => tree,
            ProcTree::Files(files) => {
                return files
                    .iter()
                    .try_for_each(|file| self.mount(&file.tree, &file.path, &file.node));
            }
        };
        let covers = Covers::make(self)?;
        self.mount(tree, Path::new(PROC), &PlaceNode::Directory)?;
        covers.hide(tree, Path::new(BOOT_ID), FileType::RegularFile)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        for entry in Dir::new(rustix::fs::openat(tree, c".", flags, Mode::empty())?)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_process = name.to_bytes().iter().all(u8::is_ascii_digit);
            let is_shown = SHOWN_IN_PROC.iter().any(|shown| shown.as_bytes() == name.to_bytes());
            if !is_process && !is_shown && is_for_others(tree, name)? {
                covers.hide(
                    tree,
                    Path::new(OsStr::from_bytes(name.to_bytes())),
                    entry.file_type(),
                )?;
            }
        }
        Ok(())
    }
}

/// Returns whether others than root may do anything with a file. A job is never root.
fn is_for_others(directory: &OwnedFd, name: &CStr) -> io::Result<bool> {
    if matches!(name.to_bytes(), b"." | b"..") {
        return Ok(false);
    }
    let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    // A link shows what it leads to: the files of a process.
    Ok(FileType::from_raw_mode(found.st_mode) != FileType::Symlink && found.st_mode & 0o007 != 0)
}

/// An empty file and an empty directory, which lie below the mount of `/proc`, each as a restricted mount of itself.
struct Covers {
    file: OwnedFd,
    directory: OwnedFd,
}

impl Covers {
    /// Makes them. `/proc` **must** not be mounted yet.
    fn make(root: &PrivateRoot) -> io::Result<Self> {
        let parent = root.subdirectory(root.directory.as_fd(), OsStr::new("proc"))?;
        let restricted = |below: &OwnedFd, name: &CStr| {
            attach_at(&copied(below, RESTRICTED, None)?, below)?;
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            io::Result::Ok(rustix::fs::openat(&parent, name, flags, Mode::empty())?)
        };
        let file = root.file(parent.as_fd(), OsStr::new("file"))?;
        let directory = root.subdirectory(parent.as_fd(), OsStr::new("directory"))?;
        Ok(Self {
            file: restricted(&file, c"file")?,
            directory: restricted(&directory, c"directory")?,
        })
    }

    /// Lays one of them over a file, if there is such a file. It **must not** be a link.
    ///
    /// There are dozens, so each is one call. The mount has the restrictions of the one that it is made of.
    fn hide(&self, tree: &OwnedFd, path: &Path, kind: FileType) -> io::Result<()> {
        let cover = if kind == FileType::Directory { &self.directory } else { &self.file };
        let (cover, point) = (prepare::own_path(cover), prepare::own_path(tree).join(path));
        match rustix::mount::mount_bind(cover, point) {
            Err(Errno::NOENT) => Ok(()),
            covered => Ok(covered?),
        }
    }
}
