//! What a queue in a file can do beside what every queue can: settle with a lease that is still there if that fails, and
//! answer.

use std::time::Duration;

use brine_records::Settled;
use brine_records::replay::ReplayLease;
use brine_sqlite::Durability;
use rusqlite::params;

use super::bury::BuryMessage;
use super::settle::{Retry, SettleMessages};
use super::{MessageLease, SqliteQueue, publish, schema};
use crate::error::QueueError;
use crate::queue::{Buried, RefusedMessage, Standing};
use crate::url::QueueName;

/// What became of a message that was to be [answered](SqliteQueue::answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "nothing may have been done"]
pub enum Answered {
    /// The answer is published, and the message acknowledged.
    Done,
    /// The lease was lost, and nothing was done.
    Lost,
    /// There is no queue for the answer, and nothing was done.
    NoQueue,
}

impl SqliteQueue {
    /// Deletes the queue with all that is in it. The file stays, and its other queues. Others who have it open find it
    /// empty for good.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then it is there as before.
    pub fn remove(mut self) -> Result<(), QueueError> {
        let queue = self.number;
        self.write(Durability::OnDisk, |connection, _| schema::remove(connection, queue))
    }

    /// Has a queue that was made with a [lifetime](super::SqliteQueueOptions::lifetime) last for so long from now on at
    /// least. Returns whether it is there.
    ///
    /// # Errors
    ///
    /// Failures of the file. Then it lasts as before.
    pub fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError> {
        let queue = self.number;
        self.write(Durability::OnDisk, |connection, now| {
            // Without a lifetime, it stays without.
            let sql = "UPDATE queue SET until = max(until, ?2) WHERE id = ?1";
            let until = now.plus(lifetime).unix();
            Ok(connection.prepare_cached(sql)?.execute(params![queue, until])? == 1)
        })
    }

    /// Acknowledges a message, as [`ack`](crate::Queue::ack) does. If that fails, it can be tried again.
    ///
    /// # Errors
    ///
    /// Failures of the file. Then it is not known whether it was done.
    pub fn acknowledge(&mut self, lease: &MessageLease) -> Result<Settled, QueueError> {
        let settled = self.settle(|messages| messages.acknowledge(&[lease]))?;
        Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
    }

    /// Notes in the ledger that a message was handled, and acknowledges it, as
    /// [`commit_and_ack`](crate::Queue::commit_and_ack) does. If that fails, it can be tried again.
    ///
    /// # Errors
    ///
    /// Failures of the file. Then it is not known whether it was done.
    pub fn commit_and_acknowledge(
        &mut self,
        lease: &MessageLease,
        record: &ReplayLease,
    ) -> Result<Settled, QueueError> {
        self.settle(|messages| match messages.commit_one(lease, record)? {
            Settled::Done => {
                let settled = messages.acknowledge(&[lease])?;
                Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
            }
            Settled::Lost => Ok(Settled::Lost),
        })
    }

    /// Hands a message back, as [`retry`](crate::Queue::retry) and [`hand_back`](crate::Queue::hand_back) do. If that fails, it can be tried again.
    ///
    /// # Errors
    ///
    /// Failures of the file. Then it is not known whether it was done.
    pub fn try_later(
        &mut self,
        lease: &MessageLease,
        retry: Retry<'_>,
    ) -> Result<Settled, QueueError> {
        let settled = self.return_all(&[lease], retry)?;
        Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
    }

    /// Makes a message a dead letter, as [`dead_letter`](crate::Queue::dead_letter) does. If that fails, it can be tried again.
    ///
    /// # Errors
    ///
    /// Those of [`dead_letter`](crate::Queue::dead_letter).
    pub fn bury(
        &mut self,
        lease: &MessageLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        let (queue, bounds) = (self.number, self.options.dead_letters);
        // What anybody can send costs no wait for the disk. If the machine stops, it is refused once more.
        let durability = match why.standing {
            Standing::Unverified => Durability::Later,
            Standing::Verified => Durability::OnDisk,
        };
        self.write(durability, |connection, now| {
            BuryMessage { connection, queue, bounds, now }.bury(lease, why)
        })
    }

    /// Acknowledges a message whose answer is published by that, on another queue of the file: both, or neither.
    ///
    /// # Errors
    ///
    /// [`QueueError::TooLarge`], and failures of the file. Then nothing was done, as far as is known.
    pub fn answer(
        &mut self,
        lease: &MessageLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        publish::refuse_large(&[answer])?;
        let queue = self.number;
        let answered = self.write(Durability::OnDisk, |connection, now| {
            let messages = SettleMessages { connection, queue, now };
            let Some(to) = schema::find(connection, to)? else { return Ok(Answered::NoQueue) };
            match messages.acknowledge(&[lease])?.as_slice() {
                [Settled::Done] => {
                    publish::publish(connection, to, &[answer], now, Duration::ZERO)?;
                    Ok(Answered::Done)
                }
                _ => Ok(Answered::Lost),
            }
        })?;
        if answered == Answered::Done {
            self.announce();
        }
        Ok(answered)
    }
}
