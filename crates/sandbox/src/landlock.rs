//! The layer `landlock`: what a job may do with files, ports, signals and sockets, whatever user it is.

use std::error::Error as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use ::landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use brine_job::Layer;
use rustix::fs::{FileType, MemfdFlags};

use super::init_report::InitFault;
use super::orders::{InitOrders, PlaceAccess, PlaceNode};
use super::{prepare, private_root, syscalls};

/// The files that the rules are about.
pub(super) struct LandlockGround<'a> {
    /// The descriptors of the places of the orders.
    pub(super) places: &'a [OwnedFd],
    /// The program, if it is a file that rules can name.
    pub(super) program: Option<BorrowedFd<'a>>,
    /// The scratch places, as this process sees them.
    pub(super) scratch: Vec<&'a Path>,
    /// Standard input, if it is a file that rules can name.
    pub(super) stdin: Option<BorrowedFd<'a>>,
    /// The payload, as this process sees it, if it is given as a file.
    pub(super) payload: Option<&'a Path>,
}

/// Restricts this process and all its children to what the orders give.
pub(super) fn restrict(orders: &InitOrders, ground: &LandlockGround<'_>) -> Result<(), InitFault> {
    let version = syscalls::landlock_version()
        .map_err(InitFault::of(Layer::Landlock, "asking for its version"))?;
    let needed = needed_version(orders);
    if version < needed {
        let step =
            format!("this kernel has version {version}, and {needed} is needed for the plan");
        return Err(InitFault {
            layer: Some(Layer::Landlock),
            step,
            errno: Some(libc::EOPNOTSUPP),
        });
    }
    let abi = ABI::from(version);
    rules(orders, ground, abi)
        .and_then(enforce)
        .map_err(InitFault::of(Layer::Landlock, "restricting the job"))
}

/// Restricts this process to what it has open.
pub(super) fn restrict_wholly() -> Result<(), InitFault> {
    let version = syscalls::landlock_version()
        .map_err(InitFault::of(Layer::Landlock, "asking for its version"))?;
    ruleset(ABI::from(version))
        .and_then(enforce)
        .map_err(InitFault::of(Layer::Landlock, "restricting the reader"))
}

fn enforce(rules: RulesetCreated) -> io::Result<()> {
    match rules.restrict_self().map_err(to_io)?.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Returns whether rules can name a file. Memory without a name is in a file system of the kernel's own, in which
/// everything is allowed that permissions allow.
pub(super) fn can_name(file: BorrowedFd<'_>) -> bool {
    let device = |file: BorrowedFd<'_>| rustix::fs::fstat(file).map(|found| found.st_dev);
    let memory = rustix::fs::memfd_create(c"memory", MemfdFlags::CLOEXEC);
    let (Ok(memory), Ok(found)) = (memory, rustix::fs::fstat(file)) else { return false };
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    is_file && device(memory.as_fd()) != Ok(found.st_dev)
}

/// Returns the oldest version of Landlock that is enough. Other layers hold what older versions cannot: the
/// private root covers truncation (version 3), and the process namespace and seccomp cover signals and abstract
/// sockets (version 6). Granted ports need version 4, because no other layer tells ports apart.
fn needed_version(orders: &InitOrders) -> i32 {
    if orders.waives(Layer::Namespaces) || orders.waives(Layer::Seccomp) {
        6
    } else if orders.ports.is_empty() {
        2
    } else {
        4
    }
}

fn rules(orders: &InitOrders, ground: &LandlockGround<'_>, abi: ABI) -> io::Result<RulesetCreated> {
    let rules = LandlockRules { created: ruleset(abi)?, abi };
    rules.places(orders, ground)?.devices()?.ports(&orders.ports)
}

/// Returns rules that allow nothing yet.
fn ruleset(abi: ABI) -> io::Result<RulesetCreated> {
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
    ruleset.create().map_err(to_io)
}

struct LandlockRules {
    created: RulesetCreated,
    abi: ABI,
}

impl LandlockRules {
    fn places(mut self, orders: &InitOrders, ground: &LandlockGround<'_>) -> io::Result<Self> {
        for (place, descriptor) in orders.opened_places().zip(ground.places) {
            let access = match place.access {
                PlaceAccess::Execute => self.read() | AccessFs::Execute,
                PlaceAccess::Read => self.read(),
                PlaceAccess::Write => self.write(),
            };
            self = self.allow(descriptor.as_fd(), &place.node, access)?;
        }
        // Executing a file needs the right to read it, too (LANDLOCK_ACCESS_FS_EXECUTE).
        if let Some(program) = ground.program {
            let access = AccessFs::Execute | AccessFs::ReadFile;
            self = self.allow(program, &PlaceNode::File, access)?;
        }
        for path in &ground.scratch {
            let mut access = self.write();
            if orders.exec_scratch {
                access |= AccessFs::Execute;
            }
            let scratch = prepare::open_path(path)?;
            self = self.allow(scratch.as_fd(), &PlaceNode::Directory, access)?;
        }
        // Without a private root these are the files of this system.
        if !orders.waives(Layer::Namespaces) {
            for path in [private_root::ETC, private_root::PROC] {
                let made = prepare::open_path(Path::new(path))?;
                let access = self.read();
                self = self.allow(made.as_fd(), &PlaceNode::Directory, access)?;
            }
        }
        // A payload on a disk, so that it can be opened once more as /dev/stdin.
        if let Some(stdin) = ground.stdin {
            self = self.allow(stdin, &PlaceNode::File, AccessFs::ReadFile.into())?;
        }
        if let Some(path) = ground.payload {
            let payload = prepare::open_path(path)?;
            self = self.allow(payload.as_fd(), &PlaceNode::File, AccessFs::ReadFile.into())?;
        }
        Ok(self)
    }

    fn devices(mut self) -> io::Result<Self> {
        for (device, _) in private_root::DEVICES {
            let descriptor = prepare::open_path(Path::new(device))?;
            let access = AccessFs::ReadFile | AccessFs::WriteFile;
            self = self.allow(descriptor.as_fd(), &PlaceNode::File, access)?;
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
        node: &PlaceNode,
        access: BitFlags<AccessFs>,
    ) -> io::Result<Self> {
        let access = match node {
            PlaceNode::Directory => access,
            PlaceNode::File | PlaceNode::Link(_) => access & AccessFs::from_file(self.abi),
        };
        let rule = PathBeneath::new(descriptor, access);
        Ok(Self { created: self.created.add_rule(rule).map_err(to_io)?, ..self })
    }

    fn read(&self) -> BitFlags<AccessFs> {
        AccessFs::ReadFile | AccessFs::ReadDir
    }

    /// Returns all rights, except to execute, to make or use devices, and to connect to the sockets of others.
    fn write(&self) -> BitFlags<AccessFs> {
        let never = AccessFs::Execute
            | AccessFs::IoctlDev
            | AccessFs::MakeBlock
            | AccessFs::MakeChar
            | AccessFs::ResolveUnix;
        AccessFs::from_all(self.abi) & !never
    }
}

/// Returns the error of the system beneath an error of Landlock, or its text.
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
