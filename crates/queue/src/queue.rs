//! What every queue can do.

use std::time::Duration;

use brine_core::Timestamp;
use brine_records::{DeadLetter, Ledger, Settled};

use crate::error::QueueError;
use crate::url::QueueName;

/// The right to settle a message, as the ledger of a queue gives it.
pub type LedgerLease<Q> = <<Q as Queue>::Ledger as Ledger>::Lease;

/// A queue of messages, which delivers each until it is settled.
///
/// All methods block. When one returns, what it did is durable: `publish` is confirmed, and what was acknowledged is
/// never delivered again. One that settles messages can be tried again if it fails. Only what would be done once more in the same way may be lost with the machine: that a lease was
/// taken, or a message refused that never verified. A message is delivered under a lease. If the lease runs out before the
/// message is settled, it is delivered again, and the old lease is [`Lost`](Settled::Lost).
///
/// One value is for one thread. Several processes or machines each open their own, and threads have
/// [another](Queue::another).
pub trait Queue {
    /// What makes each message count once. It is shared by all consumers of the queue.
    type Ledger: Ledger;

    /// The right to settle a delivered message, until it runs out and the message is delivered again.
    type Lease: std::fmt::Debug;

    /// A message that was published, for its sender.
    type Sent: std::fmt::Debug;

    /// Publishes messages, all or none, in this order.
    ///
    /// # Errors
    ///
    /// [`QueueError::TooLarge`], and failures of the queue. It is not known after
    /// a failure of the connection whether the messages were published.
    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError>;

    /// Publishes one message, as [`publish`](Self::publish) does, so that it can be taken back. It is delivered when
    /// `delay` has passed.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Self::publish).
    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<Self::Sent, QueueError>;

    /// Takes a message back that nobody has [begun](Self::begin), whoever has it. A consumer that has it and begins
    /// afterwards finds its lease lost. Returns whether the message was there: it is not if it was begun, settled, or
    /// made a dead letter, or if the queue gives nothing back.
    ///
    /// A consumer that handles messages before it commits may have handled it.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then it is not known whether it was taken back.
    fn withdraw(&mut self, message: &Self::Sent) -> Result<bool, QueueError>;

    /// Receives messages as soon as there are any, up to `most`. Returns none after `wait`.
    ///
    /// # Errors
    ///
    /// Failures of the queue. No message is then leased for longer than its lease lasts.
    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<Self::Lease>>, QueueError>;

    /// Returns how long a lease lasts that is neither settled nor extended.
    fn lease_length(&self) -> Duration;

    /// Returns the most bytes of a message.
    fn message_limit(&self) -> usize;

    /// Extends leases: each that is still held lasts from now on as long as a new one.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then no lease was extended.
    fn extend(&mut self, leases: &[&Self::Lease]) -> Result<Vec<Settled>, QueueError>;

    /// Notes in the ledger that the work on a message begins, and marks the message as
    /// [begun](Delivery::begun). From then on it is not handled again, whatever becomes of this process.
    ///
    /// If either lease was lost, nothing is noted, and the message is not to be handled.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then it is not known whether the note is durable, and the message **must not** be
    /// handled.
    fn begin(
        &mut self,
        lease: &Self::Lease,
        record: &LedgerLease<Self>,
    ) -> Result<Settled, QueueError>;

    /// Notes in the ledger that messages were handled, and acknowledges them: in one transaction where the queue has
    /// one for both, and otherwise in this order.
    ///
    /// If either lease of a message was lost, it is neither noted nor acknowledged, as far as the queue can see to
    /// that.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then the messages may be delivered again.
    fn commit_and_ack(
        &mut self,
        handled: &[(&Self::Lease, &LedgerLease<Self>)],
    ) -> Result<Vec<Settled>, QueueError>;

    /// Acknowledges messages, so that they are never delivered again.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then they may be delivered again.
    fn ack(&mut self, leases: &[&Self::Lease]) -> Result<Vec<Settled>, QueueError>;

