//! `brine relay`.

use std::path::PathBuf;
use std::sync::Arc;

use brine_core::Class;
use brine_core::text::hex;
use brine_queue::{AnyQueue, Queue as _, QueueSource, SourceFigures};
use brine_records::{
    Framing, Handed, HandlerFailure, Hold, OnBadRecord, PipelineError, RecordSigner, ReleasedRun,
    Room, SigningCounts, SigningPipeline, Sink, WriteFailure,
};

use super::expect;
use super::queue_watch::{NumbersPlan, QueueWatch};
use super::receiver::{Reception, blocks};
use super::send::each;
use super::stated::Stated;
use crate::args::judge::JudgeArgs;
use crate::args::relay::RelayArgs;
use crate::args::sign::StatementArgs;
use crate::report::{Failure, Outcome, QueueFailure, SignedInput, SignedRecords};
use crate::world::clock::Moment;
use crate::world::end_signals::EndSignals;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::progress::Show;
use crate::world::queue::{self, LongWait, Patience};
use crate::world::{key_place, threads};

/// How envelopes follow one another between the signer and the queue: each as it is.
const ENVELOPES: Framing = Framing::Cbor;

/// Says where the verdict goes, and the numbers.
pub(super) fn outputs(args: &RelayArgs) -> Result<(Option<Output>, NumbersPlan), Failure> {
    refuse_misuse(args)?;
    let mut guard = expect::guarded(OverwriteGuard::default(), &args.judge);
    queue::claim(&args.from, &mut guard)?;
    if args.from.place != args.to.place {
        queue::claim(&args.to, &mut guard)?;
    }
    let numbers = NumbersPlan::of(args.metrics.metrics.as_ref(), &mut guard)?;
    if let Some(path) = &args.log {
        Output::plan("log", Some(path), &mut guard)?;
    }
    Ok((expect::report(&args.verdict, &mut guard)?, numbers))
}

/// Refuses what does not go together.
fn refuse_misuse(args: &RelayArgs) -> Result<(), Failure> {
    if queue::settled_url(&args.from)? == queue::settled_url(&args.to)? {
        return Err(Failure::mistyped(
            "SRC and DST are the same queue",
            "name the one to take messages from, and then the one to send them on to",
        ));
    }
    if args.judge.now.is_some() {
        return Err(Failure::mistyped(
            "--now is for looking, and what is carried is judged as of now",
            "leave it out",
        ));
    }
    let is_signing = args.key.is_some() || args.expires.is_some() || args.batch.is_some();
    if args.verify && is_signing {
        return Err(Failure::mistyped(
            "with --verify, nothing is signed: messages cross as they were sent",
            "leave out --key, --expires and --batch",
        ));
    }
    let JudgeArgs { trust, signers, require, max_age, aad, try_keys, .. } = &args.judge;
    let is_judging = !trust.public_keys.is_empty()
        || trust.trust.is_some()
        || trust.revoked.is_some()
        || !signers.is_empty()
        || require.is_some()
        || max_age.is_some()
        || aad.is_some()
        || try_keys.is_some();
    if args.sign && is_judging {
        return Err(Failure::mistyped(
            "with --sign, nothing is verified: whoever can write to SRC is signed for",
            "a relay with --verify in front of it lets only trusted messages in",
        ));
    }
    Ok(())
}

/// Carries messages until a signal asks to end, or nothing came for long.
pub(super) fn run(args: &RelayArgs, numbers: NumbersPlan) -> Result<Outcome, Failure> {
    if args.sign { signed(args, numbers) } else { verified(args, numbers) }
}

fn show(args: &RelayArgs) -> Show {
    Show::unless(args.verdict.quiet || args.verdict.json)
}

/// Lets messages through that verify.
fn verified(args: &RelayArgs, numbers: NumbersPlan) -> Result<Outcome, Failure> {
    let reception = Reception {
        url: &args.from,
        judge: &args.judge,
        wanted: None,
        patience: args.wait,
        lease: args.lease,
        threads: args.threads,
        show: show(args),
        log: args.log.as_deref(),
    };
    let mut receiver = reception.begin(numbers)?;
    let to = queue::open(&args.to, queue::made())?;
    let patience = Patience { signals: Some(receiver.signals().clone()), until: None };
    let mut sink = RelaySink { to, patience, is_alone: false };
    let rules = blocks(args.wait);
    let end = receiver.receive(rules, Framing::Len32, &mut sink, |_, _| {});
    receiver.finish(end)
}

/// Sends envelopes on.
struct RelaySink {
    to: AnyQueue,
    patience: Patience,
    /// Whether the next envelope is handled alone, because it is too long.
    is_alone: bool,
}

impl Sink for RelaySink {
    type Error = Failure;

