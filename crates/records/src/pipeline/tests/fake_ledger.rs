//! A ledger in memory.

use std::time::Duration;

use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};

use super::world::{Call, Known, LEASE, Record, RecordKind, World, WorldState, at};
use crate::ledger::{Identity, Ledger, ReplayError, Reservation, Settled, Subject};

/// A ledger in memory. Its leases are an identity and the process that has it.
pub(super) struct FakeLedger(pub(super) World);

pub(super) struct FakeLease {
    identity: u8,
    process: u32,
}

impl FakeLedger {
    fn step<T>(
        &self,
        call: Call,
        work: impl FnOnce(&mut WorldState) -> T,
    ) -> Result<T, ReplayError> {
        {
            let mut state = self.0.state();
            if state.locks > 0 {
                state.locks -= 1;
                state.now += 1;
                return Err(ReplayError::Locked);
            }
        }
        self.0.step(call, work).map_err(|broken| ReplayError::Database(broken.into()))
    }

    fn settle(
        &self,
        call: Call,
        leases: &[FakeLease],
        after: Option<Known>,
    ) -> Result<Vec<Settled>, ReplayError> {
        assert!(!leases.is_empty());
        self.step(call, |state| {
            let mut outcomes = Vec::new();
            for FakeLease { identity, process } in leases {
                let known = state.ledger.get(identity);
                let own = matches!(known, Some(Known::Leased { process: by, .. }) if by == process);
                outcomes.push(if own { Settled::Done } else { Settled::Lost });
                match after {
                    _ if !own => {}
                    None => drop(state.ledger.remove(identity)),
                    Some(after) => {
                        state.ledger.insert(*identity, after);
                        let same = |record: &&mut Record| record.identity == *identity;
                        state
                            .records
                            .iter_mut()
                            .filter(same)
                            .for_each(|record| record.is_open = false);
                    }
                }
            }
            outcomes
        })
    }
}

fn identity(subject: &Subject) -> u8 {
    let Identity::Sequenced(_, sequence) = subject.identity else { panic!("{subject:?}") };
    sequence.seq.try_into().unwrap()
}

impl Ledger for FakeLedger {
    type Lease = FakeLease;

    fn is_kept(&self) -> bool {
        self.0.state().setup.has_ledger
    }

    fn lease_length(&self) -> Duration {
        Duration::from_secs(LEASE)
    }

    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<FakeLease>>, ReplayError> {
        assert!(!subjects.is_empty());
        self.step(Call::Reserve, |state| {
            assert_eq!(now, at(state.now));
            let reserve = |(index, subject)| {
                let before = subjects.iter().position(|other| other == subject);
                match before.filter(|of| *of < index) {
                    Some(of) => Reservation::Twin { of },
                    None => state.reserve(identity(subject)),
                }
            };
            let found = subjects.iter().enumerate().map(reserve).collect();
            subjects.iter().for_each(|subject| state.stall(identity(subject)));
            found
        })
    }

    fn renew_many(
        &mut self,
        leases: &[FakeLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        assert!(!leases.is_empty());
        self.step(Call::Renew, |state| {
            assert_eq!(now, at(state.now));
            leases.iter().map(|lease| state.renew(lease)).collect()
        })
    }

    fn commit_many(
        &mut self,
        leases: &[FakeLease],
        _: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.settle(Call::Commit, leases, Some(Known::Done))
    }

    fn give_back_many(
        &mut self,
        leases: &[FakeLease],
        _: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.settle(Call::GiveBack, leases, None)
    }

    fn missing_from(&self, _: KeyId, _: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        self.step(Call::Missing, |_| 0)
    }
}

impl WorldState {
    /// Lets another process reserve a record that was written slowly.
    pub(super) fn steal(&mut self, index: usize) {
        let Record { kind, identity, .. } = self.records[index];
        if kind == RecordKind::Slow {
            self.now += 2 * LEASE;
            let until = self.now + LEASE;
            self.ledger.insert(identity, Known::Leased { process: 0, until });
        }
    }

    /// Lets this process stand still until its lease has run out, and another process handle the record.
    fn stall(&mut self, identity: u8) {
        let stalls = |record: &&mut Record| {
            record.identity == identity && record.kind == RecordKind::Stalled
        };
        if let Some(record) = self.records.iter_mut().find(stalls) {
            record.kind = RecordKind::Replayed;
            self.now += 2 * LEASE;
            self.ledger.insert(identity, Known::Done);
        }
    }

    /// Lets reading trust take until leases have run out, and another process handle the records.
    pub(super) fn overtake(&mut self) {
        for record in self.records.iter_mut().filter(|record| record.kind == RecordKind::Overtaken)
        {
            let known = self.ledger.get(&record.identity);
            if matches!(known, Some(Known::Leased { process, .. }) if *process == self.process) {
                record.kind = RecordKind::Replayed;
                self.now += 2 * LEASE;
                self.ledger.insert(record.identity, Known::Done);
            }
        }
    }

    fn renew(&mut self, lease: &FakeLease) -> Settled {
        let FakeLease { identity, process } = *lease;
        let known = self.ledger.get_mut(&identity);
        match known {
            Some(Known::Leased { process: by, until }) if *by == process => {
                *until = self.now + LEASE;
                Settled::Done
            }
            _ => Settled::Lost,
        }
    }

    fn reserve(&mut self, identity: u8) -> Reservation<FakeLease> {
        let is_full =
            |record: &Record| record.identity == identity && record.kind == RecordKind::Full;
        match self.ledger.get(&identity) {
            Some(Known::Done) => Reservation::Replayed,
            Some(Known::Leased { until, .. }) if *until > self.now => {
                Reservation::Busy { until: at(*until) }
            }
            _ if self.is_full && self.records.iter().any(is_full) => {
                Reservation::Refused(ReplayError::Full { limit: 1 })
            }
            _ => {
                let process = self.process;
                let leased = Known::Leased { process, until: self.now + LEASE };
                self.ledger.insert(identity, leased);
                Reservation::Fresh(FakeLease { identity, process })
            }
        }
    }
}
