//! Spans of numbers: in memory, and in the tables `done` and `lease`.

use brine_core::Timestamp;
use rusqlite::{Connection, Row, params};

use super::bookkeeping::moment;
use crate::ledger::ReplayError;

/// The numbers from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberSpan {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

impl NumberSpan {
    /// Returns how many numbers there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Returns whether `seq` is one of the numbers.
    #[must_use]
    pub const fn contains(&self, seq: u64) -> bool {
        self.first <= seq && seq <= self.last
    }

    /// Returns the numbers that both spans have.
    pub(super) fn overlap(&self, other: &Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { first, last })
    }

    /// Returns the span with one number more at each end.
    pub(super) const fn widened(&self) -> Self {
        let last = if self.last < MAX_SEQ { self.last.saturating_add(1) } else { self.last };
        Self { first: self.first.saturating_sub(1), last }
    }

    /// Returns whether one span ends where the other begins.
    pub(super) const fn touches(&self, other: &Self) -> bool {
        let (own, others) = (self.widened(), other.widened());
        own.last == other.first || others.last == self.first
    }

    /// Returns what is left without `hole`: the numbers before it, and those after it.
    fn without(&self, hole: &Self) -> [Option<Self>; 2] {
        let before = hole.first.checked_sub(1).filter(|last| self.first <= *last);
        let after = hole.last.checked_add(1).filter(|first| *first <= self.last);
        [
            before.map(|last| Self { first: self.first, last: last.min(self.last) }),
            after.map(|first| Self { first: first.max(self.first), last: self.last }),
        ]
    }
}

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

/// The largest number, of SQLite's integers and of SPEC.md.
const MAX_SEQ: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(first: u64, last: u64) -> NumberSpan {
        NumberSpan { first, last }
    }

    #[test]
    fn a_hole_leaves_what_is_on_its_sides() {
        let cases = [
            (span(3, 5), [None, None]),
            (span(0, 9), [None, None]),
            (span(3, 3), [None, Some(span(4, 5))]),
            (span(5, 5), [Some(span(3, 4)), None]),
            (span(4, 4), [Some(span(3, 3)), Some(span(5, 5))]),
            (span(0, 3), [None, Some(span(4, 5))]),
        ];
        for (hole, left) in cases {
            assert_eq!(span(3, 5).without(&hole), left, "{hole:?}");
        }
    }

    #[test]
    fn spans_touch_only_where_nothing_is_between() {
        assert!(span(0, 4).touches(&span(5, 9)) && span(5, 9).touches(&span(0, 4)));
        assert!(!span(0, 4).touches(&span(6, 9)) && !span(6, 9).touches(&span(0, 4)));
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_special_case() {
        assert_eq!(span(0, 0).widened(), span(0, 1));
        assert_eq!(span(MAX_SEQ, MAX_SEQ).widened(), span(MAX_SEQ - 1, MAX_SEQ));
        assert_eq!(
            span(0, MAX_SEQ).without(&span(MAX_SEQ, MAX_SEQ)),
            [Some(span(0, MAX_SEQ - 1)), None]
        );
    }
}
