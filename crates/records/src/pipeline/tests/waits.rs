//! Records that expire while something is waited for. The fakes fail where one is written then.

use super::faults::{QUEUE, strike_all};
use super::steps::{PIPE, Skip, holds, sequences, setups};
use super::world::Call;
use super::*;

const KINDS: [RecordKind; 3] = [RecordKind::Good, RecordKind::Expiring, RecordKind::Bad];

#[test]
fn what_expires_while_the_sink_or_the_ledger_is_waited_for_is_refused() {
    for slow in [Call::Room, Call::Reserve] {
        for kinds in sequences(&KINDS, 4) {
            for setup in setups() {
                holds(Setup { slow: Some(slow), ..setup }, &kinds);
            }
        }
    }
}

/// Refused records that nobody reads make the others wait. What falls then is kept after them, and makes others
/// wait again.
#[test]
fn what_expires_while_refused_records_are_kept_is_not_written() {
    for kinds in sequences(&KINDS, 4) {
        for setup in setups().into_iter().filter(|setup| setup.has_rejects) {
            let world = World::new(Setup { slow: Some(Call::Keep), ..setup }, &kinds);
            let run = world.run(None).unwrap();
            let state = world.state();
            let expired = run.counts.reasons.get("expired").copied().unwrap_or_default();
            let is_late = kinds.contains(&RecordKind::Bad) && setup.on_bad == Skip;
            let expiring = kinds.iter().filter(|kind| **kind == RecordKind::Expiring).count();
            // In one run, all of them come after one that is kept.
            if is_late && setup.block_records == 4 && setup.room == crate::pipeline::Room::ANY {
                assert_eq!(expired, u64::try_from(expiring).unwrap(), "{setup:?} {kinds:?}");
            }
            state.assert_no_lease();
        }
    }
}

#[test]
fn records_that_expire_survive_a_fault_at_every_step() {
    for slow in [Call::Room, Call::Reserve, Call::Keep] {
        let setup = Setup { slow: Some(slow), ..QUEUE };
        strike_all(setup, &KINDS, 3);
        strike_all(Setup { has_rejects: true, ..setup }, &KINDS, 3);
        let pipe = Setup { slow: Some(slow), has_rejects: true, on_bad: Skip, ..PIPE };
        strike_all(pipe, &KINDS, 3);
        strike_all(Setup { has_ledger: true, block_records: 2, ..pipe }, &KINDS, 3);
    }
}
