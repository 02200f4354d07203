//! Watches a job: reads its output, keeps time, and hangs up.

mod bounded;
mod cause;
mod job_pipe;
mod running_init;

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use brine_job::{Layer, PlanParts};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Pid;

use self::cause::{explain, launch_error};
use self::job_pipe::{JobPipe, PipeRead};
use self::running_init::RunningInit;
use super::LaunchError;
use super::bounds::{JobBounds, JobGroup, MemoryCount};
use super::init_report::InitReport;
use super::job_input::JobInput;
use super::outcome::{JobEnd, JobOutcome, ProcView, ResourceUsage, TreeKill, Violation};
use super::prepare::{Started, memory_kills};
use super::scratch::JobScratch;

/// Watches a job to its end.
pub(super) fn watch(
    started: Started,
    plan: &PlanParts,
    stop: Option<BorrowedFd<'_>>,
    [output, live_errors]: [&mut dyn Write; 2],
) -> Result<JobOutcome, LaunchError> {
    let Started { init, channel, output: from_job, errors, input, go, group, kills_before } =
        started;
    let mut watch = JobWatch {
        plan,
        init: RunningInit { process: init, channel },
        output: JobPipe::new(from_job)?,
        errors: JobPipe::new(errors)?,
        input,
        sink: output,
        live_errors,
        stop,
        kept_errors: Vec::new(),
        go: Some(go),
        process: None,
        group,
        warm: None,
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
    live_errors: &'a mut dyn Write,
    /// Until the job was asked to end.
    stop: Option<BorrowedFd<'a>>,
    kept_errors: Vec<u8>,
    /// Until the job may go on.
    go: Option<OwnedFd>,
    /// The first process of the job, from which all others descend.
    process: Option<Pid>,
    /// Its control group, until the bounds of the job have it.
    group: Option<JobGroup>,
    /// A counter of nothing, so that that of the job need not wait.
    warm: Option<OwnedFd>,
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
    proc_view: ProcView,
    started: Option<Instant>,
    ended: Option<Instant>,
    /// Why brine wants it to end.
    cause: Option<JobEnd>,
    /// Whether it is being killed for that, and no longer asked.
    hung_up: bool,
    /// How the program ended by itself.
    end: Option<JobEnd>,
    /// The processor time that was used until a signal ended it.
    used_by_end: Duration,
    fault: Option<LaunchError>,
    usage: Option<ResourceUsage>,
    scratch: Option<JobScratch>,
    gone: bool,
}

impl JobProgress {
    fn failed(&self, step: &str, error: impl Into<io::Error>) -> LaunchError {
        match self.held {
            Some(_) => LaunchError::system(step, error),
            None => LaunchError::setting_up(step, error),
        }
    }
}

impl JobWatch<'_> {
    fn until_gone(&mut self) -> Result<(), LaunchError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while !self.state.gone {
            let [channel, output, errors, input, stop] = self.wait()?;
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
            if stop {
                self.stop = None;
                self.ask_to_end(JobEnd::Stopped);
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
    /// the errors can be read, whether the input has ended, and whether the job is to end.
    fn wait(&self) -> Result<[bool; 5], LaunchError> {
        let next_look = self.bounds.as_ref().map(JobBounds::next_look);
        let runs = !self.state.hung_up && self.state.end.is_none();
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
        polled.extend(self.stop.map(|stop| PollFd::from_borrowed_fd(stop, PollFlags::IN)));
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(self.state.failed("waiting for the job", error)),
        }
        let mut ready = polled.iter().map(|one| !one.revents().is_empty());
        let mut next = |open: bool| open && ready.next().unwrap_or(false);
        let [output, errors] = [&self.output, &self.errors].map(|pipe| pipe.file.is_some());
        let (input, stop) = (input_end.is_some(), self.stop.is_some());
        Ok([next(true), next(output), next(errors), next(input), next(stop)])
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
                self.ask_to_end(JobEnd::OutputTooLarge);
            }
        }
        Ok(PipeRead::Some)
    }

    fn take_errors(&mut self, buffer: &mut [u8]) -> Result<PipeRead, LaunchError> {
        let Some(bytes) = self.errors.read(buffer)? else { return Ok(PipeRead::Nothing) };
        let room = self.plan.limits.errors.saturating_sub(wide(self.kept_errors.len()));
        let kept = bytes.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(bytes);
        self.kept_errors.extend_from_slice(kept);
        // What cannot be shown now is shown with the outcome.
        let _ = self.live_errors.write_all(kept);
        let dropped = bytes.len().saturating_sub(kept.len());
        self.errors.kept = self.errors.kept.saturating_add(wide(dropped));
        Ok(PipeRead::Some)
    }

    fn take_report(&mut self) -> Result<(), LaunchError> {
        let mut descriptors = Vec::new();
        let received = self.init.channel.receive_with(&mut descriptors);
        let received =
            received.map_err(|error| self.state.failed("hearing of the job (recvmsg)", error))?;
        let Some(report) = received else {
            // The init is gone, and process 1 with it.
            self.state.gone = true;
            return Ok(());
        };
        match InitReport::decode(&report) {
            Some(InitReport::Held(layers, view)) => {
                let now = Instant::now();
                self.state.held = Some(layers);
                self.state.proc_view = view;
                self.state.started = Some(now);
                if self.state.cause.is_none() {
                    self.deadline = now.checked_add(self.plan.limits.wall).unwrap_or(now + FOREVER);
                }
            }
            Some(InitReport::Failed(fault)) => {
                // The init may fail because process 1 has.
                let started = self.state.held.is_some();
                self.state.fault.get_or_insert_with(|| launch_error(fault, started));
            }
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
            Some(InitReport::Violated(call)) => {
                let call = call.and_then(super::seccomp::hostile_name);
                self.end(JobEnd::Violated(Violation { layer: Layer::Seccomp, call }));
            }
            Some(InitReport::Gone(usage)) => {
                self.state.usage = Some(usage);
                self.state.gone = true;
            }
            Some(InitReport::Forked(process)) => self.forked(Pid::from_raw(process)),
            Some(InitReport::Ready(shown, membership)) => {
                self.let_go(&shown, descriptors, membership);
            }
            Some(InitReport::Counting) => self.count_time(descriptors),
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
            self.ask_to_end(JobEnd::TimedOut);
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

    /// Tells the init to ask all processes of the job to end, for this cause, and to kill them a little later.
    fn ask_to_end(&mut self, cause: JobEnd) {
        let now = Instant::now();
        self.state.cause.get_or_insert(cause);
        self.state.ended.get_or_insert(now);
        self.deadline = now + PATIENCE.saturating_add(self.plan.limits.grace);
        if self.init.channel.send(b"end").is_err() {
            self.init.channel.hang_up();
        }
    }

    /// Tells the init to kill all processes of the job, for this cause.
    fn hang_up(&mut self, cause: JobEnd) {
        let now = Instant::now();
        self.state.cause.get_or_insert(cause);
        self.state.ended.get_or_insert(now);
        self.deadline = now + PATIENCE;
        self.state.hung_up = true;
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
            proc_view: state.proc_view,
            scratch: state.scratch,
            bounds: self.bounds.as_ref().map(JobBounds::means).unwrap_or_default(),
        })
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
