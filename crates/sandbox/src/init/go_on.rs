//! Where a job that is ready waits for brine.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink};

use super::Init;
use crate::bounds::GoOn;
use crate::init_report::{InitReport, Membership, ShownToBrine};
use crate::private_root::BuiltRoot;
use crate::syscalls;

impl Init {
    /// Shows brine what it needs to bound the job, and waits until that is done. Ends this process if brine is gone.
    pub(super) fn wait_to_go_on(&mut self, built: Option<BuiltRoot>) {
        let (processes, scratch) =
            built.map_or((None, None), |built| (built.processes, built.scratch));
        // What this system does not give is not shown, and brine does without it.
        let own_network = self.orders.has_own_network();
        let sockets = own_network.then(sockets_of_namespace).and_then(io::Result::ok);
        let all = [
            (ShownToBrine::Processes, processes),
            (ShownToBrine::Scratch, scratch),
            (ShownToBrine::Sockets, sockets),
        ];
        let (mut shown, mut descriptors) = (Vec::new(), Vec::new());
        for (what, descriptor) in &all {
            shown.extend(descriptor.as_ref().map(|_| *what));
            descriptors.extend(descriptor.as_ref().map(AsFd::as_fd));
        }
        let membership = Membership {
            of_version_1: self.groups.join(),
            of_version_2: self.groups.was_born_inside(),
        };
        let ready = InitReport::Ready(shown, membership);
        let sent = self.channel.send_with(&ready.encode(), &descriptors);
        let mut byte = [0];
        let read = rustix::io::read(&self.go, &mut byte);
        let (Ok(()), Ok(1), Some(go)) = (sent, read, GoOn::of(byte[0])) else {
            syscalls::end_now(125);
        };
        self.memory = go.memory;
        if go.count_time {
            // Where the system lets nobody count, brine looks.
            let counter = syscalls::count_processor_time().ok();
            let report = |counter: OwnedFd| {
                self.channel.send_with(&InitReport::Counting.encode(), &[counter.as_fd()])
            };
            let _ = counter.map(report);
        }
    }
}

/// Returns a socket that can be asked for all sockets of this network namespace.
fn sockets_of_namespace() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?)
}
