//! One job of a queue: judged, noted in the ledger, run, and answered.

use std::time::{Duration, Instant};

use brine_core::Verified;
use brine_job::{JobId, JobResult};
use brine_queue::{
    Admission, Answered, AnyLease, AnyLedger, AnyQueue, AnyRecord, Delivery, Queue as _,
    QueueError, QueueName, RefusedMessage, Retry, Standing, valid_later,
};
use brine_records::{ReplayError, Settled, Subject};

use super::job_process::EndedJob;
use super::{Worker, told};
use crate::report::console::{note, write_json};
use crate::report::exit::Status;
use crate::report::{Failure, JsonPlace, QueueFailure, verdict};
use crate::verbs::expect::Judge;
use crate::verbs::queue_watch::QueueWatch;
use crate::verbs::run::VerifiedJob;
use crate::world::{clock, queue};

/// One thread of a worker, with what it does not share.
pub(super) struct Hand<'w> {
    pub(super) worker: &'w Worker<'w>,
    pub(super) queue: AnyQueue,
    pub(super) ledger: AnyLedger,
    pub(super) watch: QueueWatch,
}

/// A job that has verified.
struct QueuedJob {
    content: Vec<u8>,
    job: VerifiedJob,
    /// The queue for its result, if the policy allows it one.
    reply: Option<QueueName>,
}

