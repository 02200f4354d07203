//! Forgetting what can never be let in again.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::ReplayError;
use super::state::State;
use crate::claims::{LEEWAY, Timestamp};

/// How many rows were thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Channels of which nothing was left.
    pub channels: u64,
    /// Leases that had run out.
    pub leases: u64,
    /// Records that were held by their `cti`.
    pub names: u64,
    /// Ranges of numbers.
    pub ranges: u64,
}

/// Throws away what is refused for its time whatever happens.
///
/// The floor rises first: should records be let in later that are older than is allowed now, those that
/// may have been forgotten still are not.
pub(super) fn prune(
    connection: &Connection,
    state: &mut State,
    now: Timestamp,
) -> Result<Pruned, ReplayError> {
    let cut = state.cut();
    state.floor = state.floor.max(cut);
    state.pruned = state.latest;
    let cut = cut.unix();
    let run = |sql: &str, values: &[u64]| -> Result<u64, ReplayError> {
        let rows = connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values))?;
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    };
    let ended = "DELETE FROM lease WHERE issued < ?1 AND until <= ?2";
    let leases = run(ended, &[cut, now.unix()])?;
    // A name is not let in again after its end, nor if it is too old. One that somebody works on stays.
    let forgotten = "DELETE FROM named WHERE (issued < ?1 OR expires <= ?2) \
                     AND (until IS NULL OR until <= ?3)";
    let end = state.latest.minus(LEEWAY).unix();
    let names = run(forgotten, &[cut, end, now.unix()])?;
    forget_ranges(connection, cut)?;
    let ranges = run("DELETE FROM done WHERE issued < ?1", &[cut])?;
    let channels = "DELETE FROM channel WHERE issued < ?1 AND ranges = 0 \
                    AND id NOT IN (SELECT channel FROM lease)";
    let channels = run(channels, &[cut])?;
    let rows = [leases, names, ranges, channels].into_iter().fold(0, u64::saturating_add);
    state.entries = state.entries.saturating_sub(rows);
    Ok(Pruned { channels, leases, names, ranges })
}

/// Tells channels what they are about to forget.
fn forget_ranges(connection: &Connection, cut: u64) -> Result<(), ReplayError> {
    // Behind the largest number there is none, and SQLite would go on with one that is no integer.
    let sql = "UPDATE channel SET ranges = ranges - gone.count, \
               known_from = max(known_from, min(gone.last, 9223372036854775806) + 1) \
               FROM (SELECT channel, count(*) AS count, max(last) AS last FROM done \
               WHERE issued < ?1 GROUP BY channel) AS gone WHERE id = gone.channel";
    connection.prepare_cached(sql)?.execute(params![cut])?;
    Ok(())
}

/// Returns whether it is time to look for what can be forgotten.
pub(super) fn is_due(state: &State) -> bool {
    let rest = (state.max_age / SHARE).max(SHORTEST_REST);
    state.latest >= state.pruned.plus(rest)
}

/// What is dead weight is at most this part of what is needed, more or less.
const SHARE: u32 = 16;

/// Looking costs a reading of the whole database.
const SHORTEST_REST: Duration = Duration::from_secs(60);
