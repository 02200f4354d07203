//! Watches a job: reads its output, keeps time, and hangs up.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::{Duration, Instant};

use brine_job::{Layer, PlanParts};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::LaunchError;
use super::init_channel::InitChannel;
use super::init_report::{InitFault, InitReport};
use super::job_input::JobInput;
use super::outcome::{JobEnd, JobOutcome, ResourceUsage, TreeKill};
use super::prepare::{Started, memory_kills};

/// Watches a job to its end.
pub(super) fn watch(
    started: Started,
    plan: &PlanParts,
    output: &mut dyn Write,
) -> Result<JobOutcome, LaunchError> {
    let Started { init, channel, output: from_job, errors, input, kills_before } = started;
    let mut watch = JobWatch {
        plan,
        init: RunningInit { process: init, channel },
        output: JobPipe::new(from_job)?,
        errors: JobPipe::new(errors)?,
        input,
        sink: output,
        kept_errors: Vec::new(),
        state: JobProgress::default(),
        deadline: Instant::now() + START,
    };
    if let Err(fault) = watch.until_gone() {
        watch.give_up(fault);
    }
    watch.outcome(kills_before)
}

struct JobWatch<'a> {
    plan: &'a PlanParts,
    init: RunningInit,
    output: JobPipe,
    errors: JobPipe,
    input: Option<JobInput>,
    sink: &'a mut dyn Write,
    kept_errors: Vec<u8>,
    state: JobProgress,
    /// The deadline of the start, of the job, or of the kill.
    deadline: Instant,
}

/// What is known of the job so far.
#[derive(Default)]
struct JobProgress {
    held: Option<Vec<Layer>>,
    started: Option<Instant>,
    ended: Option<Instant>,
    /// Why brine hung up.
    cause: Option<JobEnd>,
    /// How the program ended by itself.
    end: Option<JobEnd>,
    /// The processor time that was used until a signal ended it.
    used_by_end: Duration,
    fault: Option<LaunchError>,
    usage: Option<ResourceUsage>,
    gone: bool,
}

