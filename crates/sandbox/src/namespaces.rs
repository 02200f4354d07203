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
use super::private_root::BuiltRoot;
use super::{NOBODY, privileges, syscalls};

/// What a process is in its new namespaces, before it has settled there.
pub(super) enum Arrival {
    /// Root, who made them. They belong to the system, and the job, in a user namespace of its own, has no power over
    /// them. It becomes this user.
    Root(JobUser),
    /// Nobody. The namespaces belong to a user namespace of their own, in which it has every power.
    Nobody,
}

/// Moves this process into the namespaces that the plan demands. Only what it forks is in the process namespace.
pub(super) fn enter(orders: &InitOrders, program: BorrowedFd<'_>) -> Result<Arrival, InitFault> {
    let flags = wanted(orders);
    let root = rustix::process::geteuid().is_root() || rustix::process::getuid().is_root();
    if root && may_administer() {
        let user = JobUser::choose(orders, program);
        if !flags.is_empty() {
            unshare(flags, orders)?;
        }
        return Ok(Arrival::Root(user));
    }
    if root {
        become_user(orders, NOBODY)?;
    }
    if !flags.is_empty() {
        let own = own_process()?;
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        unshare(flags | UnshareFlags::NEWUSER, orders)?;
        map_ids(&own, user.as_raw(), group.as_raw())?;
    }
    Ok(Arrival::Nobody)
}

/// Builds the private root, if the job has one, and becomes nobody.
///
/// The control group that this process is in by then is the top of what the job sees.
pub(super) fn settle(
    orders: &InitOrders,
    arrival: Arrival,
    build_root: impl FnOnce(&JobUser) -> Result<BuiltRoot, InitFault>,
) -> Result<Option<BuiltRoot>, InitFault> {
    let private_root = !orders.waives(Layer::Namespaces);
    if private_root {
        unshare(UnshareFlags::NEWCGROUP, orders)?;
    }
    match arrival {
        Arrival::Root(user) if private_root => {
            // The private root has no /proc of this system, so what is still needed of that is opened before.
            let own = own_process()?;
            let built = build_root(&user)?;
            become_user(orders, built.user)?;
            unshare(UnshareFlags::NEWUSER, orders)?;
            map_ids(&own, built.user, built.user)?;
            Ok(Some(built))
        }
        Arrival::Nobody if private_root => build_root(&JobUser::nobody()).map(Some),
        Arrival::Root(_) => become_user(orders, NOBODY).map(|()| None),
        Arrival::Nobody => Ok(None),
    }
}

fn wanted(orders: &InitOrders) -> UnshareFlags {
    let mut flags = UnshareFlags::empty();
    if !orders.waives(Layer::Namespaces) {
        flags |= UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS;
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

/// Becomes a user with no way to any capability, irrevocably.
pub(super) fn become_user(orders: &InitOrders, user: u32) -> Result<(), InitFault> {
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
