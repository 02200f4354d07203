//! The programs `brine` and `brinekey`.
//!
//! `args` holds what was typed. `verbs` has a file for each verb, which resolves what was typed, calls the
//! library and returns an outcome. `world` is everything that is not a value: files, clock, environment,
//! terminal. `report` turns outcomes into lines, verdicts and exit statuses, and `reporter` prints them. [`embed`] is for
//! front ends in other languages.

#![forbid(unsafe_code)]

#[expect(missing_docs, reason = "clap documents a verb, or flattened arguments, by their type")]
pub mod args;
pub mod embed;
pub mod report;

mod program;
mod reporter;
mod verbs;
mod world;

pub use self::program::{brine, brinekey};
