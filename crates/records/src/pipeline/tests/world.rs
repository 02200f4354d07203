//! A world of fakes, and what must never happen in it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use brine_core::time::ClockBefore1970;
use brine_core::{
    Class, Expectations, KeyId, KnownSigners, Observer, Sequence, Signer, SigningKey, Standing,
    Statement, Timestamp, open, sign,
};

use super::fake_ledger::FakeLedger;
use crate::framing::{FrameBlock, RecordFrame};
use crate::ledger::{Identity, ReplayError, Subject};
use crate::pipeline::error::StepError;
use crate::pipeline::judge::{Judgement, RecordVerdict, SpareJudgements};
use crate::pipeline::lease_keeper::LeaseKeeper;
use crate::pipeline::recheck::Recheck;
use crate::pipeline::release::Release;
use crate::pipeline::replay_gate::ReplayGate;
use crate::pipeline::{
    HandlerFailure, LongWait, OnBadRecord, OnRepeated, PipelineError, RecordCounts, RecordError,
    RecordFate, RecordListener, RecordRules, RecordRun, Room, SettledRecord, drive,
};

/// What a record is, and how the ends behave about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RecordKind {
    /// It does not verify.
    Bad,
    /// Another process has reserved it, and dies.
    Busy,
    /// A copy of the record before it.
    Copy,
    /// It expires a minute after the world began.
    Expiring,
    /// The sink fails to handle it the first time.
    Flaky,
    /// The ledger has no room for it.
    Full,
    Good,
    /// The sink can never handle it.
    Hopeless,
    /// Reading trust takes so long, when it is reserved, that another process handles it meanwhile.
    Overtaken,
    /// It was released before.
    Replayed,
    /// Writing it takes so long that another process reserves it meanwhile.
    Slow,
    /// The process stands still when it has reserved it, and another one handles it meanwhile.
    Stalled,
}

/// How the pipeline is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) block_records: usize,
    pub(super) has_ledger: bool,
    pub(super) has_rejects: bool,
    /// Whether keeping a record can take long.
    pub(super) rejects_wait: bool,
    pub(super) is_leased: bool,
    pub(super) on_bad: OnBadRecord,
    pub(super) on_repeated: OnRepeated,
    pub(super) room: Room,
    /// How many records the sink writes at once, at most.
    pub(super) takes: usize,
    /// A step that takes as long as it takes for records to expire.
    pub(super) slow: Option<Call>,
}

/// A step of the work, at which something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Acknowledge,
    Clock,
    Commit,
    DeadLetter,
    Extend,
    GiveBack,
    Judge,
    Keep,
    Missing,
    Next,
    Pause,
    Renew,
    Reserve,
    Retry,
    Room,
    Trust,
    Write,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The step is not done, and an error is returned.
    Fail,
    /// The step is done, and an error is returned. Where that is against the contract, as `Fail`. A sink has
    /// written some records, and says how many.
    FailAfter,
    /// The process dies before the step.
    Kill,
    /// The process dies after the step.
    KillAfter,
}

pub(super) const FAULTS: [Fault; 4] =
    [Fault::Fail, Fault::FailAfter, Fault::Kill, Fault::KillAfter];

/// The error of every fake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broken at {0:?}")]
pub(super) struct Broken(pub(super) Call);

/// How a run ended.
pub(super) type Ended = PipelineError<Broken, Broken, Broken>;

/// What a process that was killed unwinds with.
struct Killed;

/// What is known of a record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) kind: RecordKind,
    /// What copies have in common.
    pub(super) identity: u8,
    /// How often it was written.
    pub(super) writes: u32,
    /// How often a fault came between a write and its commit.
    pub(super) excuses: u32,
    /// Whether it was written, and nothing has made that durable.
    pub(super) is_open: bool,
    /// Whether rejects or dead letters have it.
    pub(super) is_kept: bool,
    /// How it was settled with the source, if it was.
    pub(super) settled: Option<Call>,
    /// Until when the source waits for it to be settled.
    pub(super) leased_until: u64,
    /// The place of its last delivery among all.
    pub(super) delivered: u64,
}

/// What a ledger knows of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Done,
    Leased { process: u32, until: u64 },
}

#[derive(Debug)]
pub(super) struct WorldState {
    pub(super) setup: Setup,
    pub(super) records: Vec<Record>,
    pub(super) ledger: BTreeMap<u8, Known>,
    pub(super) now: u64,
    /// Which process is at work; 0 is another one.
    pub(super) process: u32,
    pub(super) deliveries: u64,
    pub(super) last_written: u64,
    pub(super) next_piped: usize,
    pub(super) judged: BTreeSet<usize>,
    /// How many steps were done in this run.
    pub(super) calls: Vec<Call>,
    pub(super) fault: Option<(usize, Fault)>,
    /// How often the ledger is locked before it answers.
    pub(super) locks: u32,
    pub(super) is_full: bool,
    pub(super) notes: Vec<LongWait>,
    /// What was written and kept, in order.
    pub(super) written: Vec<usize>,
    pub(super) kept: Vec<usize>,
    /// How long a pause is.
    pub(super) pause_seconds: u64,
}

