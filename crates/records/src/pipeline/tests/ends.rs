//! The ends of the pipeline: clock, patience, source, sink and rejects, all of one world.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use brine_core::time::ClockBefore1970;
use brine_core::{Class, Clock, Timestamp, TrustAnchors, TrustSource, TrustUnavailable};

use super::Setup;
use super::world::{
    Broken, Call, Fault, LEASE, Record, RecordKind, TRUST, World, WorldState, at, frame,
};
use crate::framing::{FrameBlock, RecordFrame};
use crate::pipeline::{
    DeadLetter, DeliveredBlock, Deliveries, Handed, HandlerFailure, Hold, LongWait, Patience,
    RecordError, RejectedRecord, Rejects, ReleasedRun, Room, Sink, Source, WriteFailure,
};

impl Clock for World {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        self.step(Call::Clock, |state| at(state.now)).map_err(|_| ClockBefore1970)
    }
}

impl TrustSource for World {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        let found = self.step(Call::Trust, |state| {
            state.overtake();
            TRUST.current()
        });
        found
            .unwrap_or_else(|broken| Err(TrustUnavailable::new(Class::Key, "trust-broken", broken)))
    }
}

impl Patience for World {
    fn note(&mut self, wait: LongWait) {
        self.state().notes.push(wait);
    }

    fn pause(&mut self, _: Duration) {
        // It cannot fail, and can be where a process is killed.
        let _ = self.step(Call::Pause, |state| {
            state.assert_no_own_lease();
            state.now += state.pause_seconds;
        });
    }
}

impl Source for World {
    type Deliveries = FakeDeliveries;
    type Error = Broken;

    fn next_block(&mut self) -> Result<Option<DeliveredBlock<FakeDeliveries>>, Broken> {
        let indexes = self.step(Call::Next, WorldState::next_block)?;
        let world = self.clone();
        let mut block = FrameBlock::new(indexes.first().map_or(1, |first| number(*first)));
        indexes.iter().for_each(|index| block.push(&frame(*index)));
        let deliveries = FakeDeliveries { world, indexes };
        Ok((!block.is_empty()).then_some(DeliveredBlock { block, deliveries }))
    }
}

/// Records count from 1.
pub(super) fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap() + 1
}

impl WorldState {
    fn next_block(&mut self) -> Vec<usize> {
        let Setup { block_records, is_leased, .. } = self.setup;
        let indexes: Vec<usize> = if is_leased {
            let is_free =
                |record: &Record| record.settled.is_none() && record.leased_until <= self.now;
            let free = self.records.iter().enumerate().filter(|(_, record)| is_free(record));
            // Consecutive, so that their numbers are.
            let free: Vec<usize> = free.map(|(index, _)| index).collect();
            let run = free.chunk_by(|one, next| next - one == 1).next().unwrap_or_default();
            run.iter().copied().take(block_records).collect()
        } else {
            let rest = self.next_piped..self.records.len();
            rest.take(block_records).collect()
        };
        self.next_piped += indexes.len();
        for &index in &indexes {
            self.deliveries += 1;
            let record = &mut self.records[index];
            record.leased_until = self.now + LEASE;
            record.delivered = self.deliveries;
        }
        indexes
    }
}

pub(super) struct FakeDeliveries {
    world: World,
    indexes: Vec<usize>,
}

impl FakeDeliveries {
    fn each(
        &self,
        call: Call,
        records: Range<usize>,
        mut work: impl FnMut(&mut WorldState, usize),
    ) -> Result<(), Broken> {
        let indexes = &self.indexes[records];
        assert!(!indexes.is_empty(), "{call:?} of nothing");
        self.world.step(call, |state| {
            assert!(state.setup.is_leased, "{call:?} of records from a pipe");
            indexes.iter().for_each(|index| work(state, *index));
        })
    }
}

impl Deliveries for FakeDeliveries {
    type Error = Broken;

    fn are_leased(&self) -> bool {
        self.world.state().setup.is_leased
    }

    fn extend(&mut self, records: Range<usize>) -> Result<(), Broken> {
        self.each(Call::Extend, records, |state, index| {
            assert_eq!(state.records[index].settled, None, "{index} is extended and settled");
            state.records[index].leased_until = state.now + LEASE;
        })
    }

    fn acknowledge(&mut self, records: Range<usize>) -> Result<(), Broken> {
        self.each(Call::Acknowledge, records, WorldState::acknowledge)
    }

