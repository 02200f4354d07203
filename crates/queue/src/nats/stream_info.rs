//! Streams and consumers as the server describes them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::ApiFault;
use super::link::Link;
use super::names::ServerNames;
use crate::error::QueueError;

/// A stream as the server describes it.
#[derive(Debug, Deserialize)]
pub(super) struct StreamInfo {
    pub(super) config: Value,
    pub(super) state: StreamFigures,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamFigures {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) last_seq: u64,
}

/// The consumer as the server describes it.
#[derive(Debug, Deserialize)]
pub(super) struct ConsumerInfo {
    config: ConsumerConfig,
    delivered: SequencePair,
    /// How many messages it delivered that are not settled.
    pub(super) num_ack_pending: u64,
    /// How many messages it never delivered.
    pub(super) num_pending: u64,
}

#[derive(Debug, Deserialize)]
struct ConsumerConfig {
    /// In nanoseconds.
    ack_wait: u64,
}

#[derive(Debug, Deserialize)]
struct SequencePair {
    stream_seq: u64,
}

impl ConsumerInfo {
    /// Returns how long its leases last.
    pub(super) const fn lease(&self) -> Duration {
        Duration::from_nanos(self.config.ack_wait)
    }

    /// Returns the number of the last message that was delivered.
    pub(super) const fn last_delivered(&self) -> u64 {
        self.delivered.stream_seq
    }
}

impl StreamInfo {
    /// Returns whether messages to a subject are for this stream.
    pub(super) fn listens_to(&self, subject: &str) -> bool {
        let subjects = self.config.get("subjects").and_then(Value::as_array);
        subjects.into_iter().flatten().filter_map(Value::as_str).any(|own| {
            match own.strip_suffix('>') {
                Some(prefix) => subject.starts_with(prefix),
                None => subject == own,
            }
        })
    }

    /// Returns the id of a queue.
    pub(super) fn id(&self, names: &ServerNames) -> Result<String, QueueError> {
        let subjects = self.config.get("subjects").and_then(Value::as_array);
        let subject = match subjects.map(Vec::as_slice) {
            Some([subject]) => subject.as_str(),
            _ => None,
        };
        let says = |name: &str, value| self.config.get(name).and_then(Value::as_str) == Some(value);
        let id = subject.and_then(|subject| names.id_of(subject));
        let id = id.filter(|_| says("retention", "limits"));
        let why = || QueueError::damaged(format!("stream {} is no queue", names.messages));
        let id = id.map(str::to_owned).ok_or_else(why)?;
        if !says("discard", "new") {
            let what =
                format!("stream {} gives way to new messages when it is full", names.messages);
            return Err(QueueError::Unsuitable { what });
        }
        Ok(id)
    }
}

/// Returns what the server says of a stream, if there is one.
pub(super) async fn info(
    link: &Link,
    stream: &str,
    until: Instant,
) -> Result<Option<StreamInfo>, QueueError> {
    match link.api(&format!("STREAM.INFO.{stream}"), &json!({}), until).await? {
        Ok(found) => Ok(Some(found)),
        Err(ApiFault { err_code: ApiFault::STREAM_MISSING, .. }) => Ok(None),
        Err(fault) => Err(fault.fatal()),
    }
}
