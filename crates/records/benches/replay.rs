//! Reserving and committing records in a replay database: one and two processes, in order and not.
//!
//! Each record is reserved and committed in batches; between the two nothing is handled. A batch is two
//! transactions, each on the disk before it returns, so the disk is measured too. Made for
//! `cargo bench --bench replay`; `BRINE_BENCH_DIRECTORY` says where the database lies.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark that fails stops, and prints what it measured"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_core::{
    EnvelopeVerifier, Expectations, KnownSigners, Sequence, Signer, SigningKey, Statement,
    Timestamp, Unique, sign,
};
use brine_records::replay::{DatabaseBirth, ReplayDatabase, ReplayOptions};
use brine_records::{Settled, Subject};
use zeroize::Zeroizing;

/// How many records go into one batch, and how many there are.
const BATCHES: [(usize, u64); 3] = [(1, 1_000), (100, 20_000), (1000, 40_000)];
const ORDERS: &str = "BRINE_BENCH_ORDERS";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Random,
    Rising,
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).unwrap()
}

/// What a trusted signer's records of one channel are held by.
fn subjects(channel: u8, count: u64) -> Vec<Subject> {
    let key = SigningKey::from_seed(&Zeroizing::new([7; 32]));
    let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
    let mut verifier = EnvelopeVerifier::new(Expectations::new().into(), Arc::new(trust));
    let subject = |seq| {
        let sequence = Some(Sequence { channel: [channel; 16], seq });
        let statement = Statement::at(now()).unique(Unique { cti: [7; 16], sequence });
        let envelope = sign(&statement, &key, b"payload").unwrap().to_bytes();
        Subject::of(verifier.verify(&envelope, now()).unwrap()).unwrap()
    };
    (0..count).map(subject).collect()
}

/// The same order each time.
fn shuffle(subjects: &mut [Subject]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..subjects.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let bound = u64::try_from(last).unwrap() + 1;
        subjects.swap(last, usize::try_from((state >> 11) % bound).unwrap());
    }
}

fn open(path: &Path) -> ReplayDatabase {
    let busy_timeout = Duration::from_secs(60);
    let birth = DatabaseBirth::AcceptOlder;
    let options = ReplayOptions { birth, busy_timeout, ..ReplayOptions::default() };
    ReplayDatabase::open(path, &options, now()).unwrap()
}

fn work(path: &Path, subjects: &[Subject], batch: usize) -> Duration {
    let mut database = open(path);
    let start = Instant::now();
    for batch in subjects.chunks(batch) {
        let found = database.reserve_many(batch, now()).unwrap();
        let leases: Vec<_> = found.into_iter().map(|found| found.into_lease().unwrap()).collect();
        let settled = database.commit_many(&leases, now()).unwrap();
        assert!(settled.iter().all(|settled| *settled == Settled::Done));
    }
    start.elapsed()
}

/// One process of several, each with a channel of its own.
fn be_one_of_many(orders: &str) {
    let words: Vec<_> = orders.split('|').collect();
    let [path, channel, batch, count, order] = words.try_into().unwrap();
    let mut subjects = subjects(channel.parse().unwrap(), count.parse().unwrap());
    if order == "Random" {
        shuffle(&mut subjects);
    }
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    work(Path::new(path), &subjects, batch.parse().unwrap());
    println!("end");
}

fn spawn(path: &Path, channel: u8, batch: usize, count: u64, order: Order) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env(ORDERS, format!("{}|{channel}|{batch}|{count}|{order:?}", path.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns how long several processes take together.
fn together(path: &Path, processes: u8, batch: usize, count: u64, order: Order) -> Duration {
    let mut children: Vec<_> = (0..processes)
        .map(|channel| spawn(path, channel, batch, count / u64::from(processes), order))
        .collect();
    let mut outputs: Vec<_> =
        children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap())).collect();
    let mut line = String::new();
    for output in &mut outputs {
        output.read_line(&mut line).unwrap();
    }
    let start = Instant::now();
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    for output in &mut outputs {
        output.read_line(&mut line).unwrap();
    }
    let elapsed = start.elapsed();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    elapsed
}

fn main() {
    if let Ok(orders) = std::env::var(ORDERS) {
        return be_one_of_many(&orders);
    }
    let parent =
        std::env::var_os("BRINE_BENCH_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from);
    println!("processes  batch  order    records/s  file bytes");
    for processes in [1, 2] {
        for (batch, count) in BATCHES {
            for order in [Order::Rising, Order::Random] {
                let directory = tempfile::tempdir_in(&parent).unwrap();
                let path = directory.path().join("replay");
                let elapsed = together(&path, processes, batch, count, order);
                let rate = u128::from(count) * 1_000_000 / elapsed.as_micros().max(1);
                let bytes = open(&path).view().status(now()).unwrap().file_bytes;
                let order = format!("{order:?}");
                println!("{processes:>9}  {batch:>5}  {order:<7}  {rate:>9}  {bytes:>10}");
            }
        }
    }
}
