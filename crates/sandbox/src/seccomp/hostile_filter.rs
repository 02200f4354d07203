//! The filter of hostile calls: the kernel asks what to answer them, so that brine learns which call it was.
//!
//! Whoever is asked never answers, and ends the job. A process that waits for an answer does nothing else, and if
//! nobody is left to be asked the call fails (`ENOSYS`): in no case is it carried out.

use std::io;
use std::os::fd::OwnedFd;

use seccompiler::{BpfProgram, SeccompAction};

use super::{CallRules, any_bit_of, calls, equal, of_system, rule};
use crate::syscalls;

/// The filter, in two forms.
pub(super) struct HostileFilter {
    asking: Vec<libc::sock_filter>,
    killing: BpfProgram,
}

impl HostileFilter {
    pub(super) fn compile(
        compile: impl Fn(CallRules, SeccompAction) -> io::Result<BpfProgram>,
    ) -> io::Result<Self> {
        // seccompiler has no word for asking. A trap is nothing that brine has another use for.
        let trapping = compile(hostile()?, SeccompAction::Trap)?;
        let asking = trapping.into_iter().map(|one| libc::sock_filter {
            code: one.code,
            jt: one.jt,
            jf: one.jf,
            k: if one.code == RETURN && one.k == libc::SECCOMP_RET_TRAP {
                libc::SECCOMP_RET_USER_NOTIF
            } else {
                one.k
            },
        });
        Ok(Self {
            asking: asking.collect(),
            killing: compile(hostile()?, SeccompAction::KillProcess)?,
        })
    }

    /// Sets it, and returns the descriptor from which the calls are read; `None` if the process that makes one is
    /// killed. There can be one such descriptor for a process, and whoever runs brine may have it.
    pub(super) fn set(&self) -> io::Result<Option<OwnedFd>> {
        if let Ok(listener) = syscalls::set_asking_filter(&self.asking) {
            return Ok(Some(listener));
        }
        seccompiler::apply_filter(&self.killing).map_err(of_system)?;
        Ok(None)
    }
}

/// Returns the calls that end the job.
fn hostile() -> io::Result<CallRules> {
    let mut rules: CallRules = calls::HOSTILE.iter().map(|(call, _)| (*call, Vec::new())).collect();
    let new_namespace = |argument| any_bit_of(argument, NEW_NAMESPACES);
    rules.insert(libc::SYS_clone, new_namespace(0)?);
    rules.insert(libc::SYS_unshare, new_namespace(0)?);
    let terminal = [libc::TIOCSTI, libc::TIOCLINUX];
    let terminal = terminal.into_iter().map(|request| rule(&[equal(1, request)?]));
    rules.insert(libc::SYS_ioctl, terminal.collect::<io::Result<_>>()?);
    Ok(rules)
}

/// The flags that make a namespace, except the one of time (0x80), which `clone` does not take.
const NEW_NAMESPACES: i32 = libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS;

/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A call without a name would end a job for no reason that anybody can read.
    #[test]
    fn every_hostile_call_has_its_name() {
        let rules = hostile().unwrap();
        let named: BTreeSet<_> = rules.keys().filter_map(|call| calls::name(*call)).collect();
        assert_eq!(named.len(), rules.len());
        assert!(named.contains("ptrace") && named.contains("clone"), "{named:?}");
        assert_eq!(calls::name(libc::SYS_read), None);
    }
}
