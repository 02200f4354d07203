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

#[cfg(feature = "amqp")]
mod amqp_faults;
#[cfg(feature = "amqp")]
mod amqp_site;
mod answers;
mod conformance;
mod dead_letters;
#[cfg(any(feature = "amqp", feature = "nats"))]
#[allow(dead_code, reason = "each kind of server takes what it needs")]
mod dead_line;
mod files;
mod kills;
#[cfg(feature = "nats")]
mod nats_dead;
#[cfg(feature = "nats")]
mod nats_faults;
#[cfg(feature = "nats")]
mod nats_server;
#[cfg(feature = "nats")]
mod nats_site;
#[cfg(feature = "nats")]
mod nats_wire;
#[cfg(feature = "amqp")]
mod rabbitmq;
mod records;
#[cfg(feature = "redis")]
mod redis_site;
#[cfg(any(feature = "amqp", feature = "nats", feature = "redis"))]
#[allow(dead_code, reason = "each kind of server takes what it needs")]
mod server;
#[cfg(any(feature = "amqp", feature = "nats", feature = "redis"))]
mod server_soak;
mod side_by_side;
mod soak;
mod source;
mod sqlite_site;
mod worker;
