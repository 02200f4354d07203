//! Landlock: what a job may do with files, ports, signals and sockets, whoever it is.

use std::error::Error as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use ::landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::message::Fault;
use super::orders::{Access, Node, Orders};
use super::{prepare, system};
use crate::job::plan::Layer;

/// What the rules are about, besides the places of the plan.
pub(super) struct Ground<'a> {
    /// The descriptors of the places.
    pub(super) places: &'a [OwnedFd],
    pub(super) program: BorrowedFd<'a>,
    /// The scratch directory, as a path that this process sees.
    pub(super) scratch: &'a Path,
    /// The payload, where it is a file, likewise.
    pub(super) payload: Option<&'a Path>,
}

/// Restricts this process, and all that come from it, to what the orders give.
pub(super) fn restrict(orders: &Orders, ground: &Ground<'_>) -> Result<(), Fault> {
    let version =
        system::landlock_version().map_err(Fault::of(Layer::Landlock, "asking for its version"))?;
    let needed = needed_version(orders);
    if version < needed {
        let step =
            format!("this kernel has version {version}, and {needed} is needed for the plan");
        return Err(Fault { layer: Some(Layer::Landlock), step, errno: libc::EOPNOTSUPP });
    }
    let abi = ABI::from(version);
    rules(orders, ground, abi)
        .and_then(|rules| rules.restrict_self().map_err(to_io))
        .and_then(|status| match status.ruleset {
            RulesetStatus::FullyEnforced => Ok(()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        })
        .map_err(Fault::of(Layer::Landlock, "restricting the job"))
}

/// What a version lacks, another layer holds: the private root what version 2 cannot of truncation, the
/// process namespace and seccomp what version 5 cannot of signals and abstract sockets. Ports that are
/// granted nothing else can tell apart.
fn needed_version(orders: &Orders) -> i32 {
    if orders.waives(Layer::Namespaces) || orders.waives(Layer::Seccomp) {
        6
    } else if orders.ports.is_empty() {
        2
    } else {
        4
    }
}

fn rules(orders: &Orders, ground: &Ground<'_>, abi: ABI) -> io::Result<RulesetCreated> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))
        .map_err(to_io)?;
    let ports = AccessNet::from_all(abi);
    if !ports.is_empty() {
        ruleset = ruleset.handle_access(ports).map_err(to_io)?;
    }
    let scopes = Scope::from_all(abi);
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes).map_err(to_io)?;
    }
    let rules = Rules { created: ruleset.create().map_err(to_io)?, abi };
    rules.places(orders, ground)?.devices()?.ports(&orders.ports)
}

struct Rules {
    created: RulesetCreated,
    abi: ABI,
}

impl Rules {
    fn places(mut self, orders: &Orders, ground: &Ground<'_>) -> io::Result<Self> {
        for (place, descriptor) in orders.opened_places().zip(ground.places) {
            let access = match place.access {
                Access::Execute => self.read() | AccessFs::Execute,
                Access::Read => self.read(),
                Access::Write => self.write(),
            };
            self = self.allow(descriptor.as_fd(), &place.node, access)?;
        }
        // To execute a file is to read it, too (LANDLOCK_ACCESS_FS_EXECUTE).
        let program = AccessFs::Execute | AccessFs::ReadFile;
        self = self.allow(ground.program, &Node::File, program)?;
        let scratch = prepare::open_path(ground.scratch)?;
        let access = self.write();
        self = self.allow(scratch.as_fd(), &Node::Directory, access)?;
        if let Some(path) = ground.payload {
            let payload = prepare::open_path(path)?;
            self = self.allow(payload.as_fd(), &Node::File, AccessFs::ReadFile.into())?;
        }
        Ok(self)
    }

    fn devices(mut self) -> io::Result<Self> {
        for device in super::root::DEVICES {
            let descriptor = prepare::open_path(Path::new(device))?;
            let access = AccessFs::ReadFile | AccessFs::WriteFile;
            self = self.allow(descriptor.as_fd(), &Node::File, access)?;
        }
        Ok(self)
    }

    fn ports(self, ports: &[u16]) -> io::Result<RulesetCreated> {
        let rule = |port: &u16| Ok(NetPort::new(*port, AccessNet::ConnectTcp));
        self.created
            .add_rules(ports.iter().map(rule))
            .map_err(|error: ::landlock::RulesetError| to_io(error))
    }

    fn allow(
        self,
        descriptor: BorrowedFd<'_>,
        node: &Node,
        access: BitFlags<AccessFs>,
    ) -> io::Result<Self> {
        let access = match node {
            Node::Directory => access,
            Node::File | Node::Link(_) => access & AccessFs::from_file(self.abi),
        };
        let rule = PathBeneath::new(descriptor, access);
        Ok(Self { created: self.created.add_rule(rule).map_err(to_io)?, ..self })
    }

    fn read(&self) -> BitFlags<AccessFs> {
        AccessFs::ReadFile | AccessFs::ReadDir
    }

    /// Everything but to execute what was written, to make or use devices, and to reach the sockets of
    /// others.
    fn write(&self) -> BitFlags<AccessFs> {
        let never = AccessFs::Execute
            | AccessFs::IoctlDev
            | AccessFs::MakeBlock
            | AccessFs::MakeChar
            | AccessFs::ResolveUnix;
        AccessFs::from_all(self.abi) & !never
    }
}

/// The system's error beneath one of Landlock's, or its words.
fn to_io(error: ::landlock::RulesetError) -> io::Error {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return io::Error::from_raw_os_error(io);
        }
        cause = inner.source();
    }
    io::Error::other(error.to_string())
}
