//! Dead letters, for people who look after them; and what is in a queue.

use brine_core::Timestamp;
use brine_sqlite::Durability;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteQueue;
use super::bury;
use super::receive;
use super::settle::delete_content;
use crate::error::QueueError;
use crate::queue::{DeadLetters, DeadMessage, QueueStatus, Standing};

impl DeadLetters for SqliteQueue {
    fn dead_letters(&mut self, after: u64, most: usize) -> Result<Vec<DeadMessage>, QueueError> {
        let queue = self.number;
        self.read(|connection| {
            let sql = "SELECT id, bytes, sent, died, attempts, begun IS NOT NULL, verified, reason, detail FROM dead \
                       WHERE queue = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let (after, most) = (signed(after), i64::try_from(most).unwrap_or(i64::MAX));
            let mut rows = statement.query(params![queue, after, most])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(dead_message(row)?);
            }
            Ok(found)
        })
    }

    fn dead_content(&mut self, number: u64) -> Result<Option<Vec<u8>>, QueueError> {
        let (queue, number) = (self.number, signed(number));
        self.read(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM dead WHERE id = ?1 AND queue = ?2)";
            let is_there: bool = connection
                .prepare_cached(sql)?
                .query_row(params![number, queue], |row| row.get(0))?;
            if is_there { receive::content(connection, number) } else { Ok(None) }
        })
    }

    fn revive(&mut self, number: u64) -> Result<bool, QueueError> {
        let queue = self.number;
        let is_done = self.write(Durability::OnDisk, |connection, _| {
            let Some(dead) = TakenLetter::take(connection, queue, number)? else {
                return Ok(false);
            };
            let sql = "INSERT INTO message VALUES (?1, ?2, ?3, ?4, 0, 0, 0, NULL, ?5, NULL)";
            let values = params![signed(number), queue, dead.bytes, dead.sent, dead.begun];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(true)
        })?;
        if is_done {
            self.announce();
        }
        Ok(is_done)
    }

    fn discard(&mut self, number: u64) -> Result<bool, QueueError> {
        let queue = self.number;
        self.write(Durability::OnDisk, |connection, _| {
            let taken = TakenLetter::take(connection, queue, number)?;
            taken.map(|_| delete_content(connection, signed(number))).transpose()?;
            Ok(taken.is_some())
        })
    }

    fn status(&mut self) -> Result<QueueStatus, QueueError> {
        let (queue, stored) = (self.number, self.file.watch().bytes());
        let now = self.now()?.unix();
        self.read(|connection| {
            let count = |sql: &str| -> Result<u64, QueueError> {
                Ok(connection.prepare_cached(sql)?.query_row(params![queue], |row| row.get(0))?)
            };
            let sql = "SELECT count(*) FROM message WHERE queue = ?1 AND held_until <= ?2";
            let ready: u64 =
                connection.prepare_cached(sql)?.query_row(params![queue, now], |row| row.get(0))?;
            let sql = "SELECT sent FROM message WHERE queue = ?1 AND held_until <= ?2 \
                       ORDER BY held_until, id LIMIT 1";
            let mut statement = connection.prepare_cached(sql)?;
            let next_sent: Option<u64> =
                statement.query_row(params![queue, now], |row| row.get(0)).optional()?;
            let all = count("SELECT count(*) FROM message WHERE queue = ?1")?;
            let sql = "SELECT reason, count FROM refused WHERE queue = ?1 ORDER BY reason";
            let mut statement = connection.prepare_cached(sql)?;
            let refused = statement.query_map(params![queue], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(QueueStatus {
                ready,
                next_sent: next_sent.map(moment).transpose()?,
                held: all.saturating_sub(ready),
                sent: count("SELECT sent FROM queue WHERE id = ?1")?,
                acknowledged: count("SELECT acknowledged FROM queue WHERE id = ?1")?,
                dead: count("SELECT count(*) FROM dead WHERE queue = ?1")?,
                refused: refused?.collect::<Result<_, _>>()?,
                stored_bytes: Some(stored),
            })
        })
    }
}

/// A dead letter that is taken out.
#[derive(Clone, Copy, Debug)]
struct TakenLetter {
    bytes: u64,
    sent: u64,
    begun: Option<u64>,
}

impl TakenLetter {
    fn take(connection: &Connection, queue: i64, number: u64) -> Result<Option<Self>, QueueError> {
        let sql =
            "DELETE FROM dead WHERE id = ?1 AND queue = ?2 RETURNING bytes, sent, begun, verified";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row(params![signed(number), queue], |row| {
            let letter = Self { bytes: row.get(0)?, sent: row.get(1)?, begun: row.get(2)? };
            Ok((letter, row.get(3)?))
        });
        let Some((letter, is_verified)) = found.optional()? else { return Ok(None) };
        bury::free(connection, queue, letter.bytes, is_verified)?;
        Ok(Some(letter))
    }
}

fn dead_message(row: &Row<'_>) -> Result<DeadMessage, QueueError> {
    let is_verified: bool = row.get(6)?;
    Ok(DeadMessage {
        number: row.get(0)?,
        bytes: row.get(1)?,
        sent: moment(row.get(2)?)?,
        died: moment(row.get(3)?)?,
        attempts: row.get(4)?,
        begun: row.get(5)?,
        standing: if is_verified { Standing::Verified } else { Standing::Unverified },
        reason: row.get(7)?,
        detail: row.get(8)?,
    })
}

fn moment(seconds: u64) -> Result<Timestamp, QueueError> {
    Timestamp::from_unix(seconds).ok_or_else(|| QueueError::damaged("it has a moment after 9999"))
}

/// Returns a number as SQLite knows it. None is as large as the largest.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
