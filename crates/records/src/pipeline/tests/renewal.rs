//! Leases are renewed while the work is slow, and only then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use brine_core::time::ClockBefore1970;
use brine_core::{CHANNEL_BYTES, Clock, KeyId, Timestamp};

use super::world::at;
use crate::ledger::{Ledger, ReplayError, Reservation, Settled, Subject};
use crate::pipeline::QuietPatience;
use crate::pipeline::lease_keeper::LeaseKeeper;

/// A clock on which so many seconds pass whenever it is read.
struct Ticking {
    now: AtomicU64,
    tick: u64,
}

impl Clock for Ticking {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        Ok(at(self.now.fetch_add(self.tick, Ordering::SeqCst)))
    }
}

/// A ledger that tells which leases were renewed; another process takes over the lease `lost`.
struct Telling {
    lost: Option<u8>,
    renewed: Sender<Vec<u8>>,
}

impl Ledger for Telling {
    type Lease = u8;

    fn lease_length(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn reserve_many(
        &mut self,
        _: &[Subject],
        _: Timestamp,
    ) -> Result<Vec<Reservation<u8>>, ReplayError> {
        Ok(Vec::new())
    }

    fn renew_many(&mut self, leases: &[u8], _: Timestamp) -> Result<Vec<Settled>, ReplayError> {
        let _ = self.renewed.send(leases.to_vec());
        let settled = |lease| if Some(lease) == self.lost { Settled::Lost } else { Settled::Done };
        Ok(leases.iter().copied().map(settled).collect())
    }

    fn commit_many(&mut self, leases: &[u8], _: Timestamp) -> Result<Vec<Settled>, ReplayError> {
        Ok(leases.iter().map(|_| Settled::Done).collect())
    }

    fn give_back_many(&mut self, leases: &[u8], _: Timestamp) -> Result<Vec<Settled>, ReplayError> {
        Ok(leases.iter().map(|_| Settled::Done).collect())
    }

    fn missing_from(&self, _: KeyId, _: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        Ok(0)
    }
}

/// Holds leases 1 to 3, on a clock with this tick.
fn holding(lost: Option<u8>, tick: u64) -> (LeaseKeeper<Telling>, Receiver<Vec<u8>>) {
    let (renewed, renewals) = channel();
    let clock = Ticking { now: AtomicU64::new(1000), tick };
    let keeper = LeaseKeeper::new(Telling { lost, renewed }, Arc::new(clock));
    keeper.hold(vec![1, 2, 3], at(1000));
    (keeper, renewals)
}

/// The work does not look at its leases, and does not go on before they were renewed three times.
#[test]
fn leases_are_renewed_while_the_work_is_slow() {
    let (keeper, renewals) = holding(None, 1);
    let next = || renewals.recv_timeout(Duration::from_secs(60)).unwrap();
    keeper.while_renewing(|| {
        for _ in 0..3 {
            assert_eq!(next(), [1, 2, 3]);
        }
        // What is committed is renewed no more.
        keeper.commit(1, &mut QuietPatience).unwrap();
        while next() != [2, 3] {}
    });
    assert!(keeper.are_held(&mut QuietPatience).unwrap());
}

#[test]
fn a_lease_that_was_lost_meanwhile_is_found_before_anything_is_released() {
    for lost in [1, 2, 3] {
        let (keeper, renewals) = holding(Some(lost), 1);
        keeper.while_renewing(|| renewals.recv_timeout(Duration::from_secs(60)).unwrap());
        assert!(!keeper.are_held(&mut QuietPatience).unwrap(), "{lost}");
        // What is reserved anew is as good as before.
        keeper.give_back().unwrap();
        keeper.hold(vec![4], at(1_000_000));
        assert!(keeper.are_held(&mut QuietPatience).unwrap());
    }
}

#[test]
fn looking_at_leases_costs_nothing_while_the_work_is_quick() {
    let (keeper, renewals) = holding(None, 0);
    for _ in 0..1000 {
        assert!(keeper.are_held(&mut QuietPatience).unwrap());
    }
    assert!(renewals.try_recv().is_err());
}

/// Others take a lease of the future for a leftover of a clock that was wrong.
#[test]
fn leases_are_renewed_when_the_clock_was_set_back() {
    let (keeper, renewals) = holding(None, 0);
    keeper.hold(vec![7], at(2000));
    assert!(keeper.are_held(&mut QuietPatience).unwrap());
    assert_eq!(renewals.try_recv().unwrap(), [7]);
    assert!(renewals.try_recv().is_err());
}
