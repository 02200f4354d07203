//! What brine does while a job runs: reads, keeps time, and hangs up.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::LaunchError;
use super::channel::Channel;
use super::message::{Fault, Message};
use super::outcome::{End, Outcome, TreeKill, Usage};
use super::prepare::{Started, memory_kills};
use crate::job::plan::{Layer, Plan};

/// Watches a job to its end.
pub(super) fn watch(
    started: Started,
    plan: &Plan,
    output: &mut dyn Write,
) -> Result<Outcome, LaunchError> {
    let Started { init, channel, output: from_job, errors, kills_before } = started;
    let mut watch = Watch {
        plan,
        init: Init { process: init, channel },
        output: Stream::new(from_job)?,
        errors: Stream::new(errors)?,
        sink: output,
        kept_errors: Vec::new(),
        state: State::default(),
        deadline: Instant::now() + START,
    };
    watch.until_gone()?;
    watch.outcome(kills_before)
}

struct Watch<'a> {
    plan: &'a Plan,
    init: Init,
    output: Stream,
    errors: Stream,
    sink: &'a mut dyn Write,
    kept_errors: Vec<u8>,
    state: State,
    /// When something has to be done: of the start, of the job, or of the kill.
    deadline: Instant,
}

/// What is known of the job so far.
#[derive(Default)]
struct State {
    held: Option<Vec<Layer>>,
    started: Option<Instant>,
    ended: Option<Instant>,
    /// Why brine hung up.
    cause: Option<End>,
    /// How the program ended by itself.
    end: Option<End>,
    fault: Option<LaunchError>,
    usage: Option<Usage>,
    gone: bool,
}

impl Watch<'_> {
    fn until_gone(&mut self) -> Result<(), LaunchError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while !self.state.gone {
            let [channel, output, errors] = self.wait()?;
            // In this order: what the job wrote before it ended is taken before its end is.
            if output {
                self.take_output(&mut buffer)?;
            }
            if errors {
                self.take_errors(&mut buffer)?;
            }
            if channel {
                self.take_message()?;
            }
            if Instant::now() >= self.deadline {
                self.run_out_of_time()?;
            }
        }
        // Whoever could write is gone, or is not waited for.
        while self.take_output(&mut buffer)? == Taken::Some {}
        while self.take_errors(&mut buffer)? == Taken::Some {}
        Ok(())
    }

    /// Waits until something can be read, or it is time to act.
    fn wait(&self) -> Result<[bool; 3], LaunchError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let mut polled: Vec<PollFd<'_>> = vec![PollFd::new(&self.init.channel, PollFlags::IN)];
        for stream in [&self.output, &self.errors] {
            if let Some(file) = &stream.file {
                polled.push(PollFd::new(file, PollFlags::IN));
            }
        }
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(LaunchError::system("waiting for the job", error)),
        }
        let mut ready = polled.iter().map(|one| !one.revents().is_empty());
        let mut next = |open: bool| open && ready.next().unwrap_or(false);
        Ok([next(true), next(self.output.file.is_some()), next(self.errors.file.is_some())])
    }

    fn take_output(&mut self, buffer: &mut [u8]) -> Result<Taken, LaunchError> {
        let Some(bytes) = self.output.read(buffer)? else { return Ok(Taken::Nothing) };
        let limit = self.plan.limits.output;
        let room = limit.saturating_sub(self.output.kept);
        let kept = bytes.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(bytes);
        if self.state.cause.is_none() {
            self.sink.write_all(kept).map_err(LaunchError::Output)?;
            self.output.kept = self.output.kept.saturating_add(wide(kept.len()));
            if kept.len() < bytes.len() {
                self.hang_up(End::OutputTooLarge);
            }
        }
        Ok(Taken::Some)
    }

    fn take_errors(&mut self, buffer: &mut [u8]) -> Result<Taken, LaunchError> {
        let Some(bytes) = self.errors.read(buffer)? else { return Ok(Taken::Nothing) };
        let room = self.plan.limits.errors.saturating_sub(wide(self.kept_errors.len()));
        let kept = bytes.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(bytes);
        self.kept_errors.extend_from_slice(kept);
        let dropped = bytes.len().saturating_sub(kept.len());
        self.errors.kept = self.errors.kept.saturating_add(wide(dropped));
        Ok(Taken::Some)
    }

    fn take_message(&mut self) -> Result<(), LaunchError> {
        let received = self.init.channel.receive();
        let received =
            received.map_err(|error| LaunchError::system("hearing of the job", error))?;
        let Some(message) = received else {
            // The init is gone, and process 1 with it.
            self.state.gone = true;
            return Ok(());
        };
        match Message::decode(&message) {
            Some(Message::Held(layers)) => {
                let now = Instant::now();
                self.state.held = Some(layers);
                self.state.started = Some(now);
                self.deadline = now.checked_add(self.plan.limits.wall).unwrap_or(now + FOREVER);
            }
            Some(Message::Failed(fault)) => self.state.fault = Some(launch_error(fault)),
            Some(Message::NotExecuted(errno)) => {
                let path = self.plan.program.path.clone();
                let source = io::Error::from_raw_os_error(errno);
                self.state.fault = Some(LaunchError::NotExecutable { path, source });
            }
            Some(Message::Exited(status)) => self.end(End::Exited(status)),
            Some(Message::Signalled(signal)) => self.end(End::Signalled(signal)),
            Some(Message::Gone(usage)) => {
                self.state.usage = Some(usage);
                self.state.gone = true;
            }
            None => {}
        }
        Ok(())
    }

    fn end(&mut self, end: End) {
        let now = Instant::now();
        self.state.end.get_or_insert(end);
        self.state.ended.get_or_insert(now);
        self.deadline = now + PATIENCE;
    }

    fn run_out_of_time(&mut self) -> Result<(), LaunchError> {
        let now = Instant::now();
        self.deadline = now + PATIENCE;
        if self.state.cause.is_none() && self.state.end.is_none() && self.state.started.is_some() {
            self.hang_up(End::TimedOut);
            return Ok(());
        }
        // It did not start, or did not end, in all the time that either could take.
        self.init.kill();
        if self.state.started.is_none() {
            let source = io::ErrorKind::TimedOut.into();
            return Err(LaunchError::System { step: "starting the job".to_owned(), source });
        }
        self.state.gone = true;
        Ok(())
    }

    /// Has the init kill all of the job, and says why.
    fn hang_up(&mut self, cause: End) {
        let now = Instant::now();
        self.state.cause.get_or_insert(cause);
        self.state.ended.get_or_insert(now);
        self.deadline = now + PATIENCE;
        self.init.channel.hang_up();
    }

    fn outcome(self, kills_before: Option<u64>) -> Result<Outcome, LaunchError> {
        let state = self.state;
        if let Some(fault) = state.fault {
            return Err(fault);
        }
        let (Some(layers), Some(started)) = (state.held, state.started) else {
            let source = io::ErrorKind::UnexpectedEof.into();
            return Err(LaunchError::System { step: "starting the job".to_owned(), source });
        };
        let usage = state.usage.unwrap_or_default();
        let end = state.cause.or(state.end).unwrap_or(End::Signalled(libc::SIGKILL));
        let more_kills = || kills_before.zip(memory_kills()).is_some_and(|(one, two)| two > one);
        let tree = match layers.contains(&Layer::Namespaces) {
            true => TreeKill::Certain,
            false => TreeKill::Weak,
        };
        Ok(Outcome {
            end: explain(end, &usage, self.plan, more_kills, &layers),
            wall: state.ended.unwrap_or_else(Instant::now).saturating_duration_since(started),
            usage,
            output_bytes: self.output.kept,
            errors: self.kept_errors,
            errors_dropped: self.errors.kept,
            layers,
            tree,
        })
    }
}