impl Hand<'_> {
    /// Does with a message what is to be done.
    ///
    /// Everything about a job is judged before it is begun: what was begun is never run again.
    pub(super) fn handle(&mut self, delivery: Delivery<AnyLease>) -> Result<(), Failure> {
        let since = Instant::now();
        self.watch.figures().receive(delivery.attempt);
        let handled = self.settle_one(delivery);
        self.watch.figures().settle(since.elapsed());
        handled
    }

    fn settle_one(&mut self, delivery: Delivery<AnyLease>) -> Result<(), Failure> {
        let Delivery { content, attempt, begun, lease } = delivery;
        let job = match self.verify(content) {
            Ok(job) => job,
            Err(failure) if is_of_worker(&failure) => return self.give_up(lease, failure),
            Err(failure) => {
                return match valid_later(failure.reason()) {
                    Some(delay) => self.keep_queued(lease, delay, &failure),
                    None => self.bury(lease, Standing::Unverified, failure),
                };
            }
        };
        // What the queue says of a message, anybody can have written.
        match self.admit(&job.job.verified)? {
            Admission::Handle(record) => self.begin(lease, attempt, record, &job),
            // It is the message that it was begun from: its worker died.
            Admission::Repeated if begun => self.interrupted(&lease, &job),
            Admission::Repeated => {
                self.watch.count(|account| account.repeated += 1);
                self.acknowledge(&lease)
            }
            Admission::Later(delay, why @ ReplayError::Busy { .. }) => {
                self.postpone(lease, delay, &why.into())
            }
            Admission::Later(delay, why) => self.keep_queued(lease, delay, &why.into()),
            Admission::Refused(error) => self.bury(lease, Standing::Unverified, error.into()),
        }
    }

    /// Verifies a message, and finds out where its result goes.
    fn verify(&self, content: Vec<u8>) -> Result<QueuedJob, Failure> {
        let Judge { expectations, trust, moment } = &self.worker.judge;
        let judge =
            Judge { expectations: expectations.clone(), trust: trust.clone(), moment: *moment };
        let job = VerifiedJob::of_bytes(&content, judge, MESSAGE)?;
        let reply = job.reply(&self.worker.run, &self.worker.ground)?;
        let reply = reply.and_then(|reply| QueueName::new(reply.as_str()).ok());
        Ok(QueuedJob { content, job, reply })
    }

    /// Reserves a job in the ledger.
    fn admit(&mut self, job: &Verified) -> Result<Admission<AnyRecord>, Failure> {
        let subject = match Subject::of(job) {
            Ok(subject) => subject,
            Err(error) => return Ok(Admission::Refused(error)),
        };
        let reserved = queue::patiently(|| Ok(self.ledger.reserve(&subject, clock::read()?)?))?;
        Ok(Admission::of(reserved).map_err(QueueError::from)?)
    }

    /// Runs a job, if there is nothing against it.
    fn begin(
        &mut self,
        lease: AnyLease,
        attempt: u64,
        record: AnyRecord,
        job: &QueuedJob,
    ) -> Result<(), Failure> {
        let planned = job.job.refuse_unplanned(&self.worker.run, &self.worker.ground);
        let most = u64::try_from(self.worker.args.attempts.get()).unwrap_or(u64::MAX);
        let goes_on = match &planned {
            _ if attempt > most => false,
            Ok(()) => true,
            // Who waits for it is told, once.
            Err(failure) => {
                job.reply.is_some() && !is_of_worker(failure) && !cannot_run_here(failure)
            }
        };
        if !goes_on {
            // Whoever takes it next need not wait.
            let _ = self.ledger.give_back(&record, clock::read()?);
            return match planned {
                Err(failure) if is_of_worker(&failure) => self.give_up(lease, failure),
                Err(failure) if cannot_run_here(&failure) => {
                    self.say(&format!("{MESSAGE} cannot be run here: {failure}"));
                    self.postpone(lease, ELSEWHERE, &failure)
                }
                // Nobody waits for it, and copies of it can be from anybody.
                Err(failure) => self.bury(lease, Standing::Unverified, failure),
                Ok(()) => {
                    let failure = QueueFailure::Exhausted { attempts: attempt.saturating_sub(1) };
                    self.bury(lease, Standing::Unverified, failure.into())
                }
            };
        }
        match self.queue.begin(&lease, &record) {
            Ok(Settled::Done) => {}
            // Somebody else has it, or will have it when the leases run out.
            Ok(Settled::Lost) => return Ok(()),
            Err(error) if error.may_pass() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.watch.count(|account| account.verified += 1);
        match planned {
            Ok(()) => self.run(&lease, job),
            Err(failure) => self.refuse(&lease, job, &failure),
        }
    }

    /// Runs a job that was begun, and sees its result on its way.
    fn run(&mut self, lease: &AnyLease, job: &QueuedJob) -> Result<(), Failure> {
        let mut extended = Instant::now();
        let queue = &mut self.queue;
        let extend = || {
            if extended.elapsed() >= queue.lease_length() / 4 {
                // A job that was begun is run by nobody else. If the lease is lost, another worker has said that it
                // was interrupted, and its result is not published.
                let _ = queue.extend(&[lease]);
                extended = Instant::now();
            }
        };
        let ended = self.worker.process.run(&job.content, reply_name(job), extend)?;
        self.watch.count(|account| told::count(&ended.verdict, &mut account.jobs));
        self.tell(&job.job.verified, &ended);
        match ended.result {
            Some(result) if ended.has_ended_well => self.settle(lease, job, &result, None),
            Some(result) => {
                let detail = told::end(&ended.verdict);
                self.settle(lease, job, &result, Some((JOB_FAILED, &detail)))
            }
            // Something that was well when it was judged is not any more. Who waits is told.
            None => self.interrupted(lease, job),
        }
    }

    /// Answers that a job is refused.
    fn refuse(
        &mut self,
        lease: &AnyLease,
        job: &QueuedJob,
        failure: &Failure,
    ) -> Result<(), Failure> {
        self.say(&format!("{} was refused: {failure}", told::name(&job.job.verified)));
        self.watch.count(|account| account.jobs.end(REFUSED));
        let ended = self.ended(job, REFUSED, failure.status().code().max(1))?;
        let result = JobResult { reason: Some(failure.reason().to_owned()), ..ended };
        let result = self.worker.process.sign(&result, reply_name(job))?;
        self.settle(lease, job, &result, Some((failure.reason(), &failure.to_string())))
    }

    /// Answers that a job was begun, and that nothing is known of its end.
    fn interrupted(&mut self, lease: &AnyLease, job: &QueuedJob) -> Result<(), Failure> {
        let name = told::name(&job.job.verified);
        self.say(&format!("{name} was begun, and nothing is known of its end"));
        self.watch.count(|account| account.jobs.end(INTERRUPTED));
        let result = self.ended(job, INTERRUPTED, KILLED)?;
        let result = self.worker.process.sign(&result, reply_name(job))?;
        let detail = "its worker died, or could not run it any more";
        self.settle(lease, job, &result, Some((INTERRUPTED, detail)))
    }

    fn ended(&self, job: &QueuedJob, outcome: &str, status: u8) -> Result<JobResult, Failure> {
        let id = JobId::of_envelope(&job.content, &[])?;
        let cti = job.job.verified.claims().cti.map(<[u8]>::to_vec);
        Ok(JobResult::ended(id, cti, outcome, status))
    }

    /// Publishes the result and acknowledges the job, at once. Without a queue for the result, a job that did not end
    /// well is a dead letter.
    fn settle(
        &mut self,
        lease: &AnyLease,
        job: &QueuedJob,
        result: &[u8],
        failed: Option<(&'static str, &str)>,
    ) -> Result<(), Failure> {
        let answered = match &job.reply {
            Some(reply) => queue::insistently(|| self.queue.answer(lease, reply, result))?,
            None => Answered::NoQueue,
        };
        match (answered, failed) {
            (Answered::Done | Answered::Lost, _) => Ok(()),
            (Answered::NoQueue, None) => self.acknowledge(lease),
            (Answered::NoQueue, Some((reason, detail))) => {
                let why = RefusedMessage { reason, detail, standing: Standing::Verified };
                queue::insistently(|| self.queue.dead_letter(lease, &why))?;
                Ok(())
            }
        }
    }

    fn acknowledge(&mut self, lease: &AnyLease) -> Result<(), Failure> {
        Ok(queue::insistently(|| self.queue.ack(&[lease])).map(drop)?)
    }

    /// Hands a message back that somebody may have to do something about.
    fn keep_queued(
        &mut self,
        lease: AnyLease,
        delay: Duration,
        why: &Failure,
    ) -> Result<(), Failure> {
        let told = self.watch.first_that_stays(why.reason(), why);
        told.iter().for_each(|line| self.say(line));
        self.postpone(lease, delay, why)
    }

    fn postpone(&mut self, lease: AnyLease, delay: Duration, why: &Failure) -> Result<(), Failure> {
        self.watch.count(|account| account.retry(why.reason()));
        match self.queue.retry(&[&lease], Retry::untried(delay, &why.to_string())) {
            // It comes back when its lease has run out.
            Ok(_) => Ok(()),
            Err(error) if error.may_pass() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands a message back, and ends: the failure says nothing about the message.
    fn give_up(&mut self, lease: AnyLease, failure: Failure) -> Result<(), Failure> {
        self.postpone(lease, Duration::ZERO, &failure)?;
        Err(failure)
    }

    /// Makes a message a dead letter, and says so.
    fn bury(
        &mut self,
        lease: AnyLease,
        standing: Standing,
        failure: Failure,
    ) -> Result<(), Failure> {
        let (reason, detail) = (failure.reason(), failure.to_string());
        self.watch.count(|account| account.refuse(reason));
        self.say(&format!("refused: {detail}"));
        if self.worker.args.json {
            // What nobody reads any more is in the dead letters.
            let _ = write_json(JsonPlace::Stderr, &verdict::lines(&Err(failure), &[]));
        }
        let why = RefusedMessage { reason, detail: &detail, standing };
        queue::insistently(|| self.queue.dead_letter(&lease, &why))?;
        Ok(())
    }

    /// Says how a job ended.
    fn tell(&self, job: &Verified, ended: &EndedJob) {
        if self.worker.args.json {
            let lines = String::from_utf8_lossy(&ended.verdict);
            let lines: String =
                lines.split_inclusive('\n').filter(|line| line.starts_with('{')).collect();
            // What nobody reads any more is in the result.
            let _ = write_json(JsonPlace::Stderr, &lines);
        }
        told::lines(job, &ended.verdict).iter().for_each(|line| self.say(line));
    }

    /// Tells a person.
    fn say(&self, line: &str) {
        if !self.worker.args.json && !self.worker.args.quiet {
            note(line);
        }
    }
}

fn reply_name(job: &QueuedJob) -> Option<&str> {
    job.reply.as_ref().map(QueueName::as_str)
}

/// Returns whether a failure says something about this worker, and nothing about the message.
fn is_of_worker(failure: &Failure) -> bool {
    matches!(failure.status(), Status::Io | Status::Key | Status::Usage)
}

/// Returns whether this system lacks what the job needs. Another one may have it, or this one soon.
fn cannot_run_here(failure: &Failure) -> bool {
    matches!(failure.status(), Status::NotConfined | Status::NotExecutable | Status::NotFound)
}

/// What a message is called.
const MESSAGE: &str = "a job";

/// Why a job becomes a dead letter that nobody waits for.
const JOB_FAILED: &str = "job-failed";

/// The outcome of a job whose worker died.
const INTERRUPTED: &str = "interrupted";

/// The outcome of a job that was not run.
const REFUSED: &str = "refused";

/// The status of a job that was killed with its worker.
const KILLED: u8 = 137;

/// When a job is looked at again that this system cannot run.
const ELSEWHERE: Duration = Duration::from_secs(60);
