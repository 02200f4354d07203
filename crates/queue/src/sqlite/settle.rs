//! Messages under a lease are extended, acknowledged, handed back, or marked as begun.

use std::time::Duration;

use brine_core::Timestamp;
use brine_records::Settled;
use brine_records::replay::ReplayLease;
use brine_records::replay::embedded;
use rusqlite::{Connection, params};

use super::{MessageLease, publish, schema};
use crate::error::QueueError;
use crate::queue::{Answered, Retry, kept};
use crate::url::QueueName;

/// The messages of one queue, in one transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct SettleMessages<'t> {
    pub(super) connection: &'t Connection,
    pub(super) queue: i64,
    pub(super) now: Timestamp,
}

impl SettleMessages<'_> {
    pub(super) fn extend(
        self,
        leases: &[&MessageLease],
        until: Timestamp,
    ) -> Result<Vec<Settled>, QueueError> {
        let sql = "UPDATE message SET held_from = ?3, held_until = ?4 WHERE id = ?1 AND token = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let [from, until] = [self.now, until].map(Timestamp::unix);
        let one = |lease: &&MessageLease| {
            outcome(statement.execute(params![lease.number, lease.token, from, until])?)
        };
        leases.iter().map(one).collect()
    }

    /// Notes in the ledger that the records of messages were handled, of those that are still held. What is lost here
    /// is lost in the ledger as well.
    pub(super) fn commit(
        self,
        handled: &[(&MessageLease, &ReplayLease)],
    ) -> Result<Vec<Settled>, QueueError> {
        let (mut settled, mut held) = (Vec::new(), Vec::new());
        for (lease, record) in handled {
            let is_held = self.is_held(lease)?;
            settled.push(if is_held { Settled::Done } else { Settled::Lost });
            if is_held {
                held.push(*record);
            }
        }
        let mut committed = embedded::commit_within(self.connection, &held, self.now)?.into_iter();
        for one in settled.iter_mut().filter(|one| **one == Settled::Done) {
            *one = committed.next().ok_or_else(|| QueueError::damaged("its ledger is silent"))?;
        }
        Ok(settled)
    }

    fn is_held(self, lease: &MessageLease) -> Result<bool, QueueError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1 AND token = ?2)";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![lease.number, lease.token], |row| row.get(0))?)
    }

    pub(super) fn acknowledge(self, leases: &[&MessageLease]) -> Result<Vec<Settled>, QueueError> {
        let mut settled = Vec::with_capacity(leases.len());
        for run in leases.chunk_by(|one, next| one.precedes(next)) {
            match self.remove_all(run)? {
                true => settled.resize(settled.len().saturating_add(run.len()), Settled::Done),
                false => {
                    for lease in run {
                        settled.push(self.remove(lease)?);
                    }
                }
            }
        }
        let done = settled.iter().filter(|settled| **settled == Settled::Done).count();
        let sql = "UPDATE queue SET acknowledged = acknowledged + ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![self.queue, done])?;
        Ok(settled)
    }

    /// Removes messages that lie side by side, if all of them are still held. Returns whether they were.
    fn remove_all(self, run: &[&MessageLease]) -> Result<bool, QueueError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(true) };
        let values = params![first.number, last.number, first.token];
        let sql = "SELECT count(*) FROM message WHERE id BETWEEN ?1 AND ?2 AND token = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let held: usize = statement.query_row(values, |row| row.get(0))?;
        if held != run.len() {
            return Ok(false);
        }
        for sql in [
            "DELETE FROM message WHERE id BETWEEN ?1 AND ?2",
            "DELETE FROM body WHERE id BETWEEN ?1 AND ?2",
        ] {
            let values = params![first.number, last.number];
            if self.connection.prepare_cached(sql)?.execute(values)? != run.len() {
                return Err(QueueError::damaged("a message has no content"));
            }
        }
        Ok(true)
    }

    fn remove(self, lease: &MessageLease) -> Result<Settled, QueueError> {
        let sql = "DELETE FROM message WHERE id = ?1 AND token = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let settled = outcome(statement.execute(params![lease.number, lease.token])?)?;
        if settled == Settled::Done {
            delete_content(self.connection, lease.number)?;
        }
        Ok(settled)
    }

    pub(super) fn retry(
        self,
        leases: &[&MessageLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        let sql = "UPDATE message SET token = NULL, held_from = ?3, held_until = ?4, failure = ?5, \
                   attempts = max(attempts - ?6, 0) WHERE id = ?1 AND token = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (from, until) = hold(self.now, retry.delay);
        let (why, uncounted) = (kept(retry.why), u8::from(!retry.was_tried));
        let one = |lease: &&MessageLease| {
            let MessageLease { number, token } = lease;
            outcome(statement.execute(params![number, token, from, until, why, uncounted])?)
        };
        leases.iter().map(one).collect()
    }

    /// Publishes an answer on another queue, and acknowledges the message, or does neither.
    pub(super) fn answer(
        self,
        lease: &MessageLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        let Some(to) = schema::find(self.connection, to)? else { return Ok(Answered::NoQueue) };
        match self.acknowledge(&[lease])?.as_slice() {
            [Settled::Done] => {
                publish::publish(self.connection, to, &[answer], self.now, Duration::ZERO)?;
                Ok(Answered::Done)
            }
            _ => Ok(Answered::Lost),
        }
    }

    pub(super) fn begin(self, lease: &MessageLease) -> Result<Settled, QueueError> {
        let sql = "UPDATE message SET begun = ?3 WHERE id = ?1 AND token = ?2";
        let values = params![lease.number, lease.token, self.now.unix()];
        outcome(self.connection.prepare_cached(sql)?.execute(values)?)
    }
}

/// Returns from when until when a message waits, in seconds since 1970: both are 0 if it does not.
pub(super) fn hold(now: Timestamp, delay: Duration) -> (u64, u64) {
    match delay.is_zero() {
        true => (0, 0),
        false => (now.unix(), end_of(now, delay).unix()),
    }
}

/// Returns a moment that is `length` away, or up to a second more: `now` is rounded down.
pub(super) fn end_of(now: Timestamp, length: Duration) -> Timestamp {
    let whole = length.as_secs().saturating_add(u64::from(length.subsec_nanos() > 0));
    now.plus(Duration::from_secs(whole.saturating_add(1)))
}

pub(super) fn delete_content(connection: &Connection, number: i64) -> Result<(), QueueError> {
    let rows =
        connection.prepare_cached("DELETE FROM body WHERE id = ?1")?.execute(params![number])?;
    if rows == 1 { Ok(()) } else { Err(QueueError::damaged("a message has no content")) }
}

fn outcome(rows: usize) -> Result<Settled, QueueError> {
    match rows {
        0 => Ok(Settled::Lost),
        1 => Ok(Settled::Done),
        _ => Err(QueueError::damaged("two messages have one number")),
    }
}
