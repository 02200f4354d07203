//! Messages are published.

use std::time::Duration;

use brine_core::Timestamp;
use rusqlite::{Connection, params};

use super::settle::hold;
use crate::error::QueueError;

/// Writes messages that can be delivered when `delay` has passed, in one transaction of the caller. Returns the numbers
/// that they got, or `None` if the queue is gone.
pub(super) fn publish(
    connection: &Connection,
    queue: i64,
    messages: &[&[u8]],
    now: Timestamp,
    delay: Duration,
) -> Result<Option<Vec<i64>>, QueueError> {
    let sql = "UPDATE queue SET sent = sent + ?2 WHERE id = ?1";
    let is_there = connection.prepare_cached(sql)?.execute(params![queue, messages.len()])? == 1;
    if !is_there {
        return Ok(None);
    }
    let mut body = connection.prepare_cached("INSERT INTO body (content) VALUES (?1)")?;
    let sql = "INSERT INTO message VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, NULL, NULL, NULL)";
    let mut message = connection.prepare_cached(sql)?;
    let (from, until) = hold(now, delay);
    let mut numbers = Vec::with_capacity(messages.len());
    for content in messages {
        body.execute(params![content])?;
        let number = connection.last_insert_rowid();
        message.execute(params![number, queue, content.len(), now.unix(), from, until])?;
        numbers.push(number);
    }
    Ok(Some(numbers))
}
