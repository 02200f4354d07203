//! The first phase: records are reserved.

use std::collections::HashMap;

use brine_core::Timestamp;

use super::channel_numbers::{ChannelNumbers, LeaseTerm, NumberOutcome, NumberToReserve};
use super::foundation::Foundation;
use super::name_record::NameRecord;
use super::places::{SharedLease, ValuePlace, place_of};
use super::store::Stored;
use crate::ledger::{ReplayError, Reservation, Subject};

/// One attempt of one call, over values that were read at once.
#[derive(Debug)]
pub(super) struct ReserveCall<'c> {
    pub(super) subjects: &'c [Subject],
    pub(super) foundation: &'c Foundation,
    pub(super) least_floor: Timestamp,
    pub(super) term: LeaseTerm<'c>,
}

/// What a call would do.
#[derive(Debug, Default)]
pub(super) struct ReservePlan {
    /// The outcome for each record, by its index in the call.
    outcomes: Vec<(usize, Reservation<SharedLease>)>,
    /// The values that give leases, once they are in the store.
    pub(super) writes: Vec<PlannedWrite>,
    /// Whether a record was reserved, now or by an earlier attempt.
    pub(super) gives_leases: bool,
}

/// A value that is to take the place of one that was read.
#[derive(Debug)]
pub(super) struct PlannedWrite {
    pub(super) key: String,
    pub(super) from: Option<u64>,
    pub(super) value: Vec<u8>,
    pub(super) keep_until: Timestamp,
}

