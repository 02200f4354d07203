//! A queue of any kind, by its URL.
//!
//! Programs work with this one type. What it holds is behind a `dyn`, and leases are told by their types, so a new kind
//! of queue is named in [`AnyQueue::open`] and nowhere else.

#[cfg(feature = "amqp")]
mod amqp;
mod erased;
mod ledger;

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brine_core::{Clock, Timestamp};
use brine_records::Settled;

use self::erased::ErasedQueue;
pub use self::ledger::{AnyLedger, AnyRecord};
use crate::error::QueueError;
#[cfg(feature = "amqp")]
use crate::ledger_place::SqliteLedgerPlace;
use crate::options::QueueOptions;
use crate::queue::{
    Answered, Buried, DeadLetters, DeadMessage, Delivery, Queue, QueueStatus, ReceiveBounds,
    RefusedMessage, Retry,
};
use crate::resolve;
use crate::sqlite::SqliteQueue;
use crate::url::{QueueName, QueuePlace, QueueUrl, Server};

/// A queue of any kind that this build supports.
pub struct AnyQueue {
    queue: Box<dyn ErasedQueue>,
    /// The file beside a server that can keep no ledger.
    #[cfg(feature = "amqp")]
    ledger_file: Option<SqliteLedgerPlace>,
}

/// The lease of a message of such a queue.
pub struct AnyLease(Box<dyn Any + Send>);

/// A message that was sent to such a queue.
pub struct AnySent(Box<dyn Any + Send + Sync>);

/// What the files hold that the URL of a server names.
#[derive(Clone, Default)]
pub struct ServerSecrets {
    /// The password, or the token.
    pub password: Option<String>,
    /// Credentials of NATS: a token and a seed.
    pub credentials: Option<String>,
    /// The certificates that vouch for the server, as PEM.
    pub ca: Option<Vec<u8>>,
}

impl AnyQueue {
    /// Opens a queue, or makes one as the options say.
    ///
    /// # Errors
    ///
    /// [`QueueError::Unsupported`], and those of the queue.
    pub fn open(
        url: &QueueUrl,
        secrets: &ServerSecrets,
        options: QueueOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, QueueError> {
        match &url.place {
            QueuePlace::Sqlite(path) => {
                SqliteQueue::open(path, &url.queue, options, clock).map(Self::of)
            }
            QueuePlace::Server(server) => {
                resolve::refuse_names(server)?;
                Self::on_server(server, secrets, &url.queue, options, clock)
            }
        }
    }

    /// Makes the file that a URL names with `once-per-host`, before the first consumer does. It **must not** exist.
    ///
    /// # Errors
    ///
    /// [`QueueError::Unsupported`] and [`QueueError::File`]; failures of the system.
    #[cfg_attr(not(feature = "amqp"), expect(unused_variables, reason = "for RabbitMQ"))]
    pub fn make_ledger_file(
        path: &Path,
        options: &QueueOptions,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        #[cfg(feature = "amqp")]
        return crate::ledger_place::SqliteLedgerPlace::open(path, options, now).map(drop);
        #[cfg(not(feature = "amqp"))]
        Err(QueueError::Unsupported { kind: crate::url::ServerKind::Amqp.name() })
    }

    #[cfg_attr(
        not(any(feature = "amqp", feature = "nats", feature = "redis")),
        expect(unused_variables, reason = "for no other kind")
    )]
    fn on_server(
        server: &Server,
        secrets: &ServerSecrets,
        name: &QueueName,
        options: QueueOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, QueueError> {
        match server.kind {
            #[cfg(feature = "redis")]
            crate::url::ServerKind::Redis => {
                let queue = crate::redis::RedisQueue::open(server, secrets, name, options, clock);
                queue.map(Self::of)
            }
            #[cfg(feature = "nats")]
            crate::url::ServerKind::Nats => {
                let place = crate::nats::NatsPlace::of(server, secrets);
                crate::nats::NatsQueue::open(&place, name, options, clock).map(Self::of)
            }
            #[cfg(feature = "amqp")]
            crate::url::ServerKind::Amqp => self::amqp::open(server, secrets, name, options, clock),
            #[allow(unreachable_patterns, reason = "where all kinds are supported")]
            other => Err(QueueError::Unsupported { kind: other.name() }),
        }
    }

    /// Closes the file of this host in which the ledger of a queue on a server is, because the process forks. It is
    /// opened again when it is needed. An [`AnyLedger`] keeps it open: it **must** be dropped before.
    pub fn close_ledger_file(&self) {
        #[cfg(feature = "amqp")]
        if let Some(file) = &self.ledger_file {
            file.close();
        }
    }

    fn of(queue: impl ErasedQueue + 'static) -> Self {
        Self {
            queue: Box::new(queue),
            #[cfg(feature = "amqp")]
            ledger_file: None,
        }
    }
}

