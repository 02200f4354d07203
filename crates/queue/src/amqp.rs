//! A queue on a RabbitMQ server, over AMQP 0-9-1.
//!
//! A message is in a quorum queue, whose server counts how often it was delivered. What AMQP does not have is made of
//! what it has: leases end in this process (see `held`), messages wait in queues beside the queue (see `layout`), dead
//! letters are messages that are looked through without being taken (see `dead`), and that a message was begun is
//! noted beside the ledger, which is somewhere else.
//!
//! What it cannot do: publish all messages or none, take a message back, and remember the place of a message that waits
//! or is a dead letter. A server takes a message from whoever has it for longer than its `consumer_timeout`, which is
//! half an hour, whether the lease is extended or not. Queues that are made here ask for 30 days, which servers since
//! RabbitMQ 3.12 heed.

mod bury;
mod dead;
mod fault;
mod held;
mod layout;
mod link;
mod message;
mod place;
mod receive;
mod session;
mod settle;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brine_core::{Clock, Timestamp};
use brine_records::Settled;

use self::fault::ServerFault;
use self::layout::{Layout, RESERVED, delayed, short};
use self::link::Link;
use self::message::Stamp;
use self::place::AmqpPlace;
use self::session::{Outgoing, Published};
use crate::any::ServerSecrets;
use crate::error::QueueError;
use crate::ledger_place::{LedgerNotes as _, LedgerPlace};
use crate::options::{MAX_MESSAGE_BYTES, QueueBirth, QueueOptions};
use crate::queue::{
    Answered, Buried, Delivery, LedgerLease, Queue, ReceiveBounds, RefusedMessage, Retry,
    refuse_large,
};
use crate::url::{QueueName, Server};

pub use self::held::AmqpLease;

/// How much is published at once, at least.
const AT_ONCE_BYTES: usize = 0x0100_0000;

/// A queue on a RabbitMQ server. Its ledger is in a place `L`.
///
/// Messages that are held are kept in memory, too, until they are settled: they may be published again. A thread of a
/// [runtime](tokio) **must not** call a method that blocks.
pub struct AmqpQueue<L: LedgerPlace> {
    link: Arc<Link>,
    name: QueueName,
    layout: Layout,
    options: QueueOptions,
    clock: Arc<dyn Clock>,
    ledgers: Arc<L>,
    notes: L::Notes,
    /// The leases of messages that came, and were too large to be given out with others.
    kept_back: Arc<Mutex<VecDeque<u64>>>,
}

/// A message that was published. It cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmqpSent(());

