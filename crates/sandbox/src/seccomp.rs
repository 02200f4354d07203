//! Seccomp: the system calls that a job may make.
//!
//! Three filters, of which the strictest answer counts. One ends a process that does what no ordinary
//! program does; brine can then say which layer it ran into. One refuses what ordinary programs try and
//! do without. The last one knows what is allowed, and says of all else that there is no such call,
//! which is what programs expect of a kernel older than themselves.
//!
//! An allow-list needs no test for the x32 calls of x86-64: their numbers are on no list. Calls of another
//! architecture end the process, which the compiler of the first two filters sees to.

mod calls;
mod list;

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::message::Fault;
use super::orders::Orders;
use crate::job::plan::Layer;

/// Filters that are ready to be set.
pub(super) struct Filters {
    /// In the order in which they are set: each must still allow the setting of the next.
    programs: [BpfProgram; 3],
}

impl Filters {
    /// Compiles the filters of a plan. Setting them needs no memory.
    pub(super) fn compile(orders: &Orders) -> Result<Self, Fault> {
        compile(orders).map_err(Fault::of(Layer::Seccomp, "compiling the filters"))
    }

    /// Sets the filters, for good.
    pub(super) fn set(&self) -> Result<(), Fault> {
        for program in &self.programs {
            seccompiler::apply_filter(program)
                .map_err(to_io)
                .map_err(Fault::of(Layer::Seccomp, "setting a filter"))?;
        }
        Ok(())
    }
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn compile(orders: &Orders) -> io::Result<Filters> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(to_io)?;
    let compile = |rules: Rules, matched, otherwise| -> io::Result<BpfProgram> {
        SeccompFilter::new(rules, otherwise, matched, architecture)
            .and_then(TryInto::try_into)
            .map_err(to_io)
    };
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    Ok(Filters {
        programs: [
            compile(refused(orders)?, errno(libc::EPERM), SeccompAction::Allow)?,
            compile(hostile()?, SeccompAction::KillProcess, SeccompAction::Allow)?,
            list::compile(allowed(), libc::ENOSYS)?,
        ],
    })
}

/// What ends the process.
fn hostile() -> io::Result<Rules> {
    let mut rules = always(calls::HOSTILE);
    let new_namespace = |argument| any_bit_of(argument, NEW_NAMESPACES);
    rules.insert(libc::SYS_clone, new_namespace(0)?);
    rules.insert(libc::SYS_unshare, new_namespace(0)?);
    let terminal = [libc::TIOCSTI, libc::TIOCLINUX];
    let terminal = terminal.into_iter().map(|request| rule(&[equal(1, request)?]));
    rules.insert(libc::SYS_ioctl, terminal.collect::<io::Result<_>>()?);
    Ok(rules)
}

/// What is refused, though the call itself is allowed.
fn refused(orders: &Orders) -> io::Result<Rules> {
    let mut rules = always(calls::REFUSED);
    // A datagram socket can be sent from to any name; a pair of the others is connected for good.
    let mut pair = outside(0, &[libc::AF_UNIX])?;
    pair.extend(other_kinds(&[libc::SOCK_STREAM, libc::SOCK_SEQPACKET])?);
    rules.insert(libc::SYS_socketpair, pair);
    if orders.ports.is_empty() {
        rules.extend(always(&[libc::SYS_socket, libc::SYS_connect]));
    } else {
        let mut socket = outside(0, &[libc::AF_INET, libc::AF_INET6])?;
        socket.extend(other_kinds(&[libc::SOCK_STREAM])?);
        // Landlock knows TCP alone; MPTCP and others are streams as well.
        socket.extend(outside(2, &[0, libc::IPPROTO_TCP])?);
        rules.insert(libc::SYS_socket, socket);
        // A connection that is made by the first bytes sent never comes by Landlock.
        rules.insert(libc::SYS_sendto, any_bit_of(3, MSG_FASTOPEN)?);
        rules.insert(libc::SYS_sendmsg, any_bit_of(2, MSG_FASTOPEN)?);
        rules.insert(libc::SYS_sendmmsg, any_bit_of(3, MSG_FASTOPEN)?);
    }
    // Memory that is a file could be executed, though it lies on no mount that forbids it. The flag
    // (MFD_NOEXEC_SEAL) makes one that cannot.
    rules.insert(libc::SYS_memfd_create, vec![rule(&[masked(1, MFD_NOEXEC_SEAL, 0)?])?]);
    rules.extend(rights_of_files()?);
    // Leases hold up whoever writes, and notices tell what others do.
    let controls = [libc::F_SETLEASE, libc::F_NOTIFY].map(|command| {
        condition(1, SeccompCmpOp::Eq, command).and_then(|condition| rule(&[condition]))
    });
    rules.insert(libc::SYS_fcntl, controls.into_iter().collect::<io::Result<_>>()?);
    // Only to ask, and what is the case anyhow.
    rules.insert(libc::SYS_personality, outside(0, &[0, -1])?);
    Ok(rules)
}

