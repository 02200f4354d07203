//! The layer `seccomp`: the system calls that a job may make.
//!
//! There are three filters, and the strictest answer counts. One has a call that no ordinary program makes end the
//! job, and tells brine which it was. One refuses calls that ordinary programs try and can do
//! without. The last one allows a list of calls, and answers all others as a kernel does that does not have
//! them, which programs are prepared for.
//!
//! The x32 calls of x86-64 need no test: their numbers are not on the list. Calls of another architecture kill
//! the process: the compiler of the first two filters adds that.

mod allow_filter;
mod calls;
mod hostile_filter;
mod reader_filter;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use brine_job::Layer;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use self::hostile_filter::HostileFilter;
pub(super) use self::reader_filter::reader_filter;
use super::bounds::MemoryCount;
use super::init_report::InitFault;
use super::orders::InitOrders;

/// Filters that are ready to be set, in this order: each must still allow setting the next.
pub(super) struct SeccompFilters {
    refused: BpfProgram,
    hostile: HostileFilter,
    allowed: BpfProgram,
}

impl SeccompFilters {
    /// Compiles the filters. Setting them needs no memory.
    pub(super) fn compile(orders: &InitOrders, memory: MemoryCount) -> Result<Self, InitFault> {
        compile(orders, memory).map_err(InitFault::of(Layer::Seccomp, "compiling the filters"))
    }

    /// Sets the filters, irrevocably. Returns the descriptor from which hostile calls are read, if there is one.
    pub(super) fn set(&self) -> Result<Option<OwnedFd>, InitFault> {
        let apply = |program| seccompiler::apply_filter(program).map_err(of_system);
        let set = || {
            apply(&self.refused)?;
            let listener = self.hostile.set()?;
            apply(&self.allowed)?;
            Ok(listener)
        };
        set().map_err(InitFault::of(Layer::Seccomp, "setting a filter"))
    }
}

/// Returns the name of a call that ends a job, by its number.
pub(super) fn hostile_name(call: i32) -> Option<&'static str> {
    calls::name(call.into())
}

type CallRules = BTreeMap<i64, Vec<SeccompRule>>;

fn compile(orders: &InitOrders, memory: MemoryCount) -> io::Result<SeccompFilters> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(to_io)?;
    let compile = |rules: CallRules, matched| -> io::Result<BpfProgram> {
        let calls: Vec<i64> = rules.keys().copied().collect();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, matched, architecture)
            .and_then(TryInto::try_into)
            .map_err(to_io)?;
        allow_filter::only_for(calls.into_iter(), architecture_number(architecture), filter)
    };
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    Ok(SeccompFilters {
        refused: compile(refused(orders, memory)?, errno(libc::EPERM))?,
        hostile: HostileFilter::compile(compile)?,
        allowed: allow_filter::compile(allowed(), libc::ENOSYS)?,
    })
}

/// Returns the number of an architecture in `struct seccomp_data` (`linux/audit.h`).
const fn architecture_number(architecture: TargetArch) -> u32 {
    match architecture {
        TargetArch::aarch64 => 0xc000_00b7,
        TargetArch::riscv64 => 0xc000_00f3,
        TargetArch::x86_64 => 0xc000_003e,
    }
}