/// The world, shared by its fakes.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<WorldState>>);

/// When the world begins.
const BEGIN: u64 = 1_000_000;

/// Trusts the one signer of the world.
pub(super) static TRUST: LazyLock<KnownSigners> =
    LazyLock::new(|| KnownSigners::new([Signer::new("k", KEY.verifying_key().clone())]));

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_seed(&zeroize::Zeroizing::new([1; 32])));

/// What of records can stop holding: nothing, and that they have not expired.
static STANDINGS: LazyLock<[Standing; 2]> = LazyLock::new(|| {
    let begin = Statement::at(at(BEGIN));
    [begin.clone(), begin.expires(at(BEGIN))].map(|statement| {
        let envelope = sign(&statement, &*KEY, b"").unwrap().to_bytes();
        let opening = open(envelope).unwrap();
        opening.verify(&Expectations::new(), &*TRUST, &at(BEGIN)).unwrap().standing()
    })
});

/// How long leases of the source and the ledger last.
pub(super) const LEASE: u64 = 1000;

impl World {
    pub(super) fn new(setup: Setup, kinds: &[RecordKind]) -> Self {
        let mut records: Vec<Record> = Vec::new();
        let mut ledger = BTreeMap::new();
        for (index, &kind) in kinds.iter().enumerate() {
            let own = u8::try_from(index).unwrap();
            let before = records.last().map(|record| record.identity);
            let identity = if kind == RecordKind::Copy { before.unwrap_or(own) } else { own };
            match kind {
                RecordKind::Busy => {
                    ledger.insert(own, Known::Leased { process: 0, until: BEGIN + 10 });
                }
                RecordKind::Replayed => {
                    ledger.insert(own, Known::Done);
                }
                _ => {}
            }
            records.push(Record {
                kind,
                identity,
                writes: 0,
                excuses: 0,
                is_open: false,
                is_kept: false,
                settled: None,
                leased_until: 0,
                delivered: 0,
            });
        }
        Self(Arc::new(Mutex::new(WorldState {
            setup,
            records,
            ledger,
            now: BEGIN,
            process: 0,
            deliveries: 0,
            last_written: 0,
            next_piped: 0,
            judged: BTreeSet::new(),
            calls: Vec::new(),
            fault: None,
            locks: 0,
            is_full: true,
            notes: Vec::new(),
            written: Vec::new(),
            kept: Vec::new(),
            pause_seconds: 10,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, WorldState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the pipeline in a process of its own, with a fault at a step. Returns how it ended; `None` if it
    /// died.
    pub(super) fn run(&self, fault: Option<(usize, Fault)>) -> Option<RecordRun<Ended>> {
        let setup = self.state().begin(fault);
        let heard = Heard::default();
        let run = catch_unwind(AssertUnwindSafe(|| {
            let keeper = LeaseKeeper::new(FakeLedger(self.clone()), Arc::new(self.clone()));
            let gate = ReplayGate::new(&keeper, self.clone());
            let recheck = Recheck::new(self.observer(), Arc::new(Expectations::new()));
            let release = Release {
                sink: self.clone(),
                rejects: self.clone(),
                gate,
                recheck,
                rules: RecordRules { on_bad: setup.on_bad, on_repeated: setup.on_repeated },
                counts: RecordCounts::default(),
                spare: SpareJudgements::default(),
                listener: Some(Box::new(heard.clone())),
            };
            let world = self.clone();
            drive(self.clone(), 1, move |block: &mut FrameBlock| world.judge(block), release)
        }));
        self.state().end();
        match run {
            Ok(run) => {
                heard.agrees_with(&run);
                Some(run)
            }
            Err(payload) if payload.is::<Killed>() => None,
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Does a step, if nothing goes wrong.
    pub(super) fn step<T>(
        &self,
        call: Call,
        work: impl FnOnce(&mut WorldState) -> T,
    ) -> Result<T, Broken> {
        let mut state = self.state();
        let struck = state.fault.and_then(|(at, _)| state.calls.get(at - 1).copied());
        let is_unknown = (struck, call) == (Some(Call::Commit), Call::GiveBack);
        assert!(
            !is_unknown,
            "records are given back, and it is not known whether they are committed"
        );
        state.calls.push(call);
        let fault = state.fault.filter(|(at, _)| *at == state.calls.len()).map(|(_, fault)| fault);
        let is_done = match fault {
            Some(Fault::Fail | Fault::Kill) => false,
            // They promise that nothing is done if they fail.
            Some(Fault::FailAfter) => !matches!(call, Call::Reserve | Call::Renew | Call::Next),
            Some(Fault::KillAfter) | None => true,
        };
        let outcome = is_done.then(|| work(&mut state));
        if state.setup.slow == Some(call) {
            state.now += EXPIRY;
        }
        // What a sink says that it has written is no excuse.
        if fault.is_some() && (fault, call) != (Some(Fault::FailAfter), Call::Write) {
            state.excuse_open();
        }
        match (fault, outcome) {
            (Some(Fault::Kill | Fault::KillAfter), _) => {
                drop(state);
                resume_unwind(Box::new(Killed))
            }
            (None, Some(outcome)) => Ok(outcome),
            (Some(Fault::Fail | Fault::FailAfter) | None, _) => Err(Broken(call)),
        }
    }

    fn judge(&self, block: &mut FrameBlock) -> Result<Judgement, StepError> {
        let circumstances = self.observer().observe()?;
        let judged = self.step(Call::Judge, |state| state.judge(block));
        // A judge fails for want of a clock or of memory.
        let (payloads, verdicts) = judged.map_err(|_| ClockBefore1970)?;
        Ok(Judgement { at: circumstances.now(), circumstances, payloads, verdicts })
    }

    fn observer(&self) -> Observer {
        Observer::new(self.clone(), self.clone())
    }
}

/// The bytes of a record: its index.
pub(super) fn frame(index: usize) -> Vec<u8> {
    vec![u8::try_from(index).unwrap()]
}

pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

impl WorldState {
    /// Begins a process, long after all leases of the one before ran out.
    fn begin(&mut self, fault: Option<(usize, Fault)>) -> Setup {
        if self.process > 0 {
            self.now += 10 * LEASE;
        }
        self.process += 1;
        self.fault = fault;
        self.calls.clear();
        self.judged.clear();
        self.last_written = 0;
        self.next_piped = 0;
        self.setup
    }

    fn end(&mut self) {
        self.fault = None;
    }

    /// What goes wrong at the next step.
    pub(super) fn next_fault(&self) -> Option<Fault> {
        self.fault.filter(|(at, _)| *at == self.calls.len() + 1).map(|(_, fault)| fault)
    }

    /// A fault came between a write and the commit: the records may be written again.
    fn excuse_open(&mut self) {
        for record in self.records.iter_mut().filter(|record| record.is_open) {
            record.excuses += 1;
            record.is_open = false;
        }
    }

    fn judge(&mut self, block: &FrameBlock) -> (Vec<u8>, Vec<RecordVerdict>) {
        let (mut payloads, mut verdicts) = (Vec::new(), Vec::new());
        for frame in block.frames() {
            let RecordFrame::Record(bytes) = frame else { panic!("{frame:?}") };
            let index = usize::from(bytes[0]);
            let record = &self.records[index];
            if record.kind == RecordKind::Bad {
                verdicts.push(RecordVerdict::Refused(bad()));
                continue;
            }
            self.judged.insert(index);
            let start = payloads.len();
            payloads.extend([b'p', bytes[0]]);
            let sequence = Sequence { channel: [1; 16], seq: record.identity.into() };
            let identity = Identity::Sequenced(KeyId::from_bytes([1; 32]), sequence);
            let subject = Subject { identity, expires: None, issued_at: None };
            let subject = self.setup.has_ledger.then_some(subject);
            let [lasting, expiring] = STANDINGS.clone();
            let is_expiring = record.kind == RecordKind::Expiring;
            if is_expiring && self.has_expired() {
                verdicts.push(RecordVerdict::Refused(expired()));
                continue;
            }
            let standing = if is_expiring { expiring } else { lasting };
            let payload = start..payloads.len();
            verdicts.push(RecordVerdict::Verified { payload, standing, subject });
        }
        (payloads, verdicts)
    }

    fn has_expired(&self) -> bool {
        self.now >= BEGIN + EXPIRY
    }

    /// This process holds no lease, for example while it waits.
    pub(super) fn assert_no_own_lease(&self) {
        let own = |known: &Known| matches!(known, Known::Leased { process, .. } if *process == self.process);
        assert!(!self.ledger.values().any(own), "it holds a lease: {:?}", self.ledger);
    }

    /// Nothing is leased, save a record that has expired since and could not be given back: its lease runs out.
    pub(super) fn assert_no_lease(&self) {
        let is_left = |(identity, known): (&u8, &Known)| {
            let Known::Leased { process: 1.., until } = *known else { return false };
            let is_expiring = self.records[usize::from(*identity)].kind == RecordKind::Expiring;
            !is_expiring || until > self.now
        };
        assert!(!self.ledger.iter().any(is_left), "a lease is left: {:?}", self.ledger);
    }

    pub(super) fn write(&mut self, index: usize) {
        let Setup { has_ledger, is_leased, .. } = self.setup;
        assert!(self.judged.contains(&index), "{index} is written and was not judged");
        let is_late = self.records[index].kind == RecordKind::Expiring && self.has_expired();
        assert!(!is_late, "{index} is written when it has expired");
        let delivered = self.records[index].delivered;
        assert!(delivered > self.last_written, "{index} is written out of order");
        self.last_written = delivered;
        let is_before = |record: &&Record| (1..delivered).contains(&record.delivered);
        let mut before = self.records.iter().filter(is_before);
        let is_kept = before.all(|record| record.kind != RecordKind::Bad || record.is_kept);
        assert!(is_kept || !self.setup.has_rejects, "{index} is written before others are kept");
        if has_ledger {
            let known = self.ledger.get(&self.records[index].identity);
            let own =
                matches!(known, Some(Known::Leased { process, .. }) if *process == self.process);
            assert!(own, "{index} is written without a lease: {known:?}");
        }
        let record = &mut self.records[index];
        assert_eq!(record.settled, None, "{index} is written after it was settled");
        record.writes += 1;
        record.is_open = true;
        let identity = record.identity;
        self.written.push(index);
        if has_ledger || is_leased {
            // For a ledger, copies are one record.
            let alike = self.records.iter().enumerate().filter(|(other, record)| {
                *other == index || (has_ledger && record.identity == identity)
            });
            let (writes, excuses) = alike.fold((0, 0), |(writes, excuses), (_, record)| {
                (writes + record.writes, excuses + record.excuses)
            });
            assert!(writes <= 1 + excuses, "{index} is written {writes} times: {:?}", self.records);
        }
    }

    pub(super) fn keep(&mut self, index: usize, why: &RecordError) {
        let is_late = self.has_expired() && self.records[index].kind == RecordKind::Expiring;
        let record = &mut self.records[index];
        let is_repeated = matches!(why, RecordError::Replay(ReplayError::Replayed));
        let is_handlers = matches!(why, RecordError::Handler(_));
        assert!(
            record.kind == RecordKind::Bad || is_repeated || is_handlers || is_late,
            "{record:?} is kept: {why}"
        );
        assert!(record.settled.is_none(), "{record:?} is kept after it was settled");
        record.is_kept = true;
        self.kept.push(index);
    }

    /// Nothing is acknowledged before it was handled or kept.
    pub(super) fn acknowledge(&mut self, index: usize) {
        let has_ledger = self.setup.has_ledger;
        let is_done = self.ledger.get(&self.records[index].identity) == Some(&Known::Done);
        let is_handled = if has_ledger { is_done } else { self.records[index].writes > 0 };
        let record = &mut self.records[index];
        assert!(is_handled || record.is_kept, "{index} is acknowledged too early: {record:?}");
        assert!(
            record.kind != RecordKind::Bad || record.is_kept,
            "{record:?} is acknowledged and gone"
        );
        assert_eq!(record.settled, None, "{index} is settled twice");
        record.settled = Some(Call::Acknowledge);
        record.is_open = false;
    }

    pub(super) fn settled(&self) -> Vec<Option<Call>> {
        self.records.iter().map(|record| record.settled).collect()
    }

    pub(super) fn writes(&self) -> Vec<u32> {
        self.records.iter().map(|record| record.writes).collect()
    }

    pub(super) fn kept_set(&self) -> BTreeSet<usize> {
        self.kept.iter().copied().collect()
    }
}

/// How long it takes for records to expire.
pub(super) const EXPIRY: u64 = 60;

/// Why records that have expired are refused.
fn expired() -> RecordError {
    brine_core::Error::from(brine_core::ClaimsError::Expired { at: at(BEGIN) }).into()
}

/// Why bad records are refused.
pub(super) fn bad() -> RecordError {
    HandlerFailure::new(Class::Altered, "signature-bad", "this record is bad").into()
}

/// Counts what a listener hears.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<RecordCounts>>);

impl Heard {
    /// Fails unless the counts of a run that came to its end are what was heard.
    fn agrees_with(&self, run: &RecordRun<Ended>) {
        if run.end.is_err() {
            return;
        }
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let expected = RecordCounts {
            kept: heard.kept,
            missing: heard.missing,
            signers: heard.signers.clone(),
            ..run.counts.clone()
        };
        assert_eq!(heard, expected);
    }
}

impl RecordListener for Heard {
    fn settled(&mut self, record: &SettledRecord<'_>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match record.fate {
            RecordFate::Released(_) => heard.verified += 1,
            RecordFate::Repeated => heard.repeated += 1,
            RecordFate::Refused(why) => heard.refuse(why),
            RecordFate::Retried(..) => heard.retried += 1,
        }
    }
}