/// Says what a signal means, where it is one that a limit or a filter sends.
fn explain(
    end: End,
    usage: &Usage,
    plan: &Plan,
    killed_for_memory: impl FnOnce() -> bool,
    layers: &[Layer],
) -> End {
    let limited = layers.contains(&Layer::Limits);
    match end {
        End::Signalled(libc::SIGSYS) if layers.contains(&Layer::Seccomp) => {
            End::Violated(Layer::Seccomp)
        }
        End::Signalled(libc::SIGXCPU) if limited => End::OutOfProcessorTime,
        End::Signalled(libc::SIGXFSZ) if limited => End::FileTooLarge,
        // The second signal of that limit, for a program that ignores the first.
        End::Signalled(libc::SIGKILL) if limited && usage.user + usage.system > plan.limits.cpu => {
            End::OutOfProcessorTime
        }
        End::Signalled(libc::SIGKILL) if killed_for_memory() => End::OutOfMemory,
        other => other,
    }
}

fn launch_error(fault: Fault) -> LaunchError {
    let Fault { layer, step, errno } = fault;
    let source = io::Error::from_raw_os_error(errno);
    match layer {
        Some(layer) => LaunchError::Confinement { layer, step, source },
        None => LaunchError::System { step, source },
    }
}

/// The init, which does not outlive the watch.
struct Init {
    process: Child,
    channel: Channel,
}

impl Init {
    /// Returns whether it has ended, or does so in time.
    fn ends_within(&self, most: Duration) -> bool {
        let process = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let process = process.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok());
        let (Some(process), Ok(most)) = (process, Timespec::try_from(most)) else { return false };
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        matches!(rustix::event::poll(&mut polled, Some(&most)), Ok(1..))
    }

    fn kill(&mut self) {
        // It fails where it has ended already.
        let _ = self.process.kill();
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        self.channel.hang_up();
        // It has reported its end, or is about to; else it is killed, and what it holds with it.
        if !self.ends_within(PATIENCE) {
            self.kill();
        }
        // There is nobody to tell that it cannot be waited for.
        let _ = self.process.wait();
    }
}

/// What the job writes, as it comes.
struct Stream {
    file: Option<File>,
    /// Bytes of output that were taken, or of errors that were dropped.
    kept: u64,
}

#[derive(PartialEq)]
enum Taken {
    Nothing,
    Some,
}

impl Stream {
    fn new(pipe: OwnedFd) -> Result<Self, LaunchError> {
        rustix::io::ioctl_fionbio(&pipe, true)
            .map_err(|error| LaunchError::system("reading from the job", error))?;
        Ok(Self { file: Some(pipe.into()), kept: 0 })
    }

    /// Reads what is there; `None` where there is nothing now, or any more.
    fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, LaunchError> {
        let Some(file) = &mut self.file else { return Ok(None) };
        match file.read(buffer) {
            Ok(0) => {
                self.file = None;
                Ok(None)
            }
            Ok(count) => Ok(buffer.get(..count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Some(&[])),
            Err(error) => Err(LaunchError::system("reading from the job", error)),
        }
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

const BUFFER_BYTES: usize = 1 << 16;

/// How long the start of a job may take; a large payload may have to be copied.
const START: Duration = Duration::from_secs(60);

/// How long the end of a job may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than any machine runs.
const FOREVER: Duration = Duration::from_secs(1 << 32);
