//! Messages pass through a queue while its consumers are killed at random, and each is accounted for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use brine_core::key::random;
use brine_queue::{AnyQueue, DeadLetters as _, Queue as _, QueueStatus};
use brine_testkit::key;
use tempfile::TempDir;

use crate::records::signed;
use crate::worker::{PAYLOAD, Worker, in_file, insist, open_queue, system_now};

/// scripts/soak-queue-file and scripts/soak-queue-servers ask for more.
const MESSAGES: &str = "BRINE_TEST_SOAK_MESSAGES";
const USUAL_MESSAGES: u64 = 2000;

/// So long, what a killed consumer had is not delivered again.
const LEASE: Duration = Duration::from_secs(5);

/// No more than so many messages wait, so that the size of the file says something.
const BACKLOG: u64 = 1000;

/// So long it takes at most until all that was sent is handled.
const LONGEST: Duration = Duration::from_secs(900);

/// Every so many messages, one is sent twice, and one is altered.
const COPIES: u64 = 7;
const ALTERED: u64 = 11;

/// A queue, the consumers of it, and what was sent.
pub(crate) struct Soak {
    pub(crate) messages: u64,
    /// Where the logs are.
    _directory: TempDir,
    hosts: Vec<Host>,
    queue: AnyQueue,
    consumers: Vec<(usize, Worker)>,
    /// Of so many moments, a consumer is killed at one for each consumer.
    moments: usize,
    /// How many were sent, without copies.
    pub(crate) next: u64,
    sent: u64,
    /// How often messages were sent again because the answer to the first time was lost.
    sent_again: u64,
    kills: u64,
    largest: u64,
}

/// Who remembers what was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ledgers {
    /// One ledger for all consumers.
    Shared,
    /// One on each host.
    #[cfg_attr(not(feature = "amqp"), allow(dead_code, reason = "RabbitMQ's"))]
    OfHosts,
}

/// A machine that shares no file with others.
struct Host {
    url: String,
    log: PathBuf,
}

/// What the log of the consumers of a host says about a message.
#[derive(Default)]
struct Handling {
    handled: u64,
    committed: u64,
    handled_after_commit: u64,
    altered: u64,
}

impl Soak {
    /// Starts consumers, so many on each host, by the URL that each host has for the queue.
    pub(crate) fn begin(urls: &[String], consumers: usize, moments: usize) -> Self {
        let messages =
            std::env::var(MESSAGES).map_or(USUAL_MESSAGES, |number| number.parse().unwrap());
        let directory = TempDir::new().unwrap();
        let hosts: Vec<_> = urls
            .iter()
            .enumerate()
            .map(|(number, url)| {
                let log = directory.path().join(format!("log-{number}"));
                fs::write(&log, "").unwrap();
                Host { url: url.clone(), log }
            })
            .collect();
        let queue = open_queue(&hosts[0].url, LEASE);
        let at = (0..hosts.len()).cycle().take(hosts.len() * consumers);
        let consumers = at.map(|host| (host, hosts[host].consumer())).collect();
        Self {
            messages,
            _directory: directory,
            hosts,
            queue,
            consumers,
            moments,
            next: 0,
            sent: 0,
            sent_again: 0,
            kills: 0,
            largest: 0,
        }
    }

    /// Sends what the queue has room for, and kills a consumer or none. Returns what the queue said before.
    pub(crate) fn go_on(&mut self) -> QueueStatus {
        let status = insist(|| self.queue.status());
        self.largest = self.largest.max(status.stored_bytes.unwrap_or(0));
        if status.ready + status.held < BACKLOG {
            self.send();
        }
        let [pause, victim] = random::<2>().unwrap();
        thread::sleep(Duration::from_millis(10 + u64::from(pause) / 4));
        let victim = usize::from(victim) % self.moments;
        if self.next < self.messages
            && let Some((host, consumer)) = self.consumers.get_mut(victim)
        {
            consumer.kill();
            *consumer = self.hosts[*host].consumer();
            self.kills += 1;
        }
        status
    }

    fn send(&mut self) {
        let mut batch = Vec::new();
        let end = self.messages.min(self.next + 50);
        for number in self.next..end {
            let envelope = signed(&key(1), number, system_now(), PAYLOAD);
            if number % COPIES == 0 {
                batch.push(envelope.clone());
            }
            if number % ALTERED == 0 {
                batch.push(altered(&envelope));
            }
            batch.push(envelope);
        }
        self.next = end;
        self.sent += u64::try_from(batch.len()).unwrap();
        let batch: Vec<_> = batch.iter().map(Vec::as_slice).collect();
        let mut times = 0;
        insist(|| {
            times += 1;
            self.queue.publish(&batch)
        });
        self.sent_again += times - 1;
    }

