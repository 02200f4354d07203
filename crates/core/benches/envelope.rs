//! Signing, parsing and verifying through the library, beside bare Ed25519 on the same bytes.
//!
//! What an envelope costs is the difference between two rows of one group, measured in one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails stops")]

use std::hint::black_box;

use brine_core::cose::Tagging;
use brine_core::{
    Expectations, KnownSigners, Signer, SigningKey, Statement, Timestamp, Unique,
    UnverifiedEnvelope, open, sign,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

const SEED: [u8; 32] = [7; 32];
const SIZES: [(&str, usize); 2] = [("1 KiB", 1 << 10), ("1 MiB", 1 << 20)];

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).unwrap()
}

/// What `brine sign --context orders` states.
fn statement() -> Statement {
    Statement::at(now()).context("orders").unique(Unique { cti: [7; 16], sequence: None })
}

fn signing(criterion: &mut Criterion) {
    let key = SigningKey::from_seed(&Zeroizing::new(SEED));
    let bare = ed25519_dalek::SigningKey::from_bytes(&SEED);
    for (name, size) in SIZES {
        let payload = vec![0x5a; size];
        let mut group = criterion.benchmark_group(format!("sign {name}"));
        group.throughput(Throughput::Bytes(size.try_into().unwrap()));
        group.bench_function("brine", |bencher| {
            bencher.iter(|| {
                sign(&statement(), &key, black_box(payload.as_slice())).unwrap().to_bytes()
            });
        });
        group.bench_function("bare ed25519-dalek", |bencher| {
            bencher.iter(|| bare.sign(black_box(&payload)));
        });
        group.finish();
    }
}

fn verifying(criterion: &mut Criterion) {
    let key = SigningKey::from_seed(&Zeroizing::new(SEED));
    let bare = ed25519_dalek::SigningKey::from_bytes(&SEED);
    let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
    let expectations = Expectations::new().context("orders");
    for (name, size) in SIZES {
        let payload = vec![0x5a; size];
        let envelope = sign(&statement(), &key, payload.as_slice()).unwrap().to_bytes();
        let signature = bare.sign(&payload);
        let mut group = criterion.benchmark_group(format!("verify {name}"));
        group.throughput(Throughput::Bytes(size.try_into().unwrap()));
        group.bench_function("brine", |bencher| {
            // The front door takes the envelope, so each turn has one of its own.
            bencher.iter_batched(
                || envelope.clone(),
                |envelope| open(envelope).unwrap().verify(&expectations, &trust, &now()).unwrap(),
                BatchSize::LargeInput,
            );
        });
        group.bench_function("bare ed25519-dalek", |bencher| {
            let public = bare.verifying_key();
            bencher.iter(|| public.verify_strict(black_box(&payload), &signature).unwrap());
        });
        group.bench_function("brine, parsing alone", |bencher| {
            bencher.iter(|| {
                let parsed = UnverifiedEnvelope::parse(black_box(&envelope), Tagging::Required);
                parsed.unwrap().sign1().unverified_payload().map(<[u8]>::len)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, signing, verifying);
criterion_main!(benches);
