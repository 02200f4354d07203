//! Consumers on threads, which meet at any moment.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use super::*;
use crate::ledger::Identity;
use crate::ledger::tests::{DAY, key, named, numbered};

const CONSUMERS: u64 = 4;
const NUMBERS: u64 = 400;

/// Each takes what it can get, in an order of its own, and hands every fifth block back.
#[test]
fn of_many_that_want_everything_each_record_has_one() {
    let store = new_store();
    let handled = Mutex::new(BTreeMap::new());
    drop(open(&store, BIRTH));
    thread::scope(|scope| {
        for consumer in 0..CONSUMERS {
            let (store, handled) = (&store, &handled);
            scope.spawn(move || work(store, handled, consumer));
        }
    });
    let handled = handled.into_inner().unwrap();
    assert_eq!(handled.len(), usize::try_from(NUMBERS).unwrap());
    assert!(handled.values().all(|times| *times == 1), "{handled:?}");
}

fn subject(number: u64) -> Subject {
    match u8::try_from(number % 8) {
        // Some of them have no number.
        Ok(0) => {
            let mut subject = named(1, BIRTH, BIRTH + DAY);
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_be_bytes());
            subject.identity = Identity::Named(key(1), name);
            subject
        }
        Ok(rest) if rest < 3 => numbered(2, number, BIRTH),
        _ => numbered(3, number, BIRTH),
    }
}

fn work(store: &MemoryStore, handled: &Mutex<BTreeMap<u64, u32>>, consumer: u64) {
    let options =
        SharedOptions { busy_timeout: Duration::from_secs(60), ..SharedOptions::default() };
    let mut ledger = SharedLedger::open(store.clone(), &options, at(BIRTH)).unwrap();
    let mut round = 0;
    loop {
        let mut left = 0;
        for start in 0..NUMBERS / 10 {
            let start = (start * 7 + consumer * 11) % (NUMBERS / 10) * 10;
            let block: Vec<_> = (start..start + 10).collect();
            let subjects: Vec<_> = block.iter().map(|number| subject(*number)).collect();
            let found = ledger.reserve_many(&subjects, at(BIRTH)).unwrap();
            let (mut numbers, mut leases) = (Vec::new(), Vec::new());
            for (number, found) in block.iter().zip(found) {
                match found {
                    Reservation::Fresh(lease) => {
                        numbers.push(*number);
                        leases.push(lease);
                    }
                    Reservation::Busy { .. } => left += 1,
                    other => assert!(matches!(other, Reservation::Replayed), "{other:?}"),
                }
            }
            round += 1;
            let is_done = round % 5 != 0;
            let settled = if is_done {
                for number in &numbers {
                    *handled.lock().unwrap().entry(*number).or_insert(0) += 1;
                }
                ledger.commit_many(&leases, at(BIRTH)).unwrap()
            } else {
                left += leases.len();
                ledger.give_back_many(&leases, at(BIRTH)).unwrap()
            };
            assert!(settled.iter().all(|one| *one == Settled::Done), "{settled:?}");
        }
        if left == 0 {
            return;
        }
    }
}
