//! Replay, from envelopes and by several processes, some of which die.
#![allow(clippy::print_stdout, reason = "the processes of these tests talk over standard output")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use brine_core::cbor::Encoder;
use brine_core::cose::{ToBeSigned, label};
use brine_core::{Classified as _, Sequence, Statement, Timestamp, Unique};
use brine_records::replay::{DatabaseBirth, ReplayDatabase, ReplayOptions, ReplayView};
use brine_records::{ReplayError, Reservation, Settled, Subject};
use tempfile::TempDir;

use crate::common::{key, now, signed, statement, verified};

/// The identity of a verified envelope with this statement, which has this sequence.
fn subject(statement: &Statement, sequence: Option<Sequence>) -> Result<Subject, ReplayError> {
    subject_of(signed(statement, 1), sequence)
}

fn subject_of(envelope: Vec<u8>, sequence: Option<Sequence>) -> Result<Subject, ReplayError> {
    let verified = verified(envelope);
    assert_eq!(verified.header().sequence(), sequence);
    Subject::of(&verified)
}

fn numbered(seq: u64) -> Subject {
    let sequence = Some(Sequence { channel: [9; 16], seq });
    subject(&statement().unique(Unique { cti: [7; 16], sequence }), sequence).unwrap()
}

fn later(seconds: u64) -> Timestamp {
    now().plus(Duration::from_secs(seconds))
}

fn options(birth: DatabaseBirth) -> ReplayOptions {
    ReplayOptions { birth, lease: Duration::from_secs(LEASE_SECONDS), ..ReplayOptions::default() }
}

const LEASE_SECONDS: u64 = 100;

/// A statement with claims that have this name and this end.
fn claims(cti: u8, expires: Option<Timestamp>, sequence: Option<Sequence>) -> Statement {
    let statement = statement().unique(Unique { cti: [cti; 16], sequence });
    match expires {
        Some(at) => statement.expires(at),
        None => statement,
    }
}

/// A record that is numbered and has no claims, which brine itself never signs.
fn numbered_without_claims(sequence: Sequence) -> Vec<u8> {
    let mut header = Encoder::new();
    header.map(4).int(label::ALG).int(-8).int(label::CRIT).array(1).int(label::SEQUENCE);
    header.int(label::TYP).text("application/vnd.brine.data+cose").int(label::SEQUENCE);
    header.array(3).int(1).bytes(&sequence.channel).uint(sequence.seq);
    let header = header.into_bytes();
    let signature = key(1).sign(&ToBeSigned::new(&header, &[], b"payload").parts());
    let mut envelope = Encoder::new();
    envelope.tag(18).array(4).bytes(&header).map(0).bytes(b"payload").bytes(&signature);
    envelope.into_bytes()
}

#[test]
fn a_record_is_held_by_its_sequence_or_its_cti() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("replay");
    let mut database =
        ReplayDatabase::open(&path, &options(DatabaseBirth::AcceptOlder), now()).unwrap();
    let first = Sequence { channel: [9; 16], seq: 0 };
    let sequence = Some(first);
    let cases = [
        (signed(&claims(1, Some(later(5)), None), 1), None, "fresh"),
        (signed(&claims(1, Some(later(5)), None), 1), None, "replayed"),
        (signed(&claims(2, Some(later(5)), None), 1), None, "fresh"),
        (signed(&claims(3, None, None), 1), None, "replay-expiry-missing"),
        (signed(&claims(3, None, sequence), 1), sequence, "fresh"),
        (signed(&claims(4, None, sequence), 1), sequence, "replayed"),
        // Without claims the age of a record is unknown.
        (numbered_without_claims(first), sequence, "issued-at-missing"),
        (signed(&Statement::plain(), 1), None, "replay-identity-missing"),
    ];
    for (place, (envelope, sequence, expected)) in cases.into_iter().enumerate() {
        let found = match subject_of(envelope, sequence) {
            Err(error) => error.reason(),
            Ok(subject) => match database.reserve(&subject, now()).unwrap() {
                Reservation::Fresh(lease) => {
                    assert_eq!(database.commit(&lease, now()).unwrap(), Settled::Done);
                    "fresh"
                }
                other => other.into_lease().unwrap_err().reason(),
            },
        };
        assert_eq!(found, expected, "{place}");
    }
}

