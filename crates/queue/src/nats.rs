//! A queue on NATS JetStream, for the processes of many machines.
//!
//! A queue is a stream of messages with one durable consumer, which all consumers share. Beside it is a stream of
//! states, one for each message that was delivered, and one for the ledger.
//!
//! JetStream delivers messages, keeps the time of leases, and delivers again what was not settled. It lets anybody settle
//! a message who was ever given it, counts every delivery, and forgets delays when it is started again. So whoever is
//! given a message first writes its *state*, in place of the state that was there and of none that was written since
//! (compare and swap), and settles the message by replacing that state. Of two consumers, one fails.
//!
//! A message is deleted when its state says that it is done. If a consumer or the server dies in between, whoever is
//! given it next sees the state, and deletes it.
//!
//! What is confirmed is as durable as the server is configured: by itself, it writes to the disk every two minutes
//! (`sync_interval`), and a machine that loses power loses what came since.

mod ack;
mod api;
mod bury;
mod claim;
mod counts;
mod dead;
mod growing_delay;
mod lifetime;
mod link;
mod listening;
mod making;
mod message_state;
mod names;
mod place;
mod publish;
mod receive;
mod recovery;
mod scan;
mod settle;
mod store;
mod stream_info;
mod streams;
mod values;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use brine_core::{Clock, Timestamp};
use brine_records::{Ledger as _, ReplayError, Settled, SharedLease, SharedLedger};

use self::link::Link;
use self::making::Making;
use self::receive::Inbox;
use self::recovery::LastLook;
use self::streams::QueueStreams;
use self::values::Values;
use crate::error::QueueError;
use crate::options::{QueueBirth, QueueOptions};
use crate::queue::{
    Answered, Buried, Delivery, Queue, ReceiveBounds, RefusedMessage, Retry, refuse_large,
};
use crate::url::QueueName;

pub use self::place::{NatsCredentials, NatsPlace};
pub use self::publish::NatsSent;
pub use self::settle::NatsLease;
pub use self::store::NatsStore;

/// How many messages are settled, and values read, at once.
const SETTLED_AT_ONCE: usize = 64;

/// How often, and after which pause, a ledger is looked for that another process may be making.
const LEDGER_TRIES: u32 = 20;
const LEDGER_PAUSE: Duration = Duration::from_millis(100);

/// A queue on NATS JetStream.
///
/// Its messages are in the stream `brine-q-NAME`, what is known of them in `brine-s-NAME`, and its ledger in
/// `brine-l-NAME`. NAME is that of the queue, in which ASCII letters, digits and `-` are themselves, and any other byte
/// is `_` and two hex digits. Of what is longer than 200 characters by then, the first 120 are kept, followed by `_h`
/// and the SHA-256 of the name in hex.
///
/// It differs from a queue in a file in this:
///
/// - [`publish`](Queue::publish) publishes in order, and stops at the first failure. What came before it is published.
/// - A message that is handed back, or made of a dead letter, is in its old place among those that are received together
///   with it.
/// - Leases last as long as the longest that anybody asked for since the queue was made.
/// - A message has at most a kilobyte less than the server's `max_payload`, which is 1 MiB by itself.
pub struct NatsQueue {
    shared: Arc<Shared>,
    inbox: Option<Inbox>,
    ledger: Option<SharedLedger<NatsStore>>,
}

/// What several values of a queue have in common.
struct Shared {
    streams: QueueStreams,
    states: Values,
    options: QueueOptions,
    clock: Arc<dyn Clock>,
    last_look: LastLook,
}

