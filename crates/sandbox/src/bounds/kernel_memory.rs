//! Memory that the kernel holds for a job outside of its processes: in sockets, and in its scratch directory.
//!
//! Sources: sock_diag(7) and the kernel's `linux/unix_diag.h`; statvfs(3).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{RecvFlags, SendFlags};

/// What is asked of the kernel about a job.
#[derive(Debug)]
pub(super) struct KernelMemory {
    /// The file system of everything that the job writes in memory.
    scratch: Option<OwnedFd>,
    /// A `NETLINK_SOCK_DIAG` socket of the job's network namespace, which answers.
    sockets: Option<OwnedFd>,
}

impl KernelMemory {
    /// Asks about the file system of everything that the job writes in memory, and its network namespace by a
    /// `NETLINK_SOCK_DIAG` socket.
    pub(super) fn of(scratch: Option<OwnedFd>, sockets: Option<OwnedFd>) -> Self {
        // A kernel without CONFIG_UNIX_DIAG makes such a socket, and answers with an error.
        Self { scratch, sockets: sockets.filter(|socket| socket_bytes(socket).is_ok()) }
    }

    /// Returns whether what waits in sockets is counted.
    pub(super) const fn sees_sockets(&self) -> bool {
        self.sockets.is_some()
    }

    /// Returns the bytes of files in memory and of what waits in sockets.
    pub(super) fn bytes(&self) -> u64 {
        let scratch = self.scratch.as_ref().map_or(0, scratch_bytes);
        let sockets = self.sockets.as_ref().and_then(|socket| socket_bytes(socket).ok());
        scratch.saturating_add(sockets.unwrap_or(0))
    }
}

fn scratch_bytes(directory: &OwnedFd) -> u64 {
    rustix::fs::fstatvfs(directory).map_or(0, |file_system| {
        let used = file_system.f_blocks.saturating_sub(file_system.f_bfree);
        let inodes = file_system.f_files.saturating_sub(file_system.f_ffree);
        used.saturating_mul(file_system.f_frsize).saturating_add(inodes.saturating_mul(INODE_BYTES))
    })
}

/// Returns the bytes that all Unix sockets of the network namespace hold.
fn socket_bytes(socket: &impl AsFd) -> io::Result<u64> {
    rustix::net::send(socket, &unix_sockets_request(), SendFlags::empty())?;
    let mut buffer = vec![0; 1 << 15];
    let mut bytes = 0_u64;
    loop {
        let (_, length) = rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let answer = buffer.get(..length).unwrap_or_default();
        match sum_of_answer(answer)? {
            Answer::More(some) => bytes = bytes.saturating_add(some),
            Answer::Last(some) => return Ok(bytes.saturating_add(some)),
        }
    }
}

