//! Why the kernel does not exchange the root of this system for a private one.
//!
//! It answers several mistakes of whoever asks, and two kinds of root, with `EINVAL` (pivot_root(2), mount(2)). The mounts
//! tell them apart.

use std::fs::File;
use std::io::{self, Read};

use brine_job::Layer;

use crate::init_report::InitFault;

/// What fails where the root is the initramfs: a mount that lies on no other.
pub(crate) const IS_INITRAMFS: &str = "exchanging the root, which is the initramfs";

/// What fails after a chroot(2) to a directory on which nothing is mounted.
pub(crate) const IS_NO_MOUNT: &str = "exchanging the root, which is a directory and no mount";

/// Does something with the root of this system. If the kernel refuses that for what the root is, the fault says so in
/// the place of `step`.
pub(super) fn acting_on_root<T>(
    step: &str,
    action: impl FnOnce() -> io::Result<T>,
) -> Result<T, InitFault> {
    action().map_err(|error| {
        let reason = match error.raw_os_error() {
            Some(libc::EINVAL) => own_mounts().ok().and_then(|mounts| of_root(&mounts)),
            _ => None,
        };
        InitFault::new(Some(Layer::Namespaces), reason.unwrap_or(step), &error)
    })
}

fn own_mounts() -> io::Result<String> {
    let mut mounts = String::new();
    File::open("/proc/self/mountinfo")?.take(MAX_MOUNTS_BYTES).read_to_string(&mut mounts)?;
    Ok(mounts)
}

/// Returns what keeps the root from being exchanged, by the mounts of a process (proc_pid_mountinfo(5)); `None` if they
/// show nothing that does.
fn of_root(mounts: &str) -> Option<&'static str> {
    let mut roots = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (id, parent) = (fields.next()?, fields.next()?);
        (fields.nth(2)? == "/").then_some((id, parent))
    });
    // Of several mounts at one place, the last one is seen.
    match roots.next_back() {
        None if mounts.is_empty() => None,
        None => Some(IS_NO_MOUNT),
        Some((id, parent)) => (id == parent).then_some(IS_INITRAMFS),
    }
}

const MAX_MOUNTS_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_is_not_exchanged_is_told_from_others() {
        for (mounts, expected) in [
            ("", None),
            (
                "1 1 0:2 / / rw - rootfs rootfs rw\n22 1 0:21 / /proc rw - proc proc rw\n",
                Some(IS_INITRAMFS),
            ),
            ("1 1 0:2 / / rw - rootfs rootfs rw\n29 1 254:0 / / rw - ext4 /dev/vda rw\n", None),
            ("29 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n", None),
            ("61 29 0:30 /r/proc /proc rw - proc proc rw\n", Some(IS_NO_MOUNT)),
        ] {
            assert_eq!(of_root(mounts), expected, "{mounts}");
        }
    }
}
