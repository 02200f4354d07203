//! Does what scripts/bench-python compares with Python: `small_bytes sign|verify COUNT` signs or verifies a message of
//! 1 KiB so many times. Who starts it takes the time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a program for measurements")]
#![allow(clippy::disallowed_methods, reason = "a program is where the clock is read")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::SystemTime;

use brine_core::{
    EnvelopeVerifier, Expectations, KnownSigners, Signer, SigningKey, Statement, Timestamp, Unique,
    sign,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, count] = arguments.as_slice() else { panic!("small_bytes sign|verify COUNT") };
    let count: u32 = count.parse().unwrap();
    let key = SigningKey::generate().unwrap();
    let message = [7; 1024];
    let now = || Timestamp::from_system(SystemTime::now()).unwrap();
    let envelope = || {
        let statement = Statement::at(now()).context("bench").unique(Unique::draw().unwrap());
        sign(&statement, &key, &message).unwrap().to_bytes()
    };
    let signer = Signer::new("me", key.verifying_key().clone());
    let expectations = Arc::new(Expectations::new().context("bench"));
    let mut verifier = EnvelopeVerifier::new(expectations, Arc::new(KnownSigners::new([signer])));
    let signed = envelope();
    for _ in 0..count {
        match work.as_str() {
            "sign" => drop(black_box(envelope())),
            _ => drop(black_box(verifier.verify(&signed, now()).unwrap().in_memory())),
        }
    }
}
