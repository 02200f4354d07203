//! The private root: read-only, except for the scratch places and the granted paths that are writable.

mod devices;
mod etc;
mod old_root;
mod proc;
mod scratch;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use brine_job::{Layer, PAYLOAD_PATH};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::init_report::InitFault;
use super::job_user::JobUser;
use super::orders::{InitOrders, PlaceAccess, PlaceInside, PlaceNode, ProgramCopy};
use super::outcome::ProcView;
use super::syscalls::MountReach;
use super::{NOBODY, SCRIPT_PATH, prepare, syscalls};

use self::etc::TimeZone;
use self::old_root::acting_on_root;
use self::proc::ProcTree;

pub(super) use self::devices::DEVICES;
pub(super) use self::etc::ETC;
pub(super) use self::old_root::{IS_INITRAMFS, IS_NO_MOUNT};
pub(super) use self::proc::PROC;
pub use self::proc::SHOWN_IN_PROC;
pub(super) use self::scratch::places as scratch_places;

/// A private root that was built and entered.
pub(super) struct BuiltRoot {
    /// The user whom it belongs to: the one that was chosen, or nobody if a file system of a granted path cannot show
    /// other owners.
    pub(super) user: u32,
    /// The file system of all scratch places.
    pub(super) scratch: Option<OwnedFd>,
    /// A `/proc` of the process namespace; `None` where the system lets nobody mount one, as in a container that masks
    /// parts of its own.
    pub(super) processes: Option<OwnedFd>,
    /// What the job sees as `/proc`.
    pub(super) proc_view: ProcView,
}

/// Builds the root in the mount namespace of this process, and moves into it.
///
/// `opened` are the descriptors that brine opened in its own mount namespace. Only mounts of this namespace can
/// be mounted again, so every path is opened again, and must lead to the same file.
pub(super) fn build(
    orders: &InitOrders,
    opened: &[OwnedFd],
    payload: &OwnedFd,
    program: &OwnedFd,
    user: &JobUser,
) -> Result<BuiltRoot, InitFault> {
    acting_on_root("keeping mounts to itself", || {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        Ok(rustix::mount::mount_change("/", private)?)
    })?;
    let map = user.map().map(AsFd::as_fd);
    let (trees, number) = match place_trees(orders, opened, map) {
        // A file system that cannot show other owners shows nobody's files as nobody's.
        Err(_) if map.is_some() => (place_trees(orders, opened, None)?, NOBODY),
        trees => (trees?, user.number()),
    };
    let devices = devices::trees()?;
    let proc = at("mounting /proc", ProcTree::make)?;
    let processes = proc::of_all_processes().ok();
    let zone = TimeZone::of_system();
    let mut root = at("making the private root", || {
        let copied = file_payload_bytes(orders).saturating_add(copied_program_bytes(orders));
        let bytes = ROOT_BYTES.saturating_add(copied);
        let root = tmpfs(bytes, "0755", MountAttrFlags::empty(), number)?;
        attach(&root)?;
        PrivateRoot::new(root, number)
    })?;
    root.fill(orders, trees, &devices, payload)?;
    at("making the files in /etc", || root.etc(&zone))?;
    at("showing /proc", || root.proc(&proc))?;
    if let Some(copy) = &orders.copy {
        at("copying the program", || root.program(copy, program))?;
    }
    acting_on_root("entering the private root", || {
        rustix::process::fchdir(&root.directory)?;
        // With both at ".", the old root lies on top of the new one, and is unmounted (pivot_root(2), NOTES).
        Ok(rustix::process::pivot_root(".", ".")?)
    })?;
    at("entering the private root", || {
        rustix::mount::unmount(".", UnmountFlags::DETACH)?;
        rustix::process::chdir("/")?;
        // Only this mount: the mounts in it have attributes of their own.
        let root = prepare::open_path(Path::new("/"))?;
        syscalls::restrict_mount(root.as_fd(), libc::MOUNT_ATTR_RDONLY, MountReach::This, None)
    })?;
    Ok(BuiltRoot { user: number, scratch: root.scratch, processes, proc_view: proc.view() })
}

