//! Refused messages become dead letters, within bounds.

use brine_core::Timestamp;
use brine_core::key::random;
use brine_records::DeadLetter;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::MessageLease;
use super::settle::delete_content;
use crate::error::QueueError;
use crate::options::DeadLetterBounds;
use crate::queue::{Buried, RefusedMessage, Standing};

/// What a dead letter takes beside what it holds. Without it, empty messages would take nothing.
const ROW_BYTES: u64 = 256;

/// One message of one queue, in one transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct BuryMessage<'t> {
    pub(super) connection: &'t Connection,
    pub(super) queue: i64,
    pub(super) bounds: DeadLetterBounds,
    pub(super) now: Timestamp,
}

/// A message as it is taken out of its queue.
#[derive(Clone, Copy, Debug)]
struct TakenMessage {
    number: i64,
    bytes: u64,
    sent: u64,
    attempts: u64,
    begun: Option<u64>,
}

impl TakenMessage {
    const fn cost(&self) -> u64 {
        self.bytes.saturating_add(ROW_BYTES)
    }
}

/// What became of a message and the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampled {
    Dropped,
    /// It is kept, and others are not any more.
    InPlaceOfOthers,
    Kept,
}

/// How many unverified messages there were, and how many are kept.
#[derive(Clone, Copy, Debug)]
struct UnverifiedCounts {
    met: u64,
    kept: u64,
    bytes: u64,
}

impl BuryMessage<'_> {
    /// Makes a message a dead letter.
    pub(super) fn bury(
        self,
        lease: &MessageLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        let Some(message) = self.take(lease)? else { return Ok(Buried::Lost) };
        let sampled = match why.standing {
            Standing::Verified => {
                self.keep_verified(message, why)?;
                Sampled::Kept
            }
            Standing::Unverified => self.sample(message, why)?,
        };
        if sampled == Sampled::Dropped {
            delete_content(self.connection, message.number)?;
        }
        let letter = match sampled {
            Sampled::Kept => DeadLetter::Kept,
            Sampled::Dropped | Sampled::InPlaceOfOthers => DeadLetter::Dropped,
        };
        let sql = "INSERT INTO refused VALUES (?1, ?2, 1) \
                   ON CONFLICT (queue, reason) DO UPDATE SET count = count + 1";
        self.connection.prepare_cached(sql)?.execute(params![self.queue, why.reason])?;
        Ok(Buried::Done(letter))
    }

    fn take(self, lease: &MessageLease) -> Result<Option<TakenMessage>, QueueError> {
        let sql = "DELETE FROM message WHERE id = ?1 AND token = ?2 RETURNING bytes, sent, attempts, begun";
        let mut statement = self.connection.prepare_cached(sql)?;
        let number = lease.number;
        let taken = statement.query_row(params![number, lease.token], |row| {
            let (bytes, sent) = (row.get(0)?, row.get(1)?);
            Ok(TakenMessage { number, bytes, sent, attempts: row.get(2)?, begun: row.get(3)? })
        });
        Ok(taken.optional()?)
    }

    fn keep_verified(
        self,
        message: TakenMessage,
        why: &RefusedMessage<'_>,
    ) -> Result<(), QueueError> {
        let limit = self.bounds.verified;
        let sql =
            "UPDATE queue SET dead_bytes = dead_bytes + ?2 WHERE id = ?1 AND dead_bytes + ?2 <= ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        if statement.execute(params![self.queue, message.cost(), limit])? == 0 {
            // The caller takes everything back.
            return Err(QueueError::DeadLettersFull { limit });
        }
        self.keep(message, why)
    }

    /// Keeps a random sample of what anybody can send: each is as likely to be among those that are kept (reservoir
    /// sampling), as far as their sizes let it.
    fn sample(
        self,
        message: TakenMessage,
        why: &RefusedMessage<'_>,
    ) -> Result<Sampled, QueueError> {
        let sql = "UPDATE queue SET unverified = unverified + 1 WHERE id = ?1 \
                   RETURNING unverified, unverified_kept, unverified_bytes";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut counts = statement.query_row(params![self.queue], |row| {
            Ok(UnverifiedCounts { met: row.get(0)?, kept: row.get(1)?, bytes: row.get(2)? })
        })?;
        let limit = self.bounds.unverified;
        let has_room =
            |counts: &UnverifiedCounts| counts.bytes.saturating_add(message.cost()) <= limit;
        let is_drawn = has_room(&counts) || random_below(counts.met)? < counts.kept;
        if message.cost() > limit || !is_drawn {
            return Ok(Sampled::Dropped);
        }
        let sampled = if has_room(&counts) { Sampled::Kept } else { Sampled::InPlaceOfOthers };
        while !has_room(&counts) {
            self.evict(&mut counts)?;
        }
        let sql =
            "UPDATE queue SET unverified_kept = ?2 + 1, unverified_bytes = ?3 + ?4 WHERE id = ?1";
        let values = params![self.queue, counts.kept, counts.bytes, message.cost()];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.keep(message, why)?;
        Ok(sampled)
    }

    /// Deletes one of the sample at random.
    fn evict(self, counts: &mut UnverifiedCounts) -> Result<(), QueueError> {
        let sql = "SELECT min(id), max(id) FROM dead WHERE queue = ?1 AND verified = 0";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (first, last): (u64, u64) =
            statement.query_row(params![self.queue], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let span = last.saturating_sub(first).saturating_add(1);
        let from = first.saturating_add(random_below(span)?);
        let sql = "DELETE FROM dead WHERE id = (SELECT id FROM dead WHERE queue = ?1 AND verified = 0 \
                   AND id >= ?2 ORDER BY id LIMIT 1) RETURNING id, bytes";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (number, bytes): (i64, u64) =
            statement.query_row(params![self.queue, from], |row| Ok((row.get(0)?, row.get(1)?)))?;
        delete_content(self.connection, number)?;
        counts.kept = counts.kept.saturating_sub(1);
        counts.bytes = counts.bytes.saturating_sub(bytes.saturating_add(ROW_BYTES));
        Ok(())
    }

    fn keep(self, message: TakenMessage, why: &RefusedMessage<'_>) -> Result<(), QueueError> {
        let TakenMessage { number, bytes, sent, attempts, begun } = message;
        let is_verified = why.standing == Standing::Verified;
        let sql = "INSERT INTO dead VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let (died, text) = (self.now.unix(), why.kept_detail());
        let values = params![
            number,
            self.queue,
            bytes,
            sent,
            died,
            attempts,
            begun,
            is_verified,
            why.reason,
            text
        ];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// Gives back the room of a dead letter that left.
pub(super) fn free(
    connection: &Connection,
    queue: i64,
    bytes: u64,
    is_verified: bool,
) -> Result<(), QueueError> {
    let sql = match is_verified {
        true => "UPDATE queue SET dead_bytes = dead_bytes - ?2 WHERE id = ?1",
        false => {
            "UPDATE queue SET unverified_kept = unverified_kept - 1, \
             unverified_bytes = unverified_bytes - ?2 WHERE id = ?1"
        }
    };
    connection.prepare_cached(sql)?.execute(params![queue, bytes.saturating_add(ROW_BYTES)])?;
    Ok(())
}

/// Returns a random number below `limit`, which is evenly spread but for one part in 2^32 of what is met.
fn random_below(limit: u64) -> Result<u64, QueueError> {
    let drawn = u64::from_le_bytes(random()?);
    Ok(drawn.checked_rem(limit).unwrap_or_default())
}
