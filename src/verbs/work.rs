//! `brine work`: the signed jobs of a queue, run confined.

mod job_process;
mod told;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use brine_core::{Class, Classified as _, Input, Kind, Verified, open};
use brine_job::{Grants, Policy, PolicyQuestion, ReplyQueue};
use brine_queue::{
    Buried, Delivery, MessageLease, Queue as _, QueueBirth, QueueError, ReceiveBounds,
    RefusedMessage, SqliteQueue, SqliteQueueOptions, Standing,
};
use brine_records::replay::{LEASE, MAX_AGE, ReplayDatabase, ReplayLease};
use brine_records::{ReplayError, Reservation, Settled, Subject};

use self::job_process::{EndedJob, JobProcess};
use super::call::beside;
use super::expect::Judge;
use super::policy;
use super::run::system_directories;
use crate::args::judge::JudgeArgs;
use crate::args::work::WorkArgs;
use crate::report::console::{note, remark, write_json};
use crate::report::exit::Status;
use crate::report::{Failure, JsonPlace, Outcome, QueueFailure, verdict};
use crate::world::clock;
use crate::world::end_signals::EndSignals;
use crate::world::queue;
use crate::world::watched::Watched;

/// Runs jobs until a signal asks to end, or there was none for long.
pub(super) fn run(args: &WorkArgs) -> Result<Outcome, Failure> {
    refuse_without_sandbox()?;
    if args.lacks_command {
        return Err(Failure::Mistyped {
            message: "no command after \"--\"".to_owned(),
            hint: Some("brine work URL -- CMD".to_owned()),
        });
    }
    let worker = Worker::new(args)?;
    let queue = worker.open()?;
    let queues = (0..args.jobs.get()).map(|_| queue::patiently(|| queue.another()));
    let queues: Vec<_> = queues.collect::<Result<_, _>>()?;
    let failed = Mutex::new(None);
    let hand = |queue: SqliteQueue| {
        if let Err(failure) = worker.work_on(queue) {
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
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = failed {
        return Err(failure);
    }
    worker.signals.end_process();
    Ok(Outcome::Silent)
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
    policy: Watched<Policy>,
    process: JobProcess,
    signals: EndSignals,
    /// Whether one of them cannot go on.
    has_failed: AtomicBool,
    system: BTreeSet<PathBuf>,
    context: String,
}

/// A message whose job has verified.
struct VerifiedMessage {
    content: Vec<u8>,
    verified: Verified,
    reply: Option<ReplyQueue>,
}

/// What is to be done with a message before its job is run.
enum Admission {
    /// It is run.
    Run(ReplayLease),
    /// It is done with: somebody has run it.
    Done,
    /// It is looked at again later.
    Later(Duration, String),
    /// It becomes a dead letter.
    Refused(Failure),
}

impl<'a> Worker<'a> {
    fn new(args: &'a WorkArgs) -> Result<Self, Failure> {
        let context = queue::context(args.judge.context.as_ref(), &args.url);
        let asked = JudgeArgs { context: Some(context.clone()), ..args.judge.clone() };
        let judge = Judge::resolve(&asked)?;
        let judge = Judge { expectations: judge.expectations.kind(Kind::Job), ..judge };
        let rule = args.judge.trust.permissions.into();
        let policy = policy::watch(args.policy.as_deref(), rule)?;
        policy.current()?;
        let process = JobProcess::new(args, &asked)?;
        Ok(Self {
            args,
            judge,
            policy,
            process,
            signals: EndSignals::catch().map_err(|error| Failure::io("signals", error))?,
            has_failed: AtomicBool::new(false),
            system: system_directories(),
            context,
        })
    }

    fn open(&self) -> Result<SqliteQueue, Failure> {
        let options = SqliteQueueOptions {
            // Nothing was sent before.
            birth: QueueBirth::FromNow,
            lease: self.args.lease.unwrap_or(LEASE),
            max_age: self.args.judge.max_age.unwrap_or(MAX_AGE),
            ..SqliteQueueOptions::default()
        };
        queue::open(&self.args.url, options)
    }

    /// Takes one job after the other.
    fn work_on(&self, mut queue: SqliteQueue) -> Result<(), Failure> {
        let mut ledger = queue::patiently(|| queue.ledger())?;
        let mut idle_since = Instant::now();
        while !self.signals.have_arrived() && !self.has_failed.load(Ordering::SeqCst) {
            let found = queue::patiently(|| queue.receive(ReceiveBounds::ONE, LOOK))?;
            let Some(delivery) = found.into_iter().next() else {
                if self.args.wait.is_some_and(|most| idle_since.elapsed() >= most) {
                    return Ok(());
                }
                continue;
            };
            self.handle(&mut queue, &mut ledger, delivery)?;
            idle_since = Instant::now();
        }
        Ok(())
    }

    fn handle(
        &self,
        queue: &mut SqliteQueue,
        ledger: &mut ReplayDatabase,
        delivery: Delivery<MessageLease>,
    ) -> Result<(), Failure> {
        let Delivery { content, attempt, begun, lease } = delivery;
        let message = match self.verify(content) {
            Ok(message) => message,
            // That says nothing about the message, and whatever says something is lost with this process.
            Err(failure) if is_of_worker(&failure) => {
                let why = failure.to_string();
                let _ = queue.retry(vec![lease], Duration::ZERO, &why);
                return Err(failure);
            }
            Err(failure) => return self.bury(queue, lease, Standing::Unverified, failure),
        };
        if begun {
            return self.interrupted(queue, lease, &message);
        }
        if attempt > u64::try_from(self.args.attempts.get()).unwrap_or(u64::MAX) {
            let failure = QueueFailure::Exhausted { attempts: attempt.saturating_sub(1) };
            return self.bury(queue, lease, Standing::Verified, failure.into());
        }
        match admit(ledger, &message.verified)? {
            Admission::Run(record) => match queue.begin(&lease, record) {
                Ok(Settled::Done) => self.run(queue, lease, &message),
                // Somebody else has it, or will have it when the leases run out.
                Ok(Settled::Lost) | Err(QueueError::Locked) => Ok(()),
                Err(error) => Err(error.into()),
            },
            Admission::Done => Ok(queue.ack(vec![lease]).map(drop)?),
            Admission::Later(delay, why) => Ok(queue.retry(vec![lease], delay, &why).map(drop)?),
            Admission::Refused(failure) => self.bury(queue, lease, Standing::Unverified, failure),
        }
    }

    /// Verifies a message, and finds out where its result goes.
    fn verify(&self, content: Vec<u8>) -> Result<VerifiedMessage, Failure> {
        let Judge { expectations, trust, moment } = &self.judge;
        let opened = open(Input::from(content.clone()));
        let verified = opened.and_then(|opening| opening.verify(expectations, trust, moment));
        let verified = verified.map_err(|error| Failure::reading(MESSAGE, error))?;
        let grants = Grants::of(&verified)?;
        let content_type = verified.header().content_type().map(|found| found.to_string());
        let question = PolicyQuestion {
            signer: verified.signer().name(),
            context: Some(&self.context),
            content_type: content_type.as_deref(),
            system: &self.system,
        };
        let reply = self.policy.current()?.reply(&question, &grants);
        Ok(VerifiedMessage { content, verified, reply })
    }

    /// Runs a job that was begun, and sees its result on its way.
    fn run(
        &self,
        queue: &mut SqliteQueue,
        lease: MessageLease,
        message: &VerifiedMessage,
    ) -> Result<(), Failure> {
        let reply = message.reply.as_ref().map(ReplyQueue::as_str);
        let mut extended = Instant::now();
        let extend = || {
            if extended.elapsed() >= queue.lease_length() / 4 {
                // A job that was begun is run by nobody else. If the lease is lost, another worker says that it was
                // interrupted, and this one finds its message gone.
                let _ = queue.extend(&[&lease]);
                extended = Instant::now();
            }
        };
        let ended = self.process.run(&message.content, reply, extend)?;
        self.tell(&message.verified, &ended);
        let Some(result) = ended.result else {
            // It has said why. Who waits is told, too.
            return self.interrupted(queue, lease, message);
        };
        let reason = if ended.has_ended_well { None } else { Some(JOB_FAILED) };
        self.settle(queue, lease, message, &result, reason)
    }

    /// Says that a job was begun and not ended. Whether it did its work is not known.
    fn interrupted(
        &self,
        queue: &mut SqliteQueue,
        lease: MessageLease,
        message: &VerifiedMessage,
    ) -> Result<(), Failure> {
        let reply = message.reply.as_ref().map(ReplyQueue::as_str);
        let result = self.process.interrupted(&message.verified, &message.content, reply)?;
        self.settle(queue, lease, message, &result, Some(INTERRUPTED))
    }

    /// Publishes the result, and acknowledges the job. Without a reply, a job that did not end well is a dead letter.
    fn settle(
        &self,
        queue: &mut SqliteQueue,
        lease: MessageLease,
        message: &VerifiedMessage,
        result: &[u8],
        failed: Option<&'static str>,
    ) -> Result<(), Failure> {
        let answers = message.reply.as_ref().map(|reply| self.answers(reply)).transpose()?;
        match (answers.flatten(), failed) {
            (Some(mut answers), _) => {
                match queue::patiently(|| answers.publish(&[result])) {
                    // Nobody waits for it any more.
                    Ok(()) | Err(QueueError::Missing { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            (None, None) => {}
            (None, Some(reason)) => {
                let (detail, standing) = ("the job did not end well", Standing::Verified);
                let why = RefusedMessage { reason, detail, standing };
                return Ok(queue.dead_letter(lease, &why).map(drop)?);
            }
        }
        Ok(queue.ack(vec![lease]).map(drop)?)
    }

    /// Opens the queue for a result; `None` if there is none any more: nobody waits for it.
    fn answers(&self, reply: &ReplyQueue) -> Result<Option<SqliteQueue>, Failure> {
        let options =
            SqliteQueueOptions { birth: QueueBirth::Existing, ..SqliteQueueOptions::default() };
        match queue::open(&beside(&self.args.url, reply)?, options) {
            Ok(answers) => Ok(Some(answers)),
            Err(Failure::Queue(QueueFailure::Queue(QueueError::Missing { .. }))) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Says how a job ended.
    fn tell(&self, job: &Verified, ended: &EndedJob) {
        if self.args.json {
            // What nobody reads any more is in the result.
            let lines = String::from_utf8_lossy(&ended.verdict);
            let lines: String =
                lines.split_inclusive('\n').filter(|line| line.starts_with('{')).collect();
            let _ = write_json(JsonPlace::Stderr, &lines);
        } else if !self.args.quiet {
            told::lines(job, &ended.verdict).iter().for_each(|line| note(line));
        }
    }

    /// Makes a message a dead letter, and says so.
    fn bury(
        &self,
        queue: &mut SqliteQueue,
        lease: MessageLease,
        standing: Standing,
        failure: Failure,
    ) -> Result<(), Failure> {
        let (reason, detail) = (failure.reason(), failure.to_string());
        if self.args.json {
            // What nobody reads any more is in the dead letters.
            let _ = write_json(JsonPlace::Stderr, &verdict::lines(&Err(failure), &[]));
        } else if !self.args.quiet {
            note(&format!("refused: {detail}"));
        }
        let why = RefusedMessage { reason, detail: &detail, standing };
        match queue.dead_letter(lease, &why)? {
            Buried::Done(_) | Buried::Lost => Ok(()),
        }
    }
}

/// Reserves a job in the ledger.
fn admit(ledger: &mut ReplayDatabase, job: &Verified) -> Result<Admission, Failure> {
    let later = |error: &ReplayError| Admission::Later(POSTPONED, error.to_string());
    let subject = match Subject::of(job) {
        Ok(subject) => subject,
        Err(error) => return Ok(Admission::Refused(error.into())),
    };
    let reserved = loop {
        match ledger.reserve(&subject, clock::read()?) {
            Err(ReplayError::Locked) => remark(queue::LOCKED),
            reserved => break reserved?,
        }
    };
    Ok(match reserved {
        Reservation::Fresh(lease) => Admission::Run(lease),
        Reservation::Replayed | Reservation::Twin { .. } => Admission::Done,
        Reservation::Busy { .. } => Admission::Later(BUSY, "another worker has it".to_owned()),
        Reservation::Refused(error) => match error {
            ReplayError::ChannelFull { .. }
            | ReplayError::KeyFull { .. }
            | ReplayError::Unknown { .. } => later(&error),
            error if error.class() == Class::System => return Err(error.into()),
            error => Admission::Refused(error.into()),
        },
    })
}

/// Returns whether a failure says something about this worker, and nothing about the message.
fn is_of_worker(failure: &Failure) -> bool {
    matches!(failure.status(), Status::Io | Status::Key | Status::Usage)
}

/// What a message is called.
const MESSAGE: &str = "a job";

/// Why a job becomes a dead letter that nobody waits for.
const JOB_FAILED: &str = "job-failed";

/// The outcome of a job whose worker died.
const INTERRUPTED: &str = "interrupted";

/// How often a worker looks at its leases, and whether it is to end.
const LOOK: Duration = Duration::from_millis(250);

/// When a job is looked at again that another worker is about to begin.
const BUSY: Duration = Duration::from_secs(1);

/// When a job is looked at again that stays queued though the ledger refuses it.
const POSTPONED: Duration = Duration::from_secs(60 * 60);
