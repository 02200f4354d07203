//! The powers of a job: what programs of the operator do for it, over a socket each.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use brine_core::text::quoted;
use brine_job::{Plan, PowerName};

use crate::args::run::Run;
use crate::report::Failure;

/// Connects to the program behind each power that the job has, in their order.
pub(super) fn open(args: &Run, plan: &Plan) -> Result<Vec<OwnedFd>, Failure> {
    let connected = plan.parts().powers.iter().map(|name| {
        let socket = socket_of(args, name)?;
        let connected = UnixStream::connect(socket).map(OwnedFd::from);
        connected.map_err(|error| Failure::io(quoted(socket).to_string(), error))
    });
    connected.collect()
}

/// Refuses a job that has a power which nobody gives.
pub(super) fn refuse_absent(args: &Run, plan: &Plan) -> Result<(), Failure> {
    plan.parts().powers.iter().try_for_each(|name| socket_of(args, name).map(drop))
}

fn socket_of<'a>(args: &'a Run, name: &PowerName) -> Result<&'a Path, Failure> {
    let found = args.powers.iter().find(|place| place.name == *name);
    let place = found.ok_or_else(|| Failure::PowerAbsent { name: name.clone() })?;
    Ok(&place.socket)
}