/// Modes that give the rights of a file's owner away. Inside they mean nothing; outside, where such a file
/// may be seen when the job is long over, they would be those of whoever ran it.
fn rights_of_files() -> io::Result<Rules> {
    let mut rules = Rules::new();
    for (call, mode) in calls::MODES.iter().chain(calls::MODES_HERE) {
        rules.insert(*call, any_bit_of(*mode, SET_ID)?);
    }
    for (call, flags, mode) in calls::OPENS.iter().chain(calls::OPENS_HERE) {
        let mut found = Vec::new();
        for making in [libc::O_CREAT, TMPFILE] {
            for bit in [libc::S_ISUID, libc::S_ISGID] {
                let makes = masked(*flags, making.cast_unsigned(), making)?;
                found.push(rule(&[makes, masked(*mode, bit, bit.cast_signed())?])?);
            }
        }
        rules.insert(*call, found);
    }
    Ok(rules)
}

fn allowed() -> impl Iterator<Item = i64> {
    // What is refused is so by another filter, with another answer.
    [calls::ALLOWED, calls::ALLOWED_HERE, calls::REFUSED].into_iter().flatten().copied()
}

fn always(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// An argument that is none of these.
fn outside(argument: u8, values: &[i32]) -> io::Result<Vec<SeccompRule>> {
    let conditions = values.iter().map(|value| condition(argument, SeccompCmpOp::Ne, *value));
    let conditions: Vec<_> = conditions.collect::<io::Result<_>>()?;
    Ok(vec![rule(&conditions)?])
}

/// An argument that has any of these bits.
fn any_bit_of(argument: u8, bits: i32) -> io::Result<Vec<SeccompRule>> {
    let single = (0..u32::BITS).map(|shift| 1_u32 << shift);
    let set = single.filter(|bit| bits.cast_unsigned() & bit != 0);
    set.map(|bit| rule(&[masked(argument, bit, bit.cast_signed())?])).collect()
}

fn rule(conditions: &[SeccompCondition]) -> io::Result<SeccompRule> {
    SeccompRule::new(conditions.to_vec()).map_err(to_io)
}

fn equal(argument: u8, value: libc::Ioctl) -> io::Result<SeccompCondition> {
    let value = u32::try_from(value).map_err(io::Error::other)?;
    condition(argument, SeccompCmpOp::Eq, value.cast_signed())
}

fn masked(argument: u8, mask: u32, value: i32) -> io::Result<SeccompCondition> {
    condition(argument, SeccompCmpOp::MaskedEq(mask.into()), value)
}

/// A kind of socket that is none of these, whatever flags are with it.
fn other_kinds(kinds: &[i32]) -> io::Result<Vec<SeccompRule>> {
    let others = (0..=SOCKET_KINDS.cast_signed()).filter(|kind| !kinds.contains(kind));
    others.map(|kind| rule(&[masked(1, SOCKET_KINDS, kind)?])).collect()
}

/// All arguments that are looked at are 32 bits wide to the kernel, which ignores what a program puts in
/// the upper half.
fn condition(argument: u8, operator: SeccompCmpOp, value: i32) -> io::Result<SeccompCondition> {
    let value = u64::from(value.cast_unsigned());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).map_err(to_io)
}

fn to_io(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

/// Every flag that makes a namespace, but for that of time (0x80), which `clone` cannot be given.
const NEW_NAMESPACES: i32 = libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS;

/// `S_ISUID` and `S_ISGID`.
const SET_ID: i32 = 0o6000;

/// `__O_TMPFILE`, without the bits of `O_DIRECTORY` that `O_TMPFILE` has besides.
const TMPFILE: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;

/// `SOCK_TYPE_MASK`: above it are flags.
const SOCKET_KINDS: u32 = 0xf;

const MSG_FASTOPEN: i32 = libc::MSG_FASTOPEN;

const MFD_NOEXEC_SEAL: u32 = libc::MFD_NOEXEC_SEAL;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::calls;

    /// A call that is on two lists would have an answer that nobody chose.
    #[test]
    fn every_call_is_on_one_list() {
        let lists = [calls::HOSTILE, calls::REFUSED, calls::ALLOWED, calls::ALLOWED_HERE];
        let all: Vec<i64> = lists.concat();
        assert_eq!(BTreeSet::from_iter(&all).len(), all.len());
    }
}
