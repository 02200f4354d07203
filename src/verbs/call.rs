//! `brine call`: a job is sent, and its result waited for.

use std::path::Path;
use std::time::{Duration, Instant};

use brine_core::key::random;
use brine_core::text::hex;
use brine_core::{Input, Kind, Verified, open};
use brine_job::{Grant, Grants, JobId, JobResult, ReplyQueue};
use brine_queue::{AnyQueue, Queue as _, QueueName, QueueOptions, QueueUrl, ReceiveBounds};

use super::expect::{self, Judge};
use super::sign::refuse_missing;
use super::signed_job::SignedJob;
use super::stated::Stated;
use super::verify_result::{result_of, show_errors};
use crate::args::judge::JudgeArgs;
use crate::args::work::CallArgs;
use crate::report::console::remark;
use crate::report::exit::Status;
use crate::report::{Failure, Outcome, QueueFailure, ResultFacts, Signed};
use crate::world::end_signals::EndSignals;
use crate::world::input::InputFile;
use crate::world::key_place;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::progress::{Progress, Show};
use crate::world::queue::{self, Patience};
use crate::world::release::{Hold, release};

pub(super) fn run(args: &CallArgs) -> Result<Outcome, Failure> {
    let path = args.input.as_deref().unwrap_or(Path::new("-"));
    let mut guard = expect::guarded(OverwriteGuard::default().and_input(Some(path)), &judge(args));
    queue::claim(&args.url, &mut guard)?;
    let output = Output::stdout(&mut guard)?;
    refuse_missing(path)?;
    // Nobody else knows the name before the job is sent.
    let reply = ReplyQueue::parse(&format!("{REPLIES}{}", hex(&random::<16>()?)));
    let reply = reply.map_err(|error| Failure::usage(error.to_string()))?;
    let judge = Judge::resolve(&JudgeArgs { context: Some(reply.to_string()), ..judge(args) })?;
    let judge = Judge { expectations: judge.expectations.kind(Kind::Result), ..judge };
    expect::refuse_nobody(&judge, &self::judge(args))?;
    let (job, mut jobs) = signed_job(args, path, &reply)?;
    let id = JobId::of_envelope(&job, &[])?;
    // If this process is killed, others delete it when nobody can wait for the result any more.
    let lifetime = Some(args.wait.saturating_add(MARGIN));
    let kept = QueueOptions { lifetime, ..queue::made_to_look() };
    let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
    let patience = Patience { signals: Some(signals.clone()), until: until(args) };
    let mut answers = queue::open_within(&beside(&args.url, &reply)?, kept, &patience)?;
    let sent = patience.wait(|| jobs.send(job.clone(), Duration::ZERO))?;
    let answered = wait_for_answer(args, &judge, &id, &mut answers, &patience);
    let answered = answered.map_err(|failure| match failure {
        // Nobody would look at what it does.
        Failure::Queue(failure) => {
            let is_taken_back = is_final(&failure) && jobs.withdraw(&sent).unwrap_or(false);
            Failure::Queue(if is_taken_back { failure.taken_back() } else { failure })
        }
        failure => failure,
    });
    let released = answered.and_then(|(mut verified, result)| {
        if result.status == 0 {
            let again = |verified: &mut Verified| judge.again(verified, ANSWER);
            let progress = Progress::start(None, Show::Never);
            release(&mut verified, &output, Hold::Whole, again, ANSWER, &progress)?;
        }
        Ok((verified, result))
    });
    // Nobody else knows its name. What comes later finds no queue of that.
    let removed = answers.remove();
    signals.end_process();
    let (verified, result) = released?;
    removed?;
    if !args.quiet && !args.json {
        show_errors(&result);
    }
    let signed = Box::new(Signed::attached(&verified, judge.moment.name()));
    Ok(Outcome::Answered { signed, result: Box::new(ResultFacts::of(&result)) })
}

/// Returns whether nobody will look for the result any more.
const fn is_final(failure: &QueueFailure) -> bool {
    matches!(failure, QueueFailure::Interrupted | QueueFailure::NoAnswer { .. })
}

