//! Messages pass through a queue while its consumers are killed at random, and each is accounted for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use brine_core::key::random;
use brine_queue::{DeadLetters as _, Queue as _};
use brine_testkit::key;

use crate::records::signed;
use crate::worker::{Worker, open_queue, system_now};

/// scripts/soak-queue-file asks for more.
const MESSAGES: &str = "BRINE_TEST_SOAK_MESSAGES";
const USUAL_MESSAGES: u64 = 2000;

const CONSUMERS: usize = 3;

/// So long, what a killed consumer had is not delivered again.
const LEASE: Duration = Duration::from_secs(5);

/// No more than so many messages wait, so that the size of the file says something.
const BACKLOG: u64 = 1000;

/// Every so many messages, one is sent twice, and one is altered.
const COPIES: u64 = 7;
const ALTERED: u64 = 11;

/// What the log of the consumers says about a message.
#[derive(Default)]
struct Handling {
    handled: u64,
    committed: u64,
    handled_after_commit: u64,
}

#[test]
fn no_message_is_lost_or_handled_after_its_commit_while_consumers_are_killed() {
    let messages = std::env::var(MESSAGES).map_or(USUAL_MESSAGES, |number| number.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let [path, log] = ["queue", "log"].map(|name| directory.path().join(name));
    fs::write(&log, "").unwrap();
    let mut queue = open_queue(&path, LEASE);
    let start = || Worker::start("consume", &path, LEASE, &log);
    let mut consumers: Vec<_> = (0..CONSUMERS).map(|_| start()).collect();
    let (mut kills, mut largest, mut sent) = (0_u64, 0, 0);
    let mut numbers = (0..messages).peekable();
    loop {
        let status = queue.status().unwrap();
        let waiting = status.ready + status.held;
        largest = largest.max(status.stored_bytes.unwrap());
        if waiting < BACKLOG {
            let mut batch = Vec::new();
            for number in numbers.by_ref().take(50) {
                let envelope = signed(&key(1), number, system_now(), b"work");
                if number % COPIES == 0 {
                    batch.push(envelope.clone());
                }
                if number % ALTERED == 0 {
                    let mut altered = envelope.clone();
                    *altered.last_mut().unwrap() ^= 1;
                    batch.push(altered);
                }
                batch.push(envelope);
            }
            sent += u64::try_from(batch.len()).unwrap();
            queue.publish(&batch.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        }
        if waiting == 0 && numbers.peek().is_none() {
            break;
        }
        let [pause, victim] = random::<2>().unwrap();
        thread::sleep(Duration::from_millis(10 + u64::from(pause) / 4));
        let victim = usize::from(victim) % (CONSUMERS * 2);
        let victim = consumers.get_mut(victim).filter(|_| numbers.peek().is_some());
        if let Some(consumer) = victim {
            consumer.kill();
            *consumer = start();
            kills += 1;
        }
    }
    drop(consumers);

    let status = queue.status().unwrap();
    let altered = messages.div_ceil(ALTERED);
    let refused: u64 = status.refused.iter().map(|(_, count)| count).sum();
    let handlings = handlings(&log);
    let repeated = handlings.values().map(|one| one.handled - 1).sum::<u64>();
    println!(
        "{messages} messages: {sent} sent with copies and altered ones, {} acknowledged, {refused} refused; \
         {kills} consumers killed, {repeated} messages handled again that were not committed; \
         at most {largest} bytes of files",
        status.acknowledged
    );
    assert_eq!(status.sent, sent);
    assert_eq!(refused, altered);
    assert_eq!(status.acknowledged, sent - altered);
    assert!(handlings.keys().copied().eq(0..messages), "{} handled", handlings.len());
    for (number, one) in handlings {
        // A consumer may have been killed between the commit and the line about it.
        assert!(one.committed <= 1 && one.handled_after_commit == 0, "{number}");
    }
    assert!(largest < 0x0280_0000, "{largest}");
}

fn handlings(log: &Path) -> BTreeMap<u64, Handling> {
    let mut handlings: BTreeMap<u64, Handling> = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let (what, number) = line.split_once(' ').unwrap();
        let one = handlings.entry(number.parse().unwrap()).or_default();
        match what {
            "handled" => {
                one.handled += 1;
                one.handled_after_commit += u64::from(one.committed > 0);
            }
            "committed" => one.committed += 1,
            _ => panic!("{line}"),
        }
    }
    handlings
}
