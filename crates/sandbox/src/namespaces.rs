//! The layers `namespaces` and `network`, and the user that the job is in them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use brine_job::Layer;
use rustix::fs::{Mode, OFlags};
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::init_report::InitFault;
use super::job_user::JobUser;
use super::orders::InitOrders;
use super::{NOBODY, privileges, syscalls};

/// Moves this process into the namespaces that the plan demands, becomes nobody in them, and calls
/// `build_root` when mounts can be made.
///
/// Root makes all namespaces except the user namespace first. They belong to the system, and the job, in a user
/// namespace of its own, has no power over them. Without root, all are made at once and belong to the new user
/// namespace.
pub(super) fn enter(
    orders: &InitOrders,
    program: BorrowedFd<'_>,
    build_root: impl FnOnce(&JobUser) -> Result<u32, InitFault>,
) -> Result<(), InitFault> {
    let flags = wanted(orders);
    let private_root = !orders.waives(Layer::Namespaces);
    // The private root has no /proc, so the directory that is still needed is opened before.
    let own = if flags.is_empty() { None } else { Some(own_process()?) };
    let root = rustix::process::geteuid().is_root() || rustix::process::getuid().is_root();
    if root && may_administer() {
        let user = JobUser::choose(orders, program);
        if !flags.is_empty() {
            unshare(flags, orders)?;
        }
        let user = if private_root { build_root(&user)? } else { NOBODY };
        become_user(orders, user)?;
        if let (Some(own), true) = (own, private_root) {
            unshare(UnshareFlags::NEWUSER, orders)?;
            map_ids(&own, user, user)?;
        }
        return Ok(());
    }
    if root {
        become_user(orders, NOBODY)?;
    }
    if let Some(own) = own {
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        unshare(flags | UnshareFlags::NEWUSER, orders)?;
        map_ids(&own, user.as_raw(), group.as_raw())?;
    }
    if private_root { build_root(&JobUser::nobody()).map(drop) } else { Ok(()) }
}

fn wanted(orders: &InitOrders) -> UnshareFlags {
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

fn unshare(flags: UnshareFlags, orders: &InitOrders) -> Result<(), InitFault> {
    let layer = if orders.waives(Layer::Namespaces) { Layer::Network } else { Layer::Namespaces };
    syscalls::unshare(flags).map_err(InitFault::of(layer, "making new namespaces"))?;
    if flags.contains(UnshareFlags::NEWUTS) {
        rustix::system::sethostname(b"brine")
            .map_err(io::Error::from)
            .map_err(InitFault::of(layer, "naming the host"))?;
    }
    Ok(())
}

fn may_administer() -> bool {
    rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

fn become_user(orders: &InitOrders, user: u32) -> Result<(), InitFault> {
    if !orders.waives(Layer::Privileges) {
        privileges::empty_bounding_set()?;
    }
    privileges::become_user(user)?;
    // After a change of user, the files of a process in /proc belong to root until it is dumpable again. It
    // must write to its own id maps, and has no secrets yet.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
        .map_err(io::Error::from)
        .map_err(InitFault::of(Layer::Privileges, "owning its own files in /proc"))
}

fn own_process() -> Result<OwnedFd, InitFault> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self", flags, Mode::empty())
        .map_err(io::Error::from)
        .map_err(InitFault::of(Layer::Namespaces, "opening /proc/self"))
}

/// Maps one user and group outside to nobody inside, and no others.
fn map_ids(own: &OwnedFd, user: u32, group: u32) -> Result<(), InitFault> {
    // Otherwise an unprivileged process may not map a group (user_namespaces(7)).
    write_own(own, "setgroups", "deny")?;
    write_own(own, "uid_map", &format!("{NOBODY} {user} 1"))?;
    write_own(own, "gid_map", &format!("{NOBODY} {group} 1"))
}

fn write_own(own: &OwnedFd, name: &str, text: &str) -> Result<(), InitFault> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(own, name, flags, Mode::empty())
        .map_err(io::Error::from)
        .and_then(|file| File::from(file).write_all(text.as_bytes()))
        .map_err(InitFault::of(Layer::Namespaces, &format!("writing to /proc/self/{name}")))
}