/// What a result is held to, but for its context.
fn judge(args: &CallArgs) -> JudgeArgs {
    JudgeArgs {
        trust: args.trust.clone(),
        signers: args.signer.clone().into_iter().collect(),
        ..JudgeArgs::default()
    }
}

/// Makes the job, and opens the queue for it. The job asks for its result, and expires when nobody waits for that any
/// more.
fn signed_job(
    args: &CallArgs,
    path: &Path,
    reply: &ReplyQueue,
) -> Result<(Vec<u8>, AnyQueue), Failure> {
    let wanted = args.grants.iter().cloned().chain([Grant::Reply(reply.clone())]);
    let grants = Grants::collect(wanted).map_err(|error| Failure::usage(error.to_string()))?;
    let passphrases = Source::find(&args.passphrase);
    let key = key_place::open_named(&args.key, &passphrases, args.trust.permissions)?;
    let stated = Stated::on_queue(&args.statement, &args.url)?;
    let input = InputFile::open(Some(path))?;
    // Its ledger takes what is signed from now on, whoever makes it. Signals end this process as they do.
    let patience = Patience { signals: None, until: until(args) };
    let jobs = queue::open_within(&args.url, queue::made_to_look(), &patience)?;
    let job = SignedJob::of(input, &grants, &stated, Some(args.wait), key.as_ref())?;
    Ok((job.envelope, jobs))
}

/// Returns when nobody waits any more, if that begins now.
fn until(args: &CallArgs) -> Option<Instant> {
    Instant::now().checked_add(args.wait)
}

/// Waits for the result of a job. Anybody who can write to the queue can put something else there.
fn wait_for_answer(
    args: &CallArgs,
    judge: &Judge,
    job: &JobId,
    answers: &mut AnyQueue,
    patience: &Patience,
) -> Result<(Verified, JobResult), Failure> {
    loop {
        if patience.is_interrupted() {
            return Err(QueueFailure::Interrupted.into());
        }
        if patience.is_over() {
            let (name, wait) = (queue::name(&args.url).to_owned(), args.wait);
            return Err(QueueFailure::NoAnswer { name, wait, is_taken_back: false }.into());
        }
        let found = match patience.wait(|| answers.receive(ReceiveBounds::ONE, LOOK)) {
            Err(error) if error.may_pass() => continue,
            found => found?,
        };
        let Some(answer) = found.into_iter().next() else { continue };
        match opened(judge, job, answer.content) {
            Ok(answered) => return Ok(answered),
            // That says nothing about the answer.
            Err(failure) if matches!(failure.status(), Status::Io | Status::Key) => {
                return Err(failure);
            }
            Err(failure) if !args.quiet && !args.json => {
                remark(&format!("passed over an answer: {failure}"));
            }
            Err(_) => {}
        }
        // If that fails, it comes once more.
        let _ = answers.ack(&[&answer.lease]);
    }
}

fn opened(judge: &Judge, job: &JobId, answer: Vec<u8>) -> Result<(Verified, JobResult), Failure> {
    let Judge { expectations, trust, moment } = judge;
    let opened = open(Input::from(answer));
    let verified = opened.and_then(|opening| opening.verify(expectations, trust, moment));
    let verified = verified.map_err(|error| Failure::reading(ANSWER, error))?;
    let result = result_of(&verified, job)?;
    Ok((verified, result))
}

/// Returns the URL of a queue beside another.
fn beside(url: &QueueUrl, name: &ReplyQueue) -> Result<QueueUrl, Failure> {
    let queue = QueueName::new(name.as_str());
    let queue = queue.map_err(|error| Failure::usage(error.to_string()))?;
    Ok(url.beside(queue))
}

/// How much longer the queue of a result is kept than the result is waited for.
const MARGIN: Duration = Duration::from_secs(60 * 60);

/// How often a signal is looked for.
const LOOK: Duration = Duration::from_millis(250);

/// How the names of queues begin on which results are waited for.
const REPLIES: &str = "reply/";

/// What an answer is called.
const ANSWER: &str = "the result";
