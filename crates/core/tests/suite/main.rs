//! Envelopes through the front door: what is released, and the reasons for refusing.
#![allow(
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads small files"
)]

mod batch;
mod certificates;
mod common;
mod cost;
mod documents;
mod extent;
mod foreign_vectors;
mod large;
mod module_arrows;
mod moments;
mod mutation;
mod properties;
mod several;
mod signing;
mod stream;
mod vectors;
