//! Runs without faults: every sequence of records, against the oracle.

use brine_core::Classified as _;

use super::oracle::Expected;
use super::world::Call;
use super::*;
use crate::pipeline::{OnBadRecord, OnRepeated, PipelineError, Room};

pub(super) use OnBadRecord::{Skip, Stop};

/// All sequences of these kinds, up to this length.
pub(super) fn sequences(kinds: &[RecordKind], longest: usize) -> Vec<Vec<RecordKind>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        let longer = last.iter().flat_map(|sequence| {
            kinds
                .iter()
                .map(move |kind| sequence.iter().copied().chain([*kind]).collect::<Vec<_>>())
        });
        last = longer.collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// A pipe without a ledger, with everything in one block.
pub(super) const PIPE: Setup = Setup {
    block_records: 4,
    has_ledger: false,
    has_rejects: false,
    rejects_wait: false,
    is_leased: false,
    on_bad: Stop,
    on_repeated: OnRepeated::Refuse,
    room: Room::ANY,
    takes: usize::MAX,
    slow: None,
};

/// Every setup that there is.
pub(super) fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    let bools = [false, true];
    for (block_records, room, takes) in [
        (4, Room::ANY, usize::MAX),
        (4, Room::ANY, 1),
        (4, Room::ANY, 2),
        (4, Room::of_bytes(0), usize::MAX),
        (4, Room::of_bytes(5), 1),
        (3, Room::ONE_RECORD, usize::MAX),
        (2, Room::ANY, usize::MAX),
        (1, Room::ANY, usize::MAX),
    ] {
        for (has_ledger, has_rejects) in bools.into_iter().flat_map(|a| bools.map(|b| (a, b))) {
            for (is_leased, on_bad) in bools.into_iter().flat_map(|a| [Skip, Stop].map(|b| (a, b)))
            {
                for on_repeated in [OnRepeated::Drop, OnRepeated::Refuse] {
                    setups.push(Setup {
                        block_records,
                        has_ledger,
                        has_rejects,
                        rejects_wait: false,
                        is_leased,
                        on_bad,
                        on_repeated,
                        room,
                        takes,
                        slow: None,
                    });
                }
            }
        }
    }
    setups
}

pub(super) fn holds(setup: Setup, kinds: &[RecordKind]) {
    let world = World::new(setup, kinds);
    let run = world.run(None).unwrap();
    let expected = Expected::of(setup, kinds);
    expected.assert_reported(&run);
    let state = world.state();
    assert_eq!(state.written, expected.written, "{setup:?} {kinds:?}");
    let mut kept = state.kept.clone();
    let is_late = |kind: &RecordKind| matches!(kind, RecordKind::Overtaken | RecordKind::Stalled);
    if setup.slow.is_some() || kinds.iter().any(is_late) {
        // What is found after the process waited or stood still is kept after the others.
        kept.sort_unstable();
    }
    assert_eq!(kept, expected.kept, "{setup:?} {kinds:?}");
    assert_eq!(state.settled(), expected.settled, "{setup:?} {kinds:?}");
    state.assert_no_lease();
}

#[test]
fn every_sequence_of_records_ends_as_it_should() {
    let kinds = [RecordKind::Good, RecordKind::Bad, RecordKind::Replayed, RecordKind::Busy];
    for kinds in sequences(&kinds, 4) {
        for setup in setups() {
            holds(setup, &kinds);
        }
    }
}

/// A process that stood still looks at its leases before it writes, and finds what another one has released.
#[test]
fn what_was_lost_while_the_process_stood_still_is_not_written() {
    let kinds = [RecordKind::Good, RecordKind::Bad, RecordKind::Stalled, RecordKind::Busy];
    for kinds in sequences(&kinds, 4) {
        for setup in setups().into_iter().filter(|setup| setup.has_ledger) {
            holds(setup, &kinds);
        }
    }
}

/// Trust is read again before records are written. If that takes longer than a lease, the lease is looked at after it.
#[test]
fn what_was_lost_while_trust_was_read_is_not_written() {
    let kinds = [RecordKind::Good, RecordKind::Bad, RecordKind::Overtaken, RecordKind::Busy];
    for kinds in sequences(&kinds, 4) {
        for setup in setups().into_iter().filter(|setup| setup.has_ledger) {
            holds(setup, &kinds);
        }
    }
}

#[test]
fn copies_and_a_full_ledger_are_no_special_case() {
    let kinds = [
        RecordKind::Good,
        RecordKind::Bad,
        RecordKind::Replayed,
        RecordKind::Busy,
        RecordKind::Copy,
        RecordKind::Full,
    ];
    for kinds in sequences(&kinds, 3) {
        for setup in setups() {
            holds(setup, &kinds);
        }
    }
}

/// The steps of a run, in their order.
fn calls(setup: Setup, kinds: &[RecordKind]) -> Vec<Call> {
    let world = World::new(setup, kinds);
    let _ = world.run(None).unwrap();
    let calls = world.state().calls.clone();
    calls.into_iter().filter(|call| !matches!(call, Call::Clock | Call::Trust)).collect()
}

#[test]
fn records_are_kept_then_written_then_committed_then_acknowledged() {
    use Call::*;
    let setup =
        Setup { has_ledger: true, has_rejects: true, is_leased: true, on_bad: Skip, ..PIPE };
    let drops = Setup { on_repeated: OnRepeated::Drop, ..setup };
    let found = calls(drops, &[RecordKind::Good, RecordKind::Bad, RecordKind::Replayed]);
    let ends = [Next, Missing];
    let whole =
        [&[Next, Judge, Room, Reserve, Keep, Extend, Write, Commit], &[Acknowledge; 3][..], &ends];
    assert_eq!(found, whole.concat());
    // Without rejects, the source keeps what is refused.
    let letters = Setup { has_rejects: false, ..drops };
    let found = calls(letters, &[RecordKind::Good, RecordKind::Bad]);
    let whole =
        [&[Next, Judge, Room, Reserve, Extend, Write, Commit, Acknowledge, DeadLetter], &ends[..]];
    assert_eq!(found, whole.concat());
    // Without a ledger or leases.
    let found = calls(PIPE, &[RecordKind::Good, RecordKind::Good]);
    assert_eq!(found, [Next, Judge, Room, Write, Next]);
}

