//! The channel between brine and the init of a job: messages and descriptors over a pair of sockets.
//!
//! Descriptors travel over the socket instead of being inherited. So every descriptor can be close-on-exec, and
//! none leaks into a process that another thread starts at the same time.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};

/// One end of the channel. Messages arrive whole, in the order in which they were sent.
#[derive(Debug)]
pub(super) struct InitChannel {
    socket: OwnedFd,
}

impl InitChannel {
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    pub(super) fn into_socket(self) -> OwnedFd {
        self.socket
    }

    /// Sends a message of at most [`MAX_MESSAGE_BYTES`]. Allocates nothing.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<()> {
        rustix::net::send(&self.socket, message, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Sends descriptors, in as many messages as are needed.
    pub(super) fn send_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        descriptors.chunks(DESCRIPTORS_AT_ONCE).try_for_each(|some| self.send_with(b"fd", some))
    }

    /// Sends a message with at most [`DESCRIPTORS_AT_ONCE`] descriptors.
    pub(super) fn send_with(
        &self,
        message: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let has_room =
            descriptors.is_empty() || ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        if !has_room {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let message = [IoSlice::new(message)];
        rustix::net::sendmsg(&self.socket, &message, &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Receives this many descriptors.
    pub(super) fn receive_descriptors(&self, count: usize) -> io::Result<Vec<OwnedFd>> {
        let mut received = Vec::new();
        while received.len() < count {
            let before = received.len();
            if self.receive_with(&mut received)?.is_none() || received.len() == before {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(received)
    }

    /// Tells the other end that nothing more comes.
    pub(super) fn hang_up(&self) {
        // It fails if the other end is gone already, which is just as good.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
    }

    /// Receives a message, and appends the descriptors that come with it; `None` if the other end is closed.
    pub(super) fn receive_with(
        &self,
        descriptors: &mut Vec<OwnedFd>,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut message = vec![0; MAX_MESSAGE_BYTES];
        let mut space = [MaybeUninit::uninit(); ANCILLARY_BYTES];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut parts = [IoSliceMut::new(&mut message)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match rustix::net::recvmsg(&self.socket, &mut parts, &mut ancillary, flags) {
                Err(rustix::io::Errno::INTR) => {}
                // The other end was closed before it read everything.
                Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                other => break other?,
            }
        };
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        for item in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(some) = item {
                descriptors.extend(some);
            }
        }
        message.truncate(received.bytes);
        Ok((received.bytes > 0).then_some(message))
    }
}

impl AsFd for InitChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The longest message, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 4096;

/// Below Linux's limit of 253 (`SCM_MAX_FD`).
const DESCRIPTORS_AT_ONCE: usize = 64;

const ANCILLARY_BYTES: usize = rustix::cmsg_space!(ScmRights(DESCRIPTORS_AT_ONCE));
