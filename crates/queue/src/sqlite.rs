//! A queue in an SQLite file, for the processes of one machine.
//!
//! The threads of a process share one connection. All writers begin as writers (`BEGIN IMMEDIATE`), so none finds at its
//! end that another was faster. What is published or settled is on the disk when a method returns. That a lease was
//! taken or extended need not be: if the machine stops, the consumer stops, too.

mod bury;
mod dead;
mod publish;
mod receive;
mod schema;
mod settle;
mod upkeep;
mod wake;
mod withdraw;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_core::key::random;
use brine_core::text::hex;
use brine_core::{Clock, Timestamp};
use brine_records::Settled;
use brine_records::replay::embedded::{self, LedgerScope};
use brine_records::replay::{ReplayDatabase, ReplayLease};
use brine_sqlite::{Durability, SharedFile};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use self::bury::BuryMessage;
use self::receive::ReceiveMessages;
use self::schema::SCHEMA;
use self::settle::{SettleMessages, end_of};
use self::upkeep::Upkeep;
use self::wake::Waker;
use crate::error::QueueError;
use crate::options::{MAX_MESSAGE_BYTES, QueueBirth, QueueOptions};
use crate::queue::{
    Answered, Buried, Delivery, Queue, ReceiveBounds, RefusedMessage, Retry, Standing, refuse_large,
};
use crate::url::QueueName;

pub use self::withdraw::SentMessage;

/// A queue in an SQLite file.
pub struct SqliteQueue {
    file: SharedFile,
    /// The number of the queue in the file.
    number: i64,
    name: QueueName,
    options: QueueOptions,
    clock: Arc<dyn Clock>,
    waker: Option<Waker>,
    upkeep: Upkeep,
}

/// The right to settle a message, until it runs out and the message is delivered again.
#[derive(PartialEq, Eq)]
pub struct MessageLease {
    number: i64,
    token: [u8; 16],
}

impl MessageLease {
    /// Returns whether the message of `next` is the next one in the file, and was leased at the same time.
    fn precedes(&self, next: &Self) -> bool {
        self.number.checked_add(1) == Some(next.number) && self.token == next.token
    }
}

