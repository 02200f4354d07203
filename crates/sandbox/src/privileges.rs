//! The layer `privileges`: a job has none, and no way to get any.

use std::io;

use brine_job::Layer;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::init_report::InitFault;

/// Becomes another user, with the group of the same number, irrevocably.
pub(super) fn become_user(number: u32) -> Result<(), InitFault> {
    let (user, group) = (Uid::from_raw(number), Gid::from_raw(number));
    let failed = |step| move |error| InitFault::of(Layer::Privileges, step)(io::Error::from(error));
    rustix::thread::set_thread_groups(&[]).map_err(failed("leaving all groups"))?;
    rustix::thread::set_thread_res_gid(group, group, group).map_err(failed("leaving its group"))?;
    rustix::thread::set_thread_res_uid(user, user, user).map_err(failed("becoming another user"))
}

/// Removes every capability from the bounding set.
pub(super) fn empty_bounding_set() -> Result<(), InitFault> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The number is beyond the last capability of this kernel.
            Err(rustix::io::Errno::INVAL) => return Ok(()),
            Err(error) => {
                let step = "emptying the bounding set";
                return Err(InitFault::of(Layer::Privileges, step)(error.into()));
            }
        }
    }
    Ok(())
}

/// Drops every capability, so that no `exec` brings one back.
pub(super) fn drop_all() -> Result<(), InitFault> {
    forbid_new()?;
    let failed = |step| move |error| InitFault::of(Layer::Privileges, step)(io::Error::from(error));
    rustix::thread::clear_ambient_capability_set().map_err(failed("emptying the ambient set"))?;
    // Both steps need CAP_SETPCAP. This process has it in a user namespace of its own, or as root. A process
    // that never had capabilities cannot take these steps, and gets no capabilities, with `no_new_privs` set.
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
    verify(none).map_err(InitFault::of(Layer::Privileges, "looking at what it has left"))
}

/// Sets `no_new_privs`, which Landlock and seccomp require.
pub(super) fn forbid_new() -> Result<(), InitFault> {
    rustix::thread::set_no_new_privs(true)
        .map_err(io::Error::from)
        .map_err(InitFault::of(Layer::Privileges, "setting no_new_privs"))
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