    /// Goes on until everything was sent, and nothing is left for as long as this.
    pub(crate) fn finish(&mut self, quiet: Duration) {
        let (mut since, mut sent) = (Instant::now(), Instant::now());
        loop {
            let status = self.go_on();
            if self.next < self.messages {
                sent = Instant::now();
            }
            assert!(sent.elapsed() < LONGEST, "{status:?}");
            if status.ready + status.held > 0 || self.next < self.messages {
                since = Instant::now();
            } else if since.elapsed() >= quiet {
                self.consumers.clear();
                return;
            }
        }
    }

    /// Prints the counts, and fails unless every message was handled, none again where it was committed, and none that
    /// was altered.
    pub(crate) fn judge(&self, what: &str, ledgers: Ledgers) {
        let ends: Vec<_> =
            self.hosts.iter().map(|host| open_queue(&host.url, LEASE).status().unwrap()).collect();
        let counting = match ledgers {
            Ledgers::Shared => &ends[..1],
            Ledgers::OfHosts => &ends,
        };
        let refused: u64 =
            counting.iter().flat_map(|end| &end.refused).map(|(_, count)| count).sum();
        let acknowledged: u64 = counting.iter().map(|end| end.acknowledged).sum();
        let hosts: Vec<_> = self.hosts.iter().map(|host| handlings(&host.log)).collect();
        let repeated: u64 = hosts.iter().flat_map(BTreeMap::values).map(Handling::repeated).sum();
        let found: BTreeSet<u64> = hosts.iter().flat_map(BTreeMap::keys).copied().collect();
        let places: usize = hosts.iter().map(BTreeMap::len).sum();
        let elsewhere = places - found.len();
        let Self { messages, sent, sent_again, kills, largest, .. } = self;
        println!(
            "{what}: {messages} messages: {sent} sent with copies and altered ones, {sent_again} times again for want \
             of an answer; {acknowledged} acknowledged, {refused} refused; {kills} consumers killed; {repeated} messages \
             handled again that were not committed, {elsewhere} by another host; at most {largest} bytes of files"
        );
        assert!(found.iter().copied().eq(0..self.messages), "{} handled", found.len());
        for (number, one) in hosts.iter().flatten() {
            // A consumer may have been killed between the commit and the line about it.
            assert!(one.committed <= 1 && one.handled_after_commit == 0, "{number}");
            assert_eq!(one.altered, 0, "{number}");
        }
        let commits = |number| -> u64 {
            let everywhere = hosts.iter().filter_map(|host| host.get(number));
            everywhere.map(|one| one.committed).sum()
        };
        let twice: Vec<&u64> = found.iter().filter(|number| commits(number) > 1).collect();
        assert!(ledgers == Ledgers::OfHosts || twice.is_empty(), "{twice:?}");
        // One whose consumer was killed before it was settled can be refused once more.
        let altered = self.messages.div_ceil(ALTERED);
        assert!(refused >= altered && refused - altered <= self.kills, "{refused}");
    }
}

impl Host {
    fn consumer(&self) -> Worker {
        Worker::start("consume", &self.url, LEASE, &self.log)
    }
}

impl Handling {
    const fn repeated(&self) -> u64 {
        self.handled.saturating_sub(1)
    }
}

/// The same signature below another payload.
fn altered(envelope: &[u8]) -> Vec<u8> {
    let mut altered = envelope.to_owned();
    let at = altered.windows(PAYLOAD.len()).rposition(|window| window == PAYLOAD).unwrap();
    altered[at] ^= 1;
    altered
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
            "altered" => one.altered += 1,
            _ => panic!("{line}"),
        }
    }
    handlings
}

#[test]
fn no_message_is_lost_or_handled_after_its_commit_while_consumers_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut soak = Soak::begin(&[in_file(&directory.path().join("queue"))], 3, 6);
    soak.finish(Duration::ZERO);
    soak.judge("a file", Ledgers::Shared);
    let status = soak.queue.status().unwrap();
    assert_eq!(status.sent, soak.sent);
    assert_eq!(
        status.refused.iter().map(|(_, count)| count).sum::<u64>(),
        soak.messages.div_ceil(ALTERED)
    );
    assert_eq!(status.acknowledged, soak.sent - soak.messages.div_ceil(ALTERED));
    assert!(soak.largest < 0x0280_0000, "{}", soak.largest);
}
