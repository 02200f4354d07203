//! Everything that needs no other software than brine itself.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads the environment and small files"
)]

mod architecture;
mod cli;
mod common;
mod cookbook;
mod documents;
mod foreign_vectors;
mod generated;
mod mutation;
mod page;
mod schema;
mod schemas;
mod teams;
mod transcripts;
mod typed;
mod vectors;
