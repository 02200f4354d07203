//! A fault at every step of every run, and then runs over what was not settled.

use brine_core::Classified as _;

use super::steps::{PIPE, Skip, Stop, sequences};
use super::world::{Call, Ended, FAULTS, Fault};
use super::*;
use crate::pipeline::{OnRepeated, PipelineError, RecordRun, Room};

/// A queue with a ledger, where repeated records are dropped.
pub(super) const QUEUE: Setup = Setup {
    has_ledger: true,
    is_leased: true,
    on_bad: Skip,
    on_repeated: OnRepeated::Drop,
    ..PIPE
};

const KINDS: [RecordKind; 4] =
    [RecordKind::Good, RecordKind::Bad, RecordKind::Replayed, RecordKind::Busy];

/// Runs with one fault after the other, each at a step of the run, and ends the work without one.
///
/// What must never happen fails in the fakes.
fn survives(setup: Setup, kinds: &[RecordKind], faults: &[(usize, Fault)]) -> bool {
    let world = World::new(setup, kinds);
    let mut has_struck = false;
    for fault in faults {
        let run = world.run(Some(*fault));
        has_struck = world.state().calls.len() >= fault.0;
        assert_ended(&world, run.as_ref(), *fault, has_struck);
    }
    drain(&world);
    assert_all_handled(&world, setup, kinds);
    has_struck
}

/// A run that ended with an error holds no record that it could give back.
fn assert_ended(
    world: &World,
    run: Option<&RecordRun<Ended>>,
    (step, fault): (usize, Fault),
    has_struck: bool,
) {
    let state = world.state();
    let Some(run) = run else { return };
    let struck = has_struck.then(|| state.calls[step - 1]);
    match struck {
        // The end is told, and its reason is the fault; a clock has a reason of its own.
        Some(Call::Clock | Call::Judge) => {
            assert!(matches!(run.end, Err(PipelineError::Clock(_))), "{run:?}");
        }
        Some(Call::Trust) => {
            let Err(PipelineError::Trust(error)) = &run.end else { panic!("{run:?}") };
            assert_eq!(error.reason(), "trust-broken");
        }
        // The clock of another error is not told of.
        Some(Call::Pause) | None => {}
        Some(call) => {
            let told = match run.end.as_ref().unwrap_err() {
                PipelineError::Source(broken) => {
                    assert!(!matches!(call, Call::Keep | Call::Room | Call::Write));
                    broken.0
                }
                PipelineError::Rejects(broken) | PipelineError::Sink(broken) => broken.0,
                PipelineError::Ledger(error) => {
                    assert_eq!(error.reason(), "replay-database");
                    call
                }
                PipelineError::Record { .. } if call == Call::Missing => call,
                other => panic!("{other:?}"),
            };
            // An extension that fails while the sink works is the sink's to tell of.
            assert!(
                told == call || (call, told) == (Call::Extend, Call::Write),
                "{call:?}: {told:?}"
            );
        }
    }
    if fault == Fault::Fail && !matches!(struck, Some(Call::Commit | Call::GiveBack | Call::Clock))
    {
        state.assert_no_own_lease();
    }
}

/// Runs until nothing more is done.
fn drain(world: &World) {
    world.state().is_full = false;
    loop {
        let progress = || {
            let state = world.state();
            (state.writes(), state.settled())
        };
        let before = progress();
        let run = world.run(None).unwrap();
        if run.end.is_ok() || before == progress() {
            return;
        }
    }
}

/// Nothing is lost: each record was written, kept, or known before. For a ledger, copies are one record.
fn assert_all_handled(world: &World, setup: Setup, kinds: &[RecordKind]) {
    let state = world.state();
    let (writes, kept, settled) = (state.writes(), state.kept_set(), state.settled());
    let keeps = setup.has_rejects || (setup.is_leased && setup.on_bad == Skip);
    let mut first = 0;
    for (index, kind) in kinds.iter().enumerate() {
        first = if *kind == RecordKind::Copy && setup.has_ledger { first } else { index };
        let last = (index + 1..kinds.len()).take_while(|at| kinds[*at] == RecordKind::Copy).last();
        let copies = if setup.has_ledger { first..=last.unwrap_or(index) } else { index..=index };
        let written = copies.filter(|index| writes[*index] > 0).count();
        let stalled = [RecordKind::Replayed, RecordKind::Stalled];
        let is_known = stalled.contains(&kinds[first]) && setup.has_ledger;
        let is_handled = written > 0 || kept.contains(&index) || is_known;
        let is_refused = matches!(kind, RecordKind::Bad | RecordKind::Expiring);
        assert!(is_handled || (is_refused && !keeps), "{index} of {kinds:?} is lost");
        assert!(*kind != RecordKind::Bad || writes[index] == 0, "{index} of {kinds:?} is bad");
        assert!(!is_known || writes[index] == 0, "{index} of {kinds:?} was written before");
        if setup.is_leased {
            assert!(settled[index].is_some(), "{index} of {kinds:?} is not settled: {setup:?}");
        }
    }
    state.assert_no_lease();
}

