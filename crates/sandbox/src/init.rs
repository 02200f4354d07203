//! The init of a job: a process that brine starts and that confines itself.

mod reaper;

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use brine_job::{Layer, PAYLOAD_ARGUMENT, PAYLOAD_PATH, PayloadDelivery, SCRATCH_PATH};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};

use super::init_channel::InitChannel;
use super::init_report::{InitFault, InitReport};
use super::landlock::LandlockGround;
use super::oom_score::OomScore;
use super::orders::{InitOrders, Script};
use super::outcome::LAYERS;
use super::seccomp::SeccompFilters;
use super::syscalls::{self, Forked};
use super::{
    INIT_NAME, SCRIPT_PATH, landlock, namespaces, prepare, private_root, privileges, rlimits,
    tree_kill,
};

/// How much later than brine the init ends a job. Normally brine ends it, and reports why.
const GRACE: Duration = Duration::from_secs(1);

/// How long process 1 has to reap the job, before it is killed itself and what the job used is not known.
const REAPING: Duration = Duration::from_secs(3);

/// Acts as the init of a job if this process was started as one, and returns its exit code; `None` if it was
/// not.
///
/// It **must** be the first thing that `main` does: the init may have only one thread, and nothing open.
#[must_use]
pub fn enter() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next()? != INIT_NAME {
        return None;
    }
    let count = arguments.next().and_then(|count| count.to_str()?.parse().ok());
    Some(match count.and_then(|count| Init::receive(count).ok()) {
        Some(init) => init.run(),
        None => ExitCode::from(125),
    })
}

/// The init, with its orders.
struct Init {
    channel: InitChannel,
    orders: InitOrders,
    payload: OwnedFd,
    output: OwnedFd,
    errors: OwnedFd,
    program: OwnedFd,
    input: Option<OwnedFd>,
    places: Vec<OwnedFd>,
    /// The directories of a job that has no private root.
    borrowed: Option<Borrowed>,
    /// Raised until the job is forked.
    score: Option<OomScore>,
}

/// Directories of this system, for a job without a private root.
struct Borrowed {
    directory: PathBuf,
    scratch: PathBuf,
    payload: PathBuf,
}

impl Init {
    fn receive(count: usize) -> io::Result<Self> {
        syscalls::reset_signals();
        let channel = InitChannel::new(std::io::stdin().as_fd().try_clone_to_owned()?);
        let mut received = channel.receive_descriptors(count)?.into_iter();
        let mut next = || received.next().ok_or(io::ErrorKind::UnexpectedEof);
        let mut encoded = Vec::new();
        File::from(next()?).read_to_end(&mut encoded)?;
        let orders = InitOrders::decode(&encoded).map_err(io::Error::other)?;
        let has_input = orders.delivery == PayloadDelivery::FileAndInput;
        Ok(Self {
            channel,
            orders,
            payload: next()?,
            output: next()?,
            errors: next()?,
            program: next()?,
            input: if has_input { Some(next()?) } else { None },
            places: received.collect(),
            borrowed: None,
            score: None,
        })
    }

    fn run(mut self) -> ExitCode {
        match self.confine().and_then(|()| self.start()) {
            Ok(()) => {}
            Err(fault) => self.report(&InitReport::Failed(fault)),
        }
        if let Some(borrowed) = &self.borrowed {
            // A file that cannot be removed is the job's own doing, and harms nobody.
            let _ = fs::remove_dir_all(&borrowed.directory);
        }
        ExitCode::SUCCESS
    }

    /// Sets up everything that the processes of the job share.
    fn confine(&mut self) -> Result<(), InitFault> {
        // The job has no terminal, and gets no signal that is meant for brine's process group.
        rustix::process::setsid().map_err(errno_fault("leaving the session"))?;
        syscalls::leave_keyring().map_err(io_fault("leaving the keyring"))?;
        self.die_with_parent()?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        if !self.orders.waives(Layer::Limits) {
            self.score = Some(OomScore::raise()?);
        }
        syscalls::reset_personality().map_err(io_fault("resetting the personality"))?;
        namespaces::enter(&self.orders, self.program.as_fd(), |user| {
            private_root::build(&self.orders, &self.places, &self.payload, &self.program, user)
        })?;
        if let (false, Some(copy)) = (self.orders.waives(Layer::Namespaces), &self.orders.copy) {
            self.program =
                prepare::open_path(&copy.path).map_err(io_fault("opening the program"))?;
        }
        if !self.orders.waives(Layer::Privileges) {
            privileges::drop_all()?;
        } else if !self.orders.waives(Layer::Landlock) || !self.orders.waives(Layer::Seccomp) {
            privileges::forbid_new()?;
        }
        // A change of user has undone it.
        self.die_with_parent()?;
        // The job runs as the same user, and must not look into this process.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(errno_fault("keeping its memory to itself"))?;
        if self.orders.waives(Layer::Namespaces) {
            self.borrowed = Some(self.borrow().map_err(io_fault("making a scratch directory"))?);
        }
        Ok(())
    }

