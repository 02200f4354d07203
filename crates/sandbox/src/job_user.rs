//! The user that a job is outside.
//!
//! The kernel counts much by user: watches, pages in pipes, pending signals. If all jobs of root were nobody, one
//! could use up what the others need, so each is a user of its own as far as the system lets it. Files of nobody's
//! that are granted to it are shown through an idmapped mount, in which nobody is that user: what the job may do with
//! files does not change, and the files that it makes are nobody's.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use brine_job::Layer;
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions};
use rustix::thread::UnshareFlags;

use super::NOBODY;
use super::orders::{InitOrders, Script};
use super::syscalls::{self, Forked};

/// The user and group that a job is outside.
#[derive(Debug)]
pub(super) struct JobUser {
    number: u32,
    /// A user namespace in which nobody is that user, for the mounts of what is granted.
    map: Option<OwnedFd>,
}

impl JobUser {
    /// Returns the user that all jobs share if they cannot have one each. Without root, this is whoever runs brine.
    pub(super) const fn nobody() -> Self {
        Self { number: NOBODY, map: None }
    }

    /// Chooses a user for a job that root starts. It **must** be called before this process makes namespaces.
    pub(super) fn choose(orders: &InitOrders, program: BorrowedFd<'_>) -> Self {
        if orders.waives(Layer::Namespaces) || is_for_its_owner(orders, program) {
            return Self::nobody();
        }
        Self::own(orders).unwrap_or(Self::nobody())
    }

    /// Returns the number of the user and of the group.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Returns the user namespace for the mounts of what is granted; `None` if their owners stay as they are.
    pub(super) const fn map(&self) -> Option<&OwnedFd> {
        self.map.as_ref()
    }

    /// Returns a user that no other job is: the number of the init, which no other process has, decides.
    fn own(orders: &InitOrders) -> Option<Self> {
        let process = rustix::process::getpid().as_raw_pid();
        let process = u32::try_from(process).ok().filter(|process| *process < MAX_PROCESSES)?;
        let number = FIRST_OWN_USER.checked_add(process)?;
        if !(is_mapped("uid_map", number)? && is_mapped("gid_map", number)?) {
            return None;
        }
        let map = match orders.places.iter().any(|place| place.keeps_owners()) {
            true => Some(namespace_of(&map_to(number)).ok()?),
            false => None,
        };
        Some(Self { number, map })
    }
}

/// Returns whether only its owner or group may execute the program. It is executed where it is, and not where its
/// owner could be shown as another.
fn is_for_its_owner(orders: &InitOrders, program: BorrowedFd<'_>) -> bool {
    let in_place = orders.copy.is_none() && orders.script == Script::No;
    in_place && !rustix::fs::fstat(program).is_ok_and(|found| found.st_mode & 0o001 != 0)
}

/// Returns a map in which nobody and a user change places, and everybody else stays.
fn map_to(number: u32) -> String {
    let after_nobody = NOBODY.saturating_add(1);
    let after = number.saturating_add(1);
    let between = number.saturating_sub(after_nobody);
    let rest = u32::MAX.saturating_sub(after);
    format!(
        "0 0 {NOBODY}\n{NOBODY} {number} 1\n{after_nobody} {after_nobody} {between}\n{number} {NOBODY} 1\n\
         {after} {after} {rest}\n"
    )
}

/// Returns whether this user namespace has an id; `None` if that cannot be read.
fn is_mapped(name: &str, id: u32) -> Option<bool> {
    let mut text = String::new();
    let file = File::open(format!("/proc/self/{name}")).ok()?;
    file.take(MAX_MAP_BYTES).read_to_string(&mut text).ok()?;
    Some(text.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map(|number| number.parse::<u64>().ok());
        let (Some(Some(first)), _, Some(Some(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        u64::from(id) >= first && u64::from(id) - first < count
    }))
}

/// Makes a user namespace with this map. A namespace needs a process while its map is written.
fn namespace_of(map: &str) -> io::Result<OwnedFd> {
    let (made, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    let (hold, release) = pipe_with(PipeFlags::CLOEXEC)?;
    let child = match syscalls::fork()? {
        Forked::Child => {
            drop((made, release));
            if syscalls::unshare(UnshareFlags::NEWUSER).is_ok() {
                let _ = rustix::io::write(&tell, &[1]);
            }
            let _ = rustix::io::read(&hold, &mut [0]);
            syscalls::end_now(0)
        }
        Forked::Parent(child) => child,
    };
    drop((tell, hold));
    let namespace = mapped(child, &made, map);
    drop(release);
    rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    namespace
}

fn mapped(child: Pid, made: &OwnedFd, map: &str) -> io::Result<OwnedFd> {
    if rustix::io::read(made, &mut [0])? != 1 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = format!("/proc/{}", child.as_raw_pid());
    let process = rustix::fs::open(path, flags, Mode::empty())?;
    for name in ["uid_map", "gid_map"] {
        let file =
            rustix::fs::openat(&process, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        File::from(file).write_all(map.as_bytes())?;
    }
    Ok(rustix::fs::openat(&process, "ns/user", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The first user of a range that nobody assigns: behind those of containers, and below those that are reserved
/// (systemd, UIDS-GIDS).
const FIRST_OWN_USER: u32 = 0x7000_0000;

/// As many processes as Linux has at most (`PID_MAX_LIMIT`).
const MAX_PROCESSES: u32 = 1 << 22;

/// As long as a map can be (user_namespaces(7)).
const MAX_MAP_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_exchanges_two_users_and_keeps_all_others() {
        let map = map_to(0x7000_0123);
        let ranges: Vec<[u64; 3]> = map
            .lines()
            .map(|line| {
                let numbers: Vec<_> =
                    line.split(' ').map(|number| number.parse().unwrap()).collect();
                numbers.try_into().unwrap()
            })
            .collect();
        let outside = |inside: u64| {
            ranges.iter().find_map(|[first, to, count]| {
                (*first..first + count).contains(&inside).then(|| to + inside - first)
            })
        };
        assert_eq!(outside(65_534), Some(0x7000_0123));
        assert_eq!(outside(0x7000_0123), Some(65_534));
        for same in [0, 1, 65_533, 65_535, 0x7000_0122, 0x7000_0124, 0xffff_fffe] {
            assert_eq!(outside(same), Some(same));
        }
        // The last number is no user.
        assert_eq!(outside(0xffff_ffff), None);
    }
}
