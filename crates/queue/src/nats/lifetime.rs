//! Queues that are kept for a while, and how queues are deleted.

use std::time::Duration;

use brine_core::Timestamp;
use brine_core::time::LEEWAY;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::ApiFault;
use super::link::Link;
use super::names::ServerNames;
use super::stream_info::StreamInfo;
use super::streams::{QueueStreams, nanos};
use crate::error::QueueError;
use crate::url::QueueName;

/// How many queues are looked at whose lifetime may be over.
const SWEPT_QUEUES: usize = 1024;

impl QueueStreams {
    /// Has a queue with a lifetime last until a moment at least.
    pub(super) async fn keep_until(
        &self,
        kept: Timestamp,
        until: Instant,
    ) -> Result<bool, QueueError> {
        let Some(mut found) = self.messages(until).await? else { return Ok(false) };
        let Some(before) = found.kept_until().filter(|before| *before < kept) else {
            return Ok(true);
        };
        let longer = Duration::from_secs(kept.unix().saturating_sub(before.unix()));
        let max_age = found.config.get("max_age").and_then(Value::as_u64).unwrap_or(0);
        if let Some(config) = found.config.as_object_mut() {
            config.insert("description".to_owned(), described(&self.name, Some(kept)).into());
            // No message may go before the queue does.
            config.insert("max_age".to_owned(), max_age.saturating_add(nanos(longer)).into());
        }
        let subject = format!("STREAM.UPDATE.{}", self.names.messages);
        match self.link.api::<Value>(&subject, &found.config, until).await? {
            Ok(_) => Ok(true),
            Err(fault) if fault.err_code == ApiFault::STREAM_MISSING => Ok(false),
            Err(fault) => Err(fault.fatal()),
        }
    }

    /// Deletes the queue. Its messages come last: while they are there, it is a queue.
    pub(super) async fn remove(&self, until: Instant) -> Result<(), QueueError> {
        if self.messages(until).await?.is_some() {
            remove(&self.link, &self.names, until).await?;
        }
        Ok(())
    }
}

impl StreamInfo {
    /// Returns until when a queue with a lifetime is kept.
    fn kept_until(&self) -> Option<Timestamp> {
        let description = self.config.get("description")?.as_str()?;
        let (seconds, _) = description.strip_prefix("brine until ")?.split_once(": ")?;
        Timestamp::from_unix(seconds.parse().ok()?)
    }
}

/// Describes a queue for people, and until when it is kept.
pub(super) fn described(name: &QueueName, kept: Option<Timestamp>) -> String {
    match kept {
        Some(kept) => format!("brine until {}: {name}", kept.unix()),
        None => format!("brine: {name}"),
    }
}

/// Deletes queues whose lifetime is over.
pub(super) async fn sweep(link: &Link, now: Timestamp, until: Instant) -> Result<(), QueueError> {
    #[derive(Deserialize)]
    struct Page {
        total: usize,
        streams: Option<Vec<StreamInfo>>,
    }

    let (mut offset, mut over) = (0, Vec::new());
    while offset < SWEPT_QUEUES {
        let question = json!({ "subject": "brine.q.>", "offset": offset });
        let page: Result<Page, _> = link.api("STREAM.LIST", &question, until).await?;
        let page = page.map_err(ApiFault::fatal)?;
        let streams = page.streams.unwrap_or_default();
        offset = offset.saturating_add(streams.len());
        let is_last = streams.is_empty() || offset >= page.total;
        let is_over =
            |stream: &StreamInfo| stream.kept_until().is_some_and(|kept| kept.plus(LEEWAY) < now);
        over.extend(streams.iter().filter(|stream| is_over(stream)).filter_map(named));
        if is_last {
            break;
        }
    }
    for names in over {
        remove(link, &names, until).await?;
    }
    Ok(())
}

/// Returns what a queue is called whose description says it.
fn named(stream: &StreamInfo) -> Option<ServerNames> {
    let description = stream.config.get("description")?.as_str()?;
    let (_, name) = description.split_once(": ")?;
    let names = ServerNames::new(&QueueName::new(name).ok()?);
    let stream = stream.config.get("name")?.as_str()?;
    Some(names).filter(|names| names.messages == stream)
}

async fn remove(link: &Link, names: &ServerNames, until: Instant) -> Result<(), QueueError> {
    for stream in [&names.ledger, &names.states, &names.messages] {
        let (subject, question) = (format!("STREAM.DELETE.{stream}"), json!({}));
        match link.api::<Value>(&subject, &question, until).await? {
            Ok(_) => {}
            Err(fault) if fault.err_code == ApiFault::STREAM_MISSING => {}
            Err(fault) => return Err(fault.fatal()),
        }
    }
    Ok(())
}