impl SqliteQueue {
    /// Opens a queue, or makes one as the options say. A file that is there holds any number of queues, and gets this
    /// one too, unless [`QueueBirth::Existing`] is asked for.
    ///
    /// # Errors
    ///
    /// [`QueueError::Missing`] for a queue that is to exist; [`QueueError::File`] for what
    /// cannot be a queue, or is not reached safely by this name; failures of the system.
    pub fn open(
        path: &Path,
        name: &QueueName,
        options: QueueOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, QueueError> {
        let now = clock.now()?;
        let max_age = options.max_age.min(Duration::from_secs(Timestamp::MAX.unix()));
        let options = QueueOptions { max_age, ..options };
        if let Some(floor) = options.birth.floor(now) {
            brine_sqlite::create(path, &SCHEMA, |connection| -> Result<(), QueueError> {
                Ok(embedded::create_ledger(connection, now, floor, max_age)?)
            })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut queue = Self {
            file: brine_sqlite::open(path, &SCHEMA, flags, options.busy_timeout)?,
            number: 0,
            name: name.clone(),
            options,
            clock,
            waker: None,
            upkeep: Upkeep::default(),
        };
        queue.number = queue.find_or_add()?;
        Ok(queue)
    }

    fn find_or_add(&mut self) -> Result<i64, QueueError> {
        let (name, max_age) = (self.name.clone(), self.options.max_age);
        let lifetime = self.options.lifetime;
        let found = schema::find(&self.file.lock().connection, &name)?;
        let is_old_enough = embedded::max_age(&self.file.lock().connection)? >= max_age;
        match found {
            Some(number) if is_old_enough => Ok(number),
            None if self.options.birth == QueueBirth::Existing => Err(QueueError::Missing { name }),
            _ => self.write(Durability::OnDisk, |connection, now| {
                embedded::allow_age(connection, max_age)?;
                schema::add(connection, &name, now, lifetime.map(|lifetime| now.plus(lifetime)))
            }),
        }
    }

    fn now(&self) -> Result<Timestamp, QueueError> {
        Ok(self.clock.now()?)
    }

    /// Leases what can be delivered.
    fn lease(&mut self, most: ReceiveBounds) -> Result<Vec<Delivery<MessageLease>>, QueueError> {
        let (queue, length, token) = (self.number, self.options.lease, random()?);
        self.write(Durability::Later, |connection, now| {
            let until = end_of(now, length);
            ReceiveMessages { queue, most, now, until, token }.all(connection)
        })
    }

    /// Publishes messages, and returns the numbers that they got.
    fn publish_numbered(
        &mut self,
        messages: &[&[u8]],
        delay: Duration,
    ) -> Result<Vec<i64>, QueueError> {
        refuse_large(messages, MAX_MESSAGE_BYTES)?;
        let queue = self.number;
        let numbers = self.write(Durability::OnDisk, |connection, now| {
            publish::publish(connection, queue, messages, now, delay)
        })?;
        let numbers = numbers.ok_or_else(|| QueueError::Missing { name: self.name.clone() })?;
        self.announce();
        Ok(numbers)
    }

    /// Wakes those who wait for messages. If that fails, they look by themselves soon.
    fn announce(&self) {
        wake::announce(self.file.watch().path());
    }

    /// Waits until there may be messages, and not for long.
    fn pause(&mut self, most: Duration) {
        self.upkeep.give_back_pages(&self.file);
        let _ = self.waker.as_ref().is_some_and(|waker| waker.wait(most));
    }

    /// Looks at the file in one transaction, which waits for nobody.
    fn read<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let mut file = self.file.lock();
        let transaction = file.connection.transaction()?;
        let found = work(&transaction)?;
        drop(transaction);
        drop(file);
        self.file.watch().judge()?;
        Ok(found)
    }

    /// Changes the file in one transaction, or not at all.
    fn write<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Connection, Timestamp) -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let mut file = self.file.lock();
        file.set_durability(durability)?;
        let immediate = TransactionBehavior::Immediate;
        let transaction = file.connection.transaction_with_behavior(immediate)?;
        // Others may have been waited for.
        let now = self.clock.now()?;
        let outcome = work(&transaction, now)?;
        transaction.commit()?;
        // Afterwards, and not before: a file that is still there now was there when it was written.
        drop(file);
        self.file.watch().judge()?;
        self.upkeep.bound_log(&self.file, self.options.busy_timeout);
        Ok(outcome)
    }

    fn settle<T>(
        &mut self,
        work: impl FnOnce(SettleMessages<'_>) -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let queue = self.number;
        self.write(Durability::OnDisk, |connection, now| {
            work(SettleMessages { connection, queue, now })
        })
    }
}

impl Queue for SqliteQueue {
    type Ledger = ReplayDatabase;
    type Lease = MessageLease;
    type Sent = SentMessage;

    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError> {
        self.publish_numbered(messages, Duration::ZERO).map(drop)
    }

    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<SentMessage, QueueError> {
        let numbers = self.publish_numbered(&[&content], delay)?;
        let number = numbers.first().copied();
        let number = number.ok_or_else(|| QueueError::damaged("a message has no number"))?;
        Ok(SentMessage { number, content })
    }

    fn withdraw(&mut self, message: &SentMessage) -> Result<bool, QueueError> {
        let queue = self.number;
        self.write(Durability::OnDisk, |connection, _| message.withdraw(connection, queue))
    }

    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<MessageLease>>, QueueError> {
        let begun = Instant::now();
        if !wait.is_zero() {
            // Before the first look: what is published after it wakes.
            self.waker.get_or_insert_with(|| Waker::new(self.file.watch().path()));
        }
        loop {
            let (queue, now) = (self.number, self.now()?);
            let found = match self.read(|connection| receive::is_ready(connection, queue, now))? {
                true => self.lease(most),
                false => Ok(Vec::new()),
            };
            let left = wait.saturating_sub(begun.elapsed());
            match found {
                Ok(found) if found.is_empty() && !left.is_zero() => self.pause(left),
                // It was waited for already.
                Err(QueueError::Locked) if !left.is_zero() => {}
                found => return found,
            }
        }
    }