impl NatsQueue {
    /// Opens a queue, or makes one as the options say.
    ///
    /// # Errors
    ///
    /// [`QueueError::Missing`] for a queue that is to exist; [`QueueError::Damaged`] if a stream of its name is no queue;
    /// [`QueueError::Access`]; failures of the connection.
    pub fn open(
        place: &NatsPlace,
        name: &QueueName,
        options: QueueOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, QueueError> {
        let link = Arc::new(Link::open(place, options.busy_timeout)?);
        let making = Making {
            birth: options.birth,
            lease: options.lease,
            lifetime: options.lifetime,
            replicas: place.replicas,
            now: clock.now()?,
        };
        let until = link.deadline();
        let opened = QueueStreams::open(Arc::clone(&link), name, making, until);
        let streams = link.wait_for(opened)?;
        let states = Values::states(&streams);
        let makes_ledger = streams.is_new && options.lifetime.is_none();
        let shared =
            Arc::new(Shared { streams, states, options, clock, last_look: LastLook::default() });
        let queue = Self { shared, inbox: None, ledger: None };
        if makes_ledger {
            // One that was made later would not know what may have been handled before.
            drop(queue.ledger_with(options.birth)?);
        }
        Ok(queue)
    }

    fn link(&self) -> &Link {
        &self.shared.streams.link
    }

    /// Returns the ledger that this value commits to.
    fn own_ledger(&mut self) -> Result<&mut SharedLedger<NatsStore>, QueueError> {
        if self.ledger.is_none() {
            self.ledger = Some(self.ledger()?);
        }
        self.ledger.as_mut().ok_or_else(|| QueueError::damaged("its ledger is gone"))
    }

    fn ledger_with(&self, birth: QueueBirth) -> Result<SharedLedger<NatsStore>, QueueError> {
        let options = QueueOptions { birth, ..self.shared.options };
        let store = NatsStore::new(&self.shared.streams);
        Ok(SharedLedger::open(store, &options.of_ledger(), self.shared.now()?)?)
    }

    fn settle_each<'l, F>(
        &self,
        leases: &[&'l NatsLease],
        work: impl Fn(&'l NatsLease) -> F,
    ) -> Result<Vec<Settled>, QueueError>
    where
        F: Future<Output = Result<Settled, QueueError>>,
    {
        self.link().wait_for(self.shared.for_each(leases, work))
    }
}

impl Shared {
    fn now(&self) -> Result<Timestamp, QueueError> {
        Ok(self.clock.now()?)
    }

    fn prefix(&self) -> String {
        self.streams.names.state_prefix(&self.streams.id)
    }

    /// The subject of the state of a message.
    fn state_subject(&self, number: u64) -> String {
        format!("{}.m.{number}", self.prefix())
    }

    fn state_pattern(&self) -> String {
        format!("{}.m.*", self.prefix())
    }

    /// The subject that shows that a message is among the sample of those that never verified.
    fn sample_subject(&self, number: u64) -> String {
        format!("{}.u.{number}", self.prefix())
    }

    fn sample_pattern(&self) -> String {
        format!("{}.u.*", self.prefix())
    }

    fn counts_subject(&self) -> String {
        format!("{}.counts", self.prefix())
    }
}

impl Queue for NatsQueue {
    type Ledger = SharedLedger<NatsStore>;
    type Lease = NatsLease;
    type Sent = NatsSent;

    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError> {
        let streams = &self.shared.streams;
        refuse_large(messages, self.message_limit())?;
        let until = self.link().deadline();
        self.link().wait_for(streams.publish_all(messages, until))
    }

    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<NatsSent, QueueError> {
        refuse_large(&[&content], self.message_limit())?;
        let (now, until) = (self.shared.now()?, self.link().deadline());
        self.link().wait_for(self.send_later(&content, delay, now, until))
    }

    fn withdraw(&mut self, message: &NatsSent) -> Result<bool, QueueError> {
        let (now, until) = (self.shared.now()?, self.link().deadline());
        self.link().wait_for(self.take_back(message, now, until))
    }

    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<NatsLease>>, QueueError> {
        let shared = Arc::clone(&self.shared);
        let link = &shared.streams.link;
        link.wait_for(async {
            let inbox = match self.inbox.take() {
                Some(inbox) => inbox,
                None => Inbox::new(link).await?,
            };
            shared.receive(self.inbox.insert(inbox), most, wait).await
        })
    }

    fn lease_length(&self) -> Duration {
        self.shared.streams.lease
    }

    fn message_limit(&self) -> usize {
        self.shared.streams.message_limit()
    }

    fn extend(&mut self, leases: &[&NatsLease]) -> Result<Vec<Settled>, QueueError> {
        let (now, until) = (self.shared.now()?, self.link().deadline());
        self.settle_each(leases, |lease| self.shared.extend(lease, now, until))
    }

    /// The mark comes first: if this process dies in between, the message was begun, and is not taken for a copy of one
    /// that was handled.
    fn begin(&mut self, lease: &NatsLease, record: &SharedLease) -> Result<Settled, QueueError> {
        let (now, until) = (self.shared.now()?, self.link().deadline());
        let shared = Arc::clone(&self.shared);
        let link = &shared.streams.link;
        let before = shared.begun(lease);
        if link.wait_for(shared.begin(lease, now, until))? == Settled::Lost {
            return Ok(Settled::Lost);
        }
        let committed = self.own_ledger()?.commit_many(std::slice::from_ref(record), now)?;
        if committed == [Settled::Done] {
            return Ok(Settled::Done);
        }
        let _ = link.wait_for(shared.unbegin(lease, before, link.deadline()))?;
        Ok(Settled::Lost)
    }

    fn commit_and_ack(
        &mut self,
        handled: &[(&NatsLease, &SharedLease)],
    ) -> Result<Vec<Settled>, QueueError> {
        let leases: Vec<_> = handled.iter().map(|(lease, _)| *lease).collect();
        let (now, until) = (self.shared.now()?, self.link().deadline());
        let mut settled = self.settle_each(&leases, |lease| self.shared.look(lease, until))?;
        let held = handled.iter().zip(&settled).filter(|(_, one)| **one == Settled::Done);
        let records: Vec<_> = held.map(|((_, record), _)| (*record).clone()).collect();
        let mut committed = self.own_ledger()?.commit_many(&records, now)?.into_iter();
        for one in settled.iter_mut().filter(|one| **one == Settled::Done) {
            *one = committed.next().ok_or_else(|| QueueError::damaged("its ledger is silent"))?;
        }
        let done = leases.iter().zip(&settled).filter(|(_, one)| **one == Settled::Done);
        let done: Vec<_> = done.map(|(lease, _)| *lease).collect();
        // If a lease was lost since, the record is committed, and whoever has the message finds that.
        let _ = self.ack(&done)?;
        Ok(settled)
    }

    fn ack(&mut self, leases: &[&NatsLease]) -> Result<Vec<Settled>, QueueError> {
        let until = self.link().deadline();
        self.settle_each(leases, |lease| self.shared.acknowledge(lease, until))
    }

    fn retry(
        &mut self,
        leases: &[&NatsLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        let (now, until) = (self.shared.now()?, self.link().deadline());
        self.settle_each(leases, |lease| self.shared.hand_back(lease, retry, now, until))
    }

    fn dead_letter(
        &mut self,
        lease: &NatsLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        let (now, until) = (self.shared.now()?, self.link().deadline());
        self.link().wait_for(self.shared.bury(lease, why, now, until))
    }

    fn answer(
        &mut self,
        lease: &NatsLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        refuse_large(&[answer], self.message_limit())?;
        let until = self.link().deadline();
        let shared = &self.shared;
        self.link().wait_for(async {
            let Some(other) = shared.streams.other(to, until).await? else {
                return Ok(Answered::NoQueue);
            };
            if shared.look(lease, until).await? == Settled::Lost {
                return Ok(Answered::Lost);
            }
            // If this is called again, it is the same answer.
            let id = format!("answer-{}", lease.token());
            other.publish(answer, &id, HeaderMap::new(), until).await?;
            Ok(match shared.acknowledge(lease, until).await? {
                Settled::Done => Answered::Done,
                Settled::Lost => Answered::Lost,
            })
        })
    }

    fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError> {
        let (kept, until) = (self.shared.now()?.plus(lifetime), self.link().deadline());
        self.link().wait_for(self.shared.streams.keep_until(kept, until))
    }

    fn remove(self) -> Result<(), QueueError> {
        let until = self.link().deadline();
        self.link().wait_for(self.shared.streams.remove(until))
    }

    fn another(&self) -> Result<Self, QueueError> {
        Ok(Self { shared: Arc::clone(&self.shared), inbox: None, ledger: None })
    }

    /// A ledger that is missing is one that was lost: what was handled in it is not known.
    fn ledger(&self) -> Result<SharedLedger<NatsStore>, QueueError> {
        if self.shared.streams.is_new {
            return self.ledger_with(self.shared.options.birth);
        }
        for _ in 0..LEDGER_TRIES {
            match self.ledger_with(QueueBirth::Existing) {
                // Whoever makes the queue is about to make it.
                Err(QueueError::Ledger(ReplayError::Missing { .. })) => {
                    std::thread::sleep(LEDGER_PAUSE);
                }
                found => return found,
            }
        }
        self.ledger_with(QueueBirth::RefuseOlder)
    }
}

impl fmt::Debug for NatsQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueStreams { link, name, .. } = &self.shared.streams;
        f.debug_struct("NatsQueue").field("link", link).field("name", name).finish()
    }
}