/// Returns the calls that are refused with `EPERM`, always or with some arguments.
fn refused(orders: &InitOrders, memory: MemoryCount) -> io::Result<CallRules> {
    let mut rules = always(calls::REFUSED);
    // A datagram socket of a pair can send to any name. The others stay connected to each other.
    let mut pair = outside(0, &[libc::AF_UNIX])?;
    pair.extend(other_socket_types(&[libc::SOCK_STREAM, libc::SOCK_SEQPACKET])?);
    rules.insert(libc::SYS_socketpair, pair);
    if orders.sockets_are_its_own() {
        let mut socket = outside(0, &[libc::AF_UNIX])?;
        socket.extend(other_socket_types(&[libc::SOCK_STREAM, libc::SOCK_SEQPACKET])?);
        rules.insert(libc::SYS_socket, socket);
    } else {
        rules.extend(always(calls::SOCKETS));
    }
    if !orders.ports.is_empty() {
        rules.remove(&libc::SYS_connect);
        let mut socket = outside(0, &[libc::AF_INET, libc::AF_INET6])?;
        socket.extend(other_socket_types(&[libc::SOCK_STREAM])?);
        // Landlock controls only TCP, but MPTCP and others are stream sockets, too.
        socket.extend(outside(2, &[0, libc::IPPROTO_TCP])?);
        rules.insert(libc::SYS_socket, socket);
        // Landlock does not see a connection that is opened by sending its first bytes.
        rules.insert(libc::SYS_sendto, any_bit_of(3, MSG_FASTOPEN)?);
        rules.insert(libc::SYS_sendmsg, any_bit_of(2, MSG_FASTOPEN)?);
        rules.insert(libc::SYS_sendmmsg, any_bit_of(3, MSG_FASTOPEN)?);
    }
    // A memory file could be executed, since no mount forbids it. With this flag it cannot.
    rules.insert(libc::SYS_memfd_create, vec![rule(&[masked(1, MFD_NOEXEC_SEAL, 0)?])?]);
    if memory != MemoryCount::Kernel && !orders.waives(Layer::Limits) {
        // What is in no process and in no file of the scratch directory is seen by no look. Memory that is shared
        // stays when the process ends that has filled it, and when what is left of the mapping was never touched.
        rules.extend(always(&[libc::SYS_memfd_create]));
        rules.insert(
            libc::SYS_mmap,
            vec![rule(&[masked(3, SHARED_ANONYMOUS, SHARED_ANONYMOUS.cast_signed())?])?],
        );
        if memory == MemoryCount::LooksPastSockets && orders.has_own_network() {
            // Whoever has no socket keeps nothing in one. In the network of the host, nobody tells the sockets of a job
            // from others.
            rules.extend(always(&[libc::SYS_socket, libc::SYS_socketpair]));
        }
    }
    rules.extend(rights_of_files()?);
    // Leases block other writers, and notices reveal what others do.
    let controls = [libc::F_SETLEASE, libc::F_NOTIFY]
        .map(|command| equals(1, command).and_then(|condition| rule(&[condition])));
    rules.insert(libc::SYS_fcntl, controls.into_iter().collect::<io::Result<_>>()?);
    // Only the query, and the default.
    rules.insert(libc::SYS_personality, outside(0, &[0, -1])?);
    // It leaves a device, which a later reader of a granted directory may take for a deletion (overlayfs).
    rules.insert(libc::SYS_renameat2, any_bit_of(4, RENAME_WHITEOUT)?);
    rules.extend(processes_of_brine(orders)?);
    Ok(rules)
}

/// Returns the calls that would act on process 1 of the namespace, or on the init.
///
/// Both run as the user of the job. The kernel ignores most signals to process 1, but lets everybody of its user
/// decide how rarely and where it runs. A process 1 that hardly runs cannot end the job. The init has no number
/// inside. Without a namespace it has one, so that a job can then schedule only the caller itself.
fn processes_of_brine(orders: &InitOrders) -> io::Result<CallRules> {
    let namespace = !orders.waives(Layer::Namespaces);
    let mut rules = CallRules::new();
    for (call, number) in calls::SCHEDULING {
        let others = if namespace {
            vec![rule(&[equals(*number, PROCESS_1)?])?]
        } else {
            outside(*number, &[0])?
        };
        rules.insert(*call, others);
    }
    for (call, user) in calls::SCHEDULING_USERS {
        rules.entry(*call).or_default().push(rule(&[equals(0, user.cast_signed())?])?);
    }
    for (call, number) in calls::SIGNALLING.iter().filter(|_| namespace) {
        rules.insert(*call, vec![rule(&[equals(*number, PROCESS_1)?])?]);
    }
    Ok(rules)
}