/// What follows the busy record is reserved with it, and given back before anything is waited for.
#[test]
fn nothing_is_reserved_while_another_process_is_waited_for() {
    use Call::*;
    let setup = Setup { has_ledger: true, is_leased: true, on_bad: Skip, ..PIPE };
    let found = calls(setup, &[RecordKind::Good, RecordKind::Busy, RecordKind::Good]);
    let first = [Next, Judge, Room, Reserve, GiveBack, Extend, Write, Commit, Acknowledge];
    let second = [Extend, Pause, Room, Reserve, Extend, Write, Commit, Acknowledge, Next, Missing];
    assert_eq!(found, [&first[..], &second].concat());
}

/// Records that the judge or the ledger refuses are kept while nothing is reserved, if keeping can take long.
#[test]
fn nothing_is_reserved_while_slow_rejects_are_waited_for() {
    use Call::*;
    let setup =
        Setup { has_ledger: true, has_rejects: true, rejects_wait: true, on_bad: Skip, ..PIPE };
    let found = calls(setup, &[RecordKind::Good, RecordKind::Bad, RecordKind::Good]);
    let parts = [
        &[Next, Judge, Room, Reserve, Write, Commit][..],
        &[Room, Keep],
        &[Room, Reserve, Write, Commit, Next, Missing],
    ];
    assert_eq!(found, parts.concat());
    let found = calls(setup, &[RecordKind::Good, RecordKind::Replayed, RecordKind::Good]);
    let parts = [
        &[Next, Judge, Room, Reserve, GiveBack, Write, Commit][..],
        &[Room, Keep],
        &[Room, Reserve, Write, Commit, Next, Missing],
    ];
    assert_eq!(found, parts.concat());
    let kinds = [
        RecordKind::Good,
        RecordKind::Bad,
        RecordKind::Replayed,
        RecordKind::Busy,
        RecordKind::Stalled,
        RecordKind::Full,
    ];
    for kinds in sequences(&kinds, 3) {
        for setup in setups().into_iter().filter(|setup| setup.has_rejects) {
            holds(Setup { rejects_wait: true, ..setup }, &kinds);
        }
    }
}

/// The sink takes two of four records: they are committed, and the others wait without a lease.
#[test]
fn what_the_sink_does_not_take_is_given_back_before_it_is_waited_for() {
    use Call::*;
    let setup = Setup { has_ledger: true, is_leased: true, on_bad: Skip, takes: 2, ..PIPE };
    let found = calls(setup, &[RecordKind::Good; 4]);
    let first = [Next, Judge, Room, Reserve, Extend, Write, Commit, GiveBack, Acknowledge];
    let second = [Room, Reserve, Extend, Write, Commit, Acknowledge, Next, Missing];
    assert_eq!(found, [&first[..], &second].concat());
}

/// The leases were taken long ago: they are renewed before anything is written, and given back if one is lost.
#[test]
fn leases_are_looked_at_before_records_are_written() {
    use Call::*;
    let setup = Setup { has_ledger: true, on_bad: Skip, ..PIPE };
    let found = calls(setup, &[RecordKind::Good, RecordKind::Stalled]);
    let first = [Next, Judge, Room, Reserve, Renew, GiveBack];
    let second = [Room, Reserve, Write, Commit, Next, Missing];
    assert_eq!(found, [&first[..], &second].concat());
}

#[test]
fn long_waits_are_noted_once() {
    let setup = Setup { has_ledger: true, on_bad: Skip, ..PIPE };
    let world = World::new(
        setup,
        &[RecordKind::Good, RecordKind::Busy, RecordKind::Good, RecordKind::Busy],
    );
    world.state().locks = 3;
    world.state().pause_seconds = 0;
    // The other process never gives up: ours dies waiting.
    assert!(world.run(Some((1000, super::world::Fault::Kill))).is_none());
    let notes = world.state().notes.clone();
    let said: Vec<_> = notes.iter().map(ToString::to_string).collect();
    let until = "1970-01-12T13:46:50Z";
    let expected = [
        "waiting for another process, which holds the replay database".to_owned(),
        format!("waiting for a record that another process has until {until} at most"),
    ];
    assert_eq!(said, expected);
    let pauses = world.state().calls.iter().filter(|call| **call == Call::Pause).count();
    assert!(pauses > 100, "{pauses}");
    assert_eq!(world.state().written, [0]);
}

/// A process that was too slow has no say any more: it neither commits nor acknowledges.
#[test]
fn a_lease_that_was_lost_ends_the_work() {
    let setup = Setup { has_ledger: true, is_leased: true, on_bad: Skip, ..PIPE };
    for kinds in [
        &[RecordKind::Slow][..],
        &[RecordKind::Good, RecordKind::Slow],
        &[RecordKind::Slow, RecordKind::Good],
    ] {
        let world = World::new(setup, kinds);
        let run = world.run(None).unwrap();
        let Err(PipelineError::Ledger(error)) = run.end else { panic!("{run:?}") };
        assert_eq!(error.reason(), "replay-lease-lost");
        assert_eq!(world.state().settled(), vec![None; kinds.len()]);
    }
}
