//! Queues of signed messages.
//!
//! A [`Queue`] delivers each message under a lease until it is settled: acknowledged, retried, or made a dead letter.
//! It knows nothing of signatures. What is delivered is verified like anything else, and the
//! [ledger](Queue::ledger) of the queue makes each record count once. SPEC.md has the order of steps, and what it
//! promises.
//!
//! [`SqliteQueue`] is a queue in a file, for the processes of one machine, without a server:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use brine_core::Timestamp;
//! use brine_queue::{Queue, QueueBirth, QueueName, ReceiveBounds, SqliteQueue, QueueOptions};
//!
//! let clock = Arc::new(Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap());
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("jobs");
//! let options = QueueOptions { birth: QueueBirth::FromNow, ..QueueOptions::default() };
//! let mut queue = SqliteQueue::open(&path, &QueueName::new("work")?, options, clock)?;
//!
//! queue.publish(&[b"one"])?;
//! let mut found = queue.receive(ReceiveBounds::ONE, Duration::ZERO)?;
//! let message = found.remove(0);
//! assert_eq!(message.content, b"one");
//! // Verify and handle it here, then acknowledge it.
//! let _ = queue.ack(&[&message.lease])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod admission;
#[cfg(feature = "amqp")]
mod amqp;
mod any;
mod error;
#[cfg(feature = "amqp")]
mod ledger_place;
#[cfg(feature = "nats")]
mod nats;
mod options;
mod queue;
#[cfg(feature = "redis")]
mod redis;
mod resolve;
mod retry_delay;
#[cfg(any(feature = "amqp", feature = "nats"))]
mod runtime;
mod source;
mod sqlite;
#[cfg(any(feature = "nats", feature = "redis"))]
mod tls;
mod url;

pub use self::admission::{Admission, valid_later};
#[cfg(feature = "amqp")]
pub use self::amqp::{AmqpLease, AmqpQueue, AmqpSent};
pub use self::any::{AnyLease, AnyLedger, AnyQueue, AnyRecord, AnySent, ServerSecrets};
pub use self::error::QueueError;
#[cfg(feature = "amqp")]
pub use self::ledger_place::{
    Ends, LedgerNotes, LedgerPlace, MessageKey, NoLedgerPlace, NotedFigures, SharedLedgerPlace,
    SharedNotes, SqliteLedgerPlace, SqliteNotes,
};
#[cfg(feature = "nats")]
pub use self::nats::{NatsCredentials, NatsLease, NatsPlace, NatsQueue, NatsSent, NatsStore};
pub use self::options::{DeadLetterBounds, MAX_MESSAGE_BYTES, QueueBirth, QueueOptions};
pub use self::queue::{
    Answered, Buried, DeadLetters, DeadMessage, Delivery, LedgerLease, Queue, QueueStatus,
    ReceiveBounds, RefusedMessage, Retry, Standing,
};
#[cfg(feature = "redis")]
pub use self::redis::{RedisLease, RedisQueue, RedisSent, RedisStore};
pub use self::retry_delay::RetryDelay;
pub use self::source::{
    POSTPONED, QueueDeliveries, QueueSource, SourceFigures, SourceRules, UnsettledMessages,
    stays_queued,
};
pub use self::sqlite::{MessageLease, SentMessage, SqliteQueue};
pub use self::url::{
    MAX_NAME_BYTES, QueueName, QueueNameError, QueuePlace, QueueUrl, QueueUrlError, Server,
    ServerHost, ServerKind,
};
pub use brine_sqlite::FileError;