/// Two trusted signers with one channel, one number and one `cti` are two.
#[test]
fn keys_are_apart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("replay");
    let mut database =
        ReplayDatabase::open(&path, &options(DatabaseBirth::AcceptOlder), now()).unwrap();
    let sequence = Some(Sequence { channel: [9; 16], seq: 0 });
    for statement in [claims(1, Some(later(5)), None), claims(1, None, sequence)] {
        for byte in 1..3 {
            let verified = verified(signed(&statement, byte));
            let found = database.reserve(&Subject::of(&verified).unwrap(), now()).unwrap();
            assert!(matches!(found, Reservation::Fresh(_)), "{byte}: {found:?}");
        }
    }
}

/// A process that reserves, handles and commits, and may be killed at any moment.
///
/// To handle a record is to write its number to a log that is on the disk before the next step.
struct Worker {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

/// What a process is to do, and where.
#[derive(Clone)]
struct Orders {
    directory: PathBuf,
    first: u64,
    count: u64,
    batch: usize,
    /// In which order it takes the records.
    seed: u64,
    /// Seconds after the moment of the tests.
    now: u64,
    /// Where it drops dead, in its second batch.
    dies: &'static str,
}

impl Orders {
    fn new(directory: &Path, count: u64, batch: usize) -> Self {
        let directory = directory.to_owned();
        Self { directory, first: 0, count, batch, seed: 1, now: 0, dies: "never" }
    }

    /// Starts a process, which waits.
    fn start(&self) -> Worker {
        let Self { directory, first, count, batch, seed, now, dies } = self;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "replay::another_process", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory)
            .env(ORDERS, format!("{first} {count} {batch} {seed} {now} {dies}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut worker = Worker { child, output };
        worker.hear("ready");
        worker
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn database(&self) -> PathBuf {
        self.directory.join("replay")
    }
}

impl Worker {
    /// Waits for a line; `false` if the process is gone.
    fn hear(&mut self, word: &str) -> bool {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if line.trim_end().ends_with(word) {
                return true;
            }
            line.clear();
        }
        false
    }

    fn go(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    /// Lets it work to its end. Returns whether it got there.
    fn finish(mut self) -> bool {
        self.go();
        let ended = self.hear("end");
        self.child.wait().unwrap();
        ended
    }

    /// Kills it some time after its second batch: up to as long as four of these take, wherever that is.
    /// Returns whether it was still at work.
    fn kill_at_random(mut self, random: &mut Random) -> bool {
        self.go();
        // With the first, it opens the database.
        if !self.hear("batch") {
            return false;
        }
        let start = Instant::now();
        if !self.hear("batch") {
            return false;
        }
        let most = u64::try_from(start.elapsed().as_micros()).unwrap() * 4;
        std::thread::sleep(Duration::from_micros(random.below(most + 1)));
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        !self.hear("end")
    }
}

const DIRECTORY: &str = "BRINE_REPLAY_DIRECTORY";
const ORDERS: &str = "BRINE_REPLAY_ORDERS";

#[test]
#[ignore = "the other process of the tests here, which start it"]
fn another_process() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let orders = std::env::var(ORDERS).unwrap();
    let words: Vec<_> = orders.split(' ').collect();
    let [numbers @ .., dies] = &words[..] else { panic!("{orders}") };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().unwrap()).collect();
    let [first, count, batch, seed, seconds] = numbers[..] else { panic!("{orders}") };
    let mut subjects: Vec<_> = (first..first + count).map(|seq| (seq, numbered(seq))).collect();
    shuffle(&mut subjects, seed);
    println!("\nready");
    std::io::stdin().read_line(&mut String::new()).unwrap();