    fn retry(&mut self, records: Range<usize>, why: &HandlerFailure) -> Result<(), Broken> {
        assert_eq!(*why, flaky());
        self.each(Call::Retry, records, |state, index| {
            let record = &mut state.records[index];
            assert!(!record.is_open && record.settled.is_none(), "{record:?} is handed back");
            record.leased_until = 0;
        })
    }

    fn dead_letter(&mut self, record: usize, why: &RecordError) -> Result<DeadLetter, Broken> {
        let one = record..record + 1;
        self.each(Call::DeadLetter, one, |state, index| {
            state.keep(index, why);
            state.records[index].settled = Some(Call::DeadLetter);
        })?;
        Ok(DeadLetter::Kept)
    }

    fn finish(self, block: FrameBlock) {
        assert_eq!(block.len(), self.indexes.len());
    }
}

/// Why flaky records go back.
fn flaky() -> HandlerFailure {
    HandlerFailure::new(Class::System, "handler-failed", "not this time")
}

impl Sink for World {
    type Error = Broken;

    fn room(&mut self, next: usize, hold: &mut dyn Hold) -> Result<Room, Broken> {
        self.assert_hold(hold);
        assert_eq!(next, frame(0).len() + 1);
        self.step(Call::Room, |state| {
            state.assert_no_own_lease();
            state.setup.room
        })
    }

    /// It writes as many records as it takes at once; one that fails has written some of them before.
    fn write(
        &mut self,
        run: &ReleasedRun<'_>,
        hold: &mut dyn Hold,
    ) -> Result<Handed, WriteFailure<Broken>> {
        self.assert_hold(hold);
        let indexes: Vec<usize> =
            run.records().map(|record| usize::from(record.envelope[0])).collect();
        let expected = indexes.iter().flat_map(|index| [b'p', frame(*index)[0]]);
        assert!(run.payloads().iter().copied().eq(expected), "{indexes:?}");
        assert!(run.lengths().eq(indexes.iter().map(|_| 2)));
        if indexes.len() > 1 {
            let room = self.state().setup.room;
            assert!(indexes.len() <= room.records && run.payloads().len() <= room.bytes);
        }
        if hold.extend().is_err() {
            return Err(Broken(Call::Write).into());
        }
        let fails = self.state().next_fault() == Some(Fault::FailAfter);
        let takes = self.state().setup.takes;
        let most = if fails { indexes.len().div_ceil(2) } else { indexes.len().min(takes) };
        let (first, is_all) = (&indexes[..most], most == indexes.len());
        let before = self.state().written.len();
        let written = self.step(Call::Write, |state| {
            let kind = |index: &usize| state.records[*index].kind;
            if indexes.iter().any(|index| kind(index) == RecordKind::Hopeless) {
                return Handed::Refused(flaky());
            }
            if let Some(index) = indexes.iter().find(|index| kind(index) == RecordKind::Flaky) {
                state.records[*index].kind = RecordKind::Good;
                return Handed::Retry(flaky());
            }
            first.iter().for_each(|index| state.write(*index));
            first.iter().for_each(|index| state.steal(*index));
            if is_all { Handed::Done } else { Handed::First(most) }
        });
        let records = self.state().written.len() - before;
        written.map_err(|error| WriteFailure { records, error })
    }
}

impl World {
    fn assert_hold(&self, hold: &dyn Hold) {
        let Setup { has_ledger, is_leased, .. } = self.state().setup;
        assert_eq!(hold.is_relied_on(), has_ledger || is_leased);
    }
}

impl Rejects for World {
    type Error = Broken;

    fn are_kept(&self) -> bool {
        self.state().setup.has_rejects
    }

    fn may_wait(&self) -> bool {
        self.state().setup.rejects_wait
    }

    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), Broken> {
        assert!(!rejected.is_empty());
        self.step(Call::Keep, |state| {
            assert!(state.setup.has_rejects);
            if state.setup.rejects_wait {
                state.assert_no_own_lease();
            }
            for RejectedRecord { number, why, frame, .. } in rejected {
                let RecordFrame::Record(bytes) = frame else { panic!("{frame:?}") };
                let index = usize::from(bytes[0]);
                assert_eq!(*number, self::number(index));
                state.keep(index, why);
            }
        })
    }
}
