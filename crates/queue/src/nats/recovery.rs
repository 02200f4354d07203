//! Messages that the consumer forgot are delivered again.
//!
//! A server that is killed can have written that it delivered messages, and not which of them are not settled (seen with
//! 2.9). They stay in the stream, and are never delivered again. A consumer that is made anew delivers all that is there,
//! and the states of messages say what becomes of each.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Shared;
use super::api::ApiFault;
use super::streams::CONSUMER;
use crate::error::QueueError;

/// How often it is looked at while there is nothing to receive.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long it is waited before it is believed: what others settle meanwhile is counted at two moments.
const DOUBT: Duration = Duration::from_millis(500);

/// When it was looked at last, and by which connection.
#[derive(Debug, Default)]
pub(super) struct LastLook(Mutex<Option<(Instant, u64)>>);

impl LastLook {
    /// Returns whether it is to be looked at, and takes it for done.
    fn is_due(&self, connection: u64) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = last.is_some_and(|(at, by)| by == connection && at.elapsed() < INTERVAL);
        if !is_fresh {
            *last = Some((Instant::now(), connection));
        }
        !is_fresh
    }
}

impl Shared {
    /// Makes the consumer anew if it forgot messages. Returns whether it did.
    pub(super) async fn recover(&self) -> Result<bool, QueueError> {
        let link = &self.streams.link;
        if !self.last_look.is_due(link.times_connected()) {
            return Ok(false);
        }
        let until = link.deadline();
        if self.forgotten(until).await? == 0 {
            return Ok(false);
        }
        // A consumer that died can have left dead letters that were counted, and are not there.
        self.recount(link.deadline()).await?;
        for _ in 0..2 {
            if self.forgotten(link.deadline()).await? == 0 {
                return Ok(false);
            }
            sleep(DOUBT).await;
        }
        let until = link.deadline();
        let subject = format!("CONSUMER.DELETE.{}.{CONSUMER}", self.streams.names.messages);
        match link.api::<Value>(&subject, &json!({}), until).await? {
            Ok(_) => {}
            Err(fault) if fault.err_code == ApiFault::CONSUMER_MISSING => {}
            Err(fault) => return Err(self.streams.fault(fault)),
        }
        self.streams.make_consumer(until).await?;
        Ok(true)
    }

    /// Returns how many messages are in the stream that are neither dead letters nor known to the consumer.
    async fn forgotten(&self, until: Instant) -> Result<u64, QueueError> {
        let Some(stream) = self.streams.messages(until).await? else { return Ok(0) };
        let Some(consumer) = self.streams.consumer(until).await? else { return Ok(0) };
        let known = consumer.num_pending.saturating_add(consumer.num_ack_pending);
        let rest = stream.state.messages.saturating_sub(known);
        match rest {
            0 => Ok(0),
            rest => Ok(rest.saturating_sub(self.counts(until).await?.dead())),
        }
    }
}
