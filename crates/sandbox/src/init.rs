//! The init of a job: a process that brine starts and that confines itself.

mod go_on;
mod hostile_calls;
mod job;
mod own_groups;
mod reaper;

use std::cell::RefCell;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use brine_job::{Layer, MAX_POWERS, PayloadDelivery};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};

use self::hostile_calls::HostileCalls;
use self::own_groups::OwnGroups;
use super::bounds::MemoryCount;
use super::init_channel::InitChannel;
use super::init_report::{InitFault, InitReport};
use super::namespaces::Arrival;
use super::oom_score::OomScore;
use super::orders::InitOrders;
use super::outcome::ProcView;
use super::private_root::BuiltRoot;
use super::syscalls::{self, Forked};
use super::{INIT_NAME, namespaces, prepare, private_root, privileges, tree_kill};

/// The descriptor of the first power of a job.
const FIRST_POWER: u32 = 3;

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
    /// The sockets of the job, and what holds the descriptors for them until it has them.
    powers: Vec<OwnedFd>,
    kept_for_powers: RefCell<Vec<OwnedFd>>,
    /// Where brine lets the job go on.
    go: OwnedFd,
    groups: OwnGroups,
    places: Vec<OwnedFd>,
    /// The directories of a job that has no private root.
    borrowed: Option<Borrowed>,
    /// Raised until the job is forked.
    score: Option<OomScore>,
    /// How many processes of brine's the system counts with those of the job.
    counted: u64,
    /// Who counts the memory of the job.
    memory: MemoryCount,
    /// What the job sees as `/proc`.
    proc_view: ProcView,
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
        // What brine was started with is no business of the job's. A system that cannot do that is named when the
        // descriptors of the job are arranged.
        let _ = syscalls::close_from(FIRST_POWER);
        let kept_for_powers = (0..MAX_POWERS).map(|_| File::open("/dev/null").map(OwnedFd::from));
        let kept_for_powers = RefCell::new(kept_for_powers.collect::<io::Result<Vec<_>>>()?);
        let channel = InitChannel::new(std::io::stdin().as_fd().try_clone_to_owned()?);
        let mut received = channel.receive_descriptors(count)?.into_iter();
        let mut next = || received.next().ok_or(io::ErrorKind::UnexpectedEof);
        let mut encoded = Vec::new();
        File::from(next()?).read_to_end(&mut encoded)?;
        let orders = InitOrders::decode(&encoded).map_err(io::Error::other)?;
        let has_input = orders.delivery == PayloadDelivery::FileAndInput;
        let groups = OwnGroups::receive(&channel, &orders.groups)?;
        Ok(Self {
            channel,
            groups,
            payload: next()?,
            output: next()?,
            errors: next()?,
            program: next()?,
            go: next()?,
            input: if has_input { Some(next()?) } else { None },
            powers: (0..orders.powers).map(|_| next()).collect::<Result<_, _>>()?,
            kept_for_powers,
            places: received.collect(),
            orders,
            borrowed: None,
            score: None,
            counted: 0,
            memory: MemoryCount::Looks,
            proc_view: ProcView::System,
        })
    }

    fn run(mut self) -> ExitCode {
        if let Err(fault) = self.leave().and_then(|arrival| self.start(arrival)) {
            self.report(&InitReport::Failed(fault));
        }
        if let Some(borrowed) = &self.borrowed {
            // A file that cannot be removed is the job's own doing, and harms nobody.
            let _ = fs::remove_dir_all(&borrowed.directory);
        }
        ExitCode::SUCCESS
    }

    /// Leaves what it shares with brine.
    fn leave(&mut self) -> Result<Arrival, InitFault> {
        // The job has no terminal, and gets no signal that is meant for brine's process group.
        rustix::process::setsid().map_err(errno_fault("leaving the session"))?;
        syscalls::leave_keyring().map_err(io_fault("leaving the keyring"))?;
        self.die_with_parent()?;
        // What cannot be watched is not forked.
        drop(watched(rustix::process::getpid())?);
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        if !self.orders.waives(Layer::Limits) {
            self.score = Some(OomScore::raise()?);
        }
        syscalls::reset_personality().map_err(io_fault("resetting the personality"))?;
        namespaces::enter(&self.orders, self.program.as_fd())
    }

    /// Sets up everything that the processes of the job share.
    fn settle(&mut self, arrival: Arrival) -> Result<Option<BuiltRoot>, InitFault> {
        let built = namespaces::settle(&self.orders, arrival, |user| {
            private_root::build(&self.orders, &self.places, &self.payload, &self.program, user)
        })?;
        if let (Some(_), Some(copy)) = (&built, &self.orders.copy) {
            self.program =
                prepare::open_path(&copy.path).map_err(io_fault("opening the program"))?;
        }
        self.drop_privileges()?;
        if self.orders.waives(Layer::Namespaces) {
            self.borrowed = Some(self.borrow().map_err(io_fault("making a scratch directory"))?);
        }
        self.proc_view = built.as_ref().map_or(ProcView::System, |built| built.proc_view);
        Ok(built)
    }

    fn drop_privileges(&self) -> Result<(), InitFault> {
        if !self.orders.waives(Layer::Privileges) {
            privileges::drop_all()?;
        } else if !self.orders.waives(Layer::Landlock) || !self.orders.waives(Layer::Seccomp) {
            privileges::forbid_new()?;
        }
        // A change of user has undone it.
        self.die_with_parent()?;
        // The job runs as the same user, and must not look into this process.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(errno_fault("keeping its memory to itself"))
    }

    /// Asks for death with the parent: brine, or the init. Without a namespace that dies with it, the init must survive
    /// to kill the job.
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
    fn start(&mut self, arrival: Arrival) -> Result<(), InitFault> {
        if self.orders.waives(Layer::Namespaces) {
            self.settle(arrival)?;
            return self.start_weakly();
        }
        let pipe = || {
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                .map_err(errno_fault("making a pipe"))
        };
        let ((alive, ours), (user, told)) = (pipe()?, pipe()?);
        self.counted = match arrival {
            // In the user namespace of the job there is process 1, and where it is the init's, too, both.
            Arrival::Root(_) => 1,
            Arrival::Nobody => 2,
        };
        let child = match self.groups.fork().map_err(io_fault("forking process 1"))? {
            Forked::Child => {
                drop((ours, user));
                self.act_as_process_1(arrival, &alive, told)
            }
            Forked::Parent(child) => child,
        };
        self.report(&InitReport::Forked(child.as_raw_pid()));
        drop((alive, told, self.score.take()));
        // If the child has died already, the wait below notices.
        let _ = rustix::io::write(&ours, &[1]);
        // Process 1 is another user by then, who is chosen while the root is built. To be heard by it, the init
        // becomes the same.
        let mut number = [0; 4];
        if File::from(user).read_exact(&mut number).is_ok() {
            namespaces::become_user(&self.orders, u32::from_ne_bytes(number))?;
        }
        self.drop_privileges()?;
        let process = watched(child)?;
        // Process 1 hears of hostile calls by itself.
        let ask_to_end = || {
            let _ = rustix::io::write(&ours, &[1]);
        };
        if let Waited::HungUp =
            self.wait_or_hang_up(&process, &mut HostileCalls::nobody(), ask_to_end)?
        {
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

    fn start_weakly(&mut self) -> Result<(), InitFault> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(errno_fault("inheriting orphans"))?;
        let (mut calls, told) =
            HostileCalls::of_job().map_err(io_fault("making a pair of sockets"))?;
        let job = match self.groups.fork().map_err(io_fault("forking the job"))? {
            Forked::Child => {
                drop(calls);
                self.wait_to_go_on(None);
                self.become_job(&told)
            }
            Forked::Parent(job) => job,
        };
        drop(told);
        self.report(&InitReport::Forked(job.as_raw_pid()));
        self.score = None;
        let ask_to_end = || {
            let _ = rustix::process::kill_process_group(job, Signal::TERM);
        };
        let waited =
            watched(job).and_then(|process| self.wait_or_hang_up(&process, &mut calls, ask_to_end));
        if let Ok(Waited::Ended) = waited {
            let status = rustix::process::waitpid(Some(job), WaitOptions::empty());
            if let Ok(Some((_, status))) = status {
                self.report_end(status);
            }
        }
        tree_kill::kill_all(job);
        waited?;
        self.report(&InitReport::Gone(syscalls::usage_of_children()));
        Ok(())
    }

    /// Waits until a process ends, or brine hangs up or dies.
    /// If brine wants the job to end by itself, `ask_to_end` passes that on, and the job has a little time for it.
    fn wait_or_hang_up(
        &self,
        process: &OwnedFd,
        calls: &mut HostileCalls,
        ask_to_end: impl Fn(),
    ) -> Result<Waited, InitFault> {
        let limits = &self.orders.limits;
        let mut deadline = Instant::now().checked_add(limits.wall.saturating_add(GRACE));
        loop {
            let mut polled = vec![
                PollFd::new(process, PollFlags::IN),
                PollFd::new(&self.channel, PollFlags::IN | PollFlags::RDHUP),
            ];
            polled
                .extend(calls.source().map(|calls| PollFd::from_borrowed_fd(calls, PollFlags::IN)));
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match rustix::event::poll(&mut polled, left.as_ref()) {
                // brine keeps time. It is late only if somebody has stopped it.
                Ok(0) => return Ok(Waited::HungUp),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(errno_fault("watching the job")(error)),
            }
            let mut found = polled.iter().map(PollFd::revents);
            let mut next = || found.next().unwrap_or(PollFlags::empty());
            let [job, brine, call] = [next(), next(), next()];
            if let Some(call) = calls.hear(call) {
                self.report(&InitReport::Violated(call));
                return Ok(Waited::HungUp);
            }
            if !job.is_empty() {
                return Ok(Waited::Ended);
            }
            if !brine.is_empty() {
                if !matches!(self.channel.receive_with(&mut Vec::new()), Ok(Some(_))) {
                    return Ok(Waited::HungUp);
                }
                ask_to_end();
                deadline = Instant::now().checked_add(limits.grace);
            }
        }
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
        .map_err(errno_fault("watching the job (pidfd_open)"))
}

fn ends_within(process: &OwnedFd, most: Duration) -> bool {
    let Ok(most) = Timespec::try_from(most) else { return false };
    let mut polled = [PollFd::new(process, PollFlags::IN)];
    matches!(rustix::event::poll(&mut polled, Some(&most)), Ok(1..))
}

fn errno_fault(step: &'static str) -> impl FnOnce(rustix::io::Errno) -> InitFault {
    move |error| InitFault::new(None, step, &error.into())
}

fn io_fault(step: &'static str) -> impl FnOnce(io::Error) -> InitFault {
    move |error| InitFault::new(None, step, &error)
}