impl Queue for AnyQueue {
    type Ledger = AnyLedger;
    type Lease = AnyLease;
    type Sent = AnySent;

    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError> {
        self.queue.publish(messages)
    }

    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<AnySent, QueueError> {
        self.queue.send(content, delay)
    }

    fn withdraw(&mut self, message: &AnySent) -> Result<bool, QueueError> {
        self.queue.withdraw(message)
    }

    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<AnyLease>>, QueueError> {
        self.queue.receive(most, wait)
    }

    fn lease_length(&self) -> Duration {
        self.queue.lease_length()
    }

    fn message_limit(&self) -> usize {
        self.queue.message_limit()
    }

    fn extend(&mut self, leases: &[&AnyLease]) -> Result<Vec<Settled>, QueueError> {
        self.queue.extend(leases)
    }

    fn begin(&mut self, lease: &AnyLease, record: &AnyRecord) -> Result<Settled, QueueError> {
        self.queue.begin(lease, record)
    }

    fn commit_and_ack(
        &mut self,
        handled: &[(&AnyLease, &AnyRecord)],
    ) -> Result<Vec<Settled>, QueueError> {
        self.queue.commit_and_ack(handled)
    }

    fn ack(&mut self, leases: &[&AnyLease]) -> Result<Vec<Settled>, QueueError> {
        self.queue.ack(leases)
    }

    fn retry(
        &mut self,
        leases: &[&AnyLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        self.queue.retry(leases, retry)
    }

    fn dead_letter(
        &mut self,
        lease: &AnyLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        self.queue.dead_letter(lease, why)
    }

    fn answer(
        &mut self,
        lease: &AnyLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        self.queue.answer(lease, to, answer)
    }

    fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError> {
        self.queue.keep_for(lifetime)
    }

    fn remove(self) -> Result<(), QueueError> {
        self.queue.remove()
    }

    fn another(&self) -> Result<Self, QueueError> {
        let queue = self.queue.another()?;
        Ok(Self {
            queue,
            #[cfg(feature = "amqp")]
            ledger_file: self.ledger_file.clone(),
        })
    }

    fn ledger(&self) -> Result<AnyLedger, QueueError> {
        self.queue.ledger()
    }
}

impl DeadLetters for AnyQueue {
    fn dead_letters(&mut self, after: u64, most: usize) -> Result<Vec<DeadMessage>, QueueError> {
        self.queue.dead_letters(after, most)
    }

    fn dead_content(&mut self, number: u64) -> Result<Option<Vec<u8>>, QueueError> {
        self.queue.dead_content(number)
    }

    fn revive(&mut self, number: u64) -> Result<bool, QueueError> {
        self.queue.revive(number)
    }

    fn discard(&mut self, number: u64) -> Result<bool, QueueError> {
        self.queue.discard(number)
    }

    fn status(&mut self) -> Result<QueueStatus, QueueError> {
        self.queue.status()
    }
}

impl fmt::Debug for AnyQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}

impl fmt::Debug for AnyLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyLease").finish_non_exhaustive()
    }
}

impl fmt::Debug for AnySent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnySent").finish_non_exhaustive()
    }
}

/// Says of each that it is there, and nothing else.
impl fmt::Debug for ServerSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSecrets")
            .field("password", &self.password.is_some())
            .field("credentials", &self.credentials.is_some())
            .field("ca", &self.ca.is_some())
            .finish()
    }
}
