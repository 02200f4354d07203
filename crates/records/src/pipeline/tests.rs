//! The pipeline between ends that fail, block and die at every step.

mod ends;
mod fake_ledger;
mod faults;
mod oracle;
mod renewal;
mod steps;
mod waits;
mod world;

use self::world::{RecordKind, Setup, World};
