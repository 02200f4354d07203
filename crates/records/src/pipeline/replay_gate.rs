//! The gate between the verdict on a record and its release: each record passes once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use brine_core::{CHANNEL_BYTES, Class, Classified as _, Clock, KeyId, Timestamp};

use super::counts::MissingRecords;
use super::error::StepError;
use super::judge::RecordVerdict;
use super::patience::{LongWait, Patience};
use super::{OnBadRecord, OnRepeated, RecordRules};
use crate::ledger::{Ledger, ReplayError, Reservation, Settled, Subject};

/// Lets each record through once, if there is a ledger.
pub(super) struct ReplayGate<L, P> {
    ledger: L,
    patience: P,
    clock: Arc<dyn Clock>,
    /// The channels that were met, to look for missing records in.
    channels: BTreeSet<(KeyId, [u8; CHANNEL_BYTES])>,
    waiting: Option<Waiting>,
}

/// How long another process has been waited for.
#[derive(Debug, Default)]
struct Waiting {
    paused: Duration,
    is_noted: bool,
}

/// The records that can be released now, in their order.
#[derive(Debug)]
pub(super) struct Admitted<T> {
    /// The index of the first one that cannot.
    pub(super) until: usize,
    /// The leases of the verified records before it.
    pub(super) leases: Vec<T>,
    pub(super) next: NextStep,
}

impl<T> Admitted<T> {
    /// Admits all records, without leases.
    fn all(verdicts: &[RecordVerdict]) -> Self {
        Self { until: verdicts.len(), leases: Vec::new(), next: NextStep::GoOn }
    }

    /// Goes through the reservations up to the first that ends the run. Returns the leases behind it, too.
    fn sort(
        verdicts: &mut [RecordVerdict],
        reserved: impl Iterator<Item = (usize, Reservation<T>)>,
        rules: RecordRules,
    ) -> (Self, Vec<T>) {
        let (mut admitted, mut surplus) = (Self::all(verdicts), Vec::new());
        let mut has_ended = false;
        for (index, reservation) in reserved {
            match GateStep::of(reservation, rules.on_repeated) {
                GateStep::Release(lease) if has_ended => surplus.push(lease),
                _ if has_ended => {}
                GateStep::Release(lease) => admitted.leases.push(lease),
                GateStep::Repeat => set(verdicts, index, RecordVerdict::Repeated),
                GateStep::Refuse(error) => {
                    set(verdicts, index, RecordVerdict::Refused(error.into()));
                    if rules.on_bad == OnBadRecord::Stop {
                        admitted.until = index.saturating_add(1);
                        has_ended = true;
                    }
                }
                GateStep::Halt(next) => {
                    (admitted.next, admitted.until) = (next, index);
                    has_ended = true;
                }
            }
        }
        (admitted, surplus)
    }
}

/// What follows when they are released.
#[derive(Debug)]
pub(super) enum NextStep {
    /// The ledger cannot take the next record.
    Fail(ReplayError),
    GoOn,
    /// Another process handles the next record.
    Wait(Timestamp),
}

/// What a reservation means for its record.
enum GateStep<T> {
    Halt(NextStep),
    Refuse(ReplayError),
    Release(T),
    Repeat,
}

impl<T> GateStep<T> {
    fn of(reservation: Reservation<T>, on_repeated: OnRepeated) -> Self {
        match reservation {
            Reservation::Fresh(lease) => Self::Release(lease),
            Reservation::Busy { until } => Self::Halt(NextStep::Wait(until)),
            // That says nothing about the record, which can be tried again.
            Reservation::Refused(error) if error.class() == Class::System => {
                Self::Halt(NextStep::Fail(error))
            }
            Reservation::Refused(error) => Self::Refuse(error),
            Reservation::Replayed | Reservation::Twin { .. } => match on_repeated {
                OnRepeated::Drop => Self::Repeat,
                OnRepeated::Refuse => Self::Refuse(ReplayError::Replayed),
            },
        }
    }
}

