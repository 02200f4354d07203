//! Queues without their types.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use brine_records::Settled;

use super::{AnyLease, AnyLedger, AnyRecord, AnySent};
use crate::error::QueueError;
use crate::queue::{
    Answered, Buried, DeadLetters, Delivery, LedgerLease, Queue, ReceiveBounds, RefusedMessage,
    Retry,
};
use crate::url::QueueName;

/// [`Queue`], for a `dyn`: each method is the one of its name.
pub(super) trait ErasedQueue: DeadLetters + fmt::Debug + Send {
    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError>;
    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<AnySent, QueueError>;
    fn withdraw(&mut self, message: &AnySent) -> Result<bool, QueueError>;
    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<AnyLease>>, QueueError>;
    fn lease_length(&self) -> Duration;
    fn message_limit(&self) -> usize;
    fn extend(&mut self, leases: &[&AnyLease]) -> Result<Vec<Settled>, QueueError>;
    fn begin(&mut self, lease: &AnyLease, record: &AnyRecord) -> Result<Settled, QueueError>;
    fn commit_and_ack(
        &mut self,
        handled: &[(&AnyLease, &AnyRecord)],
    ) -> Result<Vec<Settled>, QueueError>;
    fn ack(&mut self, leases: &[&AnyLease]) -> Result<Vec<Settled>, QueueError>;
    fn retry(&mut self, leases: &[&AnyLease], retry: Retry<'_>)
    -> Result<Vec<Settled>, QueueError>;
    fn dead_letter(
        &mut self,
        lease: &AnyLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError>;
    fn answer(
        &mut self,
        lease: &AnyLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError>;
    fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError>;
    fn remove(self: Box<Self>) -> Result<(), QueueError>;
    fn another(&self) -> Result<Box<dyn ErasedQueue>, QueueError>;
    fn ledger(&self) -> Result<AnyLedger, QueueError>;
}

impl<Q> ErasedQueue for Q
where
    Q: Queue + DeadLetters + fmt::Debug + Send + 'static,
    Q::Lease: Send + 'static,
    Q::Sent: Send + Sync + 'static,
    Q::Ledger: fmt::Debug + Send + 'static,
    LedgerLease<Q>: Clone + Send + 'static,
{
    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError> {
        Queue::publish(self, messages)
    }

    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<AnySent, QueueError> {
        Ok(AnySent(Box::new(Queue::send(self, content, delay)?)))
    }

    fn withdraw(&mut self, message: &AnySent) -> Result<bool, QueueError> {
        Queue::withdraw(self, own(&*message.0)?)
    }

    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<AnyLease>>, QueueError> {
        let found = Queue::receive(self, most, wait)?.into_iter().map(|delivery| {
            let Delivery { content, attempt, begun, lease } = delivery;
            Delivery { content, attempt, begun, lease: AnyLease(Box::new(lease)) }
        });
        Ok(found.collect())
    }

    fn lease_length(&self) -> Duration {
        Queue::lease_length(self)
    }

    fn message_limit(&self) -> usize {
        Queue::message_limit(self)
    }

    fn extend(&mut self, leases: &[&AnyLease]) -> Result<Vec<Settled>, QueueError> {
        Queue::extend(self, &own_leases::<Q>(leases)?)
    }

    fn begin(&mut self, lease: &AnyLease, record: &AnyRecord) -> Result<Settled, QueueError> {
        Queue::begin(self, own(&*lease.0)?, own(record.lease())?)
    }

    fn commit_and_ack(
        &mut self,
        handled: &[(&AnyLease, &AnyRecord)],
    ) -> Result<Vec<Settled>, QueueError> {
        let mut pairs = Vec::with_capacity(handled.len());
        for (lease, record) in handled {
            pairs.push((own(&*lease.0)?, own(record.lease())?));
        }
        Queue::commit_and_ack(self, &pairs)
    }

    fn ack(&mut self, leases: &[&AnyLease]) -> Result<Vec<Settled>, QueueError> {
        Queue::ack(self, &own_leases::<Q>(leases)?)
    }

    fn retry(
        &mut self,
        leases: &[&AnyLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        Queue::retry(self, &own_leases::<Q>(leases)?, retry)
    }

    fn dead_letter(
        &mut self,
        lease: &AnyLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        Queue::dead_letter(self, own(&*lease.0)?, why)
    }

    fn answer(
        &mut self,
        lease: &AnyLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        Queue::answer(self, own(&*lease.0)?, to, answer)
    }

    fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError> {
        Queue::keep_for(self, lifetime)
    }

    fn remove(self: Box<Self>) -> Result<(), QueueError> {
        Queue::remove(*self)
    }

    fn another(&self) -> Result<Box<dyn ErasedQueue>, QueueError> {
        Ok(Box::new(Queue::another(self)?))
    }

    fn ledger(&self) -> Result<AnyLedger, QueueError> {
        Queue::ledger(self).map(AnyLedger::of)
    }
}

/// Returns a lease of this kind of queue. One of another kind was lost long ago.
fn own<T: 'static>(any: &dyn Any) -> Result<&T, QueueError> {
    any.downcast_ref().ok_or(QueueError::LeaseLost)
}

fn own_leases<'l, Q: Queue>(leases: &[&'l AnyLease]) -> Result<Vec<&'l Q::Lease>, QueueError>
where
    Q::Lease: 'static,
{
    leases.iter().map(|lease| own(&*lease.0)).collect()
}
