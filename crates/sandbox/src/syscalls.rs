//! System calls for which no crate has a safe function, each as one. All `unsafe` code of brine is here.
#![allow(unsafe_code, reason = "the kernel's own interface; each block argues for itself")]

use std::convert::Infallible;
use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

use super::outcome::ResourceUsage;

/// Moves this process into new namespaces.
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: unsound only for `CLONE_FILES` in a process with threads. No caller passes it, and the init has
    // one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

/// The side of a fork that this process is on.
pub(super) enum Forked {
    Child,
    Parent(Pid),
}

impl Forked {
    /// Returns the side, by what the call returned.
    fn of(pid: libc::c_long) -> io::Result<Self> {
        match c_int::try_from(pid) {
            Ok(pid @ 0..) => Ok(Pid::from_raw(pid).map_or(Self::Child, Self::Parent)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Forks this process. It **must** have only one thread, as the init has.
pub(super) fn fork() -> io::Result<Forked> {
    // SAFETY: there is no other thread that could hold a lock, so the child may do whatever the parent may.
    let pid = unsafe { libc::fork() };
    Forked::of(pid.into())
}

/// Forks this process into a control group of version 2, given as its directory. It **must** have only one thread, as
/// the init has.
///
/// A process that is moved later waits until every processor knows of it; one that is born there does not.
pub(super) fn fork_into(group: BorrowedFd<'_>) -> io::Result<Forked> {
    const CLONE_INTO_CGROUP: u64 = 1 << 33;
    let unsigned = |number: c_int| u64::try_from(number).unwrap_or(0);
    // SAFETY: all of the structure is integers, for which zero is a value.
    let mut arguments = unsafe { std::mem::zeroed::<libc::clone_args>() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = unsigned(libc::SIGCHLD);
    arguments.cgroup = unsigned(group.as_raw_fd());
    // SAFETY: no memory is shared with the child, which gets a copy of the stack, so this is a fork; and as for `fork`,
    // no other thread could hold a lock. The structure has the size that is passed, and is only read.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>())
    };
    Forked::of(pid)
}

/// Becomes the program behind a descriptor. Returns only if it fails.
pub(super) fn execute(
    program: BorrowedFd<'_>,
    arguments: &[CString],
    environment: &[CString],
) -> Result<Infallible, io::Error> {
    execute_at(program.as_raw_fd(), c"", arguments, environment, libc::AT_EMPTY_PATH)
}

/// Becomes the program at a path. Returns only if it fails.
pub(super) fn execute_path(
    path: &CStr,
    arguments: &[CString],
    environment: &[CString],
) -> Result<Infallible, io::Error> {
    execute_at(libc::AT_FDCWD, path, arguments, environment, 0)
}

fn execute_at(
    directory: c_int,
    path: &CStr,
    arguments: &[CString],
    environment: &[CString],
    flags: c_int,
) -> Result<Infallible, io::Error> {
    let arguments = null_terminated(arguments);
    let environment = null_terminated(environment);
    // SAFETY: both vectors end in a null pointer. The strings that they and `path` point to end in NUL and
    // outlive the call, which does not return if it succeeds.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            directory,
            path.as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            flags,
        );
    }
    Err(io::Error::last_os_error())
}

fn null_terminated(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Ends this process at once, without running exit handlers.
pub(super) fn end_now(status: u8) -> ! {
    // SAFETY: the call has no conditions.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// The mounts that an attribute applies to.
#[derive(Clone, Copy)]
pub(super) enum MountReach {
    /// This one, and all below it.
    Below,
    /// Only this one.
    This,
}

/// Sets attributes of mounts. With a user namespace, owners in the mounts are shown as it maps them; the mounts may
/// not be attached yet.
pub(super) fn restrict_mount(
    mount: BorrowedFd<'_>,
    attributes: u64,
    reach: MountReach,
    map: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let flags = match reach {
        MountReach::Below => libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
        MountReach::This => libc::AT_EMPTY_PATH,
    };
    let map = map.map(|map| map.as_raw_fd());
    let attributes = libc::mount_attr {
        attr_set: attributes | map.map_or(0, |_| libc::MOUNT_ATTR_IDMAP),
        attr_clr: 0,
        propagation: 0,
        userns_fd: map.and_then(|map| u64::try_from(map).ok()).unwrap_or(0),
    };
    // SAFETY: the structure has the size that is passed, and is only read.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Marks every descriptor from `first` on to be closed by the next `exec`.
pub(super) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: nothing is closed now, so the owners of descriptors keep them.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes every descriptor from `first` on. The caller **must** be sure that nobody in this process has one, as at the
/// beginning of `main`: they were inherited.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: no owner is left with a descriptor that is closed, by the condition above.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives every signal its default action, and blocks none.
pub(super) fn reset_signals() {
    for signal in 1..=SIGNALS {
        // SAFETY: no handler is installed. The call fails for the two signals that cannot be changed, and for
        // those that the C library keeps for itself; both are fine.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before `sigprocmask` reads it.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// Blocks the signal that a child ends with, and returns a descriptor that can be read when one has ended.
pub(super) fn ends_of_children() -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before it is read. `signalfd` returns a new descriptor, which
    // nobody else owns, or a negative number.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        let descriptor = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

/// Kills every process that this one can see and may kill, but not itself. In process 1 these are all others of
/// its namespace.
pub(super) fn kill_all_others() {
    // SAFETY: the call reads no memory. It fails if there is no other process, which is as good.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// Sets a seccomp filter, and returns the descriptor from which the calls are read for which it asks
/// (seccomp_unotify(2)). It is closed by `exec`.
pub(super) fn set_asking_filter(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies as many instructions as are given, and writes to none of them. What it returns is a
    // new descriptor, which nobody else owns, or a negative number.
    unsafe {
        let listener = libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        );
        match c_int::try_from(listener) {
            Ok(listener @ 0..) => Ok(OwnedFd::from_raw_fd(listener)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Returns the number of the call about which a filter asks. It **must** be readable: otherwise this waits.
pub(super) fn asked_call(listener: BorrowedFd<'_>) -> io::Result<c_int> {
    let mut asked = MaybeUninit::<libc::seccomp_notif>::zeroed();
    // SAFETY: `asked` has the size that the number of the request says, and all zeroes are a valid value of it. The
    // kernel demands them.
    let asked = unsafe {
        let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
        if libc::ioctl(listener.as_raw_fd(), request, asked.as_mut_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        asked.assume_init()
    };
    Ok(asked.data.nr)
}

/// Asks every process that this one can see and may signal to end, but not itself. One that is stopped goes on, or it
/// would not hear of it.
pub(super) fn ask_all_others_to_end() {
    for signal in [libc::SIGTERM, libc::SIGCONT] {
        // SAFETY: the call reads no memory. It fails if there is no other process, which is as good.
        unsafe { libc::kill(-1, signal) };
    }
}

/// Gives this process, and what it becomes, the personality of an ordinary program.
pub(super) fn reset_personality() -> io::Result<()> {
    const PER_LINUX: libc::c_ulong = 0;
    // SAFETY: the call reads no memory.
    let former = unsafe { libc::personality(PER_LINUX) };
    if former < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns what all children that were waited for have used, and their children.
pub(super) fn usage_of_children() -> ResourceUsage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` has room for the structure, and all zeroes are a valid value of it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    ResourceUsage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        peak_memory: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
    }
}

/// Counts the processor time of this process, and of all that it forks from now on: whoever reads the descriptor gets
/// nanoseconds, in eight bytes.
///
/// # Errors
///
/// That of the system, which may not let everybody count (`kernel.perf_event_paranoid`).
pub(super) fn count_processor_time() -> io::Result<OwnedFd> {
    /// The first version of `struct perf_event_attr`.
    #[repr(C)]
    struct EventAttributes {
        kind: u32,
        size: u32,
        config: u64,
        period: u64,
        samples: u64,
        read_format: u64,
        flags: u64,
        wakeup: u32,
        breakpoint_kind: u32,
        config_1: u64,
    }
    const SOFTWARE: u32 = 1;
    const TASK_CLOCK: u64 = 1;
    const INHERIT: u64 = 1 << 1;
    // Everybody may ask for this alone. Time in the kernel is counted all the same: the event is a clock.
    const EXCLUDE_KERNEL: u64 = 1 << 5;
    const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
    let attributes = EventAttributes {
        kind: SOFTWARE,
        size: 64,
        config: TASK_CLOCK,
        period: 0,
        samples: 0,
        read_format: 0,
        flags: INHERIT | EXCLUDE_KERNEL,
        wakeup: 0,
        breakpoint_kind: 0,
        config_1: 0,
    };
    const { assert!(size_of::<EventAttributes>() == 64) };
    // SAFETY: the structure has the size that it states, and is only read. The call returns a new descriptor, which
    // nobody else owns, or a negative number.
    unsafe {
        let (this, any, none) = (0, -1, -1);
        let descriptor = libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            this,
            any,
            none,
            CLOSE_ON_EXEC,
        );
        match c_int::try_from(descriptor) {
            Ok(descriptor @ 0..) => Ok(OwnedFd::from_raw_fd(descriptor)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Replaces the session keyring, which holds the keys of a login, by an empty one.
pub(super) fn leave_keyring() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: c_int = 1;
    // SAFETY: a null pointer asks for a keyring without a name, so no memory is read.
    let ring =
        unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, ptr::null::<c_char>()) };
    let error = io::Error::last_os_error();
    // A kernel without keyrings has none to leave.
    if ring >= 0 || error.raw_os_error() == Some(libc::ENOSYS) { Ok(()) } else { Err(error) }
}

/// Returns the version of Landlock that the kernel offers.
///
/// # Errors
///
/// That of the system, if it has no Landlock.
pub fn landlock_version() -> io::Result<i32> {
    // SAFETY: with this flag (LANDLOCK_CREATE_RULESET_VERSION) the call reads no memory and creates nothing.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, 1_u32)
    };
    if version < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::try_from(version).unwrap_or(i32::MAX))
}

/// Returns whether something keeps the clock of the system right, as far as the kernel knows (adjtimex(2)).
///
/// # Errors
///
/// That of the system, as in a container that may not ask.
pub fn clock_is_synchronised() -> io::Result<bool> {
    // SAFETY: all of the structure is integers, for which zero is a value. With no bit of `modes` set, the call
    // changes nothing, and it writes to the structure alone.
    let state = unsafe { libc::adjtimex(&mut std::mem::zeroed::<libc::timex>()) };
    match state {
        -1 => Err(io::Error::last_os_error()),
        // TIME_ERROR.
        5 => Ok(false),
        _ => Ok(true),
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// Signals are numbered from 1 to this number.
const SIGNALS: c_int = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is no control group is refused by the kernel, so no child has come of it.
    #[test]
    fn nobody_is_born_in_a_directory_that_is_no_group() {
        let directory = std::fs::File::open("/").unwrap();
        let error = fork_into(std::os::fd::AsFd::as_fd(&directory)).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }
}