/// A fault of each sort at each step, until there is none.
fn strike(setup: Setup, kinds: &[RecordKind]) {
    for fault in FAULTS {
        let mut step = 1;
        while survives(setup, kinds, &[(step, fault)]) {
            step += 1;
        }
        assert!(step > 1);
    }
}

pub(super) fn strike_all(setup: Setup, kinds: &[RecordKind], longest: usize) {
    for kinds in sequences(kinds, longest) {
        strike(setup, &kinds);
    }
}

#[test]
fn a_queue_with_a_ledger_survives_a_fault_at_every_step() {
    strike_all(QUEUE, &KINDS, 4);
}

/// The sink takes records one by one, or a process stands still: what was written is committed, and no more.
#[test]
fn a_sink_that_takes_a_part_survives_a_fault_at_every_step() {
    let kinds = [RecordKind::Good, RecordKind::Bad, RecordKind::Stalled, RecordKind::Copy];
    for has_rejects in [true, false] {
        strike_all(Setup { takes: 1, has_rejects, ..QUEUE }, &kinds, 3);
        strike_all(Setup { takes: 2, has_rejects, is_leased: false, ..QUEUE }, &kinds, 3);
        strike_all(Setup { takes: 1, has_rejects, has_ledger: false, ..QUEUE }, &KINDS[..2], 4);
    }
}

#[test]
fn a_queue_with_rejects_survives_a_fault_at_every_step() {
    strike_all(Setup { has_rejects: true, room: Room::of_bytes(5), ..QUEUE }, &KINDS, 4);
}

#[test]
fn slow_rejects_survive_a_fault_at_every_step() {
    let setup = Setup { has_rejects: true, rejects_wait: true, ..QUEUE };
    strike_all(setup, &KINDS, 3);
    strike_all(Setup { takes: 1, is_leased: false, ..setup }, &KINDS, 3);
    strike_all(Setup { on_bad: Stop, ..setup }, &KINDS, 3);
}

#[test]
fn a_queue_that_stops_survives_a_fault_at_every_step() {
    strike_all(Setup { has_rejects: true, on_bad: Stop, block_records: 2, ..QUEUE }, &KINDS, 4);
}

#[test]
fn a_queue_without_a_ledger_survives_a_fault_at_every_step() {
    strike_all(Setup { has_ledger: false, ..QUEUE }, &KINDS[..2], 4);
}

#[test]
fn a_pipe_with_a_ledger_survives_a_fault_at_every_step() {
    let setup = Setup { has_ledger: true, on_bad: Skip, ..PIPE };
    strike_all(Setup { has_rejects: true, ..setup }, &KINDS, 4);
    strike_all(Setup { block_records: 1, ..setup }, &KINDS, 3);
}

#[test]
fn a_pipe_without_a_ledger_survives_a_fault_at_every_step() {
    strike_all(Setup { has_rejects: true, on_bad: Skip, ..PIPE }, &KINDS[..2], 4);
    strike_all(Setup { on_bad: Skip, block_records: 2, ..PIPE }, &KINDS[..2], 4);
}

#[test]
fn copies_and_a_full_ledger_survive_a_fault_at_every_step() {
    let kinds = [
        RecordKind::Good,
        RecordKind::Bad,
        RecordKind::Replayed,
        RecordKind::Busy,
        RecordKind::Copy,
        RecordKind::Full,
    ];
    strike_all(QUEUE, &kinds, 3);
    strike_all(Setup { block_records: 2, has_rejects: true, ..QUEUE }, &kinds, 3);
}

/// Each record alone: a handler that fails once, and one that can never succeed.
#[test]
fn handlers_that_fail_survive_a_fault_at_every_step() {
    let kinds = [RecordKind::Good, RecordKind::Bad, RecordKind::Flaky, RecordKind::Hopeless];
    for room in [Room::ONE_RECORD, Room::ANY] {
        for has_ledger in [true, false] {
            let setup = Setup { has_ledger, room, ..QUEUE };
            if room == Room::ONE_RECORD {
                strike_all(setup, &kinds, 3);
                strike_all(Setup { has_rejects: true, ..setup }, &kinds, 3);
            }
            // Several records, of which the sink refuses or hands back all or none.
            strike_all(
                setup,
                &[RecordKind::Good, RecordKind::Copy, RecordKind::Flaky, RecordKind::Hopeless],
                3,
            );
            // A pipe does not deliver a record again.
            let pipe = Setup { is_leased: false, has_rejects: true, ..setup };
            strike_all(Setup { on_repeated: OnRepeated::Refuse, ..pipe }, &kinds, 2);
        }
    }
}

/// A fault in the first process, and one in the second.
#[test]
fn faults_in_two_processes_one_after_the_other_lose_nothing() {
    for kinds in sequences(&KINDS, 2) {
        for (first, second) in FAULTS.into_iter().flat_map(|one| FAULTS.map(|other| (one, other))) {
            let mut step = 1;
            loop {
                let mut later = 1;
                while survives(QUEUE, &kinds, &[(step, first), (later, second)]) {
                    later += 1;
                }
                let world = World::new(QUEUE, &kinds);
                let _ = world.run(Some((step, first)));
                if world.state().calls.len() < step {
                    break;
                }
                step += 1;
            }
        }
    }
}
