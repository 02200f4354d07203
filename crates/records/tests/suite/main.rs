//! Framing and replay through the public interface.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads the environment and small files"
)]

#[cfg(feature = "replay")]
mod common;
mod framing;
#[cfg(feature = "replay")]
mod replay;
