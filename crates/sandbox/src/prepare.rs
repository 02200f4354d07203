//! Prepares a launch: opens every path of the plan, once, before anything starts.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};

use brine_job::{GrantedPath, Layer, PayloadDelivery, PlanParts};
use rustix::fs::{CWD, FileType, MemfdFlags, Mode, OFlags, ResolveFlags};
use rustix::pipe::PipeFlags;

use super::bounds::JobGroup;
use super::init_channel::InitChannel;
use super::job_input::JobInput;
use super::orders::{GroupsGiven, InitOrders, PlaceAccess, PlaceInside, PlaceNode, Script};
use super::program::OpenedProgram;
use super::{INIT_NAME, Launch, LaunchError, MAX_FILE_PAYLOAD_BYTES};

/// Everything that the init gets.
pub(super) struct Prepared {
    orders: InitOrders,
    payload: OwnedFd,
    /// The program, or the copy of it that was hashed.
    program: File,
    places: Vec<OwnedFd>,
    /// How many processes the system had killed for want of memory before the job.
    kills_before: Option<u64>,
}

/// An init that has its orders.
pub(super) struct Started {
    pub(super) init: Child,
    pub(super) channel: InitChannel,
    pub(super) output: OwnedFd,
    pub(super) errors: OwnedFd,
    pub(super) input: Option<JobInput>,
    /// The job goes on when a byte is written to it, and ends if nothing is.
    pub(super) go: OwnedFd,
    /// The control group of the job, without any process in it; `None` if nothing bounds the job.
    pub(super) group: Option<JobGroup>,
    pub(super) kills_before: Option<u64>,
}

/// A place, with its descriptor. A symbolic link has none.
pub(super) type OpenedPlace = (PlaceInside, Option<OwnedFd>);

/// Opens every path of the plan.
pub(super) fn prepare(launch: &Launch<'_>) -> Result<Prepared, LaunchError> {
    let plan = launch.plan.parts();
    let program = OpenedProgram::open(&plan.program)?;
    let private = !launch.plan.waives(Layer::Namespaces);
    let script_place = match (private, &program.copy, program.script) {
        (true, None, Script::Yes) => Some(program.script_place()?),
        _ => None,
    };
    let (places, descriptors) = open_places(plan, script_place)?;
    let payload_bytes = payload_length(launch)?;
    let orders = InitOrders {
        arguments: plan.program.arguments.clone(),
        environment: environment(plan),
        delivery: plan.delivery,
        payload_bytes,
        places,
        ports: plan.ports.iter().copied().collect(),
        powers: plan.powers.len(),
        limits: plan.limits,
        exec_scratch: plan.exec_scratch,
        waived: plan.waived.iter().copied().collect(),
        script: program.script,
        copy: program.copy,
        groups: GroupsGiven::default(),
    };
    Ok(Prepared {
        orders,
        payload: read_only(&launch.payload)
            .map_err(|error| LaunchError::system("opening the payload for reading", error))?,
        program: program.file,
        places: descriptors,
        kills_before: memory_kills(),
    })
}

impl Prepared {
    /// Starts the init, gives it its orders, and begins to give the job its input.
    pub(super) fn start(
        mut self,
        program_init: &Path,
        input: Option<File>,
        powers: Vec<OwnedFd>,
    ) -> Result<Started, LaunchError> {
        let failed =
            |step: &'static str| move |error: io::Error| LaunchError::setting_up(step, error);
        if powers.len() != self.orders.powers {
            let other = io::Error::other("there is not one socket for each power");
            return Err(failed("giving the job its powers")(other));
        }
        let (channel, theirs) = InitChannel::pair().map_err(failed("making a pair of sockets"))?;
        let pipe = |mode| job_pipe(mode).map_err(failed("making a pipe"));
        let (output, output_end) = pipe(FOR_WRITING)?;
        let (errors, errors_end) = pipe(FOR_WRITING)?;
        let (input_end, to_input) = match self.orders.delivery {
            PayloadDelivery::FileAndInput => Some(pipe(FOR_READING)?).unzip(),
            PayloadDelivery::File | PayloadDelivery::Stdin => (None, None),
        };
        let (go_end, go) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
            .map_err(|error| LaunchError::setting_up("making a pipe", error))?;
        let limited = !self.orders.waives(Layer::Limits);
        // Before the init is there: brine may have to leave a group that must be empty.
        let group = limited.then(|| JobGroup::make(&self.orders.limits));
        let cradle = group.as_ref().and_then(|group| group.cradle(self.orders.delivery));
        let tasks = group.as_ref().map(JobGroup::tasks).unwrap_or_default();
        self.orders.groups = GroupsGiven { cradle: cradle.is_some(), tasks: tasks.len() };
        let groups: Vec<BorrowedFd<'_>> = cradle.iter().chain(&tasks).map(AsFd::as_fd).collect();
        let step = "writing the orders of the init (memfd_create)";
        let orders = self.written_orders().map_err(failed(step))?;
        let fixed = [
            orders.as_fd(),
            self.payload.as_fd(),
            output_end.as_fd(),
            errors_end.as_fd(),
            self.program.as_fd(),
            go_end.as_fd(),
        ];
        let varying = input_end.iter().chain(&powers).chain(&self.places).map(AsFd::as_fd);
        let descriptors: Vec<BorrowedFd<'_>> = fixed.into_iter().chain(varying).collect();
        // Before there is an init, so that one that cannot receive them does not keep brine from hearing why.
        channel
            .send_descriptors(&descriptors)
            .and_then(|()| channel.send_descriptors(&groups))
            .map_err(failed("giving the init its descriptors"))?;
        let init = Command::new(program_init)
            .arg0(INIT_NAME)
            .arg(descriptors.len().to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs.into_socket()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed("starting the init"))?;
        let kills_before = self.kills_before;
        let mut started =
            Started { init, channel, output, errors, input: None, go, group, kills_before };
        let given = input.zip(to_input).map(|(source, pipe)| JobInput::start(source, pipe));
        started.input = given.transpose()?;
        Ok(started)
    }

