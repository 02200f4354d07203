//! Between the phases: leases of a process that is still at work are renewed.

use brine_core::Timestamp;
use rusqlite::{Connection, params};

use super::ReplayLease;
use super::lease_end::LeasedNumber;
use super::number_rows;
use crate::ledger::{NumberSpan, ReplayError, Settled};

/// One call, in one transaction.
#[derive(Debug)]
pub(super) struct RenewLeases<'t> {
    pub(super) connection: &'t Connection,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}

impl RenewLeases<'_> {
    /// Renews the leases that are still held, and returns the outcome for each, in order.
    pub(super) fn all(&self, leases: &[ReplayLease]) -> Result<Vec<Settled>, ReplayError> {
        let mut outcomes = Vec::with_capacity(leases.len());
        let items = LeasedNumber::sorted(leases.iter(), |index, name, token| {
            outcomes.push((index, self.named(name, token)?));
            Ok(())
        })?;
        for run in items.chunk_by(LeasedNumber::precedes) {
            self.run(run, &mut outcomes)?;
        }
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Renews consecutive numbers under one token. All numbers of a row are held by the same process, and end
    /// together.
    fn run(
        &self,
        run: &[LeasedNumber],
        outcomes: &mut Vec<(usize, Settled)>,
    ) -> Result<(), ReplayError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let LeasedNumber { channel, token, .. } = *first;
        let span = NumberSpan { first: first.seq, last: last.seq };
        let held = number_rows::leases(self.connection, channel, &span)?;
        let own = held.iter().filter(|held| held.token == token);
        let own: Vec<NumberSpan> = own.map(|held| held.span).collect();
        let sql = "UPDATE lease SET taken = ?3, until = ?4 WHERE channel = ?1 AND first = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        for span in &own {
            let [taken, until] = [self.now, self.until].map(Timestamp::unix);
            statement.execute(params![channel, span.first, taken, until])?;
        }
        outcomes.extend(run.iter().map(|item| {
            let is_held = own.iter().any(|span| span.contains(item.seq));
            (item.index, if is_held { Settled::Done } else { Settled::Lost })
        }));
        Ok(())
    }

    fn named(&self, name: &[u8; 32], token: u64) -> Result<Settled, ReplayError> {
        let sql = "UPDATE named SET taken = ?3, until = ?4 WHERE name = ?1 AND token = ?2";
        let [taken, until] = [self.now, self.until].map(Timestamp::unix);
        let values = params![name, token, taken, until];
        let rows = self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(if rows == 0 { Settled::Lost } else { Settled::Done })
    }
}
