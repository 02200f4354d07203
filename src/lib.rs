//! The programs `brine` and `brinekey`.
//!
//! `args` holds what was typed. `verbs` has a file for each verb: it resolves what was typed, calls the
//! library and reports. `world` is everything that is not a value: files, clock, environment, terminal.
//! `report` turns results into lines, verdicts and exit statuses.

#![forbid(unsafe_code)]

#[expect(missing_docs, reason = "clap documents a verb, or flattened arguments, by their type")]
pub mod args;
pub mod report;

mod program;
mod verbs;
mod world;

pub use self::program::{brine, brinekey};
