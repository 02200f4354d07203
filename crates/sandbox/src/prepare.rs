//! What brine does before anything starts: opens every path that the plan names, once.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, MemfdFlags, Mode, OFlags, ResolveFlags};
use rustix::pipe::PipeFlags;
use sha2::{Digest, Sha256};

use super::channel::Channel;
use super::orders::{Access, Node, Orders, Place, Script};
use super::{INIT_NAME, Launch, LaunchError, MAX_FILE_PAYLOAD_BYTES, SCRIPT_PATH};
use crate::job::plan::{Delivery, Layer, Opening, Plan, Program};

/// Everything that the init is given.
pub(super) struct Prepared {
    orders: Orders,
    payload: OwnedFd,
    program: File,
    places: Vec<OwnedFd>,
    /// What the system counted before the job.
    kills_before: Option<u64>,
}

/// An init that has its orders.
pub(super) struct Started {
    pub(super) init: Child,
    pub(super) channel: Channel,
    pub(super) output: OwnedFd,
    pub(super) errors: OwnedFd,
    pub(super) kills_before: Option<u64>,
}

/// Opens what the plan names.
pub(super) fn prepare(launch: &Launch<'_>) -> Result<Prepared, LaunchError> {
    let plan = launch.plan;
    let (program, script) = open_program(&plan.program)?;
    let script_place = match script {
        Script::Yes if !plan.waived.contains(&Layer::Namespaces) => Some(script_place(&program)?),
        _ => None,
    };
    let (places, descriptors) = open_places(plan, script_place)?;
    let payload_bytes = payload_length(launch)?;
    let orders = Orders {
        arguments: plan.program.arguments.clone(),
        environment: environment(plan),
        delivery: plan.delivery,
        payload_bytes,
        places,
        ports: plan.ports.iter().copied().collect(),
        limits: plan.limits,
        waived: plan.waived.iter().copied().collect(),
        script,
    };
    Ok(Prepared {
        orders,
        payload: read_only(&launch.payload)
            .map_err(|error| LaunchError::system("opening the payload for reading", error))?,
        program,
        places: descriptors,
        kills_before: memory_kills(),
    })
}

impl Prepared {
    /// Starts the init and gives it its orders.
    pub(super) fn start(self, program_init: &Path) -> Result<Started, LaunchError> {
        let failed = |step: &'static str| move |error: io::Error| LaunchError::system(step, error);
        let (channel, theirs) = Channel::pair().map_err(failed("making a pair of sockets"))?;
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from);
        let (output, output_end) = pipe().map_err(failed("making a pipe"))?;
        let (errors, errors_end) = pipe().map_err(failed("making a pipe"))?;
        let orders = self.written_orders().map_err(failed("writing the orders of the init"))?;
        let init = Command::new(program_init)
            .arg0(INIT_NAME)
            .arg((5 + self.places.len()).to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs.into_socket()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed("starting the init"))?;
        let started = Started { init, channel, output, errors, kills_before: self.kills_before };
        let fixed = [
            orders.as_fd(),
            self.payload.as_fd(),
            output_end.as_fd(),
            errors_end.as_fd(),
            self.program.as_fd(),
        ];
        let places = self.places.iter().map(AsFd::as_fd);
        let descriptors: Vec<BorrowedFd<'_>> = fixed.into_iter().chain(places).collect();
        started
            .channel
            .send_descriptors(&descriptors)
            .map_err(failed("giving the init its descriptors"))?;
        Ok(started)
    }

    /// The orders, in memory that the init can read.
    fn written_orders(&self) -> io::Result<File> {
        let memory = rustix::fs::memfd_create(c"orders", MemfdFlags::CLOEXEC)?;
        let mut memory = File::from(memory);
        memory.write_all(&self.orders.encode())?;
        memory.rewind()?;
        Ok(memory)
    }
}

/// Opens the program once. What is hashed is what is executed, by this descriptor.
fn open_program(program: &Program) -> Result<(File, Script), LaunchError> {
    let path = &program.path;
    let not_executable = |source| LaunchError::NotExecutable { path: path.clone(), source };
    // Nothing may block here, as a FIFO would.
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LaunchError::NotFound { path: path.clone() },
            _ => not_executable(error),
        })?;
    let metadata = file.metadata().map_err(not_executable)?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(not_executable(io::ErrorKind::PermissionDenied.into()));
    }
    let mut start = [0; 2];
    let script = match file.read(&mut start) {
        Ok(2) if start == *b"#!" => Script::Yes,
        _ => Script::No,
    };
    if let Some(expected) = program.sha256 {
        file.rewind().map_err(not_executable)?;
        if sha256(&mut file).map_err(not_executable)? != expected {
            return Err(LaunchError::OtherProgram { path: path.clone() });
        }
    }
    file.rewind().map_err(not_executable)?;
    Ok((file, script))
}

/// Where a script is seen inside. Its interpreter opens it by name, so that a descriptor will not do.
fn script_place(program: &File) -> Result<(Place, Option<OwnedFd>), LaunchError> {
    let failed = |error| LaunchError::system("finding the script", error);
    let source = PathBuf::from(format!("/proc/self/fd/{}", program.as_raw_fd()));
    let source = source.read_link().map_err(failed)?;
    let descriptor = program.try_clone().map_err(failed)?.into();
    let target = OsStr::from_bytes(SCRIPT_PATH.to_bytes()).into();
    Ok((Place { source, target, access: Access::Execute, node: Node::File }, Some(descriptor)))
}

