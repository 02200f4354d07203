//! Small values that a stream keeps by their subjects, each until it is replaced or deleted.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM};
use brine_core::Timestamp;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::api::{ApiFault, Stored};
use super::link::Link;
use super::streams::QueueStreams;
use crate::error::QueueError;
use crate::url::QueueName;

/// The values of one stream, which has one message for each subject.
#[derive(Clone, Debug)]
pub(super) struct Values {
    link: Arc<Link>,
    stream: String,
    /// A subject that the stream listens to, and no other stream.
    own_subject: String,
    /// The queue that the stream belongs to.
    queue: QueueName,
}

/// A value. Its revision is the number of its message in the stream, which no other value has.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) subject: String,
    pub(super) bytes: Vec<u8>,
    pub(super) revision: u64,
    /// When the server got it.
    pub(super) stored: Timestamp,
}

#[derive(Deserialize)]
struct GetAnswer {
    message: StoredMessage,
}

#[derive(Deserialize)]
struct StoredMessage {
    subject: String,
    seq: u64,
    #[serde(default)]
    data: String,
    time: String,
}

impl Values {
    /// Returns what is known about the messages of a queue.
    pub(super) fn states(streams: &QueueStreams) -> Self {
        let own_subject = streams.names.state_prefix(&streams.id) + ".-";
        Self::new(streams, &streams.names.states, own_subject)
    }

    /// Returns what a queue remembers of what it handled.
    pub(super) fn ledger(streams: &QueueStreams) -> Self {
        let own_subject = streams.names.ledger_prefix(&streams.id) + ".-";
        Self::new(streams, &streams.names.ledger, own_subject)
    }

    /// Returns the messages of a queue.
    pub(super) fn messages(streams: &QueueStreams) -> Self {
        let own_subject = streams.names.message_subject(&streams.id);
        Self::new(streams, &streams.names.messages, own_subject)
    }

    fn new(streams: &QueueStreams, stream: &str, own_subject: String) -> Self {
        let (link, queue) = (streams.link.clone(), streams.name.clone());
        Self { link, stream: stream.to_owned(), own_subject, queue }
    }

    /// Returns the value of a subject as the leader of the stream has it.
    pub(super) async fn get(
        &self,
        subject: &str,
        until: Instant,
    ) -> Result<Option<Value>, QueueError> {
        self.find(&json!({ "last_by_subj": subject }), until).await
    }

    /// Returns the first value from a revision on whose subject matches a pattern.
    pub(super) async fn next(
        &self,
        from: u64,
        pattern: &str,
        until: Instant,
    ) -> Result<Option<Value>, QueueError> {
        self.find(&json!({ "seq": from, "next_by_subj": pattern }), until).await
    }

    async fn find(
        &self,
        question: &serde_json::Value,
        until: Instant,
    ) -> Result<Option<Value>, QueueError> {
        if !self.link.await_stream(&self.stream, &self.own_subject, until).await? {
            return Err(self.missing());
        }
        let subject = format!("STREAM.MSG.GET.{}", self.stream);
        let answer: Result<GetAnswer, ApiFault> = self.link.api(&subject, question, until).await?;
        let StoredMessage { subject, seq, data, time } = match answer {
            Ok(answer) => answer.message,
            Err(fault) if fault.is_missing_message() => return Ok(None),
            Err(fault) => return Err(self.fault(fault)),
        };
        let bytes = BASE64.decode(data.as_bytes()).ok();
        let (Some(bytes), Some(stored)) = (bytes, server_time(&time)) else {
            return Err(self.link.failure("a value cannot be read"));
        };
        Ok(Some(Value { subject, bytes, revision: seq, stored }))
    }

    /// Replaces the value that has a revision, or creates one where none is if that is 0. Returns the new revision, or
    /// `None` if somebody else was faster.
    pub(super) async fn swap(
        &self,
        subject: &str,
        from: u64,
        to: &[u8],
        until: Instant,
    ) -> Result<Option<u64>, QueueError> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_STREAM, self.stream.as_str());
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, from.to_string());
        match self.link.store(&self.stream, subject, headers, to, until).await? {
            Stored::As { sequence } => Ok(Some(sequence)),
            Stored::Refused { fault, sent_again } if fault.is_wrong_last() => {
                if !sent_again {
                    return Ok(None);
                }
                // The first time, it may have been heard.
                let found = self.get(subject, until).await?;
                let ours = found.filter(|found| found.bytes == to && found.revision > from);
                Ok(ours.map(|found| found.revision))
            }
            Stored::Refused { fault, .. } => Err(self.fault(fault)),
            Stored::NoStream => Err(self.missing()),
        }
    }

    /// Deletes a value. Returns whether it was there, with this revision.
    pub(super) async fn delete(&self, revision: u64, until: Instant) -> Result<bool, QueueError> {
        delete_message(&self.link, &self.stream, revision, until)
            .await?
            .map_err(|fault| self.fault(fault))
    }

    pub(super) fn missing(&self) -> QueueError {
        QueueError::Missing { name: self.queue.clone() }
    }

    pub(super) fn fault(&self, fault: ApiFault) -> QueueError {
        match fault.err_code {
            ApiFault::STREAM_MISSING | ApiFault::CONSUMER_MISSING => self.missing(),
            _ => fault.fatal(),
        }
    }
}

/// Deletes a message of a stream. Returns whether it was there.
pub(super) async fn delete_message(
    link: &Link,
    stream: &str,
    sequence: u64,
    until: Instant,
) -> Result<Result<bool, ApiFault>, QueueError> {
    // Erasing would rewrite what the stream has around it.
    let question = json!({ "seq": sequence, "no_erase": true });
    let subject = format!("STREAM.MSG.DELETE.{stream}");
    let answer: Result<serde_json::Value, ApiFault> = link.api(&subject, &question, until).await?;
    Ok(match answer {
        Ok(_) => Ok(true),
        Err(fault) if fault.is_missing_message() => Ok(false),
        Err(fault) => Err(fault),
    })
}

/// Reads a time of the server, and drops the parts of its second.
pub(super) fn server_time(text: &str) -> Option<Timestamp> {
    let whole = text.split_once('.').map(|(whole, _)| format!("{whole}Z"));
    Timestamp::parse_rfc3339(whole.as_deref().unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_server_are_read() {
        let whole = Timestamp::parse_rfc3339("2026-11-30T13:32:25Z");
        assert!(whole.is_some());
        assert_eq!(server_time("2026-11-30T13:32:25.106073377Z"), whole);
        assert_eq!(server_time("2026-11-30T13:32:25Z"), whole);
        assert_eq!(server_time("yesterday"), None);
    }
}
