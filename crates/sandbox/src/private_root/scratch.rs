//! The places where a job may write. Together they are one file system, so that one limit bounds them all.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use brine_job::SCRATCH_PATH;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::mount::MountAttrFlags;

use super::{PrivateRoot, copied, tmpfs};
use crate::orders::{InitOrders, PlaceNode};

/// Where the places are, and the mode of each. The last two are shared by all processes, as everywhere.
const PLACES: [(&str, u32); 3] = [(SCRATCH_PATH, 0o700), ("/tmp", 0o1777), ("/dev/shm", 0o1777)];

/// Returns where a job may write, besides what it is granted. Without a private root this is one borrowed directory.
pub(crate) fn places<'a>(orders: &InitOrders, borrowed: Option<&'a Path>) -> Vec<&'a Path> {
    borrowed.map_or_else(|| with_modes(orders).map(|(path, _)| path).collect(), |own| vec![own])
}

/// Returns the places of a private root, with their modes. A path at which the plan shows something of this system is
/// that, and no scratch place.
fn with_modes(orders: &InitOrders) -> impl Iterator<Item = (&'static Path, u32)> {
    let all = PLACES.iter().map(|(path, mode)| (Path::new(*path), *mode));
    all.filter(|(path, _)| orders.places.iter().all(|place| place.target != *path))
}

/// A scratch place that is made, but not mounted yet.
pub(super) struct ScratchPlace {
    path: &'static Path,
    tree: OwnedFd,
}

impl PrivateRoot {
    /// Makes the scratch places.
    ///
    /// A mount can be copied only if it is attached (before Linux 6.15). So all of the file system is attached
    /// where its first place comes to lie, which hides the rest of it.
    pub(super) fn make_scratch(&mut self, orders: &InitOrders) -> io::Result<Vec<ScratchPlace>> {
        let bytes = orders.limits.scratch;
        // A tmpfs of size 0 has no limit.
        let whole = tmpfs(bytes.max(1), "0700", MountAttrFlags::empty(), self.user)?;
        self.own_devices.push(rustix::fs::fstat(&whole)?.st_dev);
        self.scratch = Some(whole.try_clone()?);
        self.mount(&whole, Path::new(SCRATCH_PATH), &PlaceNode::Directory)?;
        let mut attributes = libc::MOUNT_ATTR_NODEV;
        if bytes == 0 {
            attributes |= libc::MOUNT_ATTR_RDONLY;
        }
        if !orders.exec_scratch {
            attributes |= libc::MOUNT_ATTR_NOEXEC;
        }
        let make = |(path, mode): (&'static Path, u32)| {
            let directory = self.scratch_directory(&whole, path, mode)?;
            Ok(ScratchPlace { path, tree: copied(&directory, attributes, None)? })
        };
        with_modes(orders).map(make).collect()
    }

    pub(super) fn mount_scratch(&self, scratch: &[ScratchPlace]) -> io::Result<()> {
        let mut scratch = scratch.iter();
        scratch.try_for_each(|place| self.mount(&place.tree, place.path, &PlaceNode::Directory))
    }

    fn scratch_directory(&self, whole: &OwnedFd, path: &Path, mode: u32) -> io::Result<OwnedFd> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        rustix::fs::mkdirat(whole, name, Mode::RWXU)?;
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.user));
        rustix::fs::chownat(whole, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        // The mode of a new directory is subject to the umask.
        rustix::fs::chmodat(whole, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(whole, name, flags, Mode::empty())?)
    }
}

impl ScratchPlace {
    /// Returns whether it lies in something that the plan shows.
    pub(super) fn lies_in_a_place(&self, orders: &InitOrders) -> bool {
        orders.places.iter().any(|place| self.path.starts_with(&place.target))
    }
}