impl JobWatch<'_> {
    fn until_gone(&mut self) -> Result<(), LaunchError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while !self.state.gone {
            let [channel, output, errors, input] = self.wait()?;
            if let (true, Some(input)) = (input, &mut self.input) {
                input.take_end()?;
            }
            // In this order, so that everything the job wrote is taken before its end is.
            if output {
                self.take_output(&mut buffer)?;
            }
            if errors {
                self.take_errors(&mut buffer)?;
            }
            if channel {
                self.take_report()?;
            }
            if Instant::now() >= self.deadline {
                self.run_out_of_time()?;
            }
        }
        // Every process that could write is gone, or is not waited for any longer.
        while self.take_output(&mut buffer)? == PipeRead::Some {}
        while self.take_errors(&mut buffer)? == PipeRead::Some {}
        Ok(())
    }

    /// Waits until something can be read, or the deadline comes. Returns whether the channel, the output and
    /// the errors can be read, and whether the input has ended.
    fn wait(&self) -> Result<[bool; 4], LaunchError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let mut polled: Vec<PollFd<'_>> = vec![PollFd::new(&self.init.channel, PollFlags::IN)];
        for stream in [&self.output, &self.errors] {
            if let Some(file) = &stream.file {
                polled.push(PollFd::new(file, PollFlags::IN));
            }
        }
        let input_end = self.input.as_ref().and_then(JobInput::ended);
        polled.extend(input_end.map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN)));
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(LaunchError::system("waiting for the job", error)),
        }
        let mut ready = polled.iter().map(|one| !one.revents().is_empty());
        let mut next = |open: bool| open && ready.next().unwrap_or(false);
        let [output, errors] = [&self.output, &self.errors].map(|pipe| pipe.file.is_some());
        Ok([next(true), next(output), next(errors), next(input_end.is_some())])
    }

    fn take_output(&mut self, buffer: &mut [u8]) -> Result<PipeRead, LaunchError> {
        let Some(bytes) = self.output.read(buffer)? else { return Ok(PipeRead::Nothing) };
        let limit = self.plan.limits.output;
        let room = limit.saturating_sub(self.output.kept);
        let kept = bytes.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(bytes);
        if self.state.cause.is_none() {
            self.sink.write_all(kept).map_err(LaunchError::Output)?;
            self.output.kept = self.output.kept.saturating_add(wide(kept.len()));
            if kept.len() < bytes.len() {
                self.hang_up(JobEnd::OutputTooLarge);
            }
        }
        Ok(PipeRead::Some)
    }

    fn take_errors(&mut self, buffer: &mut [u8]) -> Result<PipeRead, LaunchError> {
        let Some(bytes) = self.errors.read(buffer)? else { return Ok(PipeRead::Nothing) };
        let room = self.plan.limits.errors.saturating_sub(wide(self.kept_errors.len()));
        let kept = bytes.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(bytes);
        self.kept_errors.extend_from_slice(kept);
        let dropped = bytes.len().saturating_sub(kept.len());
        self.errors.kept = self.errors.kept.saturating_add(wide(dropped));
        Ok(PipeRead::Some)
    }

    fn take_report(&mut self) -> Result<(), LaunchError> {
        let received = self.init.channel.receive();
        let received =
            received.map_err(|error| LaunchError::system("hearing of the job", error))?;
        let Some(report) = received else {
            // The init is gone, and process 1 with it.
            self.state.gone = true;
            return Ok(());
        };
        match InitReport::decode(&report) {
            Some(InitReport::Held(layers)) => {
                let now = Instant::now();
                self.state.held = Some(layers);
                self.state.started = Some(now);
                self.deadline = now.checked_add(self.plan.limits.wall).unwrap_or(now + FOREVER);
            }
            Some(InitReport::Failed(fault)) => self.state.fault = Some(launch_error(fault)),
            Some(InitReport::NotExecuted(errno)) => {
                let path = self.plan.program.path.clone();
                let source = io::Error::from_raw_os_error(errno);
                self.state.fault = Some(LaunchError::NotExecutable { path, source });
            }
            Some(InitReport::Exited(status)) => self.end(JobEnd::Exited(status)),
            Some(InitReport::Signalled(signal, used)) => {
                self.state.used_by_end = used;
                self.end(JobEnd::Signalled(signal));
            }
            Some(InitReport::Gone(usage)) => {
                self.state.usage = Some(usage);
                self.state.gone = true;
            }
            None => {}
        }
        Ok(())
    }

    fn end(&mut self, end: JobEnd) {
        let now = Instant::now();
        self.state.end.get_or_insert(end);
        self.state.ended.get_or_insert(now);
        // Time already runs if brine hung up before.
        if self.state.cause.is_none() {
            self.deadline = now + PATIENCE;
        }
    }

    fn run_out_of_time(&mut self) -> Result<(), LaunchError> {
        let now = Instant::now();
        self.deadline = now + PATIENCE;
        if self.state.cause.is_none() && self.state.end.is_none() && self.state.started.is_some() {
            self.hang_up(JobEnd::TimedOut);
            return Ok(());
        }
        // It did not start, or its end was not reported, in the time for that.
        self.init.kill();
        if self.state.started.is_none() {
            let source = io::ErrorKind::TimedOut.into();
            return Err(LaunchError::System { step: "starting the job".to_owned(), source });
        }
        self.state.gone = true;
        Ok(())
    }

    /// Tells the init to kill all processes of the job, for this cause.
    fn hang_up(&mut self, cause: JobEnd) {
        let now = Instant::now();
        self.state.cause.get_or_insert(cause);
        self.state.ended.get_or_insert(now);
        self.deadline = now + PATIENCE;
        self.init.channel.hang_up();
    }

    /// Kills the job, because it cannot be watched, and waits for its end as long as for any other.
    fn give_up(&mut self, fault: LaunchError) {
        self.state.fault.get_or_insert(fault);
        self.init.channel.hang_up();
        self.output.file = None;
        self.errors.file = None;
        // The first fault is the one to report.
        let _ = self.input.as_mut().map(JobInput::take_end);
        self.deadline = Instant::now() + PATIENCE;
        while !self.state.gone && Instant::now() < self.deadline {
            let deadline = self.deadline;
            match self.wait() {
                Ok([false, ..]) => continue,
                Ok(_) if self.take_report().is_ok() => {}
                Ok(_) | Err(_) => return,
            }
            // The reports of a job that ends say nothing of how long its end may take.
            self.deadline = deadline;
        }
    }

    fn outcome(self, kills_before: Option<u64>) -> Result<JobOutcome, LaunchError> {
        let state = self.state;
        if let Some(fault) = state.fault {
            let is_known = state.held.is_none() || state.usage.is_some();
            let still_there = |fault| LaunchError::StillThere { source: Box::new(fault) };
            return Err(if is_known { fault } else { still_there(fault) });
        }
        let (Some(layers), Some(started)) = (state.held, state.started) else {
            let source = io::ErrorKind::UnexpectedEof.into();
            return Err(LaunchError::System { step: "starting the job".to_owned(), source });
        };
        let usage = state.usage.unwrap_or_default();
        let end = state.cause.or(state.end).unwrap_or(JobEnd::Signalled(libc::SIGKILL));
        let more_kills = || kills_before.zip(memory_kills()).is_some_and(|(one, two)| two > one);
        // The init reports what was used when the kernel has waited for every process of the namespace.
        let tree = match (layers.contains(&Layer::Namespaces), state.usage) {
            (true, Some(_)) => TreeKill::Certain,
            (true, None) => TreeKill::Unconfirmed,
            (false, _) => TreeKill::Weak,
        };
        Ok(JobOutcome {
            end: explain(end, state.used_by_end, self.plan, more_kills, &layers),
            wall: state.ended.unwrap_or_else(Instant::now).saturating_duration_since(started),
            usage,
            input_bytes: self.input.map(JobInput::finish),
            output_bytes: self.output.kept,
            errors: self.kept_errors,
            errors_dropped: self.errors.kept,
            layers,
            tree,
        })
    }
}