fn place_trees(
    orders: &InitOrders,
    opened: &[OwnedFd],
    map: Option<BorrowedFd<'_>>,
) -> Result<Vec<OwnedFd>, InitFault> {
    let places = orders.opened_places().zip(opened);
    let trees = places.map(|(place, descriptor)| {
        let map = map.filter(|_| place.keeps_owners());
        at(&format!("mounting {:?}", place.source), || place_tree(place, descriptor, map))
    });
    trees.collect()
}

struct PrivateRoot {
    directory: OwnedFd,
    /// The user of the job.
    user: u32,
    /// The file system of the scratch places, once it is made.
    scratch: Option<OwnedFd>,
    /// The numbers of the file systems that were made for this root.
    own_devices: Vec<u64>,
}

impl PrivateRoot {
    fn new(directory: OwnedFd, user: u32) -> io::Result<Self> {
        let own_devices = vec![rustix::fs::fstat(&directory)?.st_dev];
        Ok(Self { directory, user, scratch: None, own_devices })
    }

    fn fill(
        &mut self,
        orders: &InitOrders,
        trees: Vec<OwnedFd>,
        devices: &[OwnedFd],
        payload: &OwnedFd,
    ) -> Result<(), InitFault> {
        let scratch = at("making the scratch places", || self.make_scratch(orders))?;
        let (later, first): (Vec<_>, Vec<_>) =
            scratch.into_iter().partition(|place| place.lies_in_a_place(orders));
        at("showing the scratch places", || self.mount_scratch(&first))?;
        let mut trees = trees.into_iter();
        for place in &orders.places {
            at(&format!("showing {:?}", place.target), || match &place.node {
                PlaceNode::Link(to) => self.link(&place.target, to),
                node => match trees.next() {
                    Some(tree) => self.mount(&tree, &place.target, node),
                    None => Err(io::ErrorKind::UnexpectedEof.into()),
                },
            })?;
        }
        at("showing devices", || self.devices(devices))?;
        at("showing the scratch places", || self.mount_scratch(&later))?;
        if orders.delivery.is_file() {
            at("copying the payload", || self.payload(orders, payload))?;
        }
        Ok(())
    }

    fn payload(&self, orders: &InitOrders, payload: &OwnedFd) -> io::Result<()> {
        let (directory, name) = self.parent(Path::new(PAYLOAD_PATH))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let copy = rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o444))?;
        let mut source = io::Read::take(File::from(payload.try_clone()?), orders.payload_bytes);
        io::copy(&mut source, &mut File::from(copy)).map(drop)
    }

    /// Puts the copy of the program where the program itself would be, whatever is mounted there.
    ///
    /// The descriptor is of memory, which cannot be mounted, so it is copied once more.
    fn program(&self, copy: &ProgramCopy, program: &OwnedFd) -> io::Result<()> {
        let (directory, name) =
            self.parent(Path::new(OsStr::from_bytes(SCRIPT_PATH.to_bytes())))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o555))?;
        let mut source = io::Read::take(File::from(program.try_clone()?), copy.bytes);
        io::copy(&mut source, &mut File::from(made))?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&directory, name, flags, Mode::empty())?;
        let tree = copied(&made, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV, None)?;
        self.mount(&tree, &copy.path, &PlaceNode::File)
    }

    fn link(&self, path: &Path, to: &OsStr) -> io::Result<()> {
        let (directory, name) = self.parent(path)?;
        Ok(rustix::fs::symlinkat(to, &directory, name)?)
    }

    /// Makes a link, unless the plan shows something there, or where it would lie.
    fn link_if_missing(&self, path: &Path, to: &Path) -> io::Result<()> {
        match self.link(path, to.as_os_str()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) if !self.owns(self.parent(path)?.0.as_fd())? => Ok(()),
            made => made,
        }
    }

    fn mount(&self, tree: &OwnedFd, path: &Path, node: &PlaceNode) -> io::Result<()> {
        let (directory, name) = self.parent(path)?;
        let point = match node {
            PlaceNode::Directory => self.subdirectory(directory.as_fd(), name)?,
            PlaceNode::File | PlaceNode::Link(_) => self.file(directory.as_fd(), name)?,
        };
        attach_at(tree, &point)
    }

    /// Opens the directory of a path, makes it if it is missing, and returns it with the last name.
    fn parent<'p>(&self, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut directory = self.directory.try_clone()?;
        for part in path.parent().unwrap_or(path).components() {
            match part {
                Component::RootDir => {}
                Component::Normal(name) => {
                    directory = self.subdirectory(directory.as_fd(), name)?
                }
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            }
        }
        Ok((directory, name))
    }

    /// Opens a directory, and makes it if it is missing. It follows no link.
    fn subdirectory(&self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
        match open() {
            Err(rustix::io::Errno::NOENT) if self.owns(parent)? => {
                rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
                Ok(open()?)
            }
            opened => Ok(opened?),
        }
    }

    /// Opens a file to mount on, and makes it if it is missing.
    fn file(&self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
        if self.owns(parent)? {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            drop(rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o444))?);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
    }

    /// Returns whether a directory belongs to the private root. Nothing may be made in others: they are of this
    /// system.
    fn owns(&self, directory: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(self.own_devices.contains(&rustix::fs::fstat(directory)?.st_dev))
    }
}