impl<L: Ledger, P: Patience> ReplayGate<L, P> {
    pub(super) fn new(ledger: L, patience: P, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, patience, clock, channels: BTreeSet::new(), waiting: None }
    }

    /// Returns whether there is a ledger.
    pub(super) fn is_kept(&self) -> bool {
        self.ledger.is_kept()
    }

    /// Reserves the verified records from `from` on, as far as possible without waiting for another process
    /// while something is reserved: two processes that did would wait for each other.
    ///
    /// It changes the verdicts on records that were released before. With [`OnBadRecord::Stop`] it ends
    /// behind the first record that it refuses.
    pub(super) fn admit(
        &mut self,
        verdicts: &mut [RecordVerdict],
        from: usize,
        rules: RecordRules,
    ) -> Result<Admitted<L::Lease>, StepError> {
        if !self.ledger.is_kept() {
            return Ok(Admitted::all(verdicts));
        }
        let (indexes, subjects) = subjects(verdicts, from)?;
        if subjects.is_empty() {
            return Ok(Admitted::all(verdicts));
        }
        self.remember(&subjects);
        let reservations = self.reserve(&subjects)?;
        let reserved = indexes.into_iter().zip(reservations);
        let (admitted, surplus) = Admitted::sort(verdicts, reserved, rules);
        self.give_back(&surplus)?;
        Ok(admitted)
    }

    /// Notes that the records were released. From then on every copy is refused.
    pub(super) fn commit(&mut self, leases: &[L::Lease]) -> Result<(), StepError> {
        if leases.is_empty() {
            return Ok(());
        }
        self.waiting = None;
        let now = self.clock.now()?;
        let Self { ledger, patience, .. } = self;
        let settled = patiently(patience, || ledger.commit_many(leases, now))?;
        if settled.contains(&Settled::Lost) {
            return Err(ReplayError::LeaseLost.into());
        }
        Ok(())
    }

    /// Gives back records that were not released, so that another process can have them at once.
    pub(super) fn give_back(&mut self, leases: &[L::Lease]) -> Result<(), StepError> {
        if leases.is_empty() {
            return Ok(());
        }
        let now = self.clock.now()?;
        // A lease that was lost is with another process, which is no loss.
        self.ledger.give_back_many(leases, now)?;
        Ok(())
    }

    /// Waits a little for another process, and says so once it has taken long.
    pub(super) fn wait(&mut self, until: Timestamp) {
        let waiting = self.waiting.get_or_insert_default();
        if !waiting.is_noted && waiting.paused >= SHORT_WAIT {
            waiting.is_noted = true;
            self.patience.note(LongWait::Record { until });
        }
        waiting.paused = waiting.paused.saturating_add(PAUSE);
        self.patience.pause(PAUSE);
    }

    /// Counts the records that are missing from the channels that were met.
    pub(super) fn missing(&self) -> Result<MissingRecords, ReplayError> {
        let mut missing = MissingRecords::default();
        for (key, channel) in &self.channels {
            let records = self.ledger.missing_from(*key, channel)?;
            missing.records = missing.records.saturating_add(records);
            missing.channels += u64::from(records > 0);
        }
        Ok(missing)
    }

    fn reserve(&mut self, subjects: &[Subject]) -> Result<Vec<Reservation<L::Lease>>, StepError> {
        let now = self.clock.now()?;
        let Self { ledger, patience, .. } = self;
        Ok(patiently(patience, || ledger.reserve_many(subjects, now))?)
    }

    fn remember(&mut self, subjects: &[Subject]) {
        for channel in subjects.iter().filter_map(Subject::channel) {
            if self.channels.len() < MAX_CHANNELS {
                self.channels.insert(channel);
            }
        }
    }
}

/// Returns the verified records from `from` on: their indexes, and their identities.
fn subjects(
    verdicts: &[RecordVerdict],
    from: usize,
) -> Result<(Vec<usize>, Vec<Subject>), ReplayError> {
    let (mut indexes, mut subjects) = (Vec::new(), Vec::new());
    for (index, verdict) in verdicts.iter().enumerate().skip(from) {
        if let RecordVerdict::Verified { subject, .. } = verdict {
            indexes.push(index);
            // The judge identifies every record for a ledger, so that none passes it by.
            subjects.push(subject.ok_or(ReplayError::IdentityMissing)?);
        }
    }
    Ok((indexes, subjects))
}

fn set(verdicts: &mut [RecordVerdict], index: usize, verdict: RecordVerdict) {
    if let Some(place) = verdicts.get_mut(index) {
        *place = verdict;
    }
}

/// Tries again while another process has locked the ledger, and says so once.
fn patiently<T>(
    patience: &mut impl Patience,
    mut work: impl FnMut() -> Result<T, ReplayError>,
) -> Result<T, ReplayError> {
    let mut is_noted = false;
    loop {
        match work() {
            Err(ReplayError::Locked) => {
                if !is_noted {
                    patience.note(LongWait::Ledger);
                }
                is_noted = true;
            }
            done => return done,
        }
    }
}

/// How long nothing is said about waiting.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// How long until the ledger is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// In how many channels missing records are looked for, at most.
const MAX_CHANNELS: usize = 4096;