impl<L: LedgerPlace> AmqpQueue<L> {
    /// Opens a queue, or makes one as the options say. One that is there stays as it was made, and so do the bounds of its
    /// dead letters.
    ///
    /// # Errors
    ///
    /// [`QueueError::Missing`] for a queue that is to exist; [`QueueError::Unsuitable`], [`QueueError::Connection`]
    /// and [`QueueError::Access`]; failures of the ledger.
    pub fn open(
        server: &Server,
        secrets: &ServerSecrets,
        ledgers: Arc<L>,
        name: &QueueName,
        options: QueueOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, QueueError> {
        if name.as_str().contains(RESERVED) {
            let what = format!("on RabbitMQ, the name of a queue cannot contain {RESERVED:?}");
            return Err(QueueError::Unsuitable { what });
        }
        let place = AmqpPlace::new(server, secrets)?;
        let link = Arc::new(Link::new(place, options.busy_timeout, options.lease)?);
        let layout = Layout::new(name, &options);
        let notes = ledgers.notes(name)?;
        let (name, kept_back) = (name.clone(), Arc::default());
        let queue = Self { link, name, layout, options, clock, ledgers, notes, kept_back };
        queue.find_or_make()?;
        Ok(queue)
    }

    fn find_or_make(&self) -> Result<(), QueueError> {
        let layout = &self.layout;
        let is_made = self.options.birth != QueueBirth::Existing;
        let is_there = self.link.insist(async |session| {
            match session.count(&layout.main).await? {
                None if is_made => session.make(&layout.main, layout.main_arguments()).await?,
                None => return Ok(false),
                Some(_) => {}
            }
            Ok(true)
        })?;
        if is_there { Ok(()) } else { Err(self.missing()) }
    }

    fn now(&self) -> Result<Timestamp, QueueError> {
        Ok(self.clock.now()?)
    }

    fn missing(&self) -> QueueError {
        QueueError::Missing { name: self.name.clone() }
    }

    fn publish_all(&self, messages: &[&[u8]], delay: Duration) -> Result<(), QueueError> {
        refuse_large(messages, MAX_MESSAGE_BYTES)?;
        let (mut some, mut bytes) = (Vec::new(), 0_usize);
        for content in messages {
            some.push((*content, Stamp::new(self.now()?)?.first()));
            bytes = bytes.saturating_add(content.len());
            if bytes >= AT_ONCE_BYTES {
                self.publish_some(&some, delay)?;
                (some, bytes) = (Vec::new(), 0);
            }
        }
        self.publish_some(&some, delay)
    }

    /// Publishes as many messages as can be sent in the time that an answer may take.
    fn publish_some(&self, messages: &[Outgoing<'_>], delay: Duration) -> Result<(), QueueError> {
        let layout = &self.layout;
        let published = self.link.with(async |session| {
            let Some(waiting) = delayed(delay) else {
                return session.publish(&layout.main, messages).await;
            };
            // What waits for a queue that is not there is lost.
            match session.count(&layout.main).await? {
                None => Ok(Published::NoQueue),
                Some(_) => session.publish_beside(layout, waiting, messages).await,
            }
        })?;
        self.judge(published)
    }

    fn judge(&self, published: Published) -> Result<(), QueueError> {
        match published {
            Published::Done => Ok(()),
            Published::Full => Err(QueueError::Full),
            Published::NoQueue => Err(self.missing()),
        }
    }
}

impl<L: LedgerPlace> Queue for AmqpQueue<L> {
    type Ledger = L::Ledger;
    type Lease = AmqpLease;
    type Sent = AmqpSent;

    /// Publishes messages in this order. The server confirms each, so if one fails, those before it can be there.
    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError> {
        self.publish_all(messages, Duration::ZERO)
    }

    /// A message waits for up to 30 days, and up to half as long again as it is to.
    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<AmqpSent, QueueError> {
        self.publish_all(&[&content], delay).map(|()| AmqpSent(()))
    }

    /// Returns `false`: AMQP gives nothing back.
    fn withdraw(&mut self, _: &AmqpSent) -> Result<bool, QueueError> {
        Ok(false)
    }

    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<AmqpLease>>, QueueError> {
        self.receive_within(most, wait)
    }

    fn lease_length(&self) -> Duration {
        self.options.lease
    }

    fn message_limit(&self) -> usize {
        MAX_MESSAGE_BYTES
    }

    fn extend(&mut self, leases: &[&AmqpLease]) -> Result<Vec<Settled>, QueueError> {
        Ok(leases.iter().map(|lease| self.link.held.extend(lease.number)).collect())
    }

    fn begin(
        &mut self,
        lease: &AmqpLease,
        record: &LedgerLease<Self>,
    ) -> Result<Settled, QueueError> {
        let Some((message, _)) = self.link.held.get(lease.number) else {
            return Ok(Settled::Lost);
        };
        let settled = self.notes.begin(&message.key, record, self.clock.now()?)?;
        if settled == Settled::Done {
            self.link.held.note_begun(lease.number);
        }
        Ok(settled)
    }

    fn commit_and_ack(
        &mut self,
        handled: &[(&AmqpLease, &LedgerLease<Self>)],
    ) -> Result<Vec<Settled>, QueueError> {
        self.commit_then_acknowledge(handled)
    }

    fn ack(&mut self, leases: &[&AmqpLease]) -> Result<Vec<Settled>, QueueError> {
        self.acknowledge(leases)
    }

    fn retry(
        &mut self,
        leases: &[&AmqpLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        self.return_all(leases, retry)
    }

    fn dead_letter(
        &mut self,
        lease: &AmqpLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        self.bury(lease, why)
    }

    fn answer(
        &mut self,
        lease: &AmqpLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        refuse_large(&[answer], MAX_MESSAGE_BYTES)?;
        if self.link.held.get(lease.number).is_none() {
            return Ok(Answered::Lost);
        }
        let properties = Stamp::new(self.now()?)?.first();
        let to = short(to.as_str());
        let published =
            self.link.with(async |session| session.publish(&to, &[(answer, properties)]).await)?;
        match published {
            Published::Done => {}
            Published::Full => return Err(QueueError::Full),
            Published::NoQueue => return Ok(Answered::NoQueue),
        }
        match self.acknowledge(&[lease])?.as_slice() {
            [Settled::Done] => Ok(Answered::Done),
            _ => Ok(Answered::Lost),
        }
    }

    /// Has the queue last as long again as it was made for. A longer time cannot be had.
    fn keep_for(&mut self, _: Duration) -> Result<bool, QueueError> {
        let layout = &self.layout;
        let has_end = self.options.lifetime.is_some();
        self.link.insist(async |session| {
            let is_there = session.count(&layout.main).await?.is_some();
            if is_there && has_end {
                session.make(&layout.main, layout.main_arguments()).await?;
            }
            Ok(is_there)
        })
    }

    fn remove(self) -> Result<(), QueueError> {
        let layout = &self.layout;
        self.link.insist(async |session| {
            session.delete(&layout.main).await?;
            for queue in Layout::all_beside() {
                session.delete(&layout.beside(queue)).await?;
            }
            Ok(())
        })
    }

    fn another(&self) -> Result<Self, QueueError> {
        let notes = self.ledgers.notes(&self.name)?;
        Ok(Self {
            link: Arc::clone(&self.link),
            name: self.name.clone(),
            layout: self.layout.clone(),
            options: self.options,
            clock: Arc::clone(&self.clock),
            ledgers: Arc::clone(&self.ledgers),
            notes,
            kept_back: Arc::clone(&self.kept_back),
        })
    }

    fn ledger(&self) -> Result<L::Ledger, QueueError> {
        self.ledgers.ledger(&self.name, self.options.lease)
    }
}

impl<L: LedgerPlace> fmt::Debug for AmqpQueue<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpQueue").field("name", &self.name).finish_non_exhaustive()
    }
}
