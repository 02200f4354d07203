//! No privileges, and no way to get any.

use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::NOBODY;
use super::message::Fault;
use crate::job::plan::Layer;

/// Becomes nobody, for good. Root is not asked whether it would rather stay.
pub(super) fn become_nobody() -> Result<(), Fault> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let failed = |step| move |error| Fault::of(Layer::Privileges, step)(io::Error::from(error));
    rustix::thread::set_thread_groups(&[]).map_err(failed("leaving all groups"))?;
    rustix::thread::set_thread_res_gid(group, group, group).map_err(failed("leaving its group"))?;
    rustix::thread::set_thread_res_uid(user, user, user).map_err(failed("becoming nobody"))
}

/// Takes every capability out of the bounding set, as far as the kernel knows any.
pub(super) fn empty_bounding_set() -> Result<(), Fault> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Beyond the last one that it knows.
            Err(rustix::io::Errno::INVAL) => return Ok(()),
            Err(error) => {
                let step = "emptying the bounding set";
                return Err(Fault::of(Layer::Privileges, step)(error.into()));
            }
        }
    }
    Ok(())
}

/// Gives up every capability, and sees to it that no `exec` brings one back.
pub(super) fn drop_all() -> Result<(), Fault> {
    forbid_new()?;
    let failed = |step| move |error| Fault::of(Layer::Privileges, step)(io::Error::from(error));
    rustix::thread::clear_ambient_capability_set().map_err(failed("emptying the ambient set"))?;
    // Both need CAP_SETPCAP, which this process has in a namespace of its own, and had as root. One
    // that never had any capability cannot, and gets none, with `no_new_privs` set.
    let held = rustix::thread::capabilities(None).map_err(failed("reading its capabilities"))?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        empty_bounding_set()?;
        rustix::thread::set_capabilities_secure_bits(LOCKED)
            .map_err(failed("locking securebits"))?;
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(failed("dropping its capabilities"))?;
    verify(none).map_err(Fault::of(Layer::Privileges, "looking at what it has left"))
}

/// Sets `no_new_privs`, without which neither Landlock nor seccomp can be had.
pub(super) fn forbid_new() -> Result<(), Fault> {
    rustix::thread::set_no_new_privs(true)
        .map_err(io::Error::from)
        .map_err(Fault::of(Layer::Privileges, "setting no_new_privs"))
}

fn verify(none: CapabilitySets) -> io::Result<()> {
    let left = rustix::thread::capabilities(None)?;
    let user = rustix::process::geteuid();
    if left == none && !user.is_root() && rustix::thread::no_new_privs()? {
        Ok(())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

const LOCKED: CapabilitiesSecureBits = CapabilitiesSecureBits::NO_ROOT
    .union(CapabilitiesSecureBits::NO_ROOT_LOCKED)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED)
    .union(CapabilitiesSecureBits::KEEP_CAPS_LOCKED)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED);