/// Returns the calls that would set the set-user-ID or set-group-ID bit of a file. Inside the bits do nothing.
/// But a granted directory outlives the job, and outside the bits would give others the rights of the user who
/// ran it.
fn rights_of_files() -> io::Result<CallRules> {
    let mut rules = CallRules::new();
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
    // Refused and hostile calls pass this filter, so that the answer of the others counts.
    let hostile = calls::HOSTILE.iter().map(|(call, _)| call);
    let others = [calls::ALLOWED, calls::ALLOWED_HERE, calls::REFUSED, calls::SOCKETS];
    others.into_iter().flatten().chain(hostile).copied()
}

fn always(calls: &[i64]) -> CallRules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// Returns a rule for an argument that is none of these values.
fn outside(argument: u8, values: &[i32]) -> io::Result<Vec<SeccompRule>> {
    let conditions = values.iter().map(|value| condition(argument, SeccompCmpOp::Ne, *value));
    let conditions: Vec<_> = conditions.collect::<io::Result<_>>()?;
    Ok(vec![rule(&conditions)?])
}

/// Returns rules for an argument that has any of these bits.
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
    equals(argument, value.cast_signed())
}

fn equals(argument: u8, value: i32) -> io::Result<SeccompCondition> {
    condition(argument, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u32, value: i32) -> io::Result<SeccompCondition> {
    condition(argument, SeccompCmpOp::MaskedEq(mask.into()), value)
}

/// Returns rules for a type of socket that is none of these, with any flags.
fn other_socket_types(kinds: &[i32]) -> io::Result<Vec<SeccompRule>> {
    let others = (0..=SOCKET_TYPES.cast_signed()).filter(|kind| !kinds.contains(kind));
    others.map(|kind| rule(&[masked(1, SOCKET_TYPES, kind)?])).collect()
}

/// Returns a condition on the lower half of an argument. The kernel ignores the upper half of all arguments
/// that are looked at here.
fn condition(argument: u8, operator: SeccompCmpOp, value: i32) -> io::Result<SeccompCondition> {
    let value = u64::from(value.cast_unsigned());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).map_err(to_io)
}

/// Returns the error of the system, where it is one.
fn of_system(error: seccompiler::Error) -> io::Error {
    match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
        other => to_io(other),
    }
}

fn to_io(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

/// The number that process 1 has in its namespace.
const PROCESS_1: i32 = 1;

const RENAME_WHITEOUT: i32 = libc::RENAME_WHITEOUT.cast_signed();

/// `S_ISUID` and `S_ISGID`.
const SET_ID: i32 = 0o6000;

/// `__O_TMPFILE`: `O_TMPFILE` without the bits of `O_DIRECTORY` in it.
const TMPFILE: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;

/// `SOCK_TYPE_MASK`: the bits above it are flags.
const SOCKET_TYPES: u32 = 0xf;

/// `MAP_SHARED_VALIDATE` has the bit of `MAP_SHARED`, too.
const SHARED_ANONYMOUS: u32 = (libc::MAP_SHARED | libc::MAP_ANONYMOUS).cast_unsigned();

const MSG_FASTOPEN: i32 = libc::MSG_FASTOPEN;

const MFD_NOEXEC_SEAL: u32 = libc::MFD_NOEXEC_SEAL;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::calls;

    /// A call on two lists would have an answer that nobody chose.
    #[test]
    fn every_call_is_on_one_list() {
        let hostile: Vec<i64> = calls::HOSTILE.iter().map(|(call, _)| *call).collect();
        let lists = [&hostile, calls::REFUSED, calls::SOCKETS, calls::ALLOWED, calls::ALLOWED_HERE];
        let all: Vec<i64> = lists.concat();
        assert_eq!(BTreeSet::from_iter(&all).len(), all.len());
    }

    /// A rule about an argument of a call that is not allowed would have no meaning.
    #[test]
    fn calls_that_are_judged_by_their_arguments_are_allowed() {
        let numbered = calls::SCHEDULING.iter().chain(calls::SIGNALLING).map(|(call, _)| *call);
        for call in numbered.chain(calls::SCHEDULING_USERS.iter().map(|(call, _)| *call)) {
            assert!(calls::ALLOWED.contains(&call), "{call}");
        }
    }
}
