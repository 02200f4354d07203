//! Messages are received under a lease.

use brine_core::Timestamp;
use brine_core::time::LEEWAY;
use rusqlite::{Connection, Statement, params};

use super::MessageLease;
use crate::error::QueueError;
use crate::options::MAX_MESSAGE_BYTES;
use crate::queue::{Delivery, ReceiveBounds};

/// What leases are taken by in one transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveMessages {
    pub(super) queue: i64,
    pub(super) most: ReceiveBounds,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    pub(super) token: [u8; 16],
}

/// A message that can be delivered.
#[derive(Clone, Copy, Debug)]
struct ReadyMessage {
    number: i64,
    bytes: usize,
    attempts: u64,
    begun: bool,
}

impl ReceiveMessages {
    /// Leases messages in the order in which they were published.
    pub(super) fn all(
        self,
        connection: &Connection,
    ) -> Result<Vec<Delivery<MessageLease>>, QueueError> {
        end_holds(connection, self.queue, self.now)?;
        let ready = self.ready(connection)?;
        for run in ready.chunk_by(|one, next| one.number.checked_add(1) == Some(next.number)) {
            self.hold(connection, run)?;
        }
        let mut body = connection.prepare_cached(CONTENT)?;
        ready.into_iter().map(|message| self.deliver(&mut body, message)).collect()
    }

    /// Returns what can be delivered at once.
    fn ready(self, connection: &Connection) -> Result<Vec<ReadyMessage>, QueueError> {
        let sql = "SELECT id, bytes, attempts, begun IS NOT NULL FROM message \
                   WHERE queue = ?1 AND held_until = 0 ORDER BY id LIMIT ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let messages = i64::try_from(self.most.messages.max(1)).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![self.queue, messages])?;
        let (mut ready, mut total) = (Vec::new(), 0_usize);
        while let Some(row) = rows.next()? {
            let (number, bytes) = (row.get(0)?, row.get(1)?);
            let message = ReadyMessage { number, bytes, attempts: row.get(2)?, begun: row.get(3)? };
            total = total.saturating_add(bytes);
            if total > self.most.bytes && !ready.is_empty() {
                break;
            }
            ready.push(message);
        }
        Ok(ready)
    }

    /// Leases messages that lie side by side.
    fn hold(self, connection: &Connection, run: &[ReadyMessage]) -> Result<(), QueueError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let sql = "UPDATE message SET attempts = attempts + 1, held_from = ?3, held_until = ?4, token = ?5 \
                   WHERE id BETWEEN ?1 AND ?2";
        let [from, until] = [self.now, self.until].map(Timestamp::unix);
        let values = params![first.number, last.number, from, until, self.token];
        match connection.prepare_cached(sql)?.execute(values)? == run.len() {
            true => Ok(()),
            false => Err(QueueError::damaged("its messages are out of order")),
        }
    }

    fn deliver(
        self,
        body: &mut Statement<'_>,
        message: ReadyMessage,
    ) -> Result<Delivery<MessageLease>, QueueError> {
        let ReadyMessage { number, bytes, attempts, begun } = message;
        let content = content_by(body, number)?.filter(|content| content.len() == bytes);
        let content = content.ok_or_else(|| {
            QueueError::damaged(format!("message {number} is not what was published"))
        })?;
        let lease = MessageLease { number, token: self.token };
        Ok(Delivery { content, attempt: attempts.saturating_add(1), begun, lease })
    }
}

/// Returns what a message or a dead letter holds.
pub(super) fn content(connection: &Connection, number: i64) -> Result<Option<Vec<u8>>, QueueError> {
    content_by(&mut *connection.prepare_cached(CONTENT)?, number)
}

fn content_by(body: &mut Statement<'_>, number: i64) -> Result<Option<Vec<u8>>, QueueError> {
    let mut rows = body.query(params![number, MAX_MESSAGE_BYTES])?;
    rows.next()?.map(|row| Ok(row.get(0)?)).transpose()
}

const CONTENT: &str = "SELECT content FROM body WHERE id = ?1 AND length(content) <= ?2";

/// Returns whether receiving would give anything. It changes nothing, and waits for nobody.
pub(super) fn is_ready(
    connection: &Connection,
    queue: i64,
    now: Timestamp,
) -> Result<bool, QueueError> {
    // A hold that begins in the future was taken while a clock was ahead.
    let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND held_until <= ?2) \
               OR EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND held_until > ?2 AND held_from > ?3)";
    let values = params![queue, now.unix(), now.plus(LEEWAY).unix()];
    Ok(connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
}

/// Lets messages be delivered again whose hold is over. Their tokens stay, so that a slow consumer can still settle
/// what nobody else was given.
fn end_holds(connection: &Connection, queue: i64, now: Timestamp) -> Result<(), QueueError> {
    let sql = "UPDATE message SET held_from = 0, held_until = 0 \
               WHERE queue = ?1 AND held_until BETWEEN 1 AND ?2";
    connection.prepare_cached(sql)?.execute(params![queue, now.unix()])?;
    let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND held_until = 0)";
    if connection.prepare_cached(sql)?.query_row(params![queue], |row| row.get(0))? {
        return Ok(());
    }
    // It looks at every message that is held, so only when there is nothing else to do.
    let sql = "UPDATE message SET held_from = 0, held_until = 0 \
               WHERE queue = ?1 AND held_until > 0 AND held_from > ?2";
    connection.prepare_cached(sql)?.execute(params![queue, now.plus(LEEWAY).unix()])?;
    Ok(())
}
