//! Records of 300 bytes: signed and verified alone and in batches, beside bare Ed25519 in the same run.
//!
//! In each round all rows take their turn, so that what slows the machine down slows all of them; what
//! is shown is the median of the rounds. With two threads, each has its own batches and its own memory,
//! and what they do is counted together.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark that fails stops, and prints what it measures"
)]

use std::hint::black_box;
use std::sync::{Arc, Barrier, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use brine_core::batch::{BatchSigner, Memory};
use brine_core::cose::Tagging;
use brine_core::{
    EnvelopeVerifier, Expectations, KnownSigners, Signer, SigningKey, Statement, Timestamp, Unique,
    UnverifiedEnvelope, sign,
};
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

const SEED: [u8; 32] = [7; 32];
const PAYLOAD: [u8; 300] = [0x5a; 300];
const BATCHES: [usize; 4] = [16, 64, 256, 1024];
const ROUNDS: usize = 15;
const TURN: Duration = Duration::from_millis(100);

fn main() {
    // Without arguments of its own; `cargo test --benches` only has to build it.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let rows = rows();
    let (one, two) = (medians(1, &rows), medians(2, &rows));
    println!("{:<34} {:>14} {:>14}", "records of 300 bytes", "1 thread", "2 threads");
    for ((row, one), two) in rows.iter().zip(one).zip(two) {
        println!("{:<34} {one:>12.0}/s {two:>12.0}/s", row.name);
    }
    println!("\n{:<34} {:>14}", "bytes beside the payload", "");
    let alone = signed().len() - PAYLOAD.len();
    println!("{:<34} {alone:>14}", "signed alone");
    for size in BATCHES {
        let bytes: usize = batch(size, 0).iter().map(Vec::len).sum();
        let each = bytes / size - PAYLOAD.len();
        println!("{:<34} {each:>14}", format!("in batches of {size}"));
    }
}

/// Does something, and returns for how many records.
type Work = Box<dyn FnMut() -> usize>;

struct Row {
    name: String,
    prepare: Box<dyn Fn() -> Work + Sync>,
}

fn row(name: impl Into<String>, prepare: impl Fn() -> Work + Sync + 'static) -> Row {
    Row { name: name.into(), prepare: Box::new(prepare) }
}

fn rows() -> Vec<Row> {
    let mut rows =
        vec![row("bare ed25519-dalek, sign", bare_sign), row("brine, sign alone", sign_one)];
    rows.extend(
        BATCHES.map(|size| {
            row(format!("brine, sign in batches of {size}"), move || sign_batches(size))
        }),
    );
    rows.push(row("bare ed25519-dalek, verify_strict", bare_verify));
    rows.push(row("brine, verify alone", verify_one));
    rows.push(row("brine, parse alone", parse_one));
    rows.extend(
        BATCHES.map(|size| {
            row(format!("brine, verify batches of {size}"), move || verify_batches(size))
        }),
    );
    rows
}

fn bare_sign() -> Work {
    let key = ed25519_dalek::SigningKey::from_bytes(&SEED);
    Box::new(move || {
        black_box(key.sign(black_box(&PAYLOAD)));
        1
    })
}

fn sign_one() -> Work {
    let key = key();
    let mut number = 0;
    Box::new(move || {
        number += 1;
        let statement = statement().unique(unique(number));
        black_box(sign(&statement, &key, black_box(&PAYLOAD)).unwrap().to_bytes());
        1
    })
}

fn sign_batches(size: usize) -> Work {
    let mut signer = BatchSigner::new(Arc::new(key()));
    let statement = statement();
    let mut number = 0;
    Box::new(move || {
        for _ in 0..size {
            number += 1;
            signer.add(black_box(&PAYLOAD), &statement, unique(number)).unwrap();
        }
        black_box(signer.finish_batch().unwrap().bytes());
        size
    })
}

fn bare_verify() -> Work {
    let key = ed25519_dalek::SigningKey::from_bytes(&SEED);
    let (public, signature) = (key.verifying_key(), key.sign(&PAYLOAD));
    Box::new(move || {
        public.verify_strict(black_box(&PAYLOAD), &signature).unwrap();
        1
    })
}

fn verify_one() -> Work {
    let envelope = signed();
    let mut verifier = verifier();
    Box::new(move || {
        black_box(verifier.verify(black_box(&envelope), now()).unwrap().in_memory());
        1
    })
}

fn parse_one() -> Work {
    let envelope = signed();
    Box::new(move || {
        let parsed = UnverifiedEnvelope::parse(black_box(&envelope), Tagging::Required);
        black_box(parsed.unwrap());
        1
    })
}

fn verify_batches(size: usize) -> Work {
    let batches: Vec<_> = (0..64).map(|number| batch(size, number * 100_000)).collect();
    // A batch is forgotten before its turn comes again, so that the root of each is verified once.
    let mut verifier = verifier().memory(Memory::new(4, 4));
    let mut turn = 0;
    Box::new(move || {
        turn = (turn + 1) % batches.len();
        for envelope in &batches[turn] {
            black_box(verifier.verify(black_box(envelope), now()).unwrap().in_memory());
        }
        size
    })
}

/// Records a second, for each row.
fn medians(threads: usize, rows: &[Row]) -> Vec<f64> {
    let barrier = Barrier::new(threads);
    let measure = || {
        let mut works: Vec<_> = rows.iter().map(|row| (row.prepare)()).collect();
        let round = |work: &mut Work| {
            barrier.wait();
            let start = Instant::now();
            let mut records = 0.0;
            while start.elapsed() < TURN {
                records += f64::from(u32::try_from(work()).unwrap());
            }
            records / start.elapsed().as_secs_f64()
        };
        (0..ROUNDS).map(|_| works.iter_mut().map(round).collect()).collect::<Vec<Vec<_>>>()
    };
    let rates = thread::scope(|scope| {
        let spawned: Vec<_> = (0..threads).map(|_| scope.spawn(measure)).collect();
        spawned.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let median = |row: usize| {
        let together = |round: usize| rates.iter().map(|rates| rates[round][row]).sum();
        let mut sums: Vec<f64> = (0..ROUNDS).map(together).collect();
        sums.sort_by(f64::total_cmp);
        sums[ROUNDS / 2]
    };
    (0..rows.len()).map(median).collect()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new(SEED))
}

/// One trust and one question, which all threads share.
static TRUST: LazyLock<Arc<KnownSigners>> = LazyLock::new(|| {
    Arc::new(KnownSigners::new([Signer::new("alice", key().verifying_key().clone())]))
});
static EXPECTATIONS: LazyLock<Arc<Expectations>> =
    LazyLock::new(|| Arc::new(Expectations::new().context("orders")));

fn verifier() -> EnvelopeVerifier {
    EnvelopeVerifier::new(EXPECTATIONS.clone(), TRUST.clone())
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).unwrap()
}

/// What `brine sign --context orders` states.
fn statement() -> Statement {
    Statement::at(now()).context("orders")
}

/// Another `cti` for each record.
fn unique(number: u64) -> Unique {
    let mut cti = [7; 16];
    cti[..8].copy_from_slice(&number.to_be_bytes());
    Unique { cti, sequence: None }
}

fn signed() -> Vec<u8> {
    sign(&statement().unique(unique(1)), &key(), &PAYLOAD).unwrap().to_bytes()
}

fn batch(size: usize, from: u64) -> Vec<Vec<u8>> {
    let mut signer = BatchSigner::new(Arc::new(key()));
    for number in (from..).take(size) {
        signer.add(&PAYLOAD, &statement(), unique(number)).unwrap();
    }
    signer.finish_batch().unwrap().iter().map(<[u8]>::to_vec).collect()
}