fn sha256(file: &mut File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Opens every place, parents before what lies in them.
fn open_places(
    plan: &Plan,
    script: Option<(Place, Option<OwnedFd>)>,
) -> Result<(Vec<Place>, Vec<OwnedFd>), LaunchError> {
    let mut opened = Vec::from_iter(script);
    for path in &plan.system {
        opened.extend(open_system(path)?);
    }
    for opening in &plan.openings {
        opened.push(open_opening(opening, plan)?);
    }
    opened.sort_by(|(one, _), (other, _)| one.target.cmp(&other.target));
    let mut places = Vec::new();
    let mut descriptors = Vec::new();
    for (place, descriptor) in opened {
        places.push(place);
        descriptors.extend(descriptor);
    }
    Ok((places, descriptors))
}

/// Opens a system directory. One that this system does not have is not seen inside either.
fn open_system(path: &Path) -> Result<Option<(Place, Option<OwnedFd>)>, LaunchError> {
    let failed = |source| LaunchError::Opening { path: path.to_owned(), source };
    let place = |node| Place {
        source: path.to_owned(),
        target: path.to_owned(),
        access: Access::Execute,
        node,
    };
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
        // As /bin is, where it is one with /usr/bin. Where it leads to lies inside, or nowhere.
        Ok(metadata) if metadata.is_symlink() => {
            let to = path.read_link().map_err(failed)?;
            Ok(Some((place(Node::Link(to.into_os_string())), None)))
        }
        Ok(_) => {
            let (node, descriptor) = open_exactly(path)?;
            Ok(Some((place(node), Some(descriptor))))
        }
    }
}

fn open_opening(opening: &Opening, plan: &Plan) -> Result<(Place, Option<OwnedFd>), LaunchError> {
    let Opening { source, target, writable } = opening;
    if plan.waived.contains(&Layer::Namespaces) && source != target {
        return Err(LaunchError::Confinement {
            layer: Layer::Namespaces,
            step: format!("showing {source:?} as {target:?}"),
            source: io::ErrorKind::Unsupported.into(),
        });
    }
    if !is_plain(target) {
        let source = io::ErrorKind::InvalidInput.into();
        return Err(LaunchError::Opening { path: target.clone(), source });
    }
    // What lies in a system directory can be executed there, and is not to be what the job wrote.
    let overlaps = |system: &PathBuf| source.starts_with(system) || system.starts_with(source);
    if *writable && plan.system.iter().any(overlaps) {
        let refused = io::Error::other("what can be written may not lie in a system directory");
        return Err(LaunchError::Opening { path: source.clone(), source: refused });
    }
    let (node, descriptor) = open_exactly(source)?;
    let access = if *writable { Access::Write } else { Access::Read };
    Ok((Place { source: source.clone(), target: target.clone(), access, node }, Some(descriptor)))
}

/// Whether a path is absolute, and says where it is without `..`.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir)
        && parts.clone().next().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Opens a file or directory where it is named, without following a symbolic link anywhere.
fn open_exactly(path: &Path) -> Result<(Node, OwnedFd), LaunchError> {
    let failed = |source: io::Error| LaunchError::Opening { path: path.to_owned(), source };
    if !path.is_absolute() {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    let descriptor = open_path(path).map_err(failed)?;
    let status = rustix::fs::fstat(&descriptor).map_err(|error| failed(error.into()))?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => Ok((Node::Directory, descriptor)),
        FileType::RegularFile => Ok((Node::File, descriptor)),
        FileType::Symlink => Err(failed(io::Error::from_raw_os_error(libc::ELOOP))),
        _ => Err(failed(io::ErrorKind::Unsupported.into())),
    }
}

/// Opens a path to name it, and for nothing else.
pub(super) fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve)?)
}

fn environment(plan: &Plan) -> Vec<OsString> {
    let pair = |(name, value): (&OsString, &OsString)| {
        let mut pair = name.clone();
        pair.push("=");
        pair.push(value);
        pair
    };
    plan.environment.iter().map(pair).collect()
}

fn payload_length(launch: &Launch<'_>) -> Result<u64, LaunchError> {
    let metadata = launch.payload.metadata();
    let found =
        metadata.map_err(|error| LaunchError::system("looking at the payload", error))?.len();
    let limit = MAX_FILE_PAYLOAD_BYTES;
    if launch.plan.delivery == Delivery::File && found > limit {
        return Err(LaunchError::PayloadTooLarge { found, limit });
    }
    Ok(found)
}

/// Opens a file anew, so that neither its mode nor its position is shared.
fn read_only(file: &File) -> io::Result<OwnedFd> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok(OpenOptions::new().read(true).open(path)?.into())
}

/// How many processes the system has killed for want of memory since it started.
pub(super) fn memory_kills() -> Option<u64> {
    let mut text = String::new();
    File::open("/proc/vmstat").ok()?.take(1 << 20).read_to_string(&mut text).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.parse().ok())
}