    fn lease_length(&self) -> Duration {
        self.options.lease
    }

    fn message_limit(&self) -> usize {
        MAX_MESSAGE_BYTES
    }

    fn extend(&mut self, leases: &[&MessageLease]) -> Result<Vec<Settled>, QueueError> {
        let (queue, length) = (self.number, self.options.lease);
        self.write(Durability::Later, |connection, now| {
            SettleMessages { connection, queue, now }.extend(leases, end_of(now, length))
        })
    }

    fn begin(&mut self, lease: &MessageLease, record: &ReplayLease) -> Result<Settled, QueueError> {
        self.settle(|messages| match messages.commit(&[(lease, record)])?.as_slice() {
            [Settled::Done] => messages.begin(lease),
            _ => Ok(Settled::Lost),
        })
    }

    fn commit_and_ack(
        &mut self,
        handled: &[(&MessageLease, &ReplayLease)],
    ) -> Result<Vec<Settled>, QueueError> {
        self.settle(|messages| {
            let settled = messages.commit(handled)?;
            let both = handled.iter().zip(&settled);
            let done = both.filter(|(_, settled)| **settled == Settled::Done);
            let done: Vec<_> = done.map(|((lease, _), _)| *lease).collect();
            let acknowledged = messages.acknowledge(&done)?;
            match acknowledged.iter().all(|settled| *settled == Settled::Done) {
                true => Ok(settled),
                false => Err(QueueError::damaged("a message is held twice")),
            }
        })
    }

    fn ack(&mut self, leases: &[&MessageLease]) -> Result<Vec<Settled>, QueueError> {
        self.settle(|messages| messages.acknowledge(leases))
    }

    fn retry(
        &mut self,
        leases: &[&MessageLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        let settled = self.settle(|messages| messages.retry(leases, retry))?;
        if retry.delay.is_zero() {
            self.announce();
        }
        Ok(settled)
    }

    fn dead_letter(
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

    fn answer(
        &mut self,
        lease: &MessageLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        refuse_large(&[answer], MAX_MESSAGE_BYTES)?;
        let answered = self.settle(|messages| messages.answer(lease, to, answer))?;
        if answered == Answered::Done {
            self.announce();
        }
        Ok(answered)
    }

    fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError> {
        let queue = self.number;
        self.write(Durability::OnDisk, |connection, now| {
            schema::keep_until(connection, queue, now.plus(lifetime))
        })
    }

    fn remove(mut self) -> Result<(), QueueError> {
        let queue = self.number;
        self.write(Durability::OnDisk, |connection, _| schema::remove(connection, queue))
    }

    fn another(&self) -> Result<Self, QueueError> {
        Ok(Self {
            file: self.file.clone(),
            number: self.number,
            name: self.name.clone(),
            options: self.options,
            clock: Arc::clone(&self.clock),
            waker: None,
            upkeep: Upkeep::default(),
        })
    }

    fn ledger(&self) -> Result<ReplayDatabase, QueueError> {
        let scope = LedgerScope::new(self.name.as_str());
        Ok(ReplayDatabase::within(self.file.clone(), scope, self.options.lease))
    }
}

impl fmt::Debug for SqliteQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.file.watch().path();
        f.debug_struct("SqliteQueue").field("path", &path).field("name", &self.name).finish()
    }
}

impl fmt::Debug for MessageLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, token } = self;
        f.debug_struct("MessageLease").field("number", number).field("token", &hex(token)).finish()
    }
}
