//! Messages that their sender takes back.

use std::time::Duration;

use brine_sqlite::Durability;
use rusqlite::params;

use super::SqliteQueue;
use super::settle::delete_content;
use crate::error::QueueError;

/// A message that was published, for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    number: i64,
    content: Vec<u8>,
}

impl SqliteQueue {
    /// Publishes one message, as [`publish`](crate::Queue::publish) does, so that it can be taken back. It is delivered
    /// when `delay` has passed.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](crate::Queue::publish).
    pub fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<SentMessage, QueueError> {
        let numbers = self.publish_numbered(&[&content], delay)?;
        let number = numbers.first().copied();
        let number = number.ok_or_else(|| QueueError::damaged("a message has no number"))?;
        Ok(SentMessage { number, content })
    }

    /// Takes a message back that nobody has [begun](crate::Queue::begin), whoever has it. A consumer that has it and
    /// begins afterwards finds its lease lost. Returns whether the message was there: it is not if it was begun, settled,
    /// or made a dead letter.
    ///
    /// A consumer that handles messages before it commits may have handled it.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then it is not known whether it was taken back.
    pub fn withdraw(&mut self, message: &SentMessage) -> Result<bool, QueueError> {
        let queue = self.number;
        let SentMessage { number, content } = message;
        self.write(Durability::OnDisk, |connection, _| {
            // The number of a message that is gone is given to another one.
            let sql = "DELETE FROM message WHERE id = ?1 AND queue = ?2 AND begun IS NULL \
                       AND EXISTS (SELECT 1 FROM body WHERE id = ?1 AND content = ?3)";
            let mut statement = connection.prepare_cached(sql)?;
            if statement.execute(params![number, queue, content])? == 0 {
                return Ok(false);
            }
            delete_content(connection, *number)?;
            Ok(true)
        })
    }
}
