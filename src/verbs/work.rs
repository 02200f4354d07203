//! `brine work`: the signed jobs of a queue, run confined.

mod hand;
mod job_process;
mod power_host;
mod python_program;
mod told;

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use brine_core::Kind;
use brine_queue::{AnyQueue, Queue as _, ReceiveBounds};

use self::hand::Hand;
use self::job_process::JobProcess;
use self::power_host::PowerHost;
use self::python_program::PythonProgram;
use super::expect::{self, Judge};
use super::queue_watch::{NumbersPlan, QueueWatch};
use super::run::{JobGround, Refusals, find_program};
use crate::args::judge::JudgeArgs;
use crate::args::run::Run;
use crate::args::work::WorkArgs;
use crate::report::{Failure, Outcome};
use crate::world::end_signals::EndSignals;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::progress::Show;
use crate::world::queue::{self, Patience};

/// Runs jobs until a signal asks to end, or there was none for long.
pub(super) fn run(args: &WorkArgs) -> Result<Outcome, Failure> {
    refuse_without_sandbox()?;
    refuse_misuse(args)?;
    // One that is not there would refuse every job.
    find_program(&args.command)?;
    let python = args.python.as_ref().map(|typed| PythonProgram::find(typed.as_deref()));
    let worker = Worker::new(args, python.transpose()?, power_host(args)?)?;
    expect::refuse_nobody(&worker.judge, &args.judge)?;
    let options = queue::made_to_consume(args.lease, args.judge.max_age);
    let queue = queue::open(&args.url, options)?;
    let mut guard = expect::guarded(OverwriteGuard::default(), &args.judge);
    queue::claim(&args.url, &mut guard)?;
    let numbers = NumbersPlan::of(args.metrics.metrics.as_ref(), &mut guard)?;
    let show = Show::unless(args.quiet || args.json);
    let watch = QueueWatch::begin(&args.url, &queue, numbers, show)?;
    let patience = worker.patience();
    let queues = (0..args.jobs.get()).map(|_| patience.wait(|| queue.another()));
    let queues: Vec<_> = queues.collect::<Result<_, _>>()?;
    let failed = Mutex::new(None);
    let hand = |queue: AnyQueue| {
        if let Err(failure) = worker.work_on(queue, watch.clone()) {
            worker.has_failed.store(true, Ordering::SeqCst);
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
    };
    thread::scope(|scope| -> Result<(), Failure> {
        for queue in queues {
            let started = thread::Builder::new().spawn_scoped(scope, || hand(queue));
            started.map_err(|error| {
                worker.has_failed.store(true, Ordering::SeqCst);
                Failure::io("thread", error)
            })?;
        }
        Ok(())
    })?;
    // What it shows is as of now, however this process ends.
    drop(watch);
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = failed {
        return Err(failure);
    }
    let signals = worker.signals.clone();
    // What it started ends before it.
    drop(worker);
    signals.end_process();
    Ok(Outcome::Silent)
}

/// Refuses what does not go together.
fn refuse_misuse(args: &WorkArgs) -> Result<(), Failure> {
    if args.lacks_command {
        return Err(Failure::mistyped("no command after \"--\"", "brine work URL -- CMD"));
    }
    if args.judge.now.is_some() {
        return Err(Failure::mistyped(
            "--now is for looking, and jobs are judged as of now",
            "leave it out",
        ));
    }
    if args.judge.aad.is_some() {
        return Err(Failure::mistyped(
            "--aad does not go with jobs of a queue, whose results nobody could tell apart",
            "let the payload hold it",
        ));
    }
    Ok(())
}

/// Starts what serves the powers of jobs, if it was asked for.
fn power_host(args: &WorkArgs) -> Result<Option<PowerHost>, Failure> {
    let Some(object) = &args.power_object else { return Ok(None) };
    let python = args.python.as_ref().and_then(Option::as_deref);
    // Nothing but verdicts is written where they are read by programs.
    let errors = if args.json { Stdio::null() } else { Stdio::inherit() };
    PowerHost::start(object, python, errors).map(Some)
}

/// Refuses to take jobs where none could be run.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
const fn refuse_without_sandbox() -> Result<(), Failure> {
    Ok(())
}

#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
const fn refuse_without_sandbox() -> Result<(), Failure> {
    Err(Failure::NoSandbox)
}

/// What all hands of a worker share.
struct Worker<'a> {
    args: &'a WorkArgs,
    judge: Judge,
    process: JobProcess,
    power_host: Option<Mutex<PowerHost>>,
    /// What each process is told, by which jobs are judged before.
    run: Run,
    ground: JobGround,
    signals: EndSignals,
    /// Whether one of them cannot go on.
    has_failed: AtomicBool,
}

impl<'a> Worker<'a> {
    fn new(
        args: &'a WorkArgs,
        python: Option<PythonProgram>,
        power_host: Option<PowerHost>,
    ) -> Result<Self, Failure> {
        let context = queue::context(args.judge.context.as_ref(), &args.url);
        let asked = JudgeArgs { context: Some(context), ..args.judge.clone() };
        let judge = Judge::resolve(&asked)?;
        let judge = Judge { expectations: judge.expectations.kind(Kind::Job), ..judge };
        let served = power_host.as_ref().map_or([].as_slice(), |host| host.places.as_slice());
        let powers = [args.powers.as_slice(), served].concat();
        let process = JobProcess::new(args, &asked, python, &powers)?;
        let run = process.typed()?;
        let ground = JobGround::survey(&run, &mut Refusals::of(&run))?;
        let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
        let has_failed = AtomicBool::new(false);
        let power_host = power_host.map(Mutex::new);
        Ok(Self { args, judge, process, power_host, run, ground, signals, has_failed })
    }

    /// Another process that has locked the queue is waited for until a signal asks to end.
    fn patience(&self) -> Patience {
        Patience { signals: Some(self.signals.clone()), until: None }
    }

    /// Takes one job after the other.
    fn work_on(&self, queue: AnyQueue, watch: QueueWatch) -> Result<(), Failure> {
        let patience = self.patience();
        let ledger = patience.wait(|| queue.ledger())?;
        let mut hand = Hand { worker: self, queue, ledger, watch };
        let mut idle_since = Instant::now();
        while !self.signals.have_arrived() && !self.has_failed.load(Ordering::SeqCst) {
            if let Some(host) = &self.power_host {
                host.lock().unwrap_or_else(PoisonError::into_inner).refuse_ended()?;
            }
            let found = match patience.wait(|| hand.queue.receive(ReceiveBounds::ONE, LOOK)) {
                Err(error) if error.may_pass() && self.signals.have_arrived() => return Ok(()),
                found => found?,
            };
            let Some(delivery) = found.into_iter().next() else {
                if self.args.wait.is_some_and(|most| idle_since.elapsed() >= most) {
                    return Ok(());
                }
                continue;
            };
            hand.handle(delivery)?;
            idle_since = Instant::now();
        }
        Ok(())
    }
}

/// How often a worker looks whether it is to end.
const LOOK: Duration = Duration::from_millis(250);
