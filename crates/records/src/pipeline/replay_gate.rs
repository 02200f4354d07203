//! The gate between the verdict on a record and its release: each record passes once.

use std::collections::BTreeSet;
use std::time::Duration;

use brine_core::{CHANNEL_BYTES, Class, Classified as _, KeyId, Timestamp};

use super::counts::MissingRecords;
use super::error::StepError;
use super::judge::RecordVerdict;
use super::lease_keeper::{LeaseKeeper, Reserved};
use super::patience::{LongWait, Patience};
use super::{OnBadRecord, OnRepeated, RecordRules};
use crate::ledger::{Ledger, ReplayError, Reservation, Subject};

/// Lets each record through once, if there is a ledger.
pub(super) struct ReplayGate<'k, L: Ledger, P> {
    keeper: &'k LeaseKeeper<L>,
    patience: P,
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
pub(super) struct Admitted {
    /// The index of the first one that cannot.
    pub(super) until: usize,
    pub(super) next: NextStep,
}

/// The leases of a reservation: those of the records that can be released now, and all others.
struct SortedLeases<T> {
    admitted: Vec<T>,
    surplus: Vec<T>,
}

impl Admitted {
    /// Admits all records, without leases.
    const fn all(verdicts: &[RecordVerdict]) -> Self {
        Self { until: verdicts.len(), next: NextStep::GoOn }
    }

    /// Goes through the reservations up to the first that ends the run.
    fn sort<T>(
        verdicts: &mut [RecordVerdict],
        reserved: impl Iterator<Item = (usize, Reservation<T>)>,
        rules: RecordRules,
    ) -> (Self, SortedLeases<T>) {
        let mut admitted = Self::all(verdicts);
        let mut leases = SortedLeases { admitted: Vec::new(), surplus: Vec::new() };
        let mut has_ended = false;
        for (index, reservation) in reserved {
            match GateStep::of(reservation, rules.on_repeated) {
                GateStep::Release(lease) if has_ended => leases.surplus.push(lease),
                _ if has_ended => {}
                GateStep::Release(lease) => leases.admitted.push(lease),
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
        (admitted, leases)
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

impl<'k, L: Ledger, P: Patience> ReplayGate<'k, L, P> {
    pub(super) const fn new(keeper: &'k LeaseKeeper<L>, patience: P) -> Self {
        Self { keeper, patience, channels: BTreeSet::new(), waiting: None }
    }

    /// Returns whether there is a ledger.
    pub(super) const fn is_kept(&self) -> bool {
        self.keeper.is_kept()
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
    ) -> Result<Admitted, StepError> {
        if !self.is_kept() {
            return Ok(Admitted::all(verdicts));
        }
        let (indexes, subjects) = subjects(verdicts, from)?;
        if subjects.is_empty() {
            return Ok(Admitted::all(verdicts));
        }
        self.remember(&subjects);
        let Reserved { at, found } = self.keeper.reserve(&subjects, &mut self.patience)?;
        let reserved = indexes.into_iter().zip(found);
        let (admitted, leases) = Admitted::sort(verdicts, reserved, rules);
        self.keeper.hold(leases.admitted, at);
        if let Err(error) = self.keeper.give_back_these(&leases.surplus) {
            // That error is the one to tell of.
            let _ = self.keeper.give_back();
            return Err(error);
        }
        Ok(admitted)
    }

    /// Gives back all but the first so many of the records that were admitted.
    pub(super) fn hold_first(&mut self, records: usize) -> Result<(), StepError> {
        self.keeper.give_back_after(records)
    }

    /// Returns whether this process still has the records that were admitted. If not, they are to be given
    /// back, and not released.
    pub(super) fn are_held(&mut self) -> Result<bool, StepError> {
        self.keeper.are_held(&mut self.patience)
    }

    /// Notes that the first so many of the admitted records were released. From then on every copy is refused.
    pub(super) fn commit(&mut self, records: usize) -> Result<(), StepError> {
        if records > 0 {
            self.waiting = None;
        }
        self.keeper.commit(records, &mut self.patience)
    }

    /// Gives back what was admitted and not committed, so that another process can have it at once.
    pub(super) fn give_back(&mut self) -> Result<(), StepError> {
        self.keeper.give_back()
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
            let records = self.keeper.missing_from(*key, channel)?;
            missing.records = missing.records.saturating_add(records);
            missing.channels += u64::from(records > 0);
        }
        Ok(missing)
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

/// How long nothing is said about waiting.
const SHORT_WAIT: Duration = Duration::from_secs(5);

/// How long until the ledger is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// In how many channels missing records are looked for, at most.
const MAX_CHANNELS: usize = 4096;
