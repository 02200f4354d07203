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

/// The devices that a job has, and that of this system which each is.
///
/// A mapping of `/dev/zero` that is shared is memory that belongs to no process. `/dev/full` gives the same zeros and
/// cannot be mapped; what is written to it is refused.
pub(crate) const DEVICES: [(&str, &str); 5] = [
    ("/dev/full", "/dev/full"),
    ("/dev/null", "/dev/null"),
    ("/dev/random", "/dev/random"),
    ("/dev/urandom", "/dev/urandom"),
    ("/dev/zero", "/dev/full"),
];

/// Names of what a process has open, as scripts use them.
const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
];

/// Returns restricted copies of the mounts of the devices.
pub(super) fn trees() -> Result<Vec<OwnedFd>, InitFault> {
    super::at("mounting devices", || DEVICES.iter().map(|(_, path)| tree(path)).collect())
}

fn tree(path: &str) -> io::Result<OwnedFd> {
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOEXEC;
    copied(&prepare::open_path(Path::new(path))?, attributes, None)
}

impl PrivateRoot {
    pub(super) fn devices(&self, trees: &[OwnedFd]) -> io::Result<()> {
        for (tree, (path, _)) in trees.iter().zip(DEVICES) {
            self.mount(tree, Path::new(path), &PlaceNode::File)?;
        }
        // A plan that shows the /dev of this system shows these, too.
        LINKS.iter().try_for_each(|(path, to)| self.link_if_missing(Path::new(path), Path::new(to)))
    }
}