    /// Writes the orders into memory that the init can read.
    fn written_orders(&self) -> io::Result<File> {
        let memory = rustix::fs::memfd_create(c"orders", MemfdFlags::CLOEXEC)?;
        let mut memory = File::from(memory);
        memory.write_all(&self.orders.encode())?;
        memory.rewind()?;
        Ok(memory)
    }
}

/// Makes a pipe that the job can open once more by the name of its descriptor, whoever it is outside: as `/dev/stdin`
/// to read, or `/dev/stdout` and `/dev/stderr` to write. Nobody else finds the pipe.
fn job_pipe(mode: u32) -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fchmod(&write, Mode::from_raw_mode(mode))?;
    Ok((read, write))
}

/// Opens every place, and sorts each directory before those that lie in it.
fn open_places(
    plan: &PlanParts,
    script: Option<OpenedPlace>,
) -> Result<(Vec<PlaceInside>, Vec<OwnedFd>), LaunchError> {
    let mut opened = Vec::from_iter(script);
    for path in &plan.system {
        opened.extend(open_system(path)?);
    }
    for granted in &plan.granted_paths {
        opened.push(open_granted(granted, plan)?);
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

/// Opens a system directory; `None` if this system does not have it.
pub(super) fn open_system(path: &Path) -> Result<Option<OpenedPlace>, LaunchError> {
    let failed = |source| LaunchError::Opening { path: path.to_owned(), source };
    let place = |node| PlaceInside {
        source: path.to_owned(),
        target: path.to_owned(),
        access: PlaceAccess::Execute,
        node,
    };
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
        // As /bin is on systems that merged it with /usr/bin. Its target is inside, or it leads nowhere.
        Ok(metadata) if metadata.is_symlink() => {
            let to = path.read_link().map_err(failed)?;
            Ok(Some((place(PlaceNode::Link(to.into_os_string())), None)))
        }
        Ok(_) => {
            let (node, descriptor) = open_exactly(path)?;
            Ok(Some((place(node), Some(descriptor))))
        }
    }
}

pub(super) fn open_granted(
    granted: &GrantedPath,
    plan: &PlanParts,
) -> Result<OpenedPlace, LaunchError> {
    let GrantedPath { source, target, writable } = granted;
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
    // Files in a system directory can be executed, and no job may execute what it wrote.
    let overlaps = |system: &PathBuf| source.starts_with(system) || system.starts_with(source);
    if *writable && plan.system.iter().any(overlaps) {
        let refused = io::Error::other("what can be written may not lie in a system directory");
        return Err(LaunchError::Opening { path: source.clone(), source: refused });
    }
    let (node, descriptor) = open_exactly(source)?;
    let access = if *writable { PlaceAccess::Write } else { PlaceAccess::Read };
    Ok((
        PlaceInside { source: source.clone(), target: target.clone(), access, node },
        Some(descriptor),
    ))
}

/// Returns whether a path is absolute, below the root, and has no `..`.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir)
        && parts.clone().next().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Opens a file or directory, without following a symbolic link anywhere.
fn open_exactly(path: &Path) -> Result<(PlaceNode, OwnedFd), LaunchError> {
    let failed = |source: io::Error| LaunchError::Opening { path: path.to_owned(), source };
    if !path.is_absolute() {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    let descriptor = open_path(path).map_err(failed)?;
    let status = rustix::fs::fstat(&descriptor).map_err(|error| failed(error.into()))?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => Ok((PlaceNode::Directory, descriptor)),
        FileType::RegularFile => Ok((PlaceNode::File, descriptor)),
        FileType::Symlink => Err(failed(io::Error::from_raw_os_error(libc::ELOOP))),
        _ => Err(failed(io::ErrorKind::Unsupported.into())),
    }
}

/// Opens a path only to name it (`O_PATH`).
pub(super) fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve)?)
}

fn environment(plan: &PlanParts) -> Vec<OsString> {
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
    refuse_large_payload(launch.plan.parts(), found)?;
    Ok(found)
}

/// Refuses a payload that memory is not to hold.
pub(super) const fn refuse_large_payload(plan: &PlanParts, found: u64) -> Result<(), LaunchError> {
    let limit = MAX_FILE_PAYLOAD_BYTES;
    match plan.delivery.is_file() && found > limit {
        true => Err(LaunchError::PayloadTooLarge { found, limit }),
        false => Ok(()),
    }
}

/// Opens a file again, so that neither its mode nor its position is shared.
pub(super) fn read_only(file: &File) -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).open(own_path(file))?.into())
}

/// Returns a path to what a descriptor of this process leads to.
pub(super) fn own_path(descriptor: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

/// Returns how many processes the system has killed for want of memory since it started.
pub(super) fn memory_kills() -> Option<u64> {
    let mut text = String::new();
    File::open("/proc/vmstat").ok()?.take(1 << 20).read_to_string(&mut text).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.parse().ok())
}

/// The mode of a pipe that the job may open to read.
const FOR_READING: u32 = 0o444;

/// The mode of a pipe that the job may open to write.
const FOR_WRITING: u32 = 0o222;