    fn room(&mut self, _: usize, _: &mut dyn Hold) -> Result<Room, Failure> {
        match (self.patience.is_interrupted(), self.is_alone) {
            (true, _) => Err(QueueFailure::Interrupted.into()),
            (false, true) => Ok(Room::ONE_RECORD),
            (false, false) => Ok(Room::ANY),
        }
    }

    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Failure>> {
        let limit = self.to.message_limit();
        let envelopes: Vec<_> = run.records().map(|record| record.envelope).collect();
        let fit = envelopes.iter().position(|envelope| envelope.len() > limit);
        let (fitting, rest) = envelopes.split_at(fit.unwrap_or(envelopes.len()));
        if self.is_alone && fitting.is_empty() {
            self.is_alone = false;
            let message = format!("it is longer than the {limit} bytes that DST takes");
            return Ok(Handed::Refused(HandlerFailure::new(
                Class::Unsupported,
                "too-large",
                message,
            )));
        }
        let sent = self.patience.wait(|| {
            // If the lease is lost, it is sent on once more, and the consumers of DST drop that.
            let _ = hold.extend();
            self.to.publish(fitting)
        });
        sent.map_err(Failure::from)?;
        self.is_alone = !rest.is_empty();
        Ok(if rest.is_empty() { Handed::Done } else { Handed::First(fitting.len()) })
    }
}

/// Signs messages, and sends them on.
fn signed(args: &RelayArgs, numbers: NumbersPlan) -> Result<Outcome, Failure> {
    let name = args.key.as_deref().unwrap_or(DEFAULT_KEY);
    let passphrases = Source::find(&args.passphrase);
    let rule = args.judge.trust.permissions;
    let key = key_place::open_named(name, &passphrases, rule)?;
    let statement = StatementArgs {
        context: args.judge.context.clone(),
        content_type: None,
        expires: args.expires.clone(),
        not_before: None,
    };
    let stated = Stated::on_queue(&statement, &args.to)?;
    let facts = stated.facts();
    let state = Arc::new(move |now| stated.at_called_back(now));
    let mut to = queue::open(&args.to, queue::made())?;
    let from = queue::open(&args.from, queue::made_to_consume(args.lease, None))?;
    let watch = QueueWatch::begin(&args.from, &from, numbers, show(args))?;
    let signals = EndSignals::catch().map_err(|error| Failure::io("signals", error))?;
    let patience = Patience { signals: Some(signals.clone()), until: None };
    let (mut counts, mut long_wait) = (SigningCounts::default(), LongWait::default());
    let (channel, end) = loop {
        let state = Arc::clone(&state);
        let (key, clock) = (Arc::clone(&key), Arc::new(Moment::System));
        let mut signer = RecordSigner::stating(key, move |now| state(now), clock, ENVELOPES)?;
        if let Some(records) = args.batch {
            signer = signer.in_batches_of(usize::from(records));
        }
        let channel = hex(&signer.channel());
        let source = source(args, &from, &patience, watch.figures())?;
        let publish = |envelopes: &[u8], lengths: &[usize]| {
            let messages = each(envelopes, lengths);
            patience.wait(|| to.publish(&messages)).map_err(Failure::from)?;
            Ok::<_, WriteFailure<Failure>>(())
        };
        let pipeline = SigningPipeline::new(signer).on_bad(OnBadRecord::Skip);
        let run = pipeline.threads(threads(args.threads)).run(source, publish);
        counts.add(run.counts);
        match run.end {
            Err(PipelineError::Source(error)) if error.may_pass() && !patience.is_over() => {
                long_wait.tell(&error);
            }
            Ok(()) => break (channel, Ok(())),
            Err(error) => {
                break (channel, Err(Failure::of_queue(error, queue::name(&args.from))));
            }
        }
    };
    drop(watch);
    let is_asked = match &end {
        Ok(()) => true,
        Err(Failure::Queue(QueueFailure::Queue(error))) => error.may_pass(),
        Err(_) => false,
    };
    if is_asked {
        signals.end_process();
    }
    let signed = SignedInput {
        file: PathBuf::from(args.from.to_string()),
        output: PathBuf::from(args.to.to_string()),
        key: name.to_owned(),
        key_id: key.verifying_key().id(),
        detached: false,
        facts,
        records: Some(SignedRecords { channel, counts }),
    };
    Ok(Outcome::Signed { signed: Box::new(signed), failure: end.err() })
}

fn source(
    args: &RelayArgs,
    from: &AnyQueue,
    patience: &Patience,
    figures: &Arc<SourceFigures>,
) -> Result<QueueSource<AnyQueue>, Failure> {
    let source = QueueSource::new(patience.wait(|| from.another())?, blocks(args.wait))?;
    let patience = patience.clone();
    Ok(source.counting(Arc::clone(figures)).while_wanted(move || !patience.is_interrupted()))
}

/// The key that signs if none is named.
const DEFAULT_KEY: &str = "default";
