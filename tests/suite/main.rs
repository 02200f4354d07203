//! Everything that needs no other software than brine itself.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads the environment and small files"
)]

mod architecture;
mod batch;
mod cli;
mod common;
mod documents;
mod extent;
mod foreign_vectors;
mod generated;
mod job;
#[cfg(target_os = "linux")]
mod jobs;
mod large;
mod mutation;
mod pickle;
mod properties;
#[cfg(target_os = "linux")]
mod sandbox;
mod stream;
mod vectors;
