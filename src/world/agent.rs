//! The agent of whoever runs this, over the socket that `SSH_AUTH_SOCK` names.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use brine_keys::{AgentExchange, AgentKey, AgentLink, HeldKey, held_keys};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use super::end_signals::heed_end;
use super::home;
use crate::report::AgentFailure;

/// How long an agent may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgentTimes {
    /// For connecting, and for listing its keys.
    pub(crate) list: Duration,
    /// For a signature, which it may ask a person for.
    pub(crate) sign: Duration,
}

impl AgentTimes {
    /// Where something is signed.
    pub(crate) const SIGNING: Self =
        Self { list: Duration::from_secs(5), sign: Duration::from_secs(60) };

    /// Where it is only looked at what there is.
    pub(crate) const LOOKING: Self = Self { list: Duration::from_secs(2), ..Self::SIGNING };

    const fn of(self, exchange: AgentExchange) -> Duration {
        match exchange {
            AgentExchange::List => self.list,
            AgentExchange::Sign => self.sign,
        }
    }
}

/// A key in the agent.
pub(crate) type HeldAgentKey = AgentKey<AgentSocket>;

/// Returns what the agent holds.
pub(crate) fn held(times: AgentTimes) -> Result<Vec<HeldKey>, AgentFailure> {
    Ok(held_keys(&AgentSocket::find(times)?)?.0)
}

/// Opens the key that is chosen of those that the agent holds, and returns the certificates that it holds for that key.
pub(crate) fn open<F: From<AgentFailure>>(
    choose: impl for<'a> FnOnce(&'a [HeldKey]) -> Result<&'a HeldKey, F>,
) -> Result<(HeldAgentKey, Vec<Vec<u8>>), F> {
    let socket = AgentSocket::find(AgentTimes::SIGNING)?;
    let (held, connection) = held_keys(&socket).map_err(AgentFailure::from)?;
    let chosen = choose(&held)?;
    let of_it = held.iter().filter(|held| held.verifying_key() == chosen.verifying_key());
    let certificates = of_it.filter_map(HeldKey::certificate).map(<[u8]>::to_vec).collect();
    let key = AgentKey::new(socket, connection, chosen);
    let key = key.ok_or_else(|| AgentFailure::of_unusable(chosen))?;
    Ok((key, certificates))
}

/// Where an agent is, and how long it may take.
#[derive(Clone, Debug)]
pub(crate) struct AgentSocket {
    path: PathBuf,
    times: AgentTimes,
}

impl AgentSocket {
    /// Finds the agent that the environment names.
    pub(crate) fn find(times: AgentTimes) -> Result<Self, AgentFailure> {
        let path = home::agent_socket().ok_or(AgentFailure::NotNamed)?;
        Ok(Self { path, times })
    }
}

impl AgentLink for AgentSocket {
    type Connection = TimedSocket;

    fn connect(&self, exchange: AgentExchange) -> io::Result<TimedSocket> {
        let wait = Wait::begin(self.times.of(exchange));
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let address = SocketAddrUnix::new(self.path.as_path())?;
        loop {
            match connect(&socket, &address) {
                Ok(()) => return Ok(TimedSocket { socket, wait }),
                Err(Errno::INTR) => {}
                // As many others are waiting as the agent lets wait. Nothing tells when there is room.
                Err(Errno::AGAIN) => {
                    heed_end()?;
                    wait.left()?;
                    thread::sleep(LOOK);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn begin(&self, connection: &mut TimedSocket, exchange: AgentExchange) {
        connection.wait = Wait::begin(self.times.of(exchange));
    }
}

/// A connection on which an exchange ends in time, however it is cut into pieces.
#[derive(Debug)]
pub(crate) struct TimedSocket {
    socket: OwnedFd,
    wait: Wait,
}

impl TimedSocket {
    /// Does something as soon as the socket is ready for it.
    fn when_ready(
        &self,
        ready: PollFlags,
        work: &mut dyn FnMut(&OwnedFd) -> Result<usize, Errno>,
    ) -> io::Result<usize> {
        loop {
            match work(&self.socket) {
                Err(Errno::AGAIN) => {
                    let most = Timespec::try_from(self.wait.left()?.min(PATIENCE)).ok();
                    match poll(&mut [PollFd::new(&self.socket, ready)], most.as_ref()) {
                        // It is a person who is waited for, and who wants no more of it. Where nobody is, what was read
                        // before a signal is signed.
                        Ok(0) | Err(Errno::INTR) => heed_end()?,
                        Ok(_) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }
}

impl Read for TimedSocket {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.when_ready(PollFlags::IN, &mut |socket| {
            recv(socket, &mut *room, RecvFlags::empty()).map(|(read, _)| read)
        })
    }
}

impl Write for TimedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An agent that hung up is an error, and not a signal.
        self.when_ready(PollFlags::OUT, &mut |socket| send(socket, bytes, SendFlags::NOSIGNAL))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time of one exchange.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    most: Duration,
}

impl Wait {
    fn begin(most: Duration) -> Self {
        Self { since: Instant::now(), most }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.most.checked_sub(self.since.elapsed());
        left.filter(|left| !left.is_zero()).ok_or_else(|| {
            let late = format!("the limit is {} s", self.most.as_secs_f64());
            io::Error::new(ErrorKind::TimedOut, late)
        })
    }
}

/// An agent that asks nobody is done long before.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is tried again to connect.
const LOOK: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
