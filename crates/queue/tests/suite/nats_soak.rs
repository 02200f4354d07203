//! Every record counts once while the server is killed again and again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use brine_queue::{Admission, DeadLetters as _, Queue, QueueError, ReceiveBounds};
use brine_records::{Ledger as _, Settled};
use brine_testkit::key;
use tempfile::TempDir;

use crate::conformance::{LONG, QueueSite as _};
use crate::nats_server;
use crate::nats_site::NatsSite;
use crate::records::{record, subject};
use crate::server::free_port;

const RECORDS: u64 = 400;
const KILLS: u32 = 6;

/// What consumers of one queue did, together.
#[derive(Default)]
struct Tally {
    /// How often each record was committed.
    committed: Mutex<BTreeMap<Vec<u8>, u32>>,
    is_over: AtomicBool,
}

/// Does something until the server answers.
fn insist<T>(mut work: impl FnMut() -> Result<T, QueueError>) -> T {
    let begun = Instant::now();
    loop {
        match work() {
            Err(error) if error.may_pass() && begun.elapsed() < LONG => {}
            done => return done.unwrap(),
        }
    }
}

fn consume(site: &NatsSite, tally: &Tally) {
    let mut queue = insist(|| site.try_open("q", NatsSite::options()));
    let mut ledger = insist(|| queue.ledger());
    let most = ReceiveBounds { bytes: usize::MAX, messages: 16 };
    while !tally.is_over.load(Ordering::SeqCst) {
        let found = insist(|| queue.receive(most, Duration::from_millis(200)));
        // So that the server is killed while messages are held.
        thread::sleep(Duration::from_millis(100));
        for found in found {
            let subject = subject(site, found.content.clone());
            // What fails here comes again when the leases have run out.
            let Ok(reserved) = ledger.reserve_many(&[subject], site.now()) else { continue };
            let Some(reserved) = reserved.into_iter().next() else { continue };
            match Admission::of(reserved) {
                Ok(Admission::Handle(record)) => {
                    let handled = [(&found.lease, &record)];
                    if queue
                        .commit_and_ack(&handled)
                        .is_ok_and(|settled| settled == [Settled::Done])
                    {
                        *tally.committed.lock().unwrap().entry(found.content).or_default() += 1;
                    }
                }
                Ok(Admission::Repeated) => {
                    let _ = queue.ack(&[&found.lease]);
                }
                Ok(Admission::Later(..) | Admission::Refused(_)) | Err(_) => {}
            }
        }
    }
}

#[test]
fn records_count_once_while_the_server_is_killed() {
    let (store, port) = (TempDir::new().unwrap(), free_port());
    let Some(server) = nats_server::with_store(store.path(), port) else { return };
    let (site, tally) = (NatsSite::at(port), Tally::default());
    let records: Vec<_> = (0..RECORDS).map(|seq| record(&site, seq)).collect();
    let mut queue = site.open("q");
    let server = thread::scope(|scope| {
        let mut server = server;
        for _ in 0..3 {
            scope.spawn(|| consume(&site, &tally));
        }
        let sender = scope.spawn(|| {
            let mut queue = insist(|| site.try_open("q", NatsSite::options()));
            for some in records.chunks(7) {
                let some: Vec<_> = some.iter().map(Vec::as_slice).collect();
                // What was published before a failure is published again, and counts once.
                insist(|| queue.publish(&some));
                thread::sleep(Duration::from_millis(90));
            }
        });
        for _ in 0..KILLS {
            thread::sleep(Duration::from_millis(700));
            drop(server);
            thread::sleep(Duration::from_millis(200));
            server = nats_server::with_store(store.path(), port).unwrap();
        }
        sender.join().unwrap();
        let begun = Instant::now();
        loop {
            let status = insist(|| queue.status());
            if status.ready == 0 && status.held == 0 {
                break;
            }
            assert!(begun.elapsed() < LONG, "{status:?}");
            thread::sleep(Duration::from_millis(300));
        }
        tally.is_over.store(true, Ordering::SeqCst);
        server
    });
    let committed = tally.committed.into_inner().unwrap();
    assert!(committed.values().all(|times| *times == 1), "{:?}", committed.values());
    // Of some, the answer was lost. The ledger has them all.
    let ledger = queue.ledger().unwrap();
    assert_eq!(ledger.missing_from(key(1).verifying_key().id(), &[9; 16]).unwrap(), 0);
    let subjects: Vec<_> = records.iter().map(|record| subject(&site, record.clone())).collect();
    let mut ledger = ledger;
    let reserved = ledger.reserve_many(&subjects, site.now()).unwrap();
    let is_repeated = |reserved| matches!(Admission::of(reserved), Ok(Admission::Repeated));
    assert!(reserved.into_iter().all(is_repeated));
    println!("{} of {RECORDS} were seen to be committed", committed.len());
    drop(server);
}
