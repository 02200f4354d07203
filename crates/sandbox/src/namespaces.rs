//! Namespaces, and the user that the job is in them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::message::Fault;
use super::orders::Orders;
use super::{NOBODY, privileges, system};
use crate::job::plan::Layer;

/// Moves this process into the namespaces that the plan asks for, becomes nobody in them, and calls
/// `build_root` at the moment when mounts can be made.
///
/// With the powers of root, every namespace but the user's is made with them, so that it belongs to
/// the system and the job, in a user namespace of its own, has no claim to it. Without them, all are
/// made at once, and belong to the new user namespace.
pub(super) fn enter(
    orders: &Orders,
    build_root: impl FnOnce() -> Result<(), Fault>,
) -> Result<(), Fault> {
    let flags = wanted(orders);
    let private_root = !orders.waives(Layer::Namespaces);
    // The private root has no /proc; this keeps the one file that is still needed.
    let own = if flags.is_empty() { None } else { Some(own_process()?) };
    let root = rustix::process::geteuid().is_root() || rustix::process::getuid().is_root();
    if root && may_administer() {
        if !flags.is_empty() {
            unshare(flags, orders)?;
        }
        if private_root {
            build_root()?;
        }
        become_nobody(orders)?;
        if let (Some(own), true) = (own, private_root) {
            unshare(UnshareFlags::NEWUSER, orders)?;
            map_ids(&own, NOBODY, NOBODY)?;
        }
        return Ok(());
    }
    if root {
        become_nobody(orders)?;
    }
    if let Some(own) = own {
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        unshare(flags | UnshareFlags::NEWUSER, orders)?;
        map_ids(&own, user.as_raw(), group.as_raw())?;
    }
    if private_root { build_root() } else { Ok(()) }
}

fn wanted(orders: &Orders) -> UnshareFlags {
    let mut flags = UnshareFlags::empty();
    if !orders.waives(Layer::Namespaces) {
        flags |= UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS
            | UnshareFlags::NEWCGROUP;
    }
    if !orders.waives(Layer::Network) && orders.ports.is_empty() {
        flags |= UnshareFlags::NEWNET;
    }
    flags
}

fn unshare(flags: UnshareFlags, orders: &Orders) -> Result<(), Fault> {
    let layer = if orders.waives(Layer::Namespaces) { Layer::Network } else { Layer::Namespaces };
    system::unshare(flags).map_err(Fault::of(layer, "making new namespaces"))?;
    if flags.contains(UnshareFlags::NEWUTS) {
        rustix::system::sethostname(b"brine")
            .map_err(io::Error::from)
            .map_err(Fault::of(layer, "naming the host"))?;
    }
    Ok(())
}

fn may_administer() -> bool {
    rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

fn become_nobody(orders: &Orders) -> Result<(), Fault> {
    if !orders.waives(Layer::Privileges) {
        privileges::empty_bounding_set()?;
    }
    privileges::become_nobody()?;
    // A process that changed its user belongs to root in /proc, until it says otherwise; it has no
    // secrets yet, and must write to its own id maps.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
        .map_err(io::Error::from)
        .map_err(Fault::of(Layer::Privileges, "owning its own files in /proc"))
}

fn own_process() -> Result<OwnedFd, Fault> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self", flags, Mode::empty())
        .map_err(io::Error::from)
        .map_err(Fault::of(Layer::Namespaces, "opening /proc/self"))
}

/// Makes nobody inside of one user and group outside, and leaves all others unmapped.
fn map_ids(own: &OwnedFd, user: u32, group: u32) -> Result<(), Fault> {
    // Without this no unprivileged process may map a group (user_namespaces(7)).
    write_own(own, "setgroups", "deny")?;
    write_own(own, "uid_map", &format!("{NOBODY} {user} 1"))?;
    write_own(own, "gid_map", &format!("{NOBODY} {group} 1"))
}

fn write_own(own: &OwnedFd, name: &str, text: &str) -> Result<(), Fault> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(own, name, flags, Mode::empty())
        .map_err(io::Error::from)
        .and_then(|file| File::from(file).write_all(text.as_bytes()))
        .map_err(Fault::of(Layer::Namespaces, &format!("writing to /proc/self/{name}")))
}
