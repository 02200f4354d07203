//! Forgets what can never be let in again.

use std::time::Duration;

use brine_core::Timestamp;
use brine_core::time::LEEWAY;
use rusqlite::{Connection, params};

use super::bookkeeping::Bookkeeping;
use super::signer_share;
use crate::ledger::ReplayError;

/// How many rows were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunedRows {
    /// Channels without any numbers left.
    pub channels: u64,
    /// Leases that had run out.
    pub leases: u64,
    /// Records that were known by their `cti`.
    pub names: u64,
    /// Ranges of numbers.
    pub ranges: u64,
}

/// Deletes what is refused by its time in any case.
///
/// The floor rises first. So if older records are allowed later, those that may have been forgotten are still
/// refused.
pub(super) fn prune(
    connection: &Connection,
    state: &mut Bookkeeping,
    now: Timestamp,
) -> Result<PrunedRows, ReplayError> {
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
    // A name is not let in again if it has expired or is too old. One that is being handled stays.
    let forgotten = "DELETE FROM named WHERE (issued < ?1 OR expires <= ?2) \
                     AND (until IS NULL OR until <= ?3)";
    let end = state.latest.minus(LEEWAY).unix();
    let names = run(forgotten, &[cut, end, now.unix()])?;
    forget_ranges(connection, cut)?;
    let ranges = run("DELETE FROM done WHERE issued < ?1", &[cut])?;
    let channels = "DELETE FROM channel WHERE issued < ?1 AND ranges = 0 \
                    AND id NOT IN (SELECT channel FROM lease)";
    let channels = run(channels, &[cut])?;
    state.entries = signer_share::recount(connection)?;
    Ok(PrunedRows { channels, leases, names, ranges })
}

/// Notes in each channel which numbers it is about to forget.
fn forget_ranges(connection: &Connection, cut: u64) -> Result<(), ReplayError> {
    // No number follows the largest one; SQLite would go on with one that is no integer.
    let sql = "UPDATE channel SET ranges = ranges - gone.count, \
               known_from = max(known_from, min(gone.last, 9223372036854775806) + 1) \
               FROM (SELECT channel, count(*) AS count, max(last) AS last FROM done \
               WHERE issued < ?1 GROUP BY channel) AS gone WHERE id = gone.channel";
    connection.prepare_cached(sql)?.execute(params![cut])?;
    Ok(())
}

/// Returns whether it is time to prune.
pub(super) fn is_due(state: &Bookkeeping) -> bool {
    let rest = (state.max_age / SHARE).max(SHORTEST_REST);
    state.latest >= state.pruned.plus(rest)
}

/// About which part of the database may be useless, compared to what is needed.
const SHARE: u32 = 16;

/// Pruning reads the whole database.
pub(super) const SHORTEST_REST: Duration = Duration::from_secs(60);