    let moment = later(seconds);
    let path = directory.join("replay");
    let mut database =
        ReplayDatabase::open(&path, &options(DatabaseBirth::AcceptOlder), moment).unwrap();
    let mut log = OpenOptions::new().append(true).create(true).open(directory.join("log")).unwrap();
    let mut note = |letter, numbers: &[u64]| {
        let lines: String = numbers.iter().map(|seq| format!("{letter} {seq}\n")).collect();
        log.write_all(lines.as_bytes()).unwrap();
        log.sync_data().unwrap();
    };
    for (index, batch) in subjects.chunks(usize::try_from(batch).unwrap()).enumerate() {
        let die_at = |step| {
            if index == 1 && *dies == step {
                std::process::abort();
            }
        };
        let (numbers, batch): (Vec<_>, Vec<_>) = batch.iter().copied().unzip();
        let found = database.reserve_many(&batch, moment).unwrap();
        die_at("reserved");
        let fresh = numbers.iter().zip(found).filter_map(|(seq, found)| match found {
            Reservation::Fresh(lease) => Some((*seq, lease)),
            Reservation::Busy { .. } | Reservation::Replayed => None,
            other => panic!("{other:?}"),
        });
        let (numbers, leases): (Vec<_>, Vec<_>) = fresh.unzip();
        note('h', &numbers);
        die_at("handled");
        let settled = database.commit_many(&leases, moment).unwrap();
        assert!(settled.iter().all(|settled| *settled == Settled::Done));
        die_at("committed");
        note('c', &numbers);
        println!("batch");
    }
    println!("\nend");
}

/// Xorshift: the same order for the same seed, on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        for shift in [13_i32, -7, 17] {
            let shifted = if shift > 0 { self.0 << shift } else { self.0 >> shift.unsigned_abs() };
            self.0 ^= shifted;
        }
        (self.0 >> 16) % bound
    }
}

fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for last in (1..items.len()).rev() {
        items.swap(last, usize::try_from(random.below(u64::try_from(last).unwrap() + 1)).unwrap());
    }
}

/// How often each record was handled. None was handled after it had been committed.
fn handled(orders: &Orders) -> BTreeMap<u64, u32> {
    let mut handled = BTreeMap::new();
    let mut committed = BTreeMap::new();
    for line in fs::read_to_string(orders.log()).unwrap().lines() {
        let (letter, seq) = line.split_once(' ').unwrap();
        let seq: u64 = seq.parse().unwrap();
        if letter == "h" {
            assert!(!committed.contains_key(&seq), "{seq} was handled after it was committed");
            *handled.entry(seq).or_insert(0) += 1;
        } else {
            committed.insert(seq, ());
        }
    }
    handled
}

/// Whoever dies before the commit has the record handled again, and whoever dies after it has not.
#[test]
fn what_a_process_leaves_behind_depends_on_the_step_it_died_at() {
    for (dies, times) in [("reserved", 1), ("handled", 2), ("committed", 1)] {
        let directory = TempDir::new().unwrap();
        let orders = Orders { dies, ..Orders::new(directory.path(), 3, 1) };
        assert!(!orders.start().finish(), "it did not die at {dies}");
        let again = Orders { now: LEASE_SECONDS - 1, dies: "never", ..orders.clone() };
        // As long as the lease lasts, nobody touches the record.
        assert!(again.start().finish());
        let before = handled(&orders).len();
        assert_eq!(before, if dies == "reserved" { 2 } else { 3 }, "{dies}");
        let again = Orders { now: LEASE_SECONDS, ..again };
        assert!(again.start().finish());
        let mut found: Vec<_> = handled(&orders).into_values().collect();
        found.sort_unstable();
        assert_eq!(found, [1, 1, times], "{dies}");
        let view = ReplayView::open(&orders.database()).unwrap();
        let status = view.status(now()).unwrap();
        assert_eq!((status.seen, status.missing, status.leases), (3, 0, 0), "{dies}");
    }
}

/// How many records there are, and how often at most a process dies over them.
const RECORDS: u64 = 80;
const DEATHS: u32 = 20;

