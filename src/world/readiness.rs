//! What an output is, and when it takes more.

use std::fs::File;
use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

/// What an output is, as far as writing to it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputKind {
    Device,
    Disk { appends: bool },
    Pipe,
    Socket { sent_at_once: usize },
    Terminal,
}

/// How many bytes were written.
#[derive(Debug)]
pub(super) struct Pushed {
    pub(super) bytes: usize,
    pub(super) failed: Option<io::Error>,
}

impl OutputKind {
    pub(super) fn of(file: &File) -> Self {
        let mode = rustix::fs::fstat(file).map_or(0, |found| found.st_mode);
        match FileType::from_raw_mode(mode) {
            FileType::RegularFile => {
                let flags = rustix::fs::fcntl_getfl(file).unwrap_or(OFlags::empty());
                Self::Disk { appends: flags.contains(OFlags::APPEND) }
            }
            FileType::Fifo => Self::Pipe,
            FileType::Socket => {
                let buffer = rustix::net::sockopt::socket_send_buffer_size(file).unwrap_or(0);
                // A socket that takes something has a third of its buffer free, at least, and a part of that is
                // for what the system notes about the bytes.
                Self::Socket { sent_at_once: buffer / 8 }
            }
            _ if rustix::termios::isatty(file) => Self::Terminal,
            _ => Self::Device,
        }
    }

    /// Writes to the end, however long that takes, and says how far it came.
    pub(super) fn push(self, file: &File, bytes: &[u8]) -> Pushed {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let written = match self {
                Self::Socket { .. } => {
                    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                    rustix::net::send(file, rest, flags)
                }
                Self::Device | Self::Disk { .. } | Self::Pipe | Self::Terminal => {
                    rustix::io::write(file, rest)
                }
            };
            let failed = match written {
                Ok(0) => Some(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    done = done.saturating_add(written);
                    None
                }
                Err(Errno::INTR) => None,
                Err(Errno::AGAIN) => wait(file).err(),
                Err(error) => Some(error.into()),
            };
            if failed.is_some() {
                return Pushed { bytes: done, failed };
            }
        }
        Pushed { bytes: done, failed: None }
    }
}

/// Waits until the output takes something, or has failed.
pub(super) fn wait(file: &File) -> io::Result<()> {
    poll_for(file, PollFlags::OUT, None).map(drop)
}

/// Does the same, and returns whether it had to wait.
pub(super) fn waited(file: &File) -> io::Result<bool> {
    if is_ready(file) { Ok(false) } else { wait(file).map(|()| true) }
}

pub(super) fn is_ready(file: &File) -> bool {
    // What goes wrong here goes wrong in writing, too.
    poll_for(file, PollFlags::OUT, Some(NO_TIME)).map_or(true, |found| !found.is_empty())
}

/// Returns whether nobody reads any more.
pub(super) fn is_gone(file: &File) -> bool {
    poll_for(file, PollFlags::empty(), Some(NO_TIME)).map_or(true, |found| !found.is_empty())
}

fn poll_for(file: &File, flags: PollFlags, most: Option<Timespec>) -> io::Result<PollFlags> {
    loop {
        let mut files = [PollFd::new(file, flags)];
        match poll(&mut files, most.as_ref()) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(files.map(|file| file.revents()).into_iter().collect()),
        }
    }
}

/// Returns how many bytes certainly fit a pipe. A write takes whole pages, or the rest of the last one: of
/// two neighbours, at least one half is in use. The first may be nearly read, and the last nearly empty.
pub(super) fn pipe_room(file: &File) -> usize {
    let size = pipe_size(file);
    let queued = rustix::io::ioctl_fionread(file).unwrap_or(u64::MAX);
    let queued = usize::try_from(queued).unwrap_or(usize::MAX);
    if queued == 0 {
        return size;
    }
    // A pipe that takes something has a page for it.
    let page = if is_ready(file) { PAGE_BYTES.min(size) } else { 0 };
    let pages = size.saturating_sub(queued.saturating_mul(2)).saturating_sub(2 * PAGE_BYTES);
    pages.max(page)
}

pub(super) fn pipe_size(file: &File) -> usize {
    rustix::pipe::fcntl_getpipe_size(file).unwrap_or(PAGE_BYTES)
}

/// Lets a little time pass until a pipe is asked again whether it has enough room. Nothing tells when it has more,
/// only that it has some, or has lost its reader.
pub(super) fn pause(file: &File) -> io::Result<()> {
    poll_for(file, PollFlags::empty(), Some(PAUSE)).map(drop)
}

/// What a page of a pipe holds.
const PAGE_BYTES: usize = 4096;

const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
