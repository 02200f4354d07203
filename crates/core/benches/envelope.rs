//! Signing, parsing and verifying through the library, beside bare Ed25519 on the same bytes.
//!
//! What an envelope costs is the difference between two rows of one group, measured in one run.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails stops")]

use std::hint::black_box;

use brine::{
    Request, Sign1, Signer, SigningKey, Statement, Tagging, Template, Timestamp, Trust, sign,
    verify,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

const SEED: [u8; 32] = [7; 32];
const SIZES: [(&str, usize); 2] = [("1 KiB", 1 << 10), ("1 MiB", 1 << 20)];

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).unwrap()
}

/// What `brine sign --context orders` writes.
fn template() -> Template<'static> {
    let statement = Statement::Full {
        context: Some("orders"),
        cti: [7; 16],
        expires: None,
        issued_at: now(),
        not_before: None,
    };
    Template { statement, ..Template::default() }
}

fn signing(criterion: &mut Criterion) {
    let key = SigningKey::from_seed(&Zeroizing::new(SEED));
    let bare = ed25519_dalek::SigningKey::from_bytes(&SEED);
    for (name, size) in SIZES {
        let payload = vec![0x5a; size];
        let mut group = criterion.benchmark_group(format!("sign {name}"));
        group.throughput(Throughput::Bytes(size.try_into().unwrap()));
        group.bench_function("brine", |bencher| {
            bencher.iter(|| sign(&key, black_box(&payload), &template()).to_bytes());
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
    let trust = Trust::new(vec![Signer::new("alice", key.verifying_key().clone())]);
    let request = Request { context: Some("orders"), ..Request::at(now()) };
    for (name, size) in SIZES {
        let payload = vec![0x5a; size];
        let envelope = sign(&key, &payload, &template()).to_bytes();
        let signature = bare.sign(&payload);
        let mut group = criterion.benchmark_group(format!("verify {name}"));
        group.throughput(Throughput::Bytes(size.try_into().unwrap()));
        group.bench_function("brine", |bencher| {
            bencher.iter(|| {
                let sign1 = Sign1::parse(black_box(&envelope), Tagging::Required).unwrap();
                verify(&sign1, &request, &trust).unwrap().payload().len()
            });
        });
        group.bench_function("bare ed25519-dalek", |bencher| {
            let public = bare.verifying_key();
            bencher.iter(|| public.verify_strict(black_box(&payload), &signature).unwrap());
        });
        group.bench_function("brine, parsing alone", |bencher| {
            bencher.iter(|| {
                let sign1 = Sign1::parse(black_box(&envelope), Tagging::Required).unwrap();
                sign1.unverified_payload().map(<[u8]>::len)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, signing, verifying);
criterion_main!(benches);
