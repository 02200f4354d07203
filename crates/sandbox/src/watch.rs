//! Watches a job: reads its output, keeps time, and hangs up.

mod job_pipe;
mod running_init;

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use brine_job::{Layer, PlanParts};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Pid;

use self::job_pipe::{JobPipe, PipeRead};
use self::running_init::RunningInit;
use super::LaunchError;
use super::bounds::{JobBounds, MemoryCount, Shown};
use super::init_report::{InitFault, InitReport, ShownToBrine};
use super::job_input::JobInput;
use super::outcome::{JobEnd, JobOutcome, ResourceUsage, TreeKill};
use super::prepare::{Started, memory_kills};

/// Watches a job to its end.
pub(super) fn watch(
    started: Started,
    plan: &PlanParts,
    output: &mut dyn Write,
) -> Result<JobOutcome, LaunchError> {
    let Started { init, channel, output: from_job, errors, input, go, kills_before } = started;
    let mut watch = JobWatch {
        plan,
        init: RunningInit { process: init, channel },
        output: JobPipe::new(from_job)?,
        errors: JobPipe::new(errors)?,
        input,
        sink: output,
        kept_errors: Vec::new(),
        go: Some(go),
        process: None,
        bounds: None,
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
    /// Until the job may go on.
    go: Option<OwnedFd>,
    /// The first process of the job, from which all others descend.
    process: Option<Pid>,
    /// The bounds of the whole job, once it may go on.
    bounds: Option<JobBounds>,
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
            self.look();
        }
        // Every process that could write is gone, or is not waited for any longer.
        while self.take_output(&mut buffer)? == PipeRead::Some {}
        while self.take_errors(&mut buffer)? == PipeRead::Some {}
        Ok(())
    }

    /// Waits until something can be read, or the deadline comes. Returns whether the channel, the output and
    /// the errors can be read, and whether the input has ended.
    fn wait(&self) -> Result<[bool; 4], LaunchError> {
        let next_look = self.bounds.as_ref().map(JobBounds::next_look);
        let runs = self.state.cause.is_none() && self.state.end.is_none();
        let until =
            next_look.filter(|_| runs).map_or(self.deadline, |look| look.min(self.deadline));
        let left = until.saturating_duration_since(Instant::now());
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
        let mut descriptors = Vec::new();
        let received = self.init.channel.receive_with(&mut descriptors);
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
            Some(InitReport::Forked(process)) => self.process = Pid::from_raw(process),
            Some(InitReport::Ready(shown)) => self.let_go(&shown, descriptors),
            None => {}
        }
        Ok(())
    }

    /// Bounds the job, and lets it go on.
    fn let_go(&mut self, shown: &[ShownToBrine], descriptors: Vec<OwnedFd>) {
        let mut given = Shown::default();
        for (what, descriptor) in shown.iter().zip(descriptors) {
            match what {
                ShownToBrine::Processes => given.processes = Some(descriptor),
                ShownToBrine::Scratch => given.scratch = Some(descriptor),
                ShownToBrine::Sockets => given.sockets = Some(descriptor),
                ShownToBrine::Time => given.time = Some(descriptor.into()),
            }
        }
        if let (Some(process), false) = (self.process, self.plan.waived.contains(&Layer::Limits)) {
            // Without a namespace, the init inherits those whose parents have ended.
            let ancestor = match self.plan.waived.contains(&Layer::Namespaces) {
                true => self.init.id().unwrap_or(process),
                false => process,
            };
            self.bounds = Some(JobBounds::begin(process, ancestor, given, &self.plan.limits));
        }
        // If the job is gone, its end is about to be reported.
        let count = self.bounds.as_ref().map_or(MemoryCount::Looks, JobBounds::memory_count);
        let _ = self.go.take().map(|go| rustix::io::write(go, &[count.byte()]));
    }

    /// Looks at what the whole job holds and uses, if it is time to.
    fn look(&mut self) {
        if self.state.cause.is_some() || self.state.end.is_some() {
            return;
        }
        let found = self.bounds.as_mut().and_then(|bounds| bounds.look(Instant::now()));
        if let Some(beyond) = found {
            self.hang_up(beyond);
        }
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
        let reaped = state.usage.unwrap_or_default();
        let usage = self.bounds.as_ref().map_or(reaped, |bounds| bounds.usage(reaped));
        let exceeded = self.bounds.as_ref().and_then(JobBounds::exceeded);
        let end =
            state.cause.or(exceeded).or(state.end).unwrap_or(JobEnd::Signalled(libc::SIGKILL));
        // A control group counts those of its own that were killed. Elsewhere only those of the whole system are known.
        let knows =
            self.bounds.as_ref().is_some_and(|bounds| bounds.memory_count() == MemoryCount::Kernel);
        let more_kills =
            || !knows && kills_before.zip(memory_kills()).is_some_and(|(one, two)| two > one);
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
            bounds: self.bounds.as_ref().map(JobBounds::means).unwrap_or_default(),
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
        // Anybody can send this signal. The kernel sends it by a coarser clock than it counts with.
        JobEnd::Signalled(libc::SIGXCPU) if limited && used >= plan.limits.cpu / 2 => {
            JobEnd::OutOfProcessorTime
        }
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
