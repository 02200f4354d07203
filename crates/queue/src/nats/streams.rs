//! The streams of a queue: made, found, kept and deleted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::api::ApiFault;
use super::growing_delay::GrowingDelay;
use super::link::Link;
use super::names::ServerNames;
use super::stream_info::{ConsumerInfo, StreamInfo, info};
use crate::error::QueueError;
use crate::url::QueueName;

/// The durable consumer that all consumers of a queue share.
pub(super) const CONSUMER: &str = "work";

/// What the headers of a message take at most.
pub(super) const MAX_HEADER_BYTES: usize = 1024;

/// How often something is tried to be made that somebody else seems to make.
const MAKING: usize = 8;

/// How many consumers may wait at once.
const MAX_WAITING: u32 = 8192;

/// A queue on a server.
#[derive(Clone, Debug)]
pub(super) struct QueueStreams {
    pub(super) link: Arc<Link>,
    pub(super) name: QueueName,
    pub(super) names: ServerNames,
    /// Drawn when the queue was made.
    pub(super) id: String,
    /// How long a lease lasts.
    pub(super) lease: Duration,
    /// How many servers keep what it holds.
    pub(super) replicas: u64,
    /// Whether it was made just now.
    pub(super) is_new: bool,
}

impl QueueStreams {
    /// Has the stream of the ledger keep its values for so long at least, and makes it where there is none. Returns how
    /// long it keeps them.
    pub(super) async fn keep_ledger_for(
        &self,
        age: Duration,
        until: Instant,
    ) -> Result<Duration, QueueError> {
        let stream = &self.names.ledger;
        let config = json!({
            "name": stream,
            "subjects": [self.names.ledger_prefix(&self.id) + ".>"],
            "max_age": nanos(age),
            "max_msgs_per_subject": 1,
        });
        self.make(config, until).await?;
        loop {
            let found = info(&self.link, stream, until).await?;
            let mut config = found.ok_or_else(|| self.missing())?.config;
            let kept = config.get("max_age").and_then(Value::as_u64).map(Duration::from_nanos);
            match kept {
                Some(kept) if kept.is_zero() => return Ok(Duration::MAX),
                Some(kept) if kept >= age => return Ok(kept),
                _ => {}
            }
            if let Some(config) = config.as_object_mut() {
                config.insert("max_age".to_owned(), nanos(age).into());
            }
            // Another process may do the same with another age, so it is looked at again.
            let updated = self.link.api(&format!("STREAM.UPDATE.{stream}"), &config, until).await?;
            let _: Value = updated.map_err(|fault| self.fault(fault))?;
        }
    }

    /// Makes a stream that is this queue's, unless it is there.
    pub(super) async fn make(&self, mut config: Value, until: Instant) -> Result<(), QueueError> {
        if let Some(config) = config.as_object_mut() {
            config.insert("num_replicas".to_owned(), self.replicas.into());
        }
        let mut delay = GrowingDelay::default();
        for _ in 0..MAKING {
            match create(&self.link, config.clone(), until).await? {
                Ok(_) => return Ok(()),
                // An operator may have changed it, but not its subjects.
                Err(fault) if fault.err_code == ApiFault::NAME_IN_USE => {
                    if !self.remove_remains(&config, until).await?
                        && self.is_whole(&config, until).await?
                    {
                        return Ok(());
                    }
                }
                // Somebody else is about to make it.
                Err(fault) if fault.err_code == ApiFault::SUBJECTS_OVERLAP => {}
                Err(fault) => return Err(fault.fatal()),
            }
            sleep(delay.next()?).await;
        }
        Err(QueueError::damaged("another stream has the subjects of this queue"))
    }

    /// Deletes the stream that has this name if it is what is left of a queue whose messages were deleted. Returns whether
    /// it was.
    async fn remove_remains(&self, config: &Value, until: Instant) -> Result<bool, QueueError> {
        let name = config.get("name").and_then(Value::as_str).unwrap_or_default();
        let found = info(&self.link, name, until).await?;
        let subjects = config.get("subjects");
        if found.is_none_or(|found| found.config.get("subjects") == subjects) {
            return Ok(false);
        }
        if self.messages(until).await?.is_none() {
            return Err(self.missing());
        }
        let deleted: Result<Value, _> =
            self.link.api(&format!("STREAM.DELETE.{name}"), &json!({}), until).await?;
        match deleted {
            Err(fault) if fault.err_code != ApiFault::STREAM_MISSING => Err(fault.fatal()),
            _ => Ok(true),
        }
    }