    /// Hands messages back. They are delivered again later, in their old place.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then they are delivered again when their lease runs out.
    fn retry(
        &mut self,
        leases: &[&Self::Lease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError>;

    /// Makes a message a dead letter, if it is still leased. What never verified may be counted and dropped.
    ///
    /// # Errors
    ///
    /// [`QueueError::DeadLettersFull`] if there is no room for a message that verified: it stays leased, and the
    /// consumer **must** stop. Failures of the queue: the message is delivered again.
    fn dead_letter(
        &mut self,
        lease: &Self::Lease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError>;

    /// Publishes an answer on another queue of the same place, and acknowledges the message: in one transaction where
    /// the queue has one for both, and otherwise in this order.
    ///
    /// # Errors
    ///
    /// [`QueueError::TooLarge`], and failures of the queue. Then the message is not acknowledged, as far as is known.
    fn answer(
        &mut self,
        lease: &Self::Lease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError>;

    /// Has a queue that was made with a [lifetime](crate::QueueOptions::lifetime) last for so long from now on at least.
    /// Returns whether it is there.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then it lasts as before.
    fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError>;

    /// Deletes the queue with all that is in it. Others who have it open find it empty for good.
    ///
    /// # Errors
    ///
    /// Failures of the queue. Then it is there as before.
    fn remove(self) -> Result<(), QueueError>
    where
        Self: Sized;

    /// Returns another value of this queue, for another thread. Each settles what the other received.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    fn another(&self) -> Result<Self, QueueError>
    where
        Self: Sized;

    /// Opens the ledger of the queue, for any thread.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    fn ledger(&self) -> Result<Self::Ledger, QueueError>;
}

/// Looks after the dead letters of a queue.
pub trait DeadLetters {
    /// Returns dead letters in the order of their numbers, from the first above `after` on, without what they hold.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    fn dead_letters(&mut self, after: u64, most: usize) -> Result<Vec<DeadMessage>, QueueError>;

    /// Returns what a dead letter holds, or `None` if there is none of this number.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    fn dead_content(&mut self, number: u64) -> Result<Option<Vec<u8>>, QueueError>;

    /// Queues a dead letter again, in its old place, with no attempts. One that was begun stays so. Returns whether
    /// there was one of this number.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    fn revive(&mut self, number: u64) -> Result<bool, QueueError>;

    /// Deletes a dead letter. Returns whether there was one of this number.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    fn discard(&mut self, number: u64) -> Result<bool, QueueError>;

    /// Counts what is in the queue.
    ///
    /// # Errors
    ///
    /// Failures of the queue.
    fn status(&mut self) -> Result<QueueStatus, QueueError>;
}

/// How much is received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveBounds {
    /// The most bytes. A larger message is received alone.
    pub bytes: usize,
    /// The most messages, at least one.
    pub messages: usize,
}

impl ReceiveBounds {
    /// One message.
    pub const ONE: Self = Self { bytes: usize::MAX, messages: 1 };
}

/// A message under a lease.
#[derive(Debug)]
pub struct Delivery<L> {
    /// What was published.
    pub content: Vec<u8>,
    /// How often the message was delivered, with this time.
    pub attempt: u64,
    /// Whether a consumer [began](Queue::begin) to handle it, and did not settle it.
    pub begun: bool,
    /// Settles the message.
    pub lease: L,
}

/// How a message is handed back.
#[derive(Clone, Copy, Debug)]
pub struct Retry<'a> {
    /// When it is delivered again.
    pub delay: Duration,
    /// Why. What is too long is cut.
    pub why: &'a str,
    /// Whether somebody tried to handle it. If not, this delivery is not counted, where the queue can see to that.
    pub was_tried: bool,
}

impl<'a> Retry<'a> {
    /// After an attempt to handle it.
    #[must_use]
    pub const fn tried(delay: Duration, why: &'a str) -> Self {
        Self { delay, why, was_tried: true }
    }

    /// Nobody tried to handle it.
    #[must_use]
    pub const fn untried(delay: Duration, why: &'a str) -> Self {
        Self { delay, why, was_tried: false }
    }
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusedMessage<'a> {
    /// The short name of the reason.
    pub reason: &'a str,
    /// The reason as text. What is too long is cut.
    pub detail: &'a str,
    /// Whether a trusted signer signed the message.
    pub standing: Standing,
}

impl RefusedMessage<'_> {
    /// Returns so much of the reason as is kept.
    pub(crate) fn kept_detail(&self) -> String {
        kept(self.detail)
    }
}

/// Returns so much of a reason as is kept.
pub(crate) fn kept(detail: &str) -> String {
    detail.chars().take(MAX_DETAIL_CHARS).collect()
}

/// Refuses messages that are longer than a queue takes.
pub(crate) fn refuse_large(messages: &[&[u8]], limit: usize) -> Result<(), QueueError> {
    match messages.iter().map(|content| content.len()).find(|bytes| *bytes > limit) {
        Some(bytes) => Err(QueueError::TooLarge { bytes, limit }),
        None => Ok(()),
    }
}

/// The most characters of a reason that are kept.
const MAX_DETAIL_CHARS: usize = 1024;

/// Whose message it is that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Anybody's: its signature, or trust in its signer, did not hold.
    Unverified,
    /// A trusted signer's.
    Verified,
}

/// What became of a message that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buried {
    /// It was counted, and is kept or not.
    Done(DeadLetter),
    /// The lease was lost, and nothing was done.
    Lost,
}

/// What became of a message that was to be [answered](Queue::answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "nothing may have been done"]
pub enum Answered {
    /// The answer is published, and the message acknowledged.
    Done,
    /// The lease was lost, and the message was not acknowledged.
    Lost,
    /// There is no queue for the answer, and nothing was done.
    NoQueue,
}

/// A dead letter, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadMessage {
    /// Its number in the queue.
    pub number: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// When it was published.
    pub sent: Timestamp,
    /// When it became a dead letter.
    pub died: Timestamp,
    /// How often it was delivered.
    pub attempts: u64,
    /// Whether a consumer [began](Queue::begin) to handle it. The ledger lets nobody handle it again.
    pub begun: bool,
    /// Whose it is.
    pub standing: Standing,
    /// The short name of the reason.
    pub reason: String,
    /// The reason as text.
    pub detail: String,
}

/// What is in a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// How many messages can be delivered.
    pub ready: u64,
    /// When the message was published that is delivered next.
    pub next_sent: Option<Timestamp>,
    /// How many are under a lease or wait to be retried.
    pub held: u64,
    /// How many messages were ever published.
    pub sent: u64,
    /// How many messages were ever acknowledged.
    pub acknowledged: u64,
    /// How many dead letters are kept.
    pub dead: u64,
    /// How many messages became dead letters or were dropped, by their reasons.
    pub refused: Vec<(String, u64)>,
    /// The size of the queue where it is kept, if that is known.
    pub stored_bytes: Option<u64>,
}
