//! Replay databases.

use std::path::Path;
use std::time::Duration;

use brine_records::replay::{LEASE, MAX_AGE, ReplayDatabase, ReplayOptions};

use super::Refused;
use super::stating::wrong;
use crate::args::when::parse_duration;
use crate::verbs::replay;
use crate::world::clock;

/// How a replay database is used, as people write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayText {
    /// How long other processes leave a record to this one if it dies, like `1m`.
    pub lease: Option<String>,
    /// Records up to this age are told apart, by default a day.
    pub max_age: Option<String>,
}

/// Opens the replay database at `path`, which must be there.
///
/// # Errors
///
/// What the programs say of such a database.
pub fn replay_database(path: &Path, text: &ReplayText) -> Result<ReplayDatabase, Refused> {
    let ReplayText { lease, max_age } = text;
    let read = |name, text: &Option<String>| {
        let length = text.as_deref().map(parse_duration).transpose();
        length.map_err(|expected| wrong(name, &expected))
    };
    let options = ReplayOptions {
        // Moments are whole seconds, so that a second of a lease may have passed when it begins.
        lease: read("lease", lease)?.unwrap_or(LEASE).saturating_add(Duration::from_secs(1)),
        max_age: read("max_age", max_age)?.unwrap_or(MAX_AGE),
        ..ReplayOptions::default()
    };
    let now = clock::read().map_err(brine_core::Error::from)?;
    Ok(ReplayDatabase::open(path, &options, now)?)
}

/// Makes a replay database at `path`, where there must be nothing, and returns what `brine replay init --json` writes.
///
/// It refuses records that were signed before it, which another database may have released, unless `accept_older` says
/// that there was none.
///
/// # Errors
///
/// What the programs say where they cannot make one.
pub fn replay_init(
    path: &Path,
    accept_older: bool,
    max_age: Option<&str>,
) -> Result<String, Refused> {
    let max_age = max_age.map(parse_duration).transpose();
    let max_age = max_age.map_err(|expected| wrong("max_age", &expected))?;
    Ok(replay::database_line(&replay::make(path, accept_older, max_age)?)?)
}

/// Returns what `brine replay status --json` writes of the replay database at `path`, without its channels.
///
/// # Errors
///
/// What the programs say of such a database.
pub fn replay_status(path: &Path) -> Result<String, Refused> {
    Ok(replay::database_line(path)?)
}