    /// Waits until a stream that is there is whole. Returns whether it is.
    async fn is_whole(&self, config: &Value, until: Instant) -> Result<bool, QueueError> {
        let subject = config.pointer("/subjects/0").and_then(Value::as_str).unwrap_or_default();
        let name = config.get("name").and_then(Value::as_str).unwrap_or_default();
        self.link.await_stream(name, &subject.replace('>', "-"), until).await
    }

    /// Makes the consumer, unless it is there. Its leases are the longest that anybody ever asked for. Returns how long
    /// they are.
    pub(super) async fn make_consumer(&self, until: Instant) -> Result<Duration, QueueError> {
        let mut delay = GrowingDelay::default();
        for _ in 1..MAKING {
            match self.make_consumer_once(until).await? {
                Ok(lease) => return Ok(lease),
                // Others who make it at the same time can be in the way of the server.
                Err(fault) if fault.is_of_server() => sleep(delay.next()?).await,
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        self.make_consumer_once(until).await?.map_err(|fault| self.fault(fault))
    }

    async fn make_consumer_once(
        &self,
        until: Instant,
    ) -> Result<Result<Duration, ApiFault>, QueueError> {
        let found = self.consumer(until).await?;
        let found = found.map(|found| found.lease());
        if let Some(lease) = found.filter(|lease| *lease >= self.lease) {
            return Ok(Ok(lease));
        }
        let stream = &self.names.messages;
        let config = json!({
            "durable_name": CONSUMER,
            "ack_policy": "explicit",
            "ack_wait": nanos(self.lease),
            "deliver_policy": "all",
            "replay_policy": "instant",
            "max_deliver": -1,
            "max_ack_pending": -1,
            "max_waiting": MAX_WAITING,
        });
        let question = json!({ "stream_name": stream, "config": config });
        let subject = format!("CONSUMER.DURABLE.CREATE.{stream}.{CONSUMER}");
        let made: Result<ConsumerInfo, _> = self.link.api(&subject, &question, until).await?;
        Ok(made.map(|made| made.lease()))
    }

    pub(super) async fn consumer(
        &self,
        until: Instant,
    ) -> Result<Option<ConsumerInfo>, QueueError> {
        let subject = format!("CONSUMER.INFO.{}.{CONSUMER}", self.names.messages);
        match self.link.api(&subject, &json!({}), until).await? {
            Ok(found) => Ok(Some(found)),
            Err(fault) if fault.err_code == ApiFault::CONSUMER_MISSING => Ok(None),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    /// Returns the stream of messages, if it is there, and is no other one of the same name.
    pub(super) async fn messages(&self, until: Instant) -> Result<Option<StreamInfo>, QueueError> {
        let found = info(&self.link, &self.names.messages, until).await?;
        Ok(found.filter(|found| found.id(&self.names).is_ok_and(|id| id == self.id)))
    }

    /// Returns another queue of the same servers, if it is there.
    pub(super) async fn other(
        &self,
        name: &QueueName,
        until: Instant,
    ) -> Result<Option<Self>, QueueError> {
        let names = ServerNames::new(name);
        let Some(found) = info(&self.link, &names.messages, until).await? else { return Ok(None) };
        let id = found.id(&names)?;
        Ok(Some(Self { name: name.clone(), names, id, is_new: false, ..self.clone() }))
    }

    pub(super) fn missing(&self) -> QueueError {
        QueueError::Missing { name: self.name.clone() }
    }

    pub(super) fn fault(&self, fault: ApiFault) -> QueueError {
        match fault.err_code {
            ApiFault::STREAM_MISSING | ApiFault::CONSUMER_MISSING => self.missing(),
            _ => fault.fatal(),
        }
    }
}

pub(super) async fn create(
    link: &Link,
    mut config: Value,
    until: Instant,
) -> Result<Result<StreamInfo, ApiFault>, QueueError> {
    let name = config.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(config) = config.as_object_mut() {
        config.insert("retention".to_owned(), "limits".into());
        config.insert("storage".to_owned(), "file".into());
        // What it has never gives way to what comes.
        config.insert("discard".to_owned(), "new".into());
    }
    link.api(&format!("STREAM.CREATE.{name}"), &config, until).await
}

/// Returns a length of time as JetStream has it.
pub(super) fn nanos(length: Duration) -> u64 {
    const MOST: u64 = 0x7fff_ffff_ffff_ffff;
    u64::try_from(length.as_nanos()).unwrap_or(MOST).min(MOST)
}
