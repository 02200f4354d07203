//! What a run without faults does, as plainly as can be.

use std::collections::{BTreeMap, BTreeSet};

use brine_core::Classified as _;

use super::ends::number;
use super::world::{Call, Ended, bad};
use super::{RecordKind, Setup};
use crate::pipeline::{OnBadRecord, OnRepeated, PipelineError, RecordRun};

/// What the first run is to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) written: Vec<usize>,
    pub(super) kept: Vec<usize>,
    pub(super) settled: Vec<Option<Call>>,
    /// The number and the reason of the record at which it ends, if it ends before the source does.
    pub(super) end: Option<(u64, &'static str)>,
    pub(super) refused: u64,
    pub(super) repeated: u64,
    pub(super) reasons: BTreeMap<&'static str, u64>,
}

enum Fate {
    Fail(&'static str),
    Refuse(&'static str),
    Repeat,
    Write,
}

impl Expected {
    /// Takes one record after the other, as if there were neither blocks nor leases.
    pub(super) fn of(setup: Setup, kinds: &[RecordKind]) -> Self {
        let mut expected = Self { settled: vec![None; kinds.len()], ..Self::default() };
        let mut done = BTreeSet::new();
        let mut identity = 0;
        for (index, &kind) in kinds.iter().enumerate() {
            identity = if kind == RecordKind::Copy { identity } else { index };
            if matches!(kind, RecordKind::Replayed | RecordKind::Stalled | RecordKind::Overtaken) {
                done.insert(identity);
            }
            let fate = match kind {
                RecordKind::Bad => Fate::Refuse(bad().reason()),
                RecordKind::Expiring if setup.slow == Some(Call::Room) => Fate::Refuse("expired"),
                _ if !setup.has_ledger => Fate::Write,
                RecordKind::Expiring if setup.slow == Some(Call::Reserve) => {
                    Fate::Refuse("expired")
                }
                _ if done.contains(&identity) => match setup.on_repeated {
                    OnRepeated::Drop => Fate::Repeat,
                    OnRepeated::Refuse => Fate::Refuse("replayed"),
                },
                RecordKind::Full => Fate::Fail("replay-full"),
                _ => Fate::Write,
            };
            match fate {
                Fate::Fail(reason) => {
                    expected.end = Some((number(index), reason));
                    return expected;
                }
                Fate::Refuse(reason) => {
                    expected.refuse(setup, index, reason);
                    if setup.on_bad == OnBadRecord::Stop {
                        expected.end = Some((number(index), reason));
                        return expected;
                    }
                }
                Fate::Repeat => {
                    expected.repeated += 1;
                    expected.settle(setup, index, Call::Acknowledge);
                }
                Fate::Write => {
                    done.insert(identity);
                    expected.written.push(index);
                    expected.settle(setup, index, Call::Acknowledge);
                }
            }
        }
        expected
    }

    fn refuse(&mut self, setup: Setup, index: usize, reason: &'static str) {
        self.refused += 1;
        *self.reasons.entry(reason).or_default() += 1;
        if setup.has_rejects {
            self.kept.push(index);
            self.settle(setup, index, Call::Acknowledge);
        } else if setup.is_leased && setup.on_bad == OnBadRecord::Skip {
            self.kept.push(index);
            self.settle(setup, index, Call::DeadLetter);
        }
    }

    fn settle(&mut self, setup: Setup, index: usize, how: Call) {
        if setup.is_leased {
            self.settled[index] = Some(how);
        }
    }

    /// Holds what a run has reported to what it was to do.
    pub(super) fn assert_reported(&self, run: &RecordRun<Ended>) {
        let end = run.end.as_ref().err().map(|error| match error {
            PipelineError::Record { number, why } => (*number, why.reason()),
            other => panic!("{other:?}"),
        });
        assert_eq!(end, self.end);
        let counts = &run.counts;
        let count = |records: &[usize]| u64::try_from(records.len()).unwrap();
        assert_eq!((counts.verified, counts.kept), (count(&self.written), count(&self.kept)));
        assert_eq!((counts.refused, counts.repeated), (self.refused, self.repeated));
        assert_eq!((&counts.reasons, counts.retried), (&self.reasons, 0));
    }
}