/// Explains a signal that a limit or a filter sends.
fn explain(
    end: JobEnd,
    used: Duration,
    plan: &PlanParts,
    killed_for_memory: impl FnOnce() -> bool,
    layers: &[Layer],
) -> JobEnd {
    let limited = layers.contains(&Layer::Limits);
    match end {
        JobEnd::Signalled(libc::SIGSYS) if layers.contains(&Layer::Seccomp) => {
            JobEnd::Violated(Layer::Seccomp)
        }
        JobEnd::Signalled(libc::SIGXCPU) if limited => JobEnd::OutOfProcessorTime,
        JobEnd::Signalled(libc::SIGXFSZ) if limited => JobEnd::FileTooLarge,
        // The limit of CPU time sends SIGKILL to a program that ignored SIGXCPU.
        JobEnd::Signalled(libc::SIGKILL) if limited && used > plan.limits.cpu => {
            JobEnd::OutOfProcessorTime
        }
        JobEnd::Signalled(libc::SIGKILL) if killed_for_memory() => JobEnd::OutOfMemory,
        other => other,
    }
}

fn launch_error(fault: InitFault) -> LaunchError {
    let InitFault { layer, step, errno } = fault;
    let source = io::Error::from_raw_os_error(errno);
    match layer {
        Some(layer) => LaunchError::Confinement { layer, step, source },
        None => LaunchError::System { step, source },
    }
}

/// The process of the init. It does not outlive the watch.
struct RunningInit {
    process: Child,
    channel: InitChannel,
}

impl RunningInit {
    /// Returns whether it has ended, or ends in time.
    fn ends_within(&self, most: Duration) -> bool {
        let process = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let process = process.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok());
        let (Some(process), Ok(most)) = (process, Timespec::try_from(most)) else { return false };
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        matches!(rustix::event::poll(&mut polled, Some(&most)), Ok(1..))
    }

    fn kill(&mut self) {
        // It fails if the process has ended already.
        let _ = self.process.kill();
    }
}

impl Drop for RunningInit {
    fn drop(&mut self) {
        self.channel.hang_up();
        // It has reported its end, or is about to. Otherwise it is killed, and its namespace with it.
        if !self.ends_within(PATIENCE) {
            self.kill();
        }
        // A failure to wait leaves nothing to be done.
        let _ = self.process.wait();
    }
}

/// A pipe from the job.
struct JobPipe {
    file: Option<File>,
    /// Bytes of output that were taken, or of errors that were dropped.
    kept: u64,
}

#[derive(PartialEq)]
enum PipeRead {
    Nothing,
    Some,
}

impl JobPipe {
    fn new(pipe: OwnedFd) -> Result<Self, LaunchError> {
        rustix::io::ioctl_fionbio(&pipe, true)
            .map_err(|error| LaunchError::system("reading from the job", error))?;
        Ok(Self { file: Some(pipe.into()), kept: 0 })
    }

    /// Reads what is there; `None` if there is nothing now, or nothing more.
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

/// How long the start of a job may take. A large payload may have to be copied.
const START: Duration = Duration::from_secs(60);

/// How long the end of a job may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than any machine runs.
const FOREVER: Duration = Duration::from_secs(1 << 32);
