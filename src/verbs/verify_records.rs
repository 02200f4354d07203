//! `brine verify` of records.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brine_core::{Clock as _, Evidence, KeyId, Question};
use brine_records::replay::{LEASE, MAX_AGE, ReplayDatabase, ReplayOptions, ReplayView};
use brine_records::{
    FrameReader, FrameSide, FrameSource, Framing, LongWait, Patience, RecordCounts, RecordError,
    RecordJudge, RecordPipeline, ReplayError,
};

use super::expect::Judge;
use super::reject_file::{KeptRecords, RejectFile};
use crate::args::judge::JudgeArgs;
use crate::args::record::FramingName;
use crate::args::verify::Verify;
use crate::report::{Failure, OlderRecords, Outcome, console, retyped};
use crate::world::clock::Moment;
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::record_output::{Payloads, RecordOutput};
use crate::world::watched_trust::WatchedTrust;
use crate::world::{clock, threads};

/// Verifies each record of the input, and writes the payloads in the same order.
pub(super) fn verify_records(
    args: &Verify,
    judge: Judge,
    (framing, framed): (Framing, Framing),
    output: Option<&Output>,
) -> Result<Outcome, Failure> {
    let rejects = args.rejects.refusals.reject_to.as_deref().map(RejectFile::open).transpose()?;
    let database = args.rejects.replay_db.as_deref().map(|path| open_database(args, path, output));
    let database = database.transpose()?;
    let sink = output
        .map(|output| RecordOutput::open(output, Payloads::Framed(framed), database.is_some()));
    let mut sink = sink.transpose()?;
    let (source, name) = source(args, framing)?;
    let Judge { expectations, trust, moment } = judge;
    let (trusted, clock) = (trust.clone(), moment);
    let judge = RecordJudge::new(expectations, trust, moment, framed);
    let run = RecordPipeline::new(judge, &mut sink)
        .on_bad(args.rejects.refusals.on_bad())
        .threads(threads(args.threads))
        .rejects(rejects)
        .ledger(database)
        .patience(ToldPatience)
        .run(source);
    let ended = run.end.map_err(|error| Failure::of_pipeline(error, &name));
    let finished = ended.and_then(|()| sink.map_or(Ok(()), RecordOutput::finish));
    let older = older_records(args, &run.counts, framed);
    let signers = signed_by(&args.judge, &run.counts, &trusted, clock);
    match (finished, older) {
        // A database that refuses everything is the wrong one, whatever became of the records.
        (Ok(()), Some(older))
            if older.records == run.counts.refused && released(&run.counts) == 0 =>
        {
            let failure = Some(Failure::OlderRecords(older));
            Ok(Outcome::Records { counts: run.counts, signers, failure, older: None })
        }
        (Err(record), Some(older)) if is_older(&record) => {
            let failure = Failure::OlderRecord { record: Box::new(record), older };
            let failure = Some(failure);
            Ok(Outcome::Records { counts: run.counts, signers, failure, older: None })
        }
        (finished, older) => {
            Ok(Outcome::Records { counts: run.counts, signers, failure: finished.err(), older })
        }
    }
}

/// Says how many records each signer has signed: by the name under which the key is believed, or by the key's id where
/// nobody knows it any more.
pub(super) fn signed_by(
    judge: &JudgeArgs,
    counts: &RecordCounts,
    trust: &WatchedTrust,
    clock: Moment,
) -> BTreeMap<String, u64> {
    let mut signers = BTreeMap::new();
    for (key, count) in &counts.signers {
        let name = name_of(*key, judge, trust, clock).unwrap_or_else(|| key.to_string());
        *signers.entry(name).or_default() += count;
    }
    signers
}

/// Returns the name under which a key is believed, or was.
pub(super) fn name_of(
    key: KeyId,
    judge: &JudgeArgs,
    trust: &WatchedTrust,
    clock: Moment,
) -> Option<String> {
    let JudgeArgs { context, signers, .. } = judge;
    let now = clock.now().ok()?;
    let question =
        Question { context: context.as_deref(), signer: signers.first().map(String::as_str), now };
    let trust = trust.read().ok()?;
    let judged = trust.judge_entry(&Evidence::Key(key), &question).ok();
    let entry = judged.or_else(|| trust.entries_of(key).next())?;
    Some(entry.name().to_owned())
}

/// Returns whether the work ended because of a record that was signed before the replay database can remember.
const fn is_older(failure: &Failure) -> bool {
    matches!(failure, Failure::Record { why: RecordError::Replay(ReplayError::Unknown { .. }), .. })
}

/// Describes the records that were signed before the replay database can remember, if there were any.
fn older_records(
    args: &Verify,
    counts: &RecordCounts,
    framed: Framing,
) -> Option<Box<OlderRecords>> {
    let records = *counts.reasons.get(OLDER)?;
    let database = args.rejects.replay_db.clone()?;
    let now = clock::read().ok()?;
    let status = ReplayView::open(&database).and_then(|view| view.status(now)).ok()?;
    let kept = args.rejects.refusals.reject_to.clone();
    Some(Box::new(OlderRecords {
        database,
        from: status.answers_from,
        has_released: status.seen > 0 || status.names > 0 || status.leases > 0,
        kept: kept.map(|kept| (kept, FramingName::from(framed).as_str())),
        judging: retyped::judging(args),
        max_age: status.max_age,
        records,
    }))
}

/// Returns how many records passed, in this run or before.
const fn released(counts: &RecordCounts) -> u64 {
    counts.verified.saturating_add(counts.repeated)
}

fn open_database(
    args: &Verify,
    path: &Path,
    output: Option<&Output>,
) -> Result<ReplayDatabase, Failure> {
    // A file that appears at the end has nothing in it while the database says that it has.
    if output.is_some_and(Output::appears_at_the_end) {
        return Err(Failure::usage(
            "--replay-db goes with standard output, which has a record when it was released: \
             redirect it instead of giving -o",
        ));
    }
    let options = ReplayOptions {
        busy_timeout: SHORT_WAIT,
        // Moments are whole seconds, so that a second of a lease may have passed when it begins.
        lease: args.rejects.lease.unwrap_or(LEASE).saturating_add(Duration::from_secs(1)),
        max_age: args.judge.max_age.unwrap_or(MAX_AGE),
        // One that is not there was lost, or its name is wrong: a new one would know nothing.
        ..ReplayOptions::default()
    };
    Ok(ReplayDatabase::open(path, &options, clock::read()?)?)
}

type RecordInput = Box<dyn Read + Send>;

/// Returns the records of the input, or those that were kept, and what to call where they are.
fn source(args: &Verify, framing: Framing) -> Result<(FrameSource<RecordInput>, String), Failure> {
    let (input, name): (RecordInput, _) = match &args.rejects.retry {
        None => {
            let input = InputFile::open(args.inputs.first().map(PathBuf::as_path))?;
            let (file, name) = input.into_file();
            (Box::new(file), name)
        }
        Some(kept) => {
            let (file, name) = InputFile::open_file(kept)?.into_file();
            (Box::new(KeptRecords::new(file)), name)
        }
    };
    Ok((FrameSource::new(FrameReader::new(input, framing, FrameSide::Envelope)), name))
}

/// Tells a person about long waits.
pub(super) struct ToldPatience;

impl Patience for ToldPatience {
    fn note(&mut self, wait: LongWait) {
        console::remark(&wait.to_string());
    }
}

/// The reason why a record is refused that is older than the database.
const OLDER: &str = "replay-unknown";

/// How long nothing is said about a database that another process has locked.
const SHORT_WAIT: Duration = Duration::from_secs(1);