/// Killed at random, again and again, until everything is done.
#[test]
fn nothing_is_lost_or_repeated_by_processes_that_are_killed() {
    let mut deaths = 0;
    for (seed, batch) in [(11, 1), (12, 1), (13, 4), (14, 16)] {
        let directory = TempDir::new().unwrap();
        let mut orders = Orders { seed, ..Orders::new(directory.path(), RECORDS, batch) };
        let mut random = Random(seed);
        let mut killed = 0;
        while killed < DEATHS {
            orders.now += 2 * LEASE_SECONDS;
            orders.seed += 100;
            if !orders.start().kill_at_random(&mut random) {
                break;
            }
            killed += 1;
        }
        deaths += killed;
        orders.now += 2 * LEASE_SECONDS;
        assert!(orders.start().finish());
        let found = handled(&orders);
        assert_eq!(u64::try_from(found.len()).unwrap(), RECORDS, "seed {seed}: some were lost");
        let repeated: u32 = found.values().map(|times| times - 1).sum();
        // A process that dies leaves one batch behind at most.
        let batch = u32::try_from(batch).unwrap();
        assert!(repeated <= killed * batch, "seed {seed}: {repeated} after {killed} deaths");
        let view = ReplayView::open(&orders.database()).unwrap();
        let status = view.status(now()).unwrap();
        assert_eq!((status.seen, status.missing, status.leases), (RECORDS, 0, 0), "seed {seed}");
        assert_eq!((status.ranges, status.entries), (1, 2), "seed {seed}");

        // And once more, when all is done: nothing is handled.
        let length = fs::metadata(orders.log()).unwrap().len();
        orders.now += 2 * LEASE_SECONDS;
        assert!(orders.start().finish());
        assert_eq!(fs::metadata(orders.log()).unwrap().len(), length, "seed {seed}");
    }
    assert!(deaths >= 12, "only {deaths} processes were killed");
}

/// They make the database at once, too.
#[test]
fn of_two_processes_one_handles_a_record() {
    for (count, batch, rounds) in [(1, 1, 12), (200, 1, 1), (200, 7, 1)] {
        let directory = TempDir::new().unwrap();
        for round in 0..rounds {
            let orders =
                Orders { first: round * count, ..Orders::new(directory.path(), count, batch) };
            let mut workers = [1, 2].map(|seed| Orders { seed, ..orders.clone() }.start());
            for worker in &mut workers {
                worker.go();
            }
            for mut worker in workers {
                assert!(worker.hear("end"), "a process failed");
                worker.child.wait().unwrap();
            }
        }
        let found = handled(&Orders::new(directory.path(), count, batch));
        assert_eq!(found.len(), usize::try_from(count * rounds).unwrap());
        assert!(found.values().all(|times| *times == 1), "{found:?}");
    }
}

/// A process that has the database open when somebody puts another in its place stops.
#[test]
fn a_replaced_database_is_missed() {
    let directory = TempDir::new().unwrap();
    let orders = Orders::new(directory.path(), 1, 1);
    let path = orders.database();
    let mut database =
        ReplayDatabase::open(&path, &options(DatabaseBirth::AcceptOlder), now()).unwrap();
    let lease = database.reserve(&numbered(0), now()).unwrap().into_lease().unwrap();
    for name in ["replay", "replay-wal", "replay-shm"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    let mut second =
        ReplayDatabase::open(&path, &options(DatabaseBirth::RefuseOlder), now()).unwrap();
    assert_eq!(database.commit(&lease, now()).unwrap_err().reason(), "replay-gone");
    assert_eq!(database.reserve(&numbered(1), now()).unwrap_err().reason(), "replay-gone");
    let found = second.reserve(&numbered(0), now()).unwrap();
    assert_eq!(found.into_lease().unwrap_err().reason(), "replay-unknown");
    drop(database);
    assert!(File::open(&path).is_ok(), "the second database is gone with the first");
    assert!(second.reserve(&numbered(1), later(100)).is_ok());
}
