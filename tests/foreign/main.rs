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
#[allow(dead_code, reason = "the other tests use the rest")]
mod common;
mod cose;
mod openssh;
mod openssl;
mod streams;