    /// Asks for death with brine. Without a namespace that dies with this process, it must survive to kill the
    /// job.
    fn die_with_parent(&self) -> Result<(), InitFault> {
        let signal = (!self.orders.waives(Layer::Namespaces)).then_some(Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal)
            .map_err(errno_fault("tying itself to brine"))
    }

    fn borrow(&self) -> io::Result<Borrowed> {
        let name = format!("brine-job-{}", rustix::process::getpid());
        let directory = Path::new("/tmp").join(name);
        let scratch = directory.join("work");
        DirBuilder::new().mode(0o700).create(&directory)?;
        DirBuilder::new().mode(0o700).create(&scratch)?;
        let payload = directory.join("payload");
        if self.orders.delivery.is_file() {
            let mut source = File::from(self.payload.try_clone()?);
            io::copy(&mut source, &mut File::create_new(&payload)?)?;
        }
        Ok(Borrowed { directory, scratch, payload })
    }

    /// Starts the job and waits for its end.
    fn start(&mut self) -> Result<(), InitFault> {
        let score = self.score.take();
        if self.orders.waives(Layer::Namespaces) {
            return self.start_weakly(score);
        }
        let (theirs, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(errno_fault("making a pipe"))?;
        let child = match syscalls::fork().map_err(io_fault("forking process 1"))? {
            Forked::Child => {
                drop(ours);
                self.act_as_process_1(&theirs)
            }
            Forked::Parent(child) => child,
        };
        drop((theirs, score));
        // If the child has died already, the wait below notices.
        let _ = rustix::io::write(&ours, &[1]);
        let process = watched(child)?;
        if let Waited::HungUp = self.wait_or_hang_up(&process)? {
            drop(ours);
            // A process 1 that is killed leaves the rest to the kernel, which does not count what that used.
            if !ends_within(&process, REAPING) {
                let _ = rustix::process::kill_process(child, Signal::KILL);
            }
        }
        rustix::process::waitpid(Some(child), WaitOptions::empty())
            .map_err(errno_fault("waiting for process 1"))?;
        self.report(&InitReport::Gone(syscalls::usage_of_children()));
        Ok(())
    }

    fn start_weakly(&self, score: Option<OomScore>) -> Result<(), InitFault> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(errno_fault("inheriting orphans"))?;
        let job = match syscalls::fork().map_err(io_fault("forking the job"))? {
            Forked::Child => self.become_job(),
            Forked::Parent(job) => job,
        };
        drop(score);
        if let Waited::Ended = self.wait_or_hang_up(&watched(job)?)? {
            let status = rustix::process::waitpid(Some(job), WaitOptions::empty());
            if let Ok(Some((_, status))) = status {
                self.report_end(status);
            }
        }
        tree_kill::kill_all(job);
        self.report(&InitReport::Gone(syscalls::usage_of_children()));
        Ok(())
    }

    /// Waits until a process ends, or brine hangs up or dies.
    fn wait_or_hang_up(&self, process: &OwnedFd) -> Result<Waited, InitFault> {
        let deadline = Instant::now().checked_add(self.orders.limits.wall.saturating_add(GRACE));
        loop {
            let mut both = [
                PollFd::new(process, PollFlags::IN),
                PollFd::new(&self.channel, PollFlags::IN | PollFlags::RDHUP),
            ];
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match rustix::event::poll(&mut both, left.as_ref()) {
                // brine keeps time. It is late only if somebody has stopped it.
                Ok(0) => return Ok(Waited::HungUp),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(errno_fault("watching the job")(error)),
            }
            let [job, brine] = both.map(|polled| polled.revents());
            if !job.is_empty() {
                return Ok(Waited::Ended);
            }
            if !brine.is_empty() {
                return Ok(Waited::HungUp);
            }
        }
    }

    /// Becomes the program, or reports why it cannot.
    fn become_job(&self) -> ! {
        let Err(message) = self.try_to_become_job();
        self.report(&message);
        syscalls::end_now(125)
    }

    fn try_to_become_job(&self) -> Result<std::convert::Infallible, InitReport> {
        let failed = |fault| InitReport::Failed(fault);
        rustix::process::setsid()
            .map_err(|error| failed(errno_fault("making a session")(error)))?;
        self.arrange_descriptors()
            .map_err(|error| failed(io_fault("arranging descriptors")(error)))?;
        rustix::process::chdir(self.scratch())
            .map_err(|error| failed(errno_fault("entering the scratch directory")(error)))?;
        // Everything that needs memory comes first: there may be none once limits are set.
        let arguments = self.arguments().map_err(|error| failed(io_fault("an argument")(error)))?;
        let environment = terminated(&self.orders.environment)
            .map_err(|error| failed(io_fault("the environment")(error)))?;
        let script = self.script().map_err(|error| failed(io_fault("the script")(error)))?;
        let held = InitReport::Held(self.held()).encode();
        let waives = |layer| self.orders.waives(layer);
        let filters = if waives(Layer::Seccomp) {
            None
        } else {
            Some(SeccompFilters::compile(&self.orders).map_err(failed)?)
        };
        syscalls::reset_signals();
        if !waives(Layer::Landlock) {
            landlock::restrict(&self.orders, &self.ground()).map_err(failed)?;
        }
        if !waives(Layer::Limits) {
            rlimits::set(&self.orders).map_err(failed)?;
        }
        if let Some(filters) = filters {
            filters.set().map_err(failed)?;
        }
        let _ = self.channel.send(&held);
        let private = !waives(Layer::Namespaces);
        match self.orders.script {
            Script::Yes if private => syscalls::execute_path(&script, &arguments, &environment),
            _ => syscalls::execute(self.program.as_fd(), &arguments, &environment),
        }
        .map_err(|error| InitReport::NotExecuted(error.raw_os_error().unwrap_or(libc::EINVAL)))
    }

