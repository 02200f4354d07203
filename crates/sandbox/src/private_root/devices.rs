//! The devices of a job: those that give and take bytes, and reach nobody.
//!
//! There are no terminals. `/dev/ptmx` would be a file system of its own (devpts), whose terminals the kernel counts
//! for everybody together (`kernel.pty.max`), behind ioctls that have been a way out before; and a job has nobody to
//! show a terminal to.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::{PrivateRoot, copied};
use crate::init_report::InitFault;
use crate::orders::PlaceNode;
use crate::prepare;

/// The devices that a job has.
pub(crate) const DEVICES: [&str; 5] =
    ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// Returns restricted copies of the mounts of the devices.
pub(super) fn trees() -> Result<Vec<OwnedFd>, InitFault> {
    super::at("mounting devices", || DEVICES.iter().map(|path| tree(path)).collect())
}

fn tree(path: &str) -> io::Result<OwnedFd> {
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOEXEC;
    copied(&prepare::open_path(Path::new(path))?, attributes, None)
}

impl PrivateRoot {
    pub(super) fn devices(&self, trees: &[OwnedFd]) -> io::Result<()> {
        let mut devices = trees.iter().zip(DEVICES);
        devices.try_for_each(|(tree, path)| self.mount(tree, Path::new(path), &PlaceNode::File))
    }
}