/// Returns a restricted copy of the mounts at a place.
fn place_tree(
    place: &PlaceInside,
    opened: &OwnedFd,
    map: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let again = prepare::open_path(&place.source)?;
    same_file(opened, &again)?;
    let attributes = match place.access {
        PlaceAccess::Execute => libc::MOUNT_ATTR_RDONLY,
        PlaceAccess::Read => libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOEXEC,
        PlaceAccess::Write => libc::MOUNT_ATTR_NOEXEC,
    };
    copied(&again, attributes | libc::MOUNT_ATTR_NODEV, map)
}

/// Demands that two descriptors are of one file. While the first is open, no other file gets its inode number.
fn same_file(opened: &OwnedFd, again: &OwnedFd) -> io::Result<()> {
    let (one, other) = (rustix::fs::fstat(opened)?, rustix::fs::fstat(again)?);
    if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino) {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESTALE))
    }
}

fn copied(place: &OwnedFd, attributes: u64, map: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(place, c"", flags)?;
    syscalls::restrict_mount(
        tree.as_fd(),
        attributes | libc::MOUNT_ATTR_NOSUID,
        MountReach::Below,
        map,
    )?;
    Ok(tree)
}

fn tmpfs(bytes: u64, mode: &str, attributes: MountAttrFlags, owner: u32) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let owner = owner.to_string();
    // One inode for each page, so that neither inodes nor bytes run out first for no reason.
    let inodes = (bytes / 4096).clamp(64, MAX_INODES);
    for (key, value) in [
        ("size", bytes.to_string()),
        ("nr_inodes", inodes.to_string()),
        ("mode", mode.to_owned()),
        ("uid", owner.clone()),
        ("gid", owner),
    ] {
        rustix::mount::fsconfig_set_string(&context, key, value)?;
    }
    rustix::mount::fsconfig_create(&context)?;
    let attributes =
        attributes | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Mounts the new root at any directory. Nobody outside this namespace sees it.
fn attach(root: &OwnedFd) -> io::Result<()> {
    let mut last = io::ErrorKind::NotFound.into();
    for path in ["/tmp", "/run", "/mnt", "/usr"] {
        let point = match prepare::open_path(Path::new(path)) {
            Ok(point) => point,
            Err(error) => {
                last = error;
                continue;
            }
        };
        return attach_at(root, &point);
    }
    Err(last)
}

fn attach_at(tree: &OwnedFd, point: &OwnedFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree, c"", point, c"", flags)?)
}

fn file_payload_bytes(orders: &InitOrders) -> u64 {
    if orders.delivery.is_file() { orders.payload_bytes.saturating_add(4096) } else { 0 }
}

fn copied_program_bytes(orders: &InitOrders) -> u64 {
    orders.copy.as_ref().map_or(0, |copy| copy.bytes.saturating_add(4096))
}

fn at<T>(step: &str, action: impl FnOnce() -> io::Result<T>) -> Result<T, InitFault> {
    action().map_err(InitFault::of(Layer::Namespaces, step))
}

const ROOT_BYTES: u64 = 1 << 20;

const MAX_INODES: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_exchanged_after_it_was_opened_is_not_mounted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("granted");
        std::fs::create_dir(&path).unwrap();
        let opened = prepare::open_path(&path).unwrap();
        same_file(&opened, &prepare::open_path(&path).unwrap()).unwrap();
        std::fs::rename(&path, directory.path().join("moved")).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = same_file(&opened, &prepare::open_path(&path).unwrap()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESTALE));
    }
}
