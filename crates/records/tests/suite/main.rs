//! Records through the public interface: framing, pipeline, signer, replay.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads the environment and small files"
)]

mod common;
mod framing;
mod moments;
mod pipeline;
#[cfg(feature = "replay")]
mod replay;
mod signer;
mod signing;