/// `struct nlmsghdr` and `struct unix_diag_req`: the memory of all sockets, in any state.
fn unix_sockets_request() -> Vec<u8> {
    let mut request = Vec::with_capacity(40);
    request.extend(40_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([AF_UNIX, 0, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(SHOW_MEMORY.to_ne_bytes());
    request.extend([0; 8]);
    request
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    More(u64),
    Last(u64),
}

fn sum_of_answer(mut answer: &[u8]) -> io::Result<Answer> {
    let mut bytes = 0_u64;
    while !answer.is_empty() {
        let length = number(answer, 0)?;
        let kind = half_number(answer, 4)?;
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
        let message = answer.get(..length).filter(|message| message.len() >= MESSAGE_HEAD);
        let message = message.ok_or(io::ErrorKind::InvalidData)?;
        match kind {
            DONE => return Ok(Answer::Last(bytes)),
            ERROR => {
                let errno = number(message, MESSAGE_HEAD)?.cast_signed();
                return Err(io::Error::from_raw_os_error(errno.saturating_neg()));
            }
            _ => {
                bytes =
                    bytes.saturating_add(memory_of(message.get(SOCKET_HEAD..).unwrap_or_default())?)
            }
        }
        answer = answer.get(aligned(length)..).unwrap_or_default();
    }
    Ok(Answer::More(bytes))
}

/// Returns what the attributes of a socket say that it holds: what waits to be read, and what it has sent that waits.
fn memory_of(mut attributes: &[u8]) -> io::Result<u64> {
    while !attributes.is_empty() {
        let length = usize::from(half_number(attributes, 0)?);
        let attribute =
            attributes.get(..length).filter(|attribute| attribute.len() >= ATTRIBUTE_HEAD);
        let attribute = attribute.ok_or(io::ErrorKind::InvalidData)?;
        if half_number(attribute, 2)? == MEMORY {
            let [read, sent] = [READ_ALLOCATED, WRITE_ALLOCATED]
                .map(|place| number(attribute, ATTRIBUTE_HEAD.saturating_add(place)));
            return Ok(u64::from(read?).saturating_add(sent?.into()));
        }
        attributes = attributes.get(aligned(length)..).unwrap_or_default();
    }
    Ok(0)
}

fn number(bytes: &[u8], at: usize) -> io::Result<u32> {
    let four = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
    Ok(u32::from_ne_bytes(*four.ok_or(io::ErrorKind::InvalidData)?))
}

fn half_number(bytes: &[u8], at: usize) -> io::Result<u16> {
    let two = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<2>());
    Ok(u16::from_ne_bytes(*two.ok_or(io::ErrorKind::InvalidData)?))
}

/// Messages and attributes begin at multiples of four bytes.
const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// What a file in memory takes besides its content: an inode and a name.
const INODE_BYTES: u64 = 1024;

const AF_UNIX: u8 = 1;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
/// `UDIAG_SHOW_MEMINFO`.
const SHOW_MEMORY: u32 = 0x20;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// `UNIX_DIAG_MEMINFO`.
const MEMORY: u16 = 5;
/// `struct nlmsghdr`.
const MESSAGE_HEAD: usize = 16;
/// `struct nlmsghdr` and `struct unix_diag_msg`.
const SOCKET_HEAD: usize = 32;
/// `struct nlattr`.
const ATTRIBUTE_HEAD: usize = 4;
/// `SK_MEMINFO_RMEM_ALLOC`, in bytes.
const READ_ALLOCATED: usize = 0;
/// `SK_MEMINFO_WMEM_ALLOC`, in bytes.
const WRITE_ALLOCATED: usize = 8;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink};

    use super::*;

    #[test]
    fn what_waits_in_a_socket_is_counted() {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )
        .unwrap();
        let before = socket_bytes(&socket).unwrap();
        let (mut one, _other) = UnixStream::pair().unwrap();
        one.write_all(&[0; 100_000]).unwrap();
        let after = socket_bytes(&socket).unwrap();
        assert!(after >= before.saturating_add(100_000), "{before} {after}");
    }

    #[test]
    fn answers_that_are_cut_are_errors() {
        let mut message = vec![0; 32];
        message[..4].copy_from_slice(&72_u32.to_ne_bytes());
        message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message.extend(40_u16.to_ne_bytes());
        message.extend(MEMORY.to_ne_bytes());
        for value in [5_u32, 0, 7, 0, 0, 0, 0, 0, 0] {
            message.extend(value.to_ne_bytes());
        }
        assert_eq!(sum_of_answer(&message).unwrap(), Answer::More(12));
        for length in 1..message.len() {
            let cut = sum_of_answer(&message[..length]).unwrap_err();
            assert_eq!(cut.kind(), io::ErrorKind::InvalidData, "{length}");
        }
        let mut ended = message.clone();
        ended.extend(16_u32.to_ne_bytes());
        ended.extend(DONE.to_ne_bytes());
        ended.extend([0; 10]);
        assert_eq!(sum_of_answer(&ended).unwrap(), Answer::Last(12));
        let mut failed = 20_u32.to_ne_bytes().to_vec();
        failed.extend(ERROR.to_ne_bytes());
        failed.extend([0; 10]);
        failed.extend((-2_i32).to_ne_bytes());
        assert_eq!(sum_of_answer(&failed).unwrap_err().raw_os_error(), Some(2));
    }
}
