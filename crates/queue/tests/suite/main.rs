//! Queues through the public interface: what every queue does, what a queue in a file does beside that, and processes
//! that are killed.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, reads the clock and the environment, and talks to its processes"
)]

mod answers;
mod conformance;
mod dead_letters;
mod files;
mod kills;
mod records;
#[cfg(feature = "redis")]
mod redis_site;
#[cfg(any(feature = "amqp", feature = "redis"))]
#[allow(dead_code, reason = "each kind of server takes what it needs")]
mod server;
mod side_by_side;
mod soak;
mod source;
mod sqlite_site;
mod worker;