impl ReservePlan {
    /// Returns the outcome for each record, in order.
    pub(super) fn into_outcomes(mut self) -> Vec<Reservation<SharedLease>> {
        self.outcomes.sort_unstable_by_key(|(index, _)| *index);
        self.outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

impl ReserveCall<'_> {
    /// Judges all records, and finds out what becomes of those that hold. `values` has what was read for each place,
    /// with the indexes of its records.
    ///
    /// # Errors
    ///
    /// [`ReplayError::ClockBehind`], [`ReplayError::Damaged`], [`ReplayError::Version`], [`ReplayError::Full`].
    pub(super) fn plan<'v>(
        &self,
        values: impl Iterator<Item = (&'v ValuePlace, &'v [usize], &'v Option<Stored>)>,
    ) -> Result<ReservePlan, ReplayError> {
        let mut plan = ReservePlan::default();
        let issued = self.judge(&mut plan)?;
        for (place, indexes, stored) in values {
            let items = indexes.iter().filter_map(|index| {
                let (subject, issued) = (self.subjects.get(*index)?, (*issued.get(*index)?)?);
                Some(NumberToReserve { seq: place_of(subject).1, index: *index, issued })
            });
            let mut items: Vec<_> = items.collect();
            if items.is_empty() {
                continue;
            }
            items.sort_unstable_by_key(|item| item.seq);
            match place {
                ValuePlace::Channel(..) => self.channel(place, &items, stored, &mut plan)?,
                ValuePlace::Name(_) => self.name(place, &items, stored, &mut plan)?,
            }
        }
        Ok(plan)
    }

    /// Returns when each record was issued that is to be reserved. The outcome of each other one is in the plan.
    fn judge(&self, plan: &mut ReservePlan) -> Result<Vec<Option<Timestamp>>, ReplayError> {
        let mut met = HashMap::with_capacity(self.subjects.len());
        let mut judged = Vec::with_capacity(self.subjects.len());
        for (index, subject) in self.subjects.iter().enumerate() {
            let moments = self.foundation.moments(subject, self.least_floor);
            let outcome = match moments.judge(subject, self.term.now) {
                Err(error @ ReplayError::ClockBehind { .. }) => return Err(error),
                Err(error) => Err(Reservation::Refused(error)),
                Ok(issued) => match *met.entry(subject.identity).or_insert(index) {
                    of if of < index => Err(Reservation::Twin { of }),
                    _ => Ok(issued),
                },
            };
            judged.push(outcome.map_err(|outcome| plan.outcomes.push((index, outcome))).ok());
        }
        Ok(judged)
    }

    fn channel(
        &self,
        place: &ValuePlace,
        items: &[NumberToReserve],
        stored: &Option<Stored>,
        plan: &mut ReservePlan,
    ) -> Result<(), ReplayError> {
        let meta = &self.foundation.meta;
        let issued = items.iter().map(|item| item.issued).max().unwrap_or(self.term.now);
        let mut channel = match stored {
            Some(stored) => ChannelNumbers::decode(&stored.value)?,
            None => ChannelNumbers::new(issued),
        };
        channel.prune(meta, self.term.now);
        let found = channel.reserve(items, &self.term);
        if found.iter().any(|(_, outcome)| *outcome == NumberOutcome::Fresh) {
            plan.write(place, stored, channel.encode()?, channel.keep_until(meta));
        }
        for (index, outcome) in found {
            let outcome = match outcome {
                NumberOutcome::Busy { until } => Reservation::Busy { until },
                NumberOutcome::Fresh => self.lease(index)?,
                NumberOutcome::Full => Reservation::Refused(self.full()),
                NumberOutcome::Replayed => Reservation::Replayed,
            };
            plan.outcomes.push((index, outcome));
        }
        Ok(())
    }

    /// Reserves a record that is known by its name. There is one item: others would be its twins.
    fn name(
        &self,
        place: &ValuePlace,
        items: &[NumberToReserve],
        stored: &Option<Stored>,
        plan: &mut ReservePlan,
    ) -> Result<(), ReplayError> {
        let known = stored.as_ref().map(|stored| NameRecord::decode(&stored.value)).transpose()?;
        for NumberToReserve { index, issued, .. } in items {
            let expires = self.subjects.get(*index).and_then(|subject| subject.expires);
            let held = known.map(|known| known.held.map(|held| (known.token, held)));
            let outcome = match (expires, held) {
                (None, _) => Reservation::Refused(ReplayError::ExpiryMissing),
                (_, Some(None)) => Reservation::Replayed,
                (_, Some(Some((token, (taken, until)))))
                    if self.term.is_live(&token, taken, until) =>
                {
                    Reservation::Busy { until }
                }
                (Some(expires), _) => {
                    let LeaseTerm { now, until, token, .. } = self.term;
                    let held = Some((now, until));
                    let record = NameRecord { issued: *issued, expires, token, held };
                    let keep_until = record.keep_until(&self.foundation.meta);
                    plan.write(place, stored, record.encode(), keep_until);
                    self.lease(*index)?
                }
            };
            plan.outcomes.push((*index, outcome));
        }
        Ok(())
    }

    fn lease(&self, index: usize) -> Result<Reservation<SharedLease>, ReplayError> {
        let subject = self.subjects.get(index);
        let found = subject.and_then(|subject| Some((subject, subject.issued_at?)));
        let (subject, issued) = found.ok_or_else(|| ReplayError::damaged("it gave no answer"))?;
        let ledger = self.foundation.meta.ledger;
        Ok(Reservation::Fresh(SharedLease::new(subject, issued, self.term.token, ledger)))
    }

    fn full(&self) -> ReplayError {
        let limit = self.term.limits.ranges.try_into();
        ReplayError::ChannelFull { limit: limit.unwrap_or(u64::MAX) }
    }
}

impl ReservePlan {
    fn write(
        &mut self,
        place: &ValuePlace,
        stored: &Option<Stored>,
        value: Vec<u8>,
        keep_until: Timestamp,
    ) {
        self.gives_leases = true;
        let from = stored.as_ref().map(|stored| stored.revision);
        // An attempt before this one got so far.
        if stored.as_ref().is_none_or(|stored| stored.value != value) {
            self.writes.push(PlannedWrite { key: place.key(), from, value, keep_until });
        }
    }
}
