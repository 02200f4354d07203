//! Spans of numbers in the tables `done` and `lease`.

use brine_core::Timestamp;
use rusqlite::{Connection, Row, params};

use super::bookkeeping::moment;
use crate::ledger::{NumberSpan, ReplayError};

/// Numbers that are being handled: a row of `lease`.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldNumbers {
    pub(super) span: NumberSpan,
    /// When the youngest of these records was issued.
    pub(super) issued: Timestamp,
    pub(super) taken: Timestamp,
    pub(super) until: Timestamp,
    pub(super) token: u64,
}

/// Returns the handled numbers that overlap `span`: whole rows, each with the time at which its youngest
/// record was issued.
pub(super) fn done(
    connection: &Connection,
    channel: i64,
    span: &NumberSpan,
) -> Result<Vec<(NumberSpan, Timestamp)>, ReplayError> {
    let sql = "SELECT first, last, issued FROM done WHERE channel = ?1 AND last >= ?2 AND first <= ?3 \
               AND first >= ifnull((SELECT first FROM done WHERE channel = ?1 AND first <= ?2 \
               ORDER BY first DESC LIMIT 1), 0) ORDER BY first";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![channel, span.first, span.last])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((read(row)?, moment(row.get(2)?)?));
    }
    Ok(found)
}

/// Adds handled numbers, and joins them with the spans they touch. Returns by how many rows the table grew.
pub(super) fn add_done(
    connection: &Connection,
    channel: i64,
    span: &NumberSpan,
    issued: Timestamp,
) -> Result<i64, ReplayError> {
    let mut joined = (*span, issued);
    let mut growth = 1;
    let near = done(connection, channel, &span.widened())?;
    for (found, at) in &near {
        let (NumberSpan { first, last }, issued) = joined;
        let wide = NumberSpan { first: first.min(found.first), last: last.max(found.last) };
        joined = (wide, issued.max(*at));
        growth -= 1;
    }
    let (span, issued) = joined;
    for (found, _) in near.iter().filter(|(found, _)| found.first != span.first) {
        let sql = "DELETE FROM done WHERE channel = ?1 AND first = ?2";
        connection.prepare_cached(sql)?.execute(params![channel, found.first])?;
    }
    let sql = "INSERT OR REPLACE INTO done VALUES (?1, ?2, ?3, ?4)";
    let values = params![channel, span.first, span.last, issued.unix()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(growth)
}

/// Returns the leases that overlap `span`, including those that ran out.
pub(super) fn leases(
    connection: &Connection,
    channel: i64,
    span: &NumberSpan,
) -> Result<Vec<HeldNumbers>, ReplayError> {
    let sql = "SELECT first, last, issued, taken, until, token FROM lease \
               WHERE channel = ?1 AND last >= ?2 AND first <= ?3 \
               AND first >= ifnull((SELECT first FROM lease WHERE channel = ?1 AND first <= ?2 \
               ORDER BY first DESC LIMIT 1), 0) ORDER BY first";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![channel, span.first, span.last])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let [issued, taken] = [moment(row.get(2)?)?, moment(row.get(3)?)?];
        let until = moment(row.get(4)?)?;
        found.push(HeldNumbers { span: read(row)?, issued, taken, until, token: row.get(5)? });
    }
    Ok(found)
}

pub(super) fn add_lease(
    connection: &Connection,
    channel: i64,
    held: &HeldNumbers,
) -> Result<(), ReplayError> {
    let sql = "INSERT INTO lease VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        channel,
        held.span.first,
        held.span.last,
        held.issued.unix(),
        held.taken.unix(),
        held.until.unix(),
        held.token,
    ])?;
    Ok(())
}

/// Takes `hole` out of a lease. Returns by how many rows the table grew.
pub(super) fn carve(
    connection: &Connection,
    channel: i64,
    held: &HeldNumbers,
    hole: &NumberSpan,
) -> Result<i64, ReplayError> {
    let sql = "DELETE FROM lease WHERE channel = ?1 AND first = ?2";
    connection.prepare_cached(sql)?.execute(params![channel, held.span.first])?;
    let mut growth = -1;
    for span in held.span.without(hole).into_iter().flatten() {
        add_lease(connection, channel, &HeldNumbers { span, ..*held })?;
        growth += 1;
    }
    Ok(growth)
}

fn read(row: &Row<'_>) -> Result<NumberSpan, rusqlite::Error> {
    Ok(NumberSpan { first: row.get(0)?, last: row.get(1)? })
}
