//! Live against other people's software: `./scripts/test` installs it.
//!
//! A program or library that is missing fails these tests; nothing is passed over.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads the environment and small files"
)]

#[path = "../suite/common.rs"]
#[allow(dead_code, unused_imports, reason = "the other tests use the rest")]
mod common;
#[path = "../suite/page.rs"]
mod page;
#[path = "../suite/schema.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod schema;
#[path = "../suite/typed.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod typed;

mod agent;
mod brokers;
mod certificates;
mod completions;
mod cookbook;
mod cose;
mod openssh;
mod openssl;
mod pickle;
mod pickle_containers;
mod pickle_values;
#[cfg(feature = "brokers")]
#[path = "../../crates/queue/tests/suite/rabbitmq.rs"]
#[allow(dead_code, reason = "the tests of queues use the rest")]
mod rabbitmq;
#[cfg(feature = "brokers")]
#[path = "../../crates/queue/tests/suite/server.rs"]
#[allow(clippy::print_stdout, dead_code, reason = "the tests of queues use the rest")]
mod server;
#[cfg(feature = "brokers")]
mod servers;
mod several;
mod signed_jobs;
mod soak;
mod streams;

/// Runs a line that must succeed. The foreign program in it must be there: a line that is to be
/// refused would pass without it.
#[track_caller]
fn run(person: &common::Person, program: &str, line: &str) -> Vec<u8> {
    let found = person.shell(&format!("command -v {program}")).output().unwrap();
    assert!(found.status.success(), "{program} is missing: run ./scripts/test");
    let output = person.shell(&format!("set -e; {line}")).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    output.stdout
}