    /// Gives the job its standard streams, and has `exec` close everything else.
    fn arrange_descriptors(&self) -> io::Result<()> {
        let payload = Some(&self.payload).filter(|_| !self.orders.delivery.is_file());
        match self.input.as_ref().or(payload) {
            Some(stdin) => rustix::stdio::dup2_stdin(stdin)?,
            None => rustix::stdio::dup2_stdin(File::open("/dev/null")?)?,
        }
        rustix::stdio::dup2_stdout(&self.output)?;
        rustix::stdio::dup2_stderr(&self.errors)?;
        syscalls::close_on_exec_from(3)?;
        // Without a private root, the interpreter of a script opens it by its descriptor.
        if self.orders.script == Script::Yes && self.orders.waives(Layer::Namespaces) {
            rustix::io::fcntl_setfd(&self.program, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    }

    fn arguments(&self) -> io::Result<Vec<CString>> {
        let own = self.borrowed.as_ref().map(|own| own.payload.as_os_str());
        let payload = own.unwrap_or(OsStr::new(PAYLOAD_PATH));
        let given = |argument: &OsString| match argument == PAYLOAD_ARGUMENT {
            true if self.orders.delivery.is_file() => payload.to_owned(),
            _ => argument.clone(),
        };
        terminated(&self.orders.arguments.iter().map(given).collect::<Vec<_>>())
    }

    /// Returns the path inside of a program that begins with `#!`.
    fn script(&self) -> io::Result<CString> {
        match &self.orders.copy {
            Some(copy) => Ok(CString::new(copy.path.as_os_str().as_bytes())?),
            None => Ok(SCRIPT_PATH.to_owned()),
        }
    }

    fn scratch(&self) -> &Path {
        self.borrowed.as_ref().map_or(Path::new(SCRATCH_PATH), |borrowed| &borrowed.scratch)
    }

    fn ground(&self) -> LandlockGround<'_> {
        let own = self.borrowed.as_ref();
        let path = own.map_or(Path::new(PAYLOAD_PATH), |own| &own.payload);
        // Without a private root a copy is memory, which has no place in the file system.
        let has_place = self.orders.copy.is_none() || !self.orders.waives(Layer::Namespaces);
        LandlockGround {
            places: &self.places,
            program: has_place.then_some(self.program.as_fd()),
            scratch: private_root::scratch_places(&self.orders, own.map(|own| &*own.scratch)),
            payload: self.orders.delivery.is_file().then_some(path),
        }
    }

    fn held(&self) -> Vec<Layer> {
        let held = |layer: &Layer| {
            let absent = *layer == Layer::Network && !self.orders.ports.is_empty();
            !absent && !self.orders.waives(*layer)
        };
        LAYERS.into_iter().filter(held).collect()
    }

    fn report_end(&self, status: WaitStatus) {
        let signalled = |signal| {
            let used = syscalls::usage_of_children();
            InitReport::Signalled(signal, used.user + used.system)
        };
        let signal = status.terminating_signal().map(signalled);
        let exited = || status.exit_status().and_then(|status| u8::try_from(status).ok());
        if let Some(message) = signal.or_else(|| exited().map(InitReport::Exited)) {
            self.report(&message);
        }
    }

    /// Sends a report. If brine is gone, nobody needs it.
    fn report(&self, message: &InitReport) {
        let _ = self.channel.send(&message.encode());
    }
}

/// Why a wait ended.
enum Waited {
    Ended,
    HungUp,
}

/// Returns a descriptor that can be read when a process has ended.
fn watched(process: Pid) -> Result<OwnedFd, InitFault> {
    rustix::process::pidfd_open(process, PidfdFlags::empty())
        .map_err(errno_fault("watching the job"))
}

fn ends_within(process: &OwnedFd, most: Duration) -> bool {
    let Ok(most) = Timespec::try_from(most) else { return false };
    let mut polled = [PollFd::new(process, PollFlags::IN)];
    matches!(rustix::event::poll(&mut polled, Some(&most)), Ok(1..))
}

fn terminated(strings: &[OsString]) -> io::Result<Vec<CString>> {
    strings.iter().map(|string| Ok(CString::new(string.as_bytes())?)).collect()
}

fn errno_fault(step: &'static str) -> impl FnOnce(rustix::io::Errno) -> InitFault {
    move |error| InitFault::new(None, step, &error.into())
}

fn io_fault(step: &'static str) -> impl FnOnce(io::Error) -> InitFault {
    move |error| InitFault::new(None, step, &error)
}
