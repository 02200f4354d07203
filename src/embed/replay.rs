//! Replay databases.

use std::path::Path;

use brine_records::replay::{LEASE, MAX_AGE, ReplayDatabase, ReplayOptions};

use super::Refused;
use super::stating::wrong;
use crate::args::when::parse_duration;
use crate::world::clock;

/// Opens the replay database at `path`, which must be there. Records up to `max_age` are told apart, by default a day.
///
/// # Errors
///
/// What the programs say of such a database.
pub fn replay_database(path: &Path, max_age: Option<&str>) -> Result<ReplayDatabase, Refused> {
    let max_age = max_age.map(parse_duration).transpose();
    let max_age = max_age.map_err(|expected| wrong("max_age", &expected))?;
    let options = ReplayOptions {
        lease: LEASE,
        max_age: max_age.unwrap_or(MAX_AGE),
        ..ReplayOptions::default()
    };
    let now = clock::read().map_err(brine_core::Error::from)?;
    Ok(ReplayDatabase::open(path, &options, now)?)
}
