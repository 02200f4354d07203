//! The powers of a job: what programs of the operator do for it, over a socket each.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use brine_job::{Plan, PowerName};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::args::run::{PowerPlace, Run};
use crate::report::Failure;

/// Connects to the program behind each power that the job has, in their order.
pub(super) fn open(args: &Run, plan: &Plan) -> Result<Vec<OwnedFd>, Failure> {
    let connected = plan.parts().powers.iter().map(|name| {
        let place = place_of(args, name)?;
        connect(&place.socket).map_err(|error| silent(place, error))
    });
    connected.collect()
}

/// Connects to a socket, and waits for a while if too many others wait there.
fn connect(socket: &Path) -> io::Result<OwnedFd> {
    let kept = SocketFlags::CLOEXEC;
    let made = socket_with(AddressFamily::UNIX, SocketType::STREAM, kept, None)?;
    set_socket_timeout(&made, Timeout::Send, Some(LONGEST))?;
    rustix::net::connect(&made, &SocketAddrUnix::new(socket)?).map_err(|error| match error {
        Errno::AGAIN => full(),
        other => other.into(),
    })?;
    set_socket_timeout(&made, Timeout::Send, None)?;
    Ok(made)
}

/// What connect(2) calls a resource that is unavailable.
fn full() -> io::Error {
    let late = format!("no room for one more within {} s", LONGEST.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, late)
}

/// How long a program may take until there is room for one more job.
const LONGEST: Duration = Duration::from_secs(10);

/// Refuses a job that has a power which nobody gives.
pub(super) fn refuse_absent(args: &Run, plan: &Plan) -> Result<(), Failure> {
    plan.parts().powers.iter().try_for_each(|name| {
        let place = place_of(args, name)?;
        refuse_silence(place).map_err(|error| silent(place, error))
    })
}

/// Refuses a power that two programs give.
pub(super) fn refuse_twice(powers: &[PowerPlace]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    match powers.iter().find(|place| !seen.insert(&place.name)) {
        None => Ok(()),
        Some(PowerPlace { name, .. }) => Err(Failure::mistyped(
            format!("the power {name} is given twice"),
            "one program gives a power",
        )),
    }
}

/// Finds out whether a program has the socket, without connecting to it: a socket of another type cannot, and the system
/// says so (unix(7), EPROTOTYPE).
fn refuse_silence(place: &PowerPlace) -> io::Result<()> {
    match UnixDatagram::unbound()?.connect(&place.socket) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::PROTOTYPE) => Ok(()),
        Err(error) => Err(error),
        // It is of that other type itself.
        Ok(()) => Err(Errno::PROTOTYPE.into()),
    }
}

fn place_of<'a>(args: &'a Run, name: &PowerName) -> Result<&'a PowerPlace, Failure> {
    let found = args.powers.iter().find(|place| place.name == *name);
    found.ok_or_else(|| Failure::PowerAbsent { name: name.clone() })
}

fn silent(place: &PowerPlace, source: io::Error) -> Failure {
    let PowerPlace { name, socket } = place.clone();
    Failure::PowerSilent { name, socket, source }
}
