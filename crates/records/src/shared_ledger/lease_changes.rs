//! The second phase: leases are committed, given back or renewed.

use std::collections::BTreeMap;

use brine_core::Timestamp;

use super::channel_numbers::{ChannelNumbers, LeaseChange, LeasedNumber};
use super::meta::LedgerMeta;
use super::name_record::NameRecord;
use super::places::{SharedLease, ValuePlace, by_place};
use super::store::{SharedStore, Stored};
use crate::ledger::{ReplayError, Settled};

/// One call. Each place is settled by itself, and is not looked at again.
#[derive(Debug)]
pub(super) struct LeaseChanges<'c> {
    leases: &'c [SharedLease],
    change: LeaseChange,
    waiting: BTreeMap<ValuePlace, Vec<usize>>,
    outcomes: Vec<(usize, Settled)>,
}

impl<'c> LeaseChanges<'c> {
    pub(super) fn new(leases: &'c [SharedLease], change: LeaseChange) -> Self {
        let waiting = by_place(leases.iter().map(|lease| lease.place));
        Self { leases, change, waiting, outcomes: Vec::with_capacity(leases.len()) }
    }

    /// Returns the keys of all places that are not settled.
    pub(super) fn keys(&self) -> Vec<String> {
        self.waiting.keys().map(ValuePlace::key).collect()
    }

    /// Settles what nobody else is changing, given what the store has for each of the [keys](Self::keys). Returns
    /// whether that was everything.
    pub(super) fn attempt(
        &mut self,
        store: &mut impl SharedStore,
        meta: Option<&LedgerMeta>,
        values: &[Option<Stored>],
    ) -> Result<bool, ReplayError> {
        let waiting = std::mem::take(&mut self.waiting);
        for ((place, indexes), stored) in waiting.into_iter().zip(values) {
            let is_ours = |index: &usize| {
                let ledger = self.leases.get(*index).map(|lease| lease.ledger);
                ledger.is_some() && ledger == meta.map(|meta| meta.ledger)
            };
            let (own, lost): (Vec<_>, Vec<_>) = indexes.iter().copied().partition(is_ours);
            let found = match (meta, stored) {
                (Some(meta), Some(stored)) if !own.is_empty() => {
                    self.change(store, meta, &place, &own, stored)?
                }
                // The store lost the ledger that gave the lease, or the value, and nobody knows what became of the record.
                _ => Some(own.into_iter().map(|index| (index, Settled::Lost)).collect()),
            };
            match found {
                Some(found) => {
                    self.outcomes.extend(found);
                    self.outcomes.extend(lost.into_iter().map(|index| (index, Settled::Lost)));
                }
                None => drop(self.waiting.insert(place, indexes)),
            }
        }
        Ok(self.waiting.is_empty())
    }

    /// Returns the outcome for each lease, in order.
    pub(super) fn into_outcomes(mut self) -> Vec<Settled> {
        self.outcomes.sort_unstable_by_key(|(index, _)| *index);
        self.outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Settles the leases of one place; `None` if somebody else changed it meanwhile.
    fn change(
        &self,
        store: &mut impl SharedStore,
        meta: &LedgerMeta,
        place: &ValuePlace,
        indexes: &[usize],
        stored: &Stored,
    ) -> Result<Option<Vec<(usize, Settled)>>, ReplayError> {
        let items = indexes.iter().filter_map(|index| {
            let SharedLease { seq, issued, token, .. } = *self.leases.get(*index)?;
            Some(LeasedNumber { token, seq, index: *index, issued })
        });
        let mut items: Vec<_> = items.collect();
        items.sort_unstable_by_key(|item| (item.token, item.seq));
        let Changed { outcomes, value, keep_until } = match place {
            ValuePlace::Channel(..) => self.channel(meta, &items, stored)?,
            ValuePlace::Name(_) => self.name(meta, &items, stored)?,
        };
        let is_done = match value {
            Some(value) if value == stored.value => true,
            Some(value) => store.swap(&place.key(), Some(stored.revision), &value, keep_until)?,
            None => store.delete(&place.key(), stored.revision)?,
        };
        Ok(is_done.then_some(outcomes))
    }

    fn channel(
        &self,
        meta: &LedgerMeta,
        items: &[LeasedNumber],
        stored: &Stored,
    ) -> Result<Changed, ReplayError> {
        let mut channel = ChannelNumbers::decode(&stored.value)?;
        let outcomes = channel.change(items, self.change);
        let value = if channel.is_empty() { None } else { Some(channel.encode()?) };
        Ok(Changed { outcomes, value, keep_until: channel.keep_until(meta) })
    }

    fn name(
        &self,
        meta: &LedgerMeta,
        items: &[LeasedNumber],
        stored: &Stored,
    ) -> Result<Changed, ReplayError> {
        let mut record = Some(NameRecord::decode(&stored.value)?);
        let known = record.map(|record| (record.token, record.held.is_some()));
        let outcomes = items.iter().map(|item| {
            let (own, is_held) =
                known.map_or((false, false), |(token, is_held)| (token == item.token, is_held));
            let settled = match (self.change, own, is_held) {
                (LeaseChange::Done, true, _) | (_, true, true) => Settled::Done,
                _ => Settled::Lost,
            };
            if settled == Settled::Done {
                record = record.and_then(|record| self.changed(record));
            }
            (item.index, settled)
        });
        let outcomes = outcomes.collect();
        let keep_until = record.map_or(meta.latest, |record| record.keep_until(meta));
        Ok(Changed { outcomes, value: record.map(|record| record.encode()), keep_until })
    }

    /// Returns what becomes of a name whose lease changes.
    const fn changed(&self, record: NameRecord) -> Option<NameRecord> {
        match self.change {
            LeaseChange::Done => Some(NameRecord { held: None, ..record }),
            LeaseChange::GivenBack => None,
            LeaseChange::Renewed { taken, until } => {
                Some(NameRecord { held: Some((taken, until)), ..record })
            }
        }
    }
}

/// What becomes of the value of a place.
#[derive(Debug)]
struct Changed {
    outcomes: Vec<(usize, Settled)>,
    /// `None` if there is nothing left to remember.
    value: Option<Vec<u8>>,
    keep_until: Timestamp,
}
